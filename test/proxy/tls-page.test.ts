import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Duplex } from 'node:stream'
import { connect as connectTls, type SecureContext, type TLSSocket } from 'node:tls'
import { chromium } from 'playwright-core'
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import type { TlsPages } from '../../src/proxy/tls-page.ts'
import { has, pathOf } from '../e2e/stand/programs.ts'
import { type Authority, makeAuthority, RefusingStand } from './tls-stand.ts'

let authority: Authority
let stand: RefusingStand
let context: (host: string) => ReturnType<TlsPages['contextFor']>
const sockets = new Set<Socket>()

beforeAll(() => {
  authority = makeAuthority(['bad.test', 'www.bad.test'])
})
beforeEach(async () => {
  context = () => authority.context
  stand = await RefusingStand.open({ contextFor: (host) => context(host) })
})
afterEach(() => {
  for (const socket of sockets) socket.destroy()
  sockets.clear()
  stand.close()
})

/** A raw connection; what comes on it is gathered. */
class Raw {
  readonly socket: Socket
  received = ''
  ended = false
  constructor() {
    this.socket = connect({ port: stand.port, host: '127.0.0.1', allowHalfOpen: true })
    sockets.add(this.socket)
    this.socket.on('error', () => {})
    this.socket.on('data', (bytes: Buffer) => {
      this.received += bytes.toString('latin1')
    })
    for (const event of ['end', 'close']) {
      this.socket.on(event, () => {
        this.ended = true
      })
    }
  }
  async until(text: string): Promise<void> {
    await vi.waitUntil(() => this.received.includes(text), { timeout: 10_000, interval: 5 })
  }
  async untilEnded(): Promise<void> {
    await vi.waitUntil(() => this.ended, { timeout: 10_000, interval: 5 })
  }
}

const CONNECT = 'CONNECT bad.test:443 HTTP/1.1\r\nHost: bad.test:443\r\nAccept-Language: en\r\n\r\n'
const ESTABLISHED = 'HTTP/1.1 200 Connection established\r\n\r\n'
const GET = 'GET / HTTP/1.1\r\nHost: bad.test\r\nAccept-Language: en\r\n\r\n'
const PAGE = 'This site is refused'

/** A connection in TLS, after a refused CONNECT. */
async function shaken(options: object = {}): Promise<TLSSocket> {
  const raw = new Raw()
  raw.socket.write(CONNECT)
  await raw.until(ESTABLISHED)
  raw.socket.removeAllListeners('data')
  const ca = authority.certificate
  const tls = connectTls({ socket: raw.socket, servername: 'bad.test', ca, ...options })
  tls.on('error', () => {}).on('end', () => tls.end())
  await once(tls, 'secureConnect')
  return tls
}

async function readUntil(tls: TLSSocket, condition: (text: string) => boolean): Promise<string> {
  let text = ''
  tls.on('data', (bytes: Buffer) => {
    text += bytes.toString('utf8')
  })
  await vi.waitUntil(() => condition(text), { timeout: 10_000, interval: 5 })
  tls.removeAllListeners('data')
  return text
}

const times = (text: string, part: string) => text.split(part).length - 1

/** Nothing is left of any of it. */
async function allBack(): Promise<void> {
  await vi.waitUntil(() => stand.listeners.clients.size === 0, { timeout: 10_000, interval: 5 })
  const { tlsPagesOpen, flowsOpen, connectionsOpen } = stand.engine.counters
  expect([tlsPagesOpen, flowsOpen, connectionsOpen]).toEqual([0, 0, 0])
}

const REFUSED = {
  method: 'CONNECT',
  host: 'bad.test',
  verdict: 'block',
  reason: 'category-blocked',
}

function run(program: string, args: readonly string[]): Promise<{ stdout: string; code: number }> {
  return new Promise((resolve) => {
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'ignore'] })
    let stdout = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text
    })
    child.once('close', (code) => resolve({ stdout, code: code ?? -1 }))
  })
}

