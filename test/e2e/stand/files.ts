/**
 * Owns: what the files of a stopped or running Sluss say, read with nothing but SQLite.
 * Never: writes to them.
 */
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import Database from 'better-sqlite3'

type Value = string | number

/** The rows of `sql` over every day's file of the log. */
export function logRows<Row>(state: string, sql: string, values: readonly Value[] = []): Row[] {
  const folder = join(state, 'traffic')
  if (!existsSync(folder)) return []
  const files = readdirSync(folder).filter((name) => name.endsWith('.sqlite'))
  return files.sort().flatMap((name) => rowsOf<Row>(join(folder, name), sql, values))
}

function rowsOf<Row>(file: string, sql: string, values: readonly Value[]): Row[] {
  const db = new Database(file, { readonly: true })
  try {
    return db.prepare<Value[], Row>(sql).all(...values)
  } catch (error) {
    // A file is there a moment before its tables are.
    if (String(error).includes('no such table')) return []
    throw error
  } finally {
    db.close()
  }
}

/** What SQLite has against the files of the log and the ledger; nothing where they are whole. */
export function damage(state: string): string[] {
  const folder = join(state, 'traffic')
  const days = readdirSync(folder).filter((name) => name.endsWith('.sqlite'))
  const ledger = join(state, 'ledger.sqlite')
  const files = days.map((name) => join(folder, name)).concat(existsSync(ledger) ? [ledger] : [])
  return files.flatMap((file) => {
    const db = new Database(file, { readonly: true })
    try {
      const said = [db.pragma('integrity_check'), db.pragma('foreign_key_check')]
      const good = isDeepStrictEqual(said, [[{ integrity_check: 'ok' }], []])
      return good ? [] : [`${file}: ${JSON.stringify(said)}`]
    } finally {
      db.close()
    }
  })
}

/** The threads that have a line in the log. */
export function threadsOf(state: string): number[] {
  const sql = 'SELECT DISTINCT thread FROM records JOIN sources ON sources.id = source'
  return logRows<{ thread: number }>(state, sql).map(({ thread }) => thread)
}

/** How many minutes are saved on disk, over all ledgers. */
export function savedMinutes(state: string): number {
  const sql = 'SELECT minutes FROM ledgers'
  const rows = rowsOf<{ minutes: Buffer }>(join(state, 'ledger.sqlite'), sql, [])
  const bits = (byte: number) => byte.toString(2).replaceAll('0', '').length
  return rows.reduce((sum, { minutes }) => sum + [...minutes].reduce((n, b) => n + bits(b), 0), 0)
}
