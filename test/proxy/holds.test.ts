import { beforeEach, describe, expect, it } from 'vitest'
import type { Facts, Identified, UserName, Verdict } from '../../src/policy/index.ts'
import { refuse } from '../../src/policy/index.ts'
import type { Engine } from '../../src/proxy/engine.ts'
import { parseRequestHead, type RequestHead } from '../../src/proxy/head.ts'
import { Holds } from '../../src/proxy/holds.ts'
import { openEngine } from './engines.ts'
import { openWorld } from './world.ts'

let engine: Engine
beforeEach(() => {
  engine = openEngine(openWorld(1, { limits: { connectionsPerUser: 2, tunnels: 2 } })).engine
})

const heads = {
  get: headOf('GET http://a.test/ HTTP/1.1\r\nHost: a.test\r\n'),
  connect: headOf('CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n'),
  upgrade: headOf(
    'GET http://a.test/ HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n',
  ),
}
const REFUSED = refuse('port-forbidden', 'ports')

function headOf(text: string): RequestHead {
  const head = parseRequestHead(text, 200)
  if ('fault' in head) throw new Error(head.fault)
  return head
}

/** What is decided on where `user` asks; null: nobody knows who. */
function factsOf(user: string | null, head: RequestHead): Facts {
  const asker = engine.askerAt('127.0.0.1')
  const identified: Identified =
    user === null
      ? { known: true, identity: { kind: 'address', user: '127.0.0.1' as UserName, groups: [] } }
      : { known: true, identity: { kind: 'user', user: user as UserName, groups: [] } }
  return engine.gather(head, asker, identified, null)
}

/** The reason for refusing a request, or none. */
function ask(holds: Holds, user: string | null, head = heads.get, verdict?: Verdict): string {
  const facts = factsOf(user, head)
  const decided = verdict ?? engine.decide(facts).verdict
  return holds.overLimit(facts, decided, head)?.reason ?? 'fine'
}

const three = () => [new Holds(engine), new Holds(engine), new Holds(engine)] as const

describe('connections of a user', () => {
  it('are as many as the limit, whatever they ask', () => {
    const [a, b, c] = three()
    expect([ask(a, 'anna'), ask(a, 'anna'), ask(a, 'anna', heads.connect)]).toEqual(
      Array.from({ length: 3 }, () => 'fine'),
    )
    expect([ask(b, 'anna'), ask(c, 'anna')]).toEqual(['fine', 'connections-of-user'])
    expect(ask(c, 'anna', heads.get, REFUSED)).toBe('connections-of-user')
    expect(ask(c, 'bo')).toBe('fine')
  })

  it('are given back with the connection, and once', () => {
    const [a, b, c] = three()
    for (const holds of [a, b]) ask(holds, 'anna')
    a.release()
    a.release()
    expect(ask(c, 'anna')).toBe('fine')
    expect(ask(a, 'anna')).toBe('connections-of-user')
  })

  it('go with the user that the connection has now', () => {
    const [a, b, c] = three()
    for (const holds of [a, b]) ask(holds, 'anna')
    expect(ask(a, 'bo')).toBe('fine')
    expect(ask(c, 'anna')).toBe('fine')
    expect(ask(a, 'anna')).toBe('connections-of-user')
    // It has given back bo's share and got none of anna's.
    expect([ask(b, 'bo'), ask(c, 'bo')]).toEqual(['fine', 'fine'])
  })

  it('are not counted where nobody has said who he is', () => {
    for (const holds of [...three(), ...three()]) expect(ask(holds, null)).toBe('fine')
  })
})

describe('tunnels', () => {
  it('are as many as the limit, of CONNECT and of Upgrade', () => {
    const [a, b, c] = three()
    expect(ask(a, null, heads.connect)).toBe('fine')
    expect(ask(b, null, heads.upgrade)).toBe('fine')
    expect(ask(c, null, heads.connect)).toBe('tunnels-full')
    expect(ask(c, null, heads.upgrade)).toBe('tunnels-full')
    expect(ask(c, null, heads.get)).toBe('fine')
    expect(engine.tally.tunnels).toBe(2)
  })

  it('are not taken by what is refused', () => {
    const [a] = three()
    expect(ask(a, null, heads.connect, REFUSED)).toBe('fine')
    expect(engine.tally.tunnels).toBe(0)
  })

  it('are given back where none came about, and with the connection', () => {
    const [a, b] = three()
    ask(a, null, heads.connect)
    a.releaseTunnel()
    a.releaseTunnel()
    expect(engine.tally.tunnels).toBe(0)
    ask(a, 'anna', heads.connect)
    ask(b, 'anna', heads.upgrade)
    expect(engine.tally.tunnels).toBe(2)
    for (const holds of [a, b]) holds.release()
    expect(engine.tally.tunnels).toBe(0)
    expect(ask(a, 'anna', heads.connect)).toBe('fine')
  })
})
