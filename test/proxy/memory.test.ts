/**
 * Owns: that memory which is shared, lent and used again never shows: every byte through joined wires compared.
 * Never: waits for a time to pass; readers are slow by turns of the loop.
 */
import type { Socket } from 'node:net'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  largeBuffersInUse,
  leave,
  SHARED,
  SHARED_BYTES,
  takeLarge,
  taken,
  takeSmall,
} from '../../src/proxy/memory.ts'
import { Tunnel } from '../../src/proxy/tunnel.ts'
import { restIdle, type Wire } from '../../src/proxy/wire.ts'
import { openEngine, openFlow } from './engines.ts'
import { Reader, Writer } from './patterned.ts'
import { descriptors, until, Wires, Witness } from './wires.ts'
import { openWorld } from './world.ts'

let wires: Wires
beforeEach(async () => {
  wires = await Wires.open()
})
afterEach(async () => {
  await wires.close()
  expect(largeBuffersInUse()).toBe(0)
})

const { engine } = openEngine(openWorld())

interface Joined {
  readonly client: Socket
  readonly origin: Socket
  readonly wires: readonly [Wire, Wire]
  readonly bytes: { up: number; down: number }
  closes: number
}

/** A client and an origin with a tunnel between. */
async function join(): Promise<Joined> {
  const [client, origin] = [await wires.accept(), await wires.dial()]
  const flow = openFlow(engine)
  const joined: Joined = {
    client: client.peer,
    origin: origin.peer,
    wires: [client.wire, origin.wire],
    bytes: { up: 0, down: 0 },
    closes: 0,
  }
  const tunnel = new Tunnel({
    ...{ client: client.wire, origin: origin.wire, flow, engine, greeting: null },
    onClose: () => {
      joined.closes++
      joined.bytes.up = flow.bytesUp
      joined.bytes.down = flow.bytesDown
    },
  })
  tunnel.start(Buffer.alloc(0))
  return joined
}

const sizes = fc.array(
  fc.oneof(
    { weight: 3, arbitrary: fc.integer({ min: 1, max: 2_000 }) },
    { weight: 2, arbitrary: fc.integer({ min: 2_000, max: 70_000 }) },
    { weight: 1, arbitrary: fc.integer({ min: 70_000, max: 1_048_576 }) },
    {
      weight: 1,
      arbitrary: fc.constantFrom(SHARED_BYTES, SHARED_BYTES - 1, SHARED_BYTES + 1, 262_144),
    },
  ),
  { maxLength: 12 },
)
/** For how many turns of the loop a reader does nothing, before each piece it takes. */
const rests = fc.array(fc.constantFrom(0, 0, 0, 1, 5, 40), { minLength: 1, maxLength: 6 })
const direction = fc.record({ sizes, rests })
const plan = fc.record({ up: direction, down: direction })

