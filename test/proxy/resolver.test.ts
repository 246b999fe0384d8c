import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { Family } from '../../src/proxy/places.ts'
import { type AddressRecord, DnsServers } from '../../src/proxy/resolver.ts'
import { type BadServer, badServer, DnsServer, hasDnsmasq } from '../e2e/stand/dns.ts'

interface Reply {
  readonly code: string
  readonly records: readonly AddressRecord[]
}

const now = () => performance.now()
const at = (...ports: number[]) => ports.map((port) => ({ address: '127.0.0.1', port }))

function ask(servers: DnsServers, name: string, family: Family = 4): Promise<Reply> {
  return new Promise((resolve) => {
    servers.ask(name, family, (code, records) => resolve({ code, records }))
  })
}

const MANY = Array.from({ length: 150 }, (_, i) => `192.0.2.${i + 1}`)

describe.skipIf(!hasDnsmasq)('a DNS server', () => {
  let dns: DnsServer
  let servers: DnsServers
  beforeAll(async () => {
    dns = await DnsServer.start({
      lines: [
        'host-record=both.test,192.0.2.1,2001:db8::1,30',
        'host-record=four.test,192.0.2.2,100',
        'cname=near.test,four.test,20',
        'cname=far.test,near.test,50',
      ],
      hosts: MANY.map((address) => `${address} many.test\n`).join(''),
      ttl: 7,
    })
    servers = new DnsServers(at(dns.port), now)
  })
  afterAll(() => dns.close())

  const check = (name: string, family: Family, code: string, ...records: AddressRecord[]) =>
    it(`is asked for ${name}, IPv${family}`, async () => {
      expect(await ask(servers, name, family)).toEqual({ code, records })
    })
  check('both.test', 4, '', { address: '192.0.2.1', ttl: 30 })
  check('both.test', 6, '', { address: '2001:db8::1', ttl: 30 })
  check('four.test', 4, '', { address: '192.0.2.2', ttl: 100 })
  check('four.test', 6, 'ENODATA')
  check('near.test', 4, '', { address: '192.0.2.2', ttl: 20 })
  check('far.test', 4, '', { address: '192.0.2.2', ttl: 20 })
  check('nowhere.test', 4, 'ENOTFOUND')
  check('a_b.test', 6, 'ENOTFOUND')
  check('elsewhere.example', 4, 'EREFUSED')

  it('gives over TCP what is too long for UDP', async () => {
    const { code, records } = await ask(servers, 'many.test')
    expect(code).toBe('')
    expect(records.map(({ address }) => address).toSorted()).toEqual(MANY.toSorted())
    expect(new Set(records.map(({ ttl }) => ttl))).toEqual(new Set([7]))
  })

  it('is asked when the one before it does not answer, and then first', async () => {
    const silent = await badServer('silent')
    const two = new DnsServers(at(silent.port, dns.port), now)
    expect(await ask(two, 'four.test')).toMatchObject({ code: '' })
    expect(silent.from.length).toBeGreaterThan(0)
    const before = silent.from.length
    for (let i = 0; i < 5; i++) await ask(two, 'four.test')
    expect(silent.from.length).toBe(before)
    silent.close()
  })

  it('that is new is asked in place of the old', async () => {
    const other = await DnsServer.start({ lines: ['host-record=both.test,192.0.2.99,5'] })
    const moved = new DnsServers(at(dns.port), now)
    await ask(moved, 'both.test')
    moved.configure(at(other.port))
    expect((await ask(moved, 'both.test')).records).toEqual([{ address: '192.0.2.99', ttl: 5 }])
    await other.close()
  })
})

describe('a bad server', () => {
  let bad: BadServer | null = null
  afterEach(() => {
    bad?.close()
    bad = null
  })

  it('that fails is a failure', async () => {
    bad = await badServer('failing')
    expect((await ask(new DnsServers(at(bad.port), now), 'a.test')).code).toBe('ESERVFAIL')
  })

  it('that is not there is a failure', async () => {
    bad = await badServer('failing')
    const { port } = bad
    bad.close()
    bad = null
    expect((await ask(new DnsServers(at(port), now), 'a.test')).code).toBe('ECONNREFUSED')
  })

  it('that does not answer is asked four times, each from another port, and is then too late', async () => {
    bad = await badServer('silent')
    expect((await ask(new DnsServers(at(bad.port), now), 'a.test')).code).toBe('ETIMEOUT')
    expect(bad.from.length).toBe(4)
    expect(new Set(bad.from).size).toBe(4)
  })

  it('sees no port for long, however many questions are open', async () => {
    bad = await badServer('silent')
    const { from } = bad
    let nowMs = 0
    const servers = new DnsServers(at(bad.port), () => nowMs)
    for (let i = 0; i < 64 * 4; i++) void ask(servers, `n${i}.test`)
    nowMs += 10_000
    void ask(servers, 'later.test')
    await expect.poll(() => from.length, { timeout: 10_000 }).toBeGreaterThanOrEqual(257)
    const most = Math.max(...Object.values(Object.groupBy(from, String)).map((all) => all!.length))
    expect(most).toBeLessThanOrEqual(64)
  })
})
