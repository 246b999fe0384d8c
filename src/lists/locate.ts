/**
 * Owns: where in the lists a host's labels come from: which name matched, in which list, on which
 * line.
 * Never: is fast; requests ask Lookup. It reads the same image, so the two cannot disagree.
 */
import type { LabelTarget } from '../policy/source.ts'
import {
  BUCKET_END,
  bucketOf,
  DOT,
  hashName,
  IMAGE_FAULTS,
  type ImageView,
  isLiteral,
  type ListRow,
  mix,
  NAME_BYTES_MAX,
  NODE_MASK_BITS,
  NODE_NAME_BYTE,
  openImage,
  VARINT_BITS,
  VARINT_MORE,
} from './layout.ts'
import { findNode, maskOf } from './lookup.ts'

export interface Location {
  /** The listed name: the host itself or a parent of it. */
  readonly domain: string
  /** The list as people know it: `lists/porn.txt`. */
  readonly list: string
  /** 1-based. Of a name that a list has several times, the first. */
  readonly line: number
  readonly target: LabelTarget
}

/**
 * Every place that lists `host` or a parent of it; the most specific name first, lists in the
 * order of the settings. Throws where the buffer is not an image.
 */
export function locate(buffer: SharedArrayBuffer, host: string): Location[] {
  const image = opened(buffer)
  const bytes = new TextEncoder().encode(host)
  if (bytes.length === 0 || bytes.length > NAME_BYTES_MAX) return []
  const rows = rowsOf(image)
  const locations: Location[] = []
  for (const start of suffixes(bytes)) {
    const mixed = mix(hashName(bytes, start, bytes.length))
    const node = findNode(image, bytes, start, bytes.length, mixed)
    if (node === 0 || !isListed(image, node)) continue
    const domain = new TextDecoder().decode(bytes.subarray(start))
    for (const { list, line } of sourcesOf(image, bucketOf(mixed, image.buckets.length), node)) {
      const { name, target } = rows[list]!
      locations.push({ domain, list: name, line, target })
    }
  }
  return locations
}

/**
 * The lists that the image was made of, with their counts. Throws where the buffer is not an
 * image.
 */
export function listRows(buffer: SharedArrayBuffer): readonly ListRow[] {
  return rowsOf(opened(buffer))
}

function opened(buffer: SharedArrayBuffer): ImageView {
  const image = openImage(buffer)
  if (typeof image === 'string') throw new Error(`${IMAGE_FAULTS[image]} (${image})`)
  return image
}

function rowsOf(image: ImageView): ListRow[] {
  // TextDecoder does not read shared memory; the copy is small.
  return JSON.parse(new TextDecoder().decode(image.lists.slice())) as ListRow[]
}

/** Where the host and each of its parents begin; an IP literal has no parents. */
function suffixes(bytes: Uint8Array): number[] {
  const starts = [0]
  if (isLiteral(bytes, 0, bytes.length)) return starts
  for (const [at, byte] of bytes.entries()) if (byte === DOT) starts.push(at + 1)
  return starts
}

function isListed(image: ImageView, node: number): boolean {
  return (maskOf(image, node) & NODE_MASK_BITS) !== 0
}

interface Source {
  readonly list: number
  readonly line: number
}

/** The node's sources, in the order of the lists; the arena has the latest first. */
function sourcesOf(image: ImageView, bucket: number, wanted: number): Source[] {
  const { arena } = image
  const nodes: number[] = []
  let at = image.buckets[bucket]!
  for (; arena[at]! > BUCKET_END; at += NODE_NAME_BYTE + arena[at]!) nodes.push(at)
  at++
  const varint = () => {
    let value = 0
    for (let shift = 0; ; shift += VARINT_BITS) {
      const byte = arena[at++] ?? 0
      value |= (byte & (VARINT_MORE - 1)) << shift
      if (byte < VARINT_MORE) return value >>> 0
    }
  }
  for (const node of nodes) {
    const sources: Source[] = []
    for (let more = isListed(image, node); more; ) {
      const listAndMore = varint()
      sources.unshift({ list: listAndMore >>> 1, line: varint() })
      more = (listAndMore & 1) !== 0
    }
    if (node === wanted) return sources
  }
  throw new Error('the node is not in its bucket')
}
