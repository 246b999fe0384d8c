/**
 * Owns: what the writer thread and the thread that started it say to each other.
 * Never: anything that runs. What proxy threads say is policy/record.ts.
 */
import type { MessagePort } from 'node:worker_threads'
import type { Calendar } from '../policy/index.ts'
import type { Identities } from './pseudonym.ts'

/**
 * Who sends batches: one thread of one run. Its batches are told apart by their numbers alone, so a
 * thread that is started again in place of a dead one, and counts from 1, must be another source.
 */
export interface Source {
  /** Names one start of the service. */
  readonly run: string
  readonly thread: number
}

/** What may change while the writer runs. */
export interface WriterSettings {
  readonly calendar: Calendar
  readonly identities: Identities
  /** Whole days that ended longer ago than this are removed. */
  readonly retentionMs: number
}

/** `workerData` of the writer thread. */
export interface WriterData extends WriterSettings {
  /** Absolute path of `state/traffic`; made (0700) where it is missing. */
  readonly folder: string
  /** Absolute path of `state/keys/pseudonym.key`; made at first use. */
  readonly keyFile: string
  /**
   * One 64-bit word: milliseconds to add to the system's clock, as the ledger's clock has it, so
   * that a service that runs on another time does not purge by this one. Without it, the system's
   * clock.
   */
  readonly clock?: SharedArrayBuffer | null
}

export type ToWriter =
  | { readonly kind: 'port'; readonly source: Source; readonly port: MessagePort }
  | ({ readonly kind: 'configure' } & WriterSettings)
  /** Write what has been received, then end. */
  | { readonly kind: 'stop' }

export interface PurgedDay {
  /** The date of the day. */
  readonly day: string
  /** How many records it held; null where the file could not be read any more. */
  readonly records: number | null
}

export type FromWriter =
  /** Something that people must look at. Said once, and again where it changes. */
  | { readonly kind: 'alarm'; readonly what: string; readonly hint: string }
  /** After an alarm about writing: batches are being written again. */
  | { readonly kind: 'recovered' }
  | ({ readonly kind: 'purged' } & PurgedDay)
  /** Totals since the start of the thread; at most once a second, where they have changed. */
  | { readonly kind: 'progress'; readonly records: number; readonly batches: number }
  /** The last word: everything received is written and the files are closed. */
  | { readonly kind: 'stopped' }
