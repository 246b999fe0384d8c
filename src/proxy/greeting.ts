/**
 * Owns: the first bytes from the client of a tunnel: held until they say whom they are for, and judged; and
 * the second hello, where the origin asks for one (HelloRetryRequest).
 * Never: delays them: a hello that is whole passes at once, and no server answers one that is not. Looks at
 * nothing once the origin has answered.
 */
import type { Facts, Hello, HelloJudgement, Verdict } from '../policy/index.ts'
import { judgeHello } from '../policy/index.ts'
import type { Engine } from './engine.ts'
import type { Flow } from './flow.ts'
import { HelloReader } from './hello.ts'
import { HelloRetry } from './hello-retry.ts'

/** Level fatal, access_denied (RFC 8446 section 6): what a client of TLS understands. */
export const TLS_ALERT: Buffer = Buffer.from([0x15, 3, 3, 0, 2, 2, 49])

/** `pass`: what `take` gives goes on. */
export type GreetingState = 'more' | 'pass' | 'refused'

const NOTHING: Buffer = Buffer.alloc(0)
const MALFORMED: Hello = { kind: 'malformed' }

export class Greeting {
  readonly #engine: Engine
  readonly #flow: Flow
  /** What the CONNECT was decided on. */
  readonly #facts: Facts
  /** Null between two hellos. */
  #reader: HelloReader | null = new HelloReader()
  /** Since the first hello has passed. */
  #retry: HelloRetry | null = null
  #first: Hello | null = null
  #severity = 0
  #held: Buffer[] = []
  #out: Buffer = NOTHING
  #sinceMs = 0
  /** Why it is refused. */
  verdict: Verdict | null = null
  /** The client speaks TLS, and so understands an alert. */
  isTls = false
  /** Nothing more is to be looked at. */
  isDone = false

  constructor(engine: Engine, flow: Flow, facts: Facts) {
    this.#engine = engine
    this.#flow = flow
    this.#facts = facts
  }

  /** Takes the next bytes of the client. */
  push(bytes: Buffer): GreetingState {
    if (bytes.length === 0) return 'more'
    /** Up to here, and with all that was held, they go on. */
    let clear = 0
    while (clear < bytes.length) {
      if (this.#reader === null) {
        const next = this.#retry!.find(bytes, clear)
        if (next < 0) return this.#judge(MALFORMED)
        clear = next
        if (clear === bytes.length) break
        this.#reader = new HelloReader()
      }
      const rest = clear === 0 ? bytes : bytes.subarray(clear)
      const hello = this.#reader.push(rest)
      if (hello === 'more') return this.#hold(bytes, clear)
      if (this.#judge(hello) === 'refused') return 'refused'
      clear = this.#follow(hello) ? clear + this.#reader.used : bytes.length
      this.#reader = null
    }
    this.#release(bytes, clear)
    return 'pass'
  }

  /** What goes on. */
  take(): Buffer {
    const out = this.#out
    this.#out = NOTHING
    return out
  }

  /** Takes what the origin says, which goes on in any case; true where that was the last to be looked at. */
  hear(bytes: Buffer): boolean {
    // A hello that is being read is read to its end, whatever the origin says meanwhile.
    if (this.#retry === null || this.#reader !== null) return false
    return this.#retry.hear(bytes) === 'other'
  }

  /** No more will come in time: the client has ended, or is too slow. Null: no hello has begun. */
  end(): GreetingState | null {
    const hello = this.#reader?.end() ?? null
    return hello === null ? null : this.#judge(hello)
  }

  /** True where a hello has begun and has taken too long. */
  isOverdue(nowMs: number): boolean {
    const { headTimeoutMs } = this.#engine.world.limits
    return this.#sinceMs > 0 && nowMs - this.#sinceMs >= headTimeoutMs
  }

  /** After `hello`: true where another may follow it. */
  #follow(hello: Hello): boolean {
    this.#sinceMs = 0
    if (this.#retry !== null || hello.kind !== 'tls') {
      this.isDone = true
      return false
    }
    this.#first = hello
    this.#retry = new HelloRetry()
    return true
  }

  /** What of `bytes` comes after `clear` is of a hello that is not whole. */
  #hold(bytes: Buffer, clear: number): GreetingState {
    if (clear > 0) this.#release(bytes, clear)
    this.#sinceMs ||= this.#engine.monotonic()
    this.#held.push(Buffer.from(bytes.subarray(clear)))
    return clear > 0 ? 'pass' : 'more'
  }

  #release(bytes: Buffer, clear: number): void {
    const passed = clear === bytes.length ? bytes : bytes.subarray(0, clear)
    this.#out = this.#held.length === 0 ? passed : Buffer.concat([...this.#held, passed])
    if (this.#held.length > 0) this.#held = []
  }

  #judge(hello: Hello): GreetingState {
    // A client that is asked for another key says the same name again.
    if (this.#first !== null && isSame(this.#first, hello)) return 'pass'
    const engine = this.#engine
    const flow = this.#flow
    this.isTls ||= hello.kind === 'tls'
    const opened = { facts: this.#facts, verdict: flow.verdict }
    const judgement = judgeHello(engine.policy, opened, hello, engine.gatherNamed)
    const { reason, metered, labels } = judgement
    this.#note(judgement)
    if (labels !== null) flow.addLabels(engine.namesOf(labels))
    this.verdict = judgement.verdict
    if (metered !== null && !engine.remeter(flow, metered.facts, metered.verdict)) {
      this.verdict = flow.verdict
    } else if (reason !== null) engine.count(reason)
    return this.verdict === null ? 'pass' : 'refused'
  }

  /** The record says what the first hello said, or the second where more is against that. */
  #note(judgement: HelloJudgement): void {
    const severity = severityOf(judgement)
    if (this.#first !== null && severity <= this.#severity) return
    this.#severity = severity
    this.#flow.hello = judgement.outcome
    this.#flow.serverName = judgement.serverName
  }
}

function isSame(a: Hello, b: Hello): boolean {
  if (a.kind !== 'tls' || b.kind !== 'tls') return false
  return a.serverName === b.serverName && a.encrypted === b.encrypted
}

function severityOf({ outcome, reason, verdict, metered }: HelloJudgement): number {
  if (verdict !== null) return 4
  if (metered !== null) return 3
  if (reason !== null) return 2
  return outcome === 'matched' ? 0 : 1
}
