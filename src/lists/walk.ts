/**
 * Owns: going through all names of an image, for whoever compares or counts them.
 * Never: looks one up; lookup.ts does.
 */
import {
  BUCKET_END,
  endingBytes,
  type ImageView,
  NAME_BYTES_MAX,
  NODE_ENDING_BYTE,
  NODE_NAME_BYTE,
  nodeEnd,
  WORD_BYTES,
} from './layout.ts'

export interface Visitor {
  /** The name is in bytes 0 to `length` until the next call; `node` is its offset in the arena. */
  readonly visit: (name: Uint8Array, length: number, node: number) => void
  /** Told now and then: buckets gone through, of all. */
  readonly onProgress?: (done: number, total: number) => void
}

/** Buckets between two words of progress. */
const PROGRESS_BUCKETS = 65_536

/** Every node, listed or there for its children, in the order of the image. */
export function forEachName(image: ImageView, { visit, onProgress }: Visitor): void {
  const { arena, buckets } = image
  const name = new Uint8Array(NAME_BYTES_MAX)
  for (let bucket = 0; bucket < buckets.length; bucket++) {
    for (let node = buckets[bucket]!; arena[node]! > BUCKET_END; node = nodeEnd(image, node)) {
      visit(name, readName(image, node, name), node)
    }
    if (bucket % PROGRESS_BUCKETS === 0) onProgress?.(bucket, buckets.length)
  }
}

/** Sets `name` to the name of the node, and gives its length. */
function readName({ arena, endings }: ImageView, node: number, name: Uint8Array): number {
  const length = arena[node]!
  const ending = arena[node + NODE_ENDING_BYTE]!
  const ownLength = length - endingBytes(ending)
  for (let i = 0; i < ownLength; i++) name[i] = arena[node + NODE_NAME_BYTE + i]!
  if (ownLength < length) {
    for (let i = 0; i < WORD_BYTES; i++) name[ownLength + i] = endings[ending]! >>> (i * 8)
  }
  return length
}
