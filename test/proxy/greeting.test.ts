/**
 * Owns: what becomes of a tunnel by its first bytes: passed on whole, refused, or never finished.
 * Never: judges names; the tests of policy/hello.ts do.
 */
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Engine } from '../../src/proxy/engine.ts'
import { tlsRecord, tlsRecords } from './client-hello.ts'
import { openEngine } from './engines.ts'
import { ALERT, HOST, helloOf, openStand, type Stand, said } from './greetings.ts'
import { until, Wires } from './wires.ts'
import { openWorld } from './world.ts'

const MATCHED = tlsRecord(helloOf(HOST))
const OTHER = tlsRecord(helloOf('other.test'))
/** What a client may say on before the origin answers. */
const EARLY = tlsRecord(Buffer.from('early data'), { type: 0x17 })

let wires: Wires
let nowMs: number
let engine: Engine
beforeEach(async () => {
  wires = await Wires.open()
  nowMs = 1_000
  const tunnels = { mismatch: 'refuse', notTls: 'refuse' }
  const world = openWorld(1, { tunnels, ports: { connect: [443, 22] } })
  engine = openEngine(world, () => nowMs).engine
})
afterEach(() => wires.close())

const open = (first?: Buffer, port?: number): Promise<Stand> =>
  openStand({ wires, engine, ...(first && { first }), ...(port && { port }) })

/** Refused: not a byte has reached the origin, and the tunnel is over once the client has gone. */
async function isRefused(stand: Stand, expected: object, alert: string): Promise<void> {
  await until(() => stand.atClient.ended && (stand.atOrigin.ended || stand.atOrigin.closed))
  expect([stand.atClient.text, stand.atOrigin.text]).toEqual([alert, ''])
  stand.client.end()
  await until(() => stand.closes === 1)
  const bytesDown = alert.length
  expect(said(stand)).toMatchObject({ ending: 'refused', bytesUp: 0, bytesDown, ...expected })
  expect(engine.counters.reasons[stand.flow.verdict.reason]).toBe(1)
}

