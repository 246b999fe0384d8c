/**
 * Owns: what a tunnel does with the bytes, ends and failures of its two sides. Real connections, time told.
 * Never: waits for a time to pass.
 */
import type { Socket } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Ending } from '../../src/policy/index.ts'
import type { Engine } from '../../src/proxy/engine.ts'
import type { Flow } from '../../src/proxy/flow.ts'
import { largeBuffersInUse } from '../../src/proxy/memory.ts'
import { Tunnel } from '../../src/proxy/tunnel.ts'
import type { Wire } from '../../src/proxy/wire.ts'
import { openEngine, openFlow } from './engines.ts'
import { Reader, Writer } from './patterned.ts'
import { Reading } from './reading.ts'
import { until, Wires, Witness } from './wires.ts'
import { openWorld } from './world.ts'

const NOTHING = Buffer.alloc(0)

let wires: Wires
let nowMs: number
let engine: Engine
beforeEach(async () => {
  wires = await Wires.open()
  nowMs = 1_000
  engine = openEngine(openWorld(), () => nowMs).engine
})
afterEach(async () => {
  await wires.close()
  expect(largeBuffersInUse()).toBe(0)
})

class Stand {
  readonly client: Socket
  readonly origin: Socket
  readonly wires: { readonly client: Wire; readonly origin: Wire }
  readonly flow: Flow
  readonly tunnel: Tunnel
  closes = 0

  constructor(client: { wire: Wire; peer: Socket }, origin: { wire: Wire; peer: Socket }) {
    this.client = client.peer
    this.origin = origin.peer
    this.wires = { client: client.wire, origin: origin.wire }
    this.flow = openFlow(engine)
    this.tunnel = new Tunnel({
      ...{ client: client.wire, origin: origin.wire, flow: this.flow, engine, greeting: null },
      onClose: () => this.closes++,
    })
  }

  static async open(first = NOTHING): Promise<Stand> {
    const stand = new Stand(await wires.accept(), await wires.dial())
    stand.tunnel.start(first)
    return stand
  }

  /** As the thread does each second, so much later. */
  sweepAfter(ms: number): void {
    nowMs += ms
    this.tunnel.sweep(nowMs)
  }

  /** Both sides have closed, the owner was told once, and the record says this. */
  async endsAs(ending: Ending, up: number, down: number): Promise<void> {
    await until(() => this.closes > 0)
    const { flow, closes } = this
    const { bytesUp, bytesDown } = flow
    expect({ ending: flow.ending, bytesUp, bytesDown, closes }).toEqual({
      ...{ ending, bytesUp: up, bytesDown: down, closes: 1 },
    })
  }
}

describe('the first bytes', () => {
  it('that came with the CONNECT go to the origin before those that follow', async () => {
    const stand = await Stand.open(Buffer.from('first '))
    const origin = new Reading(stand.origin)
    stand.client.end('and more')
    stand.origin.end()
    await until(() => origin.ended)
    expect(origin.text).toBe('first and more')
    await stand.endsAs('complete', 14, 0)
  })

  it('may lie where every connection reads', async () => {
    const [client, origin] = [await wires.accept(), await wires.dial()]
    const reading = new Reading(origin.peer)
    const witness = new Witness(client.wire)
    let stand: Stand | null = null
    witness.meanwhile = (bytes) => {
      stand = new Stand(client, origin)
      stand.tunnel.start(bytes)
    }
    client.wire.resume()
    client.peer.write('first')
    await until(() => reading.text === 'first')
    client.peer.end()
    origin.peer.end()
    await stand!.endsAs('complete', 5, 0)
  })

  it('of more than the origin takes stop the client until it has', async () => {
    const stand = await Stand.open(Buffer.alloc(20_000_000, 'f'))
    new Writer(stand.client, 1).send([100]).end()
    expect(stand.wires.origin.full).toBe(true)
    const origin = new Reading(stand.origin)
    await until(() => origin.ended)
    expect(origin.length).toBe(20_000_100)
    stand.origin.end()
    await stand.endsAs('complete', 20_000_100, 0)
  })
})

