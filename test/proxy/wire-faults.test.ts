/**
 * Owns: that a fault of one owner closes its own wire and no other, and keeps nobody from hearing of theirs.
 * Never: lets an error reach the runner.
 */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Wire } from '../../src/proxy/wire.ts'
import { until, Wires, Witness } from './wires.ts'

/** More than the buffers of the system take. */
const LARGE = Buffer.alloc(20_000_000, 'x')

let wires: Wires
beforeEach(async () => {
  wires = await Wires.open()
})
afterEach(() => wires.close())

describe('the faults of an owner', () => {
  /** Takes the errors that reach nobody, in place of the runner. */
  async function uncaught(run: () => Promise<void>): Promise<string[]> {
    const before = process.listeners('uncaughtException')
    const caught: string[] = []
    process.removeAllListeners('uncaughtException')
    process.on('uncaughtException', ({ message }) => caught.push(message))
    try {
      await run()
    } finally {
      process.removeAllListeners('uncaughtException')
      for (const listener of before) process.on('uncaughtException', listener)
    }
    return caught
  }
  const fault = () => {
    throw new Error('of the owner')
  }

  async function closed(wire: Wire, count: { closes: number }, of: 'bytes' | 'end' | 'drain') {
    const none = () => {}
    const [onBytes, onEnd, onDrain] = ['bytes', 'end', 'drain'].map((one) =>
      one === of ? fault : none,
    ) as [() => void, () => void, () => void]
    const onClose = () => void count.closes++
    wire.owner = { onBytes, onEnd, onDrain, onClose }
    await until(() => count.closes > 0)
  }

  for (const of of ['bytes', 'end', 'drain'] as const) {
    it(`in ${of} close the wire`, async () => {
      const { wire, peer } = await wires.accept()
      const count = { closes: 0 }
      const caught = await uncaught(async () => {
        wire.resume()
        if (of === 'drain') wire.write(LARGE)
        if (of === 'drain') peer.resume()
        else peer.end(of === 'bytes' ? 'x' : '')
        await closed(wire, count, of)
      })
      expect([caught, count.closes, wire.destroyed]).toEqual([['of the owner'], 1, true])
    })
  }

  it('in close do not keep others from hearing of theirs', async () => {
    const pairs = [await wires.accept(), await wires.accept(), await wires.accept()]
    const witnesses = pairs.map(({ wire }) => new Witness(wire))
    witnesses[0]!.onClose = fault
    witnesses[1]!.onClose = fault
    const caught = await uncaught(async () => {
      for (const { wire } of pairs) wire.destroy()
      await until(() => witnesses[2]!.closed)
    })
    expect(caught).toEqual(['of the owner', 'of the owner'])
  })
})