describe('the page of a refused tunnel', () => {
  it.runIf(has('curl'))('is shown to curl, which trusts the authority', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'sluss-cacert-'))
    const cacert = join(folder, 'ca.pem')
    writeFileSync(cacert, authority.certificate)
    const proxy = ['--proxy', `http://127.0.0.1:${stand.port}`, '--cacert', cacert]
    const common = ['--silent', '--max-time', '30', '--noproxy', '', ...proxy]
    const { stdout, code } = await run('curl', [...common, '--include', 'https://bad.test/a?b'])
    rmSync(folder, { recursive: true })
    expect(code).toBe(0)
    expect(stdout).toContain('HTTP/1.1 403 This site is refused: porn')
    expect(stdout).toContain('Sluss-Reason: category-blocked; rule="category:porn"')
    expect(stdout).toContain('<h1>Webbplatsen är stoppad</h1>')
    await allBack()
    expect(stand.records).toMatchObject([
      { ...REFUSED, status: 403, ending: 'refused', bytesUp: 0 },
    ])
    expect(stand.engine.counters.tlsPages).toBe(1)
  })

  it.runIf(has('chromium'))('is shown by Chromium', async () => {
    const browser = await chromium.launch({
      executablePath: pathOf('chromium') ?? 'chromium',
      args: [
        ...['--no-sandbox', '--disable-background-networking', '--disable-gpu'],
        `--ignore-certificate-errors-spki-list=${authority.leafKeyHash}`,
        `--proxy-server=127.0.0.1:${stand.port}`,
      ],
    })
    const page = await browser.newPage({ locale: 'sv-SE' })
    const response = await page.goto('https://www.bad.test/')
    expect(response?.status()).toBe(403)
    expect(await page.textContent('h1')).toBe('Webbplatsen är stoppad')
    expect(await page.textContent('dl')).toContain('pornografi')
    await page.goto('https://www.bad.test/again')
    expect(await page.textContent('h1')).toBe('Webbplatsen är stoppad')
    await browser.close()
    // It asks for hosts of its own as well, which nobody here finds.
    await vi.waitUntil(() => stand.engine.counters.tlsPagesOpen === 0)
    const [first] = stand.records.filter(({ host }) => host === 'www.bad.test')
    expect(first).toMatchObject({ ...REFUSED, host: 'www.bad.test', status: 403 })
  })

  it('answers request after request, also pipelined, and HEAD without a body', async () => {
    const tls = await shaken()
    expect(tls.alpnProtocol).toBe(false)
    tls.write(GET + GET.replace('GET', 'HEAD'))
    const two = await readUntil(tls, (text) => times(text, 'HTTP/1.1 403') === 2)
    expect(times(two, PAGE)).toBeGreaterThan(1)
    expect(two.endsWith('Connection: keep-alive\r\n\r\n')).toBe(true)
    tls.write(GET.slice(0, 20))
    tls.write(GET.slice(20))
    await readUntil(tls, (text) => text.includes('</html>'))
    tls.write(`${GET.slice(0, -2)}Connection: close\r\n\r\n`)
    const last = await readUntil(tls, (text) => text.includes('</html>'))
    expect(last).toContain('Connection: close')
    await allBack()
    expect(stand.records).toHaveLength(1)
    expect(stand.engine.counters.tlsPages).toBe(1)
  })

  it('speaks HTTP/1.1 to who would rather speak HTTP/2', async () => {
    const tls = await shaken({ ALPNProtocols: ['h2', 'http/1.1'] })
    expect(tls.alpnProtocol).toBe('http/1.1')
    tls.write(GET)
    expect(await readUntil(tls, (text) => text.includes('</html>'))).toContain(PAGE)
  })

  it.each([
    ['an upload', 'POST / HTTP/1.1\r\nHost: bad.test\r\nContent-Length: 9\r\n\r\nGET / HT'],
    ['no HTTP', '\0\0\0\r\n\r\n'],
    ['two hosts', 'GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n'],
    ['a head without end', `GET /${'a'.repeat(70_000)}`],
    ['HTTP/1.0', 'GET / HTTP/1.0\r\n\r\n'],
  ])('is the last answer to %s', async (_what, text) => {
    const tls = await shaken()
    tls.write(text)
    const answer = await readUntil(tls, () => tls.readableEnded)
    expect(times(answer, 'HTTP/1.1 403')).toBe(1)
    expect(answer).toContain('Connection: close')
    tls.end()
    await allBack()
  })

  it('is shown no more than a hundred times on a connection', async () => {
    const tls = await shaken()
    tls.write(GET.repeat(150))
    const answer = await readUntil(tls, () => tls.readableEnded)
    expect(times(answer, 'HTTP/1.1 403')).toBe(100)
    tls.end()
    await allBack()
  })

  it('is shown where the hello came with the CONNECT', async () => {
    const raw = new Raw()
    // The hello of a real client, which speaks to nobody.
    const bytes = await new Promise<Buffer>((resolve) => {
      const catcher = new Duplex({ read() {}, write: (chunk: Buffer) => resolve(chunk) })
      connectTls({ socket: catcher, servername: 'bad.test' })
    })
    raw.socket.write(Buffer.concat([Buffer.from(CONNECT), bytes]))
    // A ServerHello, in a record of the handshake.
    await raw.until(`${ESTABLISHED}\x16\x03\x03`)
  })
})

