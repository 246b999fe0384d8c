/**
 * Owns: one question to the DNS servers: which they are, in which order, how long they are waited for.
 * Never: remembers an answer, or asks the system (getaddrinfo): that holds a thread that files and passwords need.
 *
 * Node's Resolver (c-ares) asks again over the servers, takes to TCP where an answer is cut short, and keeps to
 * one UDP port for as long as any question is open. A port that stays can be found out, and anyone who may ask
 * us for a name may then forge its answer (RFC 5452 section 9.2): so a resolver is used for few questions.
 */
import { Resolver } from 'node:dns'
import type { Family } from './places.ts'
import type { Endpoint } from './world.ts'

/** An address, and for how many seconds it may be kept: the least along the chain of CNAMEs. */
export interface AddressRecord {
  readonly address: string
  readonly ttl: number
}

/** `code` is empty where there are records. Called once, never before the question has been returned from. */
export type Told = (code: string, records: readonly AddressRecord[]) => void

export type Question = (name: string, family: Family, told: Told) => void

/**
 * Of the first try; c-ares doubles it for each round over the servers, up to the most, and looks at its clock
 * only so often: in all about 6 s with one server. The dial timeout bounds how long a client waits.
 */
const TRY_MS = 500
const TRY_MAX_MS = 2_000
const TRIES = 4
/** A resolver costs 65 µs to make, a question about 50. */
const QUESTIONS_OF_ONE_MAX = 64
/** After that /etc/resolv.conf is read again. */
const RESOLVER_MS_MAX = 10_000

const NO_RECORDS: readonly AddressRecord[] = []

export class DnsServers {
  /** Those to ask, the best first; empty: those of /etc/resolv.conf. */
  #servers: string[] = []
  #resolver: Resolver | null = null
  #questions = 0
  #madeMs = 0
  readonly #now: () => number

  /** `now`: milliseconds that never jump. */
  constructor(servers: readonly Endpoint[], now: () => number) {
    this.#now = now
    this.configure(servers)
  }

  configure(servers: readonly Endpoint[]): void {
    this.#servers = servers.map(({ address, port }) =>
      address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`,
    )
    this.#resolver = null
  }

  /** Asks for the addresses of `name`, as it stands: no search domain is added. */
  ask(name: string, family: Family, told: Told): void {
    const startMs = this.#now()
    const resolver = this.#resolverAt(startMs)
    const done = (error: NodeJS.ErrnoException | null, records: readonly AddressRecord[]) => {
      if (this.#now() - startMs >= TRY_MS) this.#first(resolver)
      if (error !== null) told(error.code ?? 'EUNKNOWN', NO_RECORDS)
      else told(records.length === 0 ? 'ENODATA' : '', records)
    }
    if (family === 4) resolver.resolve4(name, { ttl: true }, done)
    else resolver.resolve6(name, { ttl: true }, done)
  }

  #resolverAt(nowMs: number): Resolver {
    const worn = this.#questions >= QUESTIONS_OF_ONE_MAX || nowMs - this.#madeMs >= RESOLVER_MS_MAX
    if (this.#resolver === null || worn) {
      // The one before answers what it was asked, and goes.
      this.#resolver = new Resolver({ timeout: TRY_MS, tries: TRIES, maxTimeout: TRY_MAX_MS })
      if (this.#servers.length > 0) this.#resolver.setServers(this.#servers)
      this.#questions = 0
      this.#madeMs = nowMs
    }
    this.#questions++
    return this.#resolver
  }

  /** The first server let a question wait: the next resolver begins with the second. Each knows it by itself. */
  #first(slow: Resolver): void {
    if (slow !== this.#resolver || this.#servers.length < 2) return
    const [first, ...others] = this.#servers as [string, ...string[]]
    this.#servers = [...others, first]
    this.#resolver = null
  }
}
