/**
 * Owns: that what is counted over threads never passes a limit, and is counted for nobody else.
 * Never: starts a thread (tally-threads.test.ts does): several tallies over one memory are as good here.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Address, ipv4, parseAddress } from '../../src/policy/index.ts'
import { Tally } from '../../src/proxy/tally.ts'
import { allocateTally, buryThread } from '../../src/proxy/tally-memory.ts'

const at = (text: string): Address => parseAddress(text)!

/** The tallies of so many threads. */
function talliesOf(threads: number) {
  const buffer = allocateTally(threads)
  return { buffer, all: Array.from({ length: threads }, (_, thread) => new Tally(buffer, thread)) }
}

describe('keys', () => {
  const { all } = talliesOf(2)
  const [one, other] = all as [Tally, Tally]

  it('are the same on every thread, and others in another run', () => {
    const address = ipv4(10, 1, 2, 3)
    expect(other.keyOfAddress(address)).toBe(one.keyOfAddress(address))
    expect(other.keyOfUser('office', 'anna')).toBe(one.keyOfUser('office', 'anna'))
    const [elsewhere] = talliesOf(1).all
    expect(elsewhere!.keyOfAddress(address)).not.toBe(one.keyOfAddress(address))
  })

  const same = (a: string, b: string) => one.keyOfAddress(at(a)) === one.keyOfAddress(at(b))
  it('tell IPv4 addresses apart, and know the mapped spelling', () => {
    expect(same('10.1.2.3', '10.1.2.4')).toBe(false)
    expect(same('10.1.2.3', '::ffff:10.1.2.3')).toBe(true)
  })

  it('take an IPv6 address for its /64, but for link-local ones, which all share one', () => {
    expect(same('2001:db8:1:2::3', '2001:db8:1:2:ffff::4')).toBe(true)
    expect(same('2001:db8:1:2::3', '2001:db8:1:3::3')).toBe(false)
    expect(same('fe80::1', 'fe80::2')).toBe(false)
    expect(same('febf::1', 'febf::2')).toBe(false)
    expect(same('fec0::1', 'fec0::2')).toBe(true)
  })

  it('tell users and zones apart, also where their letters are the same', () => {
    const users = [
      ['office', 'anna'],
      ['officea', 'nna'],
      ['schools', 'anna'],
      ['office', 'ann'],
      ['office', 'åsa'],
      ['', 'officeanna'],
      ['office', ''],
    ] as const
    expect(new Set(users.map(([zone, user]) => one.keyOfUser(zone, user))).size).toBe(users.length)
  })

  it('do not depend on what was asked for before', () => {
    const name = fc.string({ unit: 'grapheme', maxLength: 60 })
    fc.assert(
      fc.property(name, name, name, (zone, user, before) => {
        const fresh = other.keyOfUser(zone, user)
        one.keyOfUser(before, before)
        expect(one.keyOfUser(zone, user)).toBe(fresh)
      }),
    )
  })
})

