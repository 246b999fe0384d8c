/**
 * Owns: chance that can be repeated, and the changes a fuzzer makes to bytes.
 * Never: knows what the bytes mean; a dictionary does.
 */

/** Numbers from a seed (mulberry32), the same each time. */
export class Chance {
  #state: number

  constructor(seed: number) {
    this.#state = seed >>> 0
  }

  /** 0 to `limit` - 1. */
  below(limit: number): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let mixed = this.#state
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) % limit
  }

  of<T>(choices: readonly T[]): T {
    return choices[this.below(choices.length)]!
  }
}

const LENGTH_MAX = 2_000
const ODD_BYTES = [0, 9, 10, 11, 13, 32, 34, 37, 44, 45, 47, 48, 58, 64, 92, 95, 127, 128, 255]

/** `text` (latin1) with one to five changes; `others` lend their parts. */
export function mutate(text: string, { chance, dictionary, others }: Material): string {
  let changed = text
  for (let left = 1 + chance.below(5); left > 0; left--) {
    changed = change(changed, chance, dictionary, others)
  }
  return changed.slice(0, LENGTH_MAX)
}

export interface Material {
  readonly chance: Chance
  readonly dictionary: readonly string[]
  readonly others: readonly string[]
}

function change(
  text: string,
  chance: Chance,
  dictionary: readonly string[],
  others: readonly string[],
): string {
  const at = chance.below(text.length + 1)
  const length = 1 + chance.below(chance.below(4) === 0 ? 32 : 3)
  const before = text.slice(0, at)
  const after = text.slice(at)
  switch (chance.below(9)) {
    case 0:
      return before + after.slice(length)
    case 1:
      return before + String.fromCharCode(chance.of(ODD_BYTES)) + after
    case 2:
      return before + String.fromCharCode(chance.below(256)) + after.slice(1)
    case 3:
      return before + flipped(after, chance) + after.slice(1)
    case 4:
      return before + after.slice(0, length).repeat(2 + chance.below(3)) + after.slice(length)
    case 5:
      return before + partOf(chance.of(others), chance) + after
    case 6:
      return before + partOf(chance.of(others), chance)
    case 7:
      return before + word(chance, dictionary) + after.slice(length)
    default:
      return before + word(chance, dictionary) + after
  }
}

function word(chance: Chance, dictionary: readonly string[]): string {
  return dictionary.length === 0 ? '' : chance.of(dictionary)
}

/** The first character with one bit changed: letters change case, digits their value. */
function flipped(text: string, chance: Chance): string {
  return text === '' ? '' : String.fromCharCode(text.charCodeAt(0) ^ (1 << chance.below(8)))
}

function partOf(text: string, chance: Chance): string {
  const from = chance.below(text.length + 1)
  return text.slice(from, from + chance.below(64))
}
