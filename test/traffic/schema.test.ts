import { afterEach, beforeEach, expect, test } from 'vitest'
import { APPLICATION_ID, SCHEMA_VERSION, TRAFFIC_COLUMNS } from '../../src/traffic/schema.ts'
import { ask, batch, SOURCE, TODAY, temporaryFolder, writerIn } from './records.ts'

let state: string
let remove: () => void

beforeEach(() => {
  const folder = temporaryFolder()
  state = folder.path
  remove = folder.remove
  const writer = writerIn(state)
  writer.write(SOURCE, batch(1))
  writer.close()
})
afterEach(() => remove())

const names = () =>
  ask<{ name: string; sql: string; type: string }>(
    state,
    TODAY,
    `SELECT name, sql, type FROM sqlite_schema WHERE sql IS NOT NULL`,
  )

test('a file says whose it is and which version', () => {
  expect(ask(state, TODAY, 'PRAGMA user_version')).toEqual([{ user_version: SCHEMA_VERSION }])
  expect(ask(state, TODAY, 'PRAGMA application_id')).toEqual([{ application_id: APPLICATION_ID }])
  expect(ask(state, TODAY, 'PRAGMA journal_mode')).toEqual([{ journal_mode: 'wal' }])
  expect(ask(state, TODAY, 'SELECT * FROM day')).toEqual([
    {
      version: SCHEMA_VERSION,
      date: TODAY,
      timezone: 'Europe/Stockholm',
      starts_minute: 0,
      start_ms: Date.parse('2026-11-21T00:00:00+01:00'),
      end_ms: Date.parse('2026-11-22T00:00:00+01:00'),
    },
  ])
})

test('every table is strict, and explains itself in the file', () => {
  for (const { name, sql, type } of names()) {
    expect(sql, name).toContain('-- ')
    if (type === 'table') expect(sql, name).toMatch(/\) STRICT(, WITHOUT ROWID)?$/)
  }
  expect(names().map(({ name }) => name)).toEqual([
    ...['day', 'offsets', 'sources', 'clients', 'targets', 'outcomes', 'methods', 'events'],
    ...['endings', 'hellos', 'batches', 'records', 'traffic'],
  ])
})

test('every column of the view has a comment there, or a name that needs none', () => {
  const view = names().find(({ type }) => type === 'view')!.sql
  for (const column of TRAFFIC_COLUMNS) {
    if (column === 'port') continue
    expect(view, column).toMatch(new RegExp(` AS ${column},? -- \\S`))
  }
})

test('questions through the view scan the records once and look the rest up', () => {
  const plan = ask<{ detail: string }>(
    state,
    TODAY,
    `EXPLAIN QUERY PLAN SELECT * FROM traffic WHERE user = 'anna'`,
  ).map(({ detail }) => detail)
  expect(plan.filter((line) => !line.startsWith('SEARCH'))).toEqual(['SCAN d', 'SCAN r', 'SCAN o'])
  for (const alias of ['c', 't', 'v', 'm', 'e', 'n', 's', 'h']) {
    expect(plan, alias).toContain(`SEARCH ${alias} USING INTEGER PRIMARY KEY (rowid=?)`)
  }
})
