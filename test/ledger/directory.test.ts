/**
 * Owns: whose a ledger is: finding, claiming, limits, and ledgers that change hands.
 * Never: uses more than one thread; threads.test.ts does.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { KEY_BYTES_MAX } from '../../src/ledger/layout.ts'
import { Ledger, NONE } from '../../src/ledger/ledger.ts'
import { type LedgerOwner, ledgerKey, parseUserName } from '../../src/policy/index.ts'

const DAY = 20_500

function ledgerFor(users: number, seed = 7): Ledger {
  return new Ledger(Ledger.allocate(users, seed))
}

function touch(ledger: Ledger, slot: number, day: number): boolean {
  return ledger.addBytes(slot, day, 600, 1, 1)
}

describe('find and claim', () => {
  it('agree, and tell owners apart', () => {
    // One to four bytes each.
    const letter = fc.constantFrom('a', 'b', '-', ' ', 'é', '界', '😀')
    const owner = fc.record({
      zone: fc.constantFrom('office', 'local', 'a', 'z'.repeat(40)),
      user: fc.string({ unit: letter, maxLength: 30 }).map((text) => parseUserName(text) ?? ''),
      category: fc.constantFrom('social', 's', 'video'),
    })
    fc.assert(
      fc.property(
        fc.uniqueArray(owner, { selector: ledgerKey, maxLength: 25 }),
        fc.integer(),
        (owners: LedgerOwner[], seed) => {
          const ledger = ledgerFor(25, seed)
          const keys = owners.map(ledgerKey)
          expect(keys.map((key) => ledger.find(key))).toEqual(keys.map(() => NONE))
          const slots = keys.map((key) => ledger.claim(key))
          expect(new Set(slots).size).toBe(keys.length)
          expect(keys.map((key) => ledger.find(key))).toEqual(slots)
          expect(keys.map((key) => ledger.claim(key))).toEqual(slots)
          expect(slots.map((slot) => ledger.owner(slot))).toEqual(owners)
          expect(ledger.counters().ledgers).toBe(owners.length)
        },
      ),
    )
  })

  it('take the longest names there are, in any script', () => {
    const ledger = ledgerFor(4)
    const owner = { zone: 'z'.repeat(64), user: '界'.repeat(100), category: 'ö'.repeat(64) }
    expect(ledger.owner(ledger.claim(ledgerKey(owner)))).toEqual(owner)
  })

  it('refuse a key that is longer than its room, and count it', () => {
    const ledger = ledgerFor(4)
    expect(ledger.claim('x'.repeat(KEY_BYTES_MAX))).toBeGreaterThan(0)
    expect(ledger.claim('x'.repeat(KEY_BYTES_MAX + 1))).toBe(NONE)
    expect(ledger.find('x'.repeat(KEY_BYTES_MAX + 1))).toBe(NONE)
    expect(ledger.claim('界'.repeat(KEY_BYTES_MAX / 2))).toBe(NONE)
    expect(ledger.counters()).toMatchObject({ ledgers: 1, refusedKey: 2, refusedFull: 0 })
  })

  it('do not take the rest of the last key along', () => {
    const ledger = ledgerFor(4)
    const long = ledger.claim('annabella')
    expect(ledger.claim('anna')).not.toBe(long)
    expect(ledger.find('annabell')).toBe(NONE)
  })
})

describe('the limit', () => {
  it('is quota.users, and counts who is turned away', () => {
    const ledger = ledgerFor(16)
    const slots = Array.from({ length: 16 }, (_, i) => ledger.claim(`user ${i}`))
    expect(slots).not.toContain(NONE)
    for (const slot of slots) touch(ledger, slot, DAY)
    expect([ledger.claim('one more'), ledger.claim('two more')]).toEqual([NONE, NONE])
    expect(ledger.claim('user 3')).toBe(slots[3])
    const expected = { ledgers: 16, limit: 16, refusedFull: 2, refusedKey: 0 }
    expect(ledger.counters()).toEqual(expected)
  })

  it('is reached by 20,000 users and no earlier', () => {
    const ledger = ledgerFor(20_000)
    for (let i = 0; i < 20_000; i++) {
      if (ledger.claim(`zone\0user${i}\0social`) < 0) throw new Error(`refused at ${i}`)
    }
    expect(ledger.counters()).toMatchObject({ ledgers: 20_000, refusedFull: 0 })
    expect(ledger.claim('one more')).toBe(NONE)
  })
})

describe('idle ledgers, where there are as many as there may be', () => {
  /** Four ledgers: two of DAY, one of DAY + 1, one of DAY + 2. */
  function aged(): { ledger: Ledger; slots: number[] } {
    const ledger = ledgerFor(4)
    const slots = [DAY, DAY, DAY + 1, DAY + 2].map((day, i) => {
      const slot = ledger.claim(`user ${i}`)
      touch(ledger, slot, day)
      return slot
    })
    return { ledger, slots }
  }

  it('go to others: those that counted nothing yesterday or today', () => {
    const { ledger, slots } = aged()
    const fifth = ledger.claim('user 5')
    const sixth = ledger.claim('user 6')
    expect([fifth, sixth]).not.toContain(NONE)
    expect(ledger.claim('user 7')).toBe(NONE)
    const found = [0, 1, 2, 3, 5, 6].map((i) => ledger.find(`user ${i}`))
    expect(found).toEqual([NONE, NONE, slots[2], slots[3], fifth, sixth])
    expect(ledger.used(slots[3]!, DAY + 2)).toBe(1)
  })

  it('begin empty with the new owner, and their old slots no longer fit', () => {
    const { ledger, slots } = aged()
    ledger.give(slots[2]!, DAY + 2, 30)
    ledger.give(slots[2]!, DAY + 4, 30)
    touch(ledger, slots[3]!, DAY + 4)
    const fifth = ledger.claim('user 5')
    for (const day of [DAY, DAY + 2, DAY + 4]) expect(ledger.used(fifth, day)).toBe(0)
    for (const old of [slots[0]!, slots[1]!]) {
      expect(touch(ledger, old, DAY + 4)).toBe(false)
      expect(ledger.owner(old)).toBe(null)
    }
    expect(ledger.used(fifth, DAY + 4)).toBe(0)
    expect(touch(ledger, fifth, DAY + 4)).toBe(true)
    expect(slots.map((slot) => ledger.used(slot, DAY + 4))).toEqual([0, 0, 0, 1])
  })

  it('begin empty with the new owner also where the clock is set back', () => {
    const { ledger, slots } = aged()
    const fifth = ledger.claim('user 5')
    touch(ledger, slots[2]!, DAY)
    touch(ledger, slots[3]!, DAY)
    expect(ledger.addBytes(fifth, DAY, 601, 1, 1)).toBe(true)
    expect(ledger.minutes(fifth, DAY)).toEqual([601])
  })

  it('stay with an owner who claims them first', () => {
    const { ledger, slots } = aged()
    expect(ledger.claim('user 0')).toBe(slots[0])
    expect(ledger.claim('user 5')).toBeGreaterThan(0)
    expect(ledger.find('user 0')).toBe(slots[0])
    expect(ledger.find('user 1')).toBe(NONE)
  })

  it('change hands for years without losing room', () => {
    const ledger = ledgerFor(4)
    // More turns than there are generations, so that these wrap.
    for (let turn = 0; turn < 9_000; turn++) {
      touch(ledger, ledger.claim('daily'), DAY + turn * 3)
      for (let i = 1; i < 4; i++) {
        const slot = ledger.claim(`turn ${turn} user ${i}`)
        if (!touch(ledger, slot, DAY + turn * 3)) throw new Error(`turn ${turn}, user ${i}`)
      }
    }
    expect(ledger.counters()).toMatchObject({ ledgers: 4, refusedFull: 0 })
    expect(ledger.find('turn 8998 user 1')).toBe(NONE)
  })
})
