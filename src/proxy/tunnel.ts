/**
 * Owns: two wires joined byte for byte: back pressure, half-close both ways, idleness, the count.
 * Never: looks at what passes but for its first bytes (greeting.ts), or ends without telling its flow why.
 */
import type { Ending, Reason } from '../policy/index.ts'
import type { Engine } from './engine.ts'
import type { Flow } from './flow.ts'
import { type Greeting, type GreetingState, TLS_ALERT } from './greeting.ts'
import type { Wire, WireOwner } from './wire.ts'

/** What one side may still send when the other has closed: its last bytes, not another hour. */
const LAST_BYTES_MS = 5_000
/** How long a tunnel may be silent once one side has ended: the other may be gone, and nobody tells us. */
const HALF_OPEN_MS = 120_000
/** What a side may still send to one that has closed before it is cut: its last words, not a download. */
const LAST_BYTES_MAX = 65_536

export interface TunnelOptions {
  readonly client: Wire
  readonly origin: Wire
  readonly flow: Flow
  readonly engine: Engine
  /** Judges the first bytes; null where they are not to be looked at. */
  readonly greeting: Greeting | null
  /** Called once, when both sides are closed. */
  readonly onClose: () => void
}

/** One direction's reader: what comes from `from` goes to the other side. */
class Side implements WireOwner {
  readonly wire: Wire
  readonly #tunnel: Tunnel
  readonly #isClient: boolean
  closed = false

  constructor(tunnel: Tunnel, wire: Wire, isClient: boolean) {
    this.#tunnel = tunnel
    this.wire = wire
    this.#isClient = isClient
    wire.owner = this
  }

  onBytes(bytes: Buffer): void {
    this.#tunnel.carry(bytes, this.#isClient)
  }

  onEnd(): void {
    this.#tunnel.halfOpen(this.#isClient)
  }

  onDrain(): void {
    this.#tunnel.drained(this.#isClient)
  }

  onClose(): void {
    this.closed = true
    this.#tunnel.closed(this.#isClient)
  }
}

/** Joins the two; nothing of either may be unread elsewhere. */
export class Tunnel {
  readonly #engine: Engine
  readonly #onClose: () => void
  readonly #client: Side
  readonly #origin: Side
  readonly #flow: Flow
  #ending: Ending = 'complete'
  /** Bytes for a side that had closed. */
  #lostBytes = 0
  /** Something has moved since the last sweep. */
  #active = true
  #lastActiveMs: number
  readonly #endMs: number
  #greeting: Greeting | null
  #isHalfOpen = false
  /** Where one side has closed: when the other is cut. */
  #cutAtMs = Number.POSITIVE_INFINITY
  #cutAs: Ending = 'timeout'

  constructor(options: TunnelOptions) {
    const { client, origin, flow, engine } = options
    this.#engine = engine
    this.#onClose = options.onClose
    this.#flow = flow
    this.#client = new Side(this, client, true)
    this.#origin = new Side(this, origin, false)
    this.#lastActiveMs = engine.monotonic()
    this.#endMs = this.#lastActiveMs + engine.world.limits.tunnelLifetimeMs
    this.#greeting = options.greeting
    flow.cut = this.cut
  }

  /** Begins to carry; `first` came from the client before there was a tunnel. */
  start(first: Buffer): void {
    const client = this.#client.wire
    const origin = this.#origin.wire
    if (first.length > 0) this.carry(first, true)
    if (client.ended) this.halfOpen(true)
    if (origin.ended) this.halfOpen(false)
    if (!origin.full) client.resume()
    if (!client.full) origin.resume()
  }

  carry(bytes: Buffer, fromClient: boolean): void {
    const greeting = this.#greeting
    if (greeting !== null) {
      if (fromClient) {
        this.#greet(greeting.push(bytes))
        return
      }
      if (greeting.hear(bytes)) this.#greeting = null
    }
    this.#pass(bytes, fromClient)
  }

