/**
 * Owns: which idle connections are kept, handed out and dropped: real kept on loopback, time told.
 * Never: waits for a time to pass.
 */
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Pool } from '../../src/proxy/pool.ts'
import { NOBODY, type Wire } from '../../src/proxy/wire.ts'
import { until, Wires, Witness } from './wires.ts'

const LIMITS = { poolPerOrigin: 2, poolTotal: 3, poolIdleMs: 1_000 }

let wires: Wires
let pool = new Pool(LIMITS, () => {})

beforeEach(async () => {
  pool = new Pool(LIMITS, () => {})
  wires = await Wires.open()
})

afterEach(async () => {
  pool.clear()
  await wires.close()
})

describe('take', () => {
  it('gives null where there is none', () => {
    expect(pool.take('a:80')).toBeNull()
  })

  it('gives the one that was used last', async () => {
    const [first, second] = [await wires.dial(), await wires.dial()]
    pool.give('a:80', first.wire, 0)
    pool.give('a:80', second.wire, 0)
    expect(pool.take('a:80')).toBe(second.wire)
    expect(pool.take('a:80')).toBe(first.wire)
    expect(pool.take('a:80')).toBeNull()
  })

  it('gives it to its own origin only', async () => {
    const { wire } = await wires.dial()
    pool.give('a:80', wire, 0)
    expect(pool.take('a:8080')).toBeNull()
    expect(pool.take('b:80')).toBeNull()
    expect(pool.take('a:80')).toBe(wire)
  })

  it('passes over one that was destroyed a moment ago', async () => {
    const [first, second] = [await wires.dial(), await wires.dial()]
    pool.give('a:80', first.wire, 0)
    pool.give('a:80', second.wire, 0)
    second.wire.destroy()
    expect(pool.take('a:80')).toBe(first.wire)
    expect(pool.size).toBe(0)
  })

  it('gives one that still works', async () => {
    const { wire, peer } = await wires.dial()
    pool.give('a:80', wire, 0)
    pool.take('a:80')
    const witness = new Witness(wire)
    wire.writeText('GET')
    expect(String((await once(peer, 'data'))[0])).toBe('GET')
    peer.write('200')
    await until(() => witness.text === '200')
  })
})

describe('the bounds', () => {
  it('of an origin: one more is closed', async () => {
    const kept = [(await wires.dial()).wire, (await wires.dial()).wire, (await wires.dial()).wire]
    for (const wire of kept) pool.give('a:80', wire, 0)
    expect(kept.map(({ destroyed }) => destroyed)).toEqual([false, false, true])
    expect(pool.size).toBe(2)
  })

  it('of all: one more is closed', async () => {
    const kept: Wire[] = []
    for (const origin of ['a', 'b', 'c', 'd']) {
      const { wire } = await wires.dial()
      kept.push(wire)
      pool.give(origin, wire, 0)
    }
    expect(kept.map(({ destroyed }) => destroyed)).toEqual([false, false, false, true])
    expect(pool.size).toBe(3)
  })

  it('of 0: none is kept', async () => {
    pool.configure({ ...LIMITS, poolTotal: 0 })
    const { wire } = await wires.dial()
    pool.give('a:80', wire, 0)
    expect(wire.destroyed).toBe(true)
    expect(pool.size).toBe(0)
  })

  it('give the place back when one is taken', async () => {
    const kept = [(await wires.dial()).wire, (await wires.dial()).wire, (await wires.dial()).wire]
    pool.give('a:80', kept[0]!, 0)
    pool.give('a:80', kept[1]!, 0)
    pool.take('a:80')
    pool.give('a:80', kept[2]!, 0)
    expect(kept[2]!.destroyed).toBe(false)
    expect(pool.size).toBe(2)
  })
})

describe('what is not kept', () => {
  function check(name: string, spoil: (wire: Wire, peer: Socket) => unknown) {
    it(name, async () => {
      const { wire, peer } = await wires.dial()
      await spoil(wire, peer)
      pool.give('a:80', wire, 0)
      expect(pool.size).toBe(0)
      expect(wire.destroyed).toBe(true)
    })
  }
  check('one that is destroyed', (wire) => wire.destroy())
  check('one that we have ended', (wire) => wire.end())
  check('one that the origin has ended', async (wire, peer) => {
    wire.resume()
    peer.end()
    await until(() => wire.ended)
  })
  check('one that has not taken all of the last request', (wire) => {
    wire.write(Buffer.alloc(30_000_000))
    expect(wire.full).toBe(true)
  })
})

describe('what is dropped while it is idle', () => {
  function check(name: string, happen: (wire: Wire, peer: Socket) => unknown) {
    it(name, async () => {
      const { wire, peer } = await wires.dial()
      const { wire: other } = await wires.dial()
      pool.give('a:80', other, 0)
      // As back-pressure leaves it.
      wire.pause()
      pool.give('a:80', wire, 0)
      happen(wire, peer)
      await until(() => pool.size === 1)
      await until(() => wire.destroyed)
      expect(pool.take('a:80')).toBe(other)
    })
  }
  check('one on which the origin speaks', (_wire, peer) => peer.write('x'))
  check('one that the origin ends', (_wire, peer) => peer.end())
  check('one that the origin resets', (_wire, peer) => peer.resetAndDestroy())
  check('one that is destroyed', (wire) => wire.destroy())
})

describe('sweep', () => {
  it('closes what has been idle for the whole time, and no other', async () => {
    const [first, second] = [await wires.dial(), await wires.dial()]
    pool.give('a:80', first.wire, 0)
    pool.give('b:80', second.wire, 1)
    pool.sweep(999)
    expect(pool.size).toBe(2)
    pool.sweep(1_000)
    expect([first.wire.destroyed, second.wire.destroyed]).toEqual([true, false])
    expect(pool.size).toBe(1)
    pool.sweep(1_001)
    expect(second.wire.destroyed).toBe(true)
    expect(pool.size).toBe(0)
  })

  it('counts from the last use', async () => {
    const { wire } = await wires.dial()
    pool.give('a:80', wire, 0)
    pool.take('a:80')
    pool.give('a:80', wire, 900)
    pool.sweep(1_500)
    expect(pool.take('a:80')).toBe(wire)
  })

  it('goes by new limits', async () => {
    const { wire } = await wires.dial()
    pool.give('a:80', wire, 0)
    pool.configure({ ...LIMITS, poolIdleMs: 10 })
    pool.sweep(10)
    expect(wire.destroyed).toBe(true)
  })
})

it('clear closes all', async () => {
  const [first, second] = [await wires.dial(), await wires.dial()]
  pool.give('a:80', first.wire, 0)
  pool.give('b:80', second.wire, 0)
  pool.clear()
  expect([first.wire.destroyed, second.wire.destroyed]).toEqual([true, true])
  expect(pool.size).toBe(0)
})

it('hands out a wire that is nobody’s, however often one is given and taken', async () => {
  const { wire, peer } = await wires.dial()
  for (let i = 0; i < 50; i++) {
    pool.give('a:80', wire, i)
    expect(pool.take('a:80')).toBe(wire)
    expect(wire.owner).toBe(NOBODY)
    const witness = new Witness(wire)
    peer.write(String(i))
    await until(() => witness.text === String(i))
  }
  pool.give('a:80', wire, 0)
  pool.clear()
  expect([wire.owner, wire.destroyed]).toEqual([NOBODY, true])
})
