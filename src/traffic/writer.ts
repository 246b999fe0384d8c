/**
 * Owns: the way of batches into the files of their days: order, idempotence, what happens when it
 * fails.
 * Never: acknowledges what is not committed, throws for what it was sent, or reads a clock of its
 * own.
 */
import { mkdirSync } from 'node:fs'
import type Database from 'better-sqlite3'
import {
  type Calendar,
  type LocalDay,
  localDay,
  type RecordAcknowledgement,
  type RecordBatch,
  type RecordFailure,
  type TrafficRecord,
} from '../policy/index.ts'
import { openDatabase } from './day-file.ts'
import { describeFailure, type Failure } from './failure.ts'
import { dayPath } from './folder.ts'
import type { Source, WriterSettings } from './protocol.ts'
import { openKey, Pseudonyms } from './pseudonym.ts'
import { type PurgeOutcome, purge } from './purge.ts'
import { type Portion, Segment, sourceKey } from './segment.ts'

/** Days held open at once: today, and those to which long connections still belong. */
const SEGMENTS_OPEN_MAX = 4
const DAYS_REMEMBERED_MAX = 8
/** The end of the year 9999: later moments have no date of four digits, and no file. */
const TIME_MAX_MS = 253_402_300_799_999 - 86_400_000

export interface WriterOptions extends WriterSettings {
  readonly folder: string
  readonly keyFile: string
  /** Milliseconds since 1970: for records that carry no time at all. */
  readonly now: () => number
  /** Opens a day file for writing; a test may put a limit on it. */
  readonly openDatabase?: (path: string) => Database.Database
}

export interface SourcedBatch {
  readonly source: Source
  readonly batch: RecordBatch
}

export type RecordReply = RecordAcknowledgement | RecordFailure

/** What is known of one source. Everything below `next` is on disk. */
interface Progress {
  next: number
  /**
   * The first number that has not been tried: above `next`, some of what lies between may be on
   * disk.
   */
  tried: number
}

interface Plan extends SourcedBatch {
  readonly progress: Progress
  failure: string | null
}

export class Writer {
  readonly #folder: string
  readonly #keyFile: string
  readonly #now: () => number
  readonly #openDatabase: (path: string) => Database.Database
  #settings: WriterSettings
  /**
   * The calendar that days are cut by: `#settings.calendar`, once no batch is half written by
   * another.
   */
  #calendar: Calendar
  /** Days met lately: reckoning one takes longer than writing a record. Never empty. */
  #days: LocalDay[]
  /** By date, the one used last at the end. */
  readonly #segments = new Map<string, Segment>()
  readonly #sources = new Map<string, Progress>()
  #key: Pseudonyms | null = null
  /** Why the last write failed, or null. */
  failure: Failure | null = null
  /** Totals: what has been written, and fields of a wrong type that were mended. */
  records = 0
  batches = 0
  mended = 0

  constructor(options: WriterOptions) {
    this.#folder = options.folder
    this.#keyFile = options.keyFile
    this.#now = options.now
    this.#openDatabase = options.openDatabase ?? openDatabase
    const { calendar, identities, retentionMs } = options
    this.#settings = { calendar, identities, retentionMs }
    this.#calendar = calendar
    this.#days = [localDay(calendar, options.now())]
  }

