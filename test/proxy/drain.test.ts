import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Ledger } from '../../src/ledger/ledger.ts'
import { Engine } from '../../src/proxy/engine.ts'
import { Listeners } from '../../src/proxy/listen.ts'
import type { WriterPort } from '../../src/proxy/record.ts'
import { allocateTally } from '../../src/proxy/tally-memory.ts'
import { FakeWriter } from './recording.ts'
import { openWorld } from './world.ts'

/** More than the buffers of the system hold of it: some of it stays with us. */
const LARGE = Buffer.alloc(30_000_000, 'x')
const NOW_MS = Date.UTC(2026, 4, 4, 10)

let engine: Engine
let listeners: Listeners
let writer: FakeWriter
let browser: Socket
beforeEach(async () => {
  engine = new Engine({
    world: openWorld(),
    run: 'run',
    ledger: new Ledger(Ledger.allocate(16)),
    tally: allocateTally(1),
    thread: 0,
    clock: () => NOW_MS,
    monotonic: () => 0,
    resolve: () => new Promise(() => {}),
    alarm: () => {},
  })
  writer = new FakeWriter()
  engine.recorder.connect(writer as unknown as WriterPort)
  listeners = new Listeners(engine)
  expect(await listeners.set(engine.world.listen)).toEqual([])
  const { address, port } = listeners.endpoints[0]!
  browser = connect(port, address)
  await once(browser, 'connect')
  while (listeners.clients.size === 0) await new Promise((resolve) => setImmediate(resolve))
})
afterEach(() => {
  browser.destroy()
  listeners.close()
  for (const client of listeners.clients) client.socket.destroy()
})

const theClient = () => [...listeners.clients][0]!

describe('draining', () => {
  it('closes an idle connection only when the client has taken all of the last answer', async () => {
    const { socket } = theClient()
    socket.write(LARGE)
    expect(socket.writableLength).toBeGreaterThan(0)
    // As often as the drain looks; none of the looks may cut it short.
    for (let look = 0; look < 20; look++) theClient().closeIfIdle()
    let received = 0
    browser.on('data', (bytes: Buffer) => {
      received += bytes.length
    })
    await once(browser, 'close')
    expect(received).toBe(LARGE.length)
    expect(listeners.clients.size).toBe(0)
  })

  it('ends a connection whose request has not wholly come only when it is cut', async () => {
    browser.write('GET http://origin.test/ HTTP/1.1\r\nHo')
    await once(theClient().socket, 'data')
    theClient().closeIfIdle()
    expect([theClient().idle, theClient().socket.writableEnded]).toEqual([false, false])
  })

  it('gives a tunnel that is still being dialled its last record too', async () => {
    browser.write('CONNECT slow.test:443 HTTP/1.1\r\nHost: slow.test:443\r\n\r\n')
    while (engine.counters.flowsOpen === 0) await once(theClient().socket, 'data')
    engine.cutAll()
    expect(engine.counters.flowsOpen).toBe(0)
    engine.recorder.flush(true)
    expect(writer.batches.flatMap(({ records }) => records)).toMatchObject([
      { event: 'whole', host: 'slow.test', verdict: 'allow', ending: 'shutdown', status: 0 },
    ])
  })
})
