import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { dayPath } from '../../src/traffic/folder.ts'
import { hostsSeen } from '../../src/traffic/hosts-seen.ts'
import { SCHEMA_VERSION } from '../../src/traffic/schema.ts'
import { type SearchQuery, search } from '../../src/traffic/search.ts'
import {
  ask,
  batch,
  NOON_MS,
  record,
  rowsOf,
  SOURCE,
  STOCKHOLM,
  TODAY,
  temporaryFolder,
  writerIn,
} from './records.ts'

const SCHEMA_1 = readFileSync(join(import.meta.dirname, 'schema-1.sql'), 'utf8')
const START_MS = Date.parse(`${TODAY}T00:00:00+01:00`)

let state: string
let remove: () => void
const folder = () => join(state, 'traffic')

/** A day as version 1 left it: one batch, of one record. */
beforeEach(() => {
  const temporary = temporaryFolder()
  state = temporary.path
  remove = temporary.remove
  mkdirSync(folder())
  const database = new Database(dayPath(folder(), TODAY))
  database.pragma('journal_mode = WAL')
  database.exec(SCHEMA_1)
  database.exec(`
    INSERT INTO day VALUES (1, '${TODAY}', 'Europe/Stockholm', 0, ${START_MS}, ${START_MS + 86_400_000});
    INSERT INTO offsets VALUES (-9007199254740991, 9007199254740991, 3600, '+01:00');
    INSERT INTO events (name) VALUES ('whole'), ('opened'), ('closed'), ('gap');
    INSERT INTO sources VALUES (1, '${SOURCE.run}', ${SOURCE.thread});
    INSERT INTO clients VALUES (1, 'office', 'user', 'anna', '10.1.2.3');
    INSERT INTO targets VALUES (1, '', '', 443, 'old.example.se');
    INSERT INTO outcomes VALUES (1, 'allow', 'default', 'default', '');
    INSERT INTO methods VALUES (1, 'CONNECT');
    INSERT INTO endings VALUES (1, 'complete');
    INSERT INTO batches VALUES (1, 1, 1, 1);
    INSERT INTO records VALUES (1, ${NOON_MS - START_MS}, 1, 7, 1, 1, 1, 1, 1, 1, 10, 20, 30, 200, 1, '');
  `)
  database.close()
})
afterEach(() => remove())

function find(query: SearchQuery) {
  const onFailure = ({ what }: { what: string }) => expect.unreachable(what)
  return [...search(folder(), query, { calendar: STOCKHOLM, pseudonyms: null, onFailure })]
}

const versionOf = () => ask(state, TODAY, 'PRAGMA user_version')
const OLD = { flow: 7, host: 'old.example.se', user: 'anna', hello: '', server_name: '' }

describe('a day of schema version 1', () => {
  test('is read as it is', () => {
    expect(find({})).toMatchObject([{ ...OLD, time: '2026-11-21T12:00:00+01:00', bytes_down: 20 }])
    expect(find({ host: 'example.se' })).toMatchObject([OLD])
    expect(find({ serverName: 'example.se' })).toEqual([])
    expect(find({ hello: 'matched' })).toEqual([])
    const seen = hostsSeen(folder(), {
      fromDay: 0,
      onFailure: ({ what }) => expect.unreachable(what),
    })
    expect([...seen]).toEqual([['old.example.se', 1]])
    expect(versionOf()).toEqual([{ user_version: 1 }])
  })

  test('is brought up to date when it is written to again, and has all it had', () => {
    const writer = writerIn(state)
    const late = record({ flow: 8, hello: 'mismatch', serverName: 'other.example.se' })
    expect(writer.write(SOURCE, batch(1, record({ flow: 7 })))).toMatchObject({
      kind: 'acknowledged',
    })
    expect(writer.write(SOURCE, batch(2, late))).toMatchObject({ kind: 'acknowledged' })
    writer.close()
    expect(versionOf()).toEqual([{ user_version: SCHEMA_VERSION }])
    expect(ask(state, TODAY, 'SELECT version FROM day')).toEqual([{ version: SCHEMA_VERSION }])
    // Batch 1 had been received by the older program: it is not written twice.
    expect(rowsOf(state, TODAY)).toMatchObject([
      OLD,
      { flow: 8, hello: 'mismatch', server_name: 'other.example.se' },
    ])
    expect(find({ serverName: 'example.se' })).toMatchObject([{ flow: 8 }])
    expect(find({ host: 'old.example.se' })).toMatchObject([OLD])
  })

  test('has then what a new day has', () => {
    const writer = writerIn(state)
    writer.write(SOURCE, batch(2))
    writer.write(SOURCE, batch(3, record({ timeMs: NOON_MS + 86_400_000 })))
    writer.close()
    const columnsOf = (date: string) =>
      ask(
        state,
        date,
        `SELECT s.name AS thing, c.name, c.type, c."notnull", c.dflt_value
         FROM sqlite_schema s, pragma_table_info(s.name) c WHERE s.type IN ('table', 'view')
         ORDER BY s.name, c.cid`,
      )
    expect(columnsOf(TODAY)).toEqual(columnsOf('2026-11-22'))
    const hellos = 'SELECT * FROM hellos'
    expect(ask(state, TODAY, hellos)).toEqual(ask(state, '2026-11-22', hellos))
  })

  test('of a version to come is left alone', () => {
    const database = new Database(dayPath(folder(), TODAY))
    database.pragma(`user_version = ${SCHEMA_VERSION + 1}`)
    database.close()
    const writer = writerIn(state)
    expect(writer.write(SOURCE, batch(2))).toMatchObject({ kind: 'failed' })
    writer.close()
    expect(versionOf()).toEqual([{ user_version: SCHEMA_VERSION + 1 }])
  })
})
