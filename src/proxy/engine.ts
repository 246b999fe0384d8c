/**
 * Owns: what all connections of one thread share: the world, the lookup, the meter, the flows, the tick.
 * Never: reads from or writes to a socket.
 */
import { networkInterfaces } from 'node:os'
import { isDeepStrictEqual } from 'node:util'
import { LRUCache } from 'lru-cache'
import {
  BasicVerifier,
  CONCURRENT_MAX,
  challengeHeaders,
  createIdentifier,
  type Identifier,
  type Users,
} from '../identity/index.ts'
import type { Clock } from '../ledger/clock.ts'
import type { Ledger } from '../ledger/ledger.ts'
import { Lookup } from '../lists/lookup.ts'
import type {
  Address,
  Facts,
  Host,
  Identified,
  Labels,
  Listener,
  Policy,
  Reason,
  Verdict,
  Zone,
} from '../policy/index.ts'
import { decide, noLabels, parseAddress, refuse, zoneOf } from '../policy/index.ts'
import { Deadlines } from './deadlines.ts'
import { Dial, type DialMeans, type DialResult, type DialWorld } from './dial.ts'
import { FailedLogins } from './failed-logins.ts'
import { Flow } from './flow.ts'
import type { HeadFault, RequestHead } from './head.ts'
import { LabelNames, type Named } from './label-names.ts'
import { Meter } from './meter.ts'
import { Names } from './names.ts'
import { OwnHost } from './own-host.ts'
import { Pool } from './pool.ts'
import { Recorder } from './record.ts'
import type { Question } from './resolver.ts'
import { Tally } from './tally.ts'
import type { TlsPages } from './tls-page.ts'
import { type Counters, type Endpoint, newCounters, type World } from './world.ts'

export interface EngineOptions {
  readonly world: World
  readonly run: string
  readonly ledger: Ledger
  /** Of all threads (tally-memory.ts), and which of them this is. */
  readonly tally: SharedArrayBuffer
  readonly thread: number
  readonly clock: Clock
  /** Milliseconds that never jump, for limits of time. */
  readonly monotonic: () => number
  /** Answers questions for names in place of the DNS servers. */
  readonly ask?: Question
  /** Certificates for the page of a refused tunnel; null: there are none. */
  readonly tlsPages?: TlsPages | null
  readonly alarm: (what: string, hint: string) => void
}

/** No record, no traffic (log.onFailure: refuse). */
const NO_RECORD = refuse('log-unavailable', 'log.onFailure')

const LEDGERS_FULL = refuse('ledgers-full', 'quota.users')

const ASKERS_MAX = 10_000

/** Who asks: the same for all connections of an address, until the zones change. */
export interface Asker {
  readonly address: Address
  readonly addressText: string
  /** What `address` is counted under, over all threads (tally.ts). */
  readonly tallyKey: number
  zone: Zone | null
  /** The policy version that `zone` is of. */
  zoneVersion: number
}

export class Engine {
  readonly clock: Clock
  readonly monotonic: () => number
  readonly pool: Pool
  readonly recorder: Recorder
  readonly meter: Meter
  readonly tally: Tally
  /** Our name in Via. */
  readonly via: string
  readonly counters: Counters = newCounters()
  /** The service is stopping: each answer is the last of its connection. */
  draining = false
  readonly tlsPages: TlsPages | null
  readonly #alarm: EngineOptions['alarm']
  readonly #failedLogins: FailedLogins
  readonly #dialMeans: DialMeans
  readonly #open = new Set<Flow>()
  #world: World
  /** What labels are called. */
  #names: LabelNames
  #lookup: Lookup
  #verifier: BasicVerifier | null = null
  #identifier: Identifier = createIdentifier({ verifier: null })
  #listeners: readonly Listener[]
  #dialWorld: DialWorld
  #ownHost: OwnHost
  #endpoints: readonly Endpoint[] = []
  #flowNumber = 0
  /** Kept by address: most connections come from one that has others. */
  readonly #askers = new LRUCache<string, Asker>({ max: ASKERS_MAX })

  constructor(options: EngineOptions) {
    const { world, clock, alarm } = options
    this.clock = clock
    this.monotonic = options.monotonic
    this.tlsPages = options.tlsPages ?? null
    this.via = `sluss-${options.run}`
    this.pool = new Pool(world.limits, (reason) => this.count(reason))
    this.recorder = new Recorder({ rules: world.log, now: clock, alarm })
    const { policy } = world
    this.meter = new Meter({ ledger: options.ledger, clock, policy })
    this.#alarm = alarm
    const now = options.monotonic
    const timers = new Deadlines(now)
    const { ask } = options
    const { dns: rules, hosts } = world
    const names = new Names({ rules, hosts, now, alarm, timers, ...(ask && { ask }) })
    this.#dialMeans = { names, now, timers }
    this.tally = new Tally(options.tally, options.thread)
    this.#failedLogins = new FailedLogins({ tally: this.tally, limits: world.limits })
    this.#world = world
    this.#names = new LabelNames(world.policy)
    this.#lookup = new Lookup(world.image)
    this.#signIn(world.users)
    this.#listeners = listenersOf(world, [])
    this.#dialWorld = dialWorldOf(world, this.#listeners)
    this.#ownHost = new OwnHost(world, this.#listeners)
  }

