/**
 * Owns: whether a client that we wait for is too slow: less than a rate, over a window, all the while waited for.
 * Never: reads a clock.
 */

export interface PaceLimits {
  /** 0: no limit. */
  readonly slowestBytesPerSecond: number
  readonly slowestOverMs: number
}

export class Pace {
  /** When the window began, and what had moved then; -1: we are not waiting. */
  #sinceMs = -1
  #sinceBytes = 0

  /**
   * Call every second. `waiting`: it is the client's turn, to send or to take; `movedBytes`: all it has sent
   * and taken so far. True where it has been too slow for a whole window.
   */
  isTooSlow(limits: PaceLimits, nowMs: number, waiting: boolean, movedBytes: number): boolean {
    const { slowestBytesPerSecond, slowestOverMs } = limits
    if (!waiting || slowestBytesPerSecond === 0) {
      this.#sinceMs = -1
      return false
    }
    if (this.#sinceMs < 0) {
      this.#sinceMs = nowMs
      this.#sinceBytes = movedBytes
      return false
    }
    const overMs = nowMs - this.#sinceMs
    if (overMs < slowestOverMs) return false
    const moved = movedBytes - this.#sinceBytes
    this.#sinceMs = nowMs
    this.#sinceBytes = movedBytes
    return moved < (slowestBytesPerSecond * overMs) / 1_000
  }
}
