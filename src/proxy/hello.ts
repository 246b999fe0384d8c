/**
 * Owns: the first bytes from the client of a tunnel: whether they are a TLS ClientHello, and the server name
 * in it. No I/O: the caller passes the bytes on, or holds them, as it likes.
 * Never: judges (policy/hello.ts does), keeps a reference to the bytes it is given, or looks behind the hello:
 * one that answers a HelloRetryRequest has a reader of its own (hello-retry.ts says where it begins).
 *
 * Source: RFC 8446 sections 4.1.2, 4.2 and 5.1; RFC 6066 section 3; RFC 9849 section 5 (ECH).
 */
import type { Hello } from '../policy/index.ts'

/** `more`: what has come does not decide it yet. */
export type HelloState = Hello | 'more'

/**
 * The most bytes that are read for a hello, the headers of its records among them; what is longer is
 * `incomplete`. Browsers send 500 to 1,900, a long post-quantum key share and padding some thousands.
 */
export const HELLO_BYTES_MAX = 65_536

const RECORD_HEADER_BYTES = 5
/** RFC 8446 section 5.1: the most that a record in the clear may hold. */
const RECORD_BYTES_MAX = 16_384
const MESSAGE_HEADER_BYTES = 4
/** Types of records: change_cipher_spec to heartbeat. */
const RECORD_FIRST = 0x14
const RECORD_HANDSHAKE = 0x16
const RECORD_LAST = 0x18
const MAJOR_VERSION = 3
const MESSAGE_CLIENT_HELLO = 1
/** legacy_version and random. */
const FIXED_BYTES = 34
const SESSION_ID_BYTES_MAX = 32
const EXTENSION_SERVER_NAME = 0
const EXTENSION_ECH = 0xfe0d
const ECH_OUTER = 0
const NAME_TYPE_HOST = 0
/** What a hello in several parts is gathered in at first; it grows as bytes come, not as they are promised. */
const GATHER_BYTES = 2_048

const NOT_TLS: Hello = { kind: 'not-tls' }
const MALFORMED: Hello = { kind: 'malformed' }
const INCOMPLETE: Hello = { kind: 'incomplete' }
const NAMELESS: Hello = { kind: 'tls', serverName: null, encrypted: false }

/**
 * Reads the first bytes of one tunnel, in any segments. What is the common case, a hello that is one record
 * in one segment, is read where it lies.
 */
export class HelloReader {
  /** Bytes read so far. */
  #bytes = 0
  /** How many bytes of the last segment are of the hello, once it is `tls`. */
  used = 0
  /** Bytes of the current record's header that have come, and of its content that have not. */
  #headerBytes = 0
  #headerLength = 0
  #recordLeft = 0
  /** The type of the current record, as far as it matters. */
  #isHandshake = true
  /** The message, its header first, from as many records as it lies in. */
  #message: Buffer | null = null
  #messageBytes = 0
  /** How long the message is, its header included; until that is known, the header alone. */
  #messageNeed = MESSAGE_HEADER_BYTES
  #needKnown = false

  /**
   * Takes the next bytes, and says at the first byte that decides what they are. Not to be called again
   * after anything but `more`. The structure of a hello is looked into once it is whole.
   */
  push(bytes: Buffer): HelloState {
    if (this.#bytes === 0) {
      if (bytes.length === 0) return 'more'
      if (bytes[0]! < RECORD_FIRST || bytes[0]! > RECORD_LAST) return NOT_TLS
      if (bytes[0] === RECORD_HANDSHAKE && isWhole(bytes)) {
        this.used = messageEnd(bytes)
        return readHello(bytes, RECORD_HEADER_BYTES, this.used)
      }
    }
    return this.#gather(bytes)
  }

  /**
   * The client has ended, has taken too long, or the origin has spoken before the hello was whole, which no
   * TLS server does. Null: not a byte had come.
   */
  end(): Hello | null {
    this.#message = null
    return this.#bytes === 0 ? null : INCOMPLETE
  }

