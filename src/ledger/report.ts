/**
 * Owns: the account of a day's minutes as people read it: rows, times of day, the bar.
 * Never: reads a clock, shared memory or the disk; what it reports is handed to it.
 */
import {
  formatTime,
  type LedgerOwner,
  type LocalDay,
  ledgerKey,
  offsetMs,
  type Policy,
  type QuotaCategory,
} from '../policy/index.ts'
import { minutesIn } from './ledger.ts'
import type { DayLedger, Gift } from './store.ts'

/** Minutes in a row, counted from the start of the day; both ends included. */
export interface MinuteRun {
  readonly first: number
  readonly last: number
}

/** Minutes given to an owner on the day. */
export interface GiftRow {
  /** Local time with offset. */
  readonly time: string
  readonly minutes: number
  readonly why: string
  readonly givenBy: string
}

export interface QuotaRow {
  /** The date that the day starts on. */
  readonly day: string
  readonly user: string
  readonly zone: string
  readonly category: string
  readonly used: number
  /** The category's own minutes; null where there is no such quota category now. */
  readonly limit: number | null
  readonly given: number
  /** What is left of limit and given, never below 0; null where there is no limit. */
  readonly left: number | null
  /** The minutes used, by the clock on the wall, each with its first and last: `08:12–08:20, 10:05`. */
  readonly minutes: string
  readonly runs: readonly MinuteRun[]
  readonly gifts: readonly GiftRow[]
}

export interface QuotaReport {
  /** The date that the day starts on. */
  readonly day: string
  /** When it starts, and when the next one does: local time with offset. */
  readonly from: string
  readonly until: string
  /** How many minutes the day has: 1,380, 1,440 or 1,500. */
  readonly dayMinutes: number
  readonly rows: readonly QuotaRow[]
  /** Rows that there are beyond ROWS_MAX. */
  readonly omitted: number
}

/** Rows of one answer: enough for any question a person has, and a few MB at most. */
export const ROWS_MAX = 5_000

export interface ReportParts {
  readonly policy: Policy
  readonly day: LocalDay
  /** In the order of the rows. */
  readonly ledgers: readonly DayLedger[]
  /** All of the day. */
  readonly gifts: readonly Gift[]
}

export function quotaReport(parts: ReportParts): QuotaReport {
  const { policy, day, ledgers } = parts
  const { timezone } = policy.calendar
  const wall = wallOf(timezone, day)
  const gifts = Map.groupBy(parts.gifts, ({ owner }) => ledgerKey(owner))
  return {
    day: day.date,
    from: formatTime(timezone, day.startMs),
    until: formatTime(timezone, day.endMs),
    dayMinutes: day.minutes,
    rows: ledgers.slice(0, ROWS_MAX).map((ledger) => ({
      day: day.date,
      ...balanceOf(policy, ledger),
      ...timesOf(wall, ledger),
      gifts: (gifts.get(ledgerKey(ledger.owner)) ?? []).map((gift) => giftRow(timezone, gift)),
    })),
    omitted: Math.max(0, ledgers.length - ROWS_MAX),
  }
}

function balanceOf(policy: Policy, { owner, bitmap, given }: DayLedger) {
  const used = minutesIn(bitmap).length
  const limit = quotaCategory(policy, owner)?.minutes ?? null
  const left = limit === null ? null : Math.max(0, limit + given - used)
  const { user, zone, category } = owner
  return { user, zone, category, used, limit, given, left }
}

function timesOf(wall: Wall, { bitmap }: DayLedger) {
  const runs = runsOf(minutesIn(bitmap), wall.changeMinute)
  return { minutes: textOf(runs, wall), runs }
}

function giftRow(timezone: string, { timeMs, minutes, why, givenBy }: Gift): GiftRow {
  return { time: formatTime(timezone, timeMs), minutes, why, givenBy }
}

function quotaCategory(policy: Policy, owner: LedgerOwner): QuotaCategory | null {
  for (const category of policy.categories) {
    if (category.action === 'quota' && category.name === owner.category) return category
  }
  return null
}

/** The clock on the wall through one day. */
interface Wall {
  readonly startMs: number
  readonly beforeMs: number
  /** The first minute after the clocks change; beyond the day where they do not. */
  readonly changeMinute: number
  readonly afterMs: number
}

const MINUTE_MS = 60_000

function wallOf(timezone: string, { startMs, endMs, minutes }: LocalDay): Wall {
  const beforeMs = offsetMs(timezone, startMs)
  const afterMs = offsetMs(timezone, endMs - 1)
  let [low, high] = [0, minutes]
  while (low < high) {
    const middle = (low + high) >> 1
    if (offsetMs(timezone, startMs + middle * MINUTE_MS) === beforeMs) low = middle + 1
    else high = middle
  }
  return { startMs, beforeMs, changeMinute: low, afterMs }
}

/** Runs of minutes that follow each other; none spans a change of the clocks. */
function runsOf(minutes: readonly number[], changeMinute: number): MinuteRun[] {
  const runs: { first: number; last: number }[] = []
  for (const minute of minutes) {
    const run = runs.at(-1)
    if (run?.last === minute - 1 && minute !== changeMinute) run.last = minute
    else runs.push({ first: minute, last: minute })
  }
  return runs
}

/** On a day when the clocks change, each time says its offset: one hour of it may come twice. */
function textOf(runs: readonly MinuteRun[], wall: Wall): string {
  const { startMs, beforeMs, changeMinute, afterMs } = wall
  const time = (minute: number): string => {
    const shiftMs = minute < changeMinute ? beforeMs : afterMs
    return new Date(startMs + minute * MINUTE_MS + shiftMs).toISOString().slice(11, 16)
  }
  const texts = runs.map(({ first, last }) => {
    const text = first === last ? time(first) : `${time(first)}–${time(last)}`
    if (beforeMs === afterMs) return text
    return `${text} ${offsetText(first < changeMinute ? beforeMs : afterMs)}`
  })
  return texts.join(', ')
}

function offsetText(shiftMs: number): string {
  const time = new Date(Math.abs(shiftMs)).toISOString().slice(11, 16)
  return `${shiftMs < 0 ? '-' : '+'}${time}`
}

const CELL_MINUTES = 30
const LEVELS = '·▁▂▃▄▅▆▇█'

/** A day in one line, a sign for each half hour: the fuller, the more of its minutes were used. */
export function dayBar(report: QuotaReport, { runs }: QuotaRow): string {
  const cells = Array<number>(Math.ceil(report.dayMinutes / CELL_MINUTES)).fill(0)
  for (const { first, last } of runs) {
    for (let minute = first; minute <= last; minute++) {
      const cell = Math.floor(minute / CELL_MINUTES)
      if (cell < cells.length) cells[cell]!++
    }
  }
  const signs = cells.map((used) => LEVELS[Math.ceil((used / CELL_MINUTES) * (LEVELS.length - 1))])
  return `${report.from.slice(11, 16)} ${signs.join('')} ${report.until.slice(11, 16)}`
}
