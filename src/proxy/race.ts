/**
 * Owns: connecting to one of several addresses: when the next is tried, who wins, when it is given up (RFC 8305
 * sections 5 and 6).
 * Never: touches a socket itself, or chooses addresses; they come checked, in their order.
 *
 * Most hosts have one address: then there is one attempt, one timer, and nothing else.
 */
import type { Place } from './places.ts'
import { systemTimers, type Timer, type Timers } from './timers.ts'

/** A connection being opened. */
export interface Attempt {
  /** Gives it up: nothing is heard of it any more. */
  cancel(): void
}

export type RaceResult<A extends Attempt> =
  | { readonly ok: true; readonly attempt: A; readonly place: Place }
  | { readonly ok: false; readonly reason: 'dial-failed' | 'dial-timeout'; readonly detail: string }

export interface RaceOptions<A extends Attempt> {
  /** At least one, in the order to try them. */
  readonly places: readonly Place[]
  readonly timeoutMs: number
  /** Begins to connect, and tells the race `connected` or `failed` later, never before it has returned. */
  readonly open: (place: Place, race: Race<A>) => A
  /** Called once, unless the race is cancelled. */
  readonly done: (result: RaceResult<A>) => void
  readonly timers?: Timers
}

/** RFC 8305 section 8, Connection Attempt Delay. */
export const ATTEMPT_DELAY_MS = 250

/** Says that this machine has no way there, not how the other end is: any other failure tells more. */
const NO_ROUTE = new Set(['ENETUNREACH', 'EADDRNOTAVAIL', 'EAFNOSUPPORT'])

interface Other<A> {
  readonly attempt: A
  readonly place: Place
}

export class Race<A extends Attempt> {
  readonly #options: RaceOptions<A>
  readonly #timers: Timers
  readonly #overall: Timer
  #tried = 0
  /** The first attempt, until it has failed. */
  #first: A | null = null
  /** Those after it that have not failed; most races have none. */
  #others: Other<A>[] | null = null
  #delay: Timer | null = null
  #why = ''
  #over = false

  constructor(options: RaceOptions<A>) {
    const { timers = systemTimers, timeoutMs } = options
    this.#options = options
    this.#timers = timers
    this.#overall = timers.set(late, timeoutMs, this)
    this.next()
  }

  /** `attempt` is connected: the others are given up. */
  connected(attempt: A): void {
    const place = this.#placeOf(attempt)
    if (place === null) return
    this.#end(attempt)
    this.#options.done({ ok: true, attempt, place })
  }

  /** `attempt` has failed: the next is tried at once. `code`: of the system, such as ECONNREFUSED. */
  failed(attempt: A, code: string): void {
    if (this.#placeOf(attempt) === null) return
    if (attempt === this.#first) this.#first = null
    else this.#others = this.#others?.filter((other) => other.attempt !== attempt) ?? null
    if (this.#why === '' || NO_ROUTE.has(this.#why)) this.#why = code
    if (this.#tried < this.#options.places.length) this.next()
    else if (this.#first === null && (this.#others === null || this.#others.length === 0)) {
      this.#end(null)
      const reason = this.#why === 'ETIMEDOUT' ? 'dial-timeout' : 'dial-failed'
      this.#options.done({ ok: false, reason, detail: this.#why })
    }
  }

  /** Nobody wants the connection any more: gives up, and says nothing. */
  cancel(): void {
    if (!this.#over) this.#end(null)
  }

  /** Tries the next place; for the race and its timer alone. */
  next(): void {
    const { places, open } = this.#options
    if (this.#delay !== null) this.#timers.clear(this.#delay)
    this.#delay = null
    const place = places[this.#tried++]!
    const attempt = open(place, this)
    if (this.#tried === 1) this.#first = attempt
    else {
      this.#others ??= []
      this.#others.push({ attempt, place })
    }
    if (this.#tried < places.length) this.#delay = this.#timers.set(next, ATTEMPT_DELAY_MS, this)
  }

  /** The time for all of it is over; for the timer alone. */
  late(): void {
    this.#end(null)
    const detail = this.#why === '' ? 'the address does not answer' : this.#why
    this.#options.done({ ok: false, reason: 'dial-timeout', detail })
  }

  #placeOf(attempt: A): Place | null {
    if (attempt === this.#first) return this.#options.places[0]!
    return this.#others?.find((other) => other.attempt === attempt)?.place ?? null
  }

  /** Gives up all attempts but `winner`. */
  #end(winner: A | null): void {
    this.#over = true
    this.#timers.clear(this.#overall)
    if (this.#delay !== null) this.#timers.clear(this.#delay)
    if (this.#first !== null && this.#first !== winner) this.#first.cancel()
    for (const { attempt } of this.#others ?? []) if (attempt !== winner) attempt.cancel()
    this.#first = null
    this.#others = null
  }
}

function late(race: { late(): void }): void {
  race.late()
}

function next(race: { next(): void }): void {
  race.next()
}
