/**
 * Owns: who may hash next: a few at a time; the least suspect first, and of equals each address in turn.
 * Never: lets one address keep the others waiting, however much it sends, or anybody wait for ever.
 */

export interface TurnsOptions {
  /** At work at a time. */
  readonly workingMax: number
  /** Waiting in all; above it the most suspect go, or the longest queue loses its last. */
  readonly waitingMax: number
  /** Waiting of one source. */
  readonly waitingPerSourceMax: number
  /** Who has waited for so long is sent away. */
  readonly waitMaxMs: number
  /** Calls `then` after `ms`, unless what it gives is called first; default the system's timer. */
  readonly after?: After
}

export type After = (ms: number, then: () => void) => () => void

/** Ranks are 0, the least suspect, to this less one. */
export const RANKS = 4
/** Every so many turns go to the most suspect who wait, so that nobody is passed over for good. */
const LAST_FIRST_EVERY = 4

interface Waiting {
  readonly source: number
  rank: number
  /** Asked again when its turn has come: others may have failed meanwhile. */
  readonly rankOf: () => number
  readonly answer: (mayGo: boolean) => void
  stopTimer: () => void
}

/** By source, in the order in which they are served. */
type Queues = Map<number, Waiting[]>

export class Turns {
  readonly #options: TurnsOptions
  readonly #after: After
  /** By rank. */
  readonly #ranks: readonly Queues[] = Array.from({ length: RANKS }, () => new Map())
  #working = 0
  #waiting = 0
  #turn = 0

  constructor(options: TurnsOptions) {
    this.#options = options
    this.#after = options.after ?? systemAfter
  }

  /**
   * True when it is the turn of `source`, and then `done` must be called; false where too many wait, or it
   * has waited for too long. `source` is any number that tells addresses apart.
   */
  take(source: number, rankOf: () => number = () => 0): Promise<boolean> {
    const { workingMax, waitingMax, waitingPerSourceMax, waitMaxMs } = this.#options
    if (this.#working < workingMax) {
      this.#working++
      return Promise.resolve(true)
    }
    let ofSource = 0
    for (const queues of this.#ranks) ofSource += queues.get(source)?.length ?? 0
    if (ofSource >= waitingPerSourceMax) return Promise.resolve(false)
    const rank = rankOf()
    if (this.#waiting >= waitingMax && !this.#sendAway(rank, ofSource + 1)) {
      return Promise.resolve(false)
    }
    return new Promise((answer) => {
      const one: Waiting = { source, rank, rankOf, answer, stopTimer: () => {} }
      one.stopTimer = this.#after(waitMaxMs, () => this.#tooLate(one))
      this.#push(one, rank)
      this.#waiting++
    })
  }

  /** The place goes straight to the next who waits, so that nobody who comes now can take it. */
  done(): void {
    const next = this.#next()
    if (next === null) this.#working--
    else this.#answer(next, true)
  }

  #next(): Waiting | null {
    const lastFirst = ++this.#turn % LAST_FIRST_EVERY === 0
    for (;;) {
      const rank = lastFirst ? this.#lastRank() : this.#ranks.findIndex(({ size }) => size > 0)
      const first = this.#ranks[rank]?.values().next().value?.[0]
      if (first === undefined) return null
      this.#remove(first)
      const rankNow = first.rankOf()
      if (rankNow <= rank) return first
      this.#push(first, rankNow)
    }
  }

  #lastRank(): number {
    return this.#ranks.findLastIndex(({ size }) => size > 0)
  }

  #push(one: Waiting, rank: number): void {
    const queues = this.#ranks[rank]
    if (queues === undefined) throw new Error(`there is no rank ${rank}`)
    one.rank = rank
    const queue = queues.get(one.source)
    if (queue === undefined) queues.set(one.source, [one])
    else queue.push(one)
  }

  #remove(one: Waiting): void {
    const { source, rank } = one
    const queues = this.#ranks[rank]!
    const queue = queues.get(source)!
    const at = queue.indexOf(one)
    queue.splice(at, 1)
    if (at > 0) return
    // The next of a source has its turn when all others have had theirs.
    queues.delete(source)
    if (queue.length > 0) queues.set(source, queue)
  }

  #answer(one: Waiting, mayGo: boolean): void {
    this.#waiting--
    one.stopTimer()
    one.answer(mayGo)
  }

  #tooLate(one: Waiting): void {
    this.#remove(one)
    this.#answer(one, false)
  }

  /**
   * Makes room for one of `rank`, the so-manieth of its source: by the last of the longest queue among the
   * most suspect, where they are more suspect; else of the longest of all, where that is longer.
   */
  #sendAway(rank: number, length: number): boolean {
    const lastRank = this.#lastRank()
    const suspect = lastRank > rank
    let longest: Waiting[] = []
    for (const queues of suspect ? [this.#ranks[lastRank]!] : this.#ranks) {
      for (const queue of queues.values()) if (queue.length > longest.length) longest = queue
    }
    const last = longest.at(-1)
    if (last === undefined || (!suspect && longest.length <= length)) return false
    this.#remove(last)
    this.#answer(last, false)
    return true
  }
}

const systemAfter: After = (ms, then) => {
  const timer = setTimeout(then, ms)
  // Whoever waits has a connection, and that keeps the process.
  timer.unref()
  return () => clearTimeout(timer)
}
