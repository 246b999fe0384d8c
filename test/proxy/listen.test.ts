import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Listeners } from '../../src/proxy/listen.ts'
import type { Endpoint } from '../../src/proxy/world.ts'
import { openEngine } from './engines.ts'
import { openWorld } from './world.ts'

let listeners: Listeners
let others: Server[]
beforeEach(() => {
  others = []
  listeners = new Listeners(openEngine(openWorld()).engine)
})
afterEach(() => {
  listeners.close()
  for (const client of listeners.clients) client.wire.destroy()
  for (const other of others) other.close()
})

const any: Endpoint = { address: '127.0.0.1', port: 0 }

/** A port of a program that shares with nobody. */
async function taken(): Promise<Endpoint> {
  const server = createServer()
  others.push(server)
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { address, port } = server.address() as AddressInfo
  return { address, port }
}

async function answers({ address, port }: Endpoint): Promise<boolean> {
  const socket = connect(port, address)
  const open = await new Promise<boolean>((resolve) => {
    socket.once('connect', () => resolve(true))
    socket.once('error', () => resolve(false))
  })
  socket.destroy()
  return open
}

async function listenOn(...wanted: Endpoint[]): Promise<readonly Endpoint[]> {
  expect(await listeners.set(wanted)).toEqual([])
  return listeners.endpoints
}

describe('listeners', () => {
  it('keep the port that the system picked, by whichever name it is asked for', async () => {
    const [first] = await listenOn(any)
    expect(await listenOn(first!)).toEqual([first])
    expect(await answers(first!)).toBe(true)
    const both = await listenOn(first!, any)
    expect(both[0]).toEqual(first)
    expect(both[1]!.port).not.toBe(first!.port)
  })

  it('move: the new one answers, the old one does not', async () => {
    const [first] = await listenOn(any)
    const [second] = await listenOn(any)
    expect(second!.port).not.toBe(first!.port)
    expect([await answers(first!), await answers(second!)]).toEqual([false, true])
  })

  it('stay where they were when one cannot be opened, and the others are opened', async () => {
    const [first] = await listenOn(any)
    const occupied = await taken()
    const failures = await listeners.set([occupied])
    expect(failures).toEqual([{ endpoint: occupied, why: 'EADDRINUSE' }])
    expect(listeners.endpoints).toEqual([first])
    expect(await answers(first!)).toBe(true)
  })

  it('that are moved while they move are opened once', async () => {
    const [free] = await listenOn(any)
    await listenOn(any)
    expect(await answers(free!)).toBe(false)
    await Promise.all([listeners.set([free!]), listeners.set([free!])])
    expect(listeners.endpoints).toEqual([free])
    await listenOn(any)
    expect(await answers(free!)).toBe(false)
  })

  it('that are closed while they move do not come back', async () => {
    const moving = listeners.set([any])
    listeners.close()
    expect(await moving).toEqual([])
    expect(listeners.endpoints).toEqual([])
    expect(await listeners.set([any])).toEqual([])
    expect(listeners.endpoints).toEqual([])
  })
})