describe('bytes through a tunnel', () => {
  it('are the same, whatever the sizes and however slow the readers', {
    timeout: 60_000,
  }, async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(plan, { minLength: 1, maxLength: 4 }), async (plans) => {
        const all = await Promise.all(plans.map((one, i) => carried(one, i * 2)))
        for (const { joined, up, down, plan } of all) {
          await until(() => up.ended && down.ended)
          await until(() => joined.closes > 0)
          const sum = { up: total(plan.up.sizes), down: total(plan.down.sizes) }
          expect({ up: up.received, down: down.received }).toEqual(sum)
          expect([up.fault, down.fault]).toEqual(['', ''])
          expect(joined.bytes).toEqual(sum)
          expect(joined.closes).toBe(1)
        }
      }),
      { numRuns: 60 },
    )
  })

  it('are the same in many tunnels that share what memory there is', {
    timeout: 60_000,
  }, async () => {
    const many = 60
    const sizes = Array.from({ length: 12 }, (_, i) => 1_000 + i * 21_001)
    const both = { sizes, rests: [0, 3, 0, 20] }
    const all = await Promise.all(
      Array.from({ length: many }, (_, i) => carried({ up: both, down: both }, i * 2)),
    )
    await until(() => all.every(({ up, down }) => up.ended && down.ended))
    for (const { up, down } of all) {
      expect([up.fault, down.fault]).toEqual(['', ''])
      expect([up.received, down.received]).toEqual([total(sizes), total(sizes)])
    }
  })

  for (const left of [256, 3, 0]) {
    const name = `that nobody takes for a while stay what they were, with ${left} large buffers`
    it(name, { timeout: 60_000 }, async () => {
      const held = Array.from({ length: 256 - left }, () => takeLarge()!)
      const joined = await Promise.all(Array.from({ length: 12 }, () => join()))
      // All origins send more than anybody's buffers hold, and the clients read nothing.
      for (const [i, { origin }] of joined.entries()) new Writer(origin, i).send([9_000_000]).end()
      await until(() => joined.every(({ wires }) => wires[0].full))
      // Meanwhile others use the memory.
      const sizes = [1, 900_000, 65_536, 300_000]
      const both = { sizes, rests: [0] }
      const others = await Promise.all(
        Array.from({ length: 12 }, (_, i) => carried({ up: both, down: both }, 100 + i)),
      )
      await until(() => others.every(({ up, down }) => up.ended && down.ended))
      for (const { up, down } of others) expect([up.fault, down.fault]).toEqual(['', ''])
      const readers = joined.map(({ client }, i) => new Reader(client, i, [0]))
      await until(() => readers.every(({ ended }) => ended))
      for (const { fault, received } of readers) expect([fault, received]).toEqual(['', 9_000_000])
      for (const lease of held) leave(lease)
    })
  }

  it('are the same where nobody pauses, and all of it waits', { timeout: 60_000 }, async () => {
    const bytes = 12_000_000
    const all = await Promise.all(
      Array.from({ length: 6 }, async () => [await wires.accept(), await wires.dial()] as const),
    )
    for (const [i, [from, to]] of all.entries()) {
      new Witness(from.wire).meanwhile = (part) => to.wire.write(part)
      from.wire.resume()
      new Writer(from.peer, i).send([bytes]).end()
    }
    await until(() => all.every(([from]) => from.wire.ended))
    expect(largeBuffersInUse()).toBeGreaterThan(6)
    for (const [, to] of all) to.wire.end()
    const readers = all.map(([, to], i) => new Reader(to.peer, i, [0, 1]))
    await until(() => readers.every(({ ended }) => ended))
    for (const { fault, received } of readers) expect([fault, received]).toEqual(['', bytes])
    expect(largeBuffersInUse()).toBeLessThanOrEqual(6)
  })

  it('stay what they were where tunnels are torn down beside them', {
    timeout: 60_000,
  }, async () => {
    const ways: ((one: Joined) => void)[] = [
      ({ client }) => client.resetAndDestroy(),
      ({ origin }) => origin.resetAndDestroy(),
      ({ client }) => client.destroy(),
      ({ origin }) => origin.destroy(),
      ({ wires }) => wires[0].destroy(),
      ({ wires }) => wires[1].reset(),
      ({ wires }) => wires[0].destroySoon(),
      ({ wires }) => wires[1].end(),
    ]
    const torn = await Promise.all(Array.from({ length: 32 }, () => join()))
    for (const [i, { client, origin }] of torn.entries()) {
      new Writer(origin, i).send([3_000_000])
      new Writer(client, i).send([2_000_000])
      client.resume()
      if (i % 3 === 0) client.pause()
    }
    const sizes = [700_000, 10, 65_536, 500_000]
    const whole = Array.from({ length: 8 }, (_, i) =>
      carried({ up: { sizes, rests: [1] }, down: { sizes, rests: [0, 2] } }, 200 + i),
    )
    for (const [i, one] of torn.entries()) {
      await new Promise((resolve) => setImmediate(resolve))
      ways[i % ways.length]!(one)
    }
    for (const { up, down } of await Promise.all(whole)) {
      await until(() => up.ended && down.ended)
      expect([up.fault, down.fault]).toEqual(['', ''])
    }
    for (const { client, origin } of torn) {
      client.destroy()
      origin.destroy()
    }
    await until(() => torn.every(({ closes }) => closes === 1))
  })
})

interface Carried {
  readonly plan: { readonly up: Direction; readonly down: Direction }
  readonly joined: Joined
  readonly up: Reader
  readonly down: Reader
}

