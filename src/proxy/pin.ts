/**
 * Owns: the one origin connection that a client has signed in (NTLM, Negotiate) and that is kept for it alone.
 * Never: gives it to anybody else, or keeps it when something is said on it between two answers.
 */
import { NOBODY, type Wire, type WireOwner } from './wire.ts'

export class Pin implements WireOwner {
  #wire: Wire | null = null
  #origin = ''
  #era = 0

  /** `era` is the pool's: a connection of an earlier one is not used again. */
  keep(origin: string, wire: Wire, era: number): void {
    this.drop()
    this.#wire = wire
    this.#origin = origin
    this.#era = era
    wire.owner = this
    wire.resume()
  }

  /** The connection to `origin`, or null; it is its taker's. */
  take(origin: string, era: number): Wire | null {
    const wire = this.#wire
    if (wire === null || origin !== this.#origin || era !== this.#era) return null
    this.#wire = null
    wire.owner = NOBODY
    return wire
  }

  drop(): void {
    const wire = this.#wire
    this.#wire = null
    if (wire === null) return
    wire.owner = NOBODY
    wire.destroy()
  }

  onBytes(): void {
    this.drop()
  }

  onEnd(): void {
    this.drop()
  }

  onDrain(): void {}

  onClose(): void {
    this.drop()
  }
}
