import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { listDays } from '../../src/traffic/folder.ts'
import { PURGE_PROTOCOL } from '../../src/traffic/purge.ts'
import {
  batch,
  DAY_MS,
  NOON_MS,
  record,
  SOURCE,
  STOCKHOLM,
  temporaryFolder,
  writerIn,
} from './records.ts'

let state: string
let remove: () => void

beforeEach(() => {
  const folder = temporaryFolder()
  state = folder.path
  remove = folder.remove
})
afterEach(() => remove())

const folder = () => join(state, 'traffic')
const dates = () => listDays(folder()).map(({ date }) => date)
const midnight = (date: string) => Date.parse(`${date}T00:00:00+01:00`)

/** A writer that has written `days` days up to the 21st, two records a day. */
function filled(days: number, retentionDays: number) {
  const writer = writerIn(state, { retentionMs: retentionDays * DAY_MS })
  for (let i = 0; i < days; i++) {
    const timeMs = NOON_MS - (days - 1 - i) * DAY_MS
    writer.write(SOURCE, batch(i + 1, record({ timeMs }), record({ timeMs })))
  }
  return writer
}

test('whole days whose time is over go, with -wal and -shm, and each is told', () => {
  const writer = filled(5, 2)
  // A reader has one of them open, so that its -wal and -shm are there.
  const reader = new Database(join(folder(), '2026-11-17.sqlite'), { readonly: true })
  expect(reader.prepare('SELECT count(*) FROM traffic').pluck().get()).toBe(2)
  expect(readdirSync(folder())).toContain('2026-11-17.sqlite-shm')
  const { purged, failures, endMs } = writer.turn(NOON_MS)
  expect(purged).toEqual([
    { day: '2026-11-17', records: 2 },
    { day: '2026-11-18', records: 2 },
  ])
  expect(failures).toEqual([])
  expect(endMs).toBe(midnight('2026-11-22'))
  expect(dates()).toEqual(['2026-11-19', '2026-11-20', '2026-11-21'])
  expect(readdirSync(folder()).filter((name) => /1[78]/.test(name))).toEqual([])
  reader.close()
  const lines = readFileSync(join(folder(), PURGE_PROTOCOL), 'utf8').trimEnd().split('\n')
  expect(lines.map((line) => JSON.parse(line))).toEqual(
    ['2026-11-17', '2026-11-18'].map((day) => ({
      time: '2026-11-21T12:00:00+01:00',
      day,
      records: 2,
      bytes: expect.any(Number),
      retentionMs: 2 * DAY_MS,
    })),
  )
  writer.close()
})

test('a day goes at the moment its retention ends, not before', () => {
  const writer = filled(1, 2)
  expect(writer.turn(midnight('2026-11-24') - 1).purged).toEqual([])
  expect(dates()).toEqual(['2026-11-21'])
  expect(writer.turn(midnight('2026-11-24')).purged).toEqual([{ day: '2026-11-21', records: 2 }])
  expect(dates()).toEqual([])
  writer.close()
})

test('a file that cannot be read goes too, and what is no day file stays', () => {
  mkdirSync(folder(), { recursive: true })
  const others = ['notes.txt', '2026-13-45.sqlite', 'x2026-01-01.sqlite', '2026-01-01.sqlite.bak']
  for (const name of others) writeFileSync(join(folder(), name), 'ours')
  writeFileSync(join(folder(), '2026-01-01.sqlite'), 'damaged')
  writeFileSync(
    join(folder(), '2026-01-02.sqlite-wal'),
    'left over from a purge that was cut short',
  )
  const writer = writerIn(state, { retentionMs: DAY_MS })
  expect(writer.turn(NOON_MS).purged).toEqual([
    { day: '2026-01-01', records: null },
    { day: '2026-01-02', records: null },
  ])
  expect(readdirSync(folder()).sort()).toEqual([...others, PURGE_PROTOCOL].sort())
})

test('one day that cannot be removed stops no other, and is told with what to do', () => {
  const writer = filled(3, 1)
  writer.close()
  // A folder cannot be removed as a file.
  mkdirSync(join(folder(), '2026-01-01.sqlite'))
  const { purged, failures } = writer.turn(NOON_MS)
  expect(purged.map(({ day }) => day)).toEqual(['2026-11-19'])
  expect(failures).toHaveLength(1)
  expect(failures[0]!.what).toContain('2026-01-01.sqlite')
  expect(existsSync(join(folder(), '2026-01-01.sqlite'))).toBe(true)
})

test('new settings hold at the next turn', () => {
  const writer = filled(5, 90)
  expect(writer.turn(NOON_MS).purged).toEqual([])
  writer.configure({ calendar: STOCKHOLM, identities: 'name', retentionMs: 3 * DAY_MS })
  expect(writer.turn(NOON_MS).purged.map(({ day }) => day)).toEqual(['2026-11-17'])
  writer.close()
})

test('no folder is no reason to complain', () => {
  expect(writerIn(state).turn(NOON_MS)).toMatchObject({ purged: [], failures: [] })
})
