/**
 * Owns: where a message body ends: by length, by chunks, or by the end of the connection.
 * Never: does I/O; bytes in, slices of content out.
 *
 * Source: RFC 9112 sections 6 and 7. Anything that two parsers could read differently is a fault.
 */
import { CONTENT_LENGTH, TRANSFER_ENCODING } from './field-names.ts'
import { scan } from './field-scan.ts'
import { type Fields, parseFields } from './fields.ts'

export type Framing =
  | { readonly kind: 'none' }
  | { readonly kind: 'length'; readonly length: number }
  | { readonly kind: 'chunked' }
  /** Of responses only: until the origin closes. */
  | { readonly kind: 'close' }

/** The longest length we count with: 2^53 - 1 bytes have fewer than 16 digits. */
const LENGTH_DIGITS_MAX = 15
/**
 * `size;name=value;name="value"`: extensions are dropped, as RFC 9112 section 7.1.1 lets us, but they must
 * be whole, and without the blanks that it calls bad: parsers have differed on where such a line ends.
 */
const SIZE_LINE =
  /^([0-9A-Fa-f]+)(?:;[\w!#$%&'*+.^`|~-]+(?:=(?:[\w!#$%&'*+.^`|~-]+|"(?:[\t !#-[\]-~\x80-\xff]|\\[\t -~\x80-\xff])*"))?)*$/
/** A chunk of 8 hex digits is 4 GiB; its line with extensions, and the trailers, are bounded too. */
const CHUNK_DIGITS_MAX = 8
const CHUNK_LINE_BYTES_MAX = 4_096
const TRAILER_BYTES_MAX = 16_384
const TRAILER_FIELDS_MAX = 64

/** No body; shared by all that have none, as the next two are. */
export const NONE: Framing = { kind: 'none' }
export const CHUNKED: Framing = { kind: 'chunked' }
export const CLOSE: Framing = { kind: 'close' }

export function framingOfLength(bytes: number): Framing {
  return bytes === 0 ? NONE : { kind: 'length', length: bytes }
}

/** A number of digits only, as Content-Length and Max-Forwards have it, or null. */
export function parseLength(value: string): number | null {
  if (value === '' || value.length > LENGTH_DIGITS_MAX) return null
  let number = 0
  for (let i = 0; i < value.length; i++) {
    const digit = value.charCodeAt(i) - 48
    if (digit < 0 || digit > 9) return null
    number = 10 * number + digit
  }
  return number
}

/** The length that the Content-Length `field` of the head gives, or null: with a tab around it, too. */
export function lengthOf(field: number): number | null {
  return scan.hasTabAround(field) ? null : parseLength(scan.value(field))
}

/**
 * True where the head's Transfer-Encoding is `chunked`, once, and nothing after it: with a tab or a blank
 * there it is another coding to some parsers (to node:http, as the differential test found).
 */
export function isChunked(): boolean {
  if (scan.times(TRANSFER_ENCODING) !== 1) return false
  const field = scan.last(TRANSFER_ENCODING)
  return scan.valueIs(field, 'chunked') && !scan.hasBlankAfter(field) && !scan.hasTabAround(field)
}

/** True where the head's Content-Length is not written as we would: several, or zeros before it. */
export function isLengthOdd(): boolean {
  const times = scan.times(CONTENT_LENGTH)
  if (times !== 1) return times > 1
  const value = scan.value(scan.last(CONTENT_LENGTH))
  return value.length > 1 && value.startsWith('0')
}

/** The head's Content-Length, as we write it. */
export function lengthLine(): string {
  return `Content-Length: ${parseLength(scan.value(scan.last(CONTENT_LENGTH)))}\r\n`
}

/** Reads one body. Give it bytes until `done` or `fault`; what it does not take is the next message. */
export interface BodyReader {
  /** Reads from `bytes` at `start`, hands content to `emit`, and returns the index it stopped at. */
  read(bytes: Buffer, start: number, emit: (content: Buffer) => void): number
  readonly done: boolean
  readonly fault: boolean
  /** After `done`, of a chunked body: its trailer fields. */
  readonly trailers: Fields
}

export function bodyReader(framing: Framing): BodyReader {
  if (framing.kind === 'chunked') return new ChunkedReader()
  if (framing.kind === 'close') return new CloseReader()
  return new LengthReader(framing.kind === 'length' ? framing.length : 0)
}

/** `used` is where reading stopped; `content` what of it is content, in one piece. */
export interface Read {
  readonly used: number
  readonly content: Buffer | null
}

/** Content that came together stays together: a chunk of one byte must not cost writes of its own. */
export function readTogether(reader: BodyReader, bytes: Buffer, start: number): Read {
  if (reader instanceof LengthReader || reader instanceof CloseReader) {
    const used = reader.take(bytes, start)
    return { used, content: used > start ? part(bytes, start, used) : null }
  }
  const parts: Buffer[] = []
  const used = reader.read(bytes, start, (content) => parts.push(content))
  return { used, content: parts.length > 1 ? Buffer.concat(parts) : (parts[0] ?? null) }
}

/** A whole buffer is handed on as it is. */
function part(bytes: Buffer, start: number, end: number): Buffer {
  return start === 0 && end === bytes.length ? bytes : bytes.subarray(start, end)
}

class LengthReader implements BodyReader {
  readonly fault = false
  readonly trailers: Fields = []
  #left: number

  constructor(length: number) {
    this.#left = length
  }

  get done(): boolean {
    return this.#left === 0
  }

  /** Where in `bytes` it stops; what stands before that is content. */
  take(bytes: Buffer, start: number): number {
    const end = Math.min(bytes.length, start + this.#left)
    this.#left -= end - start
    return end
  }

  read(bytes: Buffer, start: number, emit: (content: Buffer) => void): number {
    const end = this.take(bytes, start)
    if (end > start) emit(part(bytes, start, end))
    return end
  }
}

/** Its end is the end of the connection, which the owner of the socket sees. */
class CloseReader implements BodyReader {
  readonly done = false
  readonly fault = false
  readonly trailers: Fields = []

  take(bytes: Buffer, _start: number): number {
    return bytes.length
  }

  read(bytes: Buffer, start: number, emit: (content: Buffer) => void): number {
    if (bytes.length > start) emit(part(bytes, start, bytes.length))
    return bytes.length
  }
}

/** `line`: in a size line. `data`: in content. `crlf`: before the CR LF after it. `trailer`: after 0. */
type ChunkState = 'line' | 'data' | 'crlf' | 'trailer' | 'done' | 'fault'

class ChunkedReader implements BodyReader {
  trailers: Fields = []
  #state: ChunkState = 'line'
  #left = 0
  /** The part of a line, or of the trailers, that came with earlier bytes. */
  #held = ''

  get done(): boolean {
    return this.#state === 'done'
  }

  get fault(): boolean {
    return this.#state === 'fault'
  }

  read(bytes: Buffer, start: number, emit: (content: Buffer) => void): number {
    let at = start
    while (at < bytes.length && this.#state !== 'done' && this.#state !== 'fault') {
      if (this.#state === 'data') {
        const end = Math.min(bytes.length, at + this.#left)
        emit(bytes.subarray(at, end))
        this.#left -= end - at
        at = end
        if (this.#left === 0) this.#state = 'crlf'
      } else {
        at = this.#line(bytes, at)
      }
    }
    return at
  }

  /** Takes bytes up to and with the next LF; acts on the line when it is whole. */
  #line(bytes: Buffer, start: number): number {
    const feed = bytes.indexOf(10, start)
    const end = feed < 0 ? bytes.length : feed + 1
    this.#held += bytes.toString('latin1', start, end)
    if (this.#held.length > this.#heldBytesMax()) this.#state = 'fault'
    else if (feed >= 0) this.#whole()
    return end
  }

  #heldBytesMax(): number {
    if (this.#state === 'trailer') return TRAILER_BYTES_MAX
    return this.#state === 'crlf' ? CHUNK_END.length : CHUNK_LINE_BYTES_MAX
  }

  #whole(): void {
    const text = this.#held
    if (!text.endsWith('\r\n')) {
      this.#state = 'fault'
      return
    }
    if (this.#state === 'trailer') {
      this.#trailer(text)
      return
    }
    this.#held = ''
    // Held to two bytes, it is CR LF and nothing else.
    if (this.#state === 'crlf') this.#state = 'line'
    else this.#size(text.slice(0, -2))
  }

  #size(line: string): void {
    const match = SIZE_LINE.exec(line)
    if (match === null || match[1]!.length > CHUNK_DIGITS_MAX) {
      this.#state = 'fault'
      return
    }
    this.#left = Number.parseInt(match[1]!, 16)
    this.#state = this.#left === 0 ? 'trailer' : 'data'
  }

  #trailer(text: string): void {
    if (text !== '\r\n' && !text.endsWith('\r\n\r\n')) return
    const fields = parseFields(text.slice(0, -2), 0, TRAILER_FIELDS_MAX)
    if (typeof fields === 'string') {
      this.#state = 'fault'
      return
    }
    this.#state = 'done'
    this.trailers = fields
  }
}

/** The line that goes before a chunk of `length` bytes; CHUNK_END goes after it. */
export function chunkLine(length: number): string {
  return `${length.toString(16)}\r\n`
}

export const CHUNK_END = Buffer.from('\r\n')

/** What ends a chunked body: the last chunk and the trailer fields (each line ended by CR LF). */
export function lastChunk(trailerLines: string): string {
  return `0\r\n${trailerLines}\r\n`
}
