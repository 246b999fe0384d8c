/**
 * Owns: what a proxy thread is given: at its start, and again, whole, at each change.
 * Never: reads settings; service makes it from them.
 */
import type { MessagePort } from 'node:worker_threads'
import type { Users } from '../identity/index.ts'
import type { Policy } from '../policy/index.ts'

export interface Endpoint {
  readonly address: string
  readonly port: number
}

/** Every limit of the data plane; the units are in the names. See docs/settings.md. */
export interface Limits {
  readonly headBytes: number
  readonly requestLineBytes: number
  readonly headFields: number
  readonly headTimeoutMs: number
  readonly idleTimeoutMs: number
  readonly tunnelIdleMs: number
  readonly tunnelLifetimeMs: number
  readonly dialTimeoutMs: number
  readonly originTimeoutMs: number
  readonly connections: number
  readonly connectionsPerAddress: number
  readonly connectionsPerUser: number
  readonly tunnels: number
  readonly failedLogins: number
  readonly failedLoginsWithinMs: number
  /** Of a body that a client sends, or an answer that waits for it; 0: no limit. */
  readonly slowestBytesPerSecond: number
  readonly slowestOverMs: number
  readonly poolPerOrigin: number
  readonly poolTotal: number
  readonly poolIdleMs: number
}

export interface LogRules {
  readonly paths: 'never' | 'refused' | 'always'
  readonly onFailure: 'refuse' | 'continue'
  /** The most records a thread holds that the writer has not acknowledged. */
  readonly unacknowledged: number
}

/** Whom to ask for names, and how long answers are kept. */
export interface DnsRules {
  /** In order; empty: those of /etc/resolv.conf. */
  readonly servers: readonly Endpoint[]
  readonly shortestMs: number
  readonly longestMs: number
  readonly negativeMs: number
}

/** Immutable; a thread swaps the whole of it between two events. */
export interface World {
  readonly policy: Policy
  /** The image of all lists. */
  readonly image: SharedArrayBuffer
  /** Null: no zone signs in by Basic. */
  readonly users: Users | null
  readonly listen: readonly Endpoint[]
  /** Where the portal listens: no more to be dialled than our own listeners, but for requests to it. */
  readonly portal: readonly Endpoint[]
  /** Proves to the portal that a request comes through us; random, one a start of the service. */
  readonly portalKey: string
  readonly limits: Limits
  readonly log: LogRules
  readonly dns: DnsRules
  /** Fixed names: host to addresses in canonical text. */
  readonly hosts: Readonly<Record<string, readonly string[]>>
}

export interface ThreadData {
  readonly thread: number
  /** Random, one a start of the service: tells runs apart in the log and in Via. */
  readonly run: string
  /** Null once the thread has taken it: what a thread is started with lives as long as the thread. */
  world: World | null
  readonly ledger: SharedArrayBuffer
  /** What is counted over all threads (tally-memory.ts). */
  readonly tally: SharedArrayBuffer
  /** Null: the system's clock. */
  readonly clock: SharedArrayBuffer | null
}

export type ToThread =
  /** `free`: the image is another; the one before is to be given back before the thread says `freed`. */
  | { readonly kind: 'world'; readonly world: World; readonly free: boolean }
  /** A new writer: batches not yet acknowledged are sent again to it. */
  | { readonly kind: 'writer'; readonly port: MessagePort }
  /** Take no more connections, let open exchanges end for `drainMs`, flush the log, and say `drained`. */
  | { readonly kind: 'drain'; readonly drainMs: number }

export type FromThread =
  | { readonly kind: 'listening'; readonly endpoints: readonly Endpoint[] }
  | { readonly kind: 'listen-failed'; readonly endpoint: Endpoint; readonly why: string }
  | { readonly kind: 'counters'; readonly counters: Counters }
  | { readonly kind: 'alarm'; readonly what: string; readonly hint: string }
  /** This version of the world is in force. */
  | { readonly kind: 'world'; readonly version: number }
  /** And no image before it is held. */
  | { readonly kind: 'freed'; readonly version: number }
  | { readonly kind: 'drained' }

/** What a thread has done since its start; sums over threads are the service's. */
export interface Counters {
  connections: number
  connectionsOpen: number
  requests: number
  flowsOpen: number
  tunnelsOpen: number
  /** Refused tunnels whose page is shown in TLS of ours: now, and in all. */
  tlsPagesOpen: number
  tlsPages: number
  bytesUp: number
  bytesDown: number
  records: number
  recordsAcknowledged: number
  recordsLost: number
  /** Names of origins that were known when they were wanted. */
  nameHits: number
  /** To DNS servers: two for a name, one of each family. */
  nameQuestions: number
  /** Names that no server could say anything of. */
  nameFailures: number
  /** By reason code: every verdict and every failure. */
  reasons: Record<string, number>
}

/** Nothing done yet. */
export function newCounters(): Counters {
  return {
    connections: 0,
    connectionsOpen: 0,
    requests: 0,
    flowsOpen: 0,
    tunnelsOpen: 0,
    tlsPagesOpen: 0,
    tlsPages: 0,
    bytesUp: 0,
    bytesDown: 0,
    records: 0,
    recordsAcknowledged: 0,
    recordsLost: 0,
    nameHits: 0,
    nameQuestions: 0,
    nameFailures: 0,
    reasons: {},
  }
}
