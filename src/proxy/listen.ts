/**
 * Owns: this thread's listeners: opening, moving and closing them, and the connections they took.
 * Never: closes an open connection because a listener has moved.
 */
import type { Verdict } from '../policy/index.ts'
import { refuse } from '../policy/index.ts'
import { faultAnswer } from './answer.ts'
import { Client } from './client.ts'
import type { Asker, Engine } from './engine.ts'
import { boundTo, listenOn, type TcpHandle } from './tcp.ts'
import { NOBODY, restIdle, Wire } from './wire.ts'
import type { Endpoint } from './world.ts'

const BACKLOG = 1_024
/** Connections that were turned away and are still being told so; beyond, they are just closed. */
const LEAVING_MAX = 1_000
const LEAVING_MS = 2_000

const THREAD_FULL = refuse('connections-full', 'limits.connections')
const ADDRESS_FULL = refuse('connections-of-address', 'limits.connectionsPerAddress')

export interface ListenFailure {
  readonly endpoint: Endpoint
  readonly why: string
}

export class Listeners {
  readonly clients = new Set<Client>()
  readonly #engine: Engine
  /** Turned away, and until when. */
  readonly #leaving = new Map<Wire, number>()
  #servers = new Map<string, TcpHandle>()
  #setting: Promise<ListenFailure[]> = Promise.resolve([])
  #closed = false

  constructor(engine: Engine) {
    this.#engine = engine
  }

  /** Where we listen now; port 0 has become the port that the system picked. */
  get endpoints(): Endpoint[] {
    return [...this.#servers.values()].map(boundTo)
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
    const next = new Map<string, TcpHandle>()
    for (const endpoint of wanted) {
      const opened = this.#servers.get(keyOf(endpoint)) ?? this.#open(endpoint)
      if (typeof opened === 'string') failures.push({ endpoint, why: opened })
      // By where it is bound: who asks for port 0 asks from then on for the port that it became.
      else next.set(endpoint.port === 0 ? keyOf(boundTo(opened)) : keyOf(endpoint), opened)
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

  #open({ address, port }: Endpoint): TcpHandle | string {
    const server = listenOn(address, port, BACKLOG)
    if (typeof server === 'string') return server
    server.onconnection = (status, client) => {
      // Out of file descriptors and the like: the next connection is tried again.
      if (status !== 0) this.#engine.count('connections-full')
      else this.#accept(new Wire(client, NOBODY))
    }
    return server
  }

  #accept(wire: Wire): void {
    const { counters } = this.#engine
    counters.connections++
    const address = wire.peer?.address
    if (address === undefined) {
      // Reset before we came to it: there is nobody to answer, and no address to decide or record by.
      wire.destroy()
      return
    }
    const asker = this.#engine.askerAt(address)
    const full = this.#limitOf(asker)
    if (full !== null) {
      this.#turnAway(wire, full)
      return
    }
    counters.connectionsOpen++
    const onClose = (client: Client) => {
      counters.connectionsOpen--
      this.#engine.tally.give('address', asker.tallyKey)
      this.clients.delete(client)
    }
    this.clients.add(new Client({ wire, asker, engine: this.#engine, onClose }))
  }

  /** Takes a share of the address's connections. Not null: there is none left, here or of the thread's. */
  #limitOf({ tallyKey }: Asker): Verdict | null {
    const { world, tally } = this.#engine
    const { connections, connectionsPerAddress } = world.limits
    if (this.clients.size >= connections) return THREAD_FULL
    return tally.take('address', tallyKey, connectionsPerAddress) ? null : ADDRESS_FULL
  }

  /** Answers, and waits a moment for the client to go: closing at once would reset what we say. */
  #turnAway(wire: Wire, verdict: Verdict): void {
    this.#engine.count(verdict.reason)
    if (this.#leaving.size >= LEAVING_MAX) {
      wire.destroy()
      return
    }
    this.#leaving.set(wire, this.#engine.monotonic() + LEAVING_MS)
    wire.owner = { ...NOBODY, onClose: () => this.#leaving.delete(wire) }
    wire.write(faultAnswer(null, verdict, this.#engine.clock()))
    wire.end()
    wire.resume()
  }

  /** Call every second. */
  sweep(nowMs: number): void {
    for (const client of this.clients) client.sweep(nowMs)
    for (const [wire, untilMs] of this.#leaving) if (nowMs >= untilMs) wire.destroy()
    restIdle()
  }

  close(): void {
    this.#closed = true
    for (const server of this.#servers.values()) server.close()
    this.#servers.clear()
  }
}

function keyOf({ address, port }: Endpoint): string {
  return `${address} ${port}`
}
