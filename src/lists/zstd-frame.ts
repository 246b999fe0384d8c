/**
 * Owns: where a frame of zstd ends, so that what follows is read as the next one: node:zlib stops at
 * the first, without a word of the rest.
 * Never: unpacks.
 *
 * Source: RFC 8878 section 3.1.
 */
import { ListFault } from './trouble.ts'

const MAGIC = 0xfd2fb528
const SKIPPABLE_MAGIC = 0x184d2a50
const RLE_BLOCK = 1
const CHECKSUM_BYTES = 4
/** Bytes of the dictionary's id and of the content's size, by their flags. */
const DICTIONARY_BYTES = [0, 1, 2, 4]
const CONTENT_SIZE_BYTES = [0, 2, 4, 8]

/** Follows the bytes of one frame. */
export class ZstdFrame {
  #stage: 'magic' | 'skippable' | 'descriptor' | 'block' = 'magic'
  readonly #bytes = new Uint8Array(4)
  #have = 0
  #want = 4
  #skip = 0
  #checksum = false
  #last = false
  ended = false

  /** The end of the frame in `chunk`, which is read from `at`; or the end of the chunk. */
  advance(chunk: Uint8Array, at: number): number {
    while (at < chunk.length && !this.ended) {
      if (this.#skip > 0) {
        const count = Math.min(this.#skip, chunk.length - at)
        this.#skip -= count
        at += count
        this.ended = this.#last && this.#skip === 0
      } else {
        this.#bytes[this.#have++] = chunk[at++]!
        if (this.#have === this.#want) this.#interpret()
      }
    }
    return at
  }

  #interpret(): void {
    const value = new DataView(this.#bytes.buffer).getUint32(0, true)
    this.#bytes.fill(0)
    this.#have = 0
    if (this.#stage === 'magic') this.#begin(value)
    else if (this.#stage === 'skippable') this.#endAfter(value)
    else if (this.#stage === 'descriptor') this.#describe(value)
    else this.#block(value)
  }

  #begin(magic: number): void {
    if (magic === MAGIC) this.#expect('descriptor', 1)
    else if ((magic & 0xfffffff0) >>> 0 === SKIPPABLE_MAGIC) this.#expect('skippable', 4)
    else {
      throw new ListFault(
        'something that is not zstd follows the end of the packed list',
        'Fetch or pack it again.',
      )
    }
  }

  #describe(flags: number): void {
    const single = (flags & 0x20) !== 0
    const sizeFlag = flags >>> 6
    const sizeBytes = sizeFlag === 0 && single ? 1 : CONTENT_SIZE_BYTES[sizeFlag]!
    this.#checksum = (flags & 4) !== 0
    this.#skip = (single ? 0 : 1) + DICTIONARY_BYTES[flags & 3]! + sizeBytes
    this.#expect('block', 3)
  }

  #block(header: number): void {
    const sizeBytes = ((header >>> 1) & 3) === RLE_BLOCK ? 1 : header >>> 3
    if ((header & 1) === 0) this.#skip = sizeBytes
    else this.#endAfter(sizeBytes + (this.#checksum ? CHECKSUM_BYTES : 0))
  }

  #endAfter(count: number): void {
    this.#last = true
    this.#skip = count
    this.ended = count === 0
  }

  #expect(stage: 'descriptor' | 'skippable' | 'block', count: number): void {
    this.#stage = stage
    this.#want = count
  }
}
