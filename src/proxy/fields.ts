/**
 * Owns: header fields: reading them strictly, and which of them may go on to the other side.
 * Never: does I/O, or passes a received line through that is not, byte for byte, what we would write.
 *
 * Source: RFC 9110 sections 5 and 7.6.1, RFC 9112 section 5.
 */
import { HOP_BY_HOP_KINDS } from './field-names.ts'
import { type FieldsFault, scan } from './field-scan.ts'

export type { FieldsFault } from './field-scan.ts'

/** Names and values in turn: name, value, name, value … as received, in order. */
export type Fields = string[]

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

/**
 * Reads the field lines in `text` from `start`, each ended by CR LF, into name, value, name, value.
 * `malformed` where a line is wrong: no colon, a blank before it, a folded line, a bare CR or LF, a
 * control; `too-many` at the first beyond `fieldsMax`.
 */
export function parseFields(text: string, start: number, fieldsMax: number): Fields | FieldsFault {
  scan.load(text)
  const fault = scan.find(start, fieldsMax)
  const fields: Fields = []
  if (fault === null) {
    for (let i = 0; i < scan.count; i++) fields.push(scan.name(i), scan.value(i))
  }
  scan.clear()
  return fault ?? fields
}

/** All fields of a head that has been read and found right, as they came: read anew, so not on every path. */
export function fieldsOf(head: string): Fields {
  const fields = parseFields(head, head.indexOf('\r\n') + 2, Number.MAX_SAFE_INTEGER)
  return typeof fields === 'string' ? [] : fields
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

/** No names; shared, as are the two that nearly every Connection field gives. */
export const NO_NAMES: readonly string[] = []
const KEEP_ALIVE: readonly string[] = ['keep-alive']
const CLOSE: readonly string[] = ['close']

/** The names that the fields of `kind` of the scan nominate, lower case, after `before`. */
export function nominations(kind: number, before: readonly string[]): readonly string[] {
  if (scan.times(kind) === 0) return before
  if (scan.times(kind) === 1 && (before === NO_NAMES || before === KEEP_ALIVE)) {
    const field = scan.last(kind)
    if (scan.valueIs(field, 'keep-alive')) return KEEP_ALIVE
    if (scan.valueIs(field, 'close') && before === NO_NAMES) return CLOSE
  }
  const names = listOf(scan.combined(kind)!)
  return before === NO_NAMES ? names : [...before, ...names]
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
 * Nominating these takes no field away that would go on otherwise. Of a field that frames or routes the
 * message a nomination would be a way to strip it (RFC 9110 section 7.6.1): it has no effect.
 */
const WITHOUT_EFFECT = new Set([...HOP_BY_HOP, 'close', 'content-length', 'host'])

/** The names of `nominated` that take a field away, or null where none does. */
function strippedBy(nominated: readonly string[]): Set<string> | null {
  if (nominated === NO_NAMES || nominated === KEEP_ALIVE || nominated === CLOSE) return null
  // A client may nominate ten thousand names: looking through them for each field would cost dearly.
  let stripped: Set<string> | null = null
  for (const name of nominated) {
    if (WITHOUT_EFFECT.has(name)) continue
    stripped ??= new Set()
    stripped.add(name)
  }
  return stripped
}

/**
 * The text of the scan from `from` (-1: nothing before the fields) to its end, without the field lines
 * that may not go on, nor those whose kind has its bit in `skip`: the caller writes them itself. A line
 * that is not as we would write it is written anew; the others are taken as they stand, which is the same.
 */
export function keptLines(from: number, nominated: readonly string[], skip: number): string {
  const stripped = strippedBy(nominated)
  const dropped = skip | HOP_BY_HOP_KINDS
  const { text, count } = scan
  let lines = ''
  let run = from
  for (let i = 0; i < count; i++) {
    const kind = scan.kind(i)
    const goes =
      ((dropped >> kind) & 1) === 0 &&
      (stripped === null || !stripped.has(scan.name(i).toLowerCase()))
    if (goes && scan.isCanonical(i)) {
      if (run < 0) run = scan.start(i)
      continue
    }
    if (run >= 0) lines += text.slice(run, scan.start(i))
    run = -1
    if (goes) lines += `${scan.name(i)}: ${scan.value(i)}\r\n`
  }
  return run < 0 ? lines : lines + text.slice(run)
}

/**
 * The plain form of the same: the field lines of `fields` that may go on, each ended by CR LF.
 * `nominated` are the names that Connection gave (lower case); `besides` are names not wanted.
 */
export function forwardable(
  fields: Fields,
  nominated: readonly string[],
  besides: readonly string[],
): string {
  let lines = ''
  const stripped = strippedBy(nominated)
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i]!.toLowerCase()
    if (HOP_BY_HOP.has(name) || besides.includes(name) || stripped?.has(name)) continue
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
