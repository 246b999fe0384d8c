/**
 * Owns: the shape of a line of the traffic log, and of the batches it travels in.
 * Never: holds a query string, a cookie, a credential or a body; never writes anything.
 *
 * It lives here because the data plane makes records and the traffic log keeps them, and neither may
 * import the other.
 */
import type { IdentityKind } from './user.ts'
import type { Action } from './verdict.ts'

/**
 * `whole`: begun and ended within the second, one row. `opened` and `closed`: a longer one, two rows with
 * the same flow number. `gap`: `count` records could not be kept; where log.onFailure
 * is `refuse`, these were refusals.
 */
export type RecordEvent = 'whole' | 'opened' | 'closed' | 'gap'

export const RECORD_EVENTS: readonly RecordEvent[] = ['whole', 'opened', 'closed', 'gap']

/** How an exchange ended, apart from its verdict; `open` while it has not. */
export type Ending =
  | 'open'
  | 'complete'
  | 'refused'
  | 'client-closed'
  | 'origin-closed'
  | 'origin-malformed'
  | 'name-not-found'
  | 'dial-failed'
  | 'timeout'
  | 'lifetime'
  | 'spent'
  | 'shutdown'
  | 'failed'

/**
 * What the first bytes of a tunnel said. `matched`: TLS for the host of the CONNECT. `mismatch`: for another.
 * `none`: TLS without a server name. `ech`: for another, with an encrypted hello. `not-tls`: something else.
 * `incomplete`: a hello that never became whole. `malformed`: TLS that is wrong. Empty: not a tunnel, or
 * nothing was said in it.
 */
export const HELLO_OUTCOMES = [
  '',
  'matched',
  'mismatch',
  'none',
  'ech',
  'not-tls',
  'incomplete',
  'malformed',
] as const

export type HelloOutcome = (typeof HELLO_OUTCOMES)[number]

export interface TrafficRecord {
  event: RecordEvent
  /** Number of the exchange within its source (one run of one thread); links opened and closed. */
  flow: number
  /** When it was decided: milliseconds since 1970. */
  timeMs: number
  zone: string
  user: string
  identity: IdentityKind | ''
  address: string
  method: string
  host: string
  port: number
  /** Of plain HTTP only, without its query, and only where `log.paths` says so. */
  path: string
  /** Names, joined by commas. */
  categories: string
  platforms: string
  verdict: Action
  reason: string
  rule: string
  /** The diary number of the decision behind the rule. */
  decision: string
  /** Bytes carried from the client to the origin, and to the client. */
  bytesUp: number
  bytesDown: number
  /** From the decision to the end, or to this row. */
  durationMs: number
  /** The status we answered with or passed on; 0 where nothing was answered. */
  status: number
  ending: Ending
  /** Of a tunnel: what its first bytes said, and the TLS server name in them; else empty. */
  hello: HelloOutcome
  serverName: string
  /** Of a gap: how many records are missing. Otherwise 1. */
  count: number
}

/** What a proxy thread posts to the writer. Sent again, with the same number, until acknowledged. */
export interface RecordBatch {
  readonly kind: 'batch'
  /** Counts up by one from 1 within a source. */
  readonly number: number
  readonly records: readonly TrafficRecord[]
}

/** What the writer posts back once the batch is committed: everything up to `number` is on disk. */
export interface RecordAcknowledgement {
  readonly kind: 'acknowledged'
  readonly number: number
}

/** What the writer posts back where it could not keep a batch; the sender keeps it and tries again. */
export interface RecordFailure {
  readonly kind: 'failed'
  readonly number: number
  readonly why: string
}
