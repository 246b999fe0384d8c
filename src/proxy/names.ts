/**
 * Owns: the names of origins: what each was last found to be, for how long that holds, and when to ask again.
 * Never: connects, judges an address, or makes anyone wait for a name that it knows.
 *
 * Every proxy thread has its own. What is known is given at once, synchronously; one question is asked for
 * however many want it. Sources: RFC 1035 section 7.4 and RFC 2181 section 8 (TTL), RFC 2308 (no such name),
 * RFC 8767 (stale answers), RFC 9520 (failures), RFC 8305 section 3 (both families), RFC 6761 (special names).
 */
import { isDeepStrictEqual } from 'node:util'
import { LRUCache } from 'lru-cache'
import { type Host, parseAddress } from '../policy/index.ts'
import { Asking, type Part } from './asking.ts'
import {
  type Answer,
  distinct,
  failed,
  found,
  interleaved,
  ledBy,
  missing,
  type Place,
  placesOf,
} from './places.ts'
import { DnsServers, type Question } from './resolver.ts'
import { SYSTEM_FILES, type SystemFiles, SystemNames } from './system-names.ts'
import { systemTimers, type Timers } from './timers.ts'
import type { DnsRules } from './world.ts'

export interface NamesOptions {
  readonly rules: DnsRules
  /** Fixed names, before anything else: addresses by host. */
  readonly hosts: Readonly<Record<string, readonly string[]>>
  /** Milliseconds that never jump: those that `lookup` is given. */
  readonly now: () => number
  readonly alarm: (what: string, hint: string) => void
  readonly files?: SystemFiles
  /** In place of the servers. */
  readonly ask?: Question | null
  readonly timers?: Timers
}

/** Names that a thread remembers, about 500 bytes each. */
export const NAMES_MAX = 20_000
/** Names that a thread asks for at a time: whoever wants more fails at once. */
export const ASKING_MAX = 2_000
/** A failure is not asked about again for so long (RFC 9520 section 3.2: at least a second). */
export const FAILED_MS = 1_000
/** Where one family failed: how long the addresses of the other are enough at the most. */
export const PARTIAL_MS = 30_000
/** How long an answer may be used past its time, while nobody can say better (RFC 8767: one to three days). */
export const STALE_MS = 86_400_000
/** Then for so long, until it is asked again. */
export const STALE_HELD_MS = 5_000
/** How long a client waits for a better answer than a stale one (RFC 8767 section 5, client response timer). */
export const PATIENCE_MS = 1_800
/** A hit in this last part of an answer's time asks ahead: names in use are never waited for. */
const AHEAD_SHARE = 0.1
/** What was learnt by connecting, which family answers, is forgotten after so long: networks are mended. */
export const LEARNT_MS = 600_000
/** So many hosts in a row whose IPv6 did not answer, and new ones begin with IPv4. */
const SIX_LOST_MAX = 3
/** Hosts and search domains of the system are looked at again after so long. */
const SYSTEM_LOOK_MS = 2_000
const HOST_LENGTH_MAX = 253

const LOOPBACK = found(placesOf(['127.0.0.1', '::1']))
/** RFC 6761 section 6.4 and RFC 7686: no DNS server is to be asked. */
const NEVER_ASKED = missing('ENOTFOUND')
const TOO_MANY = failed('too many names are asked for')
const UNKNOWN = failed('not asked')

interface Entry {
  answer: Answer
  /** The answer is given at once before this, on the clock of `now`. */
  untilMs: number
  /** A hit from here on asks ahead. */
  aheadMs: number
  /** An answer that was found may be used until then, where no better can be had. */
  staleMs: number
  asking: Asking | null
  /** What answered when the place that stood first did not, and until when that is remembered. */
  learnt: Place | null
  learntMs: number
}

