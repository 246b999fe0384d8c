/**
 * Owns: one connection from a browser: heads read in turn, each decided, then carried or refused.
 * Never: speaks to an origin itself (forward.ts and tunnel.ts do), or starts a request before the last
 * one is answered.
 */
import type { Socket } from 'node:net'
import type { Facts, Identified, Reason, Verdict } from '../policy/index.ts'
import { formatTime, parseAddress, reasonEntry, refuse, zoneOf } from '../policy/index.ts'
import type { Asker, Engine } from './engine.ts'
import type { Flow } from './flow.ts'
import { Forward } from './forward.ts'
import { type HeadFault, parseRequestHead, type RequestHead } from './head.ts'
import { refusalBytes, statusOf } from './refuse.ts'
import { Tunnel } from './tunnel.ts'

/** `busy`: a request is being decided, dialled or answered. `tunnel`: the socket is no longer ours. */
type State = 'head' | 'busy' | 'tunnel' | 'closing'

const ESTABLISHED = 'HTTP/1.1 200 Connection established\r\n\r\n'
const HEAD_END = '\r\n\r\n'
/** After an answer that ends the connection we read on for this long, so that a reset does not eat it. */
const LINGER_MS = 2_000
/** Empty lines before a request line that are passed over (RFC 9112 section 2.2), in bytes. */
const BLANK_BYTES_MAX = 64

export class Client {
  readonly socket: Socket
  readonly asker: Asker
  readonly #engine: Engine
  readonly #onClose: (client: Client) => void
  #state: State = 'head'
  /** Bytes read and not yet used. */
  #held: Buffer = Buffer.alloc(0)
  #forward: Forward | null = null
  #flow: Flow | null = null
  #served = 0
  #deadlineMs: number
  /** An origin connection that this client has signed in (NTLM, Negotiate): nobody else's. */
  pinned: { origin: string; socket: Socket; era: number } | null = null

