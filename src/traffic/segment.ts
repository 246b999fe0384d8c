/**
 * Owns: one open day file: making it, writing batches to it, each call whole or not at all.
 * Never: decides which day a record belongs to, or goes on after an error: its owner drops it then.
 */
import { statSync } from 'node:fs'
import type Database from 'better-sqlite3'
import type { Calendar, LocalDay, TrafficRecord } from '../policy/index.ts'
import { prepareFile } from './day-file.ts'
import { Dictionary, type Entry, storable } from './dictionary.ts'
import type { Source } from './protocol.ts'
import type { Pseudonyms } from './pseudonym.ts'

/** The part of a batch that belongs to one day. */
export interface Portion {
  readonly source: Source
  readonly number: number
  readonly records: readonly TrafficRecord[]
}

export interface SegmentOptions {
  readonly path: string
  readonly day: LocalDay
  readonly calendar: Calendar
  /** Null: names are written as they are. */
  readonly pseudonyms: Pseudonyms | null
  /** Opens a file for writing; a test may put a limit on it. */
  readonly openDatabase: (path: string) => Database.Database
}

export class Segment {
  readonly path: string
  readonly #database: Database.Database
  readonly #inode: number
  readonly #startMs: number
  readonly #clients: Dictionary
  readonly #targets: Dictionary
  readonly #outcomes: Dictionary
  readonly #methods: Dictionary
  readonly #events: Dictionary
  readonly #endings: Dictionary
  readonly #hellos: Dictionary
  readonly #sources = new Map<string, number>()
  readonly #begin: Database.Statement<[]>
  readonly #commit: Database.Statement<[]>
  readonly #insertSource: Database.Statement<[string, number]>
  readonly #selectSource: Database.Statement<[string, number], number>
  readonly #insertBatch: Database.Statement<number[]>
  readonly #insertRecord: Database.Statement<Entry[]>
  /** The number of the next record. */
  #next: number
  /** Fields that broke their type and were mended; a bug in a sender. */
  mended = 0

