/**
 * Owns: a wire as a stream of Node's, for what only streams can carry: TLS of our own (tls-page.ts).
 * Never: on the way of a request that is carried; there the copies and turns of a stream would cost too much.
 */
import { Duplex } from 'node:stream'
import { errorName } from './tcp.ts'
import type { Wire, WireOwner } from './wire.ts'

type Done = (error?: Error | null) => void

/** Takes the wire over; destroying the stream closes it, and the other way round. */
export class WireStream extends Duplex implements WireOwner {
  readonly #wire: Wire
  /** Of a write, or the end, that the kernel has not taken. */
  #waiting: Done | null = null

  constructor(wire: Wire) {
    super({ allowHalfOpen: true })
    this.#wire = wire
    wire.owner = this
  }

  // --- the wire's side ---

  onBytes(bytes: Buffer): void {
    // They are lent: a stream keeps what it is given.
    if (!this.push(Buffer.from(bytes))) this.#wire.pause()
  }

  onEnd(): void {
    this.push(null)
  }

  onDrain(): void {
    this.#settle(null)
  }

  onClose(): void {
    const { error, ended } = this.#wire
    const wrong = error === 0 && ended ? null : new Error(error === 0 ? 'closed' : errorName(error))
    this.#settle(wrong)
    this.destroy(wrong ?? undefined)
  }

  #settle(error: Error | null): void {
    const waiting = this.#waiting
    this.#waiting = null
    waiting?.(error)
  }

  // --- the stream's side ---

  override _read(): void {
    this.#wire.resume()
  }

  override _write(bytes: Buffer, _encoding: BufferEncoding, done: Done): void {
    this.#wire.write(bytes)
    this.#whenTaken(done)
  }

  override _final(done: Done): void {
    this.#wire.end()
    this.#whenTaken(done)
  }

  #whenTaken(done: Done): void {
    if (this.#wire.full && !this.#wire.destroyed) this.#waiting = done
    else done()
  }

  override _destroy(error: Error | null, done: Done): void {
    this.#wire.destroy()
    done(error)
  }
}
