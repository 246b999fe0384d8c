/**
 * Owns: the image of all lists: where each byte of it lies, how a name is hashed, and the cheap
 * check that a buffer is an image at all.
 * Never: builds or searches one, reads a file, or keeps state.
 *
 * One flat SharedArrayBuffer, little-endian, every section aligned to 8 bytes:
 *
 *   header   the words of HEADER, below
 *   filter   register-blocked Bloom: a 32-bit word for each bucket, three bits in it for each
 *            node. One memory access ends the walk for a host that is not listed.
 *   buckets  a word each: the offset of the bucket in the arena
 *   arena    the buckets, about three nodes each. A node: name length (1 byte), mask id and child
 *            bit (2 bytes), the name. Then a zero byte, then the sources of the same nodes in the
 *            same order. A hash only narrows; these bytes decide.
 *   masks    four words each: categories, platforms, background, flags. Mask 0 is empty: the node
 *            is not listed and stands there only because it has children.
 *   lists    UTF-8 JSON: ListRow[], in the order that sources refer to.
 *
 * A node is a listed host, or a parent of one that has at least two labels; the bucket that its
 * hash names is the only one it can be in. A source is two varints: list number × 2 + 1 if another
 * source of the node follows, and the line. A node with mask 0 has none.
 */
import type { LabelTarget } from '../policy/source.ts'

export const IMAGE_FORMAT_VERSION = 1
/**
 * "SLUS" and "SIMG" as little-endian words: a machine of the other byte order refuses the image.
 */
export const MAGIC_FIRST = 0x53554c53
export const MAGIC_SECOND = 0x474d4953

/** Offsets are signed 32-bit integers, so that the lookup never leaves V8's small integers. */
export const IMAGE_BYTES_MAX = 0x7fff_fff8

/** Index of each header field, in 32-bit words. */
export const HEADER = {
  magicFirst: 0,
  magicSecond: 1,
  version: 2,
  totalBytes: 3,
  /** SHA-256 over the whole image without these eight words. */
  checksum: 4,
  filterOffset: 12,
  bucketsOffset: 13,
  buckets: 14,
  arenaOffset: 15,
  arenaBytes: 16,
  masksOffset: 17,
  masks: 18,
  listsOffset: 19,
  listsBytes: 20,
  nodes: 21,
  /** Nodes that are listed themselves. */
  domains: 22,
  /** Listed names of one label: where there are none, the walk need not ask for them. */
  oneLabelNames: 23,
} as const

export const HEADER_BYTES = 128
export const CHECKSUM_START_BYTE = HEADER.checksum * 4
export const CHECKSUM_END_BYTE = CHECKSUM_START_BYTE + 32
export const SECTION_ALIGNMENT_BYTES = 8

export const MASK_WORDS = 4
export const MASK_CATEGORIES = 0
export const MASK_PLATFORMS = 1
export const MASK_BACKGROUND = 2
export const MASK_FLAGS = 3
export const FLAG_NEVER_BLOCK = 1

/** Of a node: its length, then 16 bits of which the highest says that it has children. */
export const NODE_MASK_BYTE = 1
export const NODE_NAME_BYTE = 3
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

/** Lists in an image; a platform counts as one or two. */
export const LISTS_MAX = 4_096

/** Gives the filter 10.7 bits a node: 3 to 4 in a hundred hosts that are no node pass it. */
export const NODES_PER_BUCKET = 3

/**
 * A source's numbers: seven bits a byte, the lowest first; the highest bit says that more follow.
 */
export const VARINT_BITS = 7
export const VARINT_MORE = 0x80

export const DOT = 46
export const COLON = 58
const DIGIT_0 = 48
const DIGIT_9 = 57

const HASH_PRIME = 0x01000193
export const HASH_SEED = 0x811c9dc5 | 0
const WORD_RANGE = 2 ** 32

/** A list as it stands in the image. Counts are of its own lines. */
export interface ListRow {
  readonly name: string
  readonly target: LabelTarget
  /** Lines of the file, or entries given. */
  readonly lines: number
  /** Different hosts that it lists. */
  readonly domains: number
  readonly duplicates: number
  readonly rejected: number
}

/** The sections of an image as views; all share the image's memory. */
export interface ImageView {
  readonly header: Int32Array
  readonly filter: Int32Array
  readonly buckets: Int32Array
  readonly arena: Uint8Array
  readonly masks: Int32Array
  readonly lists: Uint8Array
}

