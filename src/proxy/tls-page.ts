/**
 * Owns: the page of a refused tunnel, shown in TLS of our own: handshake, requests inside, their bounds.
 * Never: connects to an origin, makes a certificate, or decides: the CONNECT was refused before.
 *
 * A browser shows nothing of an answer that refuses a CONNECT. With a certificate that it trusts for the
 * host, we can be the host for as long as it takes to say why.
 */
import { type SecureContext, TLSSocket } from 'node:tls'
import type { Ending, Host } from '../policy/index.ts'
import { endingOf, type Refused, refusalOf } from './answer.ts'
import type { Client } from './client.ts'
import type { Engine } from './engine.ts'
import type { Flow } from './flow.ts'
import { parseRequestHead } from './head.ts'
import { statusOf } from './refuse.ts'
import type { Wire, WireOwner } from './wire.ts'
import { WireStream } from './wire-stream.ts'

/** Who has certificates: the local authority, once there is one. Without it a CONNECT is refused in plain. */
export interface TlsPages {
  /**
   * Key and certificate for `host`, a name or an address in canonical text, that browsers here trust. Null:
   * there is none, and the CONNECT is refused in plain; so where the promise rejects. The client waits for a
   * promise no longer than for a handshake. Called for each refused tunnel: who makes one keeps it.
   */
  contextFor(host: Host): SecureContext | null | Promise<SecureContext | null>
}

/** Pages in TLS at a time, in a thread. */
const PAGES_MAX = 500
/** Requests in one connection. */
const PAGE_REQUESTS_MAX = 100
/** From one answer to the end of the next head. */
const PAGE_IDLE_MS = 5_000
/** From our last answer to the client's end. */
const PAGE_LINGER_MS = 2_000
/** The first byte of TLS: a record of the handshake (RFC 8446 section 5.1). */
const HANDSHAKE = 22
const HEAD_END = '\r\n\r\n'
const ESTABLISHED = 'HTTP/1.1 200 Connection established\r\n\r\n'
const NOTHING: Buffer = Buffer.alloc(0)

/** Calls `found` once, now or later, with what the page of `refused` is shown by; null: it is not. */
export function findContext(
  engine: Engine,
  { head, verdict }: Refused,
  found: (context: SecureContext | null) => void,
): void {
  const { tlsPages, counters } = engine
  const isMeant = verdict.action === 'block' || verdict.action === 'spent'
  if (tlsPages === null || head.carriage !== 'connect' || !isMeant) {
    found(null)
    return
  }
  if (counters.tlsPagesOpen >= PAGES_MAX) {
    engine.count('tls-pages-full')
    found(null)
    return
  }
  const context = tlsPages.contextFor(head.host)
  if (!(context instanceof Promise)) {
    found(context)
    return
  }
  // Whoever is waiting has a place already: so many may wait, and no more.
  counters.tlsPagesOpen++
  const once = (result: SecureContext | null) => {
    if (late === null) return
    clearTimeout(late)
    late = null
    counters.tlsPagesOpen--
    found(result)
  }
  let late: NodeJS.Timeout | null = setTimeout(once, engine.world.limits.headTimeoutMs, null)
  context.then(once, () => once(null))
}

export interface TlsPageOptions {
  readonly client: Pick<Client, 'wire' | 'asker'>
  /** What came after the head of the CONNECT. */
  readonly first: Buffer
  readonly context: SecureContext
  readonly refused: Refused
  readonly flow: Flow
  readonly engine: Engine
  /** Once, when the connection is closed. */
  readonly onClose: () => void
}

/**
 * The record is that of the CONNECT. It says 403 when the page has been written, and 200, which is all that
 * was answered, where the client never asked for it.
 */
export class TlsPage implements WireOwner {
  readonly #options: TlsPageOptions
  readonly #wire: Wire
  #stream: WireStream | null = null
  #tls: TLSSocket | null = null
  /** Of a head inside. */
  #held: Buffer = NOTHING
  #answers = 0
  #last = false
  #closed = false
  #deadlineMs: number

  constructor(options: TlsPageOptions) {
    const { client, first, engine, flow } = options
    const { wire } = client
    this.#wire = wire
    this.#options = options
    this.#deadlineMs = engine.monotonic() + engine.world.limits.headTimeoutMs
    engine.counters.tlsPagesOpen++
    flow.status = 200
    flow.cut = (ending) => this.#cut(ending)
    wire.owner = this
    wire.writeText(ESTABLISHED)
    if (first.length > 0) this.onBytes(first)
    if (wire.ended) wire.end()
    wire.resume()
  }

  // --- before the handshake ---

