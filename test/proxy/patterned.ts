/**
 * Owns: bytes that say where in which stream they belong, sent in any sizes and checked as they come.
 * Never: keeps what it has checked.
 */
import type { Socket } from 'node:net'

/** A prime: no buffer's size divides it, so that a piece from the wrong place never fits. */
const PERIOD = 1_048_573
const PATTERN = makePattern()
/** Streams begin at different places, so that a piece of another one never fits. */
const SEED_STEP = 7_919

function makePattern(): Buffer {
  const once = Buffer.alloc(PERIOD)
  let word = 1
  for (let i = 0; i < PERIOD; i++) {
    word = (Math.imul(word, 1_664_525) + 1_013_904_223) >>> 0
    once[i] = word >>> 24
  }
  return Buffer.concat([once, once])
}

/** `length` bytes, at most PERIOD, at `offset` of the stream `seed`. */
function piece(seed: number, offset: number, length: number): Buffer {
  const at = (seed * SEED_STEP + offset) % PERIOD
  return PATTERN.subarray(at, at + length)
}

function isAt(seed: number, offset: number, bytes: Buffer): boolean {
  for (let done = 0; done < bytes.length; done += PERIOD) {
    const part = bytes.subarray(done, done + PERIOD)
    if (!part.equals(piece(seed, offset + done, part.length))) return false
  }
  return true
}

export class Writer {
  readonly #socket: Socket
  readonly #seed: number
  sent = 0

  constructor(socket: Socket, seed: number) {
    this.#socket = socket
    this.#seed = seed
  }

  /** Writes in these sizes. */
  send(sizes: readonly number[]): this {
    for (const size of sizes) {
      for (let left = size; left > 0; ) {
        const length = Math.min(left, PERIOD)
        this.#socket.write(piece(this.#seed, this.sent, length))
        this.sent += length
        left -= length
      }
    }
    return this
  }

  end(): void {
    this.#socket.end()
  }

  /** Whether `bytes` are exactly what has been sent. */
  isSent(bytes: Buffer): boolean {
    return bytes.length === this.sent && isAt(this.#seed, 0, bytes)
  }
}

/** Reads what a writer of the same seed sent, resting as it is told. */
export class Reader {
  readonly #socket: Socket
  readonly #seed: number
  readonly #rests: readonly number[]
  #pieces = 0
  received = 0
  ended = false
  /** What was wrong first; empty: nothing. */
  fault = ''

  /** Before each piece it does nothing for so many turns of the loop. */
  constructor(socket: Socket, seed: number, rests: readonly number[]) {
    this.#socket = socket
    this.#seed = seed
    this.#rests = rests
    socket.on('data', (bytes: Buffer) => this.#take(bytes))
    socket.once('end', () => {
      this.ended = true
    })
    socket.once('error', ({ message }) => {
      this.fault ||= message
      this.ended = true
    })
  }

  #take(bytes: Buffer): void {
    if (!isAt(this.#seed, this.received, bytes)) this.fault ||= `wrong after ${this.received} bytes`
    this.received += bytes.length
    const turns = this.#rests[this.#pieces++ % this.#rests.length]!
    if (turns > 0) this.#rest(turns)
  }

  #rest(turns: number): void {
    this.#socket.pause()
    const next = (left: number) => {
      if (left === 0) this.#socket.resume()
      else setImmediate(next, left - 1)
    }
    next(turns)
  }
}
