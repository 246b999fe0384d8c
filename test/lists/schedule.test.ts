/** When lists are looked at, with a clock and chance of our own. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Attempts, NO_ATTEMPTS } from '../../src/lists/library.ts'
import {
  dueAt,
  FIRST_SPREAD_MS,
  JITTER_SHARE,
  LOOK_MAX_MS,
  PAUSE_MIN_MS,
  RETRY_AFTER_MAX_MS,
  RETRY_FIRST_MS,
  Schedule,
} from '../../src/lists/schedule.ts'

const DAY_MS = 86_400_000
const NOW_MS = Date.UTC(2026, 10, 21)
const URL = 'https://lists.test/porn'
const list = { name: 'porn', url: URL, everyMs: DAY_MS }
const tried = (failures: number, notBeforeMs: number | null = null): Attempts => ({
  ...{ lastAttemptMs: NOW_MS, failures, notBeforeMs },
  problem: null,
})
const checked = { checkedMs: NOW_MS }

/** Without chance, and with all of it. */
function check(
  name: string,
  [attempts, current]: [Attempts | null, { checkedMs: number } | null],
  earliestMs: number,
  latestMs: number,
) {
  test(name, () => {
    expect(dueAt(list, attempts, current, () => 0)).toBe(earliestMs)
    expect(dueAt(list, attempts, current, () => 1)).toBeCloseTo(latestMs, 0)
  })
}

describe('when a list is due', () => {
  const day = DAY_MS * (1 + JITTER_SHARE)
  const retry = RETRY_FIRST_MS * (1 + JITTER_SHARE)
  check('never looked at: soon', [null, null], 0, FIRST_SPREAD_MS)
  check('looked at: a day later', [tried(0), checked], NOW_MS + DAY_MS, NOW_MS + day)
  check('imported: a day later', [null, checked], NOW_MS + DAY_MS, NOW_MS + day)
  check('fetched and refused: a day later', [tried(0), null], NOW_MS + DAY_MS, NOW_MS + day)
  check('failed: minutes later', [tried(1), checked], NOW_MS + RETRY_FIRST_MS, NOW_MS + retry)
  check('again: twice that', [tried(2), null], NOW_MS + 2 * RETRY_FIRST_MS, NOW_MS + 2 * retry)
  check('often: no longer than a day', [tried(99), checked], NOW_MS + DAY_MS, NOW_MS + day)
  const hours = NOW_MS + 7_200_000
  check('the server wants two hours', [tried(1, hours), checked], hours, hours)
  const week = NOW_MS + RETRY_AFTER_MAX_MS
  check('the server wants a year: a week', [tried(1, NOW_MS + 365 * DAY_MS), null], week, week)
  check(
    'the server wants less',
    [tried(1, NOW_MS + 1), null],
    NOW_MS + RETRY_FIRST_MS,
    NOW_MS + retry,
  )

  test('machines that began together drift apart', () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 0.999, noNaN: true }), (chance) => {
        const dueMs = dueAt(list, tried(0), checked, () => chance)
        expect(dueMs).toBeGreaterThanOrEqual(NOW_MS + DAY_MS)
        expect(dueMs).toBeLessThan(NOW_MS + day)
      }),
    )
  })
})

/** A clock that moves when it is told, and the timers that hang on it. */
class Stand {
  nowMs = NOW_MS
  readonly attempts = new Map<string, Attempts>()
  readonly current = new Map<string, { checkedMs: number; url: string | null }>()
  readonly problems = new Map<string, readonly unknown[]>()
  readonly updates: string[][] = []
  /** What an update does; null: it hangs. */
  result: ((name: string) => Attempts | null) | null = () => ({
    ...NO_ATTEMPTS,
    lastAttemptMs: this.nowMs,
  })
  #timer: { wake: () => void; atMs: number } | null = null
  release = () => {}

