/**
 * Owns: which idle connections are kept, handed out and dropped: real sockets on loopback, time told.
 * Never: waits for a time to pass.
 */
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Pool } from '../../src/proxy/pool.ts'

const LIMITS = { poolPerOrigin: 2, poolTotal: 3, poolIdleMs: 1_000 }

let server: Server
let port = 0
/** The origin's ends, in the order of connecting. */
let origins: Socket[] = []
let ours: Socket[] = []
let pool = new Pool(LIMITS)

beforeEach(async () => {
  pool = new Pool(LIMITS)
  server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => {})
    origins.push(socket)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  port = (server.address() as AddressInfo).port
})

afterEach(() => {
  pool.clear()
  for (const socket of [...ours, ...origins]) socket.destroy()
  ours = []
  origins = []
  server.close()
})

/** A connection as dial makes it, and the origin's end of it. */
async function dial(): Promise<{ socket: Socket; origin: Socket }> {
  const at = origins.length
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  socket.on('error', () => {})
  ours.push(socket)
  await once(socket, 'connect')
  await vi.waitUntil(() => origins.length > at)
  return { socket, origin: origins[at]! }
}

/** What listens to `socket`, by event. */
function listeners(socket: Socket): Record<string, number> {
  return Object.fromEntries(
    socket.eventNames().map((event) => [String(event), socket.listenerCount(event)]),
  )
}

describe('take', () => {
  it('gives null where there is none', () => {
    expect(pool.take('a:80')).toBeNull()
  })

  it('gives the one that was used last', async () => {
    const [first, second] = [await dial(), await dial()]
    pool.give('a:80', first.socket, 0)
    pool.give('a:80', second.socket, 0)
    expect(pool.take('a:80')).toBe(second.socket)
    expect(pool.take('a:80')).toBe(first.socket)
    expect(pool.take('a:80')).toBeNull()
  })

  it('gives it to its own origin only', async () => {
    const { socket } = await dial()
    pool.give('a:80', socket, 0)
    expect(pool.take('a:8080')).toBeNull()
    expect(pool.take('b:80')).toBeNull()
    expect(pool.take('a:80')).toBe(socket)
  })

  it('passes over one that was destroyed a moment ago', async () => {
    const [first, second] = [await dial(), await dial()]
    pool.give('a:80', first.socket, 0)
    pool.give('a:80', second.socket, 0)
    second.socket.destroy()
    expect(pool.take('a:80')).toBe(first.socket)
    expect(pool.size).toBe(0)
  })

  it('gives one that still works', async () => {
    const { socket, origin } = await dial()
    pool.give('a:80', socket, 0)
    pool.take('a:80')
    const answered = once(socket, 'data')
    socket.write('GET')
    expect(String((await once(origin, 'data'))[0])).toBe('GET')
    origin.write('200')
    expect(String((await answered)[0])).toBe('200')
  })
})

describe('the bounds', () => {
  it('of an origin: one more is closed', async () => {
    const sockets = [(await dial()).socket, (await dial()).socket, (await dial()).socket]
    for (const socket of sockets) pool.give('a:80', socket, 0)
    expect(sockets.map(({ destroyed }) => destroyed)).toEqual([false, false, true])
    expect(pool.size).toBe(2)
  })

  it('of all: one more is closed', async () => {
    const sockets: Socket[] = []
    for (const origin of ['a', 'b', 'c', 'd']) {
      const { socket } = await dial()
      sockets.push(socket)
      pool.give(origin, socket, 0)
    }
    expect(sockets.map(({ destroyed }) => destroyed)).toEqual([false, false, false, true])
    expect(pool.size).toBe(3)
  })

  it('of 0: none is kept', async () => {
    pool.configure({ ...LIMITS, poolTotal: 0 })
    const { socket } = await dial()
    pool.give('a:80', socket, 0)
    expect(socket.destroyed).toBe(true)
    expect(pool.size).toBe(0)
  })

  it('give the place back when one is taken', async () => {
    const sockets = [(await dial()).socket, (await dial()).socket, (await dial()).socket]
    pool.give('a:80', sockets[0]!, 0)
    pool.give('a:80', sockets[1]!, 0)
    pool.take('a:80')
    pool.give('a:80', sockets[2]!, 0)
    expect(sockets[2]!.destroyed).toBe(false)
    expect(pool.size).toBe(2)
  })
})

