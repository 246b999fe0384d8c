/**
 * Owns: making a day file, and making sure that an old one is ours and up to date: settings of SQLite,
 * schema, offsets.
 * Never: writes a record.
 */
import { closeSync, openSync } from 'node:fs'
import Database from 'better-sqlite3'
import { type Calendar, type LocalDay, offsetMs, RECORD_EVENTS } from '../policy/index.ts'
import {
  APPLICATION_ID,
  FOREVER_MS,
  SCHEMA,
  SCHEMA_VERSION,
  UPGRADES,
  VERSION_FIRST,
} from './schema.ts'

/**
 * How long a write waits for another program's; longer than a reader ever holds, far from forever.
 */
const BUSY_TIMEOUT_MS = 1_000
/**
 * Pages of 4 KiB in the -wal before they go into the file itself: fewer, larger waits for the disk.
 */
const CHECKPOINT_PAGES = 4_096
/** A -wal that a long reader let grow shrinks to this when it is gone. */
const WAL_SIZE_MAX_BYTES = 64 * 1_024 * 1_024
const CACHE_KIB = 16_384

/** Opens `path` for writing, and makes it (0600) where it is missing. */
export function openDatabase(path: string): Database.Database {
  // SQLite gives the -wal and -shm the permissions of the file, so the file is made with ours
  // first.
  closeSync(openSync(path, 'a', 0o600))
  return new Database(path, { timeout: BUSY_TIMEOUT_MS })
}

/**
 * Sets the connection up for writing and gives a new file its schema. Throws where it is not ours.
 */
export function prepareFile(database: Database.Database, day: LocalDay, calendar: Calendar): void {
  database.pragma('journal_mode = WAL')
  // A commit is in the system's hands, not yet on the disk: a killed process loses nothing, a power
  // cut may lose the last commits, never the file.
  database.pragma('synchronous = NORMAL')
  // Numbers come from the dictionaries in the same transaction; checking them again costs six
  // look-ups.
  database.pragma('foreign_keys = OFF')
  database.pragma(`wal_autocheckpoint = ${CHECKPOINT_PAGES}`)
  database.pragma(`journal_size_limit = ${WAL_SIZE_MAX_BYTES}`)
  database.pragma(`cache_size = -${CACHE_KIB}`)
  const version = database.pragma('user_version', { simple: true })
  const ours = database.pragma('application_id', { simple: true }) === APPLICATION_ID
  if (ours && upgrade(database, Number(version))) return
  const tables = database.prepare<[], number>('SELECT count(*) FROM sqlite_schema').pluck().get()
  if (version !== 0 || tables !== 0) {
    throw new Error(
      `is not a log of this version (schema ${String(version)}, expected ${SCHEMA_VERSION}); ` +
        'move it away',
    )
  }
  database.transaction(() => create(database, day, calendar)).immediate()
}

/**
 * Brings a file of `version` up to date, one version at a time and all at once or not at all. False where
 * it is of a version that we do not know.
 */
function upgrade(database: Database.Database, version: number): boolean {
  if (version < VERSION_FIRST || version > SCHEMA_VERSION) return false
  if (version === SCHEMA_VERSION) return true
  const steps = database.transaction(() => {
    for (let from = version; from < SCHEMA_VERSION; from++) database.exec(UPGRADES[from]!)
  })
  steps.immediate()
  return true
}

function create(database: Database.Database, day: LocalDay, calendar: Calendar): void {
  database.exec(SCHEMA)
  const { timezone, startsMinute } = calendar
  database
    .prepare('INSERT INTO day VALUES (?, ?, ?, ?, ?, ?)')
    .run(SCHEMA_VERSION, day.date, timezone, startsMinute, day.startMs, day.endMs)
  const offset = database.prepare('INSERT INTO offsets VALUES (?, ?, ?, ?)')
  for (const { fromAt, untilAt, seconds } of offsetsOf(day, timezone)) {
    offset.run(fromAt, untilAt, seconds, offsetText(seconds))
  }
  // The events have the same numbers in every file.
  const event = database.prepare('INSERT INTO events (name) VALUES (?)')
  for (const name of RECORD_EVENTS) event.run(name)
}

interface Offset {
  readonly fromAt: number
  readonly untilAt: number
  readonly seconds: number
}

/**
 * Local time minus UTC in a day, and the moment when it changes; no place changes twice in one day.
 */
function offsetsOf(day: LocalDay, timezone: string): Offset[] {
  const secondsAt = (ms: number) => Math.round(offsetMs(timezone, ms) / 1_000)
  const first = secondsAt(day.startMs)
  const last = secondsAt(day.endMs - 1)
  if (first === last) return [{ fromAt: -FOREVER_MS, untilAt: FOREVER_MS, seconds: first }]
  let [low, high] = [day.startMs, day.endMs - 1]
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2)
    if (secondsAt(middle) === first) low = middle
    else high = middle
  }
  return [
    { fromAt: -FOREVER_MS, untilAt: high - day.startMs, seconds: first },
    { fromAt: high - day.startMs, untilAt: FOREVER_MS, seconds: last },
  ]
}

function offsetText(seconds: number): string {
  const minutes = Math.round(Math.abs(seconds) / 60)
  const two = (n: number) => String(n).padStart(2, '0')
  return `${seconds < 0 ? '-' : '+'}${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`
}
