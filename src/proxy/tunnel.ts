/**
 * Owns: two sockets joined: bytes both ways, back-pressure, half-close, idle time, the count of bytes.
 * Never: looks into the bytes, or decides; its flow is cut from outside when the minutes are spent.
 */
import type { Socket } from 'node:net'
import type { Ending } from '../policy/index.ts'
import type { Flow } from './flow.ts'

/** When one side has closed, how long the other may neither take what is left for it nor say anything. */
const LAST_BYTES_MS = 10_000
/** How long a tunnel may be silent once one side has ended: the other may be gone, and nobody tells us. */
const HALF_OPEN_MS = 120_000
/** What a side may still send to one that has closed before it is cut: its last words, not a download. */
const LAST_BYTES_MAX = 65_536

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
  /** Bytes for a side that had closed. */
  #lostBytes = 0

  constructor(options: TunnelOptions) {
    this.#options = options
    const { client, origin, flow, idleMs } = options
    flow.cut = (ending) => this.cut(ending)
    for (const socket of [client, origin]) socket.once('close', () => this.#closed(socket))
    client.on('data', (bytes: Buffer) => {
      if (origin.destroyed) return this.#lose(bytes.length, 'origin-closed')
      flow.movedUp(bytes.length)
      if (!origin.write(bytes)) client.pause()
    })
    origin.on('data', (bytes: Buffer) => {
      if (client.destroyed) return this.#lose(bytes.length, 'client-closed')
      flow.movedDown(bytes.length)
      if (!client.write(bytes)) origin.pause()
    })
    origin.on('drain', () => client.resume())
    client.on('drain', () => origin.resume())
    client.on('end', () => this.#halfOpen(origin))
    origin.on('end', () => this.#halfOpen(client))
    // Every byte passes the client's socket, so its own timer sees the activity of both sides.
    client.setTimeout(idleMs, () => this.cut('timeout'))
    if (client.readableEnded) this.#halfOpen(origin)
    if (origin.readableEnded) this.#halfOpen(client)
    client.resume()
    origin.resume()
    // One of them may have closed while the other was being opened.
    for (const socket of [client, origin]) if (socket.closed) this.#closed(socket)
  }

  /** One side has ended: `other` is told, and may answer still. */
  #halfOpen(other: Socket): void {
    const { client, idleMs } = this.#options
    other.end()
    // A side that has closed has been given its last time already.
    if (!client.destroyed && this.#open === 2) client.setTimeout(Math.min(idleMs, HALF_OPEN_MS))
  }

  /** Ends both sides at once. */
  cut(ending: Ending): void {
    if (this.#ending === 'complete') this.#ending = ending
    this.#options.client.destroy()
    this.#options.origin.destroy()
  }

  /** Nobody takes these bytes: `ending` says which side has gone. */
  #lose(bytes: number, ending: Ending): void {
    this.#lostBytes += bytes
    if (this.#lostBytes > LAST_BYTES_MAX) this.cut(ending)
  }

  /**
   * What came from a side that has closed still goes to the other (RFC 9110 section 9.3.6). Had it ended
   * first, the other may end too, and the tunnel was whole: many close without waiting for the TLS
   * close_notify that answers theirs. A side that closes without an end has been reset.
   */
  #closed(socket: Socket): void {
    const { client, origin, flow, now, onClose } = this.#options
    const [other, ending] =
      socket === client
        ? ([origin, 'client-closed'] as const)
        : ([client, 'origin-closed'] as const)
    this.#open--
    if (!socket.readableEnded && this.#ending === 'complete') this.#ending = ending
    if (!other.destroyed) {
      other.removeAllListeners('timeout')
      other.setTimeout(LAST_BYTES_MS, () => this.cut(ending))
      if (socket.readableEnded) other.resume()
      else other.destroySoon()
    }
    if (this.#open > 0) return
    flow.end(this.#ending, now())
    onClose()
  }
}
