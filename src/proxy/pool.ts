/**
 * Owns: idle connections to origins, bounded per origin and in all, and when they are too old to use.
 * Never: dials, or keeps a connection on which anything has been said since its last answer.
 */
import type { Reason } from '../policy/index.ts'
import { NOBODY, type Wire, type WireOwner } from './wire.ts'

export interface PoolLimits {
  readonly poolPerOrigin: number
  readonly poolTotal: number
  readonly poolIdleMs: number
}

/** The owner of an idle wire: whatever happens to it, it is of no more use. */
class Idle implements WireOwner {
  readonly wire: Wire
  readonly origin: string
  readonly sinceMs: number
  readonly #pool: Pool

  constructor(pool: Pool, origin: string, wire: Wire, sinceMs: number) {
    this.#pool = pool
    this.origin = origin
    this.wire = wire
    this.sinceMs = sinceMs
  }

  onBytes(): void {
    this.#pool.drop(this)
  }

  onEnd(): void {
    this.#pool.drop(this)
  }

  onClose(): void {
    this.#pool.drop(this)
  }

  onDrain(): void {}
}

export class Pool {
  #limits: PoolLimits
  readonly #closed: (reason: Reason) => void
  readonly #idle = new Map<string, Idle[]>()
  #total = 0
  /** How often it was cleared: a connection of an earlier era is not to be given back. */
  era = 0

  /** `closed` is told of each connection that a limit closes. */
  constructor(limits: PoolLimits, closed: (reason: Reason) => void) {
    this.#limits = limits
    this.#closed = closed
  }

  get size(): number {
    return this.#total
  }

  configure(limits: PoolLimits): void {
    this.#limits = limits
  }

  /** The connection to `origin` that was used last, or null. Its owner is whoever takes it. */
  take(origin: string): Wire | null {
    const list = this.#idle.get(origin)
    if (list === undefined) return null
    let wire: Wire | null = null
    while (wire === null && list.length > 0) {
      const idle = list.pop()!
      this.#total--
      idle.wire.owner = NOBODY
      // One that has just closed says so only in a later turn.
      if (isFit(idle.wire)) wire = idle.wire
    }
    if (list.length === 0) this.#idle.delete(origin)
    return wire
  }

  /** Keeps `wire` for the next request to `origin`, or closes it where there is no room. */
  give(origin: string, wire: Wire, nowMs: number): void {
    const list = this.#idle.get(origin)
    const full =
      (list?.length ?? 0) >= this.#limits.poolPerOrigin || this.#total >= this.#limits.poolTotal
    if (full || !isFit(wire)) {
      if (full) this.#closed('pool-full')
      wire.owner = NOBODY
      wire.destroy()
      return
    }
    const idle = new Idle(this, origin, wire, nowMs)
    wire.owner = idle
    wire.resume()
    if (list === undefined) this.#idle.set(origin, [idle])
    else list.push(idle)
    this.#total++
  }

  /** Closes what has been idle for too long: the oldest of each origin stand first. */
  sweep(nowMs: number): void {
    for (const list of [...this.#idle.values()]) {
      const fresh = list.findIndex(({ sinceMs }) => nowMs - sinceMs < this.#limits.poolIdleMs)
      for (const idle of list.slice(0, fresh < 0 ? list.length : fresh)) {
        this.#closed('pool-idle')
        this.drop(idle)
      }
    }
  }

  clear(): void {
    this.era++
    for (const list of [...this.#idle.values()]) {
      for (const idle of [...list]) this.drop(idle)
    }
  }

  /** Closes an idle connection. */
  drop(idle: Idle): void {
    const list = this.#idle.get(idle.origin)
    const at = list?.indexOf(idle) ?? -1
    if (list === undefined || at < 0) return
    list.splice(at, 1)
    if (list.length === 0) this.#idle.delete(idle.origin)
    this.#total--
    idle.wire.owner = NOBODY
    idle.wire.destroy()
  }
}

/** Open both ways, and with nothing of ours still to be sent. */
function isFit(wire: Wire): boolean {
  return !wire.ended && wire.writable && !wire.full
}
