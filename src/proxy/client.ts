/**
 * Owns: one connection from a browser: heads read in turn, each decided, then carried or refused.
 * Never: speaks to an origin itself (forward.ts and tunnel.ts do), or starts a request before the last
 * one is answered.
 */
import type { SecureContext } from 'node:tls'
import type { Facts, Identified, Reason } from '../policy/index.ts'
import { reasonEntry, refuse, zoneOf } from '../policy/index.ts'
import { endingOf, faultAnswer, finalAnswer, keepsOpen, type Refused, refusalOf } from './answer.ts'
import type { Dial, DialResult } from './dial.ts'
import type { Asker, Engine } from './engine.ts'
import type { Flow } from './flow.ts'
import { Forward } from './forward.ts'
import { Greeting } from './greeting.ts'
import type { HeadFault, RequestHead } from './head.ts'
import { Holds } from './holds.ts'
import { Incoming } from './incoming.ts'
import { asksAboutUs } from './own-host.ts'
import { Pin } from './pin.ts'
import { statusOf } from './refuse.ts'
import { findContext, TlsPage } from './tls-page.ts'
import { Tunnel } from './tunnel.ts'
import type { Wire, WireOwner } from './wire.ts'

/** `busy`: a request is being decided, dialled or answered. `tunnel`: the wire is no longer ours. */
type State = 'head' | 'busy' | 'tunnel' | 'closing'

const ESTABLISHED = 'HTTP/1.1 200 Connection established\r\n\r\n'
/** After an answer that ends the connection we read on for this long, so that a reset does not eat it. */
const LINGER_MS = 2_000

export interface ClientOptions {
  readonly wire: Wire
  readonly asker: Asker
  readonly engine: Engine
  readonly onClose: (client: Client) => void
}

export class Client implements WireOwner {
  readonly wire: Wire
  readonly asker: Asker
  readonly #engine: Engine
  readonly #onClose: (client: Client) => void
  #state: State = 'head'
  readonly #incoming = new Incoming()
  #forward: Forward | null = null
  #tunnel: Tunnel | TlsPage | null = null
  #dialling: Dial | null = null
  #flow: Flow | null = null
  #served = 0
  readonly #holds: Holds
  #deadlineMs: number
  readonly pin = new Pin()

  constructor({ wire, asker, engine, onClose }: ClientOptions) {
    this.wire = wire
    this.asker = asker
    this.#engine = engine
    this.#onClose = onClose
    this.#holds = new Holds(engine)
    this.#deadlineMs = engine.monotonic() + engine.world.limits.headTimeoutMs
    wire.owner = this
    wire.resume()
  }

  /** True where nothing is under way, so that closing it loses nothing. */
  get idle(): boolean {
    return this.#state === 'head' && this.#incoming.length === 0
  }