  /** Takes new settings. Segments are opened anew: what names look like may have changed. */
  configure({ calendar, identities, retentionMs }: WriterSettings): void {
    // A calendar that cannot be used throws here, before anything has changed.
    localDay(calendar, this.#now())
    this.#settings = { calendar, identities, retentionMs }
    for (const date of [...this.#segments.keys()]) this.#release(date)
    this.#adoptCalendar()
  }

  /** Forgets a source that is gone; what it had not got through will not come again. */
  forget(source: Source): void {
    this.#sources.delete(sourceKey(source))
    this.#adoptCalendar()
  }

  /** Writes one batch. See `writeAll`. */
  write(source: Source, batch: RecordBatch): RecordReply {
    return this.writeAll([{ source, batch }])[0]!
  }

  /**
   * Writes batches, one transaction for each day they touch, and gives the reply to each, in the
   * same order. An acknowledgement means that every batch of that source up to its number is
   * committed; so a batch whose predecessor is missing fails, until that has come.
   */
  writeAll(entries: readonly SourcedBatch[]): RecordReply[] {
    this.failure = null
    const plans = entries.map((entry) => this.#plan(entry))
    const days = new Map<string, { day: LocalDay; portions: Portion[]; plans: Plan[] }>()
    for (const plan of plans) {
      if (plan.failure !== null || plan.batch.number < plan.progress.next) continue
      for (const { day, records } of this.#portions(plan)) {
        let group = days.get(day.date)
        if (group === undefined) {
          group = { day, portions: [], plans: [] }
          days.set(day.date, group)
        }
        group.portions.push({ source: plan.source, number: plan.batch.number, records })
        group.plans.push(plan)
      }
    }
    for (const { day, portions, plans } of days.values()) {
      const failure = this.#writeDay(day, portions)
      if (failure === null) continue
      this.failure = failure
      for (const plan of plans) plan.failure = failure.what
    }
    const replies = plans.map((plan) => this.#reply(plan))
    this.#days.splice(DAYS_REMEMBERED_MAX)
    this.#adoptCalendar()
    return replies
  }

  #plan({ source, batch }: SourcedBatch): Plan {
    const key = sourceKey(source)
    let progress = this.#sources.get(key)
    if (progress === undefined) {
      // A sender that meets a new writer starts with the lowest number that was not acknowledged.
      progress = { next: batch.number, tried: batch.number }
      this.#sources.set(key, progress)
    }
    if (batch.number === progress.tried) progress.tried++
    if (batch.number < progress.tried) return { source, batch, progress, failure: null }
    const failure = `batch ${batch.number} of thread ${source.thread} came before ${progress.tried}`
    this.failure = { what: failure, hint: 'This is a bug in Sluss; restart it, and report this.' }
    return { source, batch, progress, failure }
  }

  #reply({ batch, progress, failure }: Plan): RecordReply {
    const { number } = batch
    if (failure === null && number === progress.next) {
      progress.next++
      this.batches++
    }
    if (number < progress.next) return { kind: 'acknowledged', number }
    const why = failure ?? `batch ${progress.next} must come first`
    return { kind: 'failed', number, why }
  }

  /** A batch by days; most lie in one. */
  #portions({ batch }: Plan): { day: LocalDay; records: TrafficRecord[] }[] {
    const found = new Map<LocalDay, TrafficRecord[]>()
    let records: TrafficRecord[] = []
    let current: LocalDay | null = null
    for (const record of batch.records) {
      const timed = this.#timed(record)
      const day = this.#dayOf(timed.timeMs)
      if (day !== current) {
        current = day
        records = found.get(day) ?? []
        found.set(day, records)
      }
      records.push(timed)
    }
    // A batch of nothing is still a batch: it is noted in the day of the one before it.
    if (found.size === 0) return [{ day: this.#days[0]!, records: [] }]
    return [...found].map(([day, records]) => ({ day, records }))
  }

  /** A record with a moment that has a date. A bug in a sender must not cost the record. */
  #timed(record: TrafficRecord): TrafficRecord {
    const { timeMs } = record
    if (Number.isSafeInteger(timeMs) && timeMs >= 0 && timeMs < TIME_MAX_MS) return record
    this.mended++
    return { ...record, timeMs: this.#now() }
  }

  /** The day of a moment: the same object for the same day, within a call of `writeAll`. */
  #dayOf(ms: number): LocalDay {
    for (const day of this.#days) if (day.startMs <= ms && ms < day.endMs) return day
    const day = localDay(this.#calendar, ms)
    this.#days.unshift(day)
    return day
  }

  /** One transaction. Where it fails, the file is closed, and opened anew at the next try. */
  #writeDay(day: LocalDay, portions: readonly Portion[]): Failure | null {
    let path = this.#keyFile
    try {
      const pseudonyms = this.#pseudonyms()
      path = dayPath(this.#folder, day.date)
      const segment = this.#segment(day, path, pseudonyms)
      this.records += segment.write(portions)
      this.mended += segment.mended
      segment.mended = 0
      return null
    } catch (error) {
      this.#release(day.date)
      return describeFailure(error, path)
    }
  }

  #segment(day: LocalDay, path: string, pseudonyms: Pseudonyms | null): Segment {
    let segment = this.#segments.get(day.date)
    if (segment === undefined) {
      mkdirSync(this.#folder, { recursive: true, mode: 0o700 })
      segment = new Segment({
        path,
        day,
        calendar: this.#calendar,
        pseudonyms,
        openDatabase: this.#openDatabase,
      })
    }
    this.#segments.delete(day.date)
    this.#segments.set(day.date, segment)
    for (const date of this.#segments.keys()) {
      if (this.#segments.size <= SEGMENTS_OPEN_MAX) break
      this.#release(date)
    }
    return segment
  }

  /** Throws where there is no key and none can be made: no name may reach the disk then. */
  #pseudonyms(): Pseudonyms | null {
    if (this.#settings.identities === 'name') return null
    this.#key ??= new Pseudonyms(openKey(this.#keyFile))
    return this.#key
  }

  #release(date: string): void {
    const segment = this.#segments.get(date)
    this.#segments.delete(date)
    try {
      segment?.close()
    } catch {
      // What is committed is in the -wal and stays there; the next one to open the file brings it
      // in.
    }
  }

  /**
   * A batch that is half written must be cut into days as it was at first, or parts come twice or
   * never.
   */
  #adoptCalendar(): void {
    if (this.#calendar === this.#settings.calendar) return
    for (const { next, tried } of this.#sources.values()) if (tried > next) return
    this.#calendar = this.#settings.calendar
    this.#days = [localDay(this.#calendar, this.#days[0]!.startMs)]
  }

  /**
   * Lets go of the days that are not the one of `nowMs`, and removes those whose time is over.
   * `endMs`: when the day ends, and this is to be done again.
   */
  turn(nowMs: number): PurgeOutcome & { endMs: number } {
    const today = localDay(this.#calendar, nowMs)
    for (const date of [...this.#segments.keys()]) if (date !== today.date) this.#release(date)
    const release = (date: string) => this.#release(date)
    const outcome = purge({ ...this.#settings, folder: this.#folder, nowMs, release })
    return { ...outcome, endMs: today.endMs }
  }

  /** Closes the files. The writer may be used again: it opens them anew. */
  close(): void {
    for (const date of [...this.#segments.keys()]) this.#release(date)
  }
}