export type ImageFault =
  | 'image-foreign'
  | 'image-version'
  | 'image-truncated'
  | 'image-sections'
  | 'image-checksum'

/** One step of the hash, over the bytes of a name from its right end. */
export function hashStep(hash: number, byte: number): number {
  return Math.imul(hash ^ byte, HASH_PRIME)
}

/** What filter and table use: every bit of the walk's hash reaches every bit of this. */
export function mix(hash: number): number {
  let mixed = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35)
  return mixed ^ (mixed >>> 16)
}

/**
 * The bucket of `mixed` among `count`: a multiplication, so that `count` need not be a power of
 * two.
 */
export function bucketOf(mixed: number, count: number): number {
  return ((mixed >>> 0) * (count / WORD_RANGE)) | 0
}

/** The three bits of `mixed` in its bucket's word of the filter. */
export function filterBits(mixed: number): number {
  const bits = Math.imul(mixed, 0x9e3779b1)
  return (1 << (bits >>> 27)) | (1 << ((bits >>> 22) & 31)) | (1 << ((bits >>> 17) & 31))
}

/** The walk's hash of bytes `start` to `end`. */
export function hashName(bytes: Uint8Array, start: number, end: number): number {
  let hash = HASH_SEED
  for (let at = end - 1; at >= start; at--) hash = hashStep(hash, bytes[at]!)
  return hash
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

/**
 * The views of an image, or what is wrong with the buffer. The cheap check: magic, version, length
 * and section bounds. verify.ts makes the full one.
 */
export function openImage(buffer: SharedArrayBuffer): ImageView | ImageFault {
  if (buffer.byteLength < HEADER_BYTES) return 'image-foreign'
  const header = new Int32Array(buffer, 0, HEADER_BYTES / 4)
  if (header[HEADER.magicFirst] !== MAGIC_FIRST) return 'image-foreign'
  if (header[HEADER.magicSecond] !== MAGIC_SECOND) return 'image-foreign'
  if (header[HEADER.version] !== IMAGE_FORMAT_VERSION) return 'image-version'
  if (header[HEADER.totalBytes] !== buffer.byteLength) return 'image-truncated'
  const sections: readonly (readonly [offset: number, bytes: number])[] = [
    [header[HEADER.filterOffset]!, header[HEADER.buckets]! * 4],
    [header[HEADER.bucketsOffset]!, header[HEADER.buckets]! * 4],
    [header[HEADER.arenaOffset]!, header[HEADER.arenaBytes]!],
    [header[HEADER.masksOffset]!, header[HEADER.masks]! * MASK_WORDS * 4],
    [header[HEADER.listsOffset]!, header[HEADER.listsBytes]!],
  ]
  let end = HEADER_BYTES
  for (const [offset, bytes] of sections) {
    // No section is empty: the smallest image has one bucket, one mask and `[]`.
    if (offset !== align(end) || bytes <= 0) return 'image-sections'
    end = offset + bytes
  }
  if (align(end) !== buffer.byteLength) return 'image-sections'
  const [filter, buckets, arena, masks, lists] = sections as [Span, Span, Span, Span, Span]
  return {
    header,
    filter: new Int32Array(buffer, filter[0], filter[1] / 4),
    buckets: new Int32Array(buffer, buckets[0], buckets[1] / 4),
    arena: new Uint8Array(buffer, arena[0], arena[1]),
    masks: new Int32Array(buffer, masks[0], masks[1] / 4),
    lists: new Uint8Array(buffer, lists[0], lists[1]),
  }
}

type Span = readonly [offset: number, bytes: number]

/** The next offset at which a section may begin. */
export function align(offset: number): number {
  return Math.ceil(offset / SECTION_ALIGNMENT_BYTES) * SECTION_ALIGNMENT_BYTES
}

/** What to tell people of a fault. */
export const IMAGE_FAULTS: Readonly<Record<ImageFault, string>> = {
  'image-foreign': 'this is not an image of lists',
  'image-version': `the image is of another format version than ${IMAGE_FORMAT_VERSION}`,
  'image-truncated': 'the image is shorter or longer than it says',
  'image-sections': 'the sections of the image do not fit together',
  'image-checksum': 'the image has changed since it was built: its checksum differs',
}