describe('the end of one side', () => {
  it('the client’s: the origin hears it and may answer still', async () => {
    const stand = await Stand.open()
    const [client, origin] = [new Reading(stand.client), new Reading(stand.origin)]
    stand.client.end('question')
    await until(() => origin.ended)
    expect(stand.closes).toBe(0)
    stand.origin.write('answer, ')
    await until(() => client.text === 'answer, ')
    stand.origin.end('whole')
    await until(() => client.ended)
    expect([origin.text, client.text]).toEqual(['question', 'answer, whole'])
    await stand.endsAs('complete', 8, 13)
  })

  it('the origin’s: the client hears it and may go on', async () => {
    const stand = await Stand.open()
    const [client, origin] = [new Reading(stand.client), new Reading(stand.origin)]
    stand.origin.end('bye')
    await until(() => client.ended)
    stand.client.write('wait, ')
    await until(() => origin.text === 'wait, ')
    stand.client.end('more')
    await until(() => origin.ended)
    expect([origin.text, client.text]).toEqual(['wait, more', 'bye'])
    await stand.endsAs('complete', 10, 3)
  })

  for (const side of ['client', 'origin'] as const) {
    it(`the ${side}’s, before there was a tunnel`, async () => {
      const pairs = { client: await wires.accept(), origin: await wires.dial() }
      const other = side === 'client' ? 'origin' : 'client'
      pairs[side].peer.end()
      pairs[side].wire.resume()
      await until(() => pairs[side].wire.ended)
      const stand = new Stand(pairs.client, pairs.origin)
      const reading = new Reading(stand[other])
      stand.tunnel.start(NOTHING)
      await until(() => reading.ended)
      stand[other].end('late')
      await stand.endsAs('complete', side === 'client' ? 0 : 4, side === 'client' ? 4 : 0)
    })
  }

  it('comes after all that was sent, though nobody takes it for a while', async () => {
    const stand = await Stand.open()
    const sent = 8_000_000
    new Writer(stand.origin, 2).send([sent]).end()
    stand.client.end()
    await until(() => stand.wires.client.full)
    stand.sweepAfter(119_000)
    const client = new Reader(stand.client, 2, [0])
    await until(() => client.ended)
    expect([client.fault, client.received]).toEqual(['', sent])
    await stand.endsAs('complete', 0, sent)
  })
})

describe('a side that resets', () => {
  it('the client: the origin sees the end', async () => {
    const stand = await Stand.open()
    const origin = new Reading(stand.origin)
    stand.client.write('x')
    await until(() => origin.text === 'x')
    stand.client.resetAndDestroy()
    await until(() => origin.ended || origin.closed)
    stand.origin.destroy()
    await stand.endsAs('client-closed', 1, 0)
  })

  it('the origin: the client gets what was under way, and then the end', async () => {
    const stand = await Stand.open()
    stand.origin.write(Buffer.alloc(20_000_000, 'o'))
    await until(() => stand.wires.client.full)
    const carried = stand.flow.bytesDown
    stand.origin.resetAndDestroy()
    // Nothing reads from the origin while the client is full: the reset is found with the next bytes.
    const client = new Reading(stand.client)
    await until(() => client.ended || client.closed)
    expect(client.length).toBeGreaterThanOrEqual(carried)
    expect(client.length).toBe(stand.flow.bytesDown)
    stand.client.destroy()
    await stand.endsAs('origin-closed', 0, client.length)
  })

  it('a client that takes nothing after that has five seconds', async () => {
    const stand = await Stand.open()
    stand.origin.write(Buffer.alloc(20_000_000, 'o'))
    await until(() => stand.wires.client.full)
    stand.wires.origin.destroy()
    await until(() => stand.wires.origin.destroyed)
    await new Promise((resolve) => setImmediate(resolve))
    stand.sweepAfter(4_999)
    expect(stand.wires.client.destroyed).toBe(false)
    stand.sweepAfter(1)
    expect(stand.wires.client.destroyed).toBe(true)
    await stand.endsAs('origin-closed', 0, stand.flow.bytesDown)
  })
})

describe('what comes for a side that has closed', () => {
  /** The origin has said all and is gone; the client goes on. */
  async function orphaned(): Promise<Stand> {
    const stand = await Stand.open()
    const client = new Reading(stand.client)
    stand.origin.end('all')
    await until(() => client.ended)
    stand.wires.origin.destroy()
    await new Promise((resolve) => setImmediate(resolve))
    return stand
  }

  it('is let go where it is little: the tunnel was whole', async () => {
    const stand = await orphaned()
    stand.client.end(Buffer.alloc(65_536))
    await stand.endsAs('complete', 0, 3)
  })

  it('is cut where it does not stop', async () => {
    const stand = await orphaned()
    stand.client.write(Buffer.alloc(2_000_000))
    await stand.endsAs('origin-closed', 0, 3)
  })

  it('is waited for five seconds, not for ever', async () => {
    const stand = await orphaned()
    stand.sweepAfter(4_999)
    expect(stand.closes).toBe(0)
    stand.sweepAfter(1)
    await stand.endsAs('origin-closed', 0, 3)
  })
})

