/**
 * Owns: a second hello, which answers a HelloRetryRequest: found, judged, and nothing looked at after it.
 * Never: judges names; the tests of policy/hello.ts do.
 */
import { createHash } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Engine } from '../../src/proxy/engine.ts'
import { HelloRetry } from '../../src/proxy/hello-retry.ts'
import { message, tlsRecord, tlsRecords } from './client-hello.ts'
import { openEngine } from './engines.ts'
import { ALERT, HOST, helloOf, openStand, type Stand, said } from './greetings.ts'
import { until, Wires } from './wires.ts'
import { openWorld } from './world.ts'

const RANDOM = createHash('sha256').update('HelloRetryRequest').digest()
const serverHello = (random: Buffer) =>
  tlsRecord(message(Buffer.concat([Buffer.from([3, 3]), random, Buffer.alloc(40)]), { type: 2 }), {
    version: 0x0303,
  })
/** The origin asks for a second hello; it answers the first. */
const RETRY = serverHello(RANDOM)
const ANSWER = serverHello(Buffer.alloc(32, 7))

const CHANGE_CIPHER_SPEC = tlsRecord(Buffer.from([1]), { type: 0x14, version: 0x0303 })
const EARLY = tlsRecord(Buffer.alloc(300, 0x16), { type: 0x17, version: 0x0303 })
const FIRST = tlsRecord(helloOf(HOST))
const OTHER = tlsRecord(helloOf('other.test'))
const FINISHED = Buffer.concat([CHANGE_CIPHER_SPEC, EARLY])
const MALFORMED = { hello: 'malformed', serverName: '', verdict: 'refuse' }
const MISMATCH = { hello: 'mismatch', serverName: 'other.test', verdict: 'refuse' }

const oneByOne = (bytes: Buffer) => [...bytes].map((byte) => Buffer.from([byte]))

describe('what the origin says first', () => {
  function hear(...parts: Buffer[]) {
    const retry = new HelloRetry()
    return parts.map((part) => retry.hear(part)).filter((state, i, all) => state !== all[i - 1])
  }

  it('asks for a second hello, in any segments', () => {
    expect(hear(RETRY)).toEqual(['retry'])
    expect(hear(...oneByOne(RETRY))).toEqual(['more', 'retry'])
    expect(hear(RETRY.subarray(0, 42), RETRY.subarray(42), ANSWER)).toEqual(['more', 'retry'])
    expect(hear(Buffer.alloc(0), RETRY)).toEqual(['more', 'retry'])
  })

  it('or it does not', () => {
    expect(hear(ANSWER)).toEqual(['other'])
    expect(hear(...oneByOne(ANSWER)).slice(0, 2)).toEqual(['more', 'other'])
    for (const [at, byte] of RETRY.subarray(0, 43).entries()) {
      const bytes = Buffer.from(RETRY)
      bytes[at] = byte ^ 1
      const means = [0, 1, 5].includes(at) || at >= 9
      expect([at, hear(bytes)]).toEqual([at, [means ? 'other' : 'retry']])
    }
  })
})

describe('where a second hello begins', () => {
  function find(...parts: Buffer[]) {
    const retry = new HelloRetry()
    const found = parts.map((part) => [retry.find(part, 0), part.length] as const)
    return found.flatMap(([at, length], i) => (at === length ? [] : [`${i}:${at}`])).join(' ')
  }
  const check = (name: string, parts: Buffer[], expected: string) =>
    it(name, () => expect(find(...parts)).toBe(expected))

  check('at once', [OTHER], '0:0')
  check('behind a change_cipher_spec', [Buffer.concat([CHANGE_CIPHER_SPEC, OTHER])], '0:6')
  check('in another segment', [CHANGE_CIPHER_SPEC, OTHER], '1:0')
  check('byte by byte', [...oneByOne(FINISHED), OTHER], `${FINISHED.length}:0`)
  check('nowhere', [FINISHED, EARLY.subarray(0, 100), EARLY.subarray(100)], '')
  check(
    'not in a record that is longer than one may be',
    [Buffer.from([23, 3, 3, 0x41, 1])],
    '0:-1',
  )
  check('not in what is no record', [Buffer.from('GET / HTTP/1.1')], '0:-1')
  check('not in a record of SSL 2', [Buffer.from([0x17, 2])], '0:-1')
})

