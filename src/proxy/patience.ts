/**
 * Owns: whose turn it is in a forwarded exchange, and how long we wait for them.
 * Never: ends anything; the forward does.
 */
import { Pace, type PaceLimits } from './pace.ts'

export interface PatienceLimits extends PaceLimits {
  readonly originTimeoutMs: number
  readonly tunnelIdleMs: number
}

export interface Turn {
  /** It is the client's: to send more of its body, or to take what waits for it. */
  readonly ofClient: boolean
  /** The client has ended its side: it may wait for its answer still, or be gone. */
  readonly clientEnded: boolean
  /** All that has moved so far. */
  readonly movedBytes: number
}

export type Overdue = 'client-too-slow' | 'client-gone' | 'origin-timeout'

/**
 * A client that has ended its side and hears nothing for so long is taken to be gone. Browsers never end
 * one side only; programs that do, wait for answers that come.
 */
const CLIENT_ENDED_MS = 15_000

export class Patience {
  readonly #pace = new Pace()
  #moved = true
  #movedMs = 0

  /** Something has moved, in either direction. */
  moved(): void {
    this.#moved = true
  }

  /** Call every second. Null: we go on waiting. */
  overdue(limits: PatienceLimits, nowMs: number, turn: Turn): Overdue | null {
    if (this.#moved) this.#movedMs = nowMs
    this.#moved = false
    const silentMs = nowMs - this.#movedMs
    if (this.#pace.isTooSlow(limits, nowMs, turn.ofClient, turn.movedBytes))
      return 'client-too-slow'
    if (turn.clientEnded && silentMs >= CLIENT_ENDED_MS) return 'client-gone'
    // Without a limit of pace (slowestBytes: 0) a client may be silent for as long as a tunnel.
    if (turn.ofClient) return silentMs >= limits.tunnelIdleMs ? 'client-too-slow' : null
    return silentMs >= limits.originTimeoutMs ? 'origin-timeout' : null
  }
}
