/**
 * Owns: the name in a tunnel's first bytes against the host of its CONNECT, as real clients say them.
 * Never: reads the bytes itself; test/proxy/greeting.test.ts does.
 */
import { once } from 'node:events'
import { createServer } from 'node:net'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { callService } from '../../src/cli/control.ts'
import type { QuotaReport } from '../../src/ledger/report.ts'
import { captureHello, type OpensslServer, startOpensslServer } from './stand/openssl-server.ts'
import { curl, has, openssl, startChromium } from './stand/programs.ts'
import { type Output, type TrafficLine, until } from './stand/sluss.ts'
import { buildTown, FROM, NAMES, type Town } from './stand/town.ts'
import { openTunnel } from './stand/tunnel.ts'

let town: Town
/** A server of TLS that takes no key share but one of P-521: whose hello has another is asked again. */
let picky: OpensslServer
beforeAll(async () => {
  picky = await startOpensslServer(NAMES, ['-groups', 'P-521'])
  town = await buildTown({ ports: [443, picky.port] })
})
afterAll(async () => {
  await town.close()
  await picky.close()
})

/** Exchanges whose lines have been looked at; they come one after the other. */
let seen = 0
let counted: Readonly<Record<string, number>>
beforeEach(async () => {
  counted = await reasons()
})

/** These settings of `tunnels`, and of `limits`, are in force. */
async function tunnels(rules: string, limits = '{}'): Promise<void> {
  const { policy } = await town.sluss.status()
  const more = `tunnels: ${rules}\nlimits: ${limits}`
  town.rewrite({ ports: [443, picky.port], more })
  await town.sluss.policyAfter(policy)
}

/** The line of the next exchange. */
async function theLine(): Promise<TrafficLine> {
  await until('its line', () => town.sluss.ended('1').length > seen)
  return town.sluss.ended('1')[seen++]!
}

/** What has been counted, once the counters have come of all that was looked at. */
async function reasons(): Promise<Readonly<Record<string, number>>> {
  let found: Readonly<Record<string, number>> = {}
  await until('the counters of the last line', async () => {
    const { requests, flowsOpen, reasons } = (await town.sluss.status()).counters
    found = reasons
    return flowsOpen === 0 && requests === seen
  })
  return found
}

/** How often `reason` has been counted in this test. */
async function times(reason: string): Promise<number> {
  return ((await reasons())[reason] ?? 0) - (counted[reason] ?? 0)
}

const authority = (host: string) => `${host}:${town.https.port}`

/** curl asks for `/hello` of `host`, by a CONNECT to `by`. */
function ask(host: string, by = host, path = '/hello'): Promise<Output> {
  const to = ['--connect-to', `${authority(host)}:${authority(by)}`]
  return curl(town, [...to, `https://${authority(host)}${path}`])
}

/** What a client of TLS makes of our refusal. */
const DENIED = /alert access denied/i

