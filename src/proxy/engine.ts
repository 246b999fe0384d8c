/**
 * Owns: what all connections of one thread share: the world, the lookup, the ledger, the flows, the tick.
 * Never: reads from or writes to a socket.
 */
import {
  BasicVerifier,
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
  Identified,
  Labels,
  Listener,
  LocalDay,
  Policy,
  QuotaCategory,
  Reason,
  Verdict,
  Zone,
} from '../policy/index.ts'
import {
  categoryNames,
  decide,
  ledgerKey,
  localDay,
  minuteOf,
  noLabels,
  parseAddress,
  platformNames,
  quotaCategoryOf,
  refuse,
} from '../policy/index.ts'
import { Dialler, type DialResult, type Resolve } from './dial.ts'
import { Flow } from './flow.ts'
import type { HeadFault, RequestHead } from './head.ts'
import { Pool } from './pool.ts'
import { Recorder } from './record.ts'
import { type Counters, type Endpoint, newCounters, type World } from './world.ts'

export interface EngineOptions {
  readonly world: World
  readonly run: string
  readonly ledger: Ledger
  readonly clock: Clock
  /** Milliseconds that never jump, for limits of time. */
  readonly monotonic: () => number
  readonly resolve: Resolve
  readonly alarm: (what: string, hint: string) => void
}

const MINUTE_MS = 60_000

/** Who asks: fixed for a connection until the zones change. */
export interface Asker {
  readonly address: Address
  readonly addressText: string
  zone: Zone | null
  /** The policy version that `zone` is of. */
  zoneVersion: number
}

export class Engine {
  readonly clock: Clock
  readonly monotonic: () => number
  readonly pool: Pool
  readonly recorder: Recorder
  /** Our name in Via. */
  readonly via: string
  readonly counters: Counters = newCounters()
  readonly #ledger: Ledger
  readonly #dialler: Dialler
  readonly #open = new Set<Flow>()
  readonly #quotaFlows = new Set<Flow>()
  #world: World
  #lookup: Lookup
  #verifier: BasicVerifier | null = null
  #identifier: Identifier = createIdentifier({ verifier: null })
  #listeners: readonly Listener[]
  #endpoints: readonly Endpoint[] = []
  #flowNumber = 0
  #day: LocalDay
  /** The minute of the day that bytes count in now. */
  #minute = 0
  #minuteDay = 0
  #minuteStartMs = 0

  constructor(options: EngineOptions) {
    const { world, clock, alarm } = options
    this.clock = clock
    this.monotonic = options.monotonic
    this.via = `sluss-${options.run}`
    this.pool = new Pool(world.limits)
    this.recorder = new Recorder({ rules: world.log, now: clock, alarm })
    this.#ledger = options.ledger
    this.#dialler = new Dialler(options.resolve)
    this.#world = world
    this.#lookup = new Lookup(world.image)
    this.#signIn(world.users)
    this.#listeners = listenersOf(world, [])
    this.#day = localDay(world.policy.calendar, clock())
    this.#turn(clock())
  }

  get world(): World {
    return this.#world
  }

  get policy(): Policy {
    return this.#world.policy
  }

  /** Swaps the world between two events; open connections go on. */
  replace(world: World): void {
    this.#chargeAll()
    this.#world = world
    this.#lookup = new Lookup(world.image)
    this.#signIn(world.users)
    this.#listeners = listenersOf(world, this.#endpoints)
    this.#day = localDay(world.policy.calendar, this.clock())
    this.#turn(this.clock())
    this.pool.configure(world.limits)
    // What was dialled under the old rules for addresses is not reused under the new ones.
    this.pool.clear()
    this.recorder.configure(world.log)
    for (const flow of this.#quotaFlows) this.#relabel(flow)
  }

  /** The users there are now; who has signed in stays so, where the password is still the same. */
  #signIn(users: Users | null): void {
    if (users !== null && this.#verifier !== null) {
      this.#verifier.replaceUsers(users)
      return
    }
    this.#verifier = users === null ? null : new BasicVerifier({ users })
    this.#identifier = createIdentifier({ verifier: this.#verifier })
  }

