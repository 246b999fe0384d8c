/**
 * Owns: the image of all lists: where each byte of it lies, how a name is hashed, and the cheap
 * check that a buffer is an image at all.
 * Never: builds or searches one, reads a file, or keeps state.
 *
 * One flat SharedArrayBuffer, little-endian, every section aligned to 8 bytes, in this order:
 *
 *   header     the words of HEADER, below
 *   filter     register-blocked Bloom: a 32-bit word for each bucket, three bits in it for each
 *              node. One memory access ends the walk for a host that is not listed.
 *   buckets    a word each: the offset of the bucket in the arena. Their number is a power of two,
 *              and the highest bits of a name's hash are its bucket's number.
 *   arena      the buckets, two to four nodes each. A node: name length (1 byte), mask id and child
 *              bit (2 bytes), ending (1 byte), the name; where it has an ending, without its last
 *              four bytes. Then a zero byte, then the sources of the same nodes in the same order. A
 *              hash only narrows; these bytes decide.
 *   endings    a word each: the last four bytes of many names, such as `.com`. Ending 0 is none.
 *   masks      six words each: categories, platforms, background and flags that are listed, then
 *              categories and platforms that are excepted. Mask 0 is empty: the node is not listed
 *              and stands there only because it has children.
 *   intervals  five words each: the first address, and the mask of all from there to the next
 *              interval. Networks that overlap are resolved here already.
 *   networks   seven words each: address, prefix, kind, line. Nothing but `explain` reads them.
 *   report     UTF-8 JSON, see image-report.ts.
 *
 * A node is a listed or excepted host, or a parent of one that has at least two labels; the bucket
 * that its hash names is the only one it can be in. A source is a varint: (line × kinds + kind) × 2,
 * and 1 where another source of the node follows. A kind is a list, or the exceptions of a list. A
 * node with mask 0 has no source.
 */

export const IMAGE_FORMAT_VERSION = 2
/**
 * "SLUS" and "SIMG" as little-endian words: a machine of the other byte order refuses the image.
 */
export const MAGIC_FIRST = 0x53554c53
export const MAGIC_SECOND = 0x474d4953

/** Offsets are signed 32-bit integers, so that the lookup never leaves V8's small integers. */
export const IMAGE_BYTES_MAX = 0x7fff_fff8

/** Index of each header field, in 32-bit words. Sections are given by their number of elements. */
export const HEADER = {
  magicFirst: 0,
  magicSecond: 1,
  version: 2,
  totalBytes: 3,
  /** CRC-32 over the whole image without this word: the check at each start. */
  crc: 4,
  /** SHA-256 over the whole image without these eight words and the one before. */
  sha256: 5,
  /** What the image was built from, as its builder was told; zeros where it was told nothing. */
  key: 13,
  buckets: 21,
  arenaBytes: 22,
  endings: 23,
  masks: 24,
  intervals: 25,
  networks: 26,
  reportBytes: 27,
  nodes: 28,
  /** Nodes that are listed themselves. */
  domains: 29,
  /** Names of one label: where there are none, the walk need not ask for them. */
  oneLabelNames: 30,
  /** Of sources. */
  kinds: 31,
  buildMs: 32,
} as const

export const HEADER_BYTES = 136
export const CRC_START_BYTE = HEADER.crc * 4
export const CRC_END_BYTE = HEADER.sha256 * 4
export const SHA256_BYTES = 32
export const KEY_BYTES = 32
export const SECTION_ALIGNMENT_BYTES = 8

export const MASK_WORDS = 6
export const MASK_CATEGORIES = 0
export const MASK_PLATFORMS = 1
export const MASK_BACKGROUND = 2
export const MASK_FLAGS = 3
export const MASK_EXCEPTED_CATEGORIES = 4
/** Also of `background`: a freed platform is not there in the background either. */
export const MASK_EXCEPTED_PLATFORMS = 5
export const FLAG_NEVER_BLOCK = 1

/** Of a node: its length, then 16 bits of which the highest says that it has children. */
export const NODE_MASK_BYTE = 1
export const NODE_ENDING_BYTE = 3
export const NODE_NAME_BYTE = 4
export const NODE_CHILD_BIT = 0x8000
export const NODE_MASK_BITS = 0x7fff
/** Different combinations of labels that an image can tell apart, the empty one included. */
export const MASKS_MAX = NODE_MASK_BITS + 1
/** A length that no node has: the nodes of a bucket end here. */
export const BUCKET_END = 0
/** The arena's first byte belongs to no bucket: offset 0 means "no node". */
export const ARENA_FIRST_BUCKET = 1
/** RFC 1035 section 2.3.4, and one byte in a node. */
export const NAME_BYTES_MAX = 253

/** Its number is a byte. */
export const ENDINGS_MAX = 256

