/**
 * Owns: the ledgers' database file: opening it, its schema and version, moving a corrupt one aside.
 * Never: reads or writes a minute; store.ts does.
 */
import {
  chmodSync,
  chownSync,
  closeSync,
  existsSync,
  openSync,
  renameSync,
  statSync,
} from 'node:fs'
import { dirname } from 'node:path'
import Database from 'better-sqlite3'

export type Connection = Database.Database

/**
 * What the store is opened for. `serve`: the service; the file is made where it is missing, checked whole,
 * and moved aside where it is corrupt. `write`: made where it is missing, never moved. `read`: must exist.
 */
export type Purpose = 'serve' | 'write' | 'read'

/**
 * `missing`: there is no file (purpose `read`). `corrupt`: it is no database, or a broken one. `newer`: it
 * was written by a later version. `unavailable`: it cannot be opened, read or written (rights, space, a lock).
 */
export type StoreProblemCode = 'missing' | 'corrupt' | 'newer' | 'unavailable'

/** A failure that is expected to happen, in words for people. */
export interface StoreProblem {
  readonly code: StoreProblemCode
  readonly file: string
  readonly what: string
  /** What to do next. */
  readonly hint: string
}

export type FileOpening =
  | { readonly ok: true; readonly connection: Connection; readonly movedTo: string | null }
  | { readonly ok: false; readonly problem: StoreProblem }

/** How long to wait for another process's lock: only a command at work beside the service holds one. */
const BUSY_TIMEOUT_MS = 250

/** Raise it with every change of SCHEMA, and bring older files up to it in `prepare`. */
const SCHEMA_VERSION = 1

/**
 * `minutes`: bit m % 8 of byte m / 8 is minute m, counted from the start of the day; 188 bytes. `day` is the
 * date that the day starts on. Times are milliseconds since 1970.
 */
const SCHEMA = `
  CREATE TABLE schema_version (version INTEGER NOT NULL) STRICT;
  INSERT INTO schema_version VALUES (${SCHEMA_VERSION});
  CREATE TABLE ledgers (
    day TEXT NOT NULL,
    zone TEXT NOT NULL,
    user TEXT NOT NULL,
    category TEXT NOT NULL,
    minutes BLOB NOT NULL,
    updated INTEGER NOT NULL,
    PRIMARY KEY (day, zone, user, category)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE given (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    time INTEGER NOT NULL,
    day TEXT NOT NULL,
    zone TEXT NOT NULL,
    user TEXT NOT NULL,
    category TEXT NOT NULL,
    minutes INTEGER NOT NULL CHECK (minutes > 0),
    why TEXT NOT NULL,
    given_by TEXT NOT NULL
  ) STRICT;
  CREATE INDEX given_by_day ON given (day);
  CREATE TRIGGER given_is_append_only BEFORE UPDATE ON given
  BEGIN SELECT RAISE(ABORT, 'what was given is not changed afterwards'); END;
`

/** Opens `file`; `nowMs` names a corrupt one. Never throws for what is on the disk. */
export function openFile(file: string, purpose: Purpose, nowMs: number): FileOpening {
  if (purpose === 'read' && !existsSync(file)) return { ok: false, problem: missing(file) }
  const opened = tryOpen(file, purpose)
  if (opened.ok || opened.problem.code !== 'corrupt' || purpose !== 'serve') return opened
  const movedTo = `${file}.corrupt-${new Date(nowMs).toISOString().replaceAll(':', '-')}`
  try {
    moveAside(file, movedTo)
  } catch (error) {
    return { ok: false, problem: problemOf(file, error) }
  }
  const again = tryOpen(file, purpose)
  return again.ok ? { ...again, movedTo } : again
}

function tryOpen(file: string, purpose: Purpose): FileOpening {
  let connection: Connection | null = null
  try {
    if (purpose !== 'read') makePrivate(file)
    const options = { timeout: BUSY_TIMEOUT_MS, readonly: purpose === 'read', fileMustExist: true }
    connection = new Database(file, options)
    const problem = prepare(connection, file, purpose)
    if (problem === null) return { ok: true, connection, movedTo: null }
    connection.close()
    return { ok: false, problem }
  } catch (error) {
    connection?.close()
    return { ok: false, problem: problemOf(file, error) }
  }
}

/**
 * Sees to it that the file is there and its owner's alone; SQLite gives its -wal and -shm the same mode and
 * owner. What root makes (`sudo sluss quota give`) belongs to whoever the folder belongs to: the service.
 */
function makePrivate(file: string): void {
  const isNew = !existsSync(file)
  closeSync(openSync(file, 'a', 0o600))
  if (isNew && process.geteuid?.() === 0) {
    const { uid, gid } = statSync(dirname(file))
    chownSync(file, uid, gid)
  }
  if ((statSync(file).mode & 0o777) !== 0o600) chmodSync(file, 0o600)
}

function prepare(connection: Connection, file: string, purpose: Purpose): StoreProblem | null {
  if (purpose !== 'read') {
    connection.pragma('journal_mode = WAL')
    // After a loss of power the last commits may be gone, never the file. A gift waits for the disk.
    connection.pragma('synchronous = NORMAL')
    // What is weeded is overwritten, not only forgotten.
    connection.pragma('secure_delete = ON')
  }
  if (purpose === 'serve') {
    const found = connection.pragma('quick_check(1)', { simple: true })
    if (found !== 'ok') return corrupt(file, String(found))
  }
  const version = versionOf(connection)
  if (version === 0 && purpose === 'read') return missing(file)
  if (version === 0) connection.transaction(() => connection.exec(SCHEMA)).immediate()
  return version > SCHEMA_VERSION ? newer(file, version) : null
}

/** 0 where there is no schema yet. */
function versionOf(connection: Connection): number {
  const named = "SELECT count(*) FROM sqlite_schema WHERE name = 'schema_version'"
  if (connection.prepare(named).pluck().get() === 0) return 0
  return Number(connection.prepare('SELECT max(version) FROM schema_version').pluck().get())
}

function moveAside(file: string, movedTo: string): void {
  renameSync(file, movedTo)
  for (const suffix of ['-wal', '-shm']) {
    if (existsSync(file + suffix)) renameSync(file + suffix, movedTo + suffix)
  }
}

/** Codes that tell of a mistake of ours, not of the disk's. */
const BUGS = /^(ERR_|SQLITE_(ERROR|MISUSE|RANGE|MISMATCH|CONSTRAINT))/

/** What a failed call on `file` means to people. Whatever is not about the file is a bug, and thrown. */
export function problemOf(file: string, error: unknown): StoreProblem {
  if (!(error instanceof Error) || !('code' in error)) throw error
  const code = String(error.code)
  if (code.startsWith('SQLITE_CORRUPT') || code === 'SQLITE_NOTADB') {
    return corrupt(file, error.message)
  }
  if (BUGS.test(code)) throw error
  const what = `${error.message} (${code})`
  const hint = 'see to the rights and the free space of the state folder'
  return { code: 'unavailable', file, what, hint }
}

function missing(file: string): StoreProblem {
  const hint = 'it is made when the service first starts'
  return { code: 'missing', file, what: 'there are no ledgers yet', hint }
}

function corrupt(file: string, what: string): StoreProblem {
  const hint = 'the service moves it aside when it starts, and goes on without it'
  return { code: 'corrupt', file, what, hint }
}

function newer(file: string, version: number): StoreProblem {
  const what = `its schema is version ${version}; this Sluss knows ${SCHEMA_VERSION}`
  return { code: 'newer', file, what, hint: 'use the later version of Sluss that wrote it' }
}
