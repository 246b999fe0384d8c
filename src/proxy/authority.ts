/**
 * Owns: reading `host[:port]`, in a target and in Host, and remembering what was read last.
 * Never: does I/O, or remembers more than AUTHORITIES_MAX of them.
 *
 * Source: RFC 3986 section 3.2, RFC 9110 section 7.2.
 */
import type { Host } from '../policy/index.ts'
import { formatAuthority, parseHost } from '../policy/index.ts'

export interface Authority {
  readonly host: Host
  /** Null where the text has none. */
  readonly port: number | null
  /** `host:port` in normal form, 80 where the text has no port: one key for one origin. */
  readonly origin: string
  /** What follows the target of a request to it: ` HTTP/1.1`, and its Host line. */
  readonly lines: string
}

/** Those of a morning's work; a hostile client can make us forget them, and no more. */
const AUTHORITIES_MAX = 1_024
/** Longer texts are read each time. */
const REMEMBERED_LENGTH_MAX = 128
const PORT_DIGITS_MAX = 5
const PORT_MAX = 65_535
const PLAIN_PORT = 80
const COLON = 58

const remembered = new Map<string, Authority>()

/** `text` (latin1; beyond ASCII it is UTF-8) as `host[:port]`, IPv6 in brackets; null where it is not. */
export function parseAuthority(text: string): Authority | null {
  const known = remembered.get(text)
  if (known !== undefined) return known
  const authority = read(text)
  if (authority !== null && text.length <= REMEMBERED_LENGTH_MAX) {
    if (remembered.size >= AUTHORITIES_MAX) remembered.clear()
    remembered.set(copyOf(text), authority)
  }
  return authority
}

function read(text: string): Authority | null {
  const nameEnd = endOfName(text)
  if (nameEnd < 0) return null
  const port = nameEnd === text.length ? null : portOf(text.slice(nameEnd + 1))
  if (port === 'malformed') return null
  const parsed = parseHost(unicode(text.slice(0, nameEnd)))
  if (typeof parsed === 'string') return null
  const host = copyOf(parsed.host) as Host
  return {
    host,
    port,
    origin: copyOf(formatAuthority(host, port ?? PLAIN_PORT)),
    lines: copyOf(
      ` HTTP/1.1\r\nHost: ${formatAuthority(host, port ?? PLAIN_PORT, PLAIN_PORT)}\r\n`,
    ),
  }
}

/** Where the name ends: at its only colon, or after its bracket; -1 where more stands there. */
function endOfName(text: string): number {
  if (!text.startsWith('[')) {
    const colon = text.indexOf(':')
    return colon < 0 ? text.length : colon
  }
  const end = text.indexOf(']') + 1
  const fits = end > 0 && (end === text.length || text.charCodeAt(end) === COLON)
  return fits ? end : -1
}

/** No digits are no port. Zeros before it are read, as browsers do, up to five digits in all. */
function portOf(digits: string): number | null | 'malformed' {
  if (digits === '') return null
  if (digits.length > PORT_DIGITS_MAX || !/^\d+$/.test(digits)) return 'malformed'
  const port = Number(digits)
  return port >= 1 && port <= PORT_MAX ? port : 'malformed'
}

/** A name beyond ASCII is meant as UTF-8. */
function unicode(name: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the ASCII range
  return /^[\u0000-\u007f]*$/.test(name) ? name : Buffer.from(name, 'latin1').toString('utf8')
}

/** A slice would keep the whole head in memory for as long as it is remembered. ASCII. */
function copyOf(text: string): string {
  return Buffer.from(text, 'latin1').toString('latin1')
}
