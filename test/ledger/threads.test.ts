/**
 * Owns: what must hold while four real threads use the same ledgers at once.
 * Never: times anything.
 */
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { describe, expect, it } from 'vitest'
import { Ledger, NONE } from '../../src/ledger/ledger.ts'
import {
  CHURN_CLAIMS,
  CHURN_LEDGERS,
  CHURN_ROUNDS,
  CLAIM_KEYS,
  DAY,
  type HammerData,
  MINUTE_ROUNDS,
  ROUND_MINUTES,
  SHARED_MINUTES,
  THRESHOLD_BYTES,
  TURN_USERS,
} from './hammer-scenarios.ts'

const THREADS = 4

async function hammer<T>(scenario: HammerData['scenario'], buffer: SharedArrayBuffer) {
  const gate = new SharedArrayBuffer(8)
  const results = Array.from({ length: THREADS }, async (_, thread) => {
    const workerData: HammerData = { scenario, buffer, gate, thread, threads: THREADS }
    const worker = new Worker(new URL('./hammer.ts', import.meta.url), { workerData })
    const [result] = (await once(worker, 'message')) as [T]
    await worker.terminate()
    return result
  })
  return Promise.all(results)
}

describe('four threads', () => {
  it('claim the same keys: each key has one ledger, the same for all', async () => {
    const buffer = Ledger.allocate(CLAIM_KEYS)
    const [first, ...others] = await hammer<number[]>('claim', buffer)
    const ledger = new Ledger(buffer)
    for (const slots of others) expect(slots).toEqual(first)
    expect(new Set(first).size).toBe(CLAIM_KEYS)
    expect(first).not.toContain(NONE)
    for (const [number, slot] of first!.entries()) expect(ledger.find(`key ${number}`)).toBe(slot)
    expect(ledger.counters()).toMatchObject({ ledgers: CLAIM_KEYS, refusedFull: 0 })
  })

  it('lose no minute and count none twice', async () => {
    const buffer = Ledger.allocate(2)
    const results = await hammer<{ own: number; shared: number }>('minutes', buffer)
    const sum = (numbers: number[]) => numbers.reduce((total, one) => total + one)
    const all = MINUTE_ROUNDS * ROUND_MINUTES
    expect(results.map(({ own }) => own)).toEqual(Array(THREADS).fill(all / THREADS))
    expect(sum(results.map(({ shared }) => shared))).toBe(all)
  })

  it('reach the threshold together, and only together', async () => {
    const buffer = Ledger.allocate(1)
    const results = await hammer<number[]>('threshold', buffer)
    const all = Array.from({ length: SHARED_MINUTES }, (_, minute) => minute)
    expect(results.flat().toSorted((a, b) => a - b)).toEqual(all)
    const ledger = new Ledger(buffer)
    expect(ledger.minutes(ledger.find('anna'), DAY)).toEqual(all)
  })

  it('turn to a new day at once: nothing of it is lost, nothing of yesterday comes along', async () => {
    const buffer = Ledger.allocate(TURN_USERS)
    const ledger = new Ledger(buffer)
    for (let user = 0; user < TURN_USERS; user++) {
      const slot = ledger.claim(`user ${user}`)
      for (let minute = 0; minute < 40; minute++) {
        ledger.addBytes(slot, DAY - 1, minute, THRESHOLD_BYTES, THRESHOLD_BYTES)
      }
    }
    const results = await hammer<number>('turn', buffer)
    for (let user = 0; user < TURN_USERS; user++) {
      const stale = user % THREADS
      const expected = Array.from({ length: 40 }, (_, i) => i).filter((i) => i % THREADS !== stale)
      expect(ledger.minutes(ledger.find(`user ${user}`), DAY + 1)).toEqual(expected)
    }
    expect(results.reduce((sum, set) => sum + set)).toBe(TURN_USERS * 30)
  })

  it('hand ledgers on from day to day: nobody ever gets a ledger that is another’s', async () => {
    const buffer = Ledger.allocate(CHURN_LEDGERS)
    const results = await hammer<{ mixed: number; claimed: number }>('churn', buffer)
    expect(results.map(({ mixed }) => mixed)).toEqual([0, 0, 0, 0])
    // Far more owners than ledgers were let in: these did change hands.
    const claimed = results.reduce((sum, one) => sum + one.claimed, 0)
    expect(claimed).toBeGreaterThan((THREADS * CHURN_ROUNDS * CHURN_CLAIMS) / 4)
    const ledger = new Ledger(buffer)
    const { ledgers } = ledger.counters()
    // Threads that claim at the same moment may each take the last one.
    expect(ledgers).toBeLessThan(CHURN_LEDGERS + THREADS)
    const last = DAY + CHURN_ROUNDS - 1
    const live = Array.from({ length: CHURN_ROUNDS }, (_, i) => ledger.slots(last - i)).flat()
    expect(live.length).toBe(ledgers)
    for (const slot of live) {
      const { zone, user, category } = ledger.owner(slot)!
      expect(ledger.find([zone, user, category].join('\0'))).toBe(slot)
    }
  })
})