  readonly schedule = new Schedule({
    nowMs: () => this.nowMs,
    random: () => 0,
    read: (name) => ({
      attempts: this.attempts.get(name) ?? null,
      current: this.current.get(name) ?? null,
      pending: null,
      problems: this.problems.get(name) ?? [],
    }),
    update: async (names) => {
      this.updates.push([...names])
      const { result } = this
      if (result === null) return new Promise((resolve) => (this.release = resolve))
      for (const name of names) {
        const attempts = result(name)
        if (attempts !== null) this.attempts.set(name, attempts)
      }
    },
    timer: (wake, ms) => {
      const timer = { wake, atMs: this.nowMs + ms }
      this.#timer = timer
      expect(ms).toBeLessThanOrEqual(LOOK_MAX_MS)
      return () => {
        if (this.#timer === timer) this.#timer = null
      }
    },
  })

  get waiting(): boolean {
    return this.#timer !== null
  }

  /** Lets `ms` pass; every timer in them wakes in its turn. */
  async pass(ms: number): Promise<void> {
    const endMs = this.nowMs + ms
    for (let timer = this.#timer; timer !== null && timer.atMs <= endMs; timer = this.#timer) {
      this.nowMs = Math.max(this.nowMs, timer.atMs)
      this.#timer = null
      timer.wake()
      // What an update has said is read in a later turn.
      await new Promise((resolve) => setImmediate(resolve))
    }
    this.nowMs = endMs
  }
}

describe('the schedule', () => {
  const two = [list, { name: 'ads', url: URL, everyMs: 2 * DAY_MS }]

  test('a week: each list as often as it wants', async () => {
    const stand = new Stand()
    stand.schedule.start(two)
    await stand.pass(7 * DAY_MS - 1)
    expect(stand.updates.filter((names) => names.includes('porn')).length).toBe(7)
    expect(stand.updates.filter((names) => names.includes('ads')).length).toBe(4)
    expect(stand.updates[0]).toEqual(['porn', 'ads'])
  })

  test('an update that could not run is not run in a circle', async () => {
    const stand = new Stand()
    stand.result = () => null
    stand.schedule.start([list])
    await stand.pass(10 * PAUSE_MIN_MS)
    expect(stand.updates.length).toBeGreaterThan(1)
    expect(stand.updates.length).toBeLessThanOrEqual(11)
  })

  test('failures make it wait longer and longer', async () => {
    const stand = new Stand()
    let failures = 0
    stand.result = () => ({ ...tried(++failures), lastAttemptMs: stand.nowMs })
    stand.schedule.start([list])
    await stand.pass(DAY_MS)
    // 5, 10, 20, … 1280 minutes apart.
    expect(stand.updates.length).toBe(9)
  })

  test('what is broken in the folder is not left so until tomorrow', async () => {
    const stand = new Stand()
    stand.attempts.set('porn', tried(0))
    stand.problems.set('porn', ['current.json is broken'])
    stand.schedule.start([list])
    expect(stand.schedule.due()).toEqual([{ name: 'porn', dueMs: NOW_MS + RETRY_FIRST_MS }])
  })

  test('one at a time, and a stop waits for it', async () => {
    const stand = new Stand()
    stand.result = null
    stand.schedule.start([list])
    await stand.pass(DAY_MS * 3)
    stand.schedule.start(two)
    stand.schedule.refresh(['porn'])
    await stand.pass(DAY_MS * 3)
    expect(stand.updates.length).toBe(1)
    let stopped = false
    const stopping = stand.schedule.stop().then(() => {
      stopped = true
    })
    await new Promise((resolve) => setImmediate(resolve))
    expect(stopped).toBe(false)
    stand.release()
    await stopping
    expect(stand.waiting).toBe(false)
  })

  test('new settings: known lists keep their time, new ones come soon, old ones go', async () => {
    const stand = new Stand()
    stand.schedule.start([list])
    await stand.pass(FIRST_SPREAD_MS)
    const [known] = stand.schedule.due()
    stand.schedule.start(two)
    expect(stand.schedule.due()).toEqual([{ name: 'ads', dueMs: stand.nowMs }, known])
    stand.schedule.start([{ ...list, everyMs: 3_600_000 }])
    expect(stand.schedule.due()).toEqual([{ name: 'porn', dueMs: NOW_MS + 3_600_000 }])
  })

  test('another url is asked soon, whatever was known of the one before', async () => {
    const stand = new Stand()
    stand.schedule.start([list])
    await stand.pass(FIRST_SPREAD_MS + PAUSE_MIN_MS)
    expect(stand.updates.length).toBe(1)
    stand.schedule.start([{ ...list, url: `${URL}2` }])
    await stand.pass(FIRST_SPREAD_MS)
    expect(stand.updates.length).toBe(2)
  })

  test('so is one that changed while nothing ran, but not in a circle', async () => {
    const stand = new Stand()
    stand.attempts.set('porn', { ...tried(0), lastAttemptMs: NOW_MS - 3_600_000 })
    stand.current.set('porn', { checkedMs: NOW_MS - 3_600_000, url: `${URL}-old` })
    stand.schedule.start([list])
    expect(stand.schedule.due()[0]!.dueMs).toBeLessThanOrEqual(NOW_MS + FIRST_SPREAD_MS)
    await stand.pass(RETRY_FIRST_MS * 4)
    expect(stand.updates.length).toBeLessThanOrEqual(5)
    stand.current.set('porn', { checkedMs: NOW_MS, url: null })
    stand.schedule.refresh(['porn'])
    expect(stand.schedule.due()[0]!.dueMs).toBeGreaterThan(NOW_MS + DAY_MS / 2)
  })

  test('an update by hand counts', async () => {
    const stand = new Stand()
    stand.schedule.start([list])
    stand.attempts.set('porn', tried(0))
    stand.schedule.refresh(['porn'])
    await stand.pass(DAY_MS - 1)
    expect(stand.updates).toEqual([])
    await stand.pass(1)
    expect(stand.updates).toEqual([['porn']])
  })

  test('a clock that was set back puts nothing off for years', () => {
    const stand = new Stand()
    stand.attempts.set('porn', { ...tried(0), lastAttemptMs: NOW_MS + 3_650 * DAY_MS })
    stand.schedule.start([list])
    expect(stand.schedule.due()[0]!.dueMs).toBeLessThanOrEqual(NOW_MS + RETRY_AFTER_MAX_MS)
  })
})
