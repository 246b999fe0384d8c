/**
 * Owns: records, sources and folders for the tests of the traffic log.
 * Never: asserts anything.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import type { Calendar, RecordBatch, TrafficRecord } from '../../src/policy/index.ts'
import { dayPath } from '../../src/traffic/folder.ts'
import type { Source } from '../../src/traffic/protocol.ts'
import type { TrafficRow } from '../../src/traffic/schema.ts'
import { Writer, type WriterOptions } from '../../src/traffic/writer.ts'

export const STOCKHOLM: Calendar = { timezone: 'Europe/Stockholm', startsMinute: 0 }
export const SOURCE: Source = { run: 'run-1', thread: 0 }
/** 2026-11-21, noon in Stockholm. */
export const NOON_MS = Date.parse('2026-11-21T12:00:00+01:00')
export const TODAY = '2026-11-21'
export const DAY_MS = 86_400_000

export function temporaryFolder(): { path: string; remove: () => void } {
  const path = mkdtempSync(join(tmpdir(), 'sluss-traffic-'))
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) }
}

export function record(over: Partial<TrafficRecord> = {}): TrafficRecord {
  return {
    event: 'whole',
    flow: 1,
    timeMs: NOON_MS,
    zone: 'office',
    user: 'anna.andersson',
    identity: 'user',
    address: '10.1.2.3',
    method: 'CONNECT',
    host: 'www.example.se',
    port: 443,
    path: '',
    categories: '',
    platforms: '',
    verdict: 'allow',
    reason: 'default',
    rule: 'default',
    decision: '',
    bytesUp: 100,
    bytesDown: 2_000,
    durationMs: 30,
    status: 200,
    ending: 'complete',
    hello: '',
    serverName: '',
    count: 1,
    ...over,
  }
}

export function batch(number: number, ...records: TrafficRecord[]): RecordBatch {
  return { kind: 'batch', number, records: records.length === 0 ? [record()] : records }
}

/** A writer that writes names, into `state/traffic`, unless told otherwise. */
export function writerIn(state: string, over: Partial<WriterOptions> = {}): Writer {
  return new Writer({
    folder: join(state, 'traffic'),
    keyFile: join(state, 'keys', 'pseudonym.key'),
    calendar: STOCKHOLM,
    identities: 'name',
    retentionMs: 90 * DAY_MS,
    now: () => NOON_MS,
    ...over,
  })
}

/** Asks a day file as a person with the sqlite3 shell would. */
export function ask<T = TrafficRow>(state: string, date: string, sql: string): T[] {
  const database = new Database(dayPath(join(state, 'traffic'), date), { readonly: true })
  try {
    return database.prepare<[], T>(sql).all()
  } finally {
    database.close()
  }
}

/** All rows of a day, in the order of writing. */
export function rowsOf(state: string, date: string): TrafficRow[] {
  return ask(state, date, 'SELECT * FROM traffic')
}
