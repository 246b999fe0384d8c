/**
 * Owns: the local day on the days when the clocks change, and times as people read and write them; Intl's own
 * texts are the independent reference.
 * Never: reads a clock.
 */
import fc from 'fast-check'
import { afterEach, describe, expect, it, vi } from 'vitest'
import {
  type Calendar,
  dayNumber,
  dayOfNumber,
  dayStartMs,
  formatTime,
  isTimezone,
  localDay,
  MINUTES_MAX,
  minuteOf,
  offsetMs,
  parseTime,
} from '../../src/policy/day.ts'

const MINUTE_MS = 60_000
const DAY_MS = 86_400_000
const SWEDEN = 'Europe/Stockholm'

/** `02:30` as minutes. */
const minutes = (text: string) => {
  const [hour, minute] = text.split(':')
  return Number(hour) * 60 + Number(minute)
}

interface Facts {
  /** RFC 3339 with an offset. */
  readonly at: string
  readonly starts?: string
  readonly timezone?: string
}

/** `expected` is the date, the start, the length and the minute that `at` is in. */
function check(name: string, facts: Facts, expected: string) {
  const { at, starts = '00:00', timezone = SWEDEN } = facts
  it(`${name}: ${at} in ${timezone}, starts ${starts}`, () => {
    const nowMs = Date.parse(at)
    const day = localDay({ timezone, startsMinute: minutes(starts) }, nowMs)
    const start = formatTime(timezone, day.startMs)
    const said = `${day.date} from ${start}, ${day.minutes} minutes, minute ${minuteOf(day, nowMs)}`
    expect(said).toBe(expected)
    expect(dayNumber(day.date)).toBe(day.number)
  })
}

describe('the day of 23 hours', () => {
  const DAY = '2026-03-29 from 2026-03-29T00:00:00+01:00, 1380 minutes'
  const BEFORE = '2026-03-28 from 2026-03-28T00:00:00+01:00, 1440 minutes'
  const AFTER = '2026-03-30 from 2026-03-30T00:00:00+02:00, 1440 minutes'
  check('the last second before', { at: '2026-03-28T23:59:59+01:00' }, `${BEFORE}, minute 1439`)
  check('the first', { at: '2026-03-29T00:00:00+01:00' }, `${DAY}, minute 0`)
  check('before the jump', { at: '2026-03-29T01:59:59+01:00' }, `${DAY}, minute 119`)
  check('after the jump', { at: '2026-03-29T03:00:00+02:00' }, `${DAY}, minute 120`)
  check('the last', { at: '2026-03-29T23:59:59+02:00' }, `${DAY}, minute 1379`)
  check('the next day', { at: '2026-03-30T00:00:00+02:00' }, `${AFTER}, minute 0`)
})

describe('the day of 25 hours', () => {
  const DAY = '2026-10-25 from 2026-10-25T00:00:00+02:00, 1500 minutes'
  const AFTER = '2026-10-26 from 2026-10-26T00:00:00+01:00, 1440 minutes'
  check('the first', { at: '2026-10-25T00:00:00+02:00' }, `${DAY}, minute 0`)
  check('02:30 for the first time', { at: '2026-10-25T02:30:00+02:00' }, `${DAY}, minute 150`)
  check('02:30 for the second time', { at: '2026-10-25T02:30:00+01:00' }, `${DAY}, minute 210`)
  check('the last', { at: '2026-10-25T23:59:59+01:00' }, `${DAY}, minute 1499`)
  check('the next day', { at: '2026-10-26T00:00:00+01:00' }, `${AFTER}, minute 0`)
})

describe('a day that starts at 04:00, after the clocks change', () => {
  const starts = '04:00'
  const SHORT = '2026-03-28 from 2026-03-28T04:00:00+01:00, 1380 minutes'
  const LONG = '2026-10-24 from 2026-10-24T04:00:00+02:00, 1500 minutes'
  const AFTER = '2026-03-29 from 2026-03-29T04:00:00+02:00, 1440 minutes'
  check('the short day', { at: '2026-03-29T03:59:59+02:00', starts }, `${SHORT}, minute 1379`)
  check('after it', { at: '2026-03-29T04:00:00+02:00', starts }, `${AFTER}, minute 0`)
  check('the long day', { at: '2026-10-25T03:59:59+01:00', starts }, `${LONG}, minute 1499`)
})

