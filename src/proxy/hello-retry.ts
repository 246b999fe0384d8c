/**
 * Owns: what passes between a client's hello and the end of what may be said in the clear: whether the
 * origin asks for a second hello, and where that begins.
 * Never: reads a hello (hello.ts does), or holds, delays or keeps a byte.
 *
 * Source: RFC 8446 sections 4.1.3 and 4.1.4 (HelloRetryRequest), 4.2.10 (early data), 5.1 (records), D.4.
 */

const RECORD_HEADER_BYTES = 5
/** Types of records: change_cipher_spec to heartbeat. */
const RECORD_FIRST = 0x14
const RECORD_HANDSHAKE = 0x16
const RECORD_LAST = 0x18
const MAJOR_VERSION = 3
/** RFC 8446 section 5.2: the most that an encrypted record may hold. */
const RECORD_BYTES_MAX = 16_384 + 256

/**
 * The beginning of a record whose message is a HelloRetryRequest: a ServerHello with the SHA-256 of
 * "HelloRetryRequest" for its random. -1: any byte.
 */
const RETRY: readonly number[] = [
  ...[RECORD_HANDSHAKE, MAJOR_VERSION, -1, -1, -1],
  ...[2, -1, -1, -1, 3, 3],
  ...Buffer.from('cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c', 'hex'),
]

/** `other`: the origin has answered, or said anything else: there will be no second hello. */
export type OriginState = 'more' | 'retry' | 'other'

export class HelloRetry {
  /** Bytes of the origin that are those of RETRY. */
  #matched = 0
  /** Of the client's record under way: bytes of its header that have come, and of its content that have not. */
  #headerBytes = 0
  #length = 0
  #left = 0

  /** What the origin says after the first hello, in any segments. After `retry` it stays with that. */
  hear(bytes: Buffer): OriginState {
    for (let i = 0; i < bytes.length && this.#matched < RETRY.length; i++) {
      const wanted = RETRY[this.#matched]!
      if (wanted >= 0 && bytes[i] !== wanted) return 'other'
      this.#matched++
    }
    return this.#matched < RETRY.length ? 'more' : 'retry'
  }

  /**
   * Where in what the client says after its first hello, from `start`, a handshake record begins;
   * `bytes.length` where none does, -1 at what is no record of TLS. Before it come only a
   * change_cipher_spec, early data, or an alert. It may come before the origin has asked for it.
   */
  find(bytes: Buffer, start: number): number {
    let at = start
    while (at < bytes.length) {
      if (this.#left > 0) {
        const skipped = Math.min(this.#left, bytes.length - at)
        this.#left -= skipped
        at += skipped
      } else if (this.#headerBytes === 0 && bytes[at] === RECORD_HANDSHAKE) return at
      else if (!this.#takeHeader(bytes[at++]!)) return -1
    }
    return at
  }

  /** False at a byte that no record has there. */
  #takeHeader(byte: number): boolean {
    const place = this.#headerBytes++
    if (place === 0) return byte >= RECORD_FIRST && byte <= RECORD_LAST
    if (place === 1) return byte === MAJOR_VERSION
    if (place < RECORD_HEADER_BYTES - 1) {
      this.#length = byte << 8
      return true
    }
    this.#left = this.#length | byte
    this.#headerBytes = 0
    return this.#left <= RECORD_BYTES_MAX
  }
}
