/**
 * Owns: one forwarded request: an origin connection, the request written anew, its answer carried back.
 * Never: decides, or passes on a field that belongs to one connection only.
 *
 * Source: RFC 9110 sections 7.6, 7.8, 10.1.1 and 15.2, RFC 9112 sections 6 to 9.
 */
import type { Ending, Facts, Reason } from '../policy/index.ts'
import type { Client } from './client.ts'
import type { Dial } from './dial.ts'
import type { Engine } from './engine.ts'
import { fieldValue, forwardableTrailers } from './fields.ts'
import type { Flow } from './flow.ts'
import {
  type BodyReader,
  bodyReader,
  CHUNK_END,
  chunkLine,
  lastChunk,
  type Read,
  readTogether,
} from './framing.ts'
import type { RequestHead } from './head.ts'
import { hasBareLineFeed } from './partial-head.ts'
import { Patience } from './patience.ts'
import { parseResponseHead, type ResponseHead } from './response.ts'
import { requestText, responseText } from './rewrite.ts'
import { NOBODY, type Wire, type WireOwner } from './wire.ts'

export interface ForwardOptions {
  readonly client: Client
  readonly engine: Engine
  readonly head: RequestHead
  readonly facts: Facts
  readonly flow: Flow
}

/** Safe to send twice (RFC 9110 section 9.2.2). */
const IDEMPOTENT = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE'])
const HEAD_END = '\r\n\r\n'
/** Interim answers to one request: more are no way to answer, but one to keep us busy. */
const INTERIM_MAX = 100
const NOTHING: Buffer = Buffer.alloc(0)

export class Forward implements WireOwner {
  readonly #client: Client
  readonly #engine: Engine
  readonly #head: RequestHead
  readonly #facts: Facts
  readonly #flow: Flow
  readonly #upgrade: string | null
  readonly #requestBody: BodyReader
  #origin: Wire | null = null
  #dialling: Dial | null = null
  #reused = false
  #retried = false
  /** The connection signs its user in: never given to the pool. */
  #personal = false
  #requestDone: boolean
  readonly #isRepeatable: boolean
  /** Response bytes of a head that has not wholly come. */
  #held: Buffer = NOTHING
  /** How much of it has been looked at. */
  #lookedTo = 0
  #response: ResponseHead | null = null
  #responseBody: BodyReader | null = null
  /** Chunked to the client: its framing is ours, not the origin's. */
  #chunked = false
  #keepClient = false
  #interims = 0
  /** Of the pool, when the origin connection was dialled or taken. */
  #era = 0
  #over = false
  readonly #patience = new Patience()

  constructor({ client, engine, head, facts, flow }: ForwardOptions) {
    this.#client = client
    this.#engine = engine
    this.#head = head
    this.#facts = facts
    this.#flow = flow
    this.#requestBody = bodyReader(head.framing)
    this.#requestDone = head.framing.kind === 'none'
    // A body and a change of protocol together are more than one reading allows.
    this.#upgrade = this.#requestDone ? head.upgrade : null
    this.#personal = head.connectionAuth
    this.#isRepeatable = this.#requestDone && IDEMPOTENT.has(head.method)
  }

  start(): void {
    this.#era = this.#engine.pool.era
    const pinned = this.#client.pin.take(this.#head.origin, this.#era)
    if (pinned !== null) {
      this.#personal = true
      this.#attach(pinned, true)
      return
    }
    // What cannot be sent twice is not put on a connection that may be closing (RFC 9110 section 9.2.2).
    const isOwn = this.#personal || !this.#isRepeatable
    const pooled = isOwn ? null : this.#engine.pool.take(this.#head.origin)
    if (pooled !== null) this.#attach(pooled, true)
    else this.#dial()
  }

