/**
 * Owns: the origin connection that a client has signed in: kept for its origin and era, and for nothing said.
 * Never: signs in; clients.test.ts does, from outside.
 */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Pin } from '../../src/proxy/pin.ts'
import { until, Wires } from './wires.ts'

let wires: Wires
let pin = new Pin()

beforeEach(async () => {
  pin = new Pin()
  wires = await Wires.open()
})

afterEach(async () => {
  pin.drop()
  await wires.close()
})

describe('take', () => {
  it('gives what was kept, once', async () => {
    const { wire } = await wires.dial()
    pin.keep('a:80', wire, 1)
    expect(pin.take('a:80', 1)).toBe(wire)
    expect(pin.take('a:80', 1)).toBeNull()
    expect(wire.destroyed).toBe(false)
  })

  it('gives nothing to another origin or in another era, and keeps it', async () => {
    const { wire } = await wires.dial()
    pin.keep('a:80', wire, 1)
    expect(pin.take('b:80', 1)).toBeNull()
    expect(pin.take('a:80', 2)).toBeNull()
    expect(pin.take('a:80', 1)).toBe(wire)
  })
})

describe('what is kept', () => {
  it('is dropped where the origin says anything', async () => {
    const { wire, peer } = await wires.dial()
    pin.keep('a:80', wire, 1)
    peer.write('HTTP/1.1 200 OK\r\n\r\n')
    await until(() => wire.destroyed)
    expect(pin.take('a:80', 1)).toBeNull()
  })

  it('is dropped where the origin ends', async () => {
    const { wire, peer } = await wires.dial()
    pin.keep('a:80', wire, 1)
    peer.end()
    await until(() => wire.destroyed)
    expect(pin.take('a:80', 1)).toBeNull()
  })

  it('is dropped where the origin resets', async () => {
    const { wire, peer } = await wires.dial()
    pin.keep('a:80', wire, 1)
    peer.resetAndDestroy()
    await until(() => wire.destroyed)
    expect(pin.take('a:80', 1)).toBeNull()
  })

  it('gives way to the next', async () => {
    const [first, second] = [await wires.dial(), await wires.dial()]
    pin.keep('a:80', first.wire, 1)
    pin.keep('a:80', second.wire, 1)
    expect(first.wire.destroyed).toBe(true)
    expect(pin.take('a:80', 1)).toBe(second.wire)
  })
})
