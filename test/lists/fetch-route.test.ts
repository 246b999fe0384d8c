/** The way to a server: where redirects lead, who is trusted, and a proxy between. */
import { writeFileSync } from 'node:fs'
import { createServer as createNetServer } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { REDIRECTS_MAX } from '../../src/lists/fetch.ts'
import { parseNetwork } from '../../src/policy/address.ts'
import { type Attempt, FetchStand, LIST } from './fetch-stand.ts'
import { ConnectProxy } from './https-stand.ts'

const stand = new FetchStand()
beforeAll(() => stand.start())
afterAll(() => stand.close())

describe('where a redirect may lead', () => {
  const redirecting =
    (path: string, to: () => string, rest: Attempt = {}) =>
    () => {
      stand.publisher.redirect(path, to())
      return { url: stand.publisher.url(path), ...rest }
    }
  const goes = (name: string, setUp: () => Attempt) =>
    test(name, async () => {
      const { result } = await stand.attempt(setUp())
      expect(result).toMatchObject({ kind: 'fetched', bytes: LIST.length })
    })

  goes(
    'within the place that the administrator wrote',
    redirecting('/moved', () => '/list'),
  )
  goes(
    'to an address inside that addresses.allow names',
    redirecting('/allowed', () => stand.other.url('/list'), {
      rules: { allow: [{ network: network('127.0.0.0/8'), port: null }] },
    }),
  )
  const inside = { code: 'address-forbidden' as const }
  stand.check(
    'not to loopback',
    redirecting('/loop', () => stand.other.url('/list', '127.0.0.1')),
    {
      ...inside,
      what: '127.0.0.1, loopback',
    },
  )
  stand.check(
    'not to a name that is loopback',
    redirecting('/name', () => stand.other.url('/list', 'other.test')),
    {
      ...inside,
      what: '127.0.0.1, loopback',
    },
  )
  stand.check(
    'not to another port of the same host',
    redirecting('/port', () => stand.other.url('/list', 'lists.test')),
    { ...inside, what: '127.0.0.1, loopback' },
  )
  for (const [host, what] of [
    ['10.1.2.3', 'private'],
    ['169.254.169.254', 'cloud metadata'],
    ['0x7f.1', '127.0.0.1, loopback'],
    ['[::1]', '::1, unspecified, loopback'],
    ['[::ffff:192.168.1.1]', '192.168.1.1, private'],
  ] as const) {
    stand.check(
      `not to ${host}`,
      redirecting(`/to-${host}`, () => `https://${host}/list`),
      {
        ...inside,
        what,
      },
    )
  }
  stand.check(
    'not out of https',
    redirecting('/http', () => 'http://lists.test/list'),
    {
      code: 'redirect',
      what: 'out of https, to http://lists.test',
    },
  )
  stand.check(
    'not to a file',
    redirecting('/file', () => 'file:///etc/passwd'),
    {
      code: 'redirect',
      what: 'out of https',
    },
  )
  stand.check(
    'not in a circle',
    redirecting('/circle', () => '/circle'),
    {
      code: 'redirect',
      what: `more than ${REDIRECTS_MAX} times`,
    },
  )
  stand.check(
    'not to nowhere',
    stand.answering('/nowhere', (response) => response.writeHead(302).end()),
    { code: 'redirect', what: 'to nowhere' },
  )

  test('the address that was checked is the one connected to', async () => {
    // Of the two only the second may be dialled, and there nobody listens.
    stand.publisher.redirect('/rebind', stand.other.url('/list', 'rebind.test'))
    stand.asked.length = 0
    const { result } = await stand.attempt({
      url: stand.publisher.url('/rebind'),
      rules: { allow: [{ network: network('127.0.0.2'), port: null }] },
      addresses: { 'rebind.test': ['127.0.0.1', '127.0.0.2'] },
    })
    expect(result).toMatchObject({ kind: 'failed', code: 'unreachable' })
    expect(stand.asked).toEqual(['lists.test', 'rebind.test'])
    expect(stand.other.requests.some(({ headers }) => headers.host?.startsWith('rebind'))).toBe(
      false,
    )
  })
})

function network(text: string) {
  const parsed = parseNetwork(text)
  if (typeof parsed === 'string') throw new Error(parsed)
  return parsed
}