  #dial(): void {
    this.#era = this.#engine.pool.era
    this.#dialling = this.#engine.dial(this.#head, (dialled) => {
      this.#dialling = null
      if (this.#over) {
        if (dialled.ok) dialled.wire.destroy()
      } else if (dialled.ok) this.#attach(dialled.wire, false)
      else this.#fail(dialled.reason)
    })
  }

  #attach(wire: Wire, reused: boolean): void {
    this.#origin = wire
    this.#reused = reused
    wire.owner = this
    wire.resume()
    this.#send(requestText(this.#head, this.#upgrade, this.#engine.via))
    this.#client.feed()
    if (this.#client.wire.ended) this.clientEnded()
  }

  #detach(): Wire | null {
    const wire = this.#origin
    this.#origin = null
    if (wire !== null) wire.owner = NOBODY
    return wire
  }

  // --- the request ---

  /** Takes body bytes from `held`; returns how many it used. */
  requestBytes(held: Buffer): number {
    if (this.#origin === null || this.#requestDone || held.length === 0) return 0
    this.#patience.moved()
    const chunked = this.#head.framing.kind === 'chunked'
    const origin = this.#origin
    origin.cork()
    const { used, content } = readTogether(this.#requestBody, held, 0)
    if (content !== null) {
      if (chunked) this.#send(chunkLine(content.length))
      this.#send(content)
      if (chunked) this.#send(CHUNK_END)
    }
    if (this.#requestBody.done) {
      this.#requestDone = true
      if (chunked)
        this.#send(lastChunk(forwardableTrailers(this.#requestBody.trailers, this.#head.nominated)))
    }
    origin.uncork()
    if (this.#requestBody.fault) this.#fail('body-malformed')
    else if (origin.full && !this.#requestDone) this.#client.wire.pause()
    return used
  }

  #send(data: Buffer | string): void {
    const origin = this.#origin
    if (origin === null || !origin.writable) return
    this.#flow.movedUp(data.length)
    if (typeof data === 'string') origin.writeText(data)
    else origin.write(data)
  }

  onDrain(): void {
    this.#patience.moved()
    this.#client.feed()
  }

  // --- the response ---

  onBytes(bytes: Buffer): void {
    this.#patience.moved()
    if (this.#responseBody !== null) {
      this.#carry(readTogether(this.#responseBody, bytes, 0), bytes.length)
      return
    }
    this.#held = this.#held.length === 0 ? bytes : Buffer.concat([this.#held, bytes])
    while (this.#responseBody === null && !this.#over && this.#origin !== null) {
      if (!this.#readHead()) break
    }
    // What is kept outlives the buffer that it came in.
    if (this.#held.length > 0) this.#held = Buffer.from(this.#held)
  }

  /** Reads one head from what is held; false where it is not all there. */
  #readHead(): boolean {
    const held = this.#held
    const { headBytes, headFields } = this.#engine.world.limits
    const end = held.indexOf(HEAD_END, Math.max(0, this.#lookedTo - HEAD_END.length), 'latin1')
    if (end < 0 || end > headBytes) {
      const wrong = held.length > headBytes || hasBareLineFeed(held, this.#lookedTo)
      if (wrong) this.#fail('origin-malformed')
      this.#lookedTo = held.length
      return false
    }
    const text = held.toString('latin1', 0, end + 2)
    const response = parseResponseHead(text, this.#head.method, headFields)
    this.#held = NOTHING
    this.#lookedTo = 0
    if (response === null) {
      this.#fail('origin-malformed')
      return false
    }
    const rest = held.subarray(end + HEAD_END.length)
    if (response.status === 101) {
      this.#switch(response, rest)
      return false
    }
    if (response.status < 200) {
      this.#interim(response)
      this.#held = rest
      return rest.length > 0
    }
    this.#final(response, rest)
    return false
  }

  /** 100 and 103 go on to clients that know them (RFC 9110 section 15.2). */
  #interim(response: ResponseHead): void {
    if (++this.#interims > INTERIM_MAX) {
      this.#fail('origin-malformed')
      return
    }
    if (this.#head.minor === 1) this.#write(responseText(response, this.#engine.via, ''))
    if (this.#client.wire.full) this.#origin?.pause()
  }

  #switch(response: ResponseHead, rest: Buffer): void {
    if (this.#upgrade === null) {
      this.#fail('origin-malformed')
      return
    }
    const upgrade = fieldValue(response.fields, 'upgrade') ?? this.#upgrade
    const extra = `Connection: Upgrade\r\nUpgrade: ${upgrade}\r\n`
    this.#write(responseText(response, this.#engine.via, extra))
    if (rest.length > 0) this.#write(rest)
    const origin = this.#detach()
    this.#over = true
    this.#flow.status = 101
    if (origin !== null) this.#client.becomeTunnel(origin, this.#flow, null)
  }

  #final(response: ResponseHead, rest: Buffer): void {
    const { minor } = this.#head
    const { framing } = response
    const body = bodyReader(framing)
    const first = readTogether(body, rest, 0)
    if (body.fault) {
      // Nothing of the answer has gone out yet.
      this.#fail('origin-malformed')
      return
    }
    this.#response = response
    this.#responseBody = body
    this.#chunked = minor === 1 && (framing.kind === 'chunked' || framing.kind === 'close')
    // An answer that comes before the request is whole may leave us with a rest that nobody reads.
    this.#keepClient = this.#head.keepAlive && this.#requestDone && !this.#engine.draining
    this.#personal ||= response.connectionAuth
    this.#flow.status = response.status
    let extra = this.#chunked ? 'Transfer-Encoding: chunked\r\n' : ''
    if (!this.#keepClient) extra += 'Connection: close\r\n'
    this.#client.wire.cork()
    this.#write(responseText(response, this.#engine.via, extra))
    this.#carry(first, rest.length)
    this.#client.wire.uncork()
  }

  /** Sends on what was read of `length` bytes. */
  #carry({ used, content }: Read, length: number): void {
    const reader = this.#responseBody!
    if (content !== null && this.#chunked) {
      this.#client.wire.cork()
      this.#write(chunkLine(content.length))
      this.#write(content)
      this.#write(CHUNK_END)
      this.#client.wire.uncork()
    } else if (content !== null) this.#write(content)
    if (reader.fault) this.#breakOff('origin-malformed')
    else if (reader.done) this.#complete(used === length)
    else if (this.#client.wire.full) this.#origin?.pause()
  }

  #write(data: Buffer | string): void {
    this.#flow.movedDown(data.length)
    if (typeof data === 'string') this.#client.wire.writeText(data)
    else this.#client.wire.write(data)
  }

  /** `clean`: the origin has said nothing beyond its answer. */
  #complete(clean: boolean): void {
    if (this.#over) return
    if (this.#chunked) {
      const { trailers } = this.#responseBody!
      this.#write(lastChunk(forwardableTrailers(trailers, this.#response!.nominated)))
    }
    this.#over = true
    const origin = this.#detach()
    if (origin !== null) this.#release(origin, clean)
    this.#flow.end('complete', this.#engine.clock())
    this.#client.finished(this.#keepClient)
  }

  #release(origin: Wire, clean: boolean): void {
    // Dialled under rules for addresses that no longer hold: not used again.
    const old = this.#era !== this.#engine.pool.era
    if (!clean || old || !this.#requestDone || !this.#response?.keepAlive) origin.destroy()
    else if (this.#personal) this.#client.pin.keep(this.#head.origin, origin, this.#era)
    else this.#engine.pool.give(this.#head.origin, origin, this.#engine.monotonic())
  }

  // --- what ends it early ---

  /** The origin has ended or closed. */
  onEnd(): void {
    this.#originEnded(true)
  }

  onClose(): void {
    this.#originEnded(false)
  }

  #originEnded(ended: boolean): void {
    if (this.#over) return
    // A body that ends where the connection does is whole only if that ended well: a reset cuts it short.
    if (this.#response?.framing.kind === 'close' && ended) this.#complete(false)
    else if (this.#responseBody !== null) this.#breakOff('origin-closed')
    else if (this.#reused && !this.#retried && this.#isRepeatable && this.#held.length === 0)
      this.#retry()
    else this.#fail('origin-closed')
  }

  /** A kept connection may have been closed just as we wrote: once more, on a new one. */
  #retry(): void {
    this.#retried = true
    this.#flow.bytesUp = 0
    this.#detach()?.destroy()
    this.#dial()
  }

  /** Before an answer has begun: ours goes out instead. */
  #fail(reason: Reason): void {
    if (this.#over) return
    if (this.#responseBody !== null) {
      this.#breakOff('failed')
      return
    }
    this.#over = true
    this.#detach()?.destroy()
    this.#client.fail(this.#head, this.#facts, this.#flow, reason)
  }

  /** In the middle of an answer: the client must see that it is cut short. */
  #breakOff(ending: Ending): void {
    this.#over = true
    this.#detach()?.destroy()
    this.#flow.end(ending, this.#engine.clock())
    const { wire } = this.#client
    // Where neither length nor chunks tell the client where the body ends, only a reset says: not here.
    if (this.#chunked || this.#response?.framing.kind === 'length') wire.destroy()
    else wire.reset()
  }

  clientDrained(): void {
    this.#patience.moved()
    this.#origin?.resume()
  }

  /** The client has ended its side: fine where its request is whole. */
  clientEnded(): void {
    if (!this.#requestDone) this.#client.wire.destroy()
  }

  clientClosed(): void {
    if (this.#over) return
    this.#over = true
    this.#dialling?.cancel()
    this.#detach()?.destroy()
    this.#flow.end('client-closed', this.#engine.clock())
  }

  sweep(nowMs: number): void {
    if (this.#over) return
    const { wire } = this.#client
    const sending = !this.#requestDone && this.#origin !== null && !this.#origin.full
    const overdue = this.#patience.overdue(this.#engine.world.limits, nowMs, {
      ofClient: sending || wire.full,
      clientEnded: wire.ended,
      movedBytes: this.#flow.bytesUp + this.#flow.bytesDown - wire.waitingBytes,
    })
    if (overdue === null) return
    if (overdue === 'client-gone') wire.destroy()
    else if (this.#responseBody === null) this.#fail(overdue)
    else {
      this.#engine.count(overdue)
      this.#breakOff('timeout')
    }
  }
}
