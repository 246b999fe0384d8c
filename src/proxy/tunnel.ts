/**
 * Owns: two sockets joined: bytes both ways, back-pressure, half-close, idle time, the count of bytes.
 * Never: looks into the bytes, or decides; its flow is cut from outside when the minutes are spent.
 */
import type { Socket } from 'node:net'
import type { Ending } from '../policy/index.ts'
import type { Flow } from './flow.ts'

/** How long a side may take nothing of what the other sent before it closed. */
const LAST_BYTES_MS = 10_000

export interface TunnelOptions {
  readonly client: Socket
  readonly origin: Socket
  readonly flow: Flow
  readonly idleMs: number
  readonly now: () => number
  /** Called once, when both sides are closed. */
  readonly onClose: () => void
}

/** Joins the two; both must be paused or fresh, with nothing else listening to their data. */
export class Tunnel {
  readonly #options: TunnelOptions
  #ending: Ending = 'complete'
  #open = 2

  constructor(options: TunnelOptions) {
    this.#options = options
    const { client, origin, flow, idleMs } = options
    flow.cut = (ending) => this.cut(ending)
    for (const socket of [client, origin]) socket.once('close', () => this.#closed(socket))
    client.on('data', (bytes: Buffer) => {
      flow.movedUp(bytes.length)
      if (!origin.write(bytes)) client.pause()
    })
    origin.on('data', (bytes: Buffer) => {
      flow.movedDown(bytes.length)
      if (!client.write(bytes)) origin.pause()
    })
    origin.on('drain', () => client.resume())
    client.on('drain', () => origin.resume())
    client.on('end', () => origin.end())
    origin.on('end', () => client.end())
    // Every byte passes the client's socket, so its own timer sees the activity of both sides.
    client.setTimeout(idleMs, () => this.cut('timeout'))
    if (client.readableEnded) origin.end()
    if (origin.readableEnded) client.end()
    client.resume()
    origin.resume()
    // One of them may have closed while the other was being opened.
    for (const socket of [client, origin]) if (socket.closed) this.#closed(socket)
  }

  /** Ends both sides at once. */
  cut(ending: Ending): void {
    if (this.#ending === 'complete') this.#ending = ending
    this.#options.client.destroy()
    this.#options.origin.destroy()
  }

  /**
   * What came from a side that has closed still goes to the other, which is then closed too; what the
   * other sends no longer has a taker (RFC 9110 section 9.3.6).
   */
  #closed(socket: Socket): void {
    const { client, origin, flow, now, onClose } = this.#options
    this.#open--
    // Without an end in both directions it was reset, or went away before it had all that we got for it.
    const whole = socket.readableEnded && socket.writableFinished
    if (!whole && this.#ending === 'complete') {
      this.#ending = socket === client ? 'client-closed' : 'origin-closed'
    }
    const other = socket === client ? origin : client
    if (!other.destroyed) {
      other.setTimeout(LAST_BYTES_MS, () => other.destroy())
      other.destroySoon()
    }
    if (this.#open > 0) return
    flow.end(this.#ending, now())
    onClose()
  }
}
