/**
 * Owns: what a ledger counts: minutes, thresholds, gifts, days, merging, the list of what to save.
 * Never: uses more than one thread; threads.test.ts does.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { BITMAP_WORDS, Ledger, minutesIn, NONE } from '../../src/ledger/ledger.ts'
import { localDay, MINUTES_MAX, minuteOf } from '../../src/policy/index.ts'

const DAY = 20_500
const THRESHOLD_BYTES = 16_384
const SEED = 7

function ledgerFor(users = 16): { ledger: Ledger; buffer: SharedArrayBuffer; slot: number } {
  const buffer = Ledger.allocate(users, SEED)
  const ledger = new Ledger(buffer)
  return { ledger, buffer, slot: ledger.claim('anna') }
}

function charge(ledger: Ledger, slot: number, day: number, minutes: Iterable<number>): number {
  let set = 0
  for (const minute of minutes) {
    if (ledger.addBytes(slot, day, minute, THRESHOLD_BYTES, THRESHOLD_BYTES)) set++
  }
  return set
}

function bitmapOf(minutes: readonly number[]): Uint32Array<ArrayBuffer> {
  const bitmap = new Uint32Array(BITMAP_WORDS)
  for (const minute of minutes) bitmap[minute >>> 5]! |= 1 << (minute & 31)
  return bitmap
}

const ascending = (minutes: Iterable<number>) => [...new Set(minutes)].toSorted((a, b) => a - b)
const minute = fc.integer({ min: 0, max: MINUTES_MAX - 1 })
const minutes = fc.array(minute, { maxLength: 200 })
/** Every residue of a day's tag, with its wrap from 4,095 to 0. */
const day = fc.integer({ min: 1, max: 40_000 })

describe('minutes', () => {
  it('are set once, in any order, and are the same afterwards', () => {
    fc.assert(
      fc.property(day, minutes, minutes, (day, first, second) => {
        const { ledger, slot } = ledgerFor()
        const expected = ascending([...first, ...second])
        const newly = charge(ledger, slot, day, first) + charge(ledger, slot, day, second)
        expect(newly).toBe(expected.length)
        expect(charge(ledger, slot, day, [...second, ...first])).toBe(0)
        expect(ledger.used(slot, day)).toBe(expected.length)
        expect(ledger.minutes(slot, day)).toEqual(expected)
        expect(minutesIn(ledger.bitmap(slot, day))).toEqual(expected)
      }),
    )
  })

  it('are the union over several ledgers on one buffer', () => {
    fc.assert(
      fc.property(fc.array(minutes, { minLength: 1, maxLength: 4 }), (shares) => {
        const { buffer, slot } = ledgerFor()
        for (const share of shares) charge(new Ledger(buffer), slot, DAY, share)
        expect(new Ledger(buffer).minutes(slot, DAY)).toEqual(ascending(shares.flat()))
      }),
    )
  })

  it('of one owner are nobody else’s', () => {
    const { ledger, slot } = ledgerFor()
    const bertil = ledger.claim('bertil')
    charge(ledger, slot, DAY, [1, 2, 3])
    expect(ledger.used(bertil, DAY)).toBe(0)
  })

  it('outside a day are no minutes', () => {
    const { ledger, slot } = ledgerFor()
    expect(charge(ledger, slot, DAY, [-1, MINUTES_MAX, 4_000])).toBe(0)
    expect(ledger.used(slot, DAY)).toBe(0)
    expect(ledger.merge(slot, DAY, new Uint32Array(BITMAP_WORDS + 4).fill(0xffffffff))).toBe(1_500)
  })

  it.each([
    ['2026-03-29', 1_380],
    ['2026-10-25', 1_500],
    ['2026-11-21', 1_440],
  ])('of %s in Sweden are %i', (date, expected) => {
    const calendar = { timezone: 'Europe/Stockholm', startsMinute: 0 }
    const today = localDay(calendar, Date.parse(`${date}T12:00:00Z`))
    const { ledger, slot } = ledgerFor()
    let newly = 0
    // Every half minute, from a minute before the day to a minute after.
    for (let ms = today.startMs - 60_000; ms < today.endMs + 60_000; ms += 30_000) {
      const { number, ...bounds } = localDay(calendar, ms)
      if (number < today.number) continue
      const at = minuteOf({ number, ...bounds }, ms)
      if (ledger.addBytes(slot, number, at, THRESHOLD_BYTES, THRESHOLD_BYTES)) newly++
      if (number === today.number) expect(ledger.used(slot, number)).toBe(newly)
    }
    expect(newly).toBe(expected + 1)
    expect(ledger.used(slot, today.number + 1)).toBe(1)
  })
})

