/**
 * Owns: from nodes to the bytes of an image, section by section as layout.ts says.
 * Never: decides what is listed.
 */
import {
  ARENA_FIRST_BUCKET,
  align,
  bucketOf,
  filterBits,
  HEADER,
  HEADER_BYTES,
  IMAGE_BYTES_MAX,
  IMAGE_FORMAT_VERSION,
  type ImageView,
  type ListRow,
  MAGIC_FIRST,
  MAGIC_SECOND,
  MASK_WORDS,
  NODE_MASK_BYTE,
  NODE_NAME_BYTE,
  NODES_PER_BUCKET,
  openImage,
  VARINT_BITS,
  VARINT_MORE,
} from './layout.ts'
import { NONE, type Nodes } from './nodes.ts'
import { checksumOf } from './verify.ts'

/** A line number of 32 bits needs at most five bytes. */
const VARINT_LIMITS = [2 ** 7, 2 ** 14, 2 ** 21, 2 ** 28]

/** The image, or null where it would be larger than IMAGE_BYTES_MAX. */
export function assemble(
  nodes: Nodes,
  masks: Int32Array,
  rows: readonly ListRow[],
): SharedArrayBuffer | null {
  const plan = planArena(nodes)
  const lists = new TextEncoder().encode(JSON.stringify(rows))
  const buckets = plan.nodeOffsets.length
  const header = new Int32Array(HEADER_BYTES / 4)
  let end = HEADER_BYTES
  const section = (field: number, bytes: number) => {
    header[field] = align(end)
    end = align(end) + bytes
  }
  section(HEADER.filterOffset, buckets * 4)
  section(HEADER.bucketsOffset, buckets * 4)
  section(HEADER.arenaOffset, plan.arenaBytes)
  section(HEADER.masksOffset, masks.length * 4)
  section(HEADER.listsOffset, lists.length)
  const totalBytes = align(end)
  if (totalBytes > IMAGE_BYTES_MAX) return null
  header[HEADER.magicFirst] = MAGIC_FIRST
  header[HEADER.magicSecond] = MAGIC_SECOND
  header[HEADER.version] = IMAGE_FORMAT_VERSION
  header[HEADER.totalBytes] = totalBytes
  header[HEADER.buckets] = buckets
  header[HEADER.arenaBytes] = plan.arenaBytes
  header[HEADER.masks] = masks.length / MASK_WORDS
  header[HEADER.listsBytes] = lists.length
  header[HEADER.nodes] = nodes.count
  header[HEADER.domains] = nodes.listed
  header[HEADER.oneLabelNames] = nodes.oneLabelNames

  const buffer = new SharedArrayBuffer(totalBytes)
  new Int32Array(buffer).set(header)
  const image = openImage(buffer)
  if (typeof image === 'string') throw new Error(`the image just laid out is refused: ${image}`)
  image.buckets.set(plan.nodeOffsets)
  writeNodes(image, nodes, plan)
  image.masks.set(masks)
  image.lists.set(lists)
  new Uint8Array(buffer, HEADER.checksum * 4).set(checksumOf(buffer))
  return buffer
}

/** Of each bucket: where in the arena its next node and its next node's sources go. */
interface ArenaPlan {
  readonly nodeOffsets: Uint32Array
  readonly sourceOffsets: Uint32Array
  readonly arenaBytes: number
}

function planArena(nodes: Nodes): ArenaPlan {
  const buckets = Math.ceil(nodes.count / NODES_PER_BUCKET) + 1
  // First the bytes of each, then where they begin.
  const nodeOffsets = new Uint32Array(buckets)
  const sourceOffsets = new Uint32Array(buckets)
  for (let node = 1; node <= nodes.count; node++) {
    const bucket = bucketOf(nodes.mixed[node]!, buckets)
    nodeOffsets[bucket]! += NODE_NAME_BYTE + nodes.length[node]!
    for (let source = nodes.source[node]!; source !== NONE; source = nodes.sourceNext[source]!) {
      sourceOffsets[bucket]! +=
        varintBytes(nodes.sourceList[source]! * 2) + varintBytes(nodes.sourceLine[source]!)
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
function writeNodes({ arena, filter }: ImageView, nodes: Nodes, plan: ArenaPlan): void {
  const { nodeOffsets, sourceOffsets } = plan
  for (let node = 1; node <= nodes.count; node++) {
    const mixed = nodes.mixed[node]!
    const bucket = bucketOf(mixed, filter.length)
    filter[bucket] = filter[bucket]! | filterBits(mixed)
    const offset = nodeOffsets[bucket]!
    const length = nodes.length[node]!
    const mask = nodes.mask[node]!
    arena[offset] = length
    arena[offset + NODE_MASK_BYTE] = mask & 0xff
    arena[offset + NODE_MASK_BYTE + 1] = mask >>> 8
    const names = nodes.namesOf(node)
    let from = nodes.start[node]!
    const end = offset + NODE_NAME_BYTE + length
    for (let at = offset + NODE_NAME_BYTE; at < end; at++) arena[at] = names[from++]!
    nodeOffsets[bucket] = end
    sourceOffsets[bucket] = writeSources(arena, sourceOffsets[bucket]!, nodes, node)
  }
}

/** Returns where they end. */
function writeSources(arena: Uint8Array, offset: number, nodes: Nodes, node: number): number {
  let at = offset
  for (let source = nodes.source[node]!; source !== NONE; ) {
    const next = nodes.sourceNext[source]!
    at = writeVarint(arena, at, nodes.sourceList[source]! * 2 + (next === NONE ? 0 : 1))
    at = writeVarint(arena, at, nodes.sourceLine[source]!)
    source = next
  }
  return at
}

function varintBytes(value: number): number {
  let bytes = 1
  for (const limit of VARINT_LIMITS) if (value >= limit) bytes++
  return bytes
}

function writeVarint(arena: Uint8Array, offset: number, value: number): number {
  let at = offset
  let rest = value
  while (rest >= VARINT_MORE) {
    arena[at++] = (rest & (VARINT_MORE - 1)) | VARINT_MORE
    rest >>>= VARINT_BITS
  }
  arena[at++] = rest
  return at
}
