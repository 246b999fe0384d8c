/**
 * Owns: this thread's listeners: opening, moving and closing them, and the connections they took.
 * Never: closes an open connection because a listener has moved.
 */
import { createServer, type Server, type Socket } from 'node:net'
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
  readonly #servers = new Map<string, Server>()

  constructor(engine: Engine) {
    this.#engine = engine
  }

  /** Where we listen now; port 0 has become the port that the system picked. */
  get endpoints(): Endpoint[] {
    return [...this.#servers.values()].flatMap((server) => {
      const bound = server.address()
      return bound === null || typeof bound === 'string'
        ? []
        : [{ address: bound.address, port: bound.port }]
    })
  }

  /** Listens on `wanted` and on nothing else. Returns what could not be opened. */
  async set(wanted: readonly Endpoint[]): Promise<ListenFailure[]> {
    const keys = new Set(wanted.map(keyOf))
    for (const [key, server] of this.#servers) {
      if (keys.has(key)) continue
      this.#servers.delete(key)
      server.close()
    }
    const failures: ListenFailure[] = []
    for (const endpoint of wanted) {
      if (this.#servers.has(keyOf(endpoint))) continue
      const opened = await this.#open(endpoint)
      if (typeof opened === 'string') failures.push({ endpoint, why: opened })
      else this.#servers.set(keyOf(endpoint), opened)
    }
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
      minor: 1,
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
    for (const server of this.#servers.values()) server.close()
    this.#servers.clear()
  }
}

function keyOf({ address, port }: Endpoint): string {
  return `${address} ${port}`
}
