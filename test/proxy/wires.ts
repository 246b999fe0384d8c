/**
 * Owns: wires of the data plane on real loopback connections, with a plain socket at the other end of each.
 * Never: expects, or leaves a connection open when it is closed.
 */
import { readdirSync } from 'node:fs'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { vi } from 'vitest'
import { Opening } from '../../src/proxy/open.ts'
import { placesOf } from '../../src/proxy/places.ts'
import { Race } from '../../src/proxy/race.ts'
import { boundTo, listenOn, type TcpHandle } from '../../src/proxy/tcp.ts'
import { NOBODY, Wire, type WireOwner } from '../../src/proxy/wire.ts'

const LOOPBACK = '127.0.0.1'
const OPEN_WITHIN_MS = 10_000

export interface Pair {
  readonly wire: Wire
  /** Half-open by choice; it takes 64 KiB unasked, as sockets of node:net do. */
  readonly peer: Socket
}

export class Wires {
  readonly #listening: TcpHandle
  readonly #server: Server
  readonly #wires: Wire[] = []
  readonly #peers: Socket[] = []
  /** Accepted and not yet given out, by the port of the other end. */
  readonly #accepted = new Map<number, Wire>()
  /** At the most one: connected and not yet given out. */
  readonly #connected: Socket[] = []
  #dialling: Promise<void> = Promise.resolve()

  private constructor(listening: TcpHandle, server: Server) {
    this.#listening = listening
    this.#server = server
    listening.onconnection = (_status, client) => {
      const wire = new Wire(client, NOBODY)
      this.#wires.push(wire)
      const port = wire.peer?.port
      if (port !== undefined) this.#accepted.set(port, wire)
    }
  }

  static async open(): Promise<Wires> {
    const listening = listenOn(LOOPBACK, 0, 512)
    if (typeof listening === 'string') throw new Error(listening)
    const server = createServer({ allowHalfOpen: true })
    const wires = new Wires(listening, server)
    server.on('connection', (socket) => {
      wires.#keep(socket)
      wires.#connected.push(socket)
    })
    await new Promise<void>((resolve) => server.listen(0, LOOPBACK, resolve))
    return wires
  }

  #keep(socket: Socket): Socket {
    socket.on('error', () => {})
    this.#peers.push(socket)
    return socket
  }

  /** As a client connects to us: our wire was accepted by a listener. */
  async accept(): Promise<Pair> {
    const { port } = boundTo(this.#listening)
    const peer = this.#keep(connect({ host: LOOPBACK, port, allowHalfOpen: true }))
    const wire = await vi.waitUntil(() => this.#accepted.get(peer.localPort ?? 0), soon)
    this.#accepted.delete(peer.localPort!)
    return { wire, peer }
  }

  /** As we connect to an origin: our wire was opened by a dial. */
  dial(): Promise<Pair> {
    // One after the other: who connects does not say from where.
    const pair = this.#dialling.then(() => this.#dialNext())
    this.#dialling = pair.then(() => {})
    return pair
  }

  async #dialNext(): Promise<Pair> {
    const { port } = this.#server.address() as AddressInfo
    const wire = await opened(port)
    this.#wires.push(wire)
    const peer = await until(() => this.#connected.pop())
    return { wire, peer }
  }

  /** Closes all of it, and resolves when the wires have said so. */
  async close(): Promise<void> {
    this.#listening.close()
    this.#server.close()
    for (const wire of this.#wires) wire.destroy()
    for (const peer of this.#peers) peer.destroy()
    await vi.waitUntil(() => this.#peers.every(({ closed }) => closed), soon)
  }
}

const soon = { timeout: OPEN_WITHIN_MS, interval: 1 }

/** Resolves when `condition` holds, to what it gives. */
export function until<T>(condition: () => T): Promise<NonNullable<T>> {
  return vi.waitUntil(condition, soon) as Promise<NonNullable<T>>
}

function opened(port: number): Promise<Wire> {
  return new Promise((resolve, reject) => {
    new Race<Opening>({
      places: placesOf([LOOPBACK]),
      timeoutMs: OPEN_WITHIN_MS,
      open: (place, race) => new Opening(place, port, race),
      done: (result) =>
        result.ok ? resolve(result.attempt.wire) : reject(new Error(result.detail)),
    })
  })
}

/** What an owner is told, in order; `bytes` are copied as they come. */
export class Witness implements WireOwner {
  readonly heard: ('bytes' | 'end' | 'drain' | 'close')[] = []
  readonly parts: Buffer[] = []
  receivedBytes = 0
  /** Called with what came, while it may be read. */
  meanwhile: ((bytes: Buffer) => void) | null = null

  constructor(wire: Wire) {
    wire.owner = this
  }

  onBytes(bytes: Buffer): void {
    if (this.heard.at(-1) !== 'bytes') this.heard.push('bytes')
    this.receivedBytes += bytes.length
    this.parts.push(Buffer.from(bytes))
    this.meanwhile?.(bytes)
  }

  onEnd(): void {
    this.heard.push('end')
  }

  onDrain(): void {
    this.heard.push('drain')
  }

  onClose(): void {
    this.heard.push('close')
  }

  get text(): string {
    return Buffer.concat(this.parts).toString('latin1')
  }

  get closed(): boolean {
    return this.heard.at(-1) === 'close'
  }
}

/** How many file descriptors this process has open. */
export function descriptors(): number {
  // The folder that is read has one too.
  return readdirSync('/proc/self/fd').length - 1
}