  get world(): World {
    return this.#world
  }

  get policy(): Policy {
    return this.#world.policy
  }

  /** Which requests are for the gate itself. */
  get ownHost(): OwnHost {
    return this.#ownHost
  }

  /** Swaps the world between two events; open connections go on. */
  replace(world: World): void {
    const was = this.#world
    this.#world = world
    this.#names = new LabelNames(world.policy)
    this.#lookup = new Lookup(world.image)
    this.meter.replace(world.policy, ({ host }) => this.#labelsOf(host))
    this.#signIn(world.users)
    this.#listeners = listenersOf(world, this.#endpoints)
    this.#dialMeans.names.configure(world.dns, world.hosts)
    this.#dialWorld = dialWorldOf(world, this.#listeners)
    // What was dialled under other rules for addresses and names is not reused under these.
    if (!isDeepStrictEqual(reachOf(was), reachOf(world))) this.pool.clear()
    this.#ownHost = new OwnHost(world, this.#listeners)
    this.pool.configure(world.limits)
    this.#failedLogins.configure(world.limits)
    this.recorder.configure(world.log)
  }

  /** The users there are now; who has signed in stays so, where the password is still the same. */
  #signIn(users: Users | null): void {
    if (users !== null && this.#verifier !== null) {
      this.#verifier.replaceUsers(users)
      return
    }
    const onError = (error: unknown) =>
      this.#alarm(`a password could not be checked: ${error}`, 'is the machine out of memory?')
    // Threads share what there is of processors and of libuv's threads.
    const concurrentMax = this.tally.memory.threads === 1 ? CONCURRENT_MAX : 1
    const options = { guard: this.#failedLogins, concurrentMax, onError }
    this.#verifier = users === null ? null : new BasicVerifier({ users, ...options })
    this.#identifier = createIdentifier({ verifier: this.#verifier })
  }

  /** Where this thread really listens, so that it never dials itself. */
  listening(endpoints: readonly Endpoint[]): void {
    this.#endpoints = endpoints
    this.#listeners = listenersOf(this.#world, endpoints)
    this.#dialWorld = dialWorldOf(this.#world, this.#listeners)
    this.#ownHost = new OwnHost(this.#world, this.#listeners)
  }

  /** Who asks from this address, as the system writes it. */
  askerAt(text: string): Asker {
    const known = this.#askers.get(text)
    if (known !== undefined) return known
    const plain = text.replace(/%.*$/, '')
    const address = parseAddress(plain) ?? { words: [0, 0, 0, 0] as const }
    const addressText = plain.replace(/^::ffff:(?=\d+\.)/i, '')
    const zone = zoneOf(this.policy, address)
    const tallyKey = this.tally.keyOfAddress(address)
    const asker = { address, addressText, tallyKey, zone, zoneVersion: this.policy.version }
    this.#askers.set(text, asker)
    return asker
  }

  identify(zone: Zone | null, asker: Asker, credentials: string | null) {
    return this.#identifier.identify(zone, asker, credentials)
  }

  challenges(zone: Zone | null): readonly string[] {
    return challengeHeaders(zone)
  }

  /** All that the decision on `head` rests on. */
  gather(head: RequestHead, asker: Asker, identified: Identified, fault: Reason | null): Facts {
    const labels = this.#labelsOf(head.host)
    const { zone } = asker
    const { carriage, host, port } = head
    const nowMs = this.clock()
    const facts = { nowMs, fault, carriage, host, port, zone, identified, labels }
    const { minutesUsed, minutesGiven } = this.meter.minutesOf(facts)
    return { ...facts, minutesUsed, minutesGiven }
  }

  /** `facts` as they are now, with `host` in place of their own. */
  readonly gatherNamed = (facts: Facts, host: Host): Facts => {
    const named = { ...facts, nowMs: this.clock(), host, labels: this.#labelsOf(host) }
    return { ...named, ...this.meter.minutesOf(named) }
  }

  /**
   * From now on `flow` is metered by `facts`, as `verdict` says. False where no ledger is left: the flow has
   * then the verdict to end it with.
   */
  remeter(flow: Flow, facts: Facts, verdict: Verdict): boolean {
    const slot = this.meter.claim(facts)
    flow.verdict = slot < 0 ? LEDGERS_FULL : verdict
    this.count(flow.verdict.reason)
    if (slot < 0) return false
    // What moved before was nobody's.
    flow.chargedBytes = flow.bytesUp + flow.bytesDown
    this.meter.watch(flow, facts, slot)
    return true
  }

  /** What `labels` are called under the policy in force. */
  namesOf(labels: Labels): Named {
    return this.#names.of(labels)
  }

  #labelsOf(host: Host): Labels {
    const labels = noLabels()
    this.#lookup.match(host, labels)
    return labels
  }

  /** The verdict on a head that cannot be read. */
  decideFault(fault: Reason): Verdict {
    return this.recorder.ready ? refuse(fault, 'request') : NO_RECORD
  }

  /** The verdict on `facts`; of a metered one, that there is a ledger to charge. */
  decide(facts: Facts): { verdict: Verdict; slot: number } {
    if (!this.recorder.ready) return { verdict: NO_RECORD, slot: -1 }
    const verdict = decide(this.policy, facts)
    if (verdict.metered === null) return { verdict, slot: -1 }
    const slot = this.meter.claim(facts)
    return slot < 0 ? { verdict: LEDGERS_FULL, slot } : { verdict, slot }
  }

  /** The flow of a decided request; it will have its record. */
  begin(head: RequestHead | HeadFault, asker: Asker, facts: Facts | null, verdict: Verdict): Flow {
    const identity = facts?.identified.known ? facts.identified.identity : null
    const named = facts === null ? null : this.#names.of(facts.labels)
    const flow = new Flow(
      {
        number: ++this.#flowNumber,
        timeMs: facts?.nowMs ?? this.clock(),
        zone: asker.zone?.name ?? '',
        user: identity?.user ?? '',
        identity: identity?.kind ?? '',
        address: asker.addressText,
        method: head.method,
        host: head.host,
        port: head.port,
        path: 'fault' in head ? '' : this.#pathOf(head, verdict),
        categories: named?.categories ?? '',
        platforms: named?.platforms ?? '',
      },
      verdict,
      this.#ended,
    )
    this.counters.requests++
    this.counters.flowsOpen++
    this.#open.add(flow)
    this.count(verdict.reason)
    this.recorder.begin(flow)
    return flow
  }

  count(reason: Reason): void {
    this.counters.reasons[reason] = (this.counters.reasons[reason] ?? 0) + 1
  }

  /** Connects to where `head` asks; `done` is called once, unless it is given up. */
  dial(head: RequestHead, done: (result: DialResult) => void): Dial {
    const isPortal = head.carriage === 'portal'
    const to = isPortal ? { host: head.host, port: this.#ownHost.port } : head
    const dial = new Dial(this.#dialMeans, to, this.#dialWorld, done)
    if (isPortal) dial.startAt(this.#ownHost.places)
    else dial.start()
    return dial
  }

  #pathOf(head: RequestHead, verdict: Verdict): string {
    const { paths } = this.#world.log
    if (paths === 'never' || (paths === 'refused' && verdict.action === 'allow')) return ''
    const query = head.target.indexOf('?')
    return query < 0 ? head.target : head.target.slice(0, query)
  }

  readonly #ended = (flow: Flow): void => {
    this.counters.flowsOpen--
    this.#open.delete(flow)
    this.counters.bytesUp += flow.bytesUp
    this.counters.bytesDown += flow.bytesDown
    this.meter.forget(flow)
    if (flow.recordedOpen) this.recorder.close(flow)
  }

  /** Call every FLUSH_MS: charges minutes and sends records. */
  tick(): void {
    this.meter.tick()
    this.recorder.flush()
  }

  /** Call every second: cuts the flows whose minutes have been spent for longer than the grace. */
  cutSpent(): void {
    for (const flow of this.meter.overdrawn()) {
      this.count('minutes-spent')
      flow.cut?.('spent')
    }
  }

  /** Drain: ends every flow that is still open; one that is being dialled has nothing to cut yet. */
  cutAll(): void {
    for (const flow of [...this.#open]) {
      this.count('drain-over')
      if (flow.cut === null) flow.end('shutdown', this.clock())
      else flow.cut('shutdown')
    }
  }

  snapshot(): Counters {
    const { made, acknowledged, lostTotal } = this.recorder
    const records = { records: made, recordsAcknowledged: acknowledged, recordsLost: lostTotal }
    const { hits, questions, failures } = this.#dialMeans.names.counters
    const names = { nameHits: hits, nameQuestions: questions, nameFailures: failures }
    return { ...this.counters, ...records, ...names, reasons: { ...this.counters.reasons } }
  }
}

/** All that says which addresses a dial may have led to. */
function reachOf({ policy, dns, hosts, listen, portal }: World): unknown {
  return [policy.allowedAddresses, dns, hosts, listen, portal]
}

function dialWorldOf({ policy, limits }: World, listeners: readonly Listener[]): DialWorld {
  return { policy, listeners, dialTimeoutMs: limits.dialTimeoutMs }
}

/** Where dialling would come back to us: a listener on any address is on each of the machine's. */
function listenersOf(world: World, endpoints: readonly Endpoint[]): readonly Listener[] {
  const own = Object.values(networkInterfaces()).flatMap((all) => all ?? [])
  const texts = own.map(({ address }) => address.replace(/%.*$/, ''))
  return [...world.listen, ...world.portal, ...endpoints].flatMap(({ address, port }) => {
    const any = address === '0.0.0.0' || address === '::'
    return (any ? [address, ...texts] : [address]).flatMap((text) => {
      const parsed = parseAddress(text)
      return parsed === null ? [] : [{ address: parsed, port }]
    })
  })
}