  /** Opens the file of a day, or makes it. Throws where it cannot; then nothing is left open. */
  constructor({ path, day, calendar, pseudonyms, openDatabase }: SegmentOptions) {
    this.path = path
    const database = openDatabase(path)
    this.#database = database
    try {
      prepareFile(database, day, calendar)
      this.#inode = statSync(path).ino
      this.#startMs = database.prepare<[], number>('SELECT start_ms FROM day').pluck().get()!
      this.#next = lastRecord(database) + 1
      const dictionary = (table: string, ...columns: string[]) =>
        new Dictionary(database, { table, columns })
      this.#clients = new Dictionary(database, {
        table: 'clients',
        columns: ['zone', 'identity', 'user', 'address'],
        ...(pseudonyms === null ? {} : { replace: (values) => masked(pseudonyms, values) }),
      })
      this.#targets = dictionary('targets', 'platforms', 'categories', 'port', 'host')
      this.#outcomes = dictionary('outcomes', 'verdict', 'reason', 'rule', 'decision')
      this.#methods = dictionary('methods', 'name')
      this.#events = dictionary('events', 'name')
      this.#endings = dictionary('endings', 'name')
      this.#hellos = dictionary('hellos', 'outcome', 'server_name')
      this.#begin = database.prepare('BEGIN IMMEDIATE')
      this.#commit = database.prepare('COMMIT')
      this.#insertSource = database.prepare(
        'INSERT INTO sources (run, thread) VALUES (?, ?) ON CONFLICT DO NOTHING',
      )
      this.#selectSource = database
        .prepare<[string, number], number>('SELECT id FROM sources WHERE run = ? AND thread = ?')
        .pluck()
      this.#insertBatch = database.prepare(
        `INSERT INTO batches (source, number, first, records) VALUES (?, ?, ?, ?)
         ON CONFLICT DO NOTHING`,
      )
      this.#insertRecord = database.prepare(
        `INSERT INTO records (id, at, source, flow, event, client, target, method, outcome, ending,
           bytes_up, bytes_down, duration_ms, status, count, path, hello)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      )
    } catch (error) {
      database.close()
      throw error
    }
  }

  /**
   * Writes portions in one transaction; those that are here already are left out. Returns how many
   * records it wrote. Throws where it could not; then close this segment, and open it anew to try
   * again: what its dictionaries learnt was rolled back.
   */
  write(portions: readonly Portion[]): number {
    if (!this.#isInPlace()) {
      throw new Error('was removed or replaced while it was being written; a new file is begun')
    }
    this.#begin.run()
    const first = this.#next
    for (const portion of portions) this.#writePortion(portion)
    this.#commit.run()
    return this.#next - first
  }

  #writePortion({ source, number, records }: Portion): void {
    const id = this.#sourceId(source)
    if (this.#insertBatch.run(id, number, this.#next, records.length).changes === 0) return
    for (const record of records) this.#writeRecord(id, record)
  }

  #writeRecord(source: number, record: TrafficRecord): void {
    this.#insertRecord.run(
      this.#next,
      record.timeMs - this.#startMs,
      source,
      this.#whole(record.flow),
      this.#events.id(this.#text(record.event)),
      this.#clients.id4(
        this.#text(record.zone),
        this.#text(record.identity),
        this.#text(record.user),
        this.#text(record.address),
      ),
      this.#targets.id4(
        this.#text(record.platforms),
        this.#text(record.categories),
        this.#whole(record.port),
        this.#text(record.host),
      ),
      this.#methods.id(this.#text(record.method)),
      this.#outcomes.id4(
        this.#text(record.verdict),
        this.#text(record.reason),
        this.#text(record.rule),
        this.#text(record.decision),
      ),
      this.#endings.id(this.#text(record.ending)),
      this.#whole(record.bytesUp),
      this.#whole(record.bytesDown),
      this.#whole(record.durationMs),
      this.#whole(record.status),
      this.#whole(record.count),
      record.path === '' ? '' : storable(this.#text(record.path)),
      this.#helloId(record),
    )
    this.#next++
  }

  /** A server name that is the host is not written again: the view gives the host for it. */
  #helloId({ hello, serverName, host }: TrafficRecord): number {
    const again = hello === 'matched' && serverName === host
    return this.#hellos.id2(this.#text(hello), again ? '' : this.#text(serverName))
  }

  /**
   * A number as it can be stored. One bad field must not cost the record, nor the batch it is in.
   */
  #whole(value: number): number {
    if (Number.isSafeInteger(value)) return value
    this.mended++
    return Number.isFinite(value) ? Math.min(Math.trunc(value), Number.MAX_SAFE_INTEGER) : 0
  }

  #text(value: string): string {
    if (typeof value === 'string') return value
    this.mended++
    return ''
  }

  #sourceId({ run, thread }: Source): number {
    const key = sourceKey({ run, thread })
    let id = this.#sources.get(key)
    if (id === undefined) {
      this.#insertSource.run(storable(run), thread)
      id = this.#selectSource.get(storable(run), thread)!
      this.#sources.set(key, id)
    }
    return id
  }

  /** False where the file was removed or replaced under us: what we write would go nowhere. */
  #isInPlace(): boolean {
    return statSync(this.path, { throwIfNoEntry: false })?.ino === this.#inode
  }

  /**
   * Brings all that is in the -wal into the file and lets go of it. Throws only what SQLite throws.
   */
  close(): void {
    this.#database.close()
  }
}

/** One text for a source, for maps. */
export function sourceKey({ run, thread }: Source): string {
  return `${thread} ${run}`
}

/** The number of the last record in a file: rows are never deleted, so also how many there are. */
export function lastRecord(database: Database.Database): number {
  return database.prepare<[], number | null>('SELECT max(id) FROM records').pluck().get() ?? 0
}

function masked(pseudonyms: Pseudonyms, [zone, identity, user, address]: Entry[]): Entry[] {
  const kind = identity === 'network' || identity === 'address' ? identity : 'user'
  return [
    zone!,
    identity!,
    pseudonyms.ofIdentity(kind, String(user)),
    pseudonyms.address(String(address)),
  ]
}