describe('curl', () => {
  it('says the host of its CONNECT', async () => {
    expect((await ask('news.test')).stdout).toBe(`hello from ${authority('news.test')}`)
    expect(await theLine()).toMatchObject({
      ...{ host: 'news.test', method: 'CONNECT', verdict: 'allow', reason: 'default' },
      ...{ hello: 'matched', server_name: 'news.test', ending: 'complete' },
    })
  })

  it('says another: logged and counted', async () => {
    await tunnels('{ mismatch: log }')
    expect((await ask('www.news.test', 'news.test')).code).toBe(0)
    expect(await theLine()).toMatchObject({
      ...{ host: 'news.test', verdict: 'allow', reason: 'default' },
      ...{ hello: 'mismatch', server_name: 'www.news.test' },
    })
    expect(await times('server-name-mismatch')).toBe(1)
  })

  it('says another: allowed, and only the line says so', async () => {
    await tunnels('{ mismatch: allow }')
    expect((await ask('www.news.test', 'news.test')).code).toBe(0)
    expect(await theLine()).toMatchObject({ verdict: 'allow', hello: 'mismatch' })
    expect(await times('server-name-mismatch')).toBe(0)
  })

  it('says another: refused, and it is told so by TLS', async () => {
    await tunnels('{ mismatch: refuse }')
    const { code, stderr } = await ask('www.news.test', 'news.test')
    expect(code).toBe(35)
    expect(stderr).toMatch(DENIED)
    expect(await theLine()).toMatchObject({
      ...{ host: 'news.test', verdict: 'refuse', reason: 'server-name-mismatch' },
      ...{ rule: 'tunnels.mismatch', hello: 'mismatch', server_name: 'www.news.test' },
      ...{ ending: 'refused', bytes_up: 0, bytes_down: 7 },
    })
    expect(await times('server-name-mismatch')).toBe(1)
    expect((await ask('news.test')).code).toBe(0)
    expect(await theLine()).toMatchObject({ verdict: 'allow', hello: 'matched' })
  })

  it('says a blocked one behind an allowed host: ended, whatever the setting', async () => {
    for (const setting of ['allow', 'log', 'refuse']) {
      await tunnels(`{ mismatch: ${setting} }`)
      const { requests } = town.https
      const before = requests.length
      const { code, stderr } = await ask('www.bad.test', 'news.test')
      expect([setting, code]).toEqual([setting, 35])
      expect(stderr).toMatch(DENIED)
      expect(await theLine()).toMatchObject({
        ...{
          host: 'news.test',
          verdict: 'block',
          reason: 'category-blocked',
          rule: 'category:porn',
        },
        ...{ decision: 'KS 2026/17', hello: 'mismatch', server_name: 'www.bad.test' },
        ...{ ending: 'refused', bytes_up: 0, categories: 'porn' },
      })
      expect(requests.length).toBe(before)
    }
  })

  it('says a blocked one: the log has it under its category', async () => {
    const before = town.sluss.ended("categories = 'porn'").length
    expect(before).toBeGreaterThan(0)
    const found = await town.sluss.run('log', 'search', '--category', 'porn', '--format', 'json')
    expect(found.stdout.match(/"www\.bad\.test"/g)).toHaveLength(before)
  })

  it('says a metered one behind a host that is not: it costs minutes', async () => {
    await tunnels('{ mismatch: log }')
    const used = async () => {
      const report = await callService<QuotaReport>(town.sluss.state, { command: 'quota.list' })
      return report?.rows.find(({ user }) => user === FROM.local)?.used ?? 0
    }
    expect(await used()).toBe(0)
    expect((await ask('news.test', 'news.test', '/bytes/100000')).code).toBe(0)
    expect(await theLine()).toMatchObject({ rule: 'default' })
    expect(await used()).toBe(0)
    expect((await ask('face.test', 'news.test', '/bytes/100000')).code).toBe(0)
    expect(await theLine()).toMatchObject({
      ...{ host: 'news.test', verdict: 'allow', rule: 'category:social' },
      ...{ hello: 'mismatch', server_name: 'face.test' },
      ...{ categories: 'social', platforms: 'face' },
    })
    await until('a minute is charged', async () => (await used()) > 0)
  })
})

describe('openssl s_client', () => {
  const say = (args: readonly string[], by = 'news.test') =>
    openssl(town, ['-connect', authority(by), ...args], 'GET /hello HTTP/1.0\r\nHost: x\r\n\r\n')

  it('says the name that it is told', async () => {
    expect((await say(['-servername', 'news.test'])).stdout).toContain('hello from x')
    expect(await theLine()).toMatchObject({ hello: 'matched', server_name: 'news.test' })
  })

  it('says it in other spelling', async () => {
    expect((await say(['-servername', 'NEWS.Test'])).stdout).toContain('hello from x')
    expect(await theLine()).toMatchObject({ hello: 'matched', server_name: 'news.test' })
  })

  it('says none: logged', async () => {
    await tunnels('{ noServerName: log }')
    expect((await say(['-noservername'])).stdout).toContain('hello from x')
    expect(await theLine()).toMatchObject({ verdict: 'allow', hello: 'none', server_name: '' })
    expect(await times('server-name-missing')).toBe(1)
  })

  it('says none: refused', async () => {
    await tunnels('{ noServerName: refuse }')
    const { stdout, stderr } = await say(['-noservername'])
    expect(stdout).not.toContain('hello from x')
    expect(stderr).toMatch(DENIED)
    expect(await theLine()).toMatchObject({
      ...{ verdict: 'refuse', reason: 'server-name-missing', rule: 'tunnels.noServerName' },
      ...{ hello: 'none', server_name: '', ending: 'refused' },
    })
    expect(await times('server-name-missing')).toBe(1)
  })

  it('speaks TLS 1.2, or 1.3 with a hello of many kilobytes', async () => {
    await tunnels('{ mismatch: refuse, noServerName: refuse }')
    const many = Array.from({ length: 200 }, (_, i) => `protocol-${i}`)
    const long = ['-alpn', `${many.join(',')},http/1.1`]
    for (const args of [['-tls1_2'], long]) {
      expect((await say(['-servername', 'news.test', ...args])).stdout).toContain('hello from x')
      expect(await theLine()).toMatchObject({ hello: 'matched', server_name: 'news.test' })
    }
  })
})

