/**
 * Owns: what one client may hold of us, over all threads, and that the others are served meanwhile.
 * Never: floods with more than shows it.
 */
import type { Socket } from 'node:net'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { formatBasic, formatUser, hashPassword } from '../../src/identity/index.ts'
import type { UserName } from '../../src/policy/index.ts'
import type { Status } from '../../src/service/status.ts'
import { until } from './stand/sluss.ts'
import { buildTown, FROM, type Town, USER } from './stand/town.ts'
import { openTunnel, type Reply, sendFrom } from './stand/tunnel.ts'
import { Wire } from './stand/wire.ts'

const LIMITS = {
  address: 20,
  user: 6,
  tunnels: 12,
}
const GREEDY = '127.0.0.7'
const HONEST = '127.0.0.8'
const OTHER = 'bo.berg'

let town: Town
const wires: Wire[] = []
const sockets: Socket[] = []
beforeAll(async () => {
  const people = await Promise.all(
    [USER.name, OTHER].map(async (name) => {
      const hash = await hashPassword(USER.password)
      return formatUser(name as UserName, { hash, groups: [] })
    }),
  )
  const limits = [
    ...[`connectionsPerAddress: ${LIMITS.address}`, `connectionsPerUser: ${LIMITS.user}`],
    ...[`tunnels: ${LIMITS.tunnels}`, 'slowestBytes: 1000', 'slowestOver: 1s', 'headTimeout: 1s'],
  ]
  town = await buildTown({
    files: { 'users.txt': `${people.join('\n')}\n` },
    allow: ['127.0.0.1'],
    threads: 2,
    more: `limits: { ${limits.join(', ')} }`,
  })
})
afterEach(async () => {
  for (const wire of wires.splice(0)) wire.close()
  for (const socket of sockets.splice(0)) socket.destroy()
  await until('all are gone', async () => (await counters()).connectionsOpen === 0)
})
afterAll(() => town.close())

const counters = async () => (await town.sluss.status()).counters

/** Waits until `reason` has been counted `times` more than `before`. */
async function counted(reason: string, times: number, before: number): Promise<void> {
  await until(`${reason} is counted`, async () => {
    return ((await counters()).reasons[reason] ?? 0) === before + times
  })
}

const countOf = async (reason: string) => (await counters()).reasons[reason] ?? 0

function connection(from: string): Wire {
  const wire = new Wire(town.sluss.port, from)
  wires.push(wire)
  return wire
}

const news = () => `news.test:${town.http.port}`

function get(path = '/hello', ...fields: string[]): string {
  return [`GET http://${news()}${path} HTTP/1.1`, `Host: ${news()}`, ...fields, '', ''].join('\r\n')
}

/** An exchange of its own, from an address that asks for little. */
function honest(): Promise<Reply> {
  const { port } = town.sluss
  return sendFrom(HONEST, { host: '127.0.0.1', port }, get('/hello', 'Connection: close'))
}

const said = ({ status, fields }: Reply) => `${status} ${fields.get('sluss-reason') ?? ''}`.trim()

describe('the connections of one address', () => {
  const FULL = '503 connections-of-address; rule="limits.connectionsPerAddress"'

  it('are as many as the limit over both threads; the next is told so', async () => {
    const before = await countOf('connections-of-address')
    for (let i = 0; i < LIMITS.address; i++) {
      const wire = connection(GREEDY)
      wire.send(get())
      expect([i, said(await wire.reply())]).toEqual([i, '200'])
    }
    for (let i = 0; i < 5; i++) {
      const wire = connection(GREEDY)
      // It need not even ask.
      if (i % 2) wire.send(get())
      const reply = await wire.reply()
      expect(said(reply)).toBe(FULL)
      expect(reply.content.toString()).toMatch(/anslutningar/)
      await wire.ended()
    }
    expect((await honest()).status).toBe(200)
    await counted('connections-of-address', 5, before)
    const open = async () => (await counters()).connectionsOpen
    await until('both threads have said so', async () => (await open()) === LIMITS.address)
    const { stdout } = await town.sluss.run('status', '--json')
    const shown = (JSON.parse(stdout) as Status).counters
    expect(shown.reasons['connections-of-address']).toBe(before + 5)
    expect(shown.connectionsOpen).toBe(LIMITS.address)
    // Those that it has still work, and one that is given back can be had again.
    wires[3]!.send(get())
    expect((await wires[3]!.reply()).status).toBe(200)
    wires[0]!.close()
    await until('one is free', async () => {
      const wire = connection(GREEDY)
      wire.send(get('/hello', 'Connection: close'))
      return (await wire.reply()).status === 200
    })
  })
})

