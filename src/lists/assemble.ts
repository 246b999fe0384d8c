/**
 * Owns: from nodes to the bytes of an image, section by section as layout.ts says.
 * Never: decides what is listed.
 */
import {
  ARENA_FIRST_NODE,
  align,
  FILTER_BITS_PER_NODE,
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
  NODE_NAME_BYTE,
  openImage,
  placeOf,
  SLOT_WORDS,
  SLOTS_PER_NODE,
} from './layout.ts'
import { NONE, type Nodes } from './nodes.ts'
import { checksumOf } from './verify.ts'

export interface Assembled {
  readonly buffer: SharedArrayBuffer
  /** Nodes that are listed themselves. */
  readonly domains: number
}

const VARINT_BITS = 7
const VARINT_MORE = 0x80
/** A line number of 32 bits needs five bytes. */
const VARINT_LIMITS = [2 ** 7, 2 ** 14, 2 ** 21, 2 ** 28]

/** The image, or null where it would be larger than IMAGE_BYTES_MAX. */
export function assemble(nodes: Nodes, masks: Int32Array, rows: ListRow[]): Assembled | null {
  const { offsets, arenaBytes, domains } = placeNodes(nodes)
  const lists = new TextEncoder().encode(JSON.stringify(rows))
  const filterWords = Math.ceil((nodes.count * FILTER_BITS_PER_NODE) / 32) + 1
  const tableSlots = Math.ceil(nodes.count * SLOTS_PER_NODE) + 1
  const header = new Int32Array(HEADER_BYTES / 4)
  let end = HEADER_BYTES
  const section = (field: number, count: number, unitBytes: number) => {
    const offset = align(end)
    header[field] = offset
    header[field + 1] = count
    end = offset + count * unitBytes
  }
  section(HEADER.filterOffset, filterWords, 4)
  section(HEADER.tableOffset, tableSlots, SLOT_WORDS * 4)
  section(HEADER.arenaOffset, arenaBytes, 1)
  section(HEADER.masksOffset, masks.length / MASK_WORDS, MASK_WORDS * 4)
  section(HEADER.listsOffset, lists.length, 1)
  const totalBytes = align(end)
  if (totalBytes > IMAGE_BYTES_MAX) return null
  header[HEADER.magicFirst] = MAGIC_FIRST
  header[HEADER.magicSecond] = MAGIC_SECOND
  header[HEADER.version] = IMAGE_FORMAT_VERSION
  header[HEADER.totalBytes] = totalBytes
  header[HEADER.nodes] = nodes.count
  header[HEADER.domains] = domains
  header[HEADER.oneLabelNames] = nodes.oneLabelNames

  const buffer = new SharedArrayBuffer(totalBytes)
  new Int32Array(buffer).set(header)
  const image = openImage(buffer)
  if (typeof image === 'string') throw new Error(`the image just laid out is refused: ${image}`)
  writeArena(image.arena, nodes, offsets)
  fillTableAndFilter(image, nodes, offsets)
  image.masks.set(masks)
  image.lists.set(lists)
  new Uint8Array(buffer, HEADER.checksum * 4).set(checksumOf(buffer))
  return { buffer, domains }
}

/** Where in the arena each node will lie. Offsets may pass 2^31 here; the caller refuses that image. */
function placeNodes(nodes: Nodes) {
  const offsets = new Uint32Array(nodes.count + 1)
  let arenaBytes = ARENA_FIRST_NODE
  let domains = 0
  for (let node = 1; node <= nodes.count; node++) {
    offsets[node] = arenaBytes
    arenaBytes += NODE_NAME_BYTE + nodes.length[node]!
    let source = nodes.source[node]!
    if (source !== NONE) domains++
    for (; source !== NONE; source = nodes.sourceNext[source]!) {
      arenaBytes += varintBytes(nodes.sourceList[source]! * 2)
      arenaBytes += varintBytes(nodes.sourceLine[source]!)
    }
  }
  return { offsets, arenaBytes, domains }
}

function writeArena(arena: Uint8Array, nodes: Nodes, offsets: Uint32Array): void {
  for (let node = 1; node <= nodes.count; node++) {
    const mask = nodes.mask[node]!
    const length = nodes.length[node]!
    let at = offsets[node]!
    arena[at] = length
    arena[at + 1] = mask & 0xff
    arena[at + 2] = mask >>> 8
    at += NODE_NAME_BYTE
    const names = nodes.namesOf(node)
    const start = nodes.start[node]!
    for (let i = 0; i < length; i++) arena[at++] = names[start + i]!
    for (let source = nodes.source[node]!; source !== NONE; ) {
      const next = nodes.sourceNext[source]!
      at = writeVarint(arena, at, nodes.sourceList[source]! * 2 + (next === NONE ? 0 : 1))
      at = writeVarint(arena, at, nodes.sourceLine[source]!)
      source = next
    }
  }
}

function fillTableAndFilter(image: ImageView, nodes: Nodes, offsets: Uint32Array): void {
  const { table, filter } = image
  const slots = table.length / SLOT_WORDS
  const words = filter.length
  // In the order of hashes both are written from front to back, which memory is good at.
  nodes.forEachByHash((mixed, node) => {
    let word = placeOf(mixed, slots) * SLOT_WORDS
    while (table[word + 1] !== NONE) {
      word += SLOT_WORDS
      if (word === table.length) word = 0
    }
    table[word] = mixed
    table[word + 1] = offsets[node]!
    const place = placeOf(mixed, words)
    filter[place] = filter[place]! | filterBits(mixed)
  })
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
