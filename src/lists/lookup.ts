/**
 * Owns: the question of every request: what do the lists say of this host? Exact: a host matches
 * where it or a parent of it is listed, byte for byte.
 * Never: allocates, waits, does I/O or changes the image. Any number of threads may ask the same
 * image, each with a Lookup of its own.
 *
 * The walk goes from the right end over label boundaries and stops at the first suffix of two
 * labels or more that is neither listed nor a parent of a listed name. For most hosts that is the
 * registrable name, and one word of the filter tells. At each node what is listed is added, and then
 * what is excepted is taken away: the more specific name has the last word.
 *
 * Four characters are read at a time, and dots found among them together: a jump that the processor
 * guesses wrong costs as much as reading the whole host.
 */
import { embeddedIpv4 } from '../policy/address.ts'
import type { Labels } from '../policy/policy.ts'
import { IPV4_BYTES_MAX, readAddress, writeIpv4 } from './address-bytes.ts'
import {
  ADDRESS_WORDS,
  BUCKET_END,
  bucketOf,
  bucketShift,
  DOT,
  dotsIn,
  endingBytes,
  FLAG_NEVER_BLOCK,
  filterBits,
  HASH_BEFORE,
  HASH_SEED,
  HEADER,
  hashStep,
  hashWords,
  IMAGE_FAULTS,
  type ImageView,
  INTERVAL_MASK,
  INTERVAL_WORDS,
  isDigit,
  isLiteral,
  MASK_BACKGROUND,
  MASK_CATEGORIES,
  MASK_EXCEPTED_CATEGORIES,
  MASK_EXCEPTED_PLATFORMS,
  MASK_FLAGS,
  MASK_PLATFORMS,
  MASK_WORDS,
  maskOf,
  mix,
  NAME_BYTES_MAX,
  NAME_WORDS_MAX,
  NODE_CHILD_BIT,
  NODE_ENDING_BYTE,
  NODE_MASK_BITS,
  NODE_NAME_BYTE,
  openImage,
  readWords,
  restMask,
  WORD_BYTES,
  wordAt,
} from './layout.ts'

const ASCII_MAX = 0x7f
/** Turned in each word, so that unsigned addresses compare as signed words. */
const SIGN = 0x8000_0000 | 0

export class Lookup {
  readonly #image: ImageView
  readonly #filter: Int32Array
  readonly #shift: number
  readonly #hasOneLabelNames: boolean
  /** The host that is asked for, as layout.ts readWords has it. */
  readonly #words = new Int32Array(NAME_WORDS_MAX)
  /** The host of `match`, where the usual walk does not do. */
  readonly #scratch = new Uint8Array(NAME_BYTES_MAX)
  readonly #address = new Int32Array(ADDRESS_WORDS)
  /** The IPv4 address inside of another. */
  readonly #embedded = new Uint8Array(IPV4_BYTES_MAX)

  /**
   * Throws where the buffer is not an image or not whole: the cheap check, no byte of a list is
   * read.
   */
  constructor(buffer: SharedArrayBuffer) {
    const image = openImage(buffer)
    if (typeof image === 'string') throw new Error(`${IMAGE_FAULTS[image]} (${image})`)
    this.#image = image
    this.#filter = image.filter
    this.#shift = bucketShift(image.filter.length)
    this.#hasOneLabelNames = image.header[HEADER.oneLabelNames] !== 0
  }