export const ADDRESS_WORDS = 4
export const INTERVAL_WORDS = ADDRESS_WORDS + 1
export const INTERVAL_MASK = ADDRESS_WORDS
export const NETWORK_WORDS = ADDRESS_WORDS + 3
export const NETWORK_PREFIX = ADDRESS_WORDS
export const NETWORK_KIND = ADDRESS_WORDS + 1
export const NETWORK_LINE = ADDRESS_WORDS + 2

/** Lists in an image; a platform counts as one or two. */
export const LISTS_MAX = 4_096

/**
 * Gives the filter 9 to 18 bits a node: of a hundred hosts that are no node, 1 to 5 pass it.
 */
export const NODES_PER_BUCKET_MAX = 3.5
/** The shift that finds a bucket is 31 bits at most. */
export const BUCKETS_MIN = 2

/**
 * A source's number: seven bits a byte, the lowest first; the highest bit says that more follow.
 */
export const VARINT_BITS = 7
export const VARINT_MORE = 0x80

export const DOT = 46
export const COLON = 58
export const DIGIT_0 = 48
const DIGIT_9 = 57

/** A name is read, hashed and compared in words from its right end. */
export const WORD_BYTES = 4
/** Words of the longest name, the last one not full. */
export const NAME_WORDS_MAX = 64
const DOTS = 0x2e2e2e2e
const LOW_BITS = 0x7f7f7f7f

/** The sections of an image as views; all share the image's memory. */
export interface ImageView {
  readonly header: Int32Array
  readonly filter: Int32Array
  readonly buckets: Int32Array
  readonly arena: Uint8Array
  readonly endings: Int32Array
  readonly masks: Int32Array
  readonly intervals: Int32Array
  readonly networks: Int32Array
  readonly report: Uint8Array
}

export type ImageFault =
  | 'image-foreign'
  | 'image-version'
  | 'image-truncated'
  | 'image-sections'
  | 'image-checksum'
  | 'image-structure'

/**
 * One step of the hash over a name from its right end: four bytes of it, the first of them lowest.
 * What is left at its left end, three bytes at most, goes to `mix`.
 */
export function hashStep(hash: number, word: number): number {
  const product = Math.imul(hash ^ word, 0x2c1b3c6d)
  return (product << 15) | (product >>> 17)
}

/** Of no word yet. The walk begins one step before, so that its first word is as all others. */
export const HASH_BEFORE = 0x811c9dc5 | 0
export const HASH_SEED = hashStep(HASH_BEFORE, 0)

/**
 * What filter and buckets use, of the hash of a name's full words and the bytes left over: every bit
 * of both reaches the highest bits of this.
 */
export function mix(hash: number, rest: number): number {
  const word = hash ^ rest
  const product = Math.imul(word ^ (word >>> 16), 0x297a2d39)
  return Math.imul(product ^ (product >>> 15), 0x85ebca6b)
}

/** The number of the bucket, where `shift` is bucketShift of their number. */
export function bucketOf(mixed: number, shift: number): number {
  return mixed >>> shift
}

/** Of 2 to 2^31 buckets. */
export function bucketShift(buckets: number): number {
  return Math.clz32(buckets) + 1
}

/** The three bits of `mixed` in its bucket's word of the filter. */
export function filterBits(mixed: number): number {
  const bits = Math.imul(mixed, 0x9e3779b1)
  return (1 << (bits >>> 27)) | (1 << ((bits >>> 22) & 31)) | (1 << ((bits >>> 17) & 31))
}

/** Four bytes from `at`, the first of them lowest. */
export function wordAt(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)
}

/** The bytes from `start` to `end`, three at most, as a word of which they are the highest. */
export function restAt(bytes: Uint8Array, start: number, end: number): number {
  let word = 0
  for (let at = start; at < end; at++) word = (word >>> 8) | (bytes[at]! << 24)
  return word
}

/** The highest bit of each byte of `word` that is a dot. */
export function dotsIn(word: number): number {
  const other = word ^ DOTS
  return ~(((other & LOW_BITS) + LOW_BITS) | other | LOW_BITS)
}

/** Of the word that holds a name's first bytes, `count` (0 to 3) of them: what is not the name's. */
export function restMask(count: number): number {
  return -256 << (24 - count * 8)
}

/** What bucket and filter bits of the name in bytes `start` to `end` come from. */
export function hashName(bytes: Uint8Array, start: number, end: number): number {
  let hash = HASH_SEED
  let at = end
  while (at - start >= WORD_BYTES) {
    at -= WORD_BYTES
    hash = hashStep(hash, wordAt(bytes, at))
  }
  return mix(hash, restAt(bytes, start, at))
}

/** Sets `words` to the name in bytes `start` to `end`: its last four bytes first. */
export function readWords(bytes: Uint8Array, start: number, end: number, words: Int32Array): void {
  let count = 0
  let at = end
  while (at - start >= WORD_BYTES) {
    at -= WORD_BYTES
    words[count++] = wordAt(bytes, at)
  }
  words[count] = restAt(bytes, start, at)
}