describe('connections', () => {
  it('are held up to the limit over all threads, and free again when given back', () => {
    const { all } = talliesOf(3)
    const key = all[0]!.keyOfAddress(ipv4(10, 0, 0, 1))
    for (let i = 0; i < 30; i++) expect(all[i % 3]!.take('address', key, 30)).toBe(true)
    for (const tally of all) expect(tally.take('address', key, 30)).toBe(false)
    expect(all[0]!.held('address', key)).toBe(30)
    all[1]!.give('address', key)
    expect(all[2]!.take('address', key, 30)).toBe(true)
    expect(all[0]!.take('address', key, 30)).toBe(false)
  })

  it('of an address are not those of a user', () => {
    const [tally] = talliesOf(1).all as [Tally]
    expect(tally.take('address', 7, 1)).toBe(true)
    expect(tally.take('user', 7, 1)).toBe(true)
    expect(tally.take('user', 7, 1)).toBe(false)
  })

  it('are refused above a limit that was lowered, and kept', () => {
    const [tally] = talliesOf(1).all as [Tally]
    for (let i = 0; i < 5; i++) tally.take('user', 1, 5)
    expect(tally.take('user', 1, 3)).toBe(false)
    expect(tally.held('user', 1)).toBe(5)
  })

  it('of a thread that has died are nobody’s, and those of the others stay', () => {
    const { buffer, all } = talliesOf(2)
    const [one, other] = all as [Tally, Tally]
    for (let i = 0; i < 4; i++) {
      one.take('address', 1, 10)
      other.take('address', 1, 10)
      one.take('user', 2, 10)
      one.takeTunnel(10)
      other.takeTunnel(10)
    }
    buryThread(buffer, 0)
    expect(other.held('address', 1)).toBe(4)
    expect(other.held('user', 2)).toBe(0)
    expect(other.tunnels).toBe(4)
  })

  it('are as a plain count has them, whatever is taken and given', () => {
    const step = fc.record({
      thread: fc.nat(2),
      kind: fc.constantFrom('address' as const, 'user' as const),
      key: fc.nat(4),
      take: fc.boolean(),
    })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const { all } = talliesOf(3)
        const plain = new Map<string, number>()
        for (const { thread, kind, key, take } of steps) {
          const tally = all[thread]!
          const total = () => {
            return [0, 1, 2].reduce((sum, t) => sum + (plain.get(`${t} ${kind} ${key}`) ?? 0), 0)
          }
          const own = `${thread} ${kind} ${key}`
          const before = plain.get(own) ?? 0
          const mixed = Math.imul(key + 1, 0x9e37_79b1)
          if (take) {
            const got = tally.take(kind, mixed, 6)
            expect(got).toBe(total() < 6)
            if (got) plain.set(own, before + 1)
          } else if (before > 0) {
            tally.give(kind, mixed)
            plain.set(own, before - 1)
          }
          expect(tally.held(kind, mixed)).toBe(total())
        }
      }),
      { numRuns: 40 },
    )
  })
})

describe('a crowd', () => {
  const CROWD = 20_000
  const LIMIT = 2_000

  it('of 20,000 addresses is not taken for the ten that are at their limit', () => {
    const { all } = talliesOf(2)
    const [one, other] = all as [Tally, Tally]
    const heavy = Array.from({ length: 10 }, (_, i) => one.keyOfAddress(ipv4(10, 9, 9, i)))
    for (const key of heavy) {
      for (let i = 0; i < LIMIT; i++)
        expect((i % 2 ? one : other).take('address', key, LIMIT)).toBe(true)
      expect(one.take('address', key, LIMIT)).toBe(false)
    }
    const crowd = Array.from({ length: CROWD }, (_, i) =>
      one.keyOfAddress(ipv4(10, 1, i >>> 8, i & 255)),
    )
    const refused = crowd.filter((key, i) => !(i % 2 ? one : other).take('address', key, LIMIT))
    expect(refused).toEqual([])
    // Each holds one. Three in four are counted exactly, nearly all others as one more.
    const held = crowd.map((key) => one.held('address', key))
    const mean = held.reduce((sum, count) => sum + count, 0) / CROWD
    expect(Math.min(...held)).toBe(1)
    expect(mean).toBeLessThan(1.4)
    expect(held.filter((count) => count > 10)).toEqual([])
    // And those at their limit have at most a few of others to their name: all can be let go.
    for (const key of heavy) expect(one.held('address', key) - LIMIT).toBeLessThan(10)
  })
})

describe('tunnels', () => {
  it('are counted over all threads, exactly', () => {
    const { all } = talliesOf(2)
    const [one, other] = all as [Tally, Tally]
    expect([one, other, one].map((tally) => tally.takeTunnel(2))).toEqual([true, true, false])
    expect(other.tunnels).toBe(2)
    one.giveTunnel()
    expect(other.takeTunnel(2)).toBe(true)
    expect(one.tunnels).toBe(2)
  })

  it('belong to a thread that there is', () => {
    expect(() => new Tally(allocateTally(2), 2)).toThrow('no thread 2')
  })
})