  #gather(bytes: Buffer): HelloState {
    let at = 0
    while (at < bytes.length) {
      const before = at
      let state: HelloState
      if (this.#recordLeft === 0) state = this.#takeHeader(bytes[at++]!)
      else {
        const wanted = Math.min(this.#recordLeft, this.#messageNeed - this.#messageBytes)
        const room = HELLO_BYTES_MAX - this.#bytes
        const end = at + Math.min(wanted, room, bytes.length - at)
        state = this.#takeContent(bytes, at, end)
        at = end
      }
      this.#bytes += at - before
      if (state === 'more' && this.#bytes >= HELLO_BYTES_MAX) state = INCOMPLETE
      if (state !== 'more') {
        this.#message = null
        this.used = at
        return state
      }
    }
    return 'more'
  }

  /** One byte of a record's header: type, version (the minor one means nothing), length. */
  #takeHeader(byte: number): HelloState {
    const place = this.#headerBytes++
    const isFirst = this.#bytes <= 1
    if (place === 0) {
      this.#isHandshake = byte === RECORD_HANDSHAKE
      // Nothing may come between the parts of a message (RFC 8446 section 5.1).
      return this.#isHandshake || isFirst ? 'more' : MALFORMED
    }
    if (place === 1) {
      // Other protocols may begin with the type of a record, but not go on with its version.
      if (byte !== MAJOR_VERSION) return isFirst ? NOT_TLS : MALFORMED
      return this.#isHandshake ? 'more' : MALFORMED
    }
    if (place === 2) return 'more'
    if (place === 3) {
      this.#headerLength = byte << 8
      return byte << 8 > RECORD_BYTES_MAX ? MALFORMED : 'more'
    }
    const length = this.#headerLength | byte
    // A handshake record that holds nothing may not be sent.
    if (length === 0 || length > RECORD_BYTES_MAX) return MALFORMED
    if (this.#overflows(length)) return MALFORMED
    this.#headerBytes = 0
    this.#recordLeft = length
    return 'more'
  }

  /** `bytes` from `at` to `end` are of the current record and of the message. */
  #takeContent(bytes: Buffer, at: number, end: number): HelloState {
    const message = this.#messageWithRoom(end - at)
    bytes.copy(message, this.#messageBytes, at, end)
    this.#messageBytes += end - at
    this.#recordLeft -= end - at
    if (message[0] !== MESSAGE_CLIENT_HELLO) return MALFORMED
    if (this.#messageBytes > 1 && message[1] !== 0) return INCOMPLETE
    if (this.#messageBytes < MESSAGE_HEADER_BYTES) return 'more'
    if (!this.#needKnown) {
      const need = MESSAGE_HEADER_BYTES + two(message, 2)
      if (need + RECORD_HEADER_BYTES > HELLO_BYTES_MAX) return INCOMPLETE
      this.#messageNeed = need
      this.#needKnown = true
      if (this.#overflows(this.#recordLeft)) return MALFORMED
    }
    return this.#messageBytes < this.#messageNeed
      ? 'more'
      : readHello(message, 0, this.#messageNeed)
  }

  /** After a ClientHello the client waits: a record that holds more than the rest of it is not TLS. */
  #overflows(recordLeft: number): boolean {
    return this.#needKnown && this.#messageBytes + recordLeft > this.#messageNeed
  }

  #messageWithRoom(bytes: number): Buffer {
    const message = this.#message
    const need = this.#messageBytes + bytes
    if (message !== null && message.length >= need) return message
    const grown = Buffer.allocUnsafe(Math.min(Math.max(GATHER_BYTES, 2 * need), HELLO_BYTES_MAX))
    message?.copy(grown, 0, 0, this.#messageBytes)
    this.#message = grown
    return grown
  }
}

const two = (bytes: Buffer, at: number) => (bytes[at]! << 8) | bytes[at + 1]!

const messageEnd = (bytes: Buffer) => RECORD_HEADER_BYTES + two(bytes, 3)

/** True where `bytes` begin with a well-formed record that is all there and is one ClientHello. */
function isWhole(bytes: Buffer): boolean {
  if (bytes.length < RECORD_HEADER_BYTES + MESSAGE_HEADER_BYTES) return false
  const length = two(bytes, 3)
  return (
    bytes[1] === MAJOR_VERSION &&
    length <= RECORD_BYTES_MAX &&
    bytes.length >= RECORD_HEADER_BYTES + length &&
    bytes[5] === MESSAGE_CLIENT_HELLO &&
    bytes[6] === 0 &&
    two(bytes, 7) === length - MESSAGE_HEADER_BYTES
  )
}

/** The ClientHello message that `bytes` hold from `start`, its header, to `end`. */
function readHello(bytes: Buffer, start: number, end: number): Hello {
  let at = start + MESSAGE_HEADER_BYTES + FIXED_BYTES
  if (at >= end) return MALFORMED
  const sessionIdBytes = bytes[at]!
  if (sessionIdBytes > SESSION_ID_BYTES_MAX) return MALFORMED
  at += 1 + sessionIdBytes
  if (at + 2 > end) return MALFORMED
  const cipherBytes = two(bytes, at)
  if (cipherBytes === 0 || cipherBytes % 2 !== 0) return MALFORMED
  at += 2 + cipherBytes
  if (at >= end || bytes[at] === 0) return MALFORMED
  at += 1 + bytes[at]!
  // Before TLS 1.3 a hello may have no extensions at all.
  if (at === end) return NAMELESS
  if (at + 2 > end || at + 2 + two(bytes, at) !== end) return MALFORMED
  return readExtensions(bytes, at + 2, end)
}

/** An extension we read that stands there twice is malformed; any other twice is the server's to refuse. */
function readExtensions(bytes: Buffer, start: number, end: number): Hello {
  let serverName: string | null | undefined
  let encrypted: boolean | undefined
  for (let at = start; at < end; ) {
    if (at + 4 > end) return MALFORMED
    const type = two(bytes, at)
    const content = at + 4
    at = content + two(bytes, at + 2)
    if (at > end) return MALFORMED
    if (type === EXTENSION_SERVER_NAME) {
      if (serverName !== undefined) return MALFORMED
      serverName = readServerName(bytes, content, at)
      if (serverName === undefined) return MALFORMED
    } else if (type === EXTENSION_ECH) {
      if (encrypted !== undefined) return MALFORMED
      encrypted = at > content && bytes[content] === ECH_OUTER
    }
  }
  return { kind: 'tls', serverName: serverName ?? null, encrypted: encrypted ?? false }
}

/**
 * The host_name of a ServerNameList; null where it has only names of other types, undefined where it is
 * malformed: empty, with lengths that lie, an empty name, or two host names.
 */
function readServerName(bytes: Buffer, start: number, end: number): string | null | undefined {
  if (start + 2 > end || start + 2 + two(bytes, start) !== end) return undefined
  let at = start + 2
  if (at === end) return undefined
  let name: string | null = null
  while (at < end) {
    if (at + 3 > end) return undefined
    const type = bytes[at]!
    const content = at + 3
    at = content + two(bytes, at + 1)
    if (at > end || at === content) return undefined
    if (type !== NAME_TYPE_HOST) continue
    if (name !== null) return undefined
    name = bytes.toString('utf8', content, at)
  }
  return name
}
