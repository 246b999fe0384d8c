/**
 * Owns: one question under way: both families at once, the spellings of a name in turn, and who waits for it.
 * Never: keeps an answer; what the parts come to is said by whoever asked.
 */
import { type Answer, type Family, interleaved, type Place, placesOf } from './places.ts'
import type { AddressRecord, Question } from './resolver.ts'
import type { Timer, Timers } from './timers.ts'

/** What one family came to. */
export interface Part {
  readonly outcome: Answer['outcome']
  readonly places: readonly Place[]
  /** The least of its records; Infinity where there are none. */
  readonly ttlMs: number
  readonly why: string
}

export interface AskingOptions {
  /** At least one; the first that has an address is the one that was meant. */
  readonly names: readonly string[]
  readonly ask: Question
  readonly timers: Timers
  /** After so long `late` is asked for an answer; null: there is none. */
  readonly patienceMs: number | null
  /** IPv4 is there, and IPv6 not for RESOLUTION_DELAY_MS: the answer for who waits now. */
  readonly early: (four: Part) => Answer
  readonly late: () => Answer
  readonly done: (four: Part, six: Part) => Answer
  readonly counters: { questions: number }
}

/**
 * RFC 8305 section 3, resolution delay. Where IPv6 comes first, IPv4 is waited for without it, unlike there:
 * it is what works wherever this is used, and a packet lost costs no more than for a host without IPv6.
 */
export const RESOLUTION_DELAY_MS = 50
/** Of one family, the first ones: no name makes us try addresses without end. */
export const ADDRESSES_MAX = 8

/** What says for certain that there is no address; whatever else is an error says nothing. */
const NONE = new Set(['ENOTFOUND', 'ENODATA', 'EBADNAME'])

const SECOND_MS = 1_000

export class Asking {
  readonly #options: AskingOptions
  #waiting: ((answer: Answer) => void)[] = []
  #spelling = 0
  #four: Part | null = null
  #six: Part | null = null
  /** What an earlier spelling failed by: then no later one is known to be missing. */
  #failed: Part | null = null
  #delay: Timer | null = null
  #patience: Timer | null = null
  /** What was said before the end; who comes later hears it too: it is no older than a question takes. */
  #said: Answer | null = null

  constructor(options: AskingOptions) {
    this.#options = options
  }

  begin(): void {
    const { timers, patienceMs } = this.#options
    if (patienceMs !== null) this.#patience = timers.set(outOfPatience, patienceMs, this)
    this.#askBoth()
  }

  /** Calls `told` once, later. */
  wait(told: (answer: Answer) => void): void {
    const said = this.#said
    if (said === null) this.#waiting.push(told)
    else queueMicrotask(() => told(said))
  }

  #askBoth(): void {
    const { names, counters, ask } = this.#options
    const name = names[this.#spelling]!
    counters.questions += 2
    ask(name, 4, (code, records) => {
      this.#four = partOf(4, code, records)
      this.#heard()
    })
    ask(name, 6, (code, records) => {
      this.#six = partOf(6, code, records)
      this.#heard()
    })
  }

  #heard(): void {
    const [four, six] = [this.#four, this.#six]
    if (four !== null && six !== null) this.#whole(four, six)
    else if (four !== null && four.places.length > 0) {
      this.#delay = this.#options.timers.set(withoutSix, RESOLUTION_DELAY_MS, this)
    }
  }

  #whole(four: Part, six: Part): void {
    const { names, done } = this.#options
    const none = four.places.length + six.places.length === 0
    if (none) {
      this.#failed ??= [four, six].find(({ outcome }) => outcome === 'failed') ?? null
      if (++this.#spelling < names.length) {
        this.#four = null
        this.#six = null
        this.#askBoth()
        return
      }
    }
    this.#stopTimers()
    this.#tell(none && this.#failed !== null ? done(this.#failed, six) : done(four, six))
  }

  /** For the timer alone. */
  tellEarly(): void {
    if (this.#four !== null) this.#tell(this.#options.early(this.#four))
  }

  /** For the timer alone. */
  tellLate(): void {
    if (this.#said === null) this.#tell(this.#options.late())
  }

  #stopTimers(): void {
    const { timers } = this.#options
    if (this.#delay !== null) timers.clear(this.#delay)
    if (this.#patience !== null) timers.clear(this.#patience)
  }

  #tell(answer: Answer): void {
    this.#said = answer
    const waiting = this.#waiting
    this.#waiting = []
    for (const told of waiting) told(answer)
  }
}

function withoutSix(asking: Asking): void {
  asking.tellEarly()
}

function outOfPatience(asking: Asking): void {
  asking.tellLate()
}

function partOf(family: Family, code: string, records: readonly AddressRecord[]): Part {
  if (code !== '') {
    const outcome = NONE.has(code) ? 'missing' : 'failed'
    return { outcome, places: [], ttlMs: Infinity, why: code }
  }
  const few = records.slice(0, ADDRESSES_MAX)
  // An IPv4 address in an AAAA record (::ffff:a.b.c.d) is the IPv4 address, and is tried as one.
  const places = interleaved(placesOf(few.map(({ address }) => address)), family)
  const ttlMs = Math.min(...few.map(({ ttl }) => ttl)) * SECOND_MS
  return { outcome: 'found', places, ttlMs, why: '' }
}