  onBytes(bytes: Buffer): void {
    if (this.#last) return
    if (bytes[0] === HANDSHAKE) this.#shake(bytes)
    else this.#answerPlain()
  }

  onEnd(): void {
    this.#wire.end()
  }

  onDrain(): void {}

  onClose(): void {
    this.#gone()
  }

  /** Who speaks something else gets the same page as it would without us. */
  #answerPlain(): void {
    const bytes = this.#refusal('GET', '', false)
    this.#wire.write(bytes)
    this.#answered(bytes.length)
    this.#wire.end()
  }

  #shake(hello: Buffer): void {
    const { context } = this.#options
    const stream = new WireStream(this.#wire)
    stream.on('error', ignore).once('close', () => this.#gone())
    const options = { isServer: true, secureContext: context, ALPNProtocols: ['http/1.1'] }
    const tls = new TLSSocket(stream, options)
    this.#stream = stream
    this.#tls = tls
    // What goes wrong in the handshake, or after it, ends the connection; the record says so.
    tls.on('error', ignore).once('close', () => stream.destroy())
    tls.on('data', (bytes: Buffer) => this.#inside(bytes))
    tls.on('drain', () => tls.resume())
    // After the client's end what was asked is still answered; before the handshake nothing was.
    let isShaken = false
    tls.once('secure', () => {
      isShaken = true
    })
    stream.once('end', () => {
      if (isShaken) tls.end()
      else stream.destroy()
    })
    stream.onBytes(hello)
  }

  // --- inside ---

  #inside(bytes: Buffer): void {
    if (this.#last) return
    this.#held = this.#held.length === 0 ? bytes : Buffer.concat([this.#held, bytes])
    const { headBytes } = this.#options.engine.world.limits
    while (!this.#last) {
      const end = this.#held.indexOf(HEAD_END, 0, 'latin1')
      if (end < 0 && this.#held.length <= headBytes) return
      this.#answer(end < 0 || end > headBytes ? '' : this.#held.toString('latin1', 0, end + 2))
      this.#held = end < 0 ? NOTHING : this.#held.subarray(end + HEAD_END.length)
    }
  }

  /** The page, whatever is asked; what cannot be read, or has a body, is the last. */
  #answer(text: string): void {
    const { headFields, requestLineBytes } = this.#options.engine.world.limits
    const head = parseRequestHead(text, headFields, requestLineBytes)
    const isReadable = !('fault' in head)
    const lasts = isReadable && head.keepAlive && head.framing.kind === 'none'
    const keepAlive = lasts && this.#answers + 1 < PAGE_REQUESTS_MAX
    const bytes = this.#refusal(head.method, isReadable ? head.acceptLanguage : '', keepAlive)
    const tls = this.#tls!
    if (!tls.write(bytes)) tls.pause()
    this.#answered(bytes.length, keepAlive)
    if (!keepAlive) tls.end()
  }

  #refusal(method: string, acceptLanguage: string, keepAlive: boolean): Buffer {
    const { client, engine, refused } = this.#options
    const head = { ...refused.head, fields: [], method, acceptLanguage, keepAlive }
    return refusalOf(engine, client.asker, { ...refused, head })
  }

  #answered(bytes: number, keepAlive = false): void {
    const { engine, flow, refused } = this.#options
    this.#last = !keepAlive
    this.#deadlineMs = engine.monotonic() + (keepAlive ? PAGE_IDLE_MS : PAGE_LINGER_MS)
    if (this.#answers++ > 0) return
    engine.counters.tlsPages++
    flow.status = statusOf(refused.reason)
    flow.movedDown(bytes)
    flow.end(endingOf(refused.reason), engine.clock())
  }

  // --- its end ---

  /** Call every second. */
  sweep(nowMs: number): void {
    if (nowMs < this.#deadlineMs) return
    if (!this.#last)
      this.#options.engine.count(this.#answers === 0 ? 'head-timeout' : 'client-idle')
    this.#cut('timeout')
  }

  /** Drain: who has seen a page needs us no more. */
  closeIfIdle(): void {
    if (this.#answers === 0 || this.#last || this.#held.length > 0) return
    this.#last = true
    this.#tls?.end()
  }

  #cut(ending: Ending): void {
    const { flow, engine } = this.#options
    flow.end(ending, engine.clock())
    if (this.#stream === null) this.#wire.destroy()
    else this.#stream.destroy()
  }

  #gone(): void {
    if (this.#closed) return
    this.#closed = true
    const { flow, engine, onClose } = this.#options
    this.#last = true
    engine.counters.tlsPagesOpen--
    flow.end('client-closed', engine.clock())
    this.#tls?.destroy()
    onClose()
  }
}

function ignore(): void {}
