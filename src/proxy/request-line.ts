/**
 * Owns: reading a request line: method, target in its four forms, version.
 * Never: does I/O, or guesses what a target means that two parsers could read differently.
 *
 * Source: RFC 9112 section 3, RFC 9110 section 4.2. Each fault is a Reason.
 */
import type { Reason } from '../policy/index.ts'
import { type Authority, parseAuthority } from './authority.ts'
import { spells, tokenEnd } from './field-names.ts'

export type TargetForm = 'authority' | 'absolute' | 'origin' | 'asterisk'

const METHOD_LENGTH_MAX = 32
const VERSION_LENGTH = 8
const SPACE = 32
const HASH = 35
const SLASH = 47
const QUESTION = 63

/** What a byte of a target is: 0 nothing special, END what may not stand in it, or a bit of its own. */
const END = 8
const ODD_HASH = 1
const ODD_BACKSLASH = 2
const ODD_HIGH = 4
const TARGET = Uint8Array.from({ length: 256 }, (_, byte) => {
  if (byte <= SPACE || byte === 127) return END
  if (byte >= 128) return ODD_HIGH
  if (byte === HASH) return ODD_HASH
  return byte === 92 ? ODD_BACKSLASH : 0
})

/** What a request line says; a fault leaves what was read before it. */
export class RequestLine {
  method = ''
  form: TargetForm = 'absolute'
  minor: 0 | 1 = 1
  /** Origin-form or `*`, as we write it; empty for CONNECT. */
  target = ''
  /** Null where Host has to say it: in origin-form and asterisk-form. */
  authority: Authority | null = null
  /** The authority as it came; empty where there is none. */
  written = ''

  /** Reads the loaded head's first line, which ends at `lineEnd`. */
  read(text: string, bytes: Buffer, lineEnd: number): Reason | null {
    const methodEnd = tokenEnd(bytes, 0)
    if (methodEnd === 0 || methodEnd > METHOD_LENGTH_MAX) return 'request-line'
    if (bytes[methodEnd] !== SPACE || hasSmallLetter(bytes, methodEnd)) return 'request-line'
    const from = methodEnd + 1
    let to = from
    let odd = 0
    for (let kind = TARGET[bytes[to]!]!; kind !== END; kind = TARGET[bytes[++to]!]!) odd |= kind
    if (to === from || bytes[to] !== SPACE) return 'request-line'
    const fault = this.#version(bytes, to + 1, lineEnd)
    if (fault !== null) return fault
    this.method = text.slice(0, methodEnd)
    if (this.method === 'CONNECT') return this.#authorityForm(text, from, to)
    if (bytes[from] === SLASH) return this.#originForm(text, from, to, odd)
    if (to - from === 1 && bytes[from] === 42) return this.#asteriskForm()
    if (spells(bytes, from, from + 7, 'http://')) return this.#absoluteForm(text, from, to, odd)
    const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.test(text.slice(from, to))
    return scheme ? 'scheme-unsupported' : 'target-form'
  }

  #version(bytes: Buffer, from: number, lineEnd: number): Reason | null {
    if (lineEnd - from !== VERSION_LENGTH) return 'request-line'
    const major = bytes[from + 5]! - 48
    const minor = bytes[from + 7]! - 48
    const shape =
      bytes[from] === 72 && // HTTP
      bytes[from + 1] === 84 &&
      bytes[from + 2] === 84 &&
      bytes[from + 3] === 80 &&
      bytes[from + 4] === SLASH &&
      bytes[from + 6] === 46
    if (!shape || major < 0 || major > 9 || minor < 0 || minor > 9) return 'request-line'
    if (major !== 1 || minor > 1) return 'version-unsupported'
    this.minor = minor === 1 ? 1 : 0
    return null
  }

  /** CONNECT's `host:port`; the port must be there (RFC 9112 section 3.2.3). */
  #authorityForm(text: string, from: number, to: number): Reason | null {
    this.form = 'authority'
    const fault = this.#authority(text, from, to)
    if (fault !== null) return fault
    return this.authority!.port === null ? 'target-form' : null
  }

  /** `http://host[:port]/path?query` (RFC 9112 section 3.2.2). */
  #absoluteForm(text: string, from: number, to: number, odd: number): Reason | null {
    const start = from + 7
    let path = start
    while (path < to && !isPathStart(text.charCodeAt(path))) path++
    // A fragment never travels, and a backslash is a slash to some and not to others.
    if (odd !== 0 && isAmbiguous(text.slice(start, to), odd)) return 'request-line'
    const fault = this.#authority(text, start, path)
    if (fault !== null) return fault
    if (path === to) this.target = this.method === 'OPTIONS' ? '*' : '/'
    else {
      const written = text.slice(path, to)
      const rooted = text.charCodeAt(path) === SLASH ? written : `/${written}`
      this.target = (odd & ODD_HIGH) === 0 ? rooted : encodeHighBytes(rooted)
    }
    return null
  }

  /** `/path?query`, for a server: the host is in Host. */
  #originForm(text: string, from: number, to: number, odd: number): Reason | null {
    this.form = 'origin'
    const written = text.slice(from, to)
    // To some, two slashes begin a host.
    if (written.startsWith('//')) return 'target-form'
    if (odd !== 0 && isAmbiguous(written, odd)) return 'request-line'
    this.target = (odd & ODD_HIGH) === 0 ? written : encodeHighBytes(written)
    return null
  }

  /** About the server as a whole (RFC 9112 section 3.2.4). */
  #asteriskForm(): Reason | null {
    this.form = 'asterisk'
    this.target = '*'
    return this.method === 'OPTIONS' ? null : 'target-form'
  }

  #authority(text: string, from: number, to: number): Reason | null {
    this.written = text.slice(from, to)
    this.authority = parseAuthority(this.written)
    if (this.authority !== null) return null
    return this.written.includes('@') ? 'userinfo-forbidden' : 'host-malformed'
  }
}

/** To some, `get` is GET and the answer to `head` has no body; no method in use has small letters. */
function hasSmallLetter(bytes: Buffer, end: number): boolean {
  for (let at = 0; at < end; at++) if (bytes[at]! >= 97 && bytes[at]! <= 122) return true
  return false
}

function isPathStart(code: number): boolean {
  return code === SLASH || code === QUESTION || code === HASH
}

/** True where there is a fragment, or a backslash that is not in the query, where browsers send it raw. */
function isAmbiguous(written: string, odd: number): boolean {
  if ((odd & ODD_HASH) !== 0) return true
  if ((odd & ODD_BACKSLASH) === 0) return false
  const query = written.indexOf('?')
  return query < 0 || written.indexOf('\\') < query
}

/** Bytes beyond ASCII in a path go on as browsers send them. */
function encodeHighBytes(path: string): string {
  return path.replace(
    /[\u0080-\u00ff]/g,
    (byte) => `%${byte.charCodeAt(0).toString(16).toUpperCase()}`,
  )
}