describe('time', () => {
  it('a tunnel silent for tunnelIdle is ended, and one that speaks is not', async () => {
    const stand = await Stand.open()
    const { tunnelIdleMs } = engine.world.limits
    const [client, origin] = [new Reading(stand.client), new Reading(stand.origin)]
    stand.sweepAfter(0)
    stand.sweepAfter(tunnelIdleMs - 1)
    stand.client.write('u')
    await until(() => origin.text === 'u')
    stand.sweepAfter(1)
    stand.sweepAfter(tunnelIdleMs - 1)
    stand.origin.write('d')
    await until(() => client.text === 'd')
    stand.sweepAfter(1)
    stand.sweepAfter(tunnelIdleMs - 1)
    expect(stand.closes).toBe(0)
    stand.sweepAfter(1)
    await stand.endsAs('timeout', 1, 1)
  })

  it('taking what waits is no silence', async () => {
    const stand = await Stand.open()
    const { tunnelIdleMs } = engine.world.limits
    stand.origin.write(Buffer.alloc(9_000_000))
    await until(() => stand.wires.client.full)
    stand.sweepAfter(0)
    const client = new Reading(stand.client)
    await until(() => client.length === 9_000_000 && !stand.wires.client.full)
    stand.sweepAfter(tunnelIdleMs - 1)
    stand.sweepAfter(tunnelIdleMs - 1)
    expect(stand.closes).toBe(0)
  })

  it('one of which a side has ended may be silent for two minutes', async () => {
    const stand = await Stand.open()
    const origin = new Reading(stand.origin)
    stand.client.end()
    await until(() => origin.ended)
    stand.sweepAfter(0)
    stand.sweepAfter(119_999)
    expect(stand.closes).toBe(0)
    stand.sweepAfter(1)
    await stand.endsAs('timeout', 0, 0)
  })

  it('none lives longer than tunnelLifetime, whatever moves', async () => {
    const stand = await Stand.open()
    const { tunnelLifetimeMs, tunnelIdleMs } = engine.world.limits
    const origin = new Reading(stand.origin)
    let sent = 0
    for (let atMs = 0; atMs < tunnelLifetimeMs - 1; ) {
      const stepMs = Math.min(tunnelIdleMs - 1, tunnelLifetimeMs - 1 - atMs)
      stand.client.write('x')
      sent++
      await until(() => origin.length === sent)
      stand.sweepAfter(stepMs)
      atMs += stepMs
    }
    expect(stand.closes).toBe(0)
    stand.sweepAfter(1)
    await stand.endsAs('lifetime', sent, 0)
  })

  it('a flow that is cut ends both sides at once, as it is told', async () => {
    const stand = await Stand.open()
    const [client, origin] = [new Reading(stand.client), new Reading(stand.origin)]
    stand.origin.write(Buffer.alloc(20_000_000))
    stand.client.write('x')
    await until(() => origin.text === 'x')
    stand.flow.cut!('spent')
    stand.flow.cut?.('shutdown')
    await until(() => client.closed || client.ended)
    await until(() => origin.closed || origin.ended)
    await stand.endsAs('spent', 1, stand.flow.bytesDown)
  })
})

describe('a reader that stops', () => {
  for (const way of ['down', 'up'] as const) {
    it(`stops the writer (${way}), and loses nothing when it goes on`, async () => {
      const stand = await Stand.open()
      const from = way === 'down' ? stand.origin : stand.client
      const to = way === 'down' ? 'client' : 'origin'
      const sent = 60_000_000
      const carried = () => (way === 'down' ? stand.flow.bytesDown : stand.flow.bytesUp)
      const writer = new Writer(from, 5).send([sent])
      writer.end()
      await until(() => stand.wires[to].full)
      const before = carried()
      // A whole exchange of another tunnel later nothing more has been read.
      const other = await Stand.open()
      const echoed = new Reading(other.origin)
      other.client.end(Buffer.alloc(3_000_000))
      await until(() => echoed.ended)
      expect(carried()).toBe(before)
      expect(before).toBeLessThan(sent / 2)
      expect(stand.wires[to].waitingBytes).toBeLessThanOrEqual(262_144)
      const reader = new Reader(stand[to], 5, [0])
      await until(() => reader.ended)
      expect([reader.fault, reader.received, carried()]).toEqual(['', sent, sent])
    })
  }
})
