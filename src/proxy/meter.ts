/**
 * Owns: the minutes of this thread's open flows: what moved in which minute, whose ledger it charges, and
 * the flows whose minutes run out while they are open.
 * Never: has rules of its own: an open flow is decided again by the same `decide`.
 */
import type { Clock } from '../ledger/clock.ts'
import type { Ledger } from '../ledger/ledger.ts'
import type {
  Facts,
  Identified,
  Labels,
  LocalDay,
  Policy,
  QuotaCategory,
  Verdict,
  Zone,
} from '../policy/index.ts'
import {
  decide,
  decideMinutes,
  ledgerKey,
  localDay,
  minuteOf,
  quotaCategoryOf,
} from '../policy/index.ts'
import type { Flow } from './flow.ts'

const MINUTE_MS = 60_000

export interface MeterOptions {
  readonly ledger: Ledger
  readonly clock: Clock
  readonly policy: Policy
}

/** What a ledger says of today. */
export interface Minutes {
  readonly minutesUsed: number
  readonly minutesGiven: number
}

const NONE: Minutes = { minutesUsed: 0, minutesGiven: 0 }

export class Meter {
  readonly #ledger: Ledger
  readonly #clock: Clock
  /** Open flows of quota categories, metered or not. */
  readonly #flows = new Set<Flow>()
  #policy: Policy
  #day: LocalDay
  /** The minute that bytes count in now, the day it is of, and when it began. */
  #minute = 0
  #minuteDay = 0
  #minuteStartMs = 0

  constructor({ ledger, clock, policy }: MeterOptions) {
    this.#ledger = ledger
    this.#clock = clock
    this.#policy = policy
    this.#day = localDay(policy.calendar, clock())
    this.#turn(clock())
  }

  /**
   * A new policy: what moved until now is charged by the old one; bits and zones have new meanings, so
   * what an open flow is labelled with is read anew by `labelsOf`.
   */
  replace(policy: Policy, labelsOf: (facts: Facts) => Labels): void {
    this.#chargeAll()
    this.#policy = policy
    this.#day = localDay(policy.calendar, this.#clock())
    this.#turn(this.#clock())
    for (const flow of this.#flows) {
      const facts = flow.quotaFacts!
      const zone = policy.zones.find(({ name }) => name === facts.zone?.name) ?? facts.zone
      const labels = labelsOf(facts)
      flow.quotaFacts = { ...facts, labels, zone }
      if (quotaCategoryOf(policy, labels) === null) this.forget(flow)
    }
  }

  /** What the ledger that `facts` would charge says of the day at their moment. */
  minutesOf(facts: Pick<Facts, 'labels' | 'zone' | 'identified' | 'nowMs'>): Minutes {
    const key = this.#keyOf(facts)
    const slot = key === null ? -1 : this.#ledger.find(key)
    if (slot < 0) return NONE
    const day = this.#dayAt(facts.nowMs).number
    const minutesUsed = this.#ledger.used(slot, day)
    return { minutesUsed, minutesGiven: this.#ledger.given(slot, day) }
  }

  /** The slot of the ledger that `facts` charge; negative where all ledgers are in use. */
  claim(facts: Facts): number {
    const key = this.#keyOf(facts)
    return key === null ? -1 : this.#ledger.claim(key)
  }

  #keyOf({ labels, zone, identified }: Pick<Facts, 'labels' | 'zone' | 'identified'>) {
    const category = quotaCategoryOf(this.#policy, labels)
    return category === null ? null : keyOf(category, zone, identified)
  }

  /** Keeps an eye on a flow, if its host is in a quota category. `slot` is -1 where it charges nothing. */
  watch(flow: Flow, facts: Facts, slot: number): void {
    if (quotaCategoryOf(this.#policy, facts.labels) === null) return
    flow.quotaFacts = facts
    flow.slot = slot
    flow.keepTime = this.#keepTime
    this.#flows.add(flow)
  }

  /** A flow that has ended, or no longer concerns us: what it moved is charged. */
  forget(flow: Flow): void {
    if (!this.#flows.delete(flow)) return
    this.#charge(flow)
    flow.keepTime = null
  }

  /** When the minutes at `nowMs` return. */
  dayEndMs(nowMs: number): number {
    return this.#dayAt(nowMs).endMs
  }

  /** Call several times a second: charges what has moved. */
  tick(): void {
    this.#chargeAll()
    this.#turn(this.#clock())
  }

  /** Call every second: decides each flow again, and gives those that are spent beyond the grace. */
  overdrawn(): Flow[] {
    const nowMs = this.#clock()
    const over: Flow[] = []
    for (const flow of this.#flows) {
      const then = flow.quotaFacts!
      const facts = { ...then, nowMs, ...this.minutesOf({ ...then, nowMs }) }
      const verdict = this.#decideAgain(facts)
      if (verdict.action === 'spent') {
        if (flow.spentAtMs === 0) flow.spentAtMs = nowMs
        if (nowMs - flow.spentAtMs >= this.#policy.quota.graceMs) over.push(flow)
        continue
      }
      flow.spentAtMs = 0
      this.#remeter(flow, facts, verdict.metered !== null)
    }
    return over
  }

  /** What a new policy would refuse goes on as it was let in; its minutes are counted all the same. */
  #decideAgain(facts: Facts): Verdict {
    const verdict = decide(this.#policy, facts)
    const stands = verdict.action === 'allow' || verdict.action === 'spent'
    return stands ? verdict : decideMinutes(this.#policy, facts)
  }

  /** An exemption has begun or ended: from now on the flow charges, or no longer does. */
  #remeter(flow: Flow, facts: Facts, metered: boolean): void {
    if (metered === flow.slot >= 0) return
    if (!metered) this.#charge(flow)
    flow.chargedBytes = flow.bytesUp + flow.bytesDown
    flow.slot = metered ? this.claim(facts) : -1
  }

  /** Where a minute has ended, what moved in it is charged to it before anything more moves. */
  readonly #keepTime = (): void => {
    const nowMs = this.#clock()
    if (nowMs >= this.#minuteStartMs && nowMs < this.#minuteStartMs + MINUTE_MS) return
    this.#chargeAll()
    this.#turn(nowMs)
  }

  #turn(nowMs: number): void {
    const day = this.#dayAt(nowMs)
    this.#minute = minuteOf(day, nowMs)
    this.#minuteDay = day.number
    this.#minuteStartMs = day.startMs + this.#minute * MINUTE_MS
  }

  #chargeAll(): void {
    for (const flow of this.#flows) this.#charge(flow)
  }

  /** What has moved and is not yet charged: all of it moved in the current minute (keepTime). */
  #charge(flow: Flow): void {
    const bytes = flow.bytesUp + flow.bytesDown - flow.chargedBytes
    if (flow.slot < 0 || bytes === 0) return
    flow.chargedBytes += bytes
    const { thresholdBytes } = this.#policy.quota
    this.#ledger.addBytes(flow.slot, this.#minuteDay, this.#minute, bytes, thresholdBytes)
  }

  /** The day at `nowMs`, kept until it ends. */
  #dayAt(nowMs: number): LocalDay {
    const day = this.#day
    if (nowMs < day.startMs || nowMs >= day.endMs) {
      this.#day = localDay(this.#policy.calendar, nowMs)
    }
    return this.#day
  }
}

function keyOf(category: QuotaCategory, zone: Zone | null, identified: Identified): string | null {
  if (zone === null || zone.quota === 'none' || !identified.known) return null
  const { user } = identified.identity
  return ledgerKey({ zone: zone.name, user, category: category.name })
}