describe('a day that starts at 02:30, which is skipped or shown twice', () => {
  const starts = '02:30'
  // The skipped hour is shared: the day before ends at the jump, half an hour early by the clock.
  const BEFORE = '2026-03-28 from 2026-03-28T02:30:00+01:00, 1410 minutes'
  const DAY = '2026-03-29 from 2026-03-29T03:00:00+02:00, 1410 minutes'
  check('before the jump', { at: '2026-03-29T01:59:59+01:00', starts }, `${BEFORE}, minute 1409`)
  check('after the jump', { at: '2026-03-29T03:00:00+02:00', starts }, `${DAY}, minute 0`)
  check('the last', { at: '2026-03-30T02:29:59+02:00', starts }, `${DAY}, minute 1409`)
  // The first 02:30 starts the day; what the clock shows before the second one belongs to it.
  const EVE = '2026-10-24 from 2026-10-24T02:30:00+02:00, 1440 minutes'
  const LONG = '2026-10-25 from 2026-10-25T02:30:00+02:00, 1500 minutes'
  check('before the first', { at: '2026-10-25T02:29:59+02:00', starts }, `${EVE}, minute 1439`)
  check('the first 02:30', { at: '2026-10-25T02:30:00+02:00', starts }, `${LONG}, minute 0`)
  check('the second 02:15', { at: '2026-10-25T02:15:00+01:00', starts }, `${LONG}, minute 45`)
  check('the second 02:30', { at: '2026-10-25T02:30:00+01:00', starts }, `${LONG}, minute 60`)
  check('the last of it', { at: '2026-10-26T02:29:59+01:00', starts }, `${LONG}, minute 1499`)
})

describe('other zones', () => {
  const newfoundland = { at: '2026-03-08T12:00:00-02:30', timezone: 'America/St_Johns' }
  const NEWFOUNDLAND = '2026-03-08 from 2026-03-08T00:00:00-03:30, 1380 minutes, minute 660'
  check('half hours', newfoundland, NEWFOUNDLAND)
  const shortHalf = { at: '2026-10-04T12:00:00+11:00', timezone: 'Australia/Lord_Howe' }
  const SHORT_HALF = '2026-10-04 from 2026-10-04T00:00:00+10:30, 1410 minutes, minute 690'
  check('half an hour off', shortHalf, SHORT_HALF)
  const longHalf = { at: '2026-04-05T12:00:00+10:30', timezone: 'Australia/Lord_Howe' }
  const LONG_HALF = '2026-04-05 from 2026-04-05T00:00:00+11:00, 1470 minutes, minute 750'
  check('half an hour more', longHalf, LONG_HALF)
  const nepal = { at: '2026-06-01T00:00:00+05:45', timezone: 'Asia/Kathmandu' }
  check('quarters', nepal, '2026-06-01 from 2026-06-01T00:00:00+05:45, 1440 minutes, minute 0')
  const chile = { at: '2026-09-06T01:00:00-03:00', timezone: 'America/Santiago' }
  const CHILE = '2026-09-06 from 2026-09-06T01:00:00-03:00, 1380 minutes, minute 0'
  check('midnight is skipped', chile, CHILE)
  const chile2 = { at: '2026-04-04T23:30:00-04:00', timezone: 'America/Santiago' }
  const CHILE2 = '2026-04-04 from 2026-04-04T00:00:00-03:00, 1500 minutes, minute 1470'
  check('23:00 is shown twice', chile2, CHILE2)
  const cuba = { at: '2026-11-01T00:30:00-05:00', timezone: 'America/Havana' }
  const CUBA = '2026-11-01 from 2026-11-01T00:00:00-04:00, 1500 minutes, minute 90'
  check('midnight is shown twice', cuba, CUBA)
})

