/**
 * Owns: taking a list out of gzip or zstd, as its first bytes say that it is packed.
 * Never: goes by a name, or gives a part of what is damaged without saying so.
 */
import { pipeline, Readable, type Transform } from 'node:stream'
import { createGunzip, createZstdDecompress } from 'node:zlib'
import { begin, type Chunks } from './chunks.ts'
import { ListFault } from './trouble.ts'
import { ZstdFrame } from './zstd-frame.ts'

/** Unpacked at a time. */
const UNPACKED_BYTES = 256 * 1_024

type Packing = 'gzip' | 'zstd' | 'zip' | 'bzip2' | 'xz' | '7z'

/** The first bytes of each packing, in hex. */
const PACKINGS: readonly (readonly [RegExp, Packing])[] = [
  [/^1f8b/, 'gzip'],
  [/^(?:28b52ffd|5.2a4d18)/, 'zstd'],
  [/^504b0304/, 'zip'],
  [/^425a683[1-9]/, 'bzip2'],
  [/^fd377a585a00/, 'xz'],
  [/^377abcaf271c/, '7z'],
]
const MAGIC_BYTES = 6

/** How what begins so is packed; null where it is not. */
function packingOf(head: Uint8Array): Packing | null {
  const hex = Buffer.from(head.subarray(0, MAGIC_BYTES)).toString('hex')
  return PACKINGS.find(([magic]) => magic.test(hex))?.[1] ?? null
}

/** The content of what may be packed once. Throws ListFault where it is damaged or cannot be read. */
export async function* unpacked(packed: Chunks): AsyncGenerator<Uint8Array> {
  const outer = await begin(packed, MAGIC_BYTES)
  const packing = packingOf(outer.head)
  if (packing === null) {
    yield* outer.all
    return
  }
  const inner = await begin(contentOf(packing, outer.all), MAGIC_BYTES)
  if (packingOf(inner.head) !== null) throw unreadable('packed twice')
  yield* inner.all
}

async function* contentOf(packing: Packing, packed: Chunks): AsyncGenerator<Uint8Array> {
  if (packing !== 'gzip' && packing !== 'zstd') throw unreadable(`packed with ${packing}`)
  try {
    if (packing === 'gzip') yield* through(packed, createGunzip({ chunkSize: UNPACKED_BYTES }))
    else yield* unzstd(packed)
  } catch (error) {
    throw isUnpackError(error) ? damaged(packing, error.code) : error
  }
}

/** Each frame of zstd by itself: there may be several, as packers that use many threads make. */
async function* unzstd(packed: Chunks): AsyncGenerator<Uint8Array> {
  const iterator = packed[Symbol.asyncIterator]()
  let chunk: Uint8Array = new Uint8Array()
  let at = 0
  /** False where there is no more. */
  async function filled(): Promise<boolean> {
    while (at === chunk.length) {
      const { value, done } = await iterator.next()
      if (done) return false
      chunk = value
      at = 0
    }
    return true
  }
  async function* bytesOf(frame: ZstdFrame): AsyncGenerator<Uint8Array> {
    while (!frame.ended && (await filled())) {
      const start = at
      at = frame.advance(chunk, start)
      yield chunk.subarray(start, at)
    }
  }
  while (await filled()) {
    const frame = new ZstdFrame()
    yield* through(bytesOf(frame), createZstdDecompress({ chunkSize: UNPACKED_BYTES }))
    if (!frame.ended) throw damaged('zstd', CUT_SHORT)
  }
}

/** What comes out of `transform`; an error of either side is thrown here. */
async function* through(chunks: Chunks, transform: Transform): AsyncGenerator<Uint8Array> {
  // The iteration below tells the error, and its end destroys both.
  pipeline(Readable.from(chunks), transform, () => {})
  yield* transform as AsyncIterable<Uint8Array>
}

const CUT_SHORT = 'Z_BUF_ERROR'

function isUnpackError(error: unknown): error is Error & { code: string } {
  return error instanceof Error && 'code' in error && /^Z(?:STD)?_/.test(String(error.code))
}

function damaged(packing: Packing, code: string): ListFault {
  const how = code === CUT_SHORT ? 'is cut short' : `is damaged (${code})`
  return new ListFault(`the ${packing} packing ${how}`, 'Fetch or copy the list again.')
}

function unreadable(how: string): ListFault {
  return new ListFault(`the list is ${how}`, 'Unpack it, or pack it once with gzip or zstd.')
}
