/**
 * Owns: the question of every request: what do the lists say of this host? Exact: a host matches
 * where it or a parent of it is listed, byte for byte.
 * Never: allocates, waits, does I/O or changes the image. Any number of threads may ask the same
 * image, each with a Lookup of its own.
 *
 * The walk goes from the right end over label boundaries and stops at the first suffix of two
 * labels or more that is neither listed nor a parent of a listed name. For most hosts that is the
 * registrable name, and one word of the filter tells.
 */
import type { Labels } from '../policy/policy.ts'
import {
  BUCKET_END,
  bucketOf,
  DOT,
  FLAG_NEVER_BLOCK,
  filterBits,
  HASH_SEED,
  HEADER,
  hashName,
  hashStep,
  IMAGE_FAULTS,
  type ImageView,
  isDigit,
  isLiteral,
  MASK_BACKGROUND,
  MASK_CATEGORIES,
  MASK_FLAGS,
  MASK_PLATFORMS,
  MASK_WORDS,
  mix,
  NAME_BYTES_MAX,
  NODE_CHILD_BIT,
  NODE_MASK_BITS,
  NODE_MASK_BYTE,
  NODE_NAME_BYTE,
  openImage,
} from './layout.ts'

const ASCII_MAX = 0x7f

export class Lookup {
  readonly #image: ImageView
  readonly #filter: Int32Array
  readonly #hasOneLabelNames: boolean
  /** The host of `match`, once the filter has not ruled it out. */
  readonly #scratch = new Uint8Array(NAME_BYTES_MAX)

  /**
   * Throws where the buffer is not an image or not whole: the cheap check, no byte of a list is
   * read.
   */
  constructor(buffer: SharedArrayBuffer) {
    const image = openImage(buffer)
    if (typeof image === 'string') throw new Error(`${IMAGE_FAULTS[image]} (${image})`)
    this.#image = image
    this.#filter = image.filter
    this.#hasOneLabelNames = image.header[HEADER.oneLabelNames] !== 0
  }

