import { existsSync, mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { formatTime, RECORD_EVENTS, type TrafficRecord } from '../../src/policy/index.ts'
import { openDatabase } from '../../src/traffic/day-file.ts'
import { TRAFFIC_COLUMNS, type TrafficRow } from '../../src/traffic/schema.ts'
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

/** The row that a record must become. */
function expectedRow(from: TrafficRecord): TrafficRow {
  return {
    time: formatTime(STOCKHOLM.timezone, from.timeMs),
    epoch_ms: from.timeMs,
    zone: from.zone,
    user: from.user,
    identity: from.identity,
    address: from.address,
    method: from.method,
    host: from.host,
    port: from.port,
    path: from.path,
    categories: from.categories,
    platforms: from.platforms,
    verdict: from.verdict,
    reason: from.reason,
    rule: from.rule,
    decision: from.decision,
    bytes_up: from.bytesUp,
    bytes_down: from.bytesDown,
    duration_ms: from.durationMs,
    status: from.status,
    event: from.event,
    ending: from.ending,
    flow: from.flow,
    run: SOURCE.run,
    thread: SOURCE.thread,
    count: from.count,
  }
}

describe('what is written', () => {
  test('every field comes back through the view', () => {
    const full = record({
      event: 'closed',
      flow: 77,
      zone: 'skolor',
      user: 'åsa.öberg',
      address: '2001:db8::7',
      method: 'GET',
      host: 'www.facebook.com',
      port: 8080,
      path: '/a/b',
      categories: 'social,news',
      platforms: 'facebook',
      verdict: 'spent',
      reason: 'minutes-spent',
      rule: 'category:social',
      decision: 'KS 2026/123',
      bytesUp: 2 ** 40,
      bytesDown: 2 ** 50,
      durationMs: 3_600_001,
      status: 403,
      ending: 'spent',
      count: 3,
    })
    expect(open().write(SOURCE, batch(1, full))).toEqual({ kind: 'acknowledged', number: 1 })
    expect(rowsOf(state, TODAY)).toEqual([expectedRow(full)])
    expect(Object.keys(rowsOf(state, TODAY)[0]!)).toEqual(TRAFFIC_COLUMNS)
  })

  test('any record comes back, whatever its texts are', () => {
    const text = fc.oneof(fc.string({ unit: 'binary', maxLength: 40 }), fc.constant('x'))
    const size = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER })
    const any = fc.record({
      event: fc.constantFrom(...RECORD_EVENTS),
      flow: size,
      timeMs: fc.integer({ min: NOON_MS, max: NOON_MS + DAY_MS / 3 }),
      ...{ zone: text, user: text, address: text, method: text, host: text, path: text },
      ...{ categories: text, platforms: text, rule: text, decision: text, reason: text },
      ...{ bytesUp: size, bytesDown: size, durationMs: size },
      status: fc.integer({ min: 0, max: 999 }),
    })
    const writer = open()
    let number = 0
    fc.assert(
      fc.property(fc.array(any, { minLength: 1, maxLength: 5 }), (overs) => {
        const records = overs.map((over) => record(over))
        number++
        expect(writer.write(SOURCE, batch(number, ...records)).kind).toBe('acknowledged')
        const rows = rowsOf(state, TODAY).slice(-records.length)
        // A NUL would hide what follows it from the sqlite3 shell.
        const expected = JSON.stringify(records.map(expectedRow)).replaceAll('\\u0000', '\u2400')
        expect(rows).toEqual(JSON.parse(expected))
      }),
      { numRuns: 60 },
    )
  })

  test('a host of 64 KiB, NUL and lone surrogates are kept; what cannot be stored is made visible', () => {
    const long = 'a'.repeat(65_536)
    open().write(
      SOURCE,
      batch(1, record({ host: long }), record({ host: 'a\u0000b', path: '\ud800' })),
    )
    const rows = rowsOf(state, TODAY)
    expect(rows.map(({ host }) => host)).toEqual([long, 'a␀b'])
    expect(rows[1]!.path).toBe('\ufffd')
  })

  test('texts that run together are not taken for each other', () => {
    const one = record({ zone: 'a', user: 'bc' })
    const other = record({ zone: 'ab', user: 'c' })
    open().write(SOURCE, batch(1, one, other))
    expect(rowsOf(state, TODAY).map(({ zone, user }) => [zone, user])).toEqual([
      ['a', 'bc'],
      ['ab', 'c'],
    ])
  })

  test('a field of a wrong type costs neither the record nor the batch, and is counted', () => {
    const writer = open()
    const broken = record({ durationMs: Number.NaN, bytesUp: 1.5, timeMs: Number.NaN })
    Object.assign(broken, { host: undefined })
    expect(writer.write(SOURCE, batch(1, broken, record())).kind).toBe('acknowledged')
    const rows = rowsOf(state, TODAY)
    expect(rows).toHaveLength(2)
    expect(rows[0]).toMatchObject({ host: '', duration_ms: 0, bytes_up: 1, epoch_ms: NOON_MS })
    expect(writer.mended).toBe(4)
  })

  test('folder and file are for the service alone, and numbers refer to what is there', () => {
    open().write(SOURCE, batch(1))
    expect(statSync(join(state, 'traffic')).mode & 0o777).toBe(0o700)
    for (const name of readdirSync(join(state, 'traffic'))) {
      expect(statSync(join(state, 'traffic', name)).mode & 0o777, name).toBe(0o600)
    }
    expect(ask(state, TODAY, 'PRAGMA foreign_key_check')).toEqual([])
  })

  test('a file of today is gone on with after a new start', () => {
    open().write(SOURCE, batch(1, record({ flow: 1 })))
    const again = { run: 'run-2', thread: 0 }
    open().write(again, batch(1, record({ flow: 2 })))
    expect(rowsOf(state, TODAY).map(({ run, flow }) => [run, flow])).toEqual([
      ['run-1', 1],
      ['run-2', 2],
    ])
  })
})

