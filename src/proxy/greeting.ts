/**
 * Owns: the first bytes from the client of a tunnel: held until they say whom they are for, and judged.
 * Never: delays them: a hello that is whole passes at once, and no server answers one that is not.
 */
import type { Facts, Hello, Verdict } from '../policy/index.ts'
import { judgeHello } from '../policy/index.ts'
import type { Engine } from './engine.ts'
import type { Flow } from './flow.ts'
import { HelloReader } from './hello.ts'

/** Level fatal, access_denied (RFC 8446 section 6): what a client of TLS understands. */
export const TLS_ALERT: Buffer = Buffer.from([0x15, 3, 3, 0, 2, 2, 49])

export type GreetingState = 'more' | 'pass' | 'refused'

export class Greeting {
  readonly #engine: Engine
  readonly #flow: Flow
  /** What the CONNECT was decided on. */
  readonly #facts: Facts
  readonly #reader = new HelloReader()
  #held: Buffer[] = []
  #sinceMs = 0
  /** Why it is refused. */
  verdict: Verdict | null = null
  /** The client speaks TLS, and so understands an alert. */
  isTls = false

  constructor(engine: Engine, flow: Flow, facts: Facts) {
    this.#engine = engine
    this.#flow = flow
    this.#facts = facts
  }

  /** Takes the next bytes. After `pass`, what `held` gives goes on. */
  push(bytes: Buffer): GreetingState {
    const hello = this.#reader.push(bytes)
    if (hello === 'more') {
      this.#sinceMs ||= this.#engine.monotonic()
      this.#held.push(Buffer.from(bytes))
      return 'more'
    }
    return this.#judge(hello)
  }

  /** No more will come in time: the client has ended, or is too slow. Null: it has not said a byte. */
  end(): GreetingState | null {
    const hello = this.#reader.end()
    return hello === null ? null : this.#judge(hello)
  }

  /** True where it has begun and has taken too long. */
  isOverdue(nowMs: number): boolean {
    const { headTimeoutMs } = this.#engine.world.limits
    return this.#sinceMs > 0 && nowMs - this.#sinceMs >= headTimeoutMs
  }

  /** All bytes so far; `last` are those that were not held. */
  all(last: Buffer | null): Buffer {
    const held = this.#held
    this.#held = []
    if (held.length === 0) return last ?? Buffer.alloc(0)
    return Buffer.concat(last === null ? held : [...held, last])
  }

  #judge(hello: Hello): GreetingState {
    const engine = this.#engine
    const flow = this.#flow
    this.isTls = hello.kind === 'tls'
    const opened = { facts: this.#facts, verdict: flow.verdict }
    const judgement = judgeHello(engine.policy, opened, hello, engine.gatherNamed)
    const { outcome, serverName, reason, metered } = judgement
    flow.hello = outcome
    flow.serverName = serverName
    this.verdict = judgement.verdict
    if (metered !== null && !engine.remeter(flow, metered.facts, metered.verdict)) {
      this.verdict = flow.verdict
    } else if (reason !== null) engine.count(reason)
    return this.verdict === null ? 'pass' : 'refused'
  }
}
