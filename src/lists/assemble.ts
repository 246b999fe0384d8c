/**
 * Owns: from nodes to the bytes of an image, section by section as layout.ts says.
 * Never: decides what is listed.
 */
import { sealImage } from './checksum.ts'
import { findEndings } from './endings.ts'
import { encodeReport } from './image-report.ts'
import {
  ARENA_FIRST_BUCKET,
  BUCKET_END,
  BUCKETS_MIN,
  endingBytes,
  filterBits,
  HEADER,
  HEADER_BYTES,
  IMAGE_BYTES_MAX,
  IMAGE_FORMAT_VERSION,
  type ImageView,
  INTERVAL_WORDS,
  KEY_BYTES,
  MAGIC_FIRST,
  MAGIC_SECOND,
  NODE_ENDING_BYTE,
  NODE_MASK_BYTE,
  NODE_NAME_BYTE,
  NODES_PER_BUCKET_MAX,
  openImage,
  SECTIONS,
  sectionOffsets,
  VARINT_BITS,
  VARINT_MORE,
} from './layout.ts'
import type { Masks, SourceKind } from './masks.ts'
import { type KindNetwork, networkWords } from './networks.ts'
import {
  NODE_ENDING,
  NODE_LENGTH,
  NODE_MASK,
  NODE_MIXED,
  NODE_START,
  NODE_WORDS,
  NONE,
  type Nodes,
} from './nodes.ts'
import type { BuildReport } from './report.ts'

/** Numbers above are written by division: JavaScript's shifts end at 32 bits. */
const SHIFTABLE_MAX = 2 ** 31 - 1
/** Nodes between two words of progress. */
const PROGRESS_NODES = 100_000
/** Nodes that are read ahead together. */
const TOUCHED_NODES = 48

export interface ImageParts {
  readonly nodes: Nodes
  readonly masks: Masks
  readonly kinds: readonly SourceKind[]
  readonly intervals: Int32Array
  readonly networks: readonly KindNetwork[]
  readonly report: Pick<BuildReport, 'lists' | 'caught'>
  /** 64 hex digits, or empty. */
  readonly key: string
  /** Listed hosts. */
  readonly domains: number
  readonly elapsedMs: () => number
  /** Told now and then what share of the nodes is laid out. */
  readonly onNodes: (share: number) => void
}

/** The image, or null where it would be larger than IMAGE_BYTES_MAX. */
export function assemble(parts: ImageParts): SharedArrayBuffer | null {
  const { nodes, kinds } = parts
  const endings = findEndings(nodes)
  const buckets = bucketsFor(nodes.count)
  const arenaBytes = arenaBytesOf(nodes, kinds.length, buckets)
  const masks = parts.masks.words()
  const networks = networkWords(parts.networks)
  const report = encodeReport(kinds, parts.report)
  const header = new Int32Array(HEADER_BYTES / 4)
  header[HEADER.magicFirst] = MAGIC_FIRST
  header[HEADER.magicSecond] = MAGIC_SECOND
  header[HEADER.version] = IMAGE_FORMAT_VERSION
  header[HEADER.buckets] = buckets
  header[HEADER.arenaBytes] = arenaBytes
  header[HEADER.endings] = endings.length
  header[HEADER.masks] = parts.masks.count
  header[HEADER.intervals] = parts.intervals.length / INTERVAL_WORDS
  header[HEADER.networks] = parts.networks.length
  header[HEADER.reportBytes] = report.length
  header[HEADER.nodes] = nodes.count
  header[HEADER.domains] = parts.domains
  header[HEADER.oneLabelNames] = nodes.oneLabelNames
  header[HEADER.kinds] = kinds.length
  const totalBytes = sectionOffsets(header)?.[SECTIONS.length] ?? Number.POSITIVE_INFINITY
  if (arenaBytes > IMAGE_BYTES_MAX || totalBytes > IMAGE_BYTES_MAX) return null
  header[HEADER.totalBytes] = totalBytes

  const buffer = new SharedArrayBuffer(totalBytes)
  new Int32Array(buffer).set(header)
  const image = openImage(buffer)
  if (typeof image === 'string') throw new Error(`the image just laid out is refused: ${image}`)
  image.endings.set(endings)
  image.masks.set(masks)
  image.intervals.set(parts.intervals)
  image.networks.set(networks)
  image.report.set(report)
  writeNodes(image, parts)
  new Uint8Array(buffer, HEADER.key * 4, KEY_BYTES).set(Buffer.from(parts.key, 'hex'))
  image.header[HEADER.buildMs] = Math.round(parts.elapsedMs())
  sealImage(buffer)
  return buffer
}

