import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { until } from './stand/sluss.ts'
import { buildTown, type Town } from './stand/town.ts'
import { Wire } from './stand/wire.ts'

/** What the lists of these tests name, besides a name. */
const LISTED = {
  'lists/porn.txt': 'bad.test\nxn--frbjuden-n4a.test\n192.0.2.53\n2001:db8::bad\n',
}

/** So that what else is said of an address is heard. */
const LITERALS = 'tunnels: { addressLiterals: allow }'

/** Asks for `host` by CONNECT and in absolute form; the status line of each answer, without its version. */
async function ask(town: Town, host: string, port: number): Promise<string[]> {
  const authority = `${Buffer.from(host, 'utf8').toString('latin1')}:${port}`
  const lines: string[] = []
  for (const request of [`CONNECT ${authority}`, `GET http://${authority}/x`]) {
    const wire = new Wire(town.sluss.port)
    wire.send(`${request} HTTP/1.1\r\nHost: ${authority}\r\n\r\n`)
    lines.push((await wire.reply()).line.replace(/^HTTP\/1\.1 /, ''))
    wire.close()
  }
  return lines
}

/** The hosts in the rows of `reason`, as soon as there are `count` of them. */
async function rows(town: Town, reason: string, count: number): Promise<Set<string>> {
  const lines = () => town.sluss.ended('reason = ?', reason)
  await until(`${count} rows of ${reason}`, () => lines().length === count)
  return new Set(lines().map(({ host }) => String(host)))
}

let town: Town
beforeAll(async () => {
  town = await buildTown({ files: LISTED, more: LITERALS })
})
afterAll(() => town.close())

describe('a listed host', () => {
  it('is refused in every spelling and on every open port', async () => {
    const names = [
      'bad.test',
      'BAD.TEST',
      'bad.test.',
      'Deep.Down.Bad.Test.',
      'b%61d.test',
      'ｂad.test',
    ]
    const idn = [
      'xn--frbjuden-n4a.test',
      'XN--FRBJUDEN-N4A.TEST',
      'förbjuden.test',
      'FÖRBJUDEN.test.',
    ]
    const percent = ['f%C3%B6rbjuden.test', 'www.förbjuden.test']
    const ipv4 = ['192.0.2.53', '192.0.2.53.', '3221226037', '0xC0000235', '0xC0.0.0x2.065']
    const short = ['192.0.565', '192.565', '030000001065', '%31%39%32.0.2.53', '１９２.0.2.53']
    const mapped = ['[::ffff:192.0.2.53]', '[::ffff:c000:235]', '[0:0:0:0:0:FFFF:C000:0235]']
    const ipv6 = ['[2001:db8::bad]', '[2001:DB8:0:0:0:0:0:0BAD]', '[2001:0db8::0:bad]']
    const nat64 = ['[64:ff9b::192.0.2.53]', '[64:FF9B::C000:235]', '[0064:ff9b:0:0:0:0:c000:0235]']
    const sixToFour = ['[2002:c000:235::]', '[2002:C000:0235:0:0::1]']
    const embedding = [...nat64, ...sixToFour]
    const all = [...names, ...idn, ...percent, ...ipv4, ...short, ...mapped, ...ipv6, ...embedding]
    const refused = '403 This site is refused: porn'
    for (const spelling of all) {
      expect([spelling, ...(await ask(town, spelling, town.http.port))]).toEqual([
        spelling,
        refused,
        refused,
      ])
    }
    expect(await rows(town, 'category-blocked', 2 * all.length)).toEqual(
      new Set([
        ...['bad.test', 'deep.down.bad.test', 'xn--frbjuden-n4a.test', 'www.xn--frbjuden-n4a.test'],
        ...['192.0.2.53', '2001:db8::bad', '64:ff9b::c000:235'],
        ...['2002:c000:235::', '2002:c000:235::1'],
      ]),
    )
    expect(town.http.connections).toBe(0)
  })

  it('is refused on another port for the port, and with a user for the user', async () => {
    expect(await ask(town, 'bad.test', 81)).toEqual([
      '403 The port is not allowed',
      '403 The port is not allowed',
    ])
    expect(await ask(town, 'news.test@bad.test', town.http.port)).toEqual([
      '400 The request cannot be understood',
      '400 The request cannot be understood',
    ])
    expect(await rows(town, 'port-forbidden', 2)).toEqual(new Set(['bad.test']))
    expect(await rows(town, 'userinfo-forbidden', 2)).toEqual(new Set(['']))
  })
})