describe('Samoa, which skipped 2011-12-30', () => {
  const timezone = 'Pacific/Apia'
  const EVE = '2011-12-29 from 2011-12-29T00:00:00-10:00, 1440 minutes'
  const NEXT = '2011-12-31 from 2011-12-31T00:00:00+14:00, 1440 minutes'
  check('the day before', { at: '2011-12-30T09:59:59Z', timezone }, `${EVE}, minute 1439`)
  check('the day after', { at: '2011-12-30T10:00:00Z', timezone }, `${NEXT}, minute 0`)

  it('gives the skipped date no minutes, so no moment lies in it', () => {
    const calendar: Calendar = { timezone, startsMinute: 0 }
    const skipped = dayOfNumber(calendar, dayNumber('2011-12-30')!)
    expect(skipped).toMatchObject({ date: '2011-12-30', minutes: 0 })
    expect(skipped.startMs).toBe(skipped.endMs)
    expect(skipped.endMs).toBe(Date.parse('2011-12-30T10:00:00Z'))
  })

  const starts = '04:00'
  const REST = '2011-12-30 from 2011-12-31T00:00:00+14:00, 240 minutes'
  check('till 04:00', { at: '2011-12-30T13:59:59Z', timezone, starts }, `${REST}, minute 239`)
})

const ZONES = [
  ...[SWEDEN, 'UTC', 'America/New_York', 'America/St_Johns', 'America/Santiago', 'America/Havana'],
  ...['Australia/Lord_Howe', 'Asia/Kathmandu', 'Asia/Beirut', 'Asia/Gaza', 'Africa/Cairo'],
  ...['Africa/Casablanca', 'Pacific/Apia', 'Pacific/Chatham'],
]
const calendars: fc.Arbitrary<Calendar> = fc.record({
  timezone: fc.constantFrom(...ZONES),
  startsMinute: fc.oneof(fc.nat(1_439), fc.constantFrom(0, 1, 30, 60, 120, 150, 240, 1_439)),
})
/** From 2000 to 2100, often near a change of the clocks in one of the zones. */
const moments = fc.oneof(
  fc.integer({ min: Date.UTC(2000, 0, 1), max: Date.UTC(2100, 0, 1) }),
  fc
    .tuple(
      fc.constantFrom(
        ...['2026-03-29T01:00Z', '2026-10-25T01:00Z', '2011-12-30T10:00Z', '2026-04-04T15:00Z'],
        ...['2026-10-03T15:30Z', '2009-11-01T02:31Z', '2026-09-06T04:00Z', '2026-11-01T05:00Z'],
      ),
      fc.integer({ min: -2 * DAY_MS, max: 2 * DAY_MS }),
    )
    .map(([text, offset]) => Date.parse(text) + offset),
)

const swedish = new Map(
  ZONES.map((timeZone) => {
    const format = { dateStyle: 'short', timeStyle: 'medium', timeZone } as const
    return [timeZone, new Intl.DateTimeFormat('sv-SE', format)] as const
  }),
)
/** What the wall clock shows, by Intl's Swedish text: `2026-03-29 03:00:00`. */
const swedishText = (timezone: string, ms: number) => swedish.get(timezone)!.format(ms)

