/**
 * Owns: from nodes to the bytes of an image, section by section as layout.ts says.
 * Never: decides what is listed.
 */
import { sealImage } from './checksum.ts'
import { Endings } from './endings.ts'
import { encodeReport } from './image-report.ts'
import {
  ARENA_FIRST_BUCKET,
  BUCKETS_MIN,
  bucketOf,
  bucketShift,
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
  const endings = new Endings(nodes)
  const plan = planArena(nodes, kinds.length, endings)
  const masks = parts.masks.words()
  const networks = networkWords(parts.networks)
  const report = encodeReport(kinds, parts.report)
  const header = new Int32Array(HEADER_BYTES / 4)
  header[HEADER.magicFirst] = MAGIC_FIRST
  header[HEADER.magicSecond] = MAGIC_SECOND
  header[HEADER.version] = IMAGE_FORMAT_VERSION
  header[HEADER.buckets] = plan.nodeOffsets.length
  header[HEADER.arenaBytes] = plan.arenaBytes
  header[HEADER.endings] = endings.words.length
  header[HEADER.masks] = parts.masks.count
  header[HEADER.intervals] = parts.intervals.length / INTERVAL_WORDS
  header[HEADER.networks] = parts.networks.length
  header[HEADER.reportBytes] = report.length
  header[HEADER.nodes] = nodes.count
  header[HEADER.domains] = parts.domains
  header[HEADER.oneLabelNames] = nodes.oneLabelNames
  header[HEADER.kinds] = kinds.length
  const totalBytes = sectionOffsets(header)?.[SECTIONS.length] ?? Number.POSITIVE_INFINITY
  if (plan.arenaBytes > IMAGE_BYTES_MAX || totalBytes > IMAGE_BYTES_MAX) return null
  header[HEADER.totalBytes] = totalBytes

  const buffer = new SharedArrayBuffer(totalBytes)
  new Int32Array(buffer).set(header)
  const image = openImage(buffer)
  if (typeof image === 'string') throw new Error(`the image just laid out is refused: ${image}`)
  image.buckets.set(plan.nodeOffsets)
  image.endings.set(endings.words)
  image.masks.set(masks)
  image.intervals.set(parts.intervals)
  image.networks.set(networks)
  image.report.set(report)
  writeNodes(image, parts, endings, plan)
  new Uint8Array(buffer, HEADER.key * 4, KEY_BYTES).set(Buffer.from(parts.key, 'hex'))
  image.header[HEADER.buildMs] = Math.round(parts.elapsedMs())
  sealImage(buffer)
  return buffer
}

/** Of each bucket: where in the arena its next node and its next node's sources go. */
interface ArenaPlan {
  readonly nodeOffsets: Uint32Array
  readonly sourceOffsets: Uint32Array
  readonly arenaBytes: number
}

function planArena(nodes: Nodes, kinds: number, endings: Endings): ArenaPlan {
  let buckets = BUCKETS_MIN
  while (nodes.count / buckets > NODES_PER_BUCKET_MAX) buckets *= 2
  const shift = bucketShift(buckets)
  // First the bytes of each, then where they begin.
  const nodeOffsets = new Uint32Array(buckets)
  const sourceOffsets = new Uint32Array(buckets)
  const { words } = nodes
  for (let node = 1; node <= nodes.count; node++) {
    const word = node * NODE_WORDS
    const bucket = bucketOf(words[word + NODE_MIXED]!, shift)
    const length = words[word + NODE_LENGTH]! & 0xff
    nodeOffsets[bucket]! += NODE_NAME_BYTE + length - endingBytes(endings.of(node))
    for (let source = nodes.sourceOf(node); source !== NONE; source = nodes.sourceNext[source]!) {
      sourceOffsets[bucket]! += varintBytes(sourceNumber(nodes, source, kinds))
    }
  }
  // A double, since the sum may pass what the offsets hold: then the caller refuses the image.
  let arenaBytes = ARENA_FIRST_BUCKET
  for (let bucket = 0; bucket < buckets; bucket++) {
    const nodeBytes = nodeOffsets[bucket]!
    const sourceBytes = sourceOffsets[bucket]!
    nodeOffsets[bucket] = arenaBytes
    // The byte between is BUCKET_END, and zero already.
    sourceOffsets[bucket] = arenaBytes + nodeBytes + 1
    arenaBytes += nodeBytes + 1 + sourceBytes
  }
  return { nodeOffsets, sourceOffsets, arenaBytes }
}

/** Fills arena and filter; the plan's offsets move on as it goes. */
function writeNodes(
  { arena, filter }: ImageView,
  { nodes, kinds, onNodes }: ImageParts,
  endings: Endings,
  { nodeOffsets, sourceOffsets }: ArenaPlan,
): void {
  const shift = bucketShift(filter.length)
  const { words } = nodes
  for (let node = 1; node <= nodes.count; node++) {
    const word = node * NODE_WORDS
    const mixed = words[word + NODE_MIXED]!
    const bucket = bucketOf(mixed, shift)
    filter[bucket]! |= filterBits(mixed)
    const offset = nodeOffsets[bucket]!
    const length = words[word + NODE_LENGTH]! & 0xff
    const mask = words[word + NODE_MASK]!
    arena[offset] = length
    arena[offset + NODE_MASK_BYTE] = mask & 0xff
    arena[offset + NODE_MASK_BYTE + 1] = mask >>> 8
    const ending = endings.of(node)
    arena[offset + NODE_ENDING_BYTE] = ending
    const names = nodes.namesOf(node)
    let from = words[word + NODE_START]!
    const end = offset + NODE_NAME_BYTE + length - endingBytes(ending)
    for (let at = offset + NODE_NAME_BYTE; at < end; at++) arena[at] = names[from++]!
    nodeOffsets[bucket] = end
    let at = sourceOffsets[bucket]!
    for (let source = nodes.sourceOf(node); source !== NONE; source = nodes.sourceNext[source]!) {
      at = writeVarint(arena, at, sourceNumber(nodes, source, kinds.length))
    }
    sourceOffsets[bucket] = at
    if (node % PROGRESS_NODES === 0) onNodes(node / nodes.count)
  }
  onNodes(1)
}

function sourceNumber(nodes: Nodes, source: number, kinds: number): number {
  const more = nodes.sourceNext[source] === NONE ? 0 : 1
  return (nodes.sourceLine[source]! * kinds + nodes.sourceKind[source]!) * 2 + more
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
