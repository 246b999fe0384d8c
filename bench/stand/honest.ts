/**
 * Owns: honest traffic for as long as one likes: GETs and CONNECTs at a rate, whatever the answers
 * take, and tunnels that are kept and used now and then; every answer checked, and counted by who
 * asked.
 * Never: gives way to a proxy that stands still: what is due is sent as soon as it can be, and its
 * latency counts from when it was due.
 */
import type { Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { AnswerReader } from './answers.ts'
import { authorityOf, BODY_BYTES, connectOnce, dial, requestHead, type Target } from './load.ts'
import { openTunnels, type Tunnel } from './tunnels.ts'

export interface HonestOptions {
  readonly target: Target
  /** A host that is refused: one request in a hundred is for it. */
  readonly listed: string
  readonly perSecond: number
  /** Keep-alive connections at most, and CONNECTs under way at most; what is due more waits. */
  readonly connections: number
  readonly tunnels: number
  /** Each tunnel is used once in so long. */
  readonly trickleMs: number
}

/** Of requests: CONNECT + GET + close. */
export const CONNECT_SHARE = 0.2
const PACE_MS = 2
const TRICKLE_STEP_MS = 20
/** Kinds of fault that are told; all faults are counted. */
const FAULTS_KEPT = 10
const LISTED_EVERY = 100
const LAST_ANSWERS_MS = 15_000

interface Due {
  readonly dueMs: number
  readonly client: number
  readonly listed: boolean
}

export class Honest {
  /** Requests that were answered as they should be, CONNECTs too: each is in the log. */
  answered = 0
  /** Exchanges within the tunnels that are kept. */
  trickled = 0
  faults = 0
  /** How often each, of the first few that differ. */
  readonly faultTexts = new Map<string, number>()
  readonly getLatency = new Histogram()
  readonly connectLatency = new Histogram()
  /** How long after its moment the load came to a request: what is not the proxy's. */
  readonly lateness = new Histogram()
  #connecting = true
  #connectsOpen = 0
  readonly #options: HonestOptions
  readonly #requests: readonly Buffer[]
  readonly #listedRequests: readonly Buffer[]
  readonly #idle: Keeper[] = []
  readonly #all = new Set<Keeper>()
  readonly #waiting: Due[] = []
  readonly #waitingConnects: Due[] = []
  #tunnels: Tunnel[] = []
  #ending = false
  #made = 0
  #opened = 0
  #underWay = 0

  constructor(options: HonestOptions) {
    this.#options = options
    const { target, listed } = options
    const clients = Array.from({ length: target.hosts.length * target.logins.length }, (_, i) => i)
    this.#requests = clients.map((i) => {
      return requestHead(target, i, `GET http://${authorityOf(target, i)}/`)
    })
    const refused = { ...target, hosts: [listed] }
    this.#listedRequests = clients.map((i) => {
      return requestHead(refused, i, `GET http://${authorityOf(refused, i)}/`)
    })
  }

  /** Opens the tunnels; they are used from now on. */
  async openTunnels(): Promise<void> {
    this.#tunnels = await openTunnels(this.#options.target, this.#options.tunnels)
    this.answered += this.#tunnels.length
    this.trickled += this.#tunnels.length
  }

  /** Until `stop`; resolves when all that was sent is answered. */
  async run(): Promise<void> {
    await Promise.all([this.#pace(), this.#trickle()])
    const untilMs = performance.now() + LAST_ANSWERS_MS
    while (this.#left > 0 && performance.now() < untilMs) await sleep(PACE_MS)
    if (this.#left > 0) this.#fault(new Error(`${this.#left} answers have not come`))
    for (const keeper of this.#all) keeper.close()
  }

  get #left(): number {
    return this.#underWay + this.#waiting.length + this.#waitingConnects.length
  }

  stop(): void {
    this.#ending = true
  }

  closeTunnels(): void {
    for (const tunnel of this.#tunnels) tunnel.close()
  }

  /**
   * While the proxy is full, as it is then meant to be, no connection is opened: GETs over those that
   * stand take the place of CONNECTs. Resolves when no CONNECT is under way.
   */
  async pause(): Promise<void> {
    this.#connecting = false
    while (this.#connectsOpen + this.#waitingConnects.length > 0) await sleep(PACE_MS)
  }

  resume(): void {
    this.#connecting = true
  }

  async #pace(): Promise<void> {
    const { perSecond } = this.#options
    const beganMs = performance.now()
    while (!this.#ending) {
      const nowMs = performance.now()
      const due = Math.floor(((nowMs - beganMs) * perSecond) / 1_000)
      for (; this.#made < due; this.#made++) {
        const dueMs = beganMs + (this.#made * 1_000) / perSecond
        this.lateness.add(nowMs - dueMs)
        this.#send(this.#made, dueMs)
      }
      await sleep(PACE_MS)
    }
  }

  #send(number: number, dueMs: number): void {
    const due = { dueMs, client: number, listed: number % LISTED_EVERY === LISTED_EVERY - 1 }
    if (this.#connecting && number % 10 < CONNECT_SHARE * 10) {
      this.#waitingConnects.push(due)
      this.#connect()
    } else {
      this.#waiting.push(due)
      this.#feed()
    }
  }

  #connect(): void {
    const { target, connections } = this.#options
    while (this.#waitingConnects.length > 0 && this.#connectsOpen < connections) {
      const { dueMs, client } = this.#waitingConnects.shift()!
      this.#underWay++
      this.#connectsOpen++
      connectOnce(target, client, (fault) => {
        this.#underWay--
        this.#connectsOpen--
        if (fault !== null) this.#fault(fault)
        else {
          this.answered++
          this.connectLatency.add(performance.now() - dueMs)
        }
        this.#connect()
      })
    }
  }

  /** Gives what waits to who is free: whoever has been so for longest, so that none is idle for long. */
  #feed(): void {
    while (this.#waiting.length > 0) {
      const keeper = this.#idle.shift() ?? this.#another()
      if (keeper === null) return
      const { dueMs, client, listed } = this.#waiting.shift()!
      const from = listed ? this.#listedRequests : this.#requests
      this.#underWay++
      keeper.ask(from[client % from.length]!, listed ? 403 : 200, (fault) => {
        this.#underWay--
        if (fault !== null) this.#fault(fault)
        else {
          this.answered++
          this.getLatency.add(performance.now() - dueMs)
          this.#idle.push(keeper)
        }
        this.#feed()
      })
    }
  }

  #another(): Keeper | null {
    if (!this.#connecting && this.#all.size > 0) return null
    if (this.#all.size >= this.#options.connections) return null
    const keeper = new Keeper(this.#options.target, this.#opened++, (fault) => {
      this.#all.delete(keeper)
      const at = this.#idle.indexOf(keeper)
      if (at >= 0) this.#idle.splice(at, 1)
      if (fault !== null) this.#fault(fault)
    })
    this.#all.add(keeper)
    return keeper
  }

  async #trickle(): Promise<void> {
    const perStep = (this.#tunnels.length * TRICKLE_STEP_MS) / this.#options.trickleMs
    let turn = 0
    for (let owed = perStep; !this.#ending; owed += perStep) {
      for (; owed >= 1; owed--) this.#use(this.#tunnels[turn++ % this.#tunnels.length])
      await sleep(TRICKLE_STEP_MS)
    }
  }

  #use(tunnel: Tunnel | undefined): void {
    if (tunnel === undefined || tunnel.busy) return
    this.#underWay++
    const ended = (fault: Error | null) => {
      this.#underWay--
      if (fault === null) this.trickled++
      else {
        this.#fault(fault)
        this.#tunnels.splice(this.#tunnels.indexOf(tunnel), 1)
      }
    }
    tunnel.get().then(() => ended(null), ended)
  }

  #fault(error: Error): void {
    this.faults++
    const { message } = error
    const known = this.faultTexts.get(message) ?? 0
    if (known > 0 || this.faultTexts.size < FAULTS_KEPT) this.faultTexts.set(message, known + 1)
  }
}