  #pass(bytes: Buffer, fromClient: boolean): void {
    const from = fromClient ? this.#client : this.#origin
    const to = fromClient ? this.#origin : this.#client
    if (!to.wire.writable) {
      this.#lose(bytes.length, fromClient ? 'origin-closed' : 'client-closed')
      return
    }
    this.#active = true
    if (fromClient) this.#flow.movedUp(bytes.length)
    else this.#flow.movedDown(bytes.length)
    to.wire.write(bytes)
    if (to.wire.full) from.wire.pause()
  }

  #greet(state: GreetingState): void {
    const greeting = this.#greeting!
    this.#active = true
    if (state === 'more') return
    if (state === 'refused' || greeting.isDone) this.#greeting = null
    if (state === 'refused') this.#refuse(greeting)
    else this.#pass(greeting.take(), true)
  }

  #refuse(greeting: Greeting): void {
    const flow = this.#flow
    const client = this.#client.wire
    flow.verdict = greeting.verdict!
    this.#ending = 'refused'
    this.#origin.wire.destroy()
    if (greeting.isTls && client.writable) {
      client.write(TLS_ALERT)
      flow.movedDown(TLS_ALERT.length)
      // It is our own, and costs no minute.
      flow.chargedBytes += TLS_ALERT.length
    }
    client.end()
    this.#cutAtMs = this.#engine.monotonic() + LAST_BYTES_MS
  }

  /** `isClient` has taken all; the other may send again. */
  drained(isClient: boolean): void {
    this.#active = true
    const other = isClient ? this.#origin : this.#client
    other.wire.resume()
  }

  /** One side has ended: the other is told, and may answer still. */
  halfOpen(isClient: boolean): void {
    if (isClient) this.#endGreeting()
    const other = isClient ? this.#origin : this.#client
    other.wire.end()
    this.#active = true
    this.#isHalfOpen = true
  }

  /** The client says no more, or takes too long to say it. */
  #endGreeting(): void {
    const state = this.#greeting?.end() ?? null
    if (state !== null) this.#greet(state)
  }

  /** Ends both sides at once. */
  readonly cut = (ending: Ending): void => {
    if (this.#ending === 'complete') this.#ending = ending
    this.#client.wire.destroy()
    this.#origin.wire.destroy()
  }

  /** Nobody takes these bytes: `ending` says which side has gone. */
  #lose(bytes: number, ending: Ending): void {
    this.#lostBytes += bytes
    if (this.#lostBytes > LAST_BYTES_MAX) this.cut(ending)
  }

  /**
   * What came from a side that has closed still goes to the other (RFC 9110 section 9.3.6). Had it ended
   * first, the other may end too, and the tunnel was whole: many close without waiting for the TLS
   * close_notify that answers theirs. A side that closes without an end has been reset.
   */
  closed(isClient: boolean): void {
    const gone = isClient ? this.#client : this.#origin
    const other = isClient ? this.#origin : this.#client
    const ending = isClient ? 'client-closed' : 'origin-closed'
    if (!gone.wire.ended && this.#ending === 'complete') this.#ending = ending
    if (!other.wire.destroyed && this.#ending !== 'refused') {
      this.#cutAtMs = this.#engine.monotonic() + LAST_BYTES_MS
      this.#cutAs = ending
      if (gone.wire.ended) other.wire.resume()
      else other.wire.destroySoon()
    }
    if (!this.#client.closed || !this.#origin.closed) return
    this.#flow.end(this.#ending, this.#engine.clock())
    this.#onClose()
  }

  /** Call every second: ends what has been silent, or has lived, for too long. */
  sweep(nowMs: number): void {
    if (this.#active) {
      this.#active = false
      this.#lastActiveMs = nowMs
    }
    const { tunnelIdleMs } = this.#engine.world.limits
    const silentMs = this.#isHalfOpen ? Math.min(tunnelIdleMs, HALF_OPEN_MS) : tunnelIdleMs
    if (this.#greeting?.isOverdue(nowMs)) this.#endGreeting()
    if (nowMs >= this.#cutAtMs) this.cut(this.#cutAs)
    else if (nowMs - this.#lastActiveMs >= silentMs) this.#over('tunnel-idle', 'timeout')
    else if (nowMs >= this.#endMs) this.#over('tunnel-lifetime', 'lifetime')
  }

  #over(reason: Reason, ending: Ending): void {
    this.#engine.count(reason)
    this.cut(ending)
  }
}