describe('batches', () => {
  const flows = (date = TODAY) => rowsOf(state, date).map(({ flow }) => flow)
  const numbered = (number: number) => batch(number, record({ flow: number }))

  test('one that is sent again is acknowledged again and written once', () => {
    const writer = open()
    writer.write(SOURCE, numbered(1))
    writer.write(SOURCE, numbered(2))
    expect(writer.write(SOURCE, numbered(1))).toEqual({ kind: 'acknowledged', number: 1 })
    expect(writer.write(SOURCE, numbered(2))).toEqual({ kind: 'acknowledged', number: 2 })
    expect(flows()).toEqual([1, 2])
    expect([writer.records, writer.batches]).toEqual([2, 2])
  })

  test('one that comes twice at once is written once', () => {
    const replies = open().writeAll(
      [1, 1, 2, 1].map((number) => ({ source: SOURCE, batch: numbered(number) })),
    )
    expect(replies.map(({ kind }) => kind)).toEqual(Array(4).fill('acknowledged'))
    expect(flows()).toEqual([1, 2])
  })

  test('what another writer committed is not written again', () => {
    open().write(SOURCE, numbered(4))
    // The acknowledgement was lost with the writer: the sender starts over with 4.
    const writer = open()
    const replies = writer.writeAll([4, 5].map((n) => ({ source: SOURCE, batch: numbered(n) })))
    expect(replies.map(({ kind }) => kind)).toEqual(['acknowledged', 'acknowledged'])
    expect(flows()).toEqual([4, 5])
  })

  test('a number that was left out is an error: an acknowledgement speaks for all before it', () => {
    const writer = open()
    writer.write(SOURCE, numbered(1))
    expect(writer.write(SOURCE, numbered(3)).kind).toBe('failed')
    expect(writer.failure?.what).toContain('came before 2')
    expect(flows()).toEqual([1])
    expect(writer.write(SOURCE, numbered(2)).kind).toBe('acknowledged')
    expect(writer.write(SOURCE, numbered(3)).kind).toBe('acknowledged')
    expect(flows()).toEqual([1, 2, 3])
  })

  test('sources do not touch each other, and each keeps its order', () => {
    const writer = open()
    const other = { run: SOURCE.run, thread: 1 }
    const replies = writer.writeAll([
      { source: SOURCE, batch: batch(1, record({ flow: 10 })) },
      { source: other, batch: batch(1, record({ flow: 20 })) },
      { source: SOURCE, batch: batch(2, record({ flow: 11 }), record({ flow: 12 })) },
      { source: other, batch: batch(2, record({ flow: 21 })) },
    ])
    expect(replies.map(({ kind }) => kind)).toEqual(Array(4).fill('acknowledged'))
    const of = (thread: number) =>
      rowsOf(state, TODAY).flatMap((row) => (row.thread === thread ? [row.flow] : []))
    expect(of(0)).toEqual([10, 11, 12])
    expect(of(1)).toEqual([20, 21])
  })

  test('the table of batches says which rows came together', () => {
    const writer = open()
    writer.write(SOURCE, batch(1, record(), record()))
    writer.write(SOURCE, batch(2, record()))
    expect(ask(state, TODAY, 'SELECT number, first, records FROM batches ORDER BY first')).toEqual([
      { number: 1, first: 1, records: 2 },
      { number: 2, first: 3, records: 1 },
    ])
  })

  test('an empty batch is acknowledged', () => {
    const empty = { kind: 'batch', number: 1, records: [] } as const
    expect(open().write(SOURCE, empty)).toEqual({ kind: 'acknowledged', number: 1 })
  })
})

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

  test('a clock that was set back, and a tunnel that ends the day after, reach their own day', () => {
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

describe('when it cannot write', () => {
  const written = () => rowsOf(state, TODAY).map(({ flow }) => flow)
  const numbered = (number: number) => batch(number, record({ flow: number }))

  test('a full disk: the batch and those after it fail, and are written once when there is room', () => {
    let pages = 1_000
    const writer = open({
      openDatabase: (path) => {
        const database = openDatabase(path)
        database.pragma(`max_page_count = ${pages}`)
        return database
      },
    })
    const large = batch(
      2,
      ...Array.from({ length: 500 }, (_, i) => record({ host: `${i}`.repeat(2_000) })),
    )
    expect(writer.write(SOURCE, numbered(1)).kind).toBe('acknowledged')
    const replies = writer.writeAll([
      { source: SOURCE, batch: large },
      { source: SOURCE, batch: numbered(3) },
    ])
    expect(replies).toEqual([
      { kind: 'failed', number: 2, why: `${TODAY}.sqlite: the disk is full (SQLITE_FULL)` },
      expect.objectContaining({ kind: 'failed', number: 3 }),
    ])
    expect(writer.failure?.hint).toContain(join(state, 'traffic'))
    expect(written()).toEqual([1])
    pages = 100_000
    expect(writer.write(SOURCE, large).kind).toBe('acknowledged')
    expect(writer.failure).toBeNull()
    expect(writer.write(SOURCE, numbered(3)).kind).toBe('acknowledged')
    expect(written()).toHaveLength(502)
    expect(ask(state, TODAY, 'PRAGMA integrity_check')).toEqual([{ integrity_check: 'ok' }])
  })

  test('a batch behind one that failed is not acknowledged, though it is on disk', () => {
    let broken = true
    const writer = open({
      openDatabase: (path) => {
        const database = openDatabase(path)
        if (broken && path.includes('2026-11-22')) database.pragma('max_page_count = 2')
        return database
      },
    })
    const tomorrow = batch(1, record({ flow: 1, timeMs: NOON_MS + DAY_MS }))
    const entries = [tomorrow, numbered(2)].map((each) => ({ source: SOURCE, batch: each }))
    expect(writer.writeAll(entries).map(({ kind }) => kind)).toEqual(['failed', 'failed'])
    broken = false
    expect(writer.writeAll(entries).map(({ kind }) => kind)).toEqual([
      'acknowledged',
      'acknowledged',
    ])
    expect(written()).toEqual([2])
    expect(rowsOf(state, '2026-11-22').map(({ flow }) => flow)).toEqual([1])
  })

  const check = (name: string, spoil: () => void, expected: { what: string; repair: () => void }) =>
    test(name, () => {
      spoil()
      const writer = open()
      const reply = writer.write(SOURCE, numbered(1))
      expect(reply).toMatchObject({ kind: 'failed', number: 1 })
      expect(reply.kind === 'failed' && reply.why).toContain(expected.what)
      expect(writer.failure?.hint).toContain(join(state, 'traffic'))
      expected.repair()
      expect(writer.write(SOURCE, numbered(1))).toEqual({ kind: 'acknowledged', number: 1 })
      expect(written()).toEqual([1])
    })

  const traffic = () => join(state, 'traffic')
  const today = () => join(traffic(), `${TODAY}.sqlite`)
  const put = (content: string) => () => {
    mkdirSync(traffic())
    writeFileSync(today(), content)
  }

  check('a file where the folder should be', () => writeFileSync(traffic(), ''), {
    what: 'cannot be opened',
    repair: () => rmSync(traffic()),
  })
  check('a folder where the file should be', () => mkdirSync(today(), { recursive: true }), {
    what: 'cannot be opened',
    repair: () => rmSync(today(), { recursive: true }),
  })
  check('a damaged file', put('not a database, but long enough to be taken for one '.repeat(200)), {
    what: 'damaged (SQLITE_NOTADB)',
    repair: () => rmSync(today()),
  })
  check(
    'a database of somebody else',
    () => {
      put('')()
      const foreign = openDatabase(today())
      foreign.exec('CREATE TABLE theirs (a)')
      foreign.close()
    },
    { what: 'is not a log of this version', repair: () => rmSync(today()) },
  )

  test('a file that another program holds', () => {
    const writer = open({
      openDatabase: (path) => {
        const database = openDatabase(path)
        database.pragma('busy_timeout = 0')
        return database
      },
    })
    writer.write(SOURCE, numbered(1))
    const shell = openDatabase(today())
    shell.exec('BEGIN IMMEDIATE')
    expect(writer.write(SOURCE, numbered(2))).toMatchObject({
      kind: 'failed',
      why: `${TODAY}.sqlite: another program holds the file (SQLITE_BUSY)`,
    })
    shell.exec('ROLLBACK')
    shell.close()
    expect(writer.write(SOURCE, numbered(2)).kind).toBe('acknowledged')
    expect(written()).toEqual([1, 2])
  })

  test('a file that was removed while open: told, and begun anew', () => {
    const writer = open()
    writer.write(SOURCE, numbered(1))
    rmSync(traffic(), { recursive: true })
    expect(writer.write(SOURCE, numbered(2))).toMatchObject({ kind: 'failed' })
    expect(writer.failure?.what).toContain('was removed or replaced')
    expect(writer.write(SOURCE, numbered(2)).kind).toBe('acknowledged')
    expect(written()).toEqual([2])
  })

  test('a source that is gone does not keep a new calendar from being used', () => {
    writeFileSync(traffic(), '')
    const writer = open()
    expect(writer.write(SOURCE, numbered(1)).kind).toBe('failed')
    const settings = { identities: 'name', retentionMs: DAY_MS } as const
    writer.configure({ ...settings, calendar: { ...STOCKHOLM, startsMinute: 13 * 60 } })
    rmSync(traffic())
    writer.forget(SOURCE)
    writer.write({ run: 'run-1', thread: 1 }, numbered(1))
    expect(rowsOf(state, '2026-11-20')).toHaveLength(1)
  })
})