describe('certificates', () => {
  it('may come later', async () => {
    let give: (context: SecureContext | null) => void = () => {}
    context = () => new Promise((resolve) => (give = resolve))
    const waiting = shaken()
    await vi.waitUntil(() => stand.engine.counters.tlsPagesOpen === 1)
    give(authority.context)
    const tls = await waiting
    tls.write(GET)
    expect(await readUntil(tls, (text) => text.includes('</html>'))).toContain(PAGE)
    expect(stand.engine.counters.tlsPagesOpen).toBe(1)
  })

  it.each<[string, typeof context]>([
    ['there are none', () => null],
    ['there are none later', async () => null],
    ['they fail', () => Promise.reject(new Error('no key'))],
  ])('are not needed: %s', async (_what, from) => {
    context = from
    const raw = new Raw()
    raw.socket.write(CONNECT)
    await raw.until('</html>')
    expect(raw.received).toMatch(/^HTTP\/1\.1 403 This site is refused: porn\r\n/)
    raw.socket.write(CONNECT)
    await vi.waitUntil(() => times(raw.received, '</html>') === 2)
    expect(stand.engine.counters.tlsPagesOpen).toBe(0)
  })

  it('come for nobody who has gone meanwhile', async () => {
    let give: (context: SecureContext | null) => void = () => {}
    context = () => new Promise((resolve) => (give = resolve))
    const raw = new Raw()
    raw.socket.write(CONNECT)
    await vi.waitUntil(() => stand.engine.counters.tlsPagesOpen === 1)
    raw.socket.resetAndDestroy()
    await vi.waitUntil(() => stand.listeners.clients.size === 0)
    give(authority.context)
    await vi.waitUntil(() => stand.engine.counters.tlsPagesOpen === 0)
    await allBack()
  })

  it('are asked for by the host of the CONNECT, and for nothing else', async () => {
    const asked: string[] = []
    context = (host) => {
      asked.push(host)
      return null
    }
    const raw = new Raw()
    for (const line of [
      'GET http://bad.test/ HTTP/1.1\r\nHost: bad.test',
      'CONNECT a.test:22 HTTP/1.1\r\nHost: a.test:22',
      'CONNECT BAD.test.:443 HTTP/1.1\r\nHost: bad.test',
    ]) {
      raw.socket.write(`${line}\r\n\r\n`)
    }
    await vi.waitUntil(() => times(raw.received, '</html>') === 3)
    expect(asked).toEqual(['bad.test'])
  })
})

