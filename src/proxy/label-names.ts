/**
 * Owns: what labels are called in a record, under one policy: each combination is put into words once.
 * Never: outlives its policy: bits have other meanings in the next.
 */
import { categoryNames, type Labels, type Policy, platformNames } from '../policy/index.ts'

/** Hosts have a handful of combinations; lists that make thousands begin anew. */
const COMBINATIONS_MAX = 1_000

export interface Named {
  /** Names joined by commas, in the order of the settings. */
  readonly categories: string
  readonly platforms: string
}

const NONE: Named = { categories: '', platforms: '' }

export class LabelNames {
  readonly #policy: Policy
  /** By the bits of categories, and in each by those of platforms. */
  readonly #known = new Map<number, Map<number, Named>>()
  #size = 0

  constructor(policy: Policy) {
    this.#policy = policy
  }

  of(labels: Labels): Named {
    if ((labels.categories | labels.platforms) === 0) return NONE
    return this.#known.get(labels.categories)?.get(labels.platforms) ?? this.#name(labels)
  }

  #name(labels: Labels): Named {
    const named = {
      categories: categoryNames(this.#policy, labels).join(','),
      platforms: platformNames(this.#policy, labels).join(','),
    }
    if (this.#size >= COMBINATIONS_MAX) {
      this.#known.clear()
      this.#size = 0
    }
    let byPlatforms = this.#known.get(labels.categories)
    if (byPlatforms === undefined) {
      byPlatforms = new Map()
      this.#known.set(labels.categories, byPlatforms)
    }
    byPlatforms.set(labels.platforms, named)
    this.#size++
    return named
  }
}
