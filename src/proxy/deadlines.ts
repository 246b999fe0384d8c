/**
 * Owns: timers that are nearly always taken back before their time, as those of connecting are.
 * Never: is exact: a deadline is up to STEP_MS late.
 *
 * Node keeps a list and a timer of the kernel for each duration, made and thrown away with the only one that
 * waits; a dial would pay for both. Here one interval looks at all of them.
 */
import type { Timer, Timers } from './timers.ts'

export const STEP_MS = 20
/** The interval stops when nothing has waited for so many steps. */
const STEPS_EMPTY_MAX = 250

interface Deadline {
  atMs: number
  /** Null: taken back, or over. */
  run: ((of: never) => void) | null
  of: unknown
}

export class Deadlines implements Timers {
  readonly #now: () => number
  readonly #waiting: Deadline[] = []
  #interval: NodeJS.Timeout | null = null
  #stepsEmpty = 0

  /** `now`: milliseconds that never jump. */
  constructor(now: () => number) {
    this.#now = now
  }

  set<T>(run: (of: T) => void, afterMs: number, of: T): Timer {
    const deadline: Deadline = { atMs: this.#now() + afterMs, run, of }
    this.#waiting.push(deadline)
    this.#interval ??= setInterval(() => this.step(), STEP_MS).unref()
    return deadline
  }

  clear(timer: Timer): void {
    const deadline = timer as Deadline
    deadline.run = null
    deadline.of = null
  }

  /** Runs what is due. The interval calls it; tests do, with a clock of their own. */
  step(): void {
    const waiting = this.#waiting
    this.#stepsEmpty = waiting.length === 0 ? this.#stepsEmpty + 1 : 0
    if (this.#stepsEmpty > STEPS_EMPTY_MAX && this.#interval !== null) {
      clearInterval(this.#interval)
      this.#interval = null
      this.#stepsEmpty = 0
    }
    if (waiting.length === 0) return
    let count = 0
    for (const deadline of waiting) if (deadline.run !== null) waiting[count++] = deadline
    waiting.length = count
    const nowMs = this.#now()
    // What one of them sets waits for the next step; what it fails to let run stays, and runs then.
    for (let i = 0; i < count; i++) if (waiting[i]!.atMs <= nowMs) run(waiting[i]!)
  }
}

function run(deadline: Deadline): void {
  const { run, of } = deadline
  deadline.run = null
  run?.(of as never)
}
