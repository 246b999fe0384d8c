/**
 * Owns: who may hash next: a few at a time, and of those who wait, each address in turn.
 * Never: lets one address keep the others waiting, however much it sends.
 */

export interface TurnsOptions {
  /** At work at a time. */
  readonly workingMax: number
  /** Waiting in all; above it the longest queue loses its last. */
  readonly waitingMax: number
  /** Waiting of one source. */
  readonly waitingPerSourceMax: number
}

type Waiting = (mayGo: boolean) => void

export class Turns {
  readonly #options: TurnsOptions
  /** By source, in the order in which they are served. */
  readonly #queues = new Map<number, Waiting[]>()
  #working = 0
  #waiting = 0

  constructor(options: TurnsOptions) {
    this.#options = options
  }

  /**
   * True when it is the turn of `source`, and then `done` must be called; false where too many wait.
   * `source` is any number that tells addresses apart.
   */
  take(source: number): Promise<boolean> {
    const { workingMax, waitingMax, waitingPerSourceMax } = this.#options
    if (this.#working < workingMax) {
      this.#working++
      return Promise.resolve(true)
    }
    const queue = this.#queues.get(source) ?? []
    if (queue.length >= waitingPerSourceMax) return Promise.resolve(false)
    if (this.#waiting >= waitingMax && !this.#sendAway(queue.length + 1)) {
      return Promise.resolve(false)
    }
    this.#queues.set(source, queue)
    this.#waiting++
    return new Promise((resolve) => queue.push(resolve))
  }

  /** The place goes straight to the next who waits, so that nobody who comes now can take it. */
  done(): void {
    const first = this.#queues.entries().next().value
    if (first === undefined) {
      this.#working--
      return
    }
    const [source, queue] = first
    const next = queue.shift()!
    this.#queues.delete(source)
    // Its next has its turn when all others have had theirs.
    if (queue.length > 0) this.#queues.set(source, queue)
    this.#waiting--
    next(true)
  }

  /** Makes room by the last of the longest queue, where that is longer than `length`. */
  #sendAway(length: number): boolean {
    let longest: Waiting[] = []
    for (const queue of this.#queues.values()) if (queue.length > longest.length) longest = queue
    if (longest.length <= length) return false
    this.#waiting--
    longest.pop()!(false)
    return true
  }
}