  onBytes(bytes: Buffer): void {
    if (this.#state === 'closing') return
    if (this.idle && this.#served > 0) this.#deadlineAfter(this.#engine.world.limits.headTimeoutMs)
    this.#incoming.add(bytes)
    try {
      this.#proceed()
    } catch (error) {
      // A fault of ours: told by the thread. Nobody would end this connection after it.
      this.wire.destroy()
      throw error
    } finally {
      this.#incoming.keep()
    }
  }

  /** Uses what is held: body of the request under way, or the next head. */
  #proceed(): void {
    if (this.#state === 'busy' && this.#forward !== null) {
      this.#incoming.use(this.#forward.requestBytes(this.#incoming.bytes))
    }
    if (this.#state === 'head') this.#readHead()
    else if (this.#state === 'busy' && this.#incoming.length > 0) this.wire.pause()
  }

  onEnd(): void {
    this.#forward?.clientEnded()
    if (this.#state !== 'head') return
    if (this.#incoming.length === 0) this.#close()
    else this.#readHead()
  }

  onDrain(): void {
    if (this.#state === 'head') this.#next()
    else if (this.#state === 'closing') this.#deadlineAfter(LINGER_MS)
    else this.#forward?.clientDrained()
  }

  onClose(): void {
    this.#dialling?.cancel()
    this.#forward?.clientClosed()
    this.#flow?.end('client-closed', this.#engine.clock())
    this.#flow = null
    this.#gone()
  }

  /** The connection is no more. */
  #gone(): void {
    this.pin.drop()
    this.#holds.release()
    this.#onClose(this)
  }

  /** Call every second: what has taken too long is ended. */
  sweep(nowMs: number): void {
    if (this.#tunnel !== null) this.#tunnel.sweep(nowMs)
    else if (this.#forward !== null) this.#forward.sweep(nowMs)
    else if (this.#state === 'closing' && nowMs >= this.#deadlineMs) this.wire.destroy()
    else if (this.#state === 'head' && nowMs >= this.#deadlineMs) this.#headOverdue()
  }

  #headOverdue(): void {
    if (this.#incoming.length === 0 || this.wire.full) {
      this.#engine.count('client-idle')
      this.wire.destroy()
    } else this.#fault({ fault: 'head-timeout', method: '', host: '', port: 0 })
  }

  #readHead(): void {
    const head = this.#incoming.nextHead(this.#engine.world.limits)
    if (head === null) {
      this.#awaitRest()
      return
    }
    this.#state = 'busy'
    this.#served++
    if ('fault' in head) this.#fault(head)
    else this.#identify(head)
  }

  /** The next head is not all there. */
  #awaitRest(): void {
    if (this.wire.ended) this.#close()
    else this.wire.resume()
  }

  #identify(head: RequestHead): void {
    const { asker } = this
    const { policy } = this.#engine
    if (asker.zoneVersion !== policy.version) {
      asker.zone = zoneOf(policy, asker.address)
      asker.zoneVersion = policy.version
    }
    const identified = this.#engine.identify(asker.zone, asker, head.proxyAuthorization)
    if (!(identified instanceof Promise)) {
      this.#decide(head, identified)
      return
    }
    identified.then(
      (result) => this.#decide(head, result),
      () => this.#decide(head, { known: false, reason: 'credentials-unavailable' }),
    )
  }

  #decide(asked: RequestHead, identified: Identified): void {
    if (this.wire.destroyed) return
    const engine = this.#engine
    const { ownHost, via } = engine
    const head = ownHost.isMeant(asked) ? ownHost.headOf(asked, this.asker, identified) : asked
    const facts = engine.gather(head, this.asker, identified, ownHost.faultOf(head, via))
    const decided = engine.decide(facts)
    const over = this.#holds.overLimit(facts, decided.verdict, head)
    const verdict = over ?? decided.verdict
    const flow = engine.begin(head, this.asker, facts, verdict)
    this.#flow = flow
    if (verdict.action !== 'allow') {
      const refused = { head, facts, verdict, reason: verdict.reason }
      findContext(engine, refused, (context) => this.#refuseTunnel(refused, context))
      return
    }
    engine.meter.watch(flow, facts, decided.slot)
    if (head.maxForwards === 0 || asksAboutUs(head)) this.#answerFinally(head)
    else if (head.carriage === 'connect') this.#connect(head, facts, flow)
    else this.#forwardRequest(head, facts, flow)
  }

  #connect(head: RequestHead, facts: Facts, flow: Flow): void {
    this.#dialling = this.#engine.dial(head, (dialled) => this.#dialled(dialled, head, facts, flow))
  }

  #dialled(dialled: DialResult, head: RequestHead, facts: Facts, flow: Flow): void {
    this.#dialling = null
    if (flow.ended || this.wire.destroyed) {
      if (dialled.ok) dialled.wire.destroy()
      return
    }
    if (!dialled.ok) {
      this.fail(head, facts, flow, dialled.reason)
      return
    }
    flow.status = 200
    this.wire.writeText(ESTABLISHED)
    this.becomeTunnel(dialled.wire, flow, new Greeting(this.#engine, flow, facts))
  }

  /** Hands the wire over: what is held goes to the origin first. */
  becomeTunnel(origin: Wire, flow: Flow, greeting: Greeting | null): void {
    const { counters } = this.#engine
    const first = this.#handOver()
    counters.tunnelsOpen++
    const onClose = () => {
      counters.tunnelsOpen--
      this.#gone()
    }
    const engine = this.#engine
    const tunnel = new Tunnel({ client: this.wire, origin, flow, engine, greeting, onClose })
    this.#tunnel = tunnel
    tunnel.start(first)
  }

  /** The wire is somebody else's; what is held goes with it. */
  #handOver(): Buffer {
    this.#state = 'tunnel'
    this.#forward = null
    this.#flow = null
    return this.#incoming.take()
  }

  #forwardRequest(head: RequestHead, facts: Facts, flow: Flow): void {
    flow.cut = (ending) => {
      flow.end(ending, this.#engine.clock())
      this.wire.destroy()
    }
    this.#forward = new Forward({ client: this, engine: this.#engine, head, facts, flow })
    this.#forward.start()
  }

  /** Called by the forward when its request can take bytes: feeds it what is held. */
  feed(): void {
    this.wire.resume()
    this.#proceed()
  }

  /** The exchange is over and its answer written: the next head, or the end of the connection. */
  finished(keepAlive: boolean): void {
    this.#forward = null
    this.#flow = null
    this.#holds.releaseTunnel()
    if (this.wire.destroyed) return
    if (!keepAlive || (this.wire.ended && this.#incoming.length === 0)) {
      this.#close()
      return
    }
    this.#state = 'head'
    this.#next()
  }

  /**
   * The next head: one that is held already in a turn of its own, and none before the client has taken
   * our last answers. Nothing more is read meanwhile, so what we hold for one client stays bounded.
   */
  #next(): void {
    const { wire } = this
    const { headTimeoutMs, idleTimeoutMs } = this.#engine.world.limits
    const full = wire.full
    const waiting = this.#incoming.length > 0
    this.#deadlineAfter(waiting && !full ? headTimeoutMs : idleTimeoutMs)
    if (full || waiting) wire.pause()
    else wire.resume()
    if (waiting && !full) setImmediate(() => this.#state === 'head' && this.#readHead())
  }

  /** Answers for an origin that could not be reached or did not answer well, or a body that is wrong. */
  fail(head: RequestHead, facts: Facts, flow: Flow, reason: Reason): void {
    // What we refuse only now was allowed before: the record says what held in the end.
    if (reasonEntry(reason).action === 'refuse') {
      flow.verdict = refuse(reason, reason === 'address-forbidden' ? 'addresses' : 'request')
    }
    this.#engine.count(reason)
    this.#refuse({ head, facts, verdict: flow.verdict, reason })
  }

  /** With `context`, the page is shown in TLS of our own. */
  #refuseTunnel(refused: Refused, context: SecureContext | null): void {
    const flow = this.#flow
    if (flow === null || this.wire.destroyed) return
    if (context === null) {
      this.#refuse(refused)
      return
    }
    const engine = this.#engine
    const onClose = () => this.#gone()
    const first = this.#handOver()
    this.#tunnel = new TlsPage({ client: this, first, context, refused, flow, engine, onClose })
  }

  #refuse(refused: Refused): void {
    const bytes = refusalOf(this.#engine, this.asker, refused)
    this.#answer(bytes, refused.reason, keepsOpen(this.#engine, refused.head))
  }

  /** A head that cannot be read: answered, recorded, and the connection ended. */
  #fault(head: HeadFault): void {
    this.#state = 'busy'
    const verdict = this.#engine.decideFault(head.fault)
    this.#flow = this.#engine.begin(head, this.asker, null, verdict)
    this.#answer(faultAnswer(head, verdict, this.#engine.clock()), verdict.reason, false)
  }

  #answerFinally(head: RequestHead): void {
    const bytes = finalAnswer(head, this.#engine.clock())
    const flow = this.#flow!
    flow.status = 200
    flow.movedDown(bytes.length)
    flow.end('complete', this.#engine.clock())
    this.wire.write(bytes)
    this.finished(head.keepAlive)
  }

  #answer(bytes: Buffer, reason: Reason, keepAlive: boolean): void {
    const flow = this.#flow
    if (flow !== null) {
      flow.status = statusOf(reason)
      flow.movedDown(bytes.length)
      flow.end(endingOf(reason), this.#engine.clock())
    }
    this.wire.write(bytes)
    this.finished(keepAlive)
  }

  /** Ends our side and reads on for a while, so that what we wrote arrives (RFC 9112 section 9.6). */
  #close(): void {
    this.#state = 'closing'
    // A slow client may need time to take the last of the answer; only then do we linger.
    this.#deadlineAfter(this.#engine.world.limits.idleTimeoutMs)
    this.#incoming.take()
    this.pin.drop()
    if (!this.wire.full) this.#deadlineAfter(LINGER_MS)
    this.wire.end()
    this.wire.resume()
  }

  #deadlineAfter(ms: number): void {
    this.#deadlineMs = this.#engine.monotonic() + ms
  }

  /** Drain: closes where nothing is under way, once the client has taken all of the last answer. */
  closeIfIdle(): void {
    if (this.idle && this.wire.writable) this.#close()
    else if (this.#tunnel instanceof TlsPage) this.#tunnel.closeIfIdle()
  }
}
