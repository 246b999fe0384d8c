/**
 * Owns: from a host and port to a connected socket: names, the second decision on the address, connecting.
 * Never: connects to an address that it has not checked, or looks a name up twice for one connection.
 */
import { lookup as systemLookup } from 'node:dns/promises'
import { connect, type Socket } from 'node:net'
import { LRUCache } from 'lru-cache'
import type { Address, Host, Listener, Policy } from '../policy/index.ts'
import { forbiddenWhy, formatAddress, isIpv4, parseAddress } from '../policy/index.ts'

/** Why a dial failed: each is a reason that we answer with. */
export type DialFailure = 'address-forbidden' | 'name-not-found' | 'dial-failed' | 'dial-timeout'

export type DialResult =
  | { readonly ok: true; readonly socket: Socket }
  | { readonly ok: false; readonly reason: DialFailure; readonly detail: string }

/** All addresses of a name, or an empty array where it has none. May reject. */
export type Resolve = (host: string) => Promise<readonly string[]>

const NAMES_CACHED_MAX = 20_000
const FOUND_TTL_MS = 30_000
const MISSING_TTL_MS = 3_000
/** RFC 8305 section 8, the connection attempt delay. */
const NEXT_FAMILY_AFTER_MS = 250

export const systemResolve: Resolve = async (host) => {
  const found = await systemLookup(host, { all: true, order: 'verbatim' })
  return found.map(({ address }) => address)
}

export interface DialWorld {
  readonly policy: Policy
  readonly hosts: Readonly<Record<string, readonly string[]>>
  readonly listeners: readonly Listener[]
  readonly dialTimeoutMs: number
}

export class Dialler {
  readonly #resolve: Resolve
  readonly #names = new LRUCache<string, readonly Address[]>({ max: NAMES_CACHED_MAX })
  readonly #asking = new Map<string, Promise<readonly Address[]>>()

  constructor(resolve: Resolve) {
    this.#resolve = resolve
  }

  /** Connects to `host`, or says why not. Never rejects. */
  async dial(host: Host, port: number, world: DialWorld): Promise<DialResult> {
    const startMs = performance.now()
    const addresses = await this.#addressesOf(host, world)
    if (addresses === null) return failure('dial-timeout', 'the resolver does not answer')
    if (addresses.length === 0) return failure('name-not-found', host)
    let why = ''
    const checked = addresses.filter((address) => {
      const forbidden = forbiddenWhy(address, port, world.policy.allowedAddresses, world.listeners)
      why ||= forbidden ?? ''
      return forbidden === null
    })
    if (checked.length === 0) return failure('address-forbidden', why)
    const leftMs = Math.max(1, world.dialTimeoutMs - (performance.now() - startMs))
    return open(host, port, checked, leftMs)
  }

  /** Null where the resolver takes longer than a dial may. */
  async #addressesOf(
    host: Host,
    { hosts, dialTimeoutMs }: DialWorld,
  ): Promise<readonly Address[] | null> {
    const literal = parseAddress(host)
    if (literal !== null) return [literal]
    const fixed = Object.hasOwn(hosts, host) ? hosts[host] : undefined
    if (fixed !== undefined) return parsed(fixed)
    const known = this.#names.get(host)
    if (known !== undefined) return known
    return within(this.#asking.get(host) ?? this.#ask(host), dialTimeoutMs)
  }

  #ask(host: Host): Promise<readonly Address[]> {
    const asking = this.#resolve(host)
      .then(parsed, () => [])
      .then((addresses) => {
        this.#asking.delete(host)
        const ttl = addresses.length > 0 ? FOUND_TTL_MS : MISSING_TTL_MS
        this.#names.set(host, addresses, { ttl })
        return addresses
      })
    this.#asking.set(host, asking)
    return asking
  }
}

/** What `asking` gives, or null after `timeoutMs`. */
function within<T>(asking: Promise<T>, timeoutMs: number): Promise<T | null> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(null), timeoutMs)
    void asking.then((result) => {
      clearTimeout(timer)
      resolve(result)
    })
  })
}

function parsed(texts: readonly string[]): readonly Address[] {
  return texts.map(parseAddress).filter((address) => address !== null)
}

function failure(reason: DialFailure, detail: string): DialResult {
  return { ok: false, reason, detail }
}

/** Opens a connection to the first of `addresses` that answers; both families are tried. */
function open(
  host: Host,
  port: number,
  addresses: readonly Address[],
  timeoutMs: number,
): Promise<DialResult> {
  return new Promise((resolve) => {
    const found = addresses.map((address) => ({
      address: formatAddress(address),
      family: isIpv4(address) ? 4 : 6,
    }))
    const socket = connect({
      host,
      port,
      allowHalfOpen: true,
      noDelay: true,
      autoSelectFamily: found.length > 1,
      autoSelectFamilyAttemptTimeout: NEXT_FAMILY_AFTER_MS,
      // The checked addresses, and no others: no second lookup can answer differently.
      lookup: (_name, options, callback) => {
        if (options.all) callback(null, found)
        else callback(null, found[0]!.address, found[0]!.family)
      },
    })
    // For as long as it lives: an error always ends in 'close', and must never go unheard.
    socket.on('error', () => {})
    const finish = (result: DialResult) => {
      clearTimeout(timer)
      socket.removeAllListeners('connect')
      if (!result.ok) socket.destroy()
      resolve(result)
    }
    const late = () => finish(failure('dial-timeout', 'the address does not answer'))
    const timer = setTimeout(late, timeoutMs)
    socket.once('connect', () => finish({ ok: true, socket }))
    socket.once('error', (error: NodeJS.ErrnoException) => {
      const reason = error.code === 'ETIMEDOUT' ? 'dial-timeout' : 'dial-failed'
      finish(failure(reason, error.code ?? error.message))
    })
  })
}