describe('the proxy itself', () => {
  it('is not reached through itself but for the portal, though the port and loopback are open', async () => {
    const { sluss } = town
    const ports = [sluss.port, Number(sluss.portal.split(':')[1])]
    const { policy } = await sluss.status()
    town.rewrite({ ports, more: LITERALS })
    await sluss.policyAfter(policy)
    const refused = '403 The address is not allowed'
    for (const port of ports) {
      for (const host of ['127.0.0.1', '127.1', 'news.test', '[::ffff:127.0.0.1]']) {
        expect([host, port, ...(await ask(town, host, port))]).toEqual([
          host,
          port,
          refused,
          host === 'news.test' ? refused : '404 Not Found',
        ])
      }
    }
    expect(await rows(town, 'portal', 6)).toEqual(new Set(['127.0.0.1']))
    expect(await rows(town, 'address-forbidden', 10)).toEqual(new Set(['127.0.0.1', 'news.test']))
  })
})

describe('a private address', () => {
  let strict: Town
  beforeAll(async () => {
    strict = await buildTown({ allow: [], more: LITERALS })
  })
  afterAll(() => strict.close())

  it('is not reached in any spelling, nor by a name that leads there', async () => {
    const names = ['news.test', 'NEWS.test.', 'localhost']
    const ipv4 = [
      '127.0.0.1',
      '127.1',
      '2130706433',
      '0x7f.1',
      '0x7F000001',
      '0177.1',
      '017700000001',
    ]
    const zero = ['0.0.0.0', '0', '[::]', '127.0.0.1.']
    const mapped = ['[::ffff:127.0.0.1]', '[::ffff:7f00:1]', '[::127.0.0.1]', '[::1]', '[0:0::1]']
    const embedded = [
      '[64:ff9b::127.0.0.1]',
      '[64:ff9b::7f00:1]',
      '[2002:7f00:1::]',
      '[2002:7f00:1::1]',
    ]
    const others = [
      '10.0.0.1',
      '169.254.169.254',
      '0xa9fea9fe',
      '100.64.0.1',
      '192.168.1.1',
      '[fd00::1]',
    ]
    const all = [...names, ...ipv4, ...zero, ...mapped, ...embedded, ...others, '[fe80::1]']
    const refused = '403 The address is not allowed'
    for (const spelling of all) {
      expect([spelling, ...(await ask(strict, spelling, strict.http.port))]).toEqual([
        spelling,
        refused,
        refused,
      ])
    }
    await rows(strict, 'address-forbidden', 2 * all.length)
    const [line] = strict.sluss.lines("host = '127.0.0.1'")
    expect(line).toMatchObject({
      verdict: 'refuse',
      rule: 'addresses',
      status: 403,
      ending: 'refused',
    })
    expect(strict.http.connections).toBe(0)
  })
})

describe('a tunnel to a bare address', () => {
  let plain: Town
  beforeAll(async () => {
    plain = await buildTown({
      allow: ['127.0.0.1'],
      files: { ...LISTED, 'lists/never-block.txt': 'help.test\n192.0.2.1\n' },
      more: 'limits: { dialTimeout: 1s }',
    })
  })
  afterAll(() => plain.close())

  const tunnel = async (host: string, port: number) => (await ask(plain, host, port))[0]

  it('is refused in every spelling, listed or not', async () => {
    const ipv4 = ['192.0.2.53', '3221226037', '0xC0.0.0x2.065', '192.0.565', '9.9.9.9', '127.0.0.2']
    const odd = ['%31%39%32.0.2.53', '１９２.0.2.53', '9.9.9.9.', '0']
    const ipv6 = ['[::ffff:9.9.9.9]', '[2001:db8::bad]', '[64:ff9b::9.9.9.9]', '[::1]']
    const all = [...ipv4, ...odd, ...ipv6]
    for (const spelling of all) {
      const line = await tunnel(spelling, plain.http.port)
      expect([spelling, line]).toEqual([spelling, '403 The address has no name'])
    }
    await rows(plain, 'address-literal', all.length)
    const [line] = plain.sluss.lines("host = '9.9.9.9' AND reason = 'address-literal'")
    expect(line).toMatchObject({ verdict: 'refuse', rule: 'tunnels.addressLiterals', status: 403 })
    const { stdout } = await plain.sluss.run('explain', `9.9.9.9:${plain.http.port}`)
    expect(stdout).toContain('REFUSE: The address has no name')
  })

  it('is opened where addresses.allow names it, and dialled where it is never blocked', async () => {
    expect(await tunnel('127.0.0.1', plain.http.port)).toBe('200 Connection established')
    expect(await tunnel('0x7f.1', plain.http.port)).toBe('200 Connection established')
    // Documentation, which the guard refuses: it has come as far as that.
    expect(await tunnel('192.0.2.1', plain.http.port)).toBe('403 The address is not allowed')
    const { stdout } = await plain.sluss.run('explain', `127.0.0.1:${plain.http.port}`)
    expect(stdout).toContain('a tunnel to an address, which addresses.allow names')
  })
})
