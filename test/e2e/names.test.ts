import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type BadServer, badServer, DnsServer, hasDnsmasq } from './stand/dns.ts'
import { until } from './stand/sluss.ts'
import { buildTown, type Town } from './stand/town.ts'
import { openTunnel } from './stand/tunnel.ts'

/** An address of loopback where nothing listens on any port of ours. */
const DEAD = '127.0.0.77'
const PRIVATE = '10.9.9.9'
const TTL_S = 1

/** Written anew by the tests: answers of a second. */
const HOSTS = `127.0.0.1 moving.test
127.0.0.1 rebound.test
127.0.0.1 kept.test
`

let dns: DnsServer
let town: Town

/** What a tunnel to `host` is answered with: `200`, or the status and the reason. */
async function connect(host: string, { sluss, echo } = town): Promise<string> {
  const { reply, socket } = await openTunnel(sluss.port, `${host}:${echo.port}`)
  socket.destroy()
  const reason = /^[a-z-]+/.exec(reply.fields.get('sluss-reason') ?? '')?.[0] ?? ''
  return reply.status === 200 ? '200' : `${reply.status} ${reason}`
}

describe.skipIf(!hasDnsmasq)('names', () => {
  beforeAll(async () => {
    dns = await DnsServer.start({
      lines: [
        'host-record=steady.test,127.0.0.1,3600',
        `host-record=private.test,${PRIVATE},3600`,
        'host-record=metadata.test,169.254.169.254,3600',
        'host-record=mapped.test,::ffff:10.9.9.9,3600',
        'host-record=only-six.test,fd00::99,3600',
        'cname=alias.test,steady.test',
        'cname=inside.test,private.test',
        // The origin listens on IPv4 alone.
        'host-record=half.test,127.0.0.1,::1,3600',
        `host-record=mixed.test,127.0.0.1,fd00::99,3600`,
        'host-record=bare,127.0.0.1,3600',
      ],
      hosts: `${HOSTS}${DEAD} two.test\n127.0.0.1 two.test\n`,
      ttl: TTL_S,
    })
    town = await buildTown({
      threads: 1,
      dns: [`servers: 127.0.0.1:${dns.port}`, 'negative: 1h'],
    })
  })
  afterAll(async () => {
    await town?.close()
    await dns?.close()
  })

  it('are asked for once, whoever wants them', async () => {
    expect(await Promise.all(Array.from({ length: 10 }, () => connect('steady.test')))).toEqual(
      Array(10).fill('200'),
    )
    expect(await connect('steady.test')).toBe('200')
    expect([dns.count('A', 'steady.test'), dns.count('AAAA', 'steady.test')]).toEqual([1, 1])
    await until('the counters say so', async () => {
      const { counters } = await town.sluss.status()
      return counters.nameHits > 0 && counters.nameQuestions >= 2
    })
  })

  it('may be other names for others', async () => {
    expect(await connect('alias.test')).toBe('200')
  })

  it('that are not there are not asked for again', async () => {
    for (let i = 0; i < 3; i++) expect(await connect('nowhere.test')).toBe('502 name-not-found')
    expect([dns.count('A', 'nowhere.test'), dns.count('AAAA', 'nowhere.test')]).toEqual([1, 1])
    const line = await town.sluss.line("host = 'nowhere.test' LIMIT 1")
    expect(line).toMatchObject({ status: 502, ending: 'name-not-found' })
  })

  it('that no server is to know are not asked for', async () => {
    expect(await connect('nowhere.invalid')).toBe('502 name-not-found')
    expect(await connect('hidden.onion')).toBe('502 name-not-found')
    expect(await connect('localhost')).toBe('200')
    expect(dns.asked.filter((one) => /invalid|onion|localhost/.test(one))).toEqual([])
  })

  it('without a dot may be found as they are', async () => {
    expect(await connect('bare')).toBe('200')
  })

  for (const host of ['private', 'metadata', 'mapped', 'only-six', 'inside']) {
    it(`of a private address are refused: ${host}.test`, async () => {
      expect(await connect(`${host}.test`)).toBe('403 address-forbidden')
      const line = await town.sluss.line('host = ?', `${host}.test`)
      expect(line).toMatchObject({ verdict: 'refuse', reason: 'address-forbidden', status: 403 })
    })
  }

  it('of a private and another address reach the other', async () => {
    expect(await connect('mixed.test')).toBe('200')
  })

  it('of a dead and a living address reach the living one', async () => {
    for (const host of ['half.test', 'two.test']) {
      for (let i = 0; i < 4; i++) expect([host, await connect(host)]).toEqual([host, '200'])
    }
  })

  it('that change are noticed when their time is over', async () => {
    expect(await connect('moving.test')).toBe('200')
    await dns.change(HOSTS.replace('127.0.0.1 moving', `${DEAD} moving`))
    await until('the new address', async () => (await connect('moving.test')) === '502 dial-failed')
    await dns.change(HOSTS)
    await until('the old address', async () => (await connect('moving.test')) === '200')
  })

  it('that are bound to a private address after the first look are refused', async () => {
    expect(await connect('rebound.test')).toBe('200')
    await dns.change(HOSTS.replace('127.0.0.1 rebound', `${PRIVATE} rebound`))
    await until('the refusal', async () => {
      const said = await connect('rebound.test')
      expect(['200', '403 address-forbidden']).toContain(said)
      return said !== '200'
    })
    expect(await connect('rebound.test')).toBe('403 address-forbidden')
  })

  it('are what they were while no server answers', async () => {
    expect(await connect('kept.test')).toBe('200')
    await dns.close()
    await until('the time is over, and a question has failed', async () => {
      expect(await connect('kept.test')).toBe('200')
      return (await town.sluss.status()).counters.nameFailures > 0
    })
    expect(await connect('kept.test')).toBe('200')
    expect(await connect('other.test')).toBe('502 resolver-failed')
  })
})

describe('a server', () => {
  let silent: BadServer
  let failing: BadServer
  let lonely: Town
  beforeAll(async () => {
    silent = await badServer('silent')
    failing = await badServer('failing')
    lonely = await buildTown({
      threads: 1,
      dns: [`servers: 127.0.0.1:${silent.port}`],
      more: 'limits: { dialTimeout: 1s }',
    })
  })
  afterAll(async () => {
    await lonely?.close()
    silent.close()
    failing.close()
  })

  it('that does not answer is waited for as long as a dial may take', async () => {
    expect(await connect('a.test', lonely)).toBe('504 dial-timeout')
    const line = await lonely.sluss.line("host = 'a.test'")
    expect(line).toMatchObject({ status: 504, ending: 'timeout' })
  })

  it('that is new in the settings is asked at once', async () => {
    const { policy } = await lonely.sluss.status()
    lonely.rewrite({
      dns: [`servers: 127.0.0.1:${failing.port}`],
      more: 'limits: { dialTimeout: 1s }',
    })
    await lonely.sluss.policyAfter(policy)
    expect(await connect('a.test', lonely)).toBe('502 resolver-failed')
    expect(failing.from.length).toBeGreaterThan(0)
  })
})
