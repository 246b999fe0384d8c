import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Opening } from '../../src/proxy/open.ts'
import { type Place, placesOf } from '../../src/proxy/places.ts'
import { Race } from '../../src/proxy/race.ts'
import type { Wire } from '../../src/proxy/wire.ts'
import { MovedTimers } from './moved-timers.ts'
import { descriptors, until } from './wires.ts'

let server: Server
let accepted: Socket[]
let opened: Wire[]
beforeEach(async () => {
  accepted = []
  opened = []
  server = createServer((socket) => accepted.push(socket.on('error', () => {})))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
})
afterEach(() => {
  for (const wire of opened) wire.destroy()
  for (const socket of accepted) socket.destroy()
  server.close()
})

const port = () => (server.address() as AddressInfo).port

/** A race to one address: what it said, in order; empty as long as nothing. */
function race(text: string, to: number): { said: string[]; race: Race<Opening> } {
  const said: string[] = []
  const started = new Race<Opening>({
    places: placesOf([text]) as readonly Place[],
    timeoutMs: 10_000,
    timers: new MovedTimers(),
    open: (place, race) => new Opening(place, to, race),
    done: (result) => {
      said.push(result.ok ? 'connected' : result.detail)
      if (result.ok) opened.push(result.attempt.wire)
    },
  })
  return { said, race: started }
}

describe('opening', () => {
  it('gives a wire that works', async () => {
    const { said } = race('127.0.0.1', port())
    expect(said).toEqual([])
    await until(() => said.length > 0 && accepted.length > 0)
    expect(said).toEqual(['connected'])
    expect(opened[0]!.peer).toMatchObject({ address: '127.0.0.1', port: port() })
    opened[0]!.writeText('hello')
    await until(() => String(accepted[0]!.read() ?? '') === 'hello')
  })

  it('says why not, and leaves nothing open', async () => {
    const to = port()
    await new Promise((resolve) => server.close(resolve))
    const before = descriptors()
    const { said } = race('127.0.0.1', to)
    await until(() => said.length > 0)
    expect(said).toEqual(['ECONNREFUSED'])
    await until(() => descriptors() === before)
  })

  it('says in a later turn what the system knows at once', async () => {
    const before = descriptors()
    const { said } = race('255.255.255.255', 9)
    expect(said).toEqual([])
    await until(() => said.length > 0)
    expect(said[0]).toMatch(/^E(NETUNREACH|ACCES)$/)
    await until(() => descriptors() === before)
  })

  it('given up says nothing and leaves nothing open, also where it failed at once', async () => {
    const before = descriptors()
    const all = [race('127.0.0.1', port()), race('255.255.255.255', 9)]
    for (const { race } of all) race.cancel()
    // What connects after them has connected: they would have too.
    const { said } = race('127.0.0.1', port())
    await until(() => said.length > 0)
    opened[0]!.destroy()
    for (const socket of accepted) socket.destroy()
    expect(all.map(({ said }) => said)).toEqual([[], []])
    await until(() => descriptors() === before)
  })
})
