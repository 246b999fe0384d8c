import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Engine } from '../../src/proxy/engine.ts'
import { Listeners } from '../../src/proxy/listen.ts'
import { openEngine } from './engines.ts'
import type { FakeWriter } from './recording.ts'
import { openWorld } from './world.ts'

/** More than the buffers of the system hold of it: some of it stays with us. */
const LARGE = Buffer.alloc(30_000_000, 'x')

let engine: Engine
let listeners: Listeners
let writer: FakeWriter
let browser: Socket
beforeEach(async () => {
  ;({ engine, writer } = openEngine(openWorld()))
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
  for (const client of listeners.clients) client.wire.destroy()
})

const theClient = () => [...listeners.clients][0]!

describe('draining', () => {
  it('closes an idle connection only when the client has taken all of the last answer', async () => {
    const { wire } = theClient()
    wire.write(LARGE)
    expect(wire.waitingBytes).toBeGreaterThan(0)
    // As often as the drain looks; none of the looks may cut it short.
    for (let look = 0; look < 20; look++) theClient().closeIfIdle()
    let received = 0
    browser.on('data', (bytes: Buffer) => {
      received += bytes.length
    })
    await once(browser, 'close')
    expect(received).toBe(LARGE.length)
    await vi.waitUntil(() => listeners.clients.size === 0)
  })

  it('ends a connection whose request has not wholly come only when it is cut', async () => {
    browser.write('GET http://origin.test/ HTTP/1.1\r\nHo')
    await vi.waitUntil(() => !theClient().idle)
    theClient().closeIfIdle()
    expect([theClient().idle, theClient().wire.writable]).toEqual([false, true])
  })

  it('gives a tunnel that is still being dialled its last record too', async () => {
    browser.write('CONNECT slow.test:443 HTTP/1.1\r\nHost: slow.test:443\r\n\r\n')
    await vi.waitUntil(() => engine.counters.flowsOpen === 1)
    engine.cutAll()
    expect(engine.counters.flowsOpen).toBe(0)
    engine.recorder.flush(true)
    expect(writer.batches.flatMap(({ records }) => records)).toMatchObject([
      { event: 'whole', host: 'slow.test', verdict: 'allow', ending: 'shutdown', status: 0 },
    ])
  })
})
