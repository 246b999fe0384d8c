/**
 * Owns: counts over all names of an image that its report does not have: what each list alone knows,
 * and which labels go together.
 * Never: is asked by a request.
 */
import type { Gain } from './gain.ts'
import { openedImage, readReport } from './image-report.ts'
import {
  FLAG_NEVER_BLOCK,
  type ImageView,
  MASK_CATEGORIES,
  MASK_FLAGS,
  MASK_PLATFORMS,
  MASK_WORDS,
  MASKS_MAX,
  maskOf,
  NODE_MASK_BITS,
} from './layout.ts'
import { sourcesOf } from './locate.ts'

export interface Overlap {
  /** What these names are listed as, all together; nothing, where they are only freed. */
  readonly labels: Gain
  readonly names: number
}

export interface Tally {
  /** By the name of the list: names that no other list lists or frees. */
  readonly only: ReadonlyMap<string, number>
  /** Names that no list with a file of its own has: the platforms alone know them. */
  readonly onlyEntries: number
  /** Most names first. */
  readonly overlaps: readonly Overlap[]
}

/** Buckets between two words of progress. */
const PROGRESS_BUCKETS = 65_536

/**
 * Goes through the whole image: some seconds for five million names. `onProgress` is told now and then
 * how many buckets are done, of all.
 */
export function tallyImage(
  buffer: SharedArrayBuffer,
  onProgress: (done: number, total: number) => void = () => {},
): Tally {
  const image = openedImage(buffer)
  const { kinds, report } = readReport(image)
  const only = new Uint32Array(report.lists.length)
  const byMask = new Uint32Array(MASKS_MAX)
  const hasFile = report.lists.map(({ file }) => file !== null)
  let onlyEntries = 0
  const total = image.buckets.length
  for (let bucket = 0; bucket < total; bucket++) {
    if (bucket % PROGRESS_BUCKETS === 0) onProgress(bucket, total)
    const found = sourcesOf(image, bucket)
    if (found === null) throw new Error('the image is damaged: ./sluss lists verify says where')
    for (const [node, sources] of found.sources) {
      const mask = maskOf(image, node) & NODE_MASK_BITS
      if (mask === 0) continue
      byMask[mask]!++
      const lists = new Set(sources.map(({ kind }) => kinds[kind]!.list))
      if (lists.size === 1) for (const list of lists) only[list]!++
      if (![...lists].some((list) => hasFile[list])) onlyEntries++
    }
  }
  onProgress(total, total)
  return {
    only: new Map(report.lists.map(({ name }, list) => [name, only[list]!])),
    onlyEntries,
    overlaps: overlapsOf(image, byMask),
  }
}

/** Masks that differ in background or exceptions alone count as one. */
function overlapsOf({ masks }: ImageView, byMask: Uint32Array): Overlap[] {
  const overlaps = new Map<string, { labels: Gain; names: number }>()
  for (let id = 1; id < masks.length / MASK_WORDS; id++) {
    const at = id * MASK_WORDS
    const labels = {
      categories: masks[at + MASK_CATEGORIES]!,
      platforms: masks[at + MASK_PLATFORMS]!,
      neverBlock: (masks[at + MASK_FLAGS]! & FLAG_NEVER_BLOCK) !== 0,
    }
    const key = JSON.stringify(labels)
    const overlap = overlaps.get(key) ?? { labels, names: 0 }
    overlap.names += byMask[id]!
    overlaps.set(key, overlap)
  }
  // Some masks are only steps to others: no name has them.
  return [...overlaps.values()].filter(({ names }) => names > 0).sort((a, b) => b.names - a.names)
}