interface Direction {
  readonly sizes: readonly number[]
  readonly rests: readonly number[]
}

/** A tunnel with traffic both ways; the readers tell when all has come. */
async function carried(plan: Carried['plan'], seed: number): Promise<Carried> {
  const joined = await join()
  const { client, origin } = joined
  const up = new Reader(origin, seed, plan.up.rests)
  const down = new Reader(client, seed + 1, plan.down.rests)
  new Writer(client, seed).send(plan.up.sizes).end()
  new Writer(origin, seed + 1).send(plan.down.sizes).end()
  return { plan, joined, up, down }
}

const total = (sizes: readonly number[]) => sizes.reduce((sum, size) => sum + size, 0)

describe('large buffers', () => {
  it('are used again only when they are no longer lent', () => {
    const [one, other] = [takeLarge()!, takeLarge()!]
    one.lent = 2
    leave(one)
    expect(largeBuffersInUse()).toBe(2)
    taken(one)
    expect(largeBuffersInUse()).toBe(2)
    taken(one)
    expect(largeBuffersInUse()).toBe(1)
    expect(takeLarge()).toBe(one)
    one.lent = 1
    taken(one)
    expect(largeBuffersInUse()).toBe(2)
    leave(other)
    leave(one)
    expect(largeBuffersInUse()).toBe(0)
    const [small, next] = [takeSmall(), takeSmall()]
    expect(small.memory.length).toBe(SHARED_BYTES)
    expect(small.memory.buffer).not.toBe(next.memory.buffer)
    expect(small.memory.buffer).not.toBe(SHARED.buffer)
    leave(small)
    expect(takeSmall()).toBe(small)
    leave(small)
    leave(next)
    expect(largeBuffersInUse()).toBe(0)
  })

  it('are 256 at the most; whoever gets none loses nothing', { timeout: 60_000 }, async () => {
    const held = Array.from({ length: 256 }, () => takeLarge()!)
    expect(takeLarge()).toBeNull()
    const sizes = [2_000_000]
    const { up, down } = await carried(
      { up: { sizes, rests: [0] }, down: { sizes, rests: [0] } },
      7,
    )
    await until(() => up.ended && down.ended)
    expect([up.fault, up.received, down.fault, down.received]).toEqual([
      '',
      2_000_000,
      '',
      2_000_000,
    ])
    expect(largeBuffersInUse()).toBe(256)
    for (const lease of held) leave(lease)
  })

  it('are given back by who has nothing to read any more, and he loses nothing', async () => {
    const { wire, peer } = await wires.accept()
    const witness = new Witness(wire)
    const writer = new Writer(peer, 3)
    wire.resume()
    for (let round = 0; round < 3; round++) {
      // As often as it takes for a piece that fills most of what it is read into to come last.
      for (let times = 0; times < 1_000 && largeBuffersInUse() === 0; times++) {
        writer.send([300_000])
        await until(() => witness.receivedBytes === writer.sent)
      }
      restIdle()
      expect(largeBuffersInUse()).toBe(1)
      restIdle()
      expect(largeBuffersInUse()).toBe(0)
    }
    writer.send([10])
    await until(() => witness.receivedBytes === writer.sent)
    expect(writer.isSent(Buffer.concat(witness.parts))).toBe(true)
  })
})

describe('file descriptors', () => {
  it('are all given back, however connections end', { timeout: 60_000 }, async () => {
    const before = descriptors()
    for (let round = 0; round < 3; round++) {
      const all = await Promise.all(Array.from({ length: 16 }, () => join()))
      expect(descriptors()).toBe(before + 16 * 4)
      for (const [i, { client, origin, wires }] of all.entries()) {
        origin.write(Buffer.alloc(400_000))
        client.resume()
        if (i % 4 === 0) client.resetAndDestroy()
        else if (i % 4 === 1) origin.end()
        else if (i % 4 === 2) wires[1].reset()
        else wires[0].destroySoon()
      }
      for (const { client, origin } of all) {
        client.end()
        origin.end()
        origin.resume()
      }
      await until(() => all.every(({ closes }) => closes === 1))
      for (const { client, origin } of all) {
        client.destroy()
        origin.destroy()
      }
      await until(() => descriptors() === before)
    }
  })
})
