import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { formatTime } from '../../src/policy/index.ts'
import { openDatabase } from '../../src/traffic/day-file.ts'
import type { Writer } from '../../src/traffic/writer.ts'
import {
  ask,
  batch,
  DAY_MS,
  NOON_MS,
  record,
  rowsOf,
  SOURCE,
  STOCKHOLM,
  TODAY,
  temporaryFolder,
  writerIn,
} from './records.ts'

let state: string
let remove: () => void
const writers: Writer[] = []

beforeEach(() => {
  const folder = temporaryFolder()
  state = folder.path
  remove = folder.remove
})

afterEach(() => {
  for (const writer of writers.splice(0)) writer.close()
  remove()
})

function open(over: Parameters<typeof writerIn>[1] = {}): Writer {
  const writer = writerIn(state, over)
  writers.push(writer)
  return writer
}

describe('days', () => {
  const at = (text: string) => record({ timeMs: Date.parse(text) })
  const times = (date: string) => rowsOf(state, date).map(({ time }) => time)

  const check = (name: string, startsMinute: number, expected: Record<string, string[]>) =>
    test(name, () => {
      const writer = open({ calendar: { timezone: 'Europe/Stockholm', startsMinute } })
      const all = Object.values(expected).flat()
      // In turn from both ends, so that every step is from one day to the other.
      const mixed = all.map((_, i) => all.at(i % 2 === 0 ? i / 2 : -(i + 1) / 2)!)
      expect(writer.write(SOURCE, batch(1, ...mixed.map(at))).kind).toBe('acknowledged')
      for (const [date, expectedTimes] of Object.entries(expected)) {
        expect(times(date).sort(), date).toEqual(expectedTimes)
        expect(ask(state, date, 'SELECT number, records FROM batches')).toEqual([
          { number: 1, records: expectedTimes.length },
        ])
      }
      const files = readdirSync(join(state, 'traffic')).filter((name) => name.endsWith('.sqlite'))
      expect(files.sort()).toEqual(Object.keys(expected).map((date) => `${date}.sqlite`))
    })

  check('the day of 23 hours', 0, {
    '2026-03-28': ['2026-03-28T23:59:59+01:00'],
    '2026-03-29': [
      '2026-03-29T00:00:00+01:00',
      '2026-03-29T01:59:59+01:00',
      '2026-03-29T03:00:00+02:00',
      '2026-03-29T23:59:59+02:00',
    ],
    '2026-03-30': ['2026-03-30T00:00:00+02:00'],
  })

  check('the day of 25 hours: the doubled hour is told apart by its offset', 0, {
    '2026-10-24': ['2026-10-24T23:59:59+02:00'],
    '2026-10-25': [
      '2026-10-25T00:00:00+02:00',
      '2026-10-25T02:30:00+01:00',
      '2026-10-25T02:30:00+02:00',
      '2026-10-25T23:59:59+01:00',
    ],
    '2026-10-26': ['2026-10-26T00:00:00+01:00'],
  })

  check('a day that starts at 04:00', 240, {
    '2026-03-28': ['2026-03-28T04:00:00+01:00', '2026-03-29T03:59:59+02:00'],
    '2026-03-29': ['2026-03-29T04:00:00+02:00', '2026-03-30T03:59:59+02:00'],
  })

  check('a day that starts in the doubled hour', 150, {
    '2026-10-24': ['2026-10-25T02:29:59+02:00'],
    '2026-10-25': ['2026-10-25T02:30:00+01:00', '2026-10-25T02:30:00+02:00'],
  })

  test('every moment has the time that the rest of the program would print', () => {
    const writer = open()
    const starts = ['2026-03-29T00:00:00+01:00', '2026-10-25T00:00:00+02:00'].map(Date.parse)
    const moments = starts.flatMap((ms) => Array.from({ length: 45 }, (_, i) => ms + i * 1_999_999))
    writer.write(SOURCE, batch(1, ...moments.map((timeMs) => record({ timeMs }))))
    const dates = ['2026-03-29', '2026-03-30', '2026-10-25', '2026-10-26']
    const rows = dates.flatMap((date) =>
      existsSync(join(state, 'traffic', `${date}.sqlite`)) ? rowsOf(state, date) : [],
    )
    expect(rows.map(({ epoch_ms }) => epoch_ms)).toEqual(moments)
    for (const { time, epoch_ms } of rows) {
      expect(time).toBe(formatTime('Europe/Stockholm', epoch_ms))
    }
  })

  test('a clock set back, and a tunnel that ends the day after, reach their own day', () => {
    const writer = open()
    writer.write(SOURCE, batch(1, record({ flow: 1, event: 'opened', ending: 'open' })))
    writer.write(SOURCE, batch(2, record({ flow: 2, timeMs: NOON_MS + DAY_MS })))
    writer.write(SOURCE, batch(3, record({ flow: 1, event: 'closed' })))
    expect(rowsOf(state, TODAY).map(({ event }) => event)).toEqual(['opened', 'closed'])
    expect(rowsOf(state, '2026-11-22').map(({ flow }) => flow)).toEqual([2])
  })

  test('new settings cut days anew, and a batch sent again is still written once', () => {
    const writer = open()
    const night = record({ timeMs: Date.parse('2026-11-21T02:00:00+01:00') })
    writer.write(SOURCE, batch(1, night))
    const settings = { identities: 'name', retentionMs: 90 * DAY_MS } as const
    writer.configure({ ...settings, calendar: { ...STOCKHOLM, startsMinute: 240 } })
    writer.write(SOURCE, batch(1, night))
    writer.write(SOURCE, batch(2, night))
    expect(rowsOf(state, TODAY)).toHaveLength(1)
    expect(times('2026-11-20')).toEqual(['2026-11-21T02:00:00+01:00'])
  })

  test('a batch half written is finished by the calendar that it was begun with', () => {
    const full = new Set<string>()
    const openLimited = (path: string) => {
      const database = openDatabase(path)
      if ([...full].some((date) => path.includes(date))) database.pragma('max_page_count = 2')
      return database
    }
    const writer = open({ openDatabase: openLimited })
    const both = batch(1, at('2026-11-21T02:00:00+01:00'), at('2026-11-22T02:00:00+01:00'))
    full.add('2026-11-22')
    expect(writer.write(SOURCE, both).kind).toBe('failed')
    const settings = { identities: 'name', retentionMs: 90 * DAY_MS } as const
    writer.configure({ ...settings, calendar: { ...STOCKHOLM, startsMinute: 240 } })
    full.clear()
    expect(writer.write(SOURCE, both).kind).toBe('acknowledged')
    // By the new calendar, the second would be in the file of the 21st, and that has had its part.
    expect(times(TODAY)).toEqual(['2026-11-21T02:00:00+01:00'])
    expect(times('2026-11-22')).toEqual(['2026-11-22T02:00:00+01:00'])
    writer.write(SOURCE, batch(2, at('2026-11-22T03:00:00+01:00')))
    expect(times(TODAY)).toEqual(['2026-11-21T02:00:00+01:00', '2026-11-22T03:00:00+01:00'])
  })
})
