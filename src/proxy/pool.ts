/**
 * Owns: idle connections to origins, bounded per origin and in all, and when they are too old to use.
 * Never: dials, or keeps a connection on which anything has been said since its last answer.
 */
import type { Socket } from 'node:net'

export interface PoolLimits {
  readonly poolPerOrigin: number
  readonly poolTotal: number
  readonly poolIdleMs: number
}

interface Idle {
  readonly socket: Socket
  readonly sinceMs: number
  readonly forget: () => void
}

export class Pool {
  #limits: PoolLimits
  readonly #idle = new Map<string, Idle[]>()
  #total = 0
  /** How often it was cleared: a connection of an earlier era is not to be given back. */
  era = 0

  constructor(limits: PoolLimits) {
    this.#limits = limits
  }

  get size(): number {
    return this.#total
  }

  configure(limits: PoolLimits): void {
    this.#limits = limits
  }

  /** The connection to `origin` that was used last, or null. */
  take(origin: string): Socket | null {
    for (;;) {
      const idle = this.#idle.get(origin)?.at(-1)
      if (idle === undefined) return null
      this.#remove(origin, idle)
      // One that failed a moment ago has not told us of its close yet.
      if (isFit(idle.socket)) return idle.socket
      idle.socket.destroy()
    }
  }

  /** Keeps `socket` for the next request to `origin`, or closes it where there is no room. */
  give(origin: string, socket: Socket, nowMs: number): void {
    const list = this.#idle.get(origin) ?? []
    const full = list.length >= this.#limits.poolPerOrigin || this.#total >= this.#limits.poolTotal
    if (full || !isFit(socket)) {
      socket.destroy()
      return
    }
    const drop = () => {
      this.#remove(origin, idle)
      socket.destroy()
    }
    const forget = () => {
      for (const event of ['data', 'end', 'close']) socket.off(event, drop)
    }
    const idle: Idle = { socket, sinceMs: nowMs, forget }
    for (const event of ['data', 'end', 'close']) socket.on(event, drop)
    socket.resume()
    list.push(idle)
    this.#idle.set(origin, list)
    this.#total++
  }

  /** Closes what has been idle for too long. */
  sweep(nowMs: number): void {
    for (const [origin, list] of this.#idle) {
      for (const idle of [...list]) {
        if (nowMs - idle.sinceMs < this.#limits.poolIdleMs) continue
        this.#remove(origin, idle)
        idle.socket.destroy()
      }
    }
  }

  clear(): void {
    this.era++
    for (const [origin, list] of this.#idle) {
      for (const idle of [...list]) {
        this.#remove(origin, idle)
        idle.socket.destroy()
      }
    }
  }

  #remove(origin: string, idle: Idle): void {
    const list = this.#idle.get(origin)
    const at = list?.indexOf(idle) ?? -1
    if (list === undefined || at < 0) return
    idle.forget()
    list.splice(at, 1)
    if (list.length === 0) this.#idle.delete(origin)
    this.#total--
  }
}

/** Open both ways, and with nothing said that nobody has read: that would be taken for the next answer. */
function isFit(socket: Socket): boolean {
  const { destroyed, readableEnded, readableLength, writable } = socket
  return !destroyed && !readableEnded && readableLength === 0 && writable
}
