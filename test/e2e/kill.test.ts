import { afterAll, beforeAll, expect, it } from 'vitest'
import { damage, logRows } from './stand/files.ts'
import { Load } from './stand/load.ts'
import { until } from './stand/sluss.ts'
import { buildTown, type Town } from './stand/town.ts'

const KILLS = 10
const SEED = 20_260_214

let town: Town
beforeAll(async () => {
  town = await buildTown({ launcher: true })
})
afterAll(() => town.close())

/** Numbers from 0 to `limit` - 1, the same ones in each run of the test (mulberry32). */
function chance(seed: number): (limit: number) => number {
  let state = seed
  return (limit) => {
    state = (state + 0x6d2b79f5) | 0
    let word = Math.imul(state ^ (state >>> 15), 1 | state)
    word = (word + Math.imul(word ^ (word >>> 7), 61 | word)) ^ word
    return ((word ^ (word >>> 14)) >>> 0) % limit
  }
}

/** How many records of each run are in the log. */
function recordsByRun(): Map<string, number> {
  const sql = 'SELECT run, count(*) AS records FROM traffic GROUP BY run'
  const counted = new Map<string, number>()
  for (const { run, records } of logRows<{ run: string; records: number }>(town.sluss.state, sql)) {
    counted.set(run, (counted.get(run) ?? 0) + records)
  }
  return counted
}

it(`after each of ${KILLS} kills under load, no acknowledged record is gone and all goes on`, async () => {
  const { sluss } = town
  const draw = chance(SEED)
  const acknowledged = new Map<string, number>()
  for (let round = 1; round <= KILLS; round++) {
    const load = new Load(town)
    const least = 1 + draw(200)
    await until(`${least} records are acknowledged`, async () => {
      return (await sluss.status()).counters.recordsAcknowledged >= least || load.faults.length > 0
    })
    // Some exchanges later, so that the kill falls anywhere between two flushes.
    const more = load.done + draw(100)
    await until('some more are made', () => load.done >= more || load.faults.length > 0)
    expect(load.faults).toEqual([])
    const { run, counters } = await sluss.status()
    load.end()
    sluss.signal('SIGKILL')
    expect(await sluss.exited()).toBeNull()
    await load.ended()
    acknowledged.set(run, counters.recordsAcknowledged)
    expect(counters.recordsLost).toBe(0)

    expect(damage(sluss.state)).toEqual([])
    const kept = recordsByRun()
    for (const [each, records] of acknowledged) {
      expect([each, (kept.get(each) ?? 0) >= records]).toEqual([each, true])
    }
    const search = await sluss.run('log', 'search', '--json', '--limit', '50')
    expect(search).toMatchObject({ code: 0 })
    expect(JSON.parse(search.stdout)).toHaveLength(50)
    await sluss.start({ launcher: true })
  }
  expect(acknowledged.size).toBe(KILLS)
  expect(await sluss.stop()).toBe(0)
  expect(damage(sluss.state)).toEqual([])
  const kept = recordsByRun()
  for (const [run, records] of acknowledged) expect(kept.get(run)).toBeGreaterThanOrEqual(records)
  // Not one flow stands there twice: what was sent again after a failure was told from what was written.
  const twice = `SELECT run, thread, flow, event FROM traffic WHERE event <> 'gap'
    GROUP BY run, thread, flow, event HAVING count(*) > 1`
  expect(logRows(sluss.state, twice)).toEqual([])
}, 240_000)