describe('any day', () => {
  it('holds its moment, in one of its minutes', () => {
    const property = fc.property(calendars, moments, (calendar, nowMs) => {
      const day = localDay(calendar, nowMs)
      expect(day.startMs <= nowMs && nowMs < day.endMs).toBe(true)
      expect(day.minutes * MINUTE_MS).toBe(day.endMs - day.startMs)
      expect(day.minutes).toBeLessThanOrEqual(MINUTES_MAX)
      const minute = minuteOf(day, nowMs)
      expect(Number.isInteger(minute) && minute >= 0 && minute < day.minutes).toBe(true)
      expect(dayOfNumber(calendar, day.number)).toEqual(day)
    })
    fc.assert(property, { numRuns: 2_000 })
  })

  it('begins where the one before it ends', () => {
    const property = fc.property(calendars, moments, (calendar, nowMs) => {
      const day = localDay(calendar, nowMs)
      const before = localDay(calendar, day.startMs - 1)
      const after = localDay(calendar, day.endMs)
      expect(before.endMs).toBe(day.startMs)
      expect(after.startMs).toBe(day.endMs)
      expect(dayStartMs(calendar, day.number + 1)).toBe(day.endMs)
      expect(before.number < day.number && day.number < after.number).toBe(true)
    })
    fc.assert(property, { numRuns: 2_000 })
  })

  it('begins when the clock first shows the start, or jumps over it', () => {
    const property = fc.property(calendars, moments, (calendar, nowMs) => {
      const { timezone, startsMinute } = calendar
      const { date, startMs } = localDay(calendar, nowMs)
      const two = (n: number) => String(n).padStart(2, '0')
      const wanted = `${date} ${two(Math.floor(startsMinute / 60))}:${two(startsMinute % 60)}:00`
      const shown = swedishText(timezone, startMs)
      if (shown !== wanted) {
        expect(shown > wanted).toBe(true)
        expect(swedishText(timezone, startMs - 1) < wanted).toBe(true)
      }
      for (const earlierMinutes of [30, 60, 120]) {
        const earlier = swedishText(timezone, startMs - earlierMinutes * MINUTE_MS)
        expect(earlier).not.toBe(wanted)
      }
    })
    fc.assert(property, { numRuns: 2_000 })
  })

  afterEach(() => vi.restoreAllMocks())
  it('asks the calendar only a few times', () => {
    const asked = vi.spyOn(Intl.DateTimeFormat.prototype, 'formatToParts')
    localDay({ timezone: SWEDEN, startsMinute: 0 }, Date.parse('2026-06-01T12:00Z'))
    expect(asked.mock.calls.length).toBeLessThanOrEqual(10)
    asked.mockClear()
    localDay({ timezone: SWEDEN, startsMinute: 150 }, Date.parse('2026-03-29T01:00Z'))
    expect(asked.mock.calls.length).toBeLessThanOrEqual(40)
  })
})

/** Local time minus UTC, by Intl's own text: `GMT+05:45`. */
function offsetByIntl(timezone: string, ms: number): number {
  const format = new Intl.DateTimeFormat('en', { timeZone: timezone, timeZoneName: 'longOffset' })
  const text = format.formatToParts(ms).find(({ type }) => type === 'timeZoneName')?.value ?? ''
  const [, sign, hours, part] = /^GMT(?:([+-])(\d\d):(\d\d))?$/.exec(text)!
  const size = (Number(hours ?? 0) * 60 + Number(part ?? 0)) * MINUTE_MS
  return sign === '-' ? -size : size
}

describe('times as text', () => {
  it('gives the offset that Intl gives', () => {
    const property = fc.property(fc.constantFrom(...ZONES), moments, (timezone, ms) => {
      expect(offsetMs(timezone, ms) + 0).toBe(offsetByIntl(timezone, ms) + 0)
    })
    fc.assert(property, { numRuns: 2_000 })
  })

  it('shows what the clock on the wall shows', () => {
    const property = fc.property(fc.constantFrom(...ZONES), moments, (timezone, ms) => {
      expect(formatTime(timezone, ms).slice(0, 19)).toBe(
        swedishText(timezone, ms).replace(' ', 'T'),
      )
    })
    fc.assert(property, { numRuns: 2_000 })
  })

  it('reads what it wrote, to the second', () => {
    const property = fc.property(calendars, moments, (calendar, ms) => {
      const text = formatTime(calendar.timezone, ms)
      expect(parseTime(calendar, text)).toBe(Math.floor(ms / 1_000) * 1_000)
      // Without its offset a time shown twice is the first of the two.
      const local = parseTime(calendar, text.slice(0, 19))!
      expect(formatTime(calendar.timezone, local).slice(0, 19)).toBe(text.slice(0, 19))
      expect(local).toBeLessThanOrEqual(ms)
    })
    fc.assert(property, { numRuns: 2_000 })
  })

  it('reads any text without throwing', () => {
    const digits = fc.constantFrom(...'0123456789-+:TtZz. '.split(''))
    const text = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.string({ unit: digits, maxLength: 30 }),
      fc.stringMatching(/^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?(Z|[+-]\d\d:\d\d)?$/),
    )
    const property = fc.property(calendars, text, (calendar, text) => {
      const ms = parseTime(calendar, text)
      expect(ms === null || Number.isInteger(ms)).toBe(true)
    })
    fc.assert(property, { numRuns: 5_000 })
  })
})