/** The same, of the last `size` bytes of the name in `words`. */
export function hashWords(words: Int32Array, size: number): number {
  const last = size >>> 2
  let hash = HASH_SEED
  for (let i = 0; i < last; i++) hash = hashStep(hash, words[i]!)
  return mix(hash, words[last]! & restMask(size & 3))
}

/** Bytes of the name that its ending stands for. */
export function endingBytes(ending: number): number {
  return ending === 0 ? 0 : WORD_BYTES
}

/** Where the node after this one begins. */
export function nodeEnd({ arena }: ImageView, node: number): number {
  return node + NODE_NAME_BYTE + arena[node]! - endingBytes(arena[node + NODE_ENDING_BYTE]!)
}

/** The node's mask id and child bit. */
export function maskOf({ arena }: ImageView, node: number): number {
  return arena[node + NODE_MASK_BYTE]! | (arena[node + NODE_MASK_BYTE + 1]! << 8)
}

export function isDigit(byte: number): boolean {
  return byte >= DIGIT_0 && byte <= DIGIT_9
}

/**
 * True where a normalised host is an IP literal: it has a colon, or its last label is a number
 * (WHATWG URL section 3.5: such a host is an IPv4 address or no host). A literal has no parents.
 */
export function isLiteral(bytes: Uint8Array, start: number, end: number): boolean {
  let at = end - 1
  while (at >= start && isDigit(bytes[at]!)) at--
  if (at < end - 1 && (at < start || bytes[at] === DOT)) return true
  for (at = start; at < end; at++) if (bytes[at] === COLON) return true
  return false
}

/** The sections after the header: the field that counts their elements, and bytes an element. */
export const SECTIONS: readonly (readonly [field: number, elementBytes: number])[] = [
  [HEADER.buckets, 4],
  [HEADER.buckets, 4],
  [HEADER.arenaBytes, 1],
  [HEADER.endings, 4],
  [HEADER.masks, MASK_WORDS * 4],
  [HEADER.intervals, INTERVAL_WORDS * 4],
  [HEADER.networks, NETWORK_WORDS * 4],
  [HEADER.reportBytes, 1],
]

/** Where each section begins, and after them where the image ends; null where a count is none. */
export function sectionOffsets(header: Int32Array): number[] | null {
  const offsets: number[] = []
  let end = HEADER_BYTES
  for (const [field, elementBytes] of SECTIONS) {
    if (header[field]! < 0) return null
    offsets.push(end)
    end = align(end + header[field]! * elementBytes)
  }
  return [...offsets, end]
}

/**
 * The views of an image, or what is wrong with the buffer. The cheap check: magic, version, length
 * and sections. image-file.ts also checks that no bit has changed, verify.ts everything.
 */
export function openImage(buffer: SharedArrayBuffer): ImageView | ImageFault {
  if (buffer.byteLength < HEADER_BYTES) return 'image-foreign'
  const header = new Int32Array(buffer, 0, HEADER_BYTES / 4)
  if (header[HEADER.magicFirst] !== MAGIC_FIRST) return 'image-foreign'
  if (header[HEADER.magicSecond] !== MAGIC_SECOND) return 'image-foreign'
  if (header[HEADER.version] !== IMAGE_FORMAT_VERSION) return 'image-version'
  if (header[HEADER.totalBytes] !== buffer.byteLength) return 'image-truncated'
  const buckets = header[HEADER.buckets]!
  if (buckets < BUCKETS_MIN || (buckets & (buckets - 1)) !== 0) return 'image-sections'
  const offsets = sectionOffsets(header)
  if (offsets === null || offsets[SECTIONS.length] !== buffer.byteLength) return 'image-sections'
  const words = (section: number) =>
    new Int32Array(buffer, offsets[section]!, sectionBytes(header, section) / 4)
  const bytes = (section: number) =>
    new Uint8Array(buffer, offsets[section]!, sectionBytes(header, section))
  return {
    header,
    filter: words(0),
    buckets: words(1),
    arena: bytes(2),
    endings: words(3),
    masks: words(4),
    intervals: words(5),
    networks: words(6),
    report: bytes(7),
  }
}

function sectionBytes(header: Int32Array, section: number): number {
  const [field, elementBytes] = SECTIONS[section]!
  return header[field]! * elementBytes
}

/** The next offset at which a section may begin. */
function align(offset: number): number {
  return Math.ceil(offset / SECTION_ALIGNMENT_BYTES) * SECTION_ALIGNMENT_BYTES
}

/** What to tell people of a fault. */
export const IMAGE_FAULTS: Readonly<Record<ImageFault, string>> = {
  'image-foreign': 'this is not an image of lists',
  'image-version': `the image is of another format version than ${IMAGE_FORMAT_VERSION}`,
  'image-truncated': 'the image is shorter or longer than it says',
  'image-sections': 'the sections of the image do not fit together',
  'image-checksum': 'the image has changed since it was built: its checksum differs',
  'image-structure': 'the image was built wrongly: its parts contradict each other',
}
