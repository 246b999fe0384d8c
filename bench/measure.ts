/**
 * Owns: how a bench measures: interleaved rounds, medians, ratios to the first contender, and a
 * random generator with a fixed seed; and the interface of every bench.
 * Never: knows what is measured, or prints.
 *
 * A bench is a file bench/NAME.bench.ts, found by its name, that exports
 *
 *   export const question = 'How many … a second, against …?'
 *   export async function run(options: BenchOptions): Promise<BenchResult>
 *
 * `npm run bench NAME` runs it large and writes bench/results/NAME.json and NAME.md; without a
 * name, all of them. test/bench.test.ts runs each with `small: true`, where it must end within a few
 * seconds and throw where two contenders disagree; what it measures then is worth nothing.
 */
import assert from 'node:assert/strict'
import type { Plot } from './plot.ts'

export interface BenchOptions {
  /** True in the tests: little input, one round, all assertions. */
  readonly small: boolean
  /** Parts of it alone, by the names that the bench gives them; it says which there are. */
  readonly only?: readonly string[]
  /** Else as many as the bench finds enough. */
  readonly rounds?: number
  /** Of each round, where it is the bench that says how long one takes. */
  readonly seconds?: number
  /** In the long list. */
  readonly domains?: number
  /** Of the whole, where a bench may last as long as one likes. */
  readonly minutes?: number
}

export interface Bench {
  readonly question: string
  readonly run: (options: BenchOptions) => Promise<BenchResult>
}

export interface BenchResult {
  readonly comparisons: readonly Comparison[]
  /** Single figures: sizes, build times, counts. */
  readonly facts: readonly Fact[]
  /** What a reader must know to judge the figures: inputs, where the load ran. */
  readonly notes: readonly string[]
  /** Figures in rows and columns: how something grows, what several things take. */
  readonly tables?: readonly Table[]
  /** Kept as bench/results/NAME-PLOT.svg, and shown in NAME.md. */
  readonly plots?: readonly Plot[]
}

export interface Table {
  readonly title: string
  readonly header: readonly string[]
  /** As many cells as the header. */
  readonly rows: readonly (readonly (string | number)[])[]
}

export interface Fact {
  readonly name: string
  readonly value: number
  readonly unit: string
}

/** One thing measured, side by side. The first contender is the baseline. */
export interface Contender {
  readonly name: string
  /** One round: does the work and gives the figure, in the unit of the comparison. */
  readonly round: () => number | Promise<number>
}

export interface ComparisonOptions {
  readonly title: string
  /** `lookups/s`, `µs of CPU a request`. */
  readonly unit: string
  readonly better: 'higher' | 'lower'
  readonly rounds: number
  /** Rounds before the ones that count. */
  readonly warmUpRounds: number
  readonly contenders: readonly Contender[]
}

export interface Comparison {
  readonly title: string
  readonly unit: string
  readonly better: 'higher' | 'lower'
  readonly rounds: number
  readonly rows: readonly ComparisonRow[]
}

export interface ComparisonRow {
  readonly name: string
  readonly median: number
  readonly min: number
  readonly max: number
  /** (max − min) / median. */
  readonly spread: number
  /**
   * How many times better than the baseline, above 1 where better: the median over rounds of the
   * two figures of the same round, so that what slowed both cancels out. 1 for the baseline
   * itself.
   */
  readonly ratio: number
  readonly ratioMin: number
  readonly ratioMax: number
}

/** Runs the contenders in turn, round after round, the order turned by one each time. */
export async function compare(options: ComparisonOptions): Promise<Comparison> {
  const { title, unit, better, rounds, warmUpRounds, contenders } = options
  assert(rounds > 0 && contenders.length > 0, `${title}: nothing to measure`)
  const figures = contenders.map((): number[] => [])
  for (let round = -warmUpRounds; round < rounds; round++) {
    for (let turn = 0; turn < contenders.length; turn++) {
      const i = (turn + round + warmUpRounds) % contenders.length
      const figure = await contenders[i]!.round()
      assert(
        Number.isFinite(figure) && figure > 0,
        `${title}: ${contenders[i]!.name} gave ${figure}`,
      )
      if (round >= 0) figures[i]!.push(figure)
    }
  }
  const baseline = figures[0]!
  const rows = contenders.map(({ name }, i): ComparisonRow => {
    const own = figures[i]!
    const ratios = own.map((figure, round) =>
      better === 'higher' ? figure / baseline[round]! : baseline[round]! / figure,
    )
    const [min, max] = [Math.min(...own), Math.max(...own)]
    return {
      name,
      median: median(own),
      min,
      max,
      spread: (max - min) / median(own),
      ratio: median(ratios),
      ratioMin: Math.min(...ratios),
      ratioMax: Math.max(...ratios),
    }
  })
  return { title, unit, better, rounds, rows }
}

/** Operations a second, where `work` does `operations` of them. */
export function perSecond(operations: number, work: () => void): number {
  const beganMs = performance.now()
  work()
  return (operations * 1_000) / (performance.now() - beganMs)
}

/**
 * The middle value; the mean of the two in the middle where the number is even. Throws for none.
 */
export function median(values: readonly number[]): number {
  assert(values.length > 0, 'the median of nothing')
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >>> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

/** Gives numbers from 0 (included) to 1 (excluded), the same for the same seed on every machine. */
export type Random = () => number

/** sfc32 (Chris Doty-Humphrey, PractRand), seeded by one word. */
export function randomOf(seed: number): Random {
  let [a, b, c, counter] = [0, seed | 0, 0x9e3779b9 | 0, 1]
  const next = () => {
    const sum = (((a + b) | 0) + counter) | 0
    counter = (counter + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = (((c << 21) | (c >>> 11)) + sum) | 0
    return (sum >>> 0) / 2 ** 32
  }
  // The first numbers of a small seed are alike.
  for (let i = 0; i < 15; i++) next()
  return next
}

/** A number from 0 to `limit` - 1. */
export function below(random: Random, limit: number): number {
  return Math.floor(random() * limit)
}

/** Ranks from 0 to `count` - 1, rank r as often as 1 / (r + 1): how visits spread over sites. */
export function zipfOf(random: Random, count: number): () => number {
  const cumulative = new Float64Array(count)
  let sum = 0
  for (let rank = 0; rank < count; rank++) {
    sum += 1 / (rank + 1)
    cumulative[rank] = sum
  }
  return () => {
    const wanted = random() * sum
    let [low, high] = [0, count - 1]
    while (low < high) {
      const middle = (low + high) >>> 1
      if (cumulative[middle]! > wanted) high = middle
      else low = middle + 1
    }
    return low
  }
}