  /**
   * Sets `into` to what the lists say of `host`: all labels of it and its listed parents together,
   * less the exceptions; true where any is left. `host` is in normal form (policy/host.ts); another
   * spelling is another host.
   */
  match(host: string, into: Labels): boolean {
    clear(into)
    const length = host.length
    if (length < WORD_BYTES || isDigit(host.charCodeAt(length - 1))) {
      return this.#matchOddText(host, into)
    }
    if (length > NAME_BYTES_MAX) return false
    const words = this.#words
    let hash = HASH_BEFORE
    let at = length
    let word = 0
    let dots = 0
    let count = -1
    let chars = 0
    let isTop = true
    for (;;) {
      while (dots === 0) {
        hash = hashStep(hash, word)
        at -= WORD_BYTES
        const from = at < 0 ? 0 : at
        const a = host.charCodeAt(from)
        const b = host.charCodeAt(from + 1)
        const c = host.charCodeAt(from + 2)
        const d = host.charCodeAt(from + 3)
        chars |= a | b | c | d
        word = a | (b << 8) | (c << 16) | (d << 24)
        dots = dotsIn(word)
        if (at < 0) {
          word = withoutLast(word, -at)
          dots = dotsIn(word) | dotBefore(-at)
        }
        words[++count] = word
      }
      const left = Math.clz32(dots) >>> 3
      const size = count * WORD_BYTES + left
      dots = withoutHighest(dots)
      if (isTop) {
        if (size === length) return this.#matchOddText(host, into)
        isTop = false
        if (this.#hasOneLabelNames && chars <= ASCII_MAX) this.#matchHashed(size, into)
        continue
      }
      const mixed = mix(hash, word & restMask(left))
      if (!mayBeNode(this.#filter, this.#shift, mixed) || chars > ASCII_MAX) return hasAny(into)
      const mask = this.#matchSuffix(size, mixed, into)
      if ((mask & NODE_CHILD_BIT) === 0 || size === length) return hasAny(into)
    }
  }

  /** The same for the host whose text is bytes `start` to `end`. */
  matchBytes(bytes: Uint8Array, start: number, end: number, into: Labels): boolean {
    clear(into)
    const length = end - start
    if (length < WORD_BYTES || isDigit(bytes[end - 1]!)) {
      return this.#matchOdd(bytes, start, end, into)
    }
    if (length > NAME_BYTES_MAX) return false
    let hash = HASH_SEED
    let at = end - WORD_BYTES
    let word = wordAt(bytes, at)
    let dots = dotsIn(word)
    while (dots === 0 && at > start) {
      hash = hashStep(hash, word)
      at -= WORD_BYTES
      word = at < start ? withoutLast(wordAt(bytes, start), start - at) : wordAt(bytes, at)
      dots = dotsIn(word)
    }
    if (dots === 0) return this.#matchOdd(bytes, start, end, into)
    if (this.#hasOneLabelNames) {
      readWords(bytes, start, end, this.#words)
      this.#matchHashed(end - at - WORD_BYTES + (Math.clz32(dots) >>> 3), into)
    }
    dots = withoutHighest(dots)
    while (dots === 0 && at >= start) {
      hash = hashStep(hash, word)
      at -= WORD_BYTES
      word = at < start ? withoutLast(wordAt(bytes, start), start - at) : wordAt(bytes, at)
      dots = dotsIn(word)
    }
    if (at < start) dots |= dotBefore(start - at)
    const left = Math.clz32(dots) >>> 3
    const mixed = mix(hash, word & restMask(left))
    if (!mayBeNode(this.#filter, this.#shift, mixed)) return hasAny(into)
    // Here the bytes lie ready, so that only the few hosts that come so far are read again.
    readWords(bytes, start, end, this.#words)
    const mask = this.#matchSuffix(end - at - WORD_BYTES + left, mixed, into)
    const first = at + WORD_BYTES - left
    if ((mask & NODE_CHILD_BIT) === 0 || first === start) return hasAny(into)
    return this.#descend(bytes, start, end, first, into)
  }

  /** False where the host holds what no normalised host does. */
  #matchOddText(host: string, into: Labels): boolean {
    const scratch = this.#scratch
    const { length } = host
    if (length > NAME_BYTES_MAX) return false
    for (let i = 0; i < length; i++) {
      const char = host.charCodeAt(i)
      if (char > ASCII_MAX) return false
      scratch[i] = char
    }
    return this.#matchOdd(scratch, 0, length, into)
  }

  /** Any host: also a short one, one label, or an IP literal. */
  #matchOdd(bytes: Uint8Array, start: number, end: number, into: Labels): boolean {
    const length = end - start
    if (length <= 0 || length > NAME_BYTES_MAX) return false
    if (isLiteral(bytes, start, end)) {
      this.#matchLiteral(bytes, start, end, into)
      return hasAny(into)
    }
    readWords(bytes, start, end, this.#words)
    const top = labelStart(bytes, start, end)
    this.#matchHashed(end - top, into)
    return this.#descend(bytes, start, end, top, into)
  }

  /** Its networks, then itself; before either what is said of an IPv4 address inside of it. */
  #matchLiteral(bytes: Uint8Array, start: number, end: number, into: Labels): void {
    const image = this.#image
    const address = this.#address
    if (readAddress(bytes, start, end, address)) {
      const inner = embeddedIpv4(address[0]!, address[1]!, address[2]!, address[3]!)
      if (inner >= 0) {
        this.#matchLiteral(this.#embedded, 0, writeIpv4(inner, this.#embedded), into)
        readAddress(bytes, start, end, address)
      }
      if (image.networks.length > 0) applyMask(image, maskOfAddress(image, address), into)
    }
    readWords(bytes, start, end, this.#words)
    this.#matchHashed(end - start, into)
  }

  /** Below the suffix that begins at `from`, down to the whole host, which `#words` holds too. */
  #descend(bytes: Uint8Array, start: number, end: number, from: number, into: Labels): boolean {
    for (let first = from; first > start; ) {
      first = labelStart(bytes, start, first - 1)
      if ((this.#matchHashed(end - first, into) & NODE_CHILD_BIT) === 0) break
    }
    return hasAny(into)
  }

  #matchHashed(size: number, into: Labels): number {
    const mixed = hashWords(this.#words, size)
    if (!mayBeNode(this.#filter, this.#shift, mixed)) return 0
    return this.#matchSuffix(size, mixed, into)
  }

  /** The last `size` bytes of the host in `#words`, and nothing above or below; gives the node's mask. */
  #matchSuffix(size: number, mixed: number, into: Labels): number {
    const mask = maskOfNode(this.#image, this.#words, size, mixed)
    applyMask(this.#image, mask & NODE_MASK_BITS, into)
    return mask
  }
}

/** For findNode; nothing is left in it from one call to the next. */
const nameWords = new Int32Array(NAME_WORDS_MAX)

/**
 * The node of the name in bytes `start` to `end`, whose mixed hash is given; 0 where there is none.
 */
export function findNode(
  image: ImageView,
  bytes: Uint8Array,
  start: number,
  end: number,
  mixed: number,
): number {
  readWords(bytes, start, end, nameWords)
  return nodeOfWords(image, nameWords, end - start, mixed)
}

/**
 * The node of the last `size` bytes of the host in `words`, whose mixed hash is given; 0 where there
 * is none. The words are as layout.ts readWords has them, as far as the name goes.
 */
function nodeOfWords(image: ImageView, words: Int32Array, size: number, mixed: number): number {
  const { arena, buckets, endings } = image
  let node = buckets[bucketOf(mixed, bucketShift(buckets.length))]!
  let length = arena[node]!
  while (length > BUCKET_END) {
    const ending = arena[node + NODE_ENDING_BYTE]!
    if (length === size) {
      const last = size >>> 2
      let at = node + NODE_NAME_BYTE + size - WORD_BYTES
      let differing = 0
      if (last > 0) differing = words[0]! ^ (ending === 0 ? wordAt(arena, at) : endings[ending]!)
      for (let i = 1; i < last; i++) {
        at -= WORD_BYTES
        differing |= words[i]! ^ wordAt(arena, at)
      }
      // The bytes before a name are its node's own: reading them does no harm.
      const rest = words[last]! ^ wordAt(arena, node + (size & 3))
      if ((differing | (rest & restMask(size & 3))) === 0) return node
    }
    node += NODE_NAME_BYTE + length - endingBytes(ending)
    length = arena[node]!
  }
  return 0
}

/** Mask and child bit of the node; 0 where there is none. */
function maskOfNode(image: ImageView, words: Int32Array, size: number, mixed: number): number {
  const node = nodeOfWords(image, words, size, mixed)
  return node === 0 ? 0 : maskOf(image, node)
}

/** The mask of the interval that holds the address: the last that does not begin after it. */
function maskOfAddress({ intervals }: ImageView, address: Int32Array): number {
  let low = 0
  let high = intervals.length / INTERVAL_WORDS
  while (high - low > 1) {
    const middle = (low + high) >>> 1
    if (beginsAfter(intervals, middle * INTERVAL_WORDS, address)) high = middle
    else low = middle
  }
  return intervals[low * INTERVAL_WORDS + INTERVAL_MASK]!
}

function beginsAfter(intervals: Int32Array, at: number, address: Int32Array): boolean {
  for (let i = 0; i < ADDRESS_WORDS; i++) {
    const first = intervals[at + i]! ^ SIGN
    const asked = address[i]! ^ SIGN
    if (first !== asked) return first > asked
  }
  return false
}

function mayBeNode(filter: Int32Array, shift: number, mixed: number): boolean {
  const bits = filterBits(mixed)
  return (filter[bucketOf(mixed, shift)]! & bits) === bits
}

/** Without the dot that stands last. */
function withoutHighest(dots: number): number {
  return dots & (0x7fff_ffff >>> Math.clz32(dots))
}

/** Of the host's first word: without the `count` (1 to 4) bytes that the word after it has too. */
function withoutLast(word: number, count: number): number {
  return (word << 8) << ((count - 1) * 8)
}

/** A dot where the host begins, in a word of which `count` (1 to 4) bytes are not the host's. */
function dotBefore(count: number): number {
  return 0x80 << ((count - 1) * 8)
}

/** Where the label begins that ends before `end`. */
function labelStart(bytes: Uint8Array, start: number, end: number): number {
  let at = end
  while (at > start && bytes[at - 1] !== DOT) at--
  return at
}

/** Adds what mask `id` lists, then takes away what it excepts. */
function applyMask({ masks }: ImageView, id: number, into: Labels): void {
  if (id === 0) return
  const at = id * MASK_WORDS
  const freed = ~masks[at + MASK_EXCEPTED_PLATFORMS]!
  into.categories =
    (into.categories | masks[at + MASK_CATEGORIES]!) & ~masks[at + MASK_EXCEPTED_CATEGORIES]!
  into.platforms = (into.platforms | masks[at + MASK_PLATFORMS]!) & freed
  into.background = (into.background | masks[at + MASK_BACKGROUND]!) & freed
  if ((masks[at + MASK_FLAGS]! & FLAG_NEVER_BLOCK) !== 0) into.neverBlock = true
}

function hasAny({ categories, platforms, neverBlock }: Labels): boolean {
  // What is background of a platform belongs to it.
  return (categories | platforms) !== 0 || neverBlock
}

function clear(labels: Labels): void {
  labels.categories = 0
  labels.platforms = 0
  labels.background = 0
  labels.neverBlock = false
}