describe('the connections of one user', () => {
  const ask = (user: string) =>
    get('/hello', `Proxy-Authorization: ${formatBasic(user, USER.password)}`)

  it('are as many as the limit, wherever they come from; another user has his own', async () => {
    const before = await countOf('connections-of-user')
    for (let i = 0; i < LIMITS.user; i++) {
      const wire = connection(`127.0.2.${10 + i}`)
      wire.send(ask(USER.name))
      expect([i, said(await wire.reply())]).toEqual([i, '200'])
    }
    const wire = connection('127.0.2.30')
    for (let i = 0; i < 3; i++) {
      wire.send(ask(USER.name))
      const reply = await wire.reply()
      expect(said(reply)).toBe('503 connections-of-user; rule="limits.connectionsPerUser"')
      expect(reply.content.toString()).toMatch(/anslutningar/)
    }
    wire.send(ask(OTHER))
    expect((await wire.reply()).status).toBe(200)
    await counted('connections-of-user', 3, before)
    const { sluss } = town
    await until('its lines', () => sluss.ended("reason = 'connections-of-user'").length === 3)
    expect(sluss.ended("reason = 'connections-of-user'")[0]).toMatchObject({
      ...{ verdict: 'refuse', rule: 'limits.connectionsPerUser', user: USER.name, status: 503 },
    })
    wires[0]!.close()
    await until('one is free', async () => {
      const again = connection('127.0.2.31')
      again.send(ask(USER.name))
      return (await again.reply()).status === 200
    })
  })
})

describe('tunnels', () => {
  it('are as many as the limit; the next is told so, and all else goes on', async () => {
    const before = await countOf('tunnels-full')
    const authority = `news.test:${town.echo.port}`
    const open = async () => {
      const { reply, socket } = await openTunnel(town.sluss.port, authority)
      sockets.push(socket)
      return said(reply)
    }
    for (let i = 0; i < LIMITS.tunnels; i++) expect([i, await open()]).toEqual([i, '200'])
    expect(await open()).toBe('503 tunnels-full; rule="limits.tunnels"')
    expect(await open()).toBe('503 tunnels-full; rule="limits.tunnels"')
    expect((await honest()).status).toBe(200)
    await counted('tunnels-full', 2, before)
    const opened = async () => (await counters()).tunnelsOpen
    await until('both threads have said so', async () => (await opened()) === LIMITS.tunnels)
    sockets[0]!.destroy()
    await until('one is free', async () => (await open()) === '200')
    await until('their lines', () => town.sluss.ended("reason = 'tunnels-full'").length >= 2)
    expect(town.sluss.ended("reason = 'tunnels-full'")[0]).toMatchObject({
      ...{ method: 'CONNECT', verdict: 'refuse', rule: 'limits.tunnels', status: 503 },
    })
  })
})