/** A keep-alive connection that asks when it is told to. */
class Keeper {
  readonly #socket: Socket
  readonly #reader = new AnswerReader()
  #expected = 0
  #answered: ((fault: Error | null) => void) | null = null
  #closing = false

  /** `onLost`: it closed; with a fault where that was not we, nor told to who had asked. */
  constructor(target: Target, client: number, onLost: (fault: Error | null) => void) {
    this.#socket = dial(target, client, (bytes) => this.#take(bytes))
    let cause = new Error('the proxy closed a connection')
    this.#socket.on('error', (error) => {
      cause = error
    })
    this.#socket.once('close', () => {
      const asked = this.#answered !== null
      onLost(asked || this.#closing ? null : cause)
      this.#settle(cause)
    })
  }

  ask(request: Buffer, expected: number, answered: (fault: Error | null) => void): void {
    this.#expected = expected
    this.#answered = answered
    this.#socket.write(request)
  }

  close(): void {
    this.#closing = true
    this.#socket.destroy()
  }

  #take(bytes: Buffer): void {
    try {
      if (!this.#reader.take(bytes)) return
      const { status, bodyBytes, told } = this.#reader
      if (status === this.#expected && (status !== 200 || bodyBytes === BODY_BYTES)) {
        this.#settle(null)
      } else throw new Error(told)
    } catch (error) {
      this.#settle(error as Error)
      this.close()
    }
  }

  #settle(fault: Error | null): void {
    const answered = this.#answered
    this.#answered = null
    answered?.(fault)
  }
}

/** Counts of times, by tenths of a millisecond up to ten seconds. */
export class Histogram {
  count = 0
  maxMs = 0
  readonly #counts = new Float64Array(100_000)

  add(ms: number): void {
    this.count++
    this.maxMs = Math.max(this.maxMs, ms)
    const at = Math.min(this.#counts.length - 1, Math.max(0, Math.floor(ms * 10)))
    this.#counts[at]!++
  }

  /** The upper end of the tenth in which it lies; 0 of nothing. */
  quantileMs(share: number): number {
    let left = this.count * share
    for (let at = 0; at < this.#counts.length; at++) {
      left -= this.#counts[at]!
      if (left < 0) return (at + 1) / 10
    }
    return 0
  }
}
