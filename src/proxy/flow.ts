/**
 * Owns: one exchange from its decision to its end: what it was, what it moved, and what it charges.
 * Never: touches a socket; whoever carries the bytes tells it of them.
 */
import type {
  Ending,
  Facts,
  HelloOutcome,
  IdentityKind,
  RecordEvent,
  TrafficRecord,
  Verdict,
} from '../policy/index.ts'
import type { Named } from './label-names.ts'

/** What a flow is made of, as plain text for the record. */
export interface FlowFacts {
  readonly number: number
  readonly timeMs: number
  readonly zone: string
  readonly user: string
  readonly identity: IdentityKind | ''
  readonly address: string
  readonly method: string
  readonly host: string
  readonly port: number
  readonly path: string
  readonly categories: string
  readonly platforms: string
}

export class Flow {
  readonly facts: FlowFacts
  readonly timeMs: number
  verdict: Verdict
  bytesUp = 0
  bytesDown = 0
  status = 0
  /** Names joined by commas: of the host, and of the server name of a tunnel (`addLabels`). */
  categories: string
  platforms: string
  /** Of a tunnel: what its first bytes said. */
  hello: HelloOutcome = ''
  serverName = ''
  ending: Ending = 'open'
  ended = false
  recordedOpen = false
  /** Of a flow in a quota category: what to decide again with, each second; null for all others. */
  quotaFacts: Facts | null = null
  /** The ledger's slot to charge, or -1. */
  slot = -1
  /** Bytes already charged to the ledger. */
  chargedBytes = 0
  /** When the minutes ran out while it was open, or 0. */
  spentAtMs = 0
  /** Of a metered flow: sees to it that bytes are charged to the minute in which they move. */
  keepTime: (() => void) | null = null
  /** Cuts the connection that carries it; set by the carrier. */
  cut: ((ending: Ending) => void) | null = null
  readonly #onEnd: (flow: Flow) => void
  #endedMs = 0

  constructor(facts: FlowFacts, verdict: Verdict, onEnd: (flow: Flow) => void) {
    this.facts = facts
    this.timeMs = facts.timeMs
    this.verdict = verdict
    this.categories = facts.categories
    this.platforms = facts.platforms
    this.#onEnd = onEnd
  }

  /** What the lists say of its server name: the next row has it, too. */
  addLabels({ categories, platforms }: Named): void {
    this.categories = joined(this.categories, categories)
    this.platforms = joined(this.platforms, platforms)
  }

  /** `bytes` went from the client to the origin. */
  movedUp(bytes: number): void {
    this.keepTime?.()
    this.bytesUp += bytes
  }

  /** `bytes` went to the client. */
  movedDown(bytes: number): void {
    this.keepTime?.()
    this.bytesDown += bytes
  }

  /** Says how it ended, and when; the first ending counts. */
  end(ending: Ending, nowMs: number): void {
    if (this.ended) return
    this.ended = true
    this.ending = ending
    this.#endedMs = nowMs
    this.cut = null
    this.#onEnd(this)
  }

  record(event: RecordEvent, nowMs: number): TrafficRecord {
    const { facts, verdict } = this
    return {
      event,
      flow: facts.number,
      timeMs: facts.timeMs,
      zone: facts.zone,
      user: facts.user,
      identity: facts.identity,
      address: facts.address,
      method: facts.method,
      host: facts.host,
      port: facts.port,
      path: facts.path,
      categories: this.categories,
      platforms: this.platforms,
      verdict: verdict.action,
      reason: verdict.reason,
      rule: verdict.rule,
      decision: verdict.decision?.dnr ?? '',
      bytesUp: this.bytesUp,
      bytesDown: this.bytesDown,
      durationMs: Math.max(0, (this.ended ? this.#endedMs : nowMs) - facts.timeMs),
      status: this.status,
      ending: this.ending,
      hello: this.hello,
      serverName: this.serverName,
      count: 1,
    }
  }
}

/** Names joined by commas: those of `a`, then what else there is in `b`. */
function joined(a: string, b: string): string {
  if (a === '' || b === '' || a === b) return a || b
  const names = a.split(',')
  return [...names, ...b.split(',').filter((name) => !names.includes(name))].join(',')
}