describe('a hello that is let through', () => {
  for (const [name, first, rest] of [
    ['with the CONNECT', MATCHED, ''],
    ['with the CONNECT, and more', Buffer.concat([MATCHED, EARLY]), EARLY.toString('latin1')],
    ['after the CONNECT', Buffer.alloc(0), MATCHED.toString('latin1')],
    ['split by the CONNECT', MATCHED.subarray(0, 3), MATCHED.toString('latin1', 3)],
  ] as const) {
    it(`reaches the origin as it was sent: ${name}`, async () => {
      const stand = await open(first)
      stand.client.end(rest, 'latin1')
      await until(() => stand.atOrigin.ended)
      const whole = first.toString('latin1') + rest
      expect(stand.atOrigin.text).toBe(whole)
      stand.fromOrigin.end('answer')
      await until(() => stand.closes === 1)
      expect(stand.atClient.text).toBe('answer')
      expect(said(stand)).toEqual({
        ...{ hello: 'matched', serverName: HOST, verdict: 'allow', ending: 'complete' },
        ...{ bytesUp: whole.length, bytesDown: 6 },
      })
    })
  }

  it('is not waited for before the origin may speak', async () => {
    const stand = await open()
    stand.fromOrigin.write('220 ready')
    await until(() => stand.atClient.text === '220 ready')
    stand.client.write(MATCHED)
    await until(() => stand.atOrigin.length === MATCHED.length)
  })

  it('may come a byte at a time', async () => {
    const stand = await open()
    stand.client.setNoDelay(true)
    for (const [i] of MATCHED.entries()) {
      expect(stand.atOrigin.length).toBe(0)
      await new Promise((resolve) => stand.client.write(MATCHED.subarray(i, i + 1), resolve))
    }
    await until(() => stand.atOrigin.length === MATCHED.length)
    expect(stand.atOrigin.bytes.equals(MATCHED)).toBe(true)
    expect(said(stand)).toMatchObject({ hello: 'matched', bytesUp: MATCHED.length })
  })

  it('may come in any records and segments, with anything after it', async () => {
    const cuts = fc.array(fc.integer({ min: 1, max: 80 }), { minLength: 1, maxLength: 12 })
    const size = fc.integer({ min: 1, max: 60 })
    await fc.assert(
      fc.asyncProperty(size, cuts, fc.nat({ max: 40 }), async (record, lengths, early) => {
        const rest = tlsRecords(Buffer.alloc(early), 17).map((byte) =>
          byte === 0x16 ? 0x17 : byte,
        )
        const bytes = Buffer.concat([tlsRecords(helloOf(HOST), record), rest])
        const stand = await open()
        stand.client.setNoDelay(true)
        let at = 0
        for (let i = 0; at < bytes.length; i++) {
          const end = at + lengths[i % lengths.length]!
          stand.client.write(bytes.subarray(at, end))
          at = end
          if (i % 3 === 0) await new Promise((resolve) => setImmediate(resolve))
        }
        stand.client.end()
        await until(() => stand.atOrigin.ended)
        expect(stand.atOrigin.bytes.equals(bytes)).toBe(true)
        expect(said(stand)).toMatchObject({ hello: 'matched', bytesUp: bytes.length })
        stand.fromOrigin.end()
        await until(() => stand.closes === 1)
      }),
      { numRuns: 25 },
    )
  })

  it('is nothing at all where the client only ends, or only listens', async () => {
    const stand = await open()
    stand.client.end()
    await until(() => stand.atOrigin.ended)
    stand.fromOrigin.end('a banner')
    await until(() => stand.closes === 1)
    expect(said(stand)).toMatchObject({ hello: '', verdict: 'allow', ending: 'complete' })
    const listener = await open()
    nowMs += 100_000
    listener.tunnel.sweep(nowMs)
    listener.fromOrigin.write('still there')
    await until(() => listener.atClient.text === 'still there')
  })

  it('is anything where the port is another', async () => {
    const stand = await open(Buffer.from('SSH-2.0-OpenSSH\r\n'), 22)
    await until(() => stand.atOrigin.text === 'SSH-2.0-OpenSSH\r\n')
    expect(said(stand)).toMatchObject({ hello: 'not-tls', verdict: 'allow' })
  })
})

describe('a hello that is refused', () => {
  const mismatch = { hello: 'mismatch', serverName: 'other.test', verdict: 'refuse' }

  it('is answered with an alert, and the origin hears nothing', async () => {
    await isRefused(await open(OTHER), mismatch, ALERT)
  })

  it('the same in pieces', async () => {
    const stand = await open(OTHER.subarray(0, 1))
    stand.client.write(OTHER.subarray(1, 40))
    await new Promise((resolve) => setImmediate(resolve))
    stand.client.write(OTHER.subarray(40))
    await isRefused(stand, mismatch, ALERT)
  })

  it('without an alert where it is not TLS', async () => {
    const stand = await open(Buffer.from('SSH-2.0-OpenSSH\r\n'))
    await isRefused(stand, { hello: 'not-tls', serverName: '', verdict: 'refuse' }, '')
  })

  it('ends a client that does not go, after five seconds', async () => {
    const stand = await open(OTHER)
    await until(() => stand.atClient.ended)
    stand.client.write(Buffer.alloc(1_000))
    nowMs += 4_999
    stand.tunnel.sweep(nowMs)
    expect(stand.closes).toBe(0)
    nowMs += 1
    stand.tunnel.sweep(nowMs)
    await until(() => stand.closes === 1)
    expect(said(stand)).toMatchObject({ ending: 'refused', bytesUp: 0 })
  })

  it('ends a client that goes on sending at once', async () => {
    const stand = await open(OTHER)
    stand.client.write(Buffer.alloc(3_000_000))
    await until(() => stand.closes === 1)
    expect(said(stand)).toMatchObject({ ending: 'refused', bytesUp: 0 })
  })
})