  constructor(socket: Socket, engine: Engine, onClose: (client: Client) => void) {
    this.socket = socket
    this.#engine = engine
    this.#onClose = onClose
    const addressText = socket.remoteAddress?.replace(/%.*$/, '') ?? ''
    const address = parseAddress(addressText) ?? { words: [0, 0, 0, 0] as const }
    this.asker = {
      address,
      addressText: addressText.replace(/^::ffff:(?=\d+\.)/i, ''),
      zone: zoneOf(engine.policy, address),
      zoneVersion: engine.policy.version,
    }
    this.#deadlineMs = engine.monotonic() + engine.world.limits.headTimeoutMs
    socket.on('error', () => {})
    socket.on('data', this.#onData)
    socket.on('end', this.#onEnd)
    socket.on('drain', this.#onDrain)
    socket.once('close', () => this.#closed())
  }

  /** True where nothing is under way, so that closing it loses nothing. */
  get idle(): boolean {
    return this.#state === 'head' && this.#held.length === 0
  }

  readonly #onData = (bytes: Buffer): void => {
    if (this.#state === 'closing') return
    if (this.idle && this.#served > 0) this.#deadlineAfter(this.#engine.world.limits.headTimeoutMs)
    this.#held = this.#held.length === 0 ? bytes : Buffer.concat([this.#held, bytes])
    try {
      this.#proceed()
    } catch (error) {
      // A fault of ours: told by the thread. Nobody would end this connection after it.
      this.socket.destroy()
      throw error
    }
  }

  /** Uses what is held: body of the request under way, or the next head. */
  #proceed(): void {
    if (this.#state === 'busy' && this.#forward !== null) {
      const used = this.#forward.requestBytes(this.#held)
      this.#held = this.#held.subarray(used)
    }
    if (this.#state === 'head') this.#readHead()
    else if (this.#state === 'busy' && this.#held.length > 0) this.socket.pause()
  }

  readonly #onEnd = (): void => {
    this.#forward?.clientEnded()
    if (this.#state !== 'head') return
    if (this.#held.length === 0) this.#close()
    else this.#readHead()
  }

  readonly #onDrain = (): void => {
    if (this.#state === 'head') this.#next()
    else this.#forward?.clientDrained()
  }

  #closed(): void {
    this.#forward?.clientClosed()
    this.#flow?.end('client-closed', this.#engine.clock())
    this.#flow = null
    this.pinned?.socket.destroy()
    this.#onClose(this)
  }

  /** Call every second: what has taken too long is ended. */
  sweep(nowMs: number): void {
    if (this.#forward !== null) this.#forward.sweep(nowMs)
    else if (this.#state === 'closing' && nowMs >= this.#deadlineMs) this.socket.destroy()
    else if (this.#state === 'head' && nowMs >= this.#deadlineMs) this.#headOverdue()
  }

  #headOverdue(): void {
    if (this.#held.length === 0 || this.socket.writableNeedDrain) this.socket.destroy()
    else this.#fault({ fault: 'head-timeout', method: '', host: '', port: 0 })
  }

  #readHead(): void {
    const { headBytes, headFields } = this.#engine.world.limits
    const held = this.#held
    let start = 0
    while (start < BLANK_BYTES_MAX && held[start] === 13 && held[start + 1] === 10) start += 2
    if (start >= held.length || (start === held.length - 1 && held[start] === 13)) {
      this.#awaitRest()
      return
    }
    const end = held.indexOf(HEAD_END, start, 'latin1')
    if (end < 0 || end - start > headBytes) {
      const fault = end < 0 ? faultOfPart(held, start, headBytes) : 'head-too-large'
      if (fault === null) this.#awaitRest()
      else this.#fault({ fault, method: '', host: '', port: 0 })
      return
    }
    this.#state = 'busy'
    this.#served++
    const head = parseRequestHead(held.toString('latin1', start, end + 2), headFields)
    this.#held = held.subarray(end + HEAD_END.length)
    if ('fault' in head) this.#fault(head)
    else this.#identify(head)
  }

  /** The next head is not all there. */
  #awaitRest(): void {
    if (this.socket.readableEnded) this.#close()
    else this.socket.resume()
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
    this.socket.pause()
    identified.then(
      (result) => this.#decide(head, result),
      () => this.#decide(head, { known: false, reason: 'credentials-unavailable' }),
    )
  }

  #decide(head: RequestHead, identified: Identified): void {
    if (this.socket.destroyed) return
    const engine = this.#engine
    const fault: Reason | null = head.via.some((entry) => entry.endsWith(` ${engine.via}`))
      ? 'loop-detected'
      : null
    const facts = engine.gather(head, this.asker, identified, fault)
    const { verdict, slot } = engine.decide(facts)
    const flow = engine.begin(head, this.asker, facts, verdict)
    this.#flow = flow
    if (verdict.action !== 'allow') {
      this.#refuse(head, facts, verdict, verdict.reason)
      return
    }
    engine.meter.watch(flow, facts, slot)
    if (head.carriage === 'connect') void this.#connect(head, facts, flow)
    else this.#forwardRequest(head, facts, flow)
  }

  async #connect(head: RequestHead, facts: Facts, flow: Flow): Promise<void> {
    this.socket.pause()
    const dialled = await this.#engine.dial(head)
    if (flow.ended || this.socket.destroyed) {
      if (dialled.ok) dialled.socket.destroy()
      return
    }
    if (!dialled.ok) {
      this.fail(head, facts, flow, dialled.reason)
      return
    }
    flow.status = 200
    this.socket.write(ESTABLISHED)
    this.becomeTunnel(dialled.socket, flow)
  }

  /** Hands the socket over: what is held goes to the origin first. */
  becomeTunnel(origin: Socket, flow: Flow): void {
    const { counters, world, clock } = this.#engine
    this.#state = 'tunnel'
    this.#forward = null
    this.#flow = null
    const { socket } = this
    socket.off('data', this.#onData)
    socket.off('end', this.#onEnd)
    socket.off('drain', this.#onDrain)
    if (this.#held.length > 0) {
      flow.movedUp(this.#held.length)
      origin.write(this.#held)
      this.#held = Buffer.alloc(0)
    }
    counters.tunnelsOpen++
    new Tunnel({
      client: socket,
      origin,
      flow,
      idleMs: world.limits.tunnelIdleMs,
      now: clock,
      onClose: () => counters.tunnelsOpen--,
    })
  }

  #forwardRequest(head: RequestHead, facts: Facts, flow: Flow): void {
    flow.cut = (ending) => {
      flow.end(ending, this.#engine.clock())
      this.socket.destroy()
    }
    this.#forward = new Forward({ client: this, engine: this.#engine, head, facts, flow })
    this.#forward.start()
  }

  /** Called by the forward when its request can take bytes: feeds it what is held. */
  feed(): void {
    this.socket.resume()
    this.#proceed()
  }

  /** The exchange is over and its answer written: the next head, or the end of the connection. */
  finished(keepAlive: boolean): void {
    this.#forward = null
    this.#flow = null
    if (this.socket.destroyed) return
    if (!keepAlive || (this.socket.readableEnded && this.#held.length === 0)) {
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
    const { socket } = this
    const { headTimeoutMs, idleTimeoutMs } = this.#engine.world.limits
    const full = socket.writableNeedDrain
    const waiting = this.#held.length > 0
    this.#deadlineAfter(waiting && !full ? headTimeoutMs : idleTimeoutMs)
    if (full || waiting) socket.pause()
    else socket.resume()
    if (waiting && !full) setImmediate(() => this.#state === 'head' && this.#readHead())
  }

  /** Answers for an origin that could not be reached or did not answer well, or a body that is wrong. */
  fail(head: RequestHead, facts: Facts, flow: Flow, reason: Reason): void {
    // What we refuse only now was allowed before: the record says what held in the end.
    if (reasonEntry(reason).action === 'refuse') {
      flow.verdict = refuse(reason, reason === 'address-forbidden' ? 'addresses' : 'request')
    }
    this.#engine.count(reason)
    this.#refuse(head, facts, flow.verdict, reason)
  }

  #refuse(head: RequestHead, facts: Facts, verdict: Verdict, reason: Reason): void {
    const { asker } = this
    const engine = this.#engine
    // With a body of the request still to come, the next head could not be found.
    const keepAlive = head.keepAlive && head.framing.kind === 'none'
    const identity = facts.identified.known ? facts.identified.identity : null
    const bytes = refusalBytes({
      reason,
      verdict,
      method: head.method,
      acceptLanguage: head.acceptLanguage,
      host: head.host,
      user: identity?.kind === 'user' ? identity.user : '',
      minutes: verdict.action === 'spent' ? this.#minutes(facts) : null,
      challenges: verdict.action === 'challenge' ? engine.challenges(asker.zone) : [],
      nowMs: facts.nowMs,
      keepAlive,
    })
    this.#answer(bytes, reason, keepAlive)
  }

  #minutes(facts: Facts): { used: number; returns: string } {
    const returns = formatTime(
      this.#engine.policy.calendar.timezone,
      this.#engine.meter.dayEndMs(facts.nowMs),
    )
    return { used: facts.minutesUsed, returns: returns.slice(0, 16).replace('T', ' ') }
  }

  /** A head that cannot be read: answered, recorded, and the connection ended. */
  #fault(head: HeadFault): void {
    this.#state = 'busy'
    const verdict = this.#engine.decideFault(head.fault)
    this.#flow = this.#engine.begin(head, this.asker, null, verdict)
    const bytes = refusalBytes({
      reason: verdict.reason,
      verdict,
      method: head.method,
      acceptLanguage: '',
      host: head.host,
      user: '',
      minutes: null,
      challenges: [],
      nowMs: this.#engine.clock(),
      keepAlive: false,
    })
    this.#answer(bytes, verdict.reason, false)
  }

  #answer(bytes: Buffer, reason: Reason, keepAlive: boolean): void {
    const flow = this.#flow
    if (flow !== null) {
      flow.status = statusOf(reason)
      flow.movedDown(bytes.length)
      flow.end(endingOf(reason), this.#engine.clock())
    }
    this.socket.write(bytes)
    this.finished(keepAlive)
  }

  /** Ends our side and reads on for a while, so that what we wrote arrives (RFC 9112 section 9.6). */
  #close(): void {
    this.#state = 'closing'
    // A slow client may need time to take the last of the answer; only then do we linger.
    this.#deadlineAfter(this.#engine.world.limits.idleTimeoutMs)
    this.#held = Buffer.alloc(0)
    this.socket.end(() => this.#deadlineAfter(LINGER_MS))
    this.socket.resume()
  }

  #deadlineAfter(ms: number): void {
    this.#deadlineMs = this.#engine.monotonic() + ms
  }

  /** Drain: closes where nothing is under way, once the client has taken all of the last answer. */
  closeIfIdle(): void {
    if (this.idle && !this.socket.writableEnded) this.socket.destroySoon()
  }
}

function endingOf(reason: Reason) {
  switch (reason) {
    case 'name-not-found':
    case 'dial-failed':
    case 'origin-closed':
    case 'origin-malformed':
      return reason
    case 'dial-timeout':
    case 'origin-timeout':
      return 'timeout'
    default:
      return 'refused'
  }
}

/** What is already certain of a head whose end has not come: too large, or not HTTP at all. */
function faultOfPart(held: Buffer, start: number, headBytes: number): Reason | null {
  if (held.length - start > headBytes) {
    return held.indexOf(13, start) < 0 ? 'request-line-too-long' : 'head-too-large'
  }
  // A first byte that no method has: TLS or another protocol on our port.
  const first = held[start]!
  if (first < 33 || first > 126) return 'request-line'
  for (let at = held.indexOf(10, start); at >= 0; at = held.indexOf(10, at + 1)) {
    if (held[at - 1] !== 13) return 'header-malformed'
  }
  return null
}
