/**
 * Owns: reading an origin's response head, and where its body ends.
 * Never: does I/O, or passes on what does not follow HTTP: such a response is a fault.
 *
 * Source: RFC 9112 sections 4 and 6.3.
 */
import { CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING, WWW_AUTHENTICATE } from './field-names.ts'
import { scan } from './field-scan.ts'
import { type Fields, fieldsOf, keptLines, NO_NAMES, nominations } from './fields.ts'
import {
  CHUNKED,
  CLOSE,
  type Framing,
  framingOfLength,
  isChunked,
  isLengthOdd,
  lengthLine,
  lengthOf,
  NONE,
} from './framing.ts'

export interface ResponseHead {
  readonly status: number
  readonly phrase: string
  readonly minor: 0 | 1
  /** All fields as they came. Read anew at each use: not for every answer. */
  readonly fields: Fields
  /** The status line and what of the fields may go on: lines ended by CR LF, as we write them. */
  readonly lines: string
  readonly nominated: readonly string[]
  readonly framing: Framing
  /** The origin means to keep the connection open. */
  readonly keepAlive: boolean
  /** It signs in the connection, not the request (NTLM, Negotiate): the connection is this client's. */
  readonly connectionAuth: boolean
}

/** `HTTP/1.1 200`, and the blank before the phrase. */
const STATUS_END = 12
const PHRASE_START = 13

/**
 * `text` is the head in latin1, from the status line to the last field line's CR LF. `method` is the
 * request's: the answer to HEAD has no body, whatever its fields say. Null where the head is wrong.
 */
export function parseResponseHead(
  text: string,
  method: string,
  fieldsMax: number,
): ResponseHead | null {
  const head = new Response(text)
  const fits = head.read(method, fieldsMax)
  scan.clear()
  return fits ? head : null
}

class Response implements ResponseHead {
  status = 0
  phrase = ''
  lines = ''
  minor: 0 | 1 = 1
  nominated = NO_NAMES
  framing: Framing = CLOSE
  keepAlive = false
  connectionAuth = false
  readonly #text: string

  constructor(text: string) {
    this.#text = text
  }

  get fields(): Fields {
    return fieldsOf(this.#text)
  }

  read(method: string, fieldsMax: number): boolean {
    const text = this.#text
    const lineEnd = text.indexOf('\r\n')
    if (lineEnd < STATUS_END) return false
    if (!this.#statusLine(scan.load(text), lineEnd)) return false
    if (scan.find(lineEnd + 2, fieldsMax) !== null) return false
    const framing = this.#framing(method)
    if (framing === null) return false
    this.framing = framing
    this.nominated = nominations(CONNECTION, NO_NAMES)
    const names = this.nominated
    const lasting =
      names === NO_NAMES
        ? this.minor === 1
        : !names.includes('close') && (this.minor === 1 || names.includes('keep-alive'))
    this.keepAlive = lasting && framing !== CLOSE && !this.#hasDoubtfulEnd(method)
    if (scan.times(WWW_AUTHENTICATE) > 0) {
      this.connectionAuth = isConnectionAuth(scan.combined(WWW_AUTHENTICATE)!)
    }
    this.lines = this.#kept(lineEnd)
    return true
  }

  /** `HTTP/1.` 0 or 1, a blank, three digits, and where there is a phrase a blank and the phrase. */
  #statusLine(bytes: Buffer, lineEnd: number): boolean {
    if (!scan.text.startsWith('HTTP/1.')) return false
    const minor = bytes[7]! - 48
    const hundreds = bytes[9]! - 48
    const tens = bytes[10]! - 48
    const ones = bytes[11]! - 48
    if ((minor !== 0 && minor !== 1) || bytes[8] !== 32 || hundreds < 1 || hundreds > 9)
      return false
    if (tens < 0 || tens > 9 || ones < 0 || ones > 9) return false
    if (lineEnd > STATUS_END && bytes[STATUS_END] !== 32) return false
    for (let at = PHRASE_START; at < lineEnd; at++) {
      const byte = bytes[at]!
      if ((byte < 32 && byte !== 9) || byte === 127) return false
    }
    this.minor = minor
    this.status = 100 * hundreds + 10 * tens + ones
    this.phrase = scan.text.slice(PHRASE_START, Math.max(PHRASE_START, lineEnd))
    return true
  }

  #framing(method: string): Framing | null {
    const lengths = scan.times(CONTENT_LENGTH)
    const codings = scan.times(TRANSFER_ENCODING)
    // Two codings, and a coding and a length, are two framings: also of an answer that has no body.
    if (codings > 1 || (codings > 0 && lengths > 0)) return null
    const bytes = lengths > 0 ? equalLengths() : null
    if (lengths > 0 && bytes === null) return null
    const { status } = this
    if (method === 'HEAD' || forbidsLength(status) || status === 304) return NONE
    if (codings > 0) {
      return isChunked() && this.minor === 1 ? CHUNKED : null
    }
    return bytes === null ? CLOSE : framingOfLength(bytes)
  }

  /** True where there may be no body, and the origin says that there is one: what follows may be it. */
  #hasDoubtfulEnd(method: string): boolean {
    if (method !== 'HEAD' && this.status !== 304 && !forbidsLength(this.status)) return false
    const length = scan.times(CONTENT_LENGTH) > 0 ? equalLengths() : 0
    return length !== 0 || scan.times(TRANSFER_ENCODING) > 0
  }

  #kept(lineEnd: number): string {
    const canonical = this.minor === 1 && lineEnd > STATUS_END
    const line = canonical ? '' : `HTTP/1.1 ${this.status} ${this.phrase}\r\n`
    const from = canonical ? 0 : -1
    const { nominated } = this
    const skip = 1 << CONTENT_LENGTH
    if (forbidsLength(this.status)) return line + keptLines(from, nominated, skip)
    if (isLengthOdd()) return line + keptLines(from, nominated, skip) + lengthLine()
    return line + keptLines(from, nominated, 0)
  }
}

/** The length of the head's Content-Length, or of several that are one, letter for letter; or null. */
function equalLengths(): number | null {
  const last = scan.value(scan.last(CONTENT_LENGTH))
  if (scan.times(CONTENT_LENGTH) > 1) {
    for (let i = 0; i < scan.count; i++) {
      if (scan.kind(i) === CONTENT_LENGTH && scan.value(i) !== last) return null
    }
  }
  return lengthOf(scan.last(CONTENT_LENGTH))
}

/** A status that has no content may not announce a length (RFC 9110 section 8.6). */
function forbidsLength(status: number): boolean {
  return status < 200 || status === 204
}

/**
 * True where credentials, or one of the challenges in a list, are of a scheme that signs in a connection
 * (RFC 4559 and NTLM). The word in a quoted string counts too: that costs a reused connection, no more.
 */
export function isConnectionAuth(text: string): boolean {
  return /(?:^|,)[\t ]*(?:ntlm|negotiate)\b/i.test(text)
}