describe('what is not kept', () => {
  function check(name: string, spoil: (socket: Socket, origin: Socket) => unknown) {
    it(name, async () => {
      const { socket, origin } = await dial()
      await spoil(socket, origin)
      pool.give('a:80', socket, 0)
      expect(pool.size).toBe(0)
      expect(socket.destroyed).toBe(true)
    })
  }
  check('one that is destroyed', (socket) => socket.destroy())
  check('one that we have ended', (socket) => socket.end())
  check('one that the origin has ended', async (socket, origin) => {
    socket.resume()
    origin.end()
    await once(socket, 'end')
  })
  check('one with an answer that nobody has read', async (socket, origin) => {
    origin.write('HTTP/1.1 200 OK\r\n\r\n')
    await vi.waitUntil(() => socket.readableLength > 0)
  })
})

describe('what is dropped while it is idle', () => {
  function check(name: string, happen: (socket: Socket, origin: Socket) => unknown) {
    it(name, async () => {
      const { socket, origin } = await dial()
      const { socket: other } = await dial()
      pool.give('a:80', other, 0)
      // As back-pressure leaves it.
      socket.pause()
      pool.give('a:80', socket, 0)
      happen(socket, origin)
      await vi.waitUntil(() => pool.size === 1)
      await vi.waitUntil(() => socket.closed)
      expect(pool.take('a:80')).toBe(other)
    })
  }
  check('one on which the origin speaks', (_socket, origin) => origin.write('x'))
  check('one that the origin ends', (_socket, origin) => origin.end())
  check('one that the origin resets', (_socket, origin) => origin.resetAndDestroy())
  check('one that fails', (socket) => socket.destroy(new Error('failed')))
})

describe('sweep', () => {
  it('closes what has been idle for the whole time, and no other', async () => {
    const [first, second] = [await dial(), await dial()]
    pool.give('a:80', first.socket, 0)
    pool.give('b:80', second.socket, 1)
    pool.sweep(999)
    expect(pool.size).toBe(2)
    pool.sweep(1_000)
    expect([first.socket.destroyed, second.socket.destroyed]).toEqual([true, false])
    expect(pool.size).toBe(1)
    pool.sweep(1_001)
    expect(second.socket.destroyed).toBe(true)
    expect(pool.size).toBe(0)
  })

  it('counts from the last use', async () => {
    const { socket } = await dial()
    pool.give('a:80', socket, 0)
    pool.take('a:80')
    pool.give('a:80', socket, 900)
    pool.sweep(1_500)
    expect(pool.take('a:80')).toBe(socket)
  })

  it('goes by new limits', async () => {
    const { socket } = await dial()
    pool.give('a:80', socket, 0)
    pool.configure({ ...LIMITS, poolIdleMs: 10 })
    pool.sweep(10)
    expect(socket.destroyed).toBe(true)
  })
})

it('clear closes all', async () => {
  const [first, second] = [await dial(), await dial()]
  pool.give('a:80', first.socket, 0)
  pool.give('b:80', second.socket, 0)
  pool.clear()
  expect([first.socket.destroyed, second.socket.destroyed]).toEqual([true, true])
  expect(pool.size).toBe(0)
})

it('leaves no listener behind, however often one is given and taken', async () => {
  const { socket } = await dial()
  const before = listeners(socket)
  for (let i = 0; i < 50; i++) {
    pool.give('a:80', socket, i)
    expect(pool.take('a:80')).toBe(socket)
    expect(listeners(socket)).toEqual(before)
  }
  pool.give('a:80', socket, 0)
  pool.clear()
  expect(listeners(socket)).toEqual(before)
})
