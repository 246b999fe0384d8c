/**
 * Owns: the removal of whole days whose time is over, and its protocol, `purged.jsonl`.
 * Never: removes part of a day, or anything that is not a day file of ours.
 */
import { appendFileSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { dayOfNumber, formatTime } from '../policy/index.ts'
import { describeFailure, type Failure } from './failure.ts'
import { COMPANIONS, type DayFile, listDays } from './folder.ts'
import type { PurgedDay, WriterSettings } from './protocol.ts'
import { lastRecord } from './segment.ts'

/** One line of JSON for each day removed: time, day, records, bytes, retentionMs. */
export const PURGE_PROTOCOL = 'purged.jsonl'

export interface PurgeOptions extends WriterSettings {
  readonly folder: string
  readonly nowMs: number
  /** Lets go of a day's file, where it is open. */
  readonly release: (date: string) => void
}

export interface PurgeOutcome {
  readonly purged: readonly PurgedDay[]
  readonly failures: readonly Failure[]
}

/**
 * Removes the days that ended more than `retentionMs` ago. One that cannot be removed stops no
 * other.
 */
export function purge(options: PurgeOptions): PurgeOutcome {
  const { folder, calendar, retentionMs, nowMs } = options
  const purged: PurgedDay[] = []
  const failures: Failure[] = []
  let days: DayFile[] = []
  try {
    days = listDays(folder)
  } catch (error) {
    failures.push(describeFailure(error, folder))
  }
  for (const file of days) {
    if (dayOfNumber(calendar, file.number).endMs + retentionMs > nowMs) break
    try {
      purged.push(removeDay(file, options))
    } catch (error) {
      failures.push(describeFailure(error, file.path))
    }
  }
  return { purged, failures }
}

function removeDay(file: DayFile, options: PurgeOptions): PurgedDay {
  options.release(file.date)
  const records = countRecords(file.path)
  const paths = [file.path, ...COMPANIONS.map((companion) => file.path + companion)]
  const bytes = paths.reduce((sum, path) => sum + sizeBytes(path), 0)
  for (const path of paths) rmSync(path, { force: true })
  const time = formatTime(options.calendar.timezone, options.nowMs)
  const line = { time, day: file.date, records, bytes, retentionMs: options.retentionMs }
  appendFileSync(join(options.folder, PURGE_PROTOCOL), `${JSON.stringify(line)}\n`, {
    mode: 0o600,
    flush: true,
  })
  return { day: file.date, records }
}

function sizeBytes(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0
}

/**
 * How many records a file holds; null where it cannot be read, which does not keep it from going.
 */
function countRecords(path: string): number | null {
  try {
    const database = new Database(path, { readonly: true, fileMustExist: true })
    try {
      return lastRecord(database)
    } finally {
      database.close()
    }
  } catch {
    return null
  }
}
