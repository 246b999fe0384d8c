import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Host, type Listener, parseAddress } from '../../src/policy/index.ts'
import { Dial, type DialResult } from '../../src/proxy/dial.ts'
import { Names } from '../../src/proxy/names.ts'
import type { Told } from '../../src/proxy/resolver.ts'
import { MovedTimers } from './moved-timers.ts'
import { openWorld } from './world.ts'

const NO_FILES = { hosts: '/nowhere/hosts', resolv: '/nowhere/resolv.conf' }
const PRIVATE = '10.9.9.9'
const SITE = 'site.test' as Host

let origin: Server
let accepted: Socket[]
let timers: MovedTimers
let names: Names
/** What the servers say of every name; null: nothing. */
let said: { four: string[]; six: string[] } | null
let results: DialResult[]

beforeEach(async () => {
  accepted = []
  origin = createServer((socket) => accepted.push(socket))
  await once(origin.listen(0, '127.0.0.1'), 'listening')
  timers = new MovedTimers()
  said = { four: ['127.0.0.1'], six: [] }
  results = []
  names = new Names({
    rules: world.dns,
    hosts: {},
    files: NO_FILES,
    ...{ timers, now: () => timers.nowMs, alarm: () => {} },
    ask: (_name, family, told) => {
      if (said !== null) answer(said[family === 4 ? 'four' : 'six'], told)
    },
  })
})
afterEach(() => {
  for (const result of results) if (result.ok) result.wire.destroy()
  for (const socket of accepted) socket.destroy()
  origin.close()
})

const world = openWorld()
const port = () => (origin.address() as AddressInfo).port

function answer(addresses: readonly string[], told: Told): void {
  const records = addresses.map((address) => ({ address, ttl: 1 }))
  queueMicrotask(() => told(records.length === 0 ? 'ENODATA' : '', records))
}

function start(host: Host = SITE, listeners: readonly Listener[] = []): Dial {
  const { policy, limits } = world
  const means = { names, now: () => timers.nowMs, timers }
  const under = { policy, listeners, dialTimeoutMs: limits.dialTimeoutMs }
  const dial = new Dial(means, { host, port: port() }, under, (result) => results.push(result))
  dial.start()
  return dial
}

/** Dials, and gives the address that was reached or the reason why none was. */
async function reach(host: Host = SITE, listeners: readonly Listener[] = []): Promise<string> {
  const before = results.length
  start(host, listeners)
  await expect.poll(() => results.length, { interval: 2 }).toBe(before + 1)
  const result = results.at(-1)!
  return result.ok ? String(result.wire.peer?.address) : result.reason
}

describe('an answer', () => {
  it('leads to its address', async () => {
    expect(await reach()).toBe('127.0.0.1')
    expect(await reach()).toBe('127.0.0.1')
    expect(names.counters).toMatchObject({ questions: 2, hits: 1 })
  })

  it('that is private is refused', async () => {
    said = { four: [PRIVATE], six: ['fd00::1'] }
    expect(await reach()).toBe('address-forbidden')
  })

  it('that is private in part leads to the rest alone', async () => {
    said = { four: [PRIVATE, '127.0.0.1', '169.254.169.254'], six: ['fd00::1', '::1'] }
    expect(await reach()).toBe('127.0.0.1')
    // The first place that could be tried is 127.0.0.1: nothing waited for one before it.
    expect(timers.left).toBe(0)
  })

  it('that has become private is refused, when it was reached before', async () => {
    expect(await reach()).toBe('127.0.0.1')
    said = { four: [PRIVATE], six: [] }
    expect(await reach()).toBe('127.0.0.1')
    timers.move(1_000)
    expect(await reach()).toBe('address-forbidden')
  })

  it('that leads to ourselves is refused', async () => {
    const own = [{ address: parseAddress('127.0.0.1')!, port: port() }]
    expect(await reach(SITE, own)).toBe('address-forbidden')
  })

  it('whose first address is dead leads to the second, and the next time at once', async () => {
    said = { four: ['127.0.0.77', '127.0.0.1'], six: [] }
    expect(await reach()).toBe('127.0.0.1')
    expect(names.lookup(SITE, timers.nowMs)?.places[0]?.text).toBe('127.0.0.1')
  })

  it('that has none but dead addresses is a failure', async () => {
    said = { four: ['127.0.0.77', '127.0.0.78'], six: [] }
    expect(await reach()).toBe('dial-failed')
    expect(timers.left).toBe(0)
  })

  it('that there is none is told', async () => {
    said = { four: [], six: [] }
    expect(await reach()).toBe('name-not-found')
    expect(await reach('nowhere.invalid' as Host)).toBe('name-not-found')
  })
})

describe('a dial', () => {
  it('does not wait for a name for longer than it may', () => {
    said = null
    start()
    timers.move(world.limits.dialTimeoutMs - 1)
    expect(results).toEqual([])
    timers.move(1)
    expect(results).toEqual([{ ok: false, reason: 'dial-timeout' }])
    expect(timers.left).toBe(0)
  })

  it('that is given up says nothing, whatever comes', async () => {
    start().cancel()
    start('127.0.0.1' as Host).cancel()
    expect(await reach()).toBe('127.0.0.1')
    expect([results.length, timers.left]).toEqual([1, 0])
  })
})