describe('the threshold', () => {
  const check = (name: string, pieces: number[], thresholdBytes: number, expected: boolean[]) =>
    it(name, () => {
      const { ledger, slot } = ledgerFor()
      const said = pieces.map((bytes) => ledger.addBytes(slot, DAY, 600, bytes, thresholdBytes))
      expect(said).toEqual(expected)
    })

  check('is reached by the sum', [8_000, 8_000, 384], 16_384, [false, false, true])
  check('one byte short is short', [16_383], 16_384, [false])
  check('is reached once', [16_384, 16_384], 16_384, [true, false])
  check('of 1 MiB is reached', [1_048_575, 1], 1_048_576, [false, true])
  check('is passed by any amount', [5e12], 1_048_576, [true])
  check('of 1 B is reached by one', [1], 1, [true])
  check('is not reached by nothing', [0, -5], 1, [false, false])

  it('is the sum of one minute: what moved in another does not count', () => {
    const { ledger, slot } = ledgerFor()
    const add = (minute: number) => ledger.addBytes(slot, DAY, minute, 10_000, THRESHOLD_BYTES)
    expect([add(10), add(11), add(12), add(13)]).toEqual([false, false, false, false])
    expect(ledger.used(slot, DAY)).toBe(0)
  })

  it('holds on both sides of a minute’s end, where threads take turns', () => {
    const { ledger, slot } = ledgerFor()
    const add = (minute: number) => ledger.addBytes(slot, DAY, minute, 10_000, THRESHOLD_BYTES)
    expect([add(10), add(11), add(10), add(11)]).toEqual([false, false, true, true])
  })

  it('begins anew with the day, in the same minute too', () => {
    const { ledger, slot } = ledgerFor()
    const add = (day: number) => ledger.addBytes(slot, day, 480, 10_000, THRESHOLD_BYTES)
    expect([add(DAY), add(DAY + 1), add(DAY + 3), add(DAY + 3)]).toEqual([
      false,
      false,
      false,
      true,
    ])
  })
})

describe('a new day', () => {
  it('begins at 0, whatever was used and given', () => {
    fc.assert(
      fc.property(day, fc.integer({ min: 1, max: 3_000 }), minutes, (day, later, used) => {
        const { ledger, slot } = ledgerFor()
        charge(ledger, slot, day, used)
        ledger.give(slot, day, 30)
        const next = day + later
        expect([ledger.used(slot, next), ledger.given(slot, next)]).toEqual([0, 0])
        expect(ledger.addBytes(slot, next, 700, THRESHOLD_BYTES, THRESHOLD_BYTES)).toBe(true)
        expect(ledger.minutes(slot, next)).toEqual([700])
        expect(ledger.given(slot, next)).toBe(0)
      }),
    )
  })

  it('is neither read nor written by a thread that is still in yesterday', () => {
    fc.assert(
      fc.property(day, minutes, minutes, (day, today, stale) => {
        const { ledger, slot } = ledgerFor()
        charge(ledger, slot, day + 1, [5, ...today])
        ledger.give(slot, day + 1, 10)
        expect(charge(ledger, slot, day, stale)).toBe(0)
        expect(ledger.give(slot, day, 20)).toBe(0)
        expect(ledger.merge(slot, day, bitmapOf(stale))).toBe(0)
        expect([ledger.used(slot, day), ledger.given(slot, day)]).toEqual([0, 0])
        expect(ledger.minutes(slot, day)).toEqual([])
        expect(ledger.minutes(slot, day + 1)).toEqual(ascending([5, ...today]))
        expect(ledger.given(slot, day + 1)).toBe(10)
      }),
    )
  })

  it('that lies further back is a clock set back, and counts', () => {
    const { ledger, slot } = ledgerFor()
    charge(ledger, slot, DAY, [1, 2, 3])
    expect(charge(ledger, slot, DAY - 2, [7])).toBe(1)
    expect(ledger.minutes(slot, DAY - 2)).toEqual([7])
    expect(ledger.used(slot, DAY)).toBe(0)
  })

  it('still lets the minutes of the day before be saved', () => {
    const { ledger, slot } = ledgerFor()
    charge(ledger, slot, DAY, [3, 1_439])
    charge(ledger, slot, DAY + 1, [0, 700])
    expect(minutesIn(ledger.bitmap(slot, DAY))).toContain(1_439)
    expect(minutesIn(ledger.bitmap(slot, DAY + 1))).toEqual([0, 700])
  })
})

