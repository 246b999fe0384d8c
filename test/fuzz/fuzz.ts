/**
 * Owns: a fuzzer guided by coverage: what makes new code run is kept, and changed further.
 * Never: decides what is right; a target throws where it is not.
 */
import { Coverage } from './coverage.ts'
import { Chance, mutate } from './mutate.ts'

export interface Target {
  readonly name: string
  /** Texts in latin1 to begin with. */
  readonly seeds: readonly string[]
  /** What to put in. */
  readonly dictionary: readonly string[]
  /** Part of the URLs of the files whose coverage counts. */
  readonly covers: RegExp
  /** Throws where a promise is broken. What it gives says how it ended: a new end is worth keeping. */
  run(text: string): string
}

export interface Findings {
  readonly runs: number
  /** The seeds, and what was kept: each makes something run that none before it did. */
  readonly corpus: readonly string[]
  /** How many of them are new. */
  readonly found: number
  /** Characters of code that ran. */
  readonly covered: number
  /** Ways to end. */
  readonly ends: readonly string[]
  /** What broke a promise, made as small as could be; and how. */
  readonly broken: { readonly text: string; readonly error: unknown } | null
}

/** Coverage costs a millisecond to ask for: it is asked for so many runs at once. */
const BATCH = 128
const SHRINKS_MAX = 120

export function fuzz(target: Target, runs: number, seed: number): Findings {
  const coverage = new Coverage((url) => target.covers.test(url))
  try {
    return new Fuzzer(target, coverage, new Chance(seed)).go(runs)
  } finally {
    coverage.close()
  }
}

class Fuzzer {
  readonly #target: Target
  readonly #coverage: Coverage
  readonly #chance: Chance
  readonly #corpus: string[] = []
  readonly #ends = new Set<string>()
  #broken: Findings['broken'] = null

  constructor(target: Target, coverage: Coverage, chance: Chance) {
    this.#target = target
    this.#coverage = coverage
    this.#chance = chance
  }

  go(runs: number): Findings {
    const { seeds } = this.#target
    for (const text of seeds) this.#consider(text, false)
    // A target without seeds, or one whose seeds all do the same, begins with nothing.
    if (this.#corpus.length === 0) this.#corpus.push('')
    const given = this.#corpus.length
    let done = seeds.length
    while (done < runs && this.#broken === null) {
      const batch = Array.from({ length: BATCH }, () => this.#next())
      done += BATCH
      this.#coverage.take()
      const ended = batch.map((text) => this.#run(text))
      const newEnd = ended.some((end) => end !== null && !this.#ends.has(end))
      const ran = this.#coverage.take()
      if (!newEnd && this.#coverage.fresh(ran) === 0) continue
      for (const text of batch) this.#consider(text, true)
      // What none of them does alone (one remembers what another read) is not looked for again.
      this.#coverage.keep(ran)
    }
    return {
      runs: done,
      corpus: this.#corpus,
      found: this.#corpus.length - given,
      covered: this.#coverage.total,
      ends: [...this.#ends].sort(),
      broken: this.#broken,
    }
  }

  /** Something like one of the corpus; the latest are tried more often. */
  #next(): string {
    const chance = this.#chance
    const { length } = this.#corpus
    const late = chance.below(2) === 0 ? Math.min(length, 8) : length
    const text = this.#corpus[length - 1 - chance.below(late)]!
    return mutate(text, { chance, dictionary: this.#target.dictionary, others: this.#corpus })
  }

  /** How it ended, or null where a promise is broken. */
  #run(text: string): string | null {
    try {
      return this.#target.run(text)
    } catch (error) {
      this.#broken ??= { text: this.#smaller(text, (less) => this.#breaks(less)), error }
      return null
    }
  }

  #breaks(text: string): boolean {
    try {
      this.#target.run(text)
      return false
    } catch {
      return true
    }
  }

  /** Keeps `text`, with `shrink` made smaller, if it makes something new run or ends in a new way. */
  #consider(text: string, shrink: boolean): void {
    this.#coverage.take()
    const end = this.#run(text)
    if (end === null) return
    const fresh = this.#coverage.fresh(this.#coverage.take())
    if (fresh === 0 && this.#ends.has(end)) return
    const same = (less: string) => {
      this.#coverage.take()
      const ends = !this.#breaks(less) && this.#target.run(less) === end
      return ends && this.#coverage.fresh(this.#coverage.take()) >= fresh
    }
    const kept = shrink ? this.#smaller(text, same) : text
    this.#coverage.take()
    this.#target.run(kept)
    this.#coverage.keep(this.#coverage.take())
    this.#ends.add(end)
    this.#corpus.push(kept)
  }

  /** `text` without what can be left out while `holds`: halves first, single characters last. */
  #smaller(text: string, holds: (less: string) => boolean): string {
    let kept = text
    let tries = 0
    for (let size = Math.ceil(text.length / 2); size >= 1; size = size === 1 ? 0 : size >> 1) {
      for (let at = 0; at < kept.length && tries < SHRINKS_MAX; ) {
        tries++
        const less = kept.slice(0, at) + kept.slice(at + size)
        if (holds(less)) kept = less
        else at += size
      }
    }
    return kept
  }
}
