/**
 * Owns: many tunnels to an echo with traffic on each, and the proof that none closed and no byte was lost.
 * Never: sends faster than the answers come: on a slow machine it is only slower.
 */
import type { Socket } from 'node:net'
import { until } from './sluss.ts'
import { openTunnel } from './tunnel.ts'

const BLOCK_BYTES = 500
/** Between the echo of one block and the next: two hundred tunnels must leave the machine some rest. */
const PAUSE_MS = 40

class Echoed {
  readonly socket: Socket
  readonly #number: number
  sent = 0
  received = 0
  fault = ''
  running = true

  constructor(socket: Socket, number: number) {
    this.socket = socket
    this.#number = number
    socket.on('data', (bytes: Buffer) => this.#receive(bytes))
    socket.on('error', () => {})
    socket.once('close', () => this.#fail('was closed'))
    socket.resume()
    this.#send()
  }

  #fail(what: string): void {
    this.fault ||= `tunnel ${this.#number} ${what} after ${this.received} bytes`
  }

  /** Byte `at` of what this tunnel sends: another in each tunnel, and with no short period. */
  #byteAt(at: number): number {
    return (at * 7 + (at >> 8) + this.#number * 13) & 0xff
  }

  #send(): void {
    if (!this.running || this.socket.destroyed) return
    const block = Buffer.alloc(BLOCK_BYTES)
    for (let i = 0; i < block.length; i++) block[i] = this.#byteAt(this.sent + i)
    this.sent += block.length
    this.socket.write(block)
  }

  #receive(bytes: Buffer): void {
    for (const byte of bytes) {
      if (byte !== this.#byteAt(this.received)) this.#fail('got a wrong byte')
      this.received++
    }
    if (this.received === this.sent) setTimeout(() => this.#send(), PAUSE_MS)
  }
}

export class Tunnels {
  readonly #all: readonly Echoed[]

  private constructor(all: readonly Echoed[]) {
    this.#all = all
  }

  /** Opens `count` tunnels, dealt out over `authorities`. Rejects where one is refused. */
  static async open(port: number, count: number, authorities: readonly string[]): Promise<Tunnels> {
    const opened = Array.from({ length: count }, async (_, i) => {
      const { reply, socket } = await openTunnel(port, authorities[i % authorities.length]!)
      if (reply.status !== 200) throw new Error(`tunnel ${i}: ${reply.line}`)
      return new Echoed(socket, i)
    })
    return new Tunnels(await Promise.all(opened))
  }

  /** What has gone wrong so far. */
  get faults(): string[] {
    return this.#all.flatMap(({ fault }) => (fault === '' ? [] : [fault]))
  }

  /** Waits until each of them has carried more, or something has gone wrong. */
  async move(): Promise<void> {
    const before = this.#all.map(({ received }) => received)
    await until('every tunnel carries more', () => {
      if (this.faults.length > 0) return true
      return this.#all.every(({ received }, i) => received >= before[i]! + 2 * BLOCK_BYTES)
    })
  }

  /** Sends no more, waits for all that is on its way, and gives how many bytes each has carried. */
  async settle(): Promise<number[]> {
    for (const tunnel of this.#all) tunnel.running = false
    await until('every byte has come back', () => {
      return this.faults.length > 0 || this.#all.every(({ sent, received }) => sent === received)
    })
    return this.#all.map(({ received }) => received)
  }

  close(): void {
    for (const { socket } of this.#all) socket.destroy()
  }
}
