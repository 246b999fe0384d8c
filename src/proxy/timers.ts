/**
 * Owns: what the data plane asks of timers, so that a test can be the clock.
 * Never: runs anything by itself.
 */

export type Timer = unknown

export interface Timers {
  /** Calls `run(of)` once, `afterMs` from now. */
  set<T>(run: (of: T) => void, afterMs: number, of: T): Timer
  clear(timer: Timer): void
}

export const systemTimers: Timers = {
  set: (run, afterMs, of) => setTimeout(run, afterMs, of),
  clear: (timer) => clearTimeout(timer as NodeJS.Timeout),
}