  /**
   * Sets `into` to all labels of `host` and its listed parents together; true where there are any.
   * `host` is in normal form (policy/host.ts); another spelling is another host.
   */
  match(host: string, into: Labels): boolean {
    clear(into)
    const length = host.length
    if (length === 0 || length > NAME_BYTES_MAX) return false
    // The same walk as in matchBytes, on the string: most hosts end here and are never copied.
    let hash = HASH_SEED
    let at = length
    let char = 0
    while (at > 0) {
      char = host.charCodeAt(at - 1)
      if (char === DOT) break
      hash = hashStep(hash, char)
      at--
    }
    if (at === 0 || this.#hasOneLabelNames || isDigit(host.charCodeAt(at))) {
      return this.#copy(host) && this.#matchUnusual(this.#scratch, 0, length, into)
    }
    do {
      hash = hashStep(hash, char)
      at--
      if (at === 0) break
      char = host.charCodeAt(at - 1)
    } while (char !== DOT)
    if (!mayBeNode(this.#filter, mix(hash))) return false
    return this.#copy(host) && this.#descend(this.#scratch, 0, length, at, hash, into)
  }

  /** The same for the host whose text is bytes `start` to `end`. */
  matchBytes(bytes: Uint8Array, start: number, end: number, into: Labels): boolean {
    clear(into)
    if (end <= start || end - start > NAME_BYTES_MAX) return false
    let hash = HASH_SEED
    let at = end
    let byte = 0
    while (at > start) {
      byte = bytes[at - 1]!
      if (byte === DOT) break
      hash = hashStep(hash, byte)
      at--
    }
    if (at === start || this.#hasOneLabelNames || isDigit(bytes[at]!)) {
      return this.#matchUnusual(bytes, start, end, into)
    }
    do {
      hash = hashStep(hash, byte)
      at--
      if (at === start) break
      byte = bytes[at - 1]!
    } while (byte !== DOT)
    if (!mayBeNode(this.#filter, mix(hash))) return false
    return this.#descend(bytes, start, end, at, hash, into)
  }

  /** One label, an IP literal, or any host where top-level domains are listed. */
  #matchUnusual(bytes: Uint8Array, start: number, end: number, into: Labels): boolean {
    const top = labelStart(bytes, start, end)
    if (top === start || isLiteral(bytes, start, end)) {
      return this.#matchSuffix(bytes, start, end, into)
    }
    const found = this.#hasOneLabelNames && this.#matchSuffix(bytes, top, end, into)
    const at = labelStart(bytes, start, top - 1)
    return this.#descend(bytes, start, end, at, hashName(bytes, at, end), into) || found
  }

  /** That one suffix and nothing above or below it. */
  #matchSuffix(bytes: Uint8Array, start: number, end: number, into: Labels): boolean {
    const node = findNode(this.#image, bytes, start, end, mix(hashName(bytes, start, end)))
    return node !== 0 && addMask(this.#image, maskOf(this.#image, node) & NODE_MASK_BITS, into)
  }

  /** From the suffix that begins at `from` and hashes to `fromHash`, down to the whole host. */
  #descend(
    bytes: Uint8Array,
    start: number,
    end: number,
    from: number,
    fromHash: number,
    into: Labels,
  ): boolean {
    let at = from
    let hash = fromHash
    let found = false
    for (;;) {
      const node = findNode(this.#image, bytes, at, end, mix(hash))
      if (node === 0) return found
      const mask = maskOf(this.#image, node)
      if (addMask(this.#image, mask & NODE_MASK_BITS, into)) found = true
      if ((mask & NODE_CHILD_BIT) === 0 || at === start) return found
      do {
        at--
        hash = hashStep(hash, bytes[at]!)
      } while (at > start && bytes[at - 1] !== DOT)
    }
  }

  /** False where the host holds what no normalised host does. */
  #copy(host: string): boolean {
    const scratch = this.#scratch
    for (let i = 0; i < host.length; i++) {
      const char = host.charCodeAt(i)
      if (char > ASCII_MAX) return false
      scratch[i] = char
    }
    return true
  }
}

/**
 * The node of the name in bytes `start` to `end`, whose mixed hash is given; 0 where there is
 * none.
 */
export function findNode(
  image: ImageView,
  bytes: Uint8Array,
  start: number,
  end: number,
  mixed: number,
): number {
  const { filter, arena } = image
  if (!mayBeNode(filter, mixed)) return 0
  let node = image.buckets[bucketOf(mixed, filter.length)]!
  let length = arena[node]!
  while (length > BUCKET_END) {
    if (length === end - start && isNamed(arena, node, bytes, start, end)) return node
    node += NODE_NAME_BYTE + length
    length = arena[node]!
  }
  return 0
}

/** The node's mask id and child bit. */
export function maskOf(image: ImageView, node: number): number {
  return image.arena[node + NODE_MASK_BYTE]! | (image.arena[node + NODE_MASK_BYTE + 1]! << 8)
}

function mayBeNode(filter: Int32Array, mixed: number): boolean {
  const bits = filterBits(mixed)
  return (filter[bucketOf(mixed, filter.length)]! & bits) === bits
}

/** Where the label begins that ends before `end`. */
function labelStart(bytes: Uint8Array, start: number, end: number): number {
  let at = end
  while (at > start && bytes[at - 1] !== DOT) at--
  return at
}

/** True where the node, of the same length, has that very name. */
function isNamed(
  arena: Uint8Array,
  node: number,
  bytes: Uint8Array,
  start: number,
  end: number,
): boolean {
  let at = node + NODE_NAME_BYTE
  for (let i = start; i < end; i++) if (arena[at++] !== bytes[i]) return false
  return true
}

/** Adds the labels of mask `id`; false for the empty mask. */
function addMask(image: ImageView, id: number, into: Labels): boolean {
  if (id === 0) return false
  const { masks } = image
  const at = id * MASK_WORDS
  into.categories |= masks[at + MASK_CATEGORIES]!
  into.platforms |= masks[at + MASK_PLATFORMS]!
  into.background |= masks[at + MASK_BACKGROUND]!
  if ((masks[at + MASK_FLAGS]! & FLAG_NEVER_BLOCK) !== 0) into.neverBlock = true
  return true
}

function clear(labels: Labels): void {
  labels.categories = 0
  labels.platforms = 0
  labels.background = 0
  labels.neverBlock = false
}
