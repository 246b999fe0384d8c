/**
 * Owns: plain readers of fields and chunks, written from the grammar: what the fast ones are compared with.
 * Never: shares a line with the code under test.
 */

const LINE_MAX = 4_096
const TRAILERS_MAX = 16_384
const TRAILER_FIELDS_MAX = 64

/** The field lines of `text` (RFC 9112 section 5), name and value in turn; null where one is wrong. */
export function plainFields(text: string): string[] | null {
  const lines = text.split('\r\n')
  if (lines.pop() !== '') return null
  const fields: string[] = []
  for (const line of lines) {
    const field = /^([\w!#$%&'*+.^`|~-]+):([\t -~\u0080-\u00ff]*)$/.exec(line)
    if (field === null) return null
    fields.push(field[1]!, field[2]!.replace(/^[\t ]+|[\t ]+$/g, ''))
  }
  return fields
}

export interface PlainBody {
  readonly end: 'done' | 'fault' | 'more'
  readonly content: string
  /** After `done`: what was left for the next message. */
  readonly rest: string
  readonly trailers: string[]
}

/** The whole of a chunked body at once, by the grammar of RFC 9112 section 7.1. */
export function plainChunks(wire: string): PlainBody {
  let content = ''
  let left = wire
  const ended = (end: PlainBody['end']) => ({ end, content, rest: '', trailers: [] })
  for (;;) {
    const line = /^([^\n]*)\n/.exec(left)
    if (line === null) return ended(left.length > LINE_MAX ? 'fault' : 'more')
    if (line[0].length > LINE_MAX) return ended('fault')
    const size = /^([0-9a-f]{1,8})(;.*)?\r$/is.exec(line[1]!)
    if (size === null || !areExtensions(size[2] ?? '')) return ended('fault')
    left = left.slice(line[0].length)
    const length = Number(`0x${size[1]}`)
    if (length === 0) return { ...plainTrailers(left), content }
    content += left.slice(0, length)
    if (left.length < length) return ended('more')
    left = left.slice(length)
    if (left.startsWith('\n')) return ended('fault')
    if (left.length < 2) return ended('more')
    if (left.length === 2 && left[1] !== '\n') return ended('more')
    if (!left.startsWith('\r\n')) return ended('fault')
    left = left.slice(2)
  }
}

/** `;name`, `;name=value` and `;name="value"`, as many as there are (RFC 9112 section 7.1.1). */
function areExtensions(text: string): boolean {
  let left = text
  while (left !== '') {
    const one = /^;[\w!#$%&'*+.^`|~-]+/.exec(left)
    if (one === null) return false
    left = left.slice(one[0].length)
    if (!left.startsWith('=')) continue
    const value =
      /^=([\w!#$%&'*+.^`|~-]+|"([\t !\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t -~\x80-\xff])*")/.exec(left)
    if (value === null) return false
    left = left.slice(value[0].length)
  }
  return true
}

function plainTrailers(text: string): Omit<PlainBody, 'content'> {
  const ended = (end: PlainBody['end']) => ({ end, rest: '', trailers: [] })
  let at = 0
  for (;;) {
    const end = text.indexOf('\n', at) + 1
    if (end === 0) return ended(text.length > TRAILERS_MAX ? 'fault' : 'more')
    const line = text.slice(at, end)
    if (end > TRAILERS_MAX || !line.endsWith('\r\n')) return ended('fault')
    if (line === '\r\n') {
      const trailers = plainFields(text.slice(0, at))
      if (trailers === null || trailers.length > 2 * TRAILER_FIELDS_MAX) return ended('fault')
      return { end: 'done', rest: text.slice(end), trailers }
    }
    at = end
  }
}
