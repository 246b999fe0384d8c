import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { dayNumber } from '../../src/policy/index.ts'
import type { Failure } from '../../src/traffic/failure.ts'
import { dayPath } from '../../src/traffic/folder.ts'
import { hostsSeen } from '../../src/traffic/hosts-seen.ts'
import {
  batch,
  DAY_MS,
  NOON_MS,
  record,
  SOURCE,
  TODAY,
  temporaryFolder,
  writerIn,
} from './records.ts'

let state: string
let remove: () => void
let failures: Failure[]

beforeEach(() => {
  ;({ path: state, remove } = temporaryFolder())
  failures = []
  const writer = writerIn(state)
  writer.write(
    SOURCE,
    batch(
      1,
      record({ flow: 1, host: 'yesterday.se', timeMs: NOON_MS - DAY_MS }),
      record({ flow: 2, host: 'both.se', timeMs: NOON_MS - DAY_MS }),
      record({ flow: 3, host: 'both.se' }),
      record({ flow: 4, host: 'both.se', port: 80, verdict: 'block' }),
      record({ flow: 5, host: 'long.se', event: 'opened' }),
      record({ flow: 5, host: 'long.se', event: 'closed' }),
      record({ flow: 0, host: '', event: 'gap', count: 7 }),
    ),
  )
  writer.close()
})
afterEach(() => remove())

function seen(fromDate: string): Record<string, number> {
  const onFailure = (failure: Failure) => failures.push(failure)
  const fromDay = dayNumber(fromDate)!
  return Object.fromEntries(hostsSeen(join(state, 'traffic'), { fromDay, onFailure }))
}

describe('hosts that the log saw', () => {
  test('each with its requests, of all days from the first; two rows of one flow are one', () => {
    expect(seen('2026-11-01')).toEqual({ 'yesterday.se': 1, 'both.se': 3, 'long.se': 1 })
    expect(seen(TODAY)).toEqual({ 'both.se': 2, 'long.se': 1 })
    expect(seen('2026-11-22')).toEqual({})
    expect(failures).toEqual([])
  })

  test('a day that cannot be read is told, and the others count', () => {
    writeFileSync(
      dayPath(join(state, 'traffic'), '2026-11-19'),
      'no database at all, but long'.repeat(9),
    )
    expect(seen('2026-11-01')['both.se']).toBe(3)
    expect(failures).toEqual([
      { what: expect.stringContaining('2026-11-19.sqlite'), hint: expect.any(String) },
    ])
  })

  test('no log at all: no hosts', () => {
    const onFailure = (failure: Failure) => failures.push(failure)
    expect(hostsSeen(join(state, 'nowhere'), { fromDay: 0, onFailure }).size).toBe(0)
    expect(failures).toEqual([])
  })
})