describe('merge', () => {
  it('is idempotent, commutative and associative', () => {
    fc.assert(
      fc.property(minutes, minutes, minutes, (a, b, c) => {
        const union = (...orders: number[][]) => {
          const { ledger, slot } = ledgerFor()
          for (const part of orders) ledger.merge(slot, DAY, bitmapOf(part))
          return ledger.bitmap(slot, DAY)
        }
        const expected = bitmapOf([...a, ...b, ...c])
        expect(union(a, b, c)).toEqual(expected)
        expect(union(c, a, b, a, c)).toEqual(expected)
        expect(union(a, minutesIn(union(b, c)))).toEqual(expected)
        expect(union(minutesIn(union(a, b)), c)).toEqual(expected)
      }),
    )
  })

  it('keeps what is there, says how many are new, and leaves nothing to save', () => {
    const { ledger, slot } = ledgerFor()
    charge(ledger, slot, DAY, [1, 2])
    ledger.takeDirty()
    expect(ledger.merge(slot, DAY, bitmapOf([2, 3]))).toBe(1)
    expect(ledger.minutes(slot, DAY)).toEqual([1, 2, 3])
    expect(ledger.takeDirty()).toEqual([])
  })
})

describe('minutes given', () => {
  it('add up within the day', () => {
    const { ledger, slot } = ledgerFor()
    expect([ledger.give(slot, DAY, 30), ledger.give(slot, DAY, 15)]).toEqual([30, 45])
    expect(ledger.given(slot, DAY)).toBe(45)
    expect(ledger.used(slot, DAY)).toBe(0)
  })

  it('saturate', () => {
    const { ledger, slot } = ledgerFor()
    expect(ledger.give(slot, DAY, 2 ** 30)).toBe(2 ** 20 - 1)
    expect(ledger.give(slot, DAY, 1)).toBe(2 ** 20 - 1)
    expect(ledger.given(slot, DAY + 1)).toBe(0)
  })
})

describe('what is to be saved', () => {
  it('is each ledger with a new minute, once', () => {
    const { ledger } = ledgerFor(101)
    const slots = Array.from({ length: 100 }, (_, i) => ledger.claim(`user ${i}`))
    expect(ledger.takeDirty()).toEqual([])
    for (const i of [0, 31, 32, 63, 99]) charge(ledger, slots[i]!, DAY, [1, 2])
    ledger.addBytes(slots[50]!, DAY, 1, 5, THRESHOLD_BYTES)
    expect(ledger.takeDirty()).toEqual([0, 31, 32, 63, 99].map((i) => slots[i]))
    charge(ledger, slots[31]!, DAY, [2])
    expect(ledger.takeDirty()).toEqual([])
    charge(ledger, slots[31]!, DAY, [3])
    expect(ledger.takeDirty()).toEqual([slots[31]])
  })

  it('comes back where it could not be saved', () => {
    const { ledger, slot } = ledgerFor()
    charge(ledger, slot, DAY, [1])
    const slots = ledger.takeDirty()
    ledger.markDirty(slots)
    expect(ledger.takeDirty()).toEqual([slot])
  })
})

describe('no ledger', () => {
  it('reads as 0 and takes nothing', () => {
    const { ledger } = ledgerFor()
    for (const slot of [NONE, 0, 2 ** 30]) {
      expect(charge(ledger, slot, DAY, [1])).toBe(0)
      expect([ledger.used(slot, DAY), ledger.given(slot, DAY)]).toEqual([0, 0])
      expect([ledger.give(slot, DAY, 5), ledger.merge(slot, DAY, bitmapOf([1]))]).toEqual([0, 0])
      expect(minutesIn(ledger.bitmap(slot, DAY))).toEqual([])
      expect(ledger.owner(slot)).toBe(null)
      ledger.markDirty([slot])
    }
    expect(ledger.takeDirty()).toEqual([])
  })

  it('is in a buffer that is not of Ledger.allocate', () => {
    expect(() => new Ledger(new SharedArrayBuffer(4_096))).toThrow('not a buffer')
  })

  it.each([0, -1, 1.5, 200_001, Number.NaN])('is allocated for %d users', (users) => {
    expect(() => Ledger.allocate(users)).toThrow('expected 1 to 200000')
  })
})
