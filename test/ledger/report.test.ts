/**
 * Owns: how minutes read: times of day on every kind of day, balances, the bar.
 * Never: opens a file or shared memory.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { BITMAP_WORDS } from '../../src/ledger/ledger.ts'
import { dayBar, quotaReport } from '../../src/ledger/report.ts'
import type { DayLedger, Gift } from '../../src/ledger/store.ts'
import { dayNumber, dayOfNumber, formatTime, type LocalDay } from '../../src/policy/index.ts'
import { policyWith } from './policy-fixture.ts'

const policy = policyWith({})
const owner = { zone: 'office', user: 'anna', category: 'social' }

function dayOf(date: string): LocalDay {
  return dayOfNumber(policy.calendar, dayNumber(date)!)
}

function ledgerOf(minutes: readonly number[], given = 0, category = 'social'): DayLedger {
  const bitmap = new Uint32Array(BITMAP_WORDS)
  for (const minute of minutes) bitmap[minute >>> 5]! |= 1 << (minute & 31)
  return { owner: { ...owner, category }, bitmap, given }
}

function rowOf(date: string, ledger: DayLedger, gifts: Gift[] = []) {
  const report = quotaReport({ policy, day: dayOf(date), ledgers: [ledger], gifts })
  return { report, row: report.rows[0]! }
}

describe('the minutes', () => {
  const check = (name: string, date: string, minutes: number[], expected: string) =>
    it(name, () => expect(rowOf(date, ledgerOf(minutes)).row.minutes).toBe(expected))

  const eight = [492, 493, 494, 495, 496, 497, 498, 499, 500]
  check('none', '2026-11-21', [], '')
  check('a run has its first and last', '2026-11-21', [...eight, 605], '08:12–08:20, 10:05')
  check('the ends of a day', '2026-11-21', [0, 1_439], '00:00, 23:59')
  check('neighbours are one run', '2026-11-21', [31, 32, 33], '00:31–00:33')
  check(
    'spring: the hour that is jumped over splits a run',
    '2026-03-29',
    [119, 120, 121, 1_379],
    '01:59 +01:00, 03:00–03:01 +02:00, 23:59 +02:00',
  )
  check(
    'autumn: the hour that comes twice says which',
    '2026-10-25',
    [150, 179, 180, 210, 1_499],
    '02:30 +02:00, 02:59 +02:00, 02:00 +01:00, 02:30 +01:00, 23:59 +01:00',
  )

  it('are those of the clock on the wall, every minute of every kind of day', () => {
    for (const date of ['2026-03-29', '2026-10-25', '2026-11-21']) {
      const day = dayOf(date)
      // Every other one, so that none are neighbours.
      const minutes = Array.from({ length: day.minutes / 2 }, (_, i) => i * 2)
      const plain = minutes.map((minute) => {
        const time = formatTime(policy.calendar.timezone, day.startMs + minute * 60_000)
        return day.minutes === 1_440
          ? time.slice(11, 16)
          : `${time.slice(11, 16)} ${time.slice(19)}`
      })
      expect(rowOf(date, ledgerOf(minutes)).row.minutes).toBe(plain.join(', '))
    }
  })

  it('are the same as runs', () => {
    const minutes = fc.uniqueArray(fc.integer({ min: 0, max: 1_499 }))
    fc.assert(
      fc.property(minutes, (minutes) => {
        const { runs } = rowOf('2026-10-25', ledgerOf(minutes)).row
        const listed = runs.flatMap(({ first, last }) =>
          Array.from({ length: last - first + 1 }, (_, i) => first + i),
        )
        expect(listed).toEqual(minutes.toSorted((a, b) => a - b))
      }),
    )
  })
})

describe('the balance', () => {
  const check = (name: string, ledger: DayLedger, expected: object) =>
    it(name, () => expect(rowOf('2026-11-21', ledger).row).toMatchObject(expected))
  const used = (count: number) => Array.from({ length: count }, (_, i) => i)

  check('used of the limit', ledgerOf(used(12)), { used: 12, limit: 60, given: 0, left: 48 })
  check('with a gift', ledgerOf(used(60), 30), { used: 60, limit: 60, given: 30, left: 30 })
  check('is never below 0', ledgerOf(used(70)), { used: 70, limit: 60, given: 0, left: 0 })
  check('of a category that is gone', ledgerOf(used(3), 0, 'games'), { limit: null, left: null })
  check('of a category that is blocked now', ledgerOf(used(3), 0, 'porn'), { limit: null })
})

describe('a report', () => {
  it('tells the day and the gifts of each owner', () => {
    const timeMs = Date.parse('2026-11-21T09:15:00Z')
    const gift: Gift = { timeMs, day: 20_778, owner, minutes: 30, why: 'val', givenBy: 'root' }
    const other = { ...gift, owner: { ...owner, zone: 'library' } }
    const { report, row } = rowOf('2026-11-21', ledgerOf([], 30), [gift, other])
    expect(report).toMatchObject({
      day: '2026-11-21',
      from: '2026-11-21T00:00:00+01:00',
      until: '2026-11-22T00:00:00+01:00',
      dayMinutes: 1_440,
      omitted: 0,
    })
    const expected = { time: '2026-11-21T10:15:00+01:00', minutes: 30, why: 'val', givenBy: 'root' }
    expect(row.gifts).toEqual([expected])
  })

  it('has an end', () => {
    const ledgers = Array.from({ length: 5_003 }, () => ledgerOf([1]))
    const report = quotaReport({ policy, day: dayOf('2026-11-21'), ledgers, gifts: [] })
    expect([report.rows.length, report.omitted]).toEqual([5_000, 3])
  })
})

describe('the bar', () => {
  const bar = (date: string, minutes: number[]) => {
    const { report, row } = rowOf(date, ledgerOf(minutes))
    return dayBar(report, row)
  }

  it('has a sign for each half hour, the fuller the more was used', () => {
    const half = Array.from({ length: 15 }, (_, i) => 60 + i)
    const whole = Array.from({ length: 30 }, (_, i) => 1_410 + i)
    const signs = `▁·▄${'·'.repeat(44)}█`
    expect(bar('2026-11-21', [0, ...half, ...whole])).toBe(`00:00 ${signs} 00:00`)
  })

  it.each([
    ['2026-03-29', 46],
    ['2026-10-25', 50],
  ])('of %s has %i', (date, signs) => {
    const day = dayOf(date)
    expect(bar(date, [day.minutes - 1])).toBe(`00:00 ${'·'.repeat(signs - 1)}▁ 00:00`)
  })
})