function bucketsFor(nodes: number): number {
  let buckets = BUCKETS_MIN
  while (nodes / buckets > NODES_PER_BUCKET_MAX) buckets *= 2
  return buckets
}

/** May pass what an offset can hold: then the caller makes no image. */
function arenaBytesOf(nodes: Nodes, kinds: number, buckets: number): number {
  const { words } = nodes
  let bytes = ARENA_FIRST_BUCKET + buckets
  for (let word = NODE_WORDS; word <= nodes.count * NODE_WORDS; word += NODE_WORDS) {
    const length = words[word + NODE_LENGTH]! & 0xff
    bytes += NODE_NAME_BYTE + length - endingBytes(words[word + NODE_ENDING]!)
  }
  for (let source = 1; source <= nodes.sources; source++) {
    bytes += varintBytes(sourceNumber(nodes, source, kinds))
  }
  return bytes
}

/** Fills filter, buckets and arena, all three from one end to the other. */
function writeNodes(image: ImageView, { nodes, kinds, onNodes }: ImageParts): void {
  const { arena, filter, buckets } = image
  const order = nodes.byBucket(buckets.length)
  let at = ARENA_FIRST_BUCKET
  let first = 0
  let touched = 0
  let told = 0
  for (let bucket = 0; bucket < buckets.length; bucket++) {
    const end = order.ends[bucket]!
    if (end > touched) {
      touched = Math.min(order.nodes.length, end + TOUCHED_NODES)
      nodes.touch(order.nodes, first, touched)
    }
    buckets[bucket] = at
    for (let i = first; i < end; i++) {
      const node = order.nodes[i]!
      filter[bucket]! |= filterBits(nodes.words[node * NODE_WORDS + NODE_MIXED]!)
      at = writeNode(arena, at, nodes, node)
    }
    arena[at++] = BUCKET_END
    for (let i = first; i < end; i++) {
      let source = nodes.sourceOf(order.nodes[i]!)
      for (; source !== NONE; source = nodes.nextOf(source)) {
        at = writeVarint(arena, at, sourceNumber(nodes, source, kinds.length))
      }
    }
    first = end
    if (first - told >= PROGRESS_NODES) {
      told = first
      onNodes(first / nodes.count)
    }
  }
  if (at !== arena.length)
    throw new Error(`the arena has ${arena.length} bytes, and ${at} are used`)
  onNodes(1)
}

/** Returns where it ends. */
function writeNode(arena: Uint8Array, offset: number, nodes: Nodes, node: number): number {
  const { words } = nodes
  const word = node * NODE_WORDS
  const length = words[word + NODE_LENGTH]! & 0xff
  const mask = words[word + NODE_MASK]!
  const ending = words[word + NODE_ENDING]!
  arena[offset] = length
  arena[offset + NODE_MASK_BYTE] = mask & 0xff
  arena[offset + NODE_MASK_BYTE + 1] = mask >>> 8
  arena[offset + NODE_ENDING_BYTE] = ending
  const names = nodes.namesOf(node)
  let from = words[word + NODE_START]!
  const end = offset + NODE_NAME_BYTE + length - endingBytes(ending)
  for (let at = offset + NODE_NAME_BYTE; at < end; at++) arena[at] = names[from++]!
  return end
}

function sourceNumber(nodes: Nodes, source: number, kinds: number): number {
  const more = nodes.nextOf(source) === NONE ? 0 : 1
  return (nodes.lineOf(source) * kinds + nodes.kindOf(source)) * 2 + more
}

function varintBytes(value: number): number {
  let bytes = 1
  for (let limit = VARINT_MORE; value >= limit; limit *= VARINT_MORE) bytes++
  return bytes
}

function writeVarint(arena: Uint8Array, offset: number, value: number): number {
  let at = offset
  let rest = value
  while (rest > SHIFTABLE_MAX) {
    arena[at++] = (rest % VARINT_MORE) | VARINT_MORE
    rest = Math.floor(rest / VARINT_MORE)
  }
  while (rest >= VARINT_MORE) {
    arena[at++] = (rest & (VARINT_MORE - 1)) | VARINT_MORE
    rest >>>= VARINT_BITS
  }
  arena[at++] = rest
  return at
}