describe('openssl s_client to a server that asks for another key share', () => {
  const ask = (name: string) => {
    const args = ['-connect', `help.test:${picky.port}`, '-servername', name, '-msg']
    return openssl(town, [...args, '-groups', 'X25519:P-521'], 'GET / HTTP/1.0\r\n\r\n')
  }

  it('says its name twice, and is heard', async () => {
    await tunnels('{ mismatch: refuse }')
    const { stdout, stderr } = await ask('help.test')
    expect(stdout).toContain('HTTP/1.0 200 ok')
    expect((stdout + stderr).match(/^>>> .*ClientHello$/gm)).toHaveLength(2)
    expect(await theLine()).toMatchObject({
      ...{ host: 'help.test', verdict: 'allow', hello: 'matched', server_name: 'help.test' },
    })
  })

  it('says a blocked one in names that are none: ended', async () => {
    await tunnels('{ mismatch: allow }')
    for (const name of ['*.bad.test', 'www.bad.test..', '-x.bad.test', 'bad.test:443']) {
      expect((await ask(name)).stderr).toMatch(DENIED)
      expect(await theLine()).toMatchObject({
        ...{ verdict: 'block', rule: 'category:porn', hello: 'mismatch', server_name: name },
        ...{ categories: 'gambling,porn', bytes_up: 0 },
      })
    }
  })
})

describe('a hello that is not said in one piece, to a never-block host', () => {
  /** Says `parts`, each once it has read `when`, or the end; gives what it has read at the end. */
  async function say(...parts: readonly { bytes: Buffer; when?: string }[]): Promise<string> {
    const { reply, socket } = await openTunnel(town.sluss.port, `help.test:${picky.port}`)
    expect(reply.status).toBe(200)
    let read = ''
    socket.setEncoding('latin1').on('data', (part: string) => {
      read += part
    })
    socket.on('error', () => {})
    const closed = once(socket, 'close')
    socket.resume()
    for (const { bytes, when } of parts) {
      if (when !== undefined)
        await until('its turn', () => read.includes(when) || socket.readableEnded)
      socket.write(bytes)
    }
    await closed
    return read
  }
  /** Its version, and the beginning of its random (RFC 8446 section 4.1.3). */
  const HELLO_RETRY = '\x03\x03\xcf\x21\xad\x74\xe5\x9a\x61\x11'
  const lax = '{ notTls: allow, mismatch: allow }'

  it('and then only after a pause, is ended', async () => {
    const hello = await captureHello('www.bad.test', 'P-521')
    await tunnels(lax, '{ headTimeout: 300ms }')
    const rest = { bytes: hello.subarray(100), when: 'anything at all' }
    expect(await say({ bytes: hello.subarray(0, 100) }, rest)).toBe('')
    expect(await theLine()).toMatchObject({
      ...{ host: 'help.test', verdict: 'refuse', reason: 'tunnel-not-tls', rule: 'tunnels' },
      ...{ hello: 'incomplete', bytes_up: 0, ending: 'refused' },
    })
  })

  it('behind an empty record, is ended', async () => {
    const hello = await captureHello('www.bad.test', 'P-521')
    await tunnels(lax)
    const empty = Buffer.from([0x16, 3, 1, 0, 0])
    expect(await say({ bytes: Buffer.concat([empty, hello]) })).toBe('')
    expect(await theLine()).toMatchObject({
      ...{ host: 'help.test', verdict: 'refuse', reason: 'tunnel-not-tls', rule: 'tunnels' },
      ...{ hello: 'malformed', bytes_up: 0, ending: 'refused' },
    })
  })

  it('and that names a blocked one when it is asked again, is ended', async () => {
    const first = await captureHello('help.test', 'X25519:P-521')
    const second = await captureHello('www.bad.test', 'P-521')
    await tunnels(lax)
    const read = await say({ bytes: first }, { bytes: second, when: HELLO_RETRY })
    expect(read.slice(-7)).toBe('\x15\x03\x03\x00\x02\x02\x31')
    expect(await theLine()).toMatchObject({
      ...{ verdict: 'block', rule: 'category:porn', hello: 'mismatch' },
      ...{ server_name: 'www.bad.test', categories: 'gambling,porn' },
      ...{ bytes_up: first.length, bytes_down: read.length, ending: 'refused' },
    })
  })
})

