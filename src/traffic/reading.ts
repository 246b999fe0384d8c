/**
 * Owns: opening a day of the log to read it, while the writer may be writing.
 * Never: writes, or keeps the writer from writing for longer than one statement takes.
 */
import Database from 'better-sqlite3'
import { SCHEMA_VERSION, VERSION_FIRST } from './schema.ts'

/** How long a question waits for a file that is just being opened or closed. */
const BUSY_TIMEOUT_MS = 5_000

export interface OpenDay {
  readonly database: Database.Database
  /** Of its schema: VERSION_FIRST to SCHEMA_VERSION. */
  readonly version: number
}

/**
 * The database of a day; null for a file that the writer made and has not filled yet. Throws for
 * one that is not ours. The caller closes it.
 */
export function openDay(path: string): OpenDay | null {
  const database = new Database(path, {
    readonly: true,
    fileMustExist: true,
    timeout: BUSY_TIMEOUT_MS,
  })
  try {
    const version = Number(database.pragma('user_version', { simple: true }))
    if (version >= VERSION_FIRST && version <= SCHEMA_VERSION) return { database, version }
    const tables = database.prepare<[], number>('SELECT count(*) FROM sqlite_schema').pluck().get()
    if (version !== 0 || tables !== 0) {
      throw new Error(`has schema ${version}, expected ${SCHEMA_VERSION}; a newer Sluss wrote it`)
    }
  } catch (error) {
    database.close()
    throw error
  }
  database.close()
  return null
}
