/**
 * Owns: the local day: where it starts and ends, its minutes, and times as people read them.
 * Never: reads a clock; the moment is always an argument.
 *
 * A local day has 1,380, 1,440 or 1,500 minutes where the clocks change by an hour within it. Minutes
 * are counted in elapsed time from the day's start, so no wall-clock minute is skipped or doubled.
 */

/** How a municipality cuts time into days: an IANA zone and the minute (0 to 1,439) a day starts. */
export interface Calendar {
  readonly timezone: string
  readonly startsMinute: number
}

export interface LocalDay {
  /** The date the day starts on, as `2026-03-29`. */
  readonly date: string
  /** Days from 1970-01-01 to `date`: an integer to compare and store. */
  readonly number: number
  readonly startMs: number
  /** Exclusive: the start of the next day. */
  readonly endMs: number
  readonly minutes: number
}

const DAY_MS = 86_400_000
const MINUTE_MS = 60_000
/** The longest day that is counted: 25 hours. (One zone, of a polar station, has 26 once a year.) */
export const MINUTES_MAX = 1_500

const formats = new Map<string, Intl.DateTimeFormat>()

function formatOf(timezone: string): Intl.DateTimeFormat {
  let format = formats.get(timezone)
  if (format === undefined) {
    format = new Intl.DateTimeFormat('en-GB', {
      timeZone: timezone,
      calendar: 'iso8601',
      hourCycle: 'h23',
      year: 'numeric',
      month: '2-digit',
      day: '2-digit',
      hour: '2-digit',
      minute: '2-digit',
      second: '2-digit',
    })
    formats.set(timezone, format)
  }
  return format
}

export function isTimezone(name: string): boolean {
  try {
    formatOf(name)
    return true
  } catch {
    return false
  }
}

/** What the wall clock shows at `ms`, as if it were UTC, in whole seconds of milliseconds. */
function wallClockMs(timezone: string, ms: number): number {
  const field: Record<string, number> = {}
  for (const { type, value } of formatOf(timezone).formatToParts(ms)) field[type] = Number(value)
  const { year, month, day, hour, minute, second } = field
  return Date.UTC(year!, month! - 1, day, hour, minute, second)
}

/** Local time minus UTC at `ms`, in milliseconds. */
export function offsetMs(timezone: string, ms: number): number {
  return wallClockMs(timezone, ms) - Math.floor(ms / 1_000) * 1_000
}

/**
 * The moment when the wall clock first shows `wallMs` (given as if it were UTC). A time that the
 * clocks jump over means the moment of the jump; a time shown twice means the first.
 */
function momentOf(timezone: string, wallMs: number): number {
  const before = offsetMs(timezone, wallMs - DAY_MS)
  const after = offsetMs(timezone, wallMs + DAY_MS)
  const candidates = [wallMs - Math.max(before, after), wallMs - Math.min(before, after)]
  for (const ms of candidates) if (wallClockMs(timezone, ms) === wallMs) return ms
  // Jumped over: between the candidates lies the moment at which the clock passes `wallMs`.
  let [low, high] = candidates as [number, number]
  while (high - low > 1_000) {
    const middle = low + Math.floor((high - low) / 2_000) * 1_000
    if (wallClockMs(timezone, middle) >= wallMs) high = middle
    else low = middle
  }
  return high
}

/** The moment at which the day of `number` starts. */
export function dayStartMs(calendar: Calendar, number: number): number {
  return momentOf(calendar.timezone, number * DAY_MS + calendar.startsMinute * MINUTE_MS)
}

/** The day of `number` (days from 1970-01-01). */
export function dayOfNumber(calendar: Calendar, number: number): LocalDay {
  const startMs = dayStartMs(calendar, number)
  const endMs = dayStartMs(calendar, number + 1)
  const date = new Date(number * DAY_MS).toISOString().slice(0, 10)
  return { date, number, startMs, endMs, minutes: Math.round((endMs - startMs) / MINUTE_MS) }
}

/** The day that `nowMs` (milliseconds since 1970, UTC) lies in. */
export function localDay(calendar: Calendar, nowMs: number): LocalDay {
  const wall = wallClockMs(calendar.timezone, nowMs) - calendar.startsMinute * MINUTE_MS
  const guess = Math.floor(wall / DAY_MS)
  for (const number of [guess, guess - 1, guess + 1]) {
    const day = dayOfNumber(calendar, number)
    if (day.startMs <= nowMs && nowMs < day.endMs) return day
  }
  throw new RangeError(`no local day holds ${nowMs} in ${calendar.timezone}`)
}

/** The number of a date such as `2026-03-29`, or null where there is no such date. */
export function dayNumber(date: string): number | null {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(date) || date < '1900') return null
  const ms = Date.parse(`${date}T00:00:00Z`)
  if (Number.isNaN(ms) || new Date(ms).toISOString().slice(0, 10) !== date) return null
  return ms / DAY_MS
}

/** Which minute of `day` (0 to `day.minutes` - 1) `nowMs` lies in. */
export function minuteOf(day: LocalDay, nowMs: number): number {
  return Math.floor((nowMs - day.startMs) / MINUTE_MS)
}

/** `2026-11-21T20:15:03+01:00`, seconds whole: the form of every time we print. */
export function formatTime(timezone: string, ms: number): string {
  const offset = offsetMs(timezone, ms)
  const minutes = Math.abs(Math.round(offset / MINUTE_MS))
  const two = (n: number) => String(n).padStart(2, '0')
  const wall = new Date(Math.floor(ms / 1_000) * 1_000 + offset).toISOString().slice(0, 19)
  return `${wall}${offset < 0 ? '-' : '+'}${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`
}

/**
 * Reads a time that a person wrote: RFC 3339 with an offset or Z; or local, `2026-11-21`,
 * `2026-11-21 20:15` or `2026-11-21T20:15:03`. A lone date is the start of that calendar date's day.
 * Returns milliseconds since 1970, or null.
 */
export function parseTime(calendar: Calendar, text: string): number | null {
  const match = /^(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2}(?::\d{2})?)(Z|[+-]\d{2}:\d{2})?)?$/i.exec(
    text.trim(),
  )
  if (match === null || dayNumber(match[1]!) === null) return null
  const [, date, time, offset] = match
  if (time === undefined) return dayStartMs(calendar, dayNumber(date!)!)
  const ms = Date.parse(`${date}T${time}${offset?.toUpperCase() ?? 'Z'}`)
  if (Number.isNaN(ms)) return null
  return offset === undefined ? momentOf(calendar.timezone, ms) : ms
}