/** `expected` is the moment in UTC, or null where the text is no time. */
function checkTime(name: string, text: string, expected: string | null) {
  it(`${name}: ${JSON.stringify(text)}`, () => {
    const ms = parseTime({ timezone: SWEDEN, startsMinute: 240 }, text)
    expect(ms === null ? null : new Date(ms).toISOString().replace('.000', '')).toBe(expected)
  })
}

describe('parseTime, where the day starts at 04:00', () => {
  checkTime('Z', '2026-11-21T20:15:03Z', '2026-11-21T20:15:03Z')
  checkTime('an offset', '2026-11-21T20:15:03+01:00', '2026-11-21T19:15:03Z')
  checkTime('another offset', '2026-11-21T20:15:03-03:30', '2026-11-21T23:45:03Z')
  checkTime('small letters', '2026-11-21t20:15:03z', '2026-11-21T20:15:03Z')
  checkTime('local', '2026-11-21 20:15', '2026-11-21T19:15:00Z')
  checkTime('local, seconds', '2026-11-21T20:15:03', '2026-11-21T19:15:03Z')
  checkTime('local, summer', '2026-07-01 12:00', '2026-07-01T10:00:00Z')
  checkTime('blanks around', ' 2026-11-21 20:15 ', '2026-11-21T19:15:00Z')
  checkTime('a date is the start of its day', '2026-11-21', '2026-11-21T03:00:00Z')
  checkTime('a date, clocks forward', '2026-03-29', '2026-03-29T02:00:00Z')
  checkTime('jumped over', '2026-03-29 02:30', '2026-03-29T01:00:00Z')
  checkTime('shown twice', '2026-10-25 02:30', '2026-10-25T00:30:00Z')
  checkTime('shown twice, the second', '2026-10-25T02:30:00+01:00', '2026-10-25T01:30:00Z')
  checkTime('a leap day', '2028-02-29 12:00', '2028-02-29T11:00:00Z')
  checkTime('no leap day', '2026-02-29 12:00', null)
  checkTime('no such date', '2026-04-31', null)
  checkTime('no such month', '2026-13-01', null)
  checkTime('no such hour', '2026-11-21 25:00', null)
  checkTime('no such second', '2026-11-21 20:15:60', null)
  checkTime('no such offset', '2026-11-21T20:15:03+24:00', null)
  checkTime('a blank before the offset', '2026-11-21 20:15 +01:00', null)
  checkTime('an hour alone', '20:15', null)
  checkTime('day first', '21/11/2026', null)
  checkTime('words', 'yesterday', null)
  checkTime('nothing', '', null)
})

/** `expected` is how the moment is printed in the zone. */
function checkText(name: string, timezone: string, at: string, expected: string) {
  it(`${name}: ${at} in ${timezone}`, () => {
    expect(formatTime(timezone, Date.parse(at))).toBe(expected)
  })
}

describe('formatTime', () => {
  const at = '2026-11-21T19:15:03.999Z'
  checkText('winter', SWEDEN, at, '2026-11-21T20:15:03+01:00')
  checkText('summer', SWEDEN, '2026-07-01T22:30:00Z', '2026-07-02T00:30:00+02:00')
  checkText('no offset', 'UTC', at, '2026-11-21T19:15:03+00:00')
  checkText('west', 'America/St_Johns', at, '2026-11-21T15:45:03-03:30')
  checkText('quarters', 'Asia/Kathmandu', at, '2026-11-22T01:00:03+05:45')
  checkText('before 1970', 'UTC', '1969-12-31T23:59:59.5Z', '1969-12-31T23:59:59+00:00')
})

/** `expected` is whether it names a zone of the tz database. */
function checkZone(name: string, expected: boolean) {
  it(`isTimezone ${JSON.stringify(name)}`, () => expect(isTimezone(name)).toBe(expected))
}

checkZone(SWEDEN, true)
checkZone('UTC', true)
checkZone('Europe/Stokholm', false)
checkZone('', false)