describe('what is not TLS on port 443', () => {
  let heard: string
  const server = createServer((socket) => {
    socket.on('error', () => {})
    socket.on('data', (bytes: Buffer) => {
      heard += bytes.toString('latin1')
      socket.end('from the server')
    })
  })
  beforeAll(async () => {
    await once(server.listen(443, '127.0.0.1'), 'listening')
  })
  afterAll(() => {
    server.close()
  })
  beforeEach(() => {
    heard = ''
  })

  /** What a client that says `text` in a tunnel to port 443 reads until its end. */
  async function speak(text: string): Promise<string> {
    const { reply, socket } = await openTunnel(town.sluss.port, 'news.test:443')
    expect(reply.status).toBe(200)
    let read = ''
    socket.setEncoding('latin1').on('data', (part: string) => {
      read += part
    })
    socket.on('error', () => {})
    socket.write(text)
    socket.resume()
    await once(socket, 'close')
    return read
  }

  it('is refused, and hears nothing', async () => {
    await tunnels('{ notTls: refuse }')
    expect([await speak('SSH-2.0-OpenSSH_9.6\r\n'), heard]).toEqual(['', ''])
    expect(await theLine()).toMatchObject({
      ...{ host: 'news.test', port: 443, verdict: 'refuse', reason: 'tunnel-not-tls' },
      ...{ rule: 'tunnels.notTls', hello: 'not-tls', ending: 'refused', bytes_up: 0 },
    })
    expect(await times('tunnel-not-tls')).toBe(1)
  })

  it('passes where it may, and is counted', async () => {
    await tunnels('{ notTls: log }')
    expect(await speak('SSH-2.0-OpenSSH_9.6\r\n')).toBe('from the server')
    expect(heard).toBe('SSH-2.0-OpenSSH_9.6\r\n')
    expect(await theLine()).toMatchObject({ verdict: 'allow', hello: 'not-tls', bytes_up: 21 })
    expect(await times('tunnel-not-tls')).toBe(1)
  })
})

describe.runIf(has('chromium'))('Chromium', () => {
  const closings: (() => Promise<void>)[] = []
  afterEach(async () => {
    for (const close of closings.splice(0)) await close()
  })

  it('says the host of its CONNECT, with an encrypted hello for show and without', async () => {
    await tunnels('{ mismatch: refuse, noServerName: refuse, encryptedHello: refuse }')
    const browser = await startChromium(town)
    closings.push(() => browser.close())
    const page = await browser.newPage()
    const response = await page.goto(`https://${authority('www.news.test')}/page`)
    expect(response?.status()).toBe(200)
    await page.close()
    await browser.close()
    const where = "host = 'www.news.test' AND method = 'CONNECT' AND hello <> ''"
    await until('its lines', () => town.sluss.ended(where).length > 0)
    for (const line of town.sluss.ended(where).slice(-1)) {
      expect(line).toMatchObject({
        ...{ verdict: 'allow', hello: 'matched', server_name: 'www.news.test' },
      })
    }
  })
})