describe('a tunnel', () => {
  let wires: Wires
  let engine: Engine
  let nowMs: number
  beforeEach(async () => {
    wires = await Wires.open()
    nowMs = 1_000
    engine = openEngine(openWorld(1, { tunnels: { mismatch: 'refuse' } }), () => nowMs).engine
  })
  afterEach(() => wires.close())

  /** The client has said FIRST, and the origin `answer`. */
  async function answered(answer: Buffer): Promise<Stand> {
    const stand = await openStand({ wires, engine, first: FIRST })
    await until(() => stand.atOrigin.length === FIRST.length)
    stand.fromOrigin.write(answer)
    await until(() => stand.atClient.length === answer.length)
    expect(said(stand)).toMatchObject({ hello: 'matched', serverName: HOST, verdict: 'allow' })
    return stand
  }

  async function isRefused(stand: Stand, expected: object, atOrigin: Buffer): Promise<void> {
    const before = stand.atClient.length
    await until(() => stand.atClient.ended && (stand.atOrigin.ended || stand.atOrigin.closed))
    expect(stand.atClient.text.slice(before)).toBe(ALERT)
    expect(stand.atOrigin.bytes.equals(atOrigin)).toBe(true)
    expect(said(stand)).toMatchObject({ ...expected, bytesUp: atOrigin.length })
    stand.client.end()
    await until(() => stand.closes === 1)
    expect(said(stand)).toMatchObject({ ending: 'refused', bytesDown: stand.atClient.length })
  }

  it('that is asked for a second hello is judged by that, too', async () => {
    const stand = await answered(RETRY)
    stand.client.write(Buffer.concat([CHANGE_CIPHER_SPEC, OTHER]))
    await isRefused(stand, MISMATCH, FIRST)
  })

  it('in any records and segments', async () => {
    const stand = await answered(RETRY)
    stand.client.setNoDelay(true)
    const second = Buffer.concat([CHANGE_CIPHER_SPEC, tlsRecords(helloOf('other.test'), 20)])
    for (const part of oneByOne(second)) {
      await new Promise((resolve) => stand.client.write(part, resolve))
    }
    await isRefused(stand, MISMATCH, Buffer.concat([FIRST, CHANGE_CIPHER_SPEC]))
  })

  it('goes on by the same name, and is looked at no more', async () => {
    const stand = await answered(RETRY)
    const rest = Buffer.concat([CHANGE_CIPHER_SPEC, FIRST, OTHER, Buffer.from('anything')])
    stand.client.write(rest)
    await until(() => stand.atOrigin.length === FIRST.length + rest.length)
    expect(stand.atOrigin.bytes.equals(Buffer.concat([FIRST, rest]))).toBe(true)
    expect(said(stand)).toMatchObject({ hello: 'matched', serverName: HOST, verdict: 'allow' })
    expect(stand.greeting.isDone).toBe(true)
  })

  it('is looked at no more once it is answered', async () => {
    const stand = await answered(ANSWER)
    stand.client.write(Buffer.concat([CHANGE_CIPHER_SPEC, OTHER]))
    const whole = Buffer.concat([FIRST, CHANGE_CIPHER_SPEC, OTHER])
    await until(() => stand.atOrigin.length === whole.length)
    expect(said(stand)).toMatchObject({ hello: 'matched', verdict: 'allow' })
  })

  it('does not get by with a second hello that comes before it is asked for', async () => {
    const both = Buffer.concat([FIRST, EARLY, OTHER])
    const stand = await openStand({ wires, engine, first: both })
    await isRefused(stand, MISMATCH, Buffer.alloc(0))
  })

  it('nor in pieces', async () => {
    const cut = OTHER.subarray(0, 30)
    const stand = await openStand({ wires, engine, first: Buffer.concat([FIRST, EARLY, cut]) })
    const passed = Buffer.concat([FIRST, EARLY])
    await until(() => stand.atOrigin.length === passed.length)
    stand.fromOrigin.write(ANSWER)
    await until(() => stand.atClient.length === ANSWER.length)
    stand.client.write(OTHER.subarray(30))
    await isRefused(stand, MISMATCH, passed)
  })

  it('nor with one that breaks off', async () => {
    const stand = await answered(RETRY)
    stand.client.write(OTHER.subarray(0, 30))
    await until(() => {
      nowMs += engine.world.limits.headTimeoutMs
      stand.tunnel.sweep(nowMs)
      return stand.flow.hello === 'incomplete'
    })
    await isRefused(stand, { hello: 'incomplete', verdict: 'refuse' }, FIRST)
  })

  for (const [name, bytes] of [
    ['another message', tlsRecord(message(Buffer.alloc(40), { type: 16 }))],
    ['an empty record', tlsRecord(Buffer.alloc(0))],
    ['what is no record', Buffer.from('GET / HTTP/1.1\r\n')],
  ] as const) {
    it(`nor with ${name}`, async () => {
      const stand = await answered(RETRY)
      stand.client.write(bytes)
      await isRefused(stand, MALFORMED, FIRST)
    })
  }

  it('keeps in its record what says most against it', async () => {
    engine.replace(openWorld(2, { tunnels: { mismatch: 'log' } }))
    const first = Buffer.concat([OTHER, FIRST])
    const stand = await openStand({ wires, engine, first })
    await until(() => stand.atOrigin.length === first.length)
    expect(said(stand)).toMatchObject({ hello: 'mismatch', serverName: 'other.test' })
    const turned = await openStand({ wires, engine, first: Buffer.concat([FIRST, OTHER]) })
    await until(() => turned.atOrigin.length === first.length)
    expect(said(turned)).toMatchObject({ hello: 'mismatch', serverName: 'other.test' })
    expect(engine.counters.reasons['server-name-mismatch']).toBe(2)
  })
})
