/**
 * Owns: labels as bits, and what one set of them has beyond another.
 * Never: knows what a bit is called; settings do.
 */
import type { Labels } from '../policy/policy.ts'

/** Categories and platforms as bits; and never-block. */
export interface Gain {
  readonly categories: number
  readonly platforms: number
  readonly neverBlock: boolean
}

/** What `labels` has and `others` has not. */
export function beyond(labels: Gain, others: Gain): Gain {
  return {
    categories: labels.categories & ~others.categories,
    platforms: labels.platforms & ~others.platforms,
    neverBlock: labels.neverBlock && !others.neverBlock,
  }
}

export function isGain({ categories, platforms, neverBlock }: Gain): boolean {
  return neverBlock || (categories | platforms) !== 0
}

export function isSame(a: Labels, b: Labels): boolean {
  return (
    a.categories === b.categories && a.platforms === b.platforms && a.neverBlock === b.neverBlock
  )
}
