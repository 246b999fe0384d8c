import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Engine } from '../../src/proxy/engine.ts'
import { Listeners } from '../../src/proxy/listen.ts'
import { Wire } from '../../src/proxy/wire.ts'
import { openEngine } from './engines.ts'
import { openWorld } from './world.ts'

/** More than the buffers of the system hold of it: some of it stays with us. */
const LARGE = Buffer.alloc(30_000_000, 'x')

let engine: Engine
let listeners: Listeners
let browser: Socket
let origin: Server
let nowMs: number
let received: string
/** Connections to the origin, and what it does with the requests on them. */
let dialled: Socket[]
let answer: (socket: Socket) => void

beforeEach(async () => {
  nowMs = 0
  received = ''
  dialled = []
  answer = () => {}
  origin = createServer({ allowHalfOpen: true }, (socket) => {
    dialled.push(socket)
    socket.on('error', () => {})
    socket.on('data', () => answer(socket))
  })
  await once(origin.listen(0, '127.0.0.1'), 'listening')
  ;({ engine } = openEngine(theWorld(1), () => nowMs))
  listeners = new Listeners(engine)
  expect(await listeners.set(engine.world.listen)).toEqual([])
  const { address, port } = listeners.endpoints[0]!
  browser = connect({ host: address, port, allowHalfOpen: true })
  await once(browser, 'connect')
  await vi.waitUntil(() => listeners.clients.size === 1)
})
afterEach(() => {
  browser.destroy()
  listeners.close()
  engine.pool.clear()
  for (const client of listeners.clients) client.wire.destroy()
  for (const socket of dialled) socket.destroy()
  origin.close()
})

const originPort = () => (origin.address() as AddressInfo).port
const theWorld = (version: number) =>
  openWorld(version, { ports: { http: [originPort()], connect: [originPort()] } })
const theClient = () => [...listeners.clients][0]!
const request = () =>
  `GET http://origin.test:${originPort()}/ HTTP/1.1\r\nHost: origin.test:${originPort()}\r\n\r\n`
const FORBIDDEN = 'GET http://origin.test:1/ HTTP/1.1\r\nHost: origin.test:1\r\n\r\n'
const EMPTY = 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'

/** Reads on, until what has come satisfies `condition`. */
async function readUntil(condition: () => boolean): Promise<void> {
  browser.on('data', (bytes: Buffer) => {
    received += bytes.toString('latin1')
  })
  await vi.waitUntil(condition, { timeout: 10_000, interval: 5 })
}
/** Until no more is asked: what the system's buffers hold of answers is there, and no more. */
async function standsStill(): Promise<void> {
  let before = -1
  await vi.waitUntil(
    () => {
      const still = engine.counters.requests > 0 && engine.counters.requests === before
      before = engine.counters.requests
      return still
    },
    { timeout: 10_000, interval: 200 },
  )
}
const times = (text: string) => received.split(text).length - 1

describe('a client that asks faster than it listens', () => {
  it('is not read from until it has taken its answers, and then gets them all', async () => {
    const asked = 10_000
    browser.end(FORBIDDEN.repeat(asked))
    await standsStill()
    expect(engine.counters.requests).toBeLessThan(asked * 0.8)
    expect(theClient().wire.waitingBytes).toBeLessThan(100_000)
    await readUntil(() => browser.readableEnded)
    expect(times('HTTP/1.1 403')).toBe(asked)
  })

  it('is not answered from an origin faster either', async () => {
    const asked = 2_000
    const content = 'x'.repeat(30_000)
    answer = (socket) => socket.write(`HTTP/1.1 200 OK\r\nContent-Length: 30000\r\n\r\n${content}`)
    browser.end(request().repeat(asked))
    await standsStill()
    expect(theClient().wire.waitingBytes).toBeLessThan(200_000)
    await readUntil(() => browser.readableEnded)
    expect(times('HTTP/1.1 200')).toBe(asked)
    expect(received.length).toBeGreaterThan(asked * content.length)
  })

  it('gets every answer where it has ended its side after several requests', async () => {
    answer = (socket) => socket.write(EMPTY)
    browser.end(request() + FORBIDDEN + request())
    await readUntil(() => browser.readableEnded)
    expect([times('HTTP/1.1 200'), times('HTTP/1.1 403')]).toEqual([2, 1])
  })
})

describe('empty lines before a request', () => {
  it('are passed over, also in pieces', async () => {
    for (const text of ['\r', '\n\r', '\n', FORBIDDEN]) {
      browser.write(text)
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    await readUntil(() => times('HTTP/1.1 403') === 1)
    expect(engine.counters.reasons).toEqual({ 'port-forbidden': 1 })
  })

  it('without end are not gathered', async () => {
    browser.write('\r\n'.repeat(5_000))
    await readUntil(() => browser.readableEnded)
    expect(received).toMatch(/^HTTP\/1\.1 400 /)
    expect(engine.counters.reasons).toEqual({ 'request-line': 1 })
  })
})

describe('an answer that ends the connection', () => {
  it('is not cut short because the client is slow to take it', async () => {
    theClient().wire.write(LARGE)
    browser.write('no request\r\n\r\n')
    await vi.waitUntil(() => engine.counters.requests === 1)
    nowMs += 10_000
    theClient().sweep(nowMs)
    await readUntil(() => browser.readableEnded)
    expect(received.length).toBeGreaterThan(LARGE.length)
    expect(times('HTTP/1.1 400')).toBe(1)
  })
})

describe('an origin', () => {
  it('that gives interim answers without end is broken off', async () => {
    answer = (socket) => socket.write('HTTP/1.1 103 Early Hints\r\n\r\n'.repeat(1_000))
    browser.write(request())
    await readUntil(() => times('HTTP/1.1 502') === 1)
    expect(times('HTTP/1.1 103')).toBe(100)
    await vi.waitUntil(() => dialled[0]!.destroyed || dialled[0]!.readableEnded)
  })

  it('whose chunks are tiny costs no write for each', async () => {
    const chunks = 10_000
    answer = (socket) => {
      const head = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n'
      socket.write(`${head}${'1\r\nx\r\n'.repeat(chunks)}0\r\n\r\n`)
    }
    const sent = vi.spyOn(Wire.prototype, 'write')
    browser.write(request())
    await readUntil(() => received.endsWith('\r\n0\r\n\r\n'))
    expect(times('x')).toBe(chunks)
    expect(sent.mock.calls.length).toBeLessThan(100)
    sent.mockRestore()
  })

  it('that was dialled before names have changed is not used after it', async () => {
    answer = vi.fn()
    browser.write(request())
    await vi.waitUntil(() => vi.mocked(answer).mock.calls.length === 1)
    const world = theWorld(2)
    engine.replace({ ...world, hosts: { ...world.hosts, 'other.test': ['127.0.0.1'] } })
    answer = (socket) => socket.write(EMPTY)
    dialled[0]!.write(EMPTY)
    await readUntil(() => times('HTTP/1.1 200') === 1)
    browser.write(request())
    await vi.waitUntil(() => times('HTTP/1.1 200') === 2)
    browser.write(request())
    await vi.waitUntil(() => times('HTTP/1.1 200') === 3)
    expect(dialled.length).toBe(2)
  })

  it('is used on after a change that says nothing of names and addresses', async () => {
    answer = (socket) => socket.write(EMPTY)
    browser.write(request())
    await readUntil(() => times('HTTP/1.1 200') === 1)
    engine.replace(theWorld(2))
    browser.write(request())
    await vi.waitUntil(() => times('HTTP/1.1 200') === 2)
    expect(dialled.length).toBe(1)
  })
})