describe('a hello that is never whole', () => {
  const incomplete = { hello: 'incomplete', serverName: '', verdict: 'refuse' }

  it('is given headTimeout', async () => {
    const stand = await open(MATCHED.subarray(0, 50))
    const { headTimeoutMs } = engine.world.limits
    nowMs += headTimeoutMs - 1
    stand.tunnel.sweep(nowMs)
    expect(said(stand)).toMatchObject({ hello: '', verdict: 'allow' })
    nowMs += 1
    stand.tunnel.sweep(nowMs)
    await isRefused(stand, incomplete, '')
  })

  it('counts the time from its first byte, not from the CONNECT', async () => {
    const stand = await open()
    const { headTimeoutMs } = engine.world.limits
    nowMs += headTimeoutMs * 2
    stand.tunnel.sweep(nowMs)
    stand.client.write(MATCHED.subarray(0, 50))
    stand.fromOrigin.write('x')
    await until(() => stand.atClient.text === 'x')
    nowMs += headTimeoutMs - 1
    stand.tunnel.sweep(nowMs)
    stand.client.write(MATCHED.subarray(50))
    await until(() => stand.atOrigin.length === MATCHED.length)
    expect(said(stand)).toMatchObject({ hello: 'matched', verdict: 'allow' })
  })

  it('is given no more time for coming in drops', async () => {
    const stand = await open(MATCHED.subarray(0, 1))
    const { headTimeoutMs } = engine.world.limits
    for (let i = 1; i < 10; i++) {
      nowMs += headTimeoutMs / 10
      stand.client.write(MATCHED.subarray(i, i + 1))
      // The other way has moved: this has too.
      stand.fromOrigin.write('.')
      await until(() => stand.atClient.length === i)
      stand.tunnel.sweep(nowMs)
      expect(said(stand)).toMatchObject({ hello: '', verdict: 'allow' })
    }
    nowMs += headTimeoutMs / 10
    stand.tunnel.sweep(nowMs)
    await until(() => stand.atClient.ended)
    expect(said(stand)).toMatchObject(incomplete)
  })

  it('ends with the client that ends', async () => {
    const stand = await open(MATCHED.subarray(0, 50))
    stand.client.end()
    await isRefused(stand, incomplete, '')
  })

  it('ends with the client that resets', async () => {
    const stand = await open(MATCHED.subarray(0, 50))
    stand.client.resetAndDestroy()
    await until(() => stand.atOrigin.ended || stand.atOrigin.closed)
    stand.fromOrigin.destroy()
    await until(() => stand.closes === 1)
    expect(said(stand)).toMatchObject({ ending: 'client-closed', bytesUp: 0 })
    expect(stand.atOrigin.length).toBe(0)
  })

  it('is never passed on, whatever the setting and the port', async () => {
    const over = { tunnels: { notTls: 'allow' }, ports: { connect: [443, 22] } }
    engine.replace(openWorld(2, over))
    for (const port of [443, 22]) {
      const stand = await open(MATCHED.subarray(0, 50), port)
      stand.client.write(MATCHED.subarray(50, 60))
      nowMs += engine.world.limits.headTimeoutMs
      await until(() => {
        stand.tunnel.sweep(nowMs)
        nowMs += 1_000
        return stand.atClient.ended
      })
      expect([stand.atClient.text, stand.atOrigin.text]).toEqual(['', ''])
      expect(said(stand)).toMatchObject(incomplete)
      expect(stand.flow.verdict.rule).toBe('tunnels')
    }
  })

  it('nor is what is TLS and no hello', async () => {
    engine.replace(openWorld(2, { tunnels: { notTls: 'allow' } }))
    const empty = Buffer.concat([tlsRecord(Buffer.alloc(0)), OTHER])
    const malformed = { hello: 'malformed', serverName: '', verdict: 'refuse' }
    await isRefused(await open(empty), malformed, '')
  })
})