  /** Bits and zones have new meanings under a new policy: what an open flow knows is read anew. */
  #relabel(flow: Flow): void {
    const facts = flow.quotaFacts!
    const labels = noLabels()
    this.#lookup.match(facts.host, labels)
    const zone = this.policy.zones.find(({ name }) => name === facts.zone?.name) ?? facts.zone
    flow.quotaFacts = { ...facts, labels, zone }
    if (quotaCategoryOf(this.policy, labels) !== null) return
    this.#charge(flow)
    flow.keepTime = null
    this.#quotaFlows.delete(flow)
  }

  /** Where this thread really listens, so that it never dials itself. */
  listening(endpoints: readonly Endpoint[]): void {
    this.#endpoints = endpoints
    this.#listeners = listenersOf(this.#world, endpoints)
  }

  identify(zone: Zone | null, asker: Asker, credentials: string | null) {
    return this.#identifier.identify(zone, asker.addressText, credentials)
  }

  challenges(zone: Zone | null): readonly string[] {
    return challengeHeaders(zone)
  }

  /** All that the decision on `head` rests on. */
  gather(head: RequestHead, asker: Asker, identified: Identified, fault: Reason | null): Facts {
    const labels = noLabels()
    this.#lookup.match(head.host, labels)
    const { zone } = asker
    const { carriage, host, port } = head
    const nowMs = this.clock()
    const known = { nowMs, fault, carriage, host, port, zone, identified, labels }
    const category = quotaCategoryOf(this.policy, labels)
    if (category === null) return { ...known, minutesUsed: 0, minutesGiven: 0 }
    return { ...known, ...this.#minutesOf(category, zone, identified, nowMs) }
  }

  #minutesOf(
    category: QuotaCategory,
    zone: Zone | null,
    identified: Identified,
    nowMs: number,
  ): { minutesUsed: number; minutesGiven: number } {
    const key = keyOf(category, zone, identified)
    const slot = key === null ? -1 : this.#ledger.find(key)
    if (slot < 0) return { minutesUsed: 0, minutesGiven: 0 }
    const day = this.#dayAt(nowMs).number
    const minutesUsed = this.#ledger.used(slot, day)
    return { minutesUsed, minutesGiven: this.#ledger.given(slot, day) }
  }

  /** The verdict on `facts`; of a metered one, that there is a ledger to charge. */
  decide(facts: Facts): { verdict: Verdict; slot: number } {
    if (!this.recorder.ready) {
      return { verdict: refuse('log-unavailable', 'log.onFailure'), slot: -1 }
    }
    const verdict = decide(this.policy, facts)
    if (verdict.metered === null) return { verdict, slot: -1 }
    const slot = this.#claim(facts)
    return slot < 0 ? { verdict: refuse('ledgers-full', 'quota.users'), slot } : { verdict, slot }
  }

  #claim(facts: Facts): number {
    const category = quotaCategoryOf(this.policy, facts.labels)
    const key = category === null ? null : keyOf(category, facts.zone, facts.identified)
    return key === null ? -1 : this.#ledger.claim(key)
  }

  /** The flow of a decided request; it will have its record. */
  begin(head: RequestHead | HeadFault, asker: Asker, facts: Facts | null, verdict: Verdict): Flow {
    const identity = facts?.identified.known ? facts.identified.identity : null
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
        categories: facts === null ? '' : names(categoryNames, this.policy, facts.labels),
        platforms: facts === null ? '' : names(platformNames, this.policy, facts.labels),
      },
      verdict,
      (ended) => this.#ended(ended),
    )
    this.counters.requests++
    this.counters.flowsOpen++
    this.#open.add(flow)
    this.count(verdict.reason)
    this.recorder.begin(flow)
    return flow
  }

  /** Keeps an eye on a flow of a quota category: charged at each tick, decided again each second. */
  watch(flow: Flow, facts: Facts, slot: number): void {
    if (quotaCategoryOf(this.policy, facts.labels) === null) return
    flow.quotaFacts = facts
    flow.slot = slot
    flow.keepTime = this.#keepTime
    this.#quotaFlows.add(flow)
  }

  /** Where a minute has ended, what moved in it is charged to it before anything more moves. */
  readonly #keepTime = (): void => {
    const nowMs = this.clock()
    if (nowMs >= this.#minuteStartMs && nowMs < this.#minuteStartMs + MINUTE_MS) return
    this.#chargeAll()
    this.#turn(nowMs)
  }

  #chargeAll(): void {
    for (const flow of this.#quotaFlows) this.#charge(flow)
  }

  #turn(nowMs: number): void {
    const day = this.#dayAt(nowMs)
    this.#minute = minuteOf(day, nowMs)
    this.#minuteDay = day.number
    this.#minuteStartMs = day.startMs + this.#minute * MINUTE_MS
  }

  count(reason: Reason): void {
    this.counters.reasons[reason] = (this.counters.reasons[reason] ?? 0) + 1
  }

  dial(head: RequestHead): Promise<DialResult> {
    const { policy, hosts, limits } = this.#world
    const { dialTimeoutMs } = limits
    const listeners = this.#listeners
    return this.#dialler.dial(head.host, head.port, { policy, hosts, listeners, dialTimeoutMs })
  }

  #pathOf(head: RequestHead, verdict: Verdict): string {
    const { paths } = this.#world.log
    if (paths === 'never' || (paths === 'refused' && verdict.action === 'allow')) return ''
    const query = head.target.indexOf('?')
    return query < 0 ? head.target : head.target.slice(0, query)
  }

  #ended(flow: Flow): void {
    this.counters.flowsOpen--
    this.#open.delete(flow)
    this.counters.bytesUp += flow.bytesUp
    this.counters.bytesDown += flow.bytesDown
    if (this.#quotaFlows.delete(flow)) this.#charge(flow)
    if (flow.recordedOpen) this.recorder.close(flow)
  }

  /** When the minutes of `facts` return. */
  dayEndMs(facts: Facts): number {
    return this.#dayAt(facts.nowMs).endMs
  }

  /** The day at `nowMs`, kept until it ends. */
  #dayAt(nowMs: number): LocalDay {
    const day = this.#day
    if (nowMs < day.startMs || nowMs >= day.endMs) {
      this.#day = localDay(this.policy.calendar, nowMs)
    }
    return this.#day
  }

  /** What has moved and is not yet charged: all of it moved in the current minute (keepTime). */
  #charge(flow: Flow): void {
    const bytes = flow.bytesUp + flow.bytesDown - flow.chargedBytes
    if (flow.slot < 0 || bytes === 0) return
    flow.chargedBytes += bytes
    const { thresholdBytes } = this.policy.quota
    this.#ledger.addBytes(flow.slot, this.#minuteDay, this.#minute, bytes, thresholdBytes)
  }

  /** Call every FLUSH_MS: charges minutes and sends records. */
  tick(): void {
    this.#chargeAll()
    this.#turn(this.clock())
    this.recorder.flush()
  }

  /** Call every second: decides open quota flows again by the same rules, and cuts what is spent. */
  reconsider(): void {
    const nowMs = this.clock()
    for (const flow of [...this.#quotaFlows]) {
      const facts = this.#factsNow(flow.quotaFacts!, nowMs)
      const verdict = decide(this.policy, facts)
      if (verdict.action === 'spent') {
        this.#overdrawn(flow, nowMs)
        continue
      }
      flow.spentAtMs = 0
      if (verdict.metered === null) {
        flow.slot = -1
        flow.chargedBytes = flow.bytesUp + flow.bytesDown
      } else if (flow.slot < 0) {
        flow.chargedBytes = flow.bytesUp + flow.bytesDown
        flow.slot = this.#claim(facts)
      }
    }
  }

  #factsNow(facts: Facts, nowMs: number): Facts {
    const category = quotaCategoryOf(this.policy, facts.labels)
    if (category === null) return { ...facts, nowMs }
    return { ...facts, nowMs, ...this.#minutesOf(category, facts.zone, facts.identified, nowMs) }
  }

  #overdrawn(flow: Flow, nowMs: number): void {
    if (flow.spentAtMs === 0) flow.spentAtMs = nowMs
    if (nowMs - flow.spentAtMs < this.policy.quota.graceMs) return
    this.count('minutes-spent')
    flow.cut?.('spent')
  }

  /** Drain: ends every flow that is still open; one that is being dialled has nothing to cut yet. */
  cutAll(): void {
    for (const flow of [...this.#open]) {
      if (flow.cut === null) flow.end('shutdown', this.clock())
      else flow.cut('shutdown')
    }
  }

  snapshot(): Counters {
    const { made, acknowledged, lostTotal } = this.recorder
    const records = { records: made, recordsAcknowledged: acknowledged, recordsLost: lostTotal }
    return { ...this.counters, ...records, reasons: { ...this.counters.reasons } }
  }
}

function names(
  of: (policy: Policy, labels: Labels) => string[],
  policy: Policy,
  labels: Labels,
): string {
  if ((labels.categories | labels.platforms) === 0) return ''
  return of(policy, labels).join(',')
}

function keyOf(category: QuotaCategory, zone: Zone | null, identified: Identified): string | null {
  if (zone === null || zone.quota === 'none' || !identified.known) return null
  const { user } = identified.identity
  return ledgerKey({ zone: zone.name, user, category: category.name })
}

function listenersOf(world: World, endpoints: readonly Endpoint[]): readonly Listener[] {
  return [...world.listen, ...world.portal, ...endpoints].flatMap(({ address, port }) => {
    const parsed = parseAddress(address)
    return parsed === null ? [] : [{ address: parsed, port }]
  })
}