describe('a client that does not go through with it', () => {
  async function begun(): Promise<Raw> {
    const raw = new Raw()
    raw.socket.write(CONNECT)
    await raw.until(ESTABLISHED)
    return raw
  }
  const headTimeoutMs = 15_000

  it('and says nothing is cut in time', async () => {
    const raw = await begun()
    stand.pass(headTimeoutMs - 1)
    expect(stand.listeners.clients.size).toBe(1)
    stand.pass(1)
    await raw.untilEnded()
    await allBack()
    expect(stand.records).toMatchObject([{ ...REFUSED, status: 200, ending: 'timeout' }])
    expect(stand.engine.counters.reasons).toEqual({ 'category-blocked': 1, 'head-timeout': 1 })
  })

  it('and stops within the handshake is cut too', async () => {
    const raw = await begun()
    raw.socket.write(Buffer.from([22, 3, 1, 2, 0, 1]))
    await new Promise((resolve) => setImmediate(resolve))
    stand.pass(headTimeoutMs)
    await raw.untilEnded()
    await allBack()
  })

  it('and asks for nothing, or for no more, after the handshake', async () => {
    const silent = await shaken()
    const idle = await shaken()
    idle.write(GET)
    await readUntil(idle, (text) => text.includes('</html>'))
    stand.pass(5_000)
    await vi.waitUntil(() => stand.listeners.clients.size === 1)
    stand.pass(10_000)
    await vi.waitUntil(() => silent.destroyed)
    await allBack()
    const { reasons } = stand.engine.counters
    expect([reasons['client-idle'], reasons['head-timeout']]).toEqual([1, 1])
  })

  it('but speaks plain HTTP gets the page in plain', async () => {
    const raw = await begun()
    raw.socket.write(GET)
    await raw.until('</html>')
    await raw.untilEnded()
    expect(raw.received.slice(ESTABLISHED.length)).toMatch(/^HTTP\/1\.1 403 /)
    raw.socket.end()
    await allBack()
    expect(stand.records).toMatchObject([{ ...REFUSED, status: 403, ending: 'refused' }])
  })

  it.each([
    ['ends', (raw: Raw) => raw.socket.end()],
    ['resets', (raw: Raw) => raw.socket.resetAndDestroy()],
    [
      'resets within the handshake',
      (raw: Raw) => {
        raw.socket.write(Buffer.from([22, 3, 1, 2, 0, 1]), () => raw.socket.resetAndDestroy())
      },
    ],
    ['writes nonsense', (raw: Raw) => raw.socket.end(Buffer.from([22, 3, 1, 0, 2, 9, 9, 9, 9]))],
  ])('and %s is gone', async (_what, go) => {
    const raw = await begun()
    go(raw)
    await allBack()
    expect(stand.records).toMatchObject([{ ...REFUSED, status: 200, ending: 'client-closed' }])
  })

  it('does not trust us, and is gone', async () => {
    const raw = await begun()
    const tls = connectTls({ socket: raw.socket, servername: 'bad.test' })
    const [error] = await once(tls, 'error').catch((caught) => [caught])
    expect(String(error)).toMatch(/certificate/)
    tls.destroy()
    await allBack()
  })

  it('and resets in the middle of the page leaves nothing behind', async () => {
    const tls = await shaken()
    tls.write(GET.repeat(90))
    const raw = [...sockets][0]!
    raw.pause()
    await vi.waitUntil(() => stand.engine.counters.tlsPages === 1)
    raw.resetAndDestroy()
    await allBack()
  })
})

describe('many at a time', () => {
  it('are as many as there is room for; the others are refused in plain, and all is given back', async () => {
    const before = readdirSync('/proc/self/fd').length
    const raws = Array.from({ length: 505 }, () => new Raw())
    for (const raw of raws) raw.socket.write(CONNECT)
    await vi.waitUntil(() => raws.every(({ received }) => received !== ''), { timeout: 20_000 })
    const shown = raws.filter(({ received }) => received === ESTABLISHED)
    expect(shown).toHaveLength(500)
    expect(stand.engine.counters.reasons['tls-pages-full']).toBe(5)
    stand.pass(15_000)
    await Promise.all(shown.map((raw) => raw.untilEnded()))
    for (const { socket } of raws) socket.destroy()
    await allBack()
    await vi.waitUntil(() => readdirSync('/proc/self/fd').length <= before, { timeout: 10_000 })
  })

  it('are ended by a drain once they have been seen', async () => {
    const seen = await shaken()
    seen.write(GET)
    await readUntil(seen, (text) => text.includes('</html>'))
    const unseen = new Raw()
    unseen.socket.write(CONNECT)
    await unseen.until(ESTABLISHED)
    for (const client of stand.listeners.clients) client.closeIfIdle()
    await vi.waitUntil(() => stand.listeners.clients.size === 1)
    stand.engine.cutAll()
    await unseen.untilEnded()
    await allBack()
    expect(stand.records.at(-1)).toMatchObject({ ...REFUSED, ending: 'shutdown' })
  })
})
