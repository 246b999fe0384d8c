/**
 * Owns: how the files of the traffic log are named and found: `YYYY-MM-DD.sqlite`, one a local day.
 * Never: opens one.
 */
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { dayNumber } from '../policy/index.ts'

/** What SQLite keeps beside a file while it is in use; they belong to it and go where it goes. */
export const COMPANIONS = ['-wal', '-shm'] as const

export interface DayFile {
  /** The local date the day starts on. */
  readonly date: string
  /** Days from 1970-01-01 to `date`. */
  readonly number: number
  readonly path: string
}

const NAME = /^(\d{4}-\d{2}-\d{2})\.sqlite(-wal|-shm)?$/

export function dayPath(folder: string, date: string): string {
  return join(folder, `${date}.sqlite`)
}

/**
 * The days of the log, oldest first; none where the folder is not there yet. A day of which only a
 * companion is left is listed too, so that a purge cut short is finished by the next one.
 */
export function listDays(folder: string): DayFile[] {
  if (!existsSync(folder)) return []
  const days = new Map<string, DayFile>()
  for (const name of readdirSync(folder)) {
    const date = NAME.exec(name)?.[1]
    const number = date === undefined ? null : dayNumber(date)
    if (date === undefined || number === null) continue
    days.set(date, { date, number, path: dayPath(folder, date) })
  }
  return [...days.values()].sort((a, b) => a.number - b.number)
}
