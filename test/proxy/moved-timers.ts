/**
 * Owns: a clock and its timers, moved by a test.
 * Never: goes on by itself.
 */
import type { Timer, Timers } from '../../src/proxy/timers.ts'

interface Waiting {
  readonly atMs: number
  readonly run: () => void
}

export class MovedTimers implements Timers {
  nowMs = 1_000
  #waiting: Waiting[] = []

  /** Timers that have neither run nor been cleared. */
  get left(): number {
    return this.#waiting.length
  }

  set<T>(run: (of: T) => void, afterMs: number, of: T): Timer {
    const timer = { atMs: this.nowMs + afterMs, run: () => run(of) }
    this.#waiting.push(timer)
    return timer
  }

  clear(timer: Timer): void {
    this.#waiting = this.#waiting.filter((other) => other !== timer)
  }

  /** Runs what is due on the way, in order. */
  move(byMs: number): void {
    const untilMs = this.nowMs + byMs
    for (;;) {
      const due = this.#waiting.filter(({ atMs }) => atMs <= untilMs)
      const next = due.reduce<Waiting | null>(
        (a, b) => (a === null || b.atMs < a.atMs ? b : a),
        null,
      )
      if (next === null) break
      this.clear(next)
      this.nowMs = next.atMs
      next.run()
    }
    this.nowMs = untilMs
  }
}
