/**
 * Owns: header fields: reading them strictly, and which of them may go on to the other side.
 * Never: does I/O, or passes a received line through: what is sent is written anew from what was read.
 *
 * Source: RFC 9110 sections 5 and 7.6.1, RFC 9112 section 5.
 */

/** Names and values in turn: name, value, name, value … as received, in order. */
export type Fields = string[]

/** Token characters of RFC 9110 section 5.6.2. */
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/
/** Field values: visible, blanks, tabs and obs-text; no other control (RFC 9110 section 5.5). */
const VALUE = /^[\t\u0020-\u007e\u0080-\u00ff]*$/

export function isToken(text: string): boolean {
  return TOKEN.test(text)
}

/** Removes the blanks that may stand around a field value, in one pass however many there are. */
export function trimBlanks(text: string): string {
  let start = 0
  let end = text.length
  while (start < end && isBlank(text.charCodeAt(start))) start++
  while (end > start && isBlank(text.charCodeAt(end - 1))) end--
  return text.slice(start, end)
}

function isBlank(code: number): boolean {
  return code === 32 || code === 9
}

export type FieldsFault = 'malformed' | 'too-many'

/**
 * Reads the field lines in `text` from `start`, each ended by CR LF, into name, value, name, value.
 * `malformed` where a line is wrong: no colon, a blank before it, a folded line, a bare CR or LF, a
 * control; `too-many` where there are more than `fieldsMax` of them.
 */
export function parseFields(text: string, start: number, fieldsMax: number): Fields | FieldsFault {
  const fields: Fields = []
  let from = start
  while (from < text.length) {
    const end = text.indexOf('\r\n', from)
    if (end < 0) return 'malformed'
    const colon = text.indexOf(':', from)
    if (colon < 0 || colon > end) return 'malformed'
    const name = text.slice(from, colon)
    const value = trimBlanks(text.slice(colon + 1, end))
    if (!TOKEN.test(name) || !VALUE.test(value)) return 'malformed'
    if (fields.length >= 2 * fieldsMax) return 'too-many'
    fields.push(name, value)
    from = end + 2
  }
  return fields
}

/** The members of a comma-separated list, lower case, empty ones left out (RFC 9110 section 5.6.1). */
export function listOf(value: string): string[] {
  const members: string[] = []
  for (const part of value.split(',')) {
    const member = trimBlanks(part).toLowerCase()
    if (member !== '') members.push(member)
  }
  return members
}

/** The value of the first field `name` (lower case), or null. */
export function fieldValue(fields: Fields, name: string): string | null {
  for (let i = 0; i < fields.length; i += 2) {
    if (fields[i]!.toLowerCase() === name) return fields[i + 1]!
  }
  return null
}

/** Adds `members`, however many there are: as arguments, half a million would not fit on the stack. */
export function pushAll(list: string[], members: readonly string[]): void {
  for (const member of members) list.push(member)
}

/** What never goes on: RFC 9110 section 7.6.1, what belongs to the proxy itself, and the framing. */
const HOP_BY_HOP = new Set([
  'connection',
  'proxy-connection',
  'keep-alive',
  'te',
  'transfer-encoding',
  'upgrade',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-authentication-info',
])

/**
 * The field lines of `fields` that may go on, each ended by CR LF. `nominated` are the names that
 * Connection gave (lower case); `besides` are names the caller writes itself.
 */
export function forwardable(
  fields: Fields,
  nominated: readonly string[],
  besides: readonly string[],
): string {
  let lines = ''
  // A client may nominate ten thousand names: looking through them for each field would cost dearly.
  const named = new Set(nominated)
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i]!.toLowerCase()
    if (HOP_BY_HOP.has(name) || besides.includes(name)) continue
    // Nominating a field that frames or routes the message would be a way to strip it (RFC 9110 7.6.1).
    if (named.has(name) && name !== 'content-length' && name !== 'host') continue
    lines += `${fields[i]}: ${fields[i + 1]}\r\n`
  }
  return lines
}

/**
 * What has no meaning, or a dangerous one, once the content has passed (RFC 9110 section 6.5.1): fields
 * that frame, route, authenticate, modify the request, control the response or say how to read content.
 */
const NEVER_IN_TRAILERS = [
  ...['content-length', 'host', 'trailer', 'via', 'max-forwards', 'expect'],
  ...['authorization', 'www-authenticate', 'authentication-info', 'cookie', 'set-cookie'],
  ...['cache-control', 'pragma', 'range', 'if-match', 'if-none-match', 'if-range'],
  ...['if-modified-since', 'if-unmodified-since'],
  ...['age', 'date', 'expires', 'location', 'retry-after', 'vary', 'warning'],
  ...['content-encoding', 'content-type', 'content-range'],
]

/**
 * The trailer fields of `fields` that may go on, each line ended by CR LF. `nominated` are the names that
 * Connection gave in the head: they hold for the trailers too (RFC 9110 section 7.6.1).
 */
export function forwardableTrailers(fields: Fields, nominated: readonly string[] = []): string {
  return forwardable(fields, nominated, NEVER_IN_TRAILERS)
}

/** Our own entry in Via (RFC 9110 section 7.6.3); a request that carries it has been here before. */
export function viaEntry(minor: 0 | 1, name: string): string {
  return `1.${minor} ${name}`
}
