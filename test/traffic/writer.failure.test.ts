import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
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

describe('when it cannot write', () => {
  const written = () => rowsOf(state, TODAY).map(({ flow }) => flow)
  const numbered = (number: number) => batch(number, record({ flow: number }))

  test('a full disk: a batch and those after it fail, and are written once there is room', () => {
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