describe('a slow client', () => {
  it('that sends a body in drops is cut, and told why', async () => {
    const before = await countOf('client-too-slow')
    const wire = connection(GREEDY)
    const head = `POST http://${news()}/upload HTTP/1.1\r\nHost: ${news()}\r\n`
    wire.send(`${head}Content-Length: 1000000\r\n\r\n`)
    const dripping = setInterval(() => wire.send('x'), 50)
    const reply = await wire.reply()
    clearInterval(dripping)
    expect(said(reply)).toMatch(/^408 client-too-slow/)
    await wire.ended()
    expect((await honest()).status).toBe(200)
    await counted('client-too-slow', 1, before)
    expect(await town.sluss.line("reason = 'client-too-slow'")).toMatchObject({
      ...{ method: 'POST', host: 'news.test', verdict: 'refuse', status: 408 },
    })
  })

  it('that does not take its answer is cut', async () => {
    const before = await countOf('client-too-slow')
    const wire = connection(GREEDY)
    wire.socket.pause()
    wire.send(get('/bytes/60000000'))
    await counted('client-too-slow', 1, before)
    wire.socket.resume()
    await wire.ended()
    expect(wire.rest.length).toBeLessThan(60_000_000)
    const where = "method = 'GET' AND ending = 'timeout'"
    expect(await town.sluss.line(where)).toMatchObject({ verdict: 'allow', status: 200 })
  })

  it('that takes its time, but not too much, gets all of it', async () => {
    const wire = connection(GREEDY)
    wire.send(get('/bytes/3000000'))
    const taking = setInterval(() => {
      if (wire.socket.isPaused()) wire.socket.resume()
      else wire.socket.pause()
    }, 100)
    const { content } = await wire.reply()
    clearInterval(taking)
    expect(content.length).toBe(3_000_000)
  })
})

describe('a flood', () => {
  it('of connections that say nothing, of giant heads, of heads in drops: others are served', async () => {
    const { sluss } = town
    const giants = Array.from({ length: 10 }, () => connection('127.0.0.20'))
    for (const wire of giants) wire.send(`${get().slice(0, -4)}\r\nX: ${'x'.repeat(3_000_000)}`)
    const silent = Array.from({ length: 60 }, (_, i) => connection(`127.0.0.${30 + (i % 4)}`))
    const dripping = Array.from({ length: 10 }, () => connection('127.0.0.40'))
    const drops = setInterval(() => {
      for (const wire of dripping) wire.send('x')
    }, 20)
    for (let i = 0; i < 50; i++) expect((await honest()).status).toBe(200)
    for (const wire of giants) {
      expect(said(await wire.reply())).toBe('431 head-too-large; rule="request"')
    }
    // Whoever has said nothing, or not a whole head, is gone after headTimeout.
    for (const wire of silent) await wire.ended()
    for (const wire of dripping) {
      expect(said(await wire.reply())).toBe('408 head-timeout; rule="request"')
      await wire.ended()
    }
    clearInterval(drops)
    expect((await honest()).status).toBe(200)
    expect(silent.map(({ rest }) => rest)).toEqual(silent.map(() => ''))
    await until('their lines', () => sluss.ended("reason = 'head-timeout'").length === 10)
  })
})

describe('a tunnel to an address', () => {
  const at = async (address: string): Promise<string> => {
    const { reply, socket } = await openTunnel(town.sluss.port, `${address}:${town.echo.port}`)
    sockets.push(socket)
    return said(reply)
  }

  it('is refused but for those that addresses.allow names, or let through to the guard', async () => {
    expect(await at('127.0.0.1')).toBe('200')
    expect(await at('127.0.0.9')).toBe('403 address-literal; rule="tunnels.addressLiterals"')
    expect(await at('[::1]')).toBe('403 address-literal; rule="tunnels.addressLiterals"')
    expect(await town.sluss.line("host = '127.0.0.9'")).toMatchObject({
      ...{ verdict: 'refuse', reason: 'address-literal', user: FROM.local },
    })
    const { policy } = await town.sluss.status()
    town.rewrite({ allow: ['127.0.0.1'], more: 'tunnels: { addressLiterals: allow }' })
    await town.sluss.policyAfter(policy)
    expect(await at('127.0.0.1')).toBe('200')
    expect(await at('127.0.0.9')).toBe('403 address-forbidden; rule="addresses"')
  })
})
