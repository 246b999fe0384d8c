/**
 * Owns: this thread's listeners: opening, moving and closing them, and the connections they took.
 * Never: closes an open connection because a listener has moved.
 */
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { refuse } from '../policy/index.ts'
import { Client } from './client.ts'
import type { Engine } from './engine.ts'
import { refusalBytes } from './refuse.ts'
import type { Endpoint } from './world.ts'

const BACKLOG = 1_024

export interface ListenFailure {
  readonly endpoint: Endpoint
  readonly why: string
}

export class Listeners {
  readonly clients = new Set<Client>()
  readonly #engine: Engine
  #servers = new Map<string, Server>()
  #setting: Promise<ListenFailure[]> = Promise.resolve([])
  #closed = false

  constructor(engine: Engine) {
    this.#engine = engine
  }

  /** Where we listen now; port 0 has become the port that the system picked. */
  get endpoints(): Endpoint[] {
    return [...this.#servers.values()].map(endpointOf)
  }

  /**
   * Listens on `wanted` and on nothing else. Returns what could not be opened; where that is anything, what
   * we listened on before stays: a slip in the settings must not leave nobody to answer.
   */
  set(wanted: readonly Endpoint[]): Promise<ListenFailure[]> {
    // One after the other: two at once would open the same endpoint twice.
    this.#setting = this.#setting.then(() => this.#move(wanted))
    return this.#setting
  }

  async #move(wanted: readonly Endpoint[]): Promise<ListenFailure[]> {
    if (this.#closed) return []
    const failures: ListenFailure[] = []
    const next = new Map<string, Server>()
    for (const endpoint of wanted) {
      const opened = this.#servers.get(keyOf(endpoint)) ?? (await this.#open(endpoint))
      if (typeof opened === 'string') failures.push({ endpoint, why: opened })
      // By where it is bound: who asks for port 0 asks from then on for the port that it became.
      else next.set(endpoint.port === 0 ? keyOf(endpointOf(opened)) : keyOf(endpoint), opened)
    }
    for (const [key, server] of this.#servers) {
      if (next.has(key)) continue
      if (failures.length > 0) next.set(key, server)
      else server.close()
    }
    this.#servers = next
    if (this.#closed) this.close()
    this.#engine.listening(this.endpoints)
    return failures
  }

  #open({ address, port }: Endpoint): Promise<Server | string> {
    const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) =>
      this.#accept(socket),
    )
    return new Promise((resolve) => {
      server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
      server.listen({ host: address, port, backlog: BACKLOG, reusePort: true }, () => {
        server.removeAllListeners('error')
        // Out of file descriptors and the like: the next connection is tried again.
        server.on('error', () => this.#engine.count('connections-full'))
        resolve(server)
      })
    })
  }

  #accept(socket: Socket): void {
    const { counters, world } = this.#engine
    counters.connections++
    if (socket.remoteAddress === undefined) {
      // Reset before we came to it: there is nobody to answer, and no address to decide or record by.
      socket.on('error', () => {})
      socket.destroy()
      return
    }
    if (this.clients.size >= world.limits.connections) {
      this.#turnAway(socket)
      return
    }
    counters.connectionsOpen++
    this.clients.add(
      new Client(socket, this.#engine, (client) => {
        counters.connectionsOpen--
        this.clients.delete(client)
      }),
    )
  }

  #turnAway(socket: Socket): void {
    this.#engine.count('connections-full')
    socket.on('error', () => {})
    const bytes = refusalBytes({
      reason: 'connections-full',
      verdict: refuse('connections-full', 'limits.connections'),
      method: '',
      acceptLanguage: '',
      host: '',
      user: '',
      minutes: null,
      challenges: [],
      nowMs: this.#engine.clock(),
      keepAlive: false,
    })
    socket.end(bytes, () => socket.destroy())
  }

  close(): void {
    this.#closed = true
    for (const server of this.#servers.values()) server.close()
    this.#servers.clear()
  }
}

/** Where a server that listens is bound. */
function endpointOf(server: Server): Endpoint {
  const { address, port } = server.address() as AddressInfo
  return { address, port }
}

function keyOf({ address, port }: Endpoint): string {
  return `${address} ${port}`
}
