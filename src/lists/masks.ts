/**
 * Owns: the different combinations of labels while an image is built, each with a number; and what
 * each kind of source adds to one.
 * Never: knows hosts or addresses.
 */
import type { LabelTarget } from '../policy/source.ts'
import {
  FLAG_NEVER_BLOCK,
  MASK_BACKGROUND,
  MASK_CATEGORIES,
  MASK_EXCEPTED_CATEGORIES,
  MASK_EXCEPTED_PLATFORMS,
  MASK_FLAGS,
  MASK_PLATFORMS,
  MASK_WORDS,
  MASKS_MAX,
} from './layout.ts'

/** What a source means: entries of that list, or its exceptions. */
export interface SourceKind {
  /** Index of the list. */
  readonly list: number
  /** True where what it names is freed. */
  readonly frees: boolean
}

/** MASK_WORDS words, as layout.ts has them in a mask. */
export type MaskLabels = readonly number[]

export const NO_MASK_LABELS: MaskLabels = new Array<number>(MASK_WORDS).fill(0)

export class Masks {
  readonly #words: number[] = [...NO_MASK_LABELS]
  readonly #ids = new Map<string, number>([[NO_MASK_LABELS.join(), 0]])
  readonly #kinds: readonly MaskLabels[]
  /** Of each mask and kind together: the id, so that a name costs one look-up and no arithmetic. */
  readonly #joined = new Map<number, number>()
  /** More combinations than there are ids for: the masks are of no use. */
  overflowed = false

  constructor(kinds: readonly MaskLabels[]) {
    this.#kinds = kinds
  }

  /** The id of mask `mask` together with the labels of kind `kind`. */
  join(mask: number, kind: number): number {
    const key = mask * this.#kinds.length + kind
    const known = this.#joined.get(key)
    if (known !== undefined) return known
    const id = this.idOf(united(this.labelsOf(mask), this.#kinds[kind]!))
    this.#joined.set(key, id)
    return id
  }

  /** The id of those labels. */
  idOf(labels: MaskLabels): number {
    const name = labels.join()
    const known = this.#ids.get(name)
    if (known !== undefined) return known
    const id = this.#ids.size
    if (id >= MASKS_MAX) {
      this.overflowed = true
      return 0
    }
    this.#ids.set(name, id)
    this.#words.push(...labels)
    return id
  }

  labelsOf(id: number): MaskLabels {
    return this.#words.slice(id * MASK_WORDS, (id + 1) * MASK_WORDS)
  }

  get count(): number {
    return this.#ids.size
  }

  words(): Int32Array {
    return Int32Array.from(this.#words)
  }
}

/** What entries of a list with that target say, or its exceptions. */
export function labelsOfTarget(target: LabelTarget, frees: boolean): MaskLabels {
  const words = [...NO_MASK_LABELS]
  if (target.kind === 'exception') {
    words[MASK_EXCEPTED_CATEGORIES] = 1 << target.bit
    words[MASK_EXCEPTED_PLATFORMS] = target.platforms | 0
  } else if (target.kind === 'category') {
    words[frees ? MASK_EXCEPTED_CATEGORIES : MASK_CATEGORIES] = 1 << target.bit
  } else if (target.kind === 'neverBlock') {
    // Nothing frees from never being blocked.
    if (!frees) words[MASK_FLAGS] = FLAG_NEVER_BLOCK
  } else if (frees) {
    words[MASK_EXCEPTED_PLATFORMS] = 1 << target.bit
  } else {
    words[MASK_PLATFORMS] = 1 << target.bit
    if (target.kind === 'background') words[MASK_BACKGROUND] = 1 << target.bit
  }
  return words
}

/** Both, as two sources of one name. */
function united(one: MaskLabels, other: MaskLabels): MaskLabels {
  return one.map((word, i) => word | other[i]!)
}

/** What holds below `above` where `mask` stands: its labels added, then its exceptions taken away. */
export function resolved(above: MaskLabels, mask: MaskLabels): MaskLabels {
  const words = united(above, mask)
  const freed = [...NO_MASK_LABELS]
  freed[MASK_CATEGORIES] = mask[MASK_EXCEPTED_CATEGORIES]!
  freed[MASK_PLATFORMS] = mask[MASK_EXCEPTED_PLATFORMS]!
  freed[MASK_BACKGROUND] = mask[MASK_EXCEPTED_PLATFORMS]!
  freed[MASK_EXCEPTED_CATEGORIES] = -1
  freed[MASK_EXCEPTED_PLATFORMS] = -1
  return words.map((word, i) => word & ~freed[i]!)
}

/** True where it lists something, rather than only to free. */
export function lists(labels: MaskLabels): boolean {
  return labels.slice(0, MASK_EXCEPTED_CATEGORIES).some((word) => word !== 0)
}