export class Names {
  readonly counters = { hits: 0, questions: 0, failures: 0, stale: 0 }
  readonly #servers: DnsServers
  readonly #ask: Question
  readonly #system: SystemNames
  readonly #now: () => number
  readonly #timers: Timers
  readonly #entries = new LRUCache<Host, Entry>({ max: NAMES_MAX })
  #rules: DnsRules
  #hosts: NamesOptions['hosts']
  /** Of the settings and of /etc/hosts. */
  #fixed = new Map<string, Answer>()
  #lookMs = 0
  #asking = 0
  #sixLost = 0
  #sixLostMs = 0

  constructor(options: NamesOptions) {
    const { rules, hosts, now, alarm, files = SYSTEM_FILES, timers = systemTimers } = options
    const servers = new DnsServers(rules.servers, now)
    this.#servers = servers
    this.#ask = options.ask ?? ((name, family, told) => servers.ask(name, family, told))
    this.#system = new SystemNames(files, alarm)
    this.#now = now
    this.#timers = timers
    this.#rules = rules
    this.#hosts = hosts
    this.#look(now())
    this.#fix()
  }

  get size(): number {
    return this.#entries.size
  }

  /** New settings: where they differ, what was kept by the old ones is forgotten. */
  configure(rules: DnsRules, hosts: NamesOptions['hosts']): void {
    this.#hosts = hosts
    this.#fix()
    if (isDeepStrictEqual(rules, this.#rules)) return
    this.#rules = rules
    this.#servers.configure(rules.servers)
    this.#entries.clear()
  }

  /** What is known of `host` now, also that it is not there; null: `ask`. */
  lookup(host: Host, nowMs: number): Answer | null {
    if (nowMs >= this.#lookMs) this.#look(nowMs)
    const fixed = this.#fixed.get(host)
    if (fixed !== undefined) return fixed
    const entry = this.#entries.get(host)
    if (entry === undefined) return unasked(host)
    if (nowMs >= entry.untilMs) return null
    this.counters.hits++
    if (nowMs >= entry.aheadMs && entry.asking === null) this.#begin(host, entry)
    return entry.answer
  }

  /**
   * Asks for a host that `lookup` does not know, and calls `told` once, later: when both families are there, a
   * moment after IPv4 is, or with a stale answer where the servers take long.
   */
  ask(host: Host, told: (answer: Answer) => void): void {
    let entry = this.#entries.get(host)
    if (entry === undefined) {
      entry = {
        ...{ answer: UNKNOWN, untilMs: -Infinity, aheadMs: Infinity, staleMs: -Infinity },
        ...{ asking: null, learnt: null, learntMs: -Infinity },
      }
      this.#entries.set(host, entry)
    }
    if (entry.asking === null && !this.#begin(host, entry)) queueMicrotask(() => told(TOO_MANY))
    else entry.asking?.wait(told)
  }

  /** `place` of `answer` was connected to: where it did not stand first, it does from now on. */
  worked(host: Host, answer: Answer, place: Place): void {
    const first = answer.places[0]
    if (first === place) {
      if (place.family === 6) this.#sixLost = 0
      return
    }
    const nowMs = this.#now()
    if (first?.family === 6 && place.family === 4 && ++this.#sixLost >= SIX_LOST_MAX) {
      this.#sixLostMs = nowMs + LEARNT_MS
    }
    const entry = this.#entries.peek(host)
    if (entry === undefined) return
    entry.learnt = place
    entry.learntMs = nowMs + LEARNT_MS
    // It may have been asked for again meanwhile.
    if (entry.answer.outcome === 'found')
      entry.answer = found(this.#ordered(entry.answer.places, entry, nowMs))
  }

  #look(nowMs: number): void {
    this.#lookMs = nowMs + SYSTEM_LOOK_MS
    if (this.#system.look()) this.#fix()
  }

  #fix(): void {
    const fixed = new Map<string, Answer>()
    for (const [host, texts] of this.#system.hosts) fixed.set(host, found(placesOf(texts)))
    for (const [host, texts] of Object.entries(this.#hosts)) fixed.set(host, found(placesOf(texts)))
    this.#fixed = fixed
  }

  /** False where too much is asked already. */
  #begin(host: Host, entry: Entry): boolean {
    if (this.#asking >= ASKING_MAX) return false
    this.#asking++
    entry.asking = new Asking({
      names: this.#spellings(host),
      ask: this.#ask,
      timers: this.#timers,
      patienceMs: this.#isStale(entry) ? PATIENCE_MS : null,
      early: (part) => this.#keep(entry, part, null),
      late: () => this.#keepStale(entry),
      done: (four, six) => {
        this.#asking--
        entry.asking = null
        return this.#keep(entry, four, six)
      },
      counters: this.counters,
    })
    entry.asking.begin()
    return true
  }

  /** A name without a dot is tried in the search domains first, and then as it is (resolv.conf(5), ndots:1). */
  #spellings(host: Host): readonly string[] {
    if (host.includes('.')) return [host]
    const within = this.#system.search.map((domain) => `${host}.${domain}`)
    return [...within.filter((name) => name.length <= HOST_LENGTH_MAX), host]
  }

  #isStale(entry: Entry): boolean {
    return entry.answer.outcome === 'found' && this.#now() < entry.staleMs
  }

  #keepStale(entry: Entry): Answer {
    this.counters.stale++
    entry.untilMs = this.#now() + STALE_HELD_MS
    entry.aheadMs = Infinity
    return entry.answer
  }

  /** What the parts come to; `six` is null where it is not waited for any longer, or not yet known. */
  #keep(entry: Entry, four: Part, six: Part | null): Answer {
    const nowMs = this.#now()
    const { shortestMs, longestMs, negativeMs } = this.#rules
    const parts = six === null ? [four] : [four, six]
    const places = distinct(parts.flatMap(({ places }) => places))
    const broken = parts.find(({ outcome }) => outcome === 'failed')
    if (places.length > 0) {
      let ttlMs = Math.min(...parts.map((part) => part.ttlMs), longestMs)
      if (broken !== undefined) ttlMs = Math.min(ttlMs, PARTIAL_MS)
      ttlMs = Math.max(ttlMs, shortestMs)
      entry.answer = found(this.#ordered(places, entry, nowMs))
      entry.untilMs = nowMs + ttlMs
      entry.aheadMs = entry.untilMs - ttlMs * AHEAD_SHARE
      entry.staleMs = entry.untilMs + STALE_MS
      return entry.answer
    }
    if (broken !== undefined) {
      this.counters.failures++
      if (this.#isStale(entry)) return this.#keepStale(entry)
    }
    entry.answer = broken === undefined ? missing(four.why) : failed(broken.why)
    entry.untilMs = nowMs + (broken === undefined ? negativeMs : FAILED_MS)
    entry.aheadMs = Infinity
    entry.staleMs = -Infinity
    return entry.answer
  }

  /** In the order to try them: by what was learnt of the host, else of all hosts, else IPv6 first. */
  #ordered(places: readonly Place[], { learnt, learntMs }: Entry, nowMs: number): Place[] {
    if (learnt === null || nowMs >= learntMs) {
      return interleaved(places, nowMs < this.#sixLostMs ? 4 : 6)
    }
    const leader = places.find(({ text }) => text === learnt.text)
    return leader === undefined ? interleaved(places, learnt.family) : ledBy(leader, places)
  }
}

/** Of a host that needs no asking, or must not be asked for. */
function unasked(host: Host): Answer | null {
  // A host ends in a digit or has a colon where it is an address (see policy's parseHost), and seldom else.
  const last = host.charCodeAt(host.length - 1)
  if ((last >= 48 && last <= 57) || host.includes(':')) {
    const address = parseAddress(host)
    if (address !== null)
      return found([{ address, text: host, family: host.includes(':') ? 6 : 4 }])
  }
  switch (host.slice(host.lastIndexOf('.') + 1)) {
    case 'localhost':
      return LOOPBACK
    case 'invalid':
    case 'onion':
      return NEVER_ASKED
    default:
      return null
  }
}
