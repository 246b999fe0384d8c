/**
 * Owns: from a host and port to a connected wire: names, the second decision on the address, connecting.
 * Never: connects to an address that it has not checked, or looks a name up twice for one connection.
 */
import type { Host, Listener, Policy } from '../policy/index.ts'
import { forbiddenWhy } from '../policy/index.ts'
import type { Names } from './names.ts'
import { Opening } from './open.ts'
import type { Answer, Place } from './places.ts'
import { Race, type RaceResult } from './race.ts'
import type { Timer, Timers } from './timers.ts'
import type { Wire } from './wire.ts'

/** Why a dial failed: each is a reason that we answer with. */
export type DialFailure =
  | 'address-forbidden'
  | 'name-not-found'
  | 'resolver-failed'
  | 'dial-failed'
  | 'dial-timeout'

export type DialResult =
  | { readonly ok: true; readonly wire: Wire }
  | { readonly ok: false; readonly reason: DialFailure }

export interface DialWorld {
  readonly policy: Policy
  readonly listeners: readonly Listener[]
  readonly dialTimeoutMs: number
}

/** What a dial needs of its thread. */
export interface DialMeans {
  readonly names: Names
  /** Milliseconds that never jump. */
  readonly now: () => number
  readonly timers: Timers
}

/** What is left of the time after a name was asked for is this at least. */
const CONNECT_MIN_MS = 250

/** A dial under way. `done` is called once, unless it is given up; at once where it can be known. */
export class Dial {
  readonly #means: DialMeans
  readonly #host: Host
  readonly #port: number
  readonly #world: DialWorld
  readonly #done: (result: DialResult) => void
  #answer: Answer | null = null
  #race: Race<Opening> | null = null
  #timer: Timer = null
  #over = false

  constructor(
    means: DialMeans,
    to: { readonly host: Host; readonly port: number },
    world: DialWorld,
    done: (result: DialResult) => void,
  ) {
    this.#means = means
    this.#host = to.host
    this.#port = to.port
    this.#world = world
    this.#done = done
  }

  start(): void {
    const { names, now } = this.#means
    const startMs = now()
    const answer = names.lookup(this.#host, startMs)
    if (answer !== null) this.#go(answer, this.#world.dialTimeoutMs)
    else this.#ask(startMs)
  }

  /** Connects to one of `places`, which are our own: no name is asked for, and no address judged. */
  startAt(places: readonly Place[]): void {
    this.#open(places, this.#world.dialTimeoutMs)
  }

  /** Gives it up: `done` is not called any more. */
  cancel(): void {
    this.#over = true
    if (this.#timer !== null) this.#means.timers.clear(this.#timer)
    this.#race?.cancel()
  }

  #ask(startMs: number): void {
    const { names, now, timers } = this.#means
    const { dialTimeoutMs } = this.#world
    this.#timer = timers.set(late, dialTimeoutMs, this)
    names.ask(this.#host, (answer) => {
      if (this.#over) return
      timers.clear(this.#timer)
      this.#timer = null
      this.#go(answer, Math.max(CONNECT_MIN_MS, dialTimeoutMs - (now() - startMs)))
    })
  }

  /** Nobody has answered in time; for the timer alone. */
  late(): void {
    this.#end('dial-timeout')
  }

  #go(answer: Answer, timeoutMs: number): void {
    if (answer.outcome !== 'found') {
      this.#end(failureOf(answer))
      return
    }
    const places = this.#checked(answer.places)
    if (places.length === 0) {
      this.#end('address-forbidden')
      return
    }
    this.#answer = answer
    this.#open(places, timeoutMs)
  }

  #open(places: readonly Place[], timeoutMs: number): void {
    const port = this.#port
    this.#race = new Race({
      places,
      timeoutMs,
      open: (place, race) => new Opening(place, port, race),
      done: (result) => this.#raced(result),
      timers: this.#means.timers,
    })
  }

  #raced(result: RaceResult<Opening>): void {
    if (!result.ok) {
      this.#end(result.reason)
      return
    }
    this.#over = true
    if (this.#answer !== null) this.#means.names.worked(this.#host, this.#answer, result.place)
    this.#done({ ok: true, wire: result.attempt.wire })
  }

  /** Those that may be reached: the same array where all may, which is nearly always. */
  #checked(places: readonly Place[]): readonly Place[] {
    for (const place of places) {
      if (!this.#mayReach(place)) return places.filter((one) => this.#mayReach(one))
    }
    return places
  }

  #mayReach({ address }: Place): boolean {
    const { policy, listeners } = this.#world
    return forbiddenWhy(address, this.#port, policy.allowedAddresses, listeners) === null
  }

  #end(reason: DialFailure): void {
    if (this.#over) return
    this.#over = true
    this.#done({ ok: false, reason })
  }
}

function failureOf({ outcome, why }: Answer): DialFailure {
  if (outcome === 'missing') return 'name-not-found'
  return why === 'ETIMEOUT' ? 'dial-timeout' : 'resolver-failed'
}

function late(dial: Dial): void {
  dial.late()
}
