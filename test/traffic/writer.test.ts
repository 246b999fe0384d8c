import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import {
  formatTime,
  HELLO_OUTCOMES,
  RECORD_EVENTS,
  type TrafficRecord,
} from '../../src/policy/index.ts'
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
    hello: from.hello,
    server_name: from.serverName,
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
      hello: 'mismatch',
      serverName: 'www.instagram.com',
      count: 3,
    })
    expect(open().write(SOURCE, batch(1, full))).toEqual({ kind: 'acknowledged', number: 1 })
    expect(rowsOf(state, TODAY)).toEqual([expectedRow(full)])
    expect(Object.keys(rowsOf(state, TODAY)[0]!)).toEqual(TRAFFIC_COLUMNS)
  })

  test('a server name that is the host takes no room, and is shown', () => {
    const [one, two] = [record({ flow: 1 }), record({ flow: 2, host: 'b.se' })]
    const matched = [one, two].map((each): TrafficRecord => {
      return { ...each, hello: 'matched', serverName: each.host }
    })
    const other = record({ flow: 3, host: '192.0.2.1', hello: 'matched', serverName: 'b.se' })
    open().write(SOURCE, batch(1, ...matched, other, record({ flow: 4 })))
    expect(ask(state, TODAY, 'SELECT flow, hello, server_name FROM traffic')).toEqual([
      { flow: 1, hello: 'matched', server_name: one.host },
      { flow: 2, hello: 'matched', server_name: 'b.se' },
      { flow: 3, hello: 'matched', server_name: 'b.se' },
      { flow: 4, hello: '', server_name: '' },
    ])
    expect(ask(state, TODAY, 'SELECT hello FROM records')).toEqual([
      ...[{ hello: 1 }, { hello: 1 }, { hello: 2 }, { hello: 0 }],
    ])
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
      hello: fc.constantFrom(...HELLO_OUTCOMES.filter((outcome) => outcome !== 'matched')),
      serverName: text,
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

  test('a host of 64 KiB is kept; NUL and lone surrogates are made visible', () => {
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

  test('a number left out is an error: an acknowledgement speaks for all before it', () => {
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