describe('connections', () => {
  stand.check('an authority that nobody knows', () => ({ rules: { certificates: null } }), {
    code: 'tls',
    what: 'signed by nobody we trust',
  })
  stand.check(
    'a certificate for another name',
    () => ({
      url: stand.publisher.url('/list', 'wrong.test'),
      addresses: { 'wrong.test': ['127.0.0.1'] },
    }),
    { code: 'tls', what: 'is for another name' },
  )
  stand.check('a name that does not exist', () => ({ url: 'https://missing.test/' }), {
    code: 'name-not-found',
    what: 'no address for missing.test',
    mayPass: true,
  })

  test('a port where nothing listens, and one where no TLS does', async () => {
    const plain = createNetServer((socket) => socket.resume().end('HTTP/1.1 200 OK\r\n\r\n'))
    await new Promise<void>((resolve) => plain.listen(0, '127.0.0.1', resolve))
    const { port } = plain.address() as { port: number }
    const url = `https://lists.test:${port}/`
    expect(await stand.attempt({ url })).toMatchObject({ result: { kind: 'failed', code: 'tls' } })
    await new Promise((resolve) => plain.close(resolve))
    expect(await stand.attempt({ url })).toMatchObject({
      result: { kind: 'failed', code: 'unreachable', mayPass: true },
    })
  })

  const junk = join(stand.folder, 'junk.pem')
  writeFileSync(junk, 'no certificate')
  const half = join(stand.folder, 'half.pem')
  writeFileSync(half, '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n')
  for (const [name, certificates, what] of [
    ['missing', join(stand.folder, 'none.pem'), 'there is no such file'],
    ['of something else', junk, 'holds no certificates'],
    ['damaged', half, 'holds no certificates'],
  ] as const) {
    stand.check(`a file of authorities that is ${name}`, () => ({ rules: { certificates } }), {
      code: 'certificates',
      what,
    })
  }
})

describe('through a proxy', () => {
  /** Runs `work` with a proxy that is gone afterwards. */
  async function withProxy(
    credentials: string | null,
    answers: number | null,
    work: (proxy: ConnectProxy) => Promise<void>,
  ) {
    const proxy = await ConnectProxy.start(credentials, answers)
    try {
      await work(proxy)
    } finally {
      await proxy.close()
    }
  }

  test('with user and password; the proxy finds the name', async () => {
    await withProxy('anna:p@ss', null, async (proxy) => {
      stand.asked.length = 0
      const rules = { proxy: proxy.url('anna:p%40ss@') }
      const { result } = await stand.attempt({ rules, addresses: { 'lists.test': [] } })
      expect(result).toMatchObject({ kind: 'fetched', bytes: LIST.length })
      expect(proxy.connected).toEqual([`lists.test:${stand.publisher.port}`])
      expect(stand.asked).toEqual([])
    })
  })

  test('a wrong password, and a proxy that says no, are told apart', async () => {
    await withProxy('anna:right', null, async (proxy) => {
      const { result } = await stand.attempt({ rules: { proxy: proxy.url('anna:wrong@') } })
      expect(result).toMatchObject({ code: 'proxy', mayPass: false })
      expect(JSON.stringify(result)).toContain('407')
      expect(JSON.stringify(result)).not.toContain('wrong')
    })
    for (const [status, mayPass] of [
      [403, false],
      [502, true],
    ] as const) {
      await withProxy(null, status, async (proxy) => {
        const { result } = await stand.attempt({ rules: { proxy: proxy.url() } })
        expect(result).toMatchObject({ code: 'proxy', mayPass })
      })
    }
  })

  test('a redirect to an address inside is refused before the proxy is stand.asked', async () => {
    await withProxy(null, null, async (proxy) => {
      stand.publisher.redirect('/via', stand.other.url('/list', 'other.test'))
      const { result } = await stand.attempt({
        url: stand.publisher.url('/via'),
        rules: { proxy: proxy.url() },
      })
      expect(result).toMatchObject({ code: 'address-forbidden' })
      expect(proxy.connected).toEqual([`lists.test:${stand.publisher.port}`])
    })
  })

  test('a proxy that is not there is named', async () => {
    const { result } = await stand.attempt({ rules: { proxy: 'http://user:secret@127.0.0.1:1' } })
    expect(result).toMatchObject({ code: 'unreachable', mayPass: true })
    expect(JSON.stringify(result)).toContain('127.0.0.1:1')
    expect(JSON.stringify(result)).not.toContain('secret')
  })
})
