import { readFileSync } from 'node:fs'
import { type Browser, chromium, type Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { curl, has, pathOf } from './stand/programs.ts'
import { until } from './stand/sluss.ts'
import { buildTown, FROM, type Town, USER } from './stand/town.ts'
import { Wire } from './stand/wire.ts'

const OWN = 'http://sluss.internal/'
const ANNA = ['--proxy-user', `${USER.name}:${USER.password}`]
const ENGLISH = ['--header', 'Accept-Language: en']

describe('the portal through the proxy', () => {
  let town: Town
  beforeAll(async () => {
    town = await buildTown()
  })
  afterAll(() => town.close())

  /** The reply to one request from `from`, and whether the connection may be used again. */
  async function ask(from: string, ...lines: string[]) {
    const wire = new Wire(town.sluss.port, from)
    wire.send(`${lines.join('\r\n')}\r\n\r\n`)
    const reply = await wire.reply(lines[0]!.split(' ')[0])
    const again = reply.fields.get('connection') !== 'close'
    wire.close()
    return { ...reply, again }
  }

  it.runIf(has('curl'))('shows people who sign in their minutes, by their name', async () => {
    const { sluss, http } = town
    const office = ['--interface', FROM.office, ...ENGLISH]
    const before = await curl(town, [...office, OWN])
    expect(before.stdout).toContain('<dd>127.0.2.1</dd>')
    expect(before.stdout).toContain('You have not signed in.')
    expect(before.stdout).not.toContain('<meter')
    expect(await sluss.line("host = 'sluss.internal' AND user = ''")).toMatchObject({
      ...{ zone: 'office', verdict: 'allow', reason: 'portal', rule: 'portal', status: 200 },
      ...{ method: 'GET', port: 80 },
    })
    await curl(town, [...office, ...ANNA, `http://face.test:${http.port}/bytes/5000`])
    const page = async () => (await curl(town, [...office, ...ANNA, OWN])).stdout
    await until('a minute is counted', async () => (await page()).includes('<dd>1 of 60</dd>'))
    expect(await page()).toContain(`<dt>User</dt><dd>${USER.name}</dd>`)
    const hers = () => sluss.lines("host = 'sluss.internal' AND user = ?", USER.name)
    await until('her line', () => hers().length > 0)
    expect(hers()[0]).toMatchObject({ verdict: 'allow', reason: 'portal', status: 200 })
    const wrong = ['--proxy-user', `${USER.name}:wrong`]
    expect((await curl(town, [...office, ...wrong, OWN])).stdout).toContain('not signed in')
  })

  it.runIf(has('curl'))('shows others those of their address or part of the network', async () => {
    const own = await curl(town, [...ENGLISH, OWN])
    expect(own.stdout).toContain('<dd>127.0.0.1</dd>')
    expect(own.stdout).toContain('<dd>0 of 60</dd>')
    const school = await curl(town, ['--interface', FROM.schools, ...ENGLISH, OWN])
    expect(school.stdout).toContain('<dd>schools</dd>')
    expect(school.stdout).not.toContain('<meter')
    const nowhere = await curl(town, ['--interface', FROM.none, ...ENGLISH, OWN])
    expect(nowhere.stdout).toContain('Your computer is unknown')
  })

  it('is not told by a client who it is', async () => {
    const { sluss } = town
    const visitor = JSON.stringify({ address: '10.1.1.1', identity: { kind: 'user', user: 'eva' } })
    const forged = [`Sluss-Visitor: ${visitor}`, `sluss-visitor: ${'A'.repeat(32)} ${visitor}`]
    for (const target of [OWN, '/']) {
      const lines = [`GET ${target} HTTP/1.1`, 'Host: sluss.internal', ...forged]
      const { status, body } = await ask(FROM.office, ...lines)
      expect(status).toBe(200)
      expect(body).toContain('<dd>127.0.2.1</dd>')
      expect(body).not.toContain('eva')
    }
    const direct = await fetch(`http://${sluss.portal}/`, {
      headers: { 'Sluss-Visitor': `${'A'.repeat(32)} ${visitor}` },
    })
    const body = await direct.text()
    expect(body).toContain('<dd>127.0.0.1</dd>')
    expect(body).not.toContain('eva')
  })

  it('is found at the addresses and ports of the gate, in either form', async () => {
    const { sluss } = town
    for (const authority of [sluss.proxy, `127.1:${sluss.port}`, sluss.portal, 'sluss.internal']) {
      for (const target of ['/', `http://${authority}/`]) {
        const reply = await ask(FROM.local, `GET ${target} HTTP/1.1`, `Host: ${authority}`)
        expect([authority, target, reply.status, reply.again]).toEqual([
          authority,
          target,
          200,
          true,
        ])
        expect(reply.body).toContain('Internet hos oss')
        expect(reply.fields.get('via')).toMatch(/^1\.1 sluss-/)
      }
    }
    const port = sluss.proxy.split(':')[1]!
    await until(
      'eight lines',
      () => sluss.lines("reason = 'portal' AND zone = 'local'").length >= 8,
    )
    const asked = sluss.lines("reason = 'portal' AND host = '127.0.0.1'")
    expect(new Set(asked.map((line) => String(line.port)))).toContain(port)
  })

  it('is one of several on a connection', async () => {
    const { sluss, http } = town
    const wire = new Wire(sluss.port)
    const site = `news.test:${http.port}`
    wire.send('GET / HTTP/1.1\r\nHost: sluss.internal\r\n\r\n')
    wire.send('HEAD http://sluss.internal/proxy.pac HTTP/1.1\r\nHost: sluss.internal\r\n\r\n')
    wire.send(`GET http://${site}/hello HTTP/1.1\r\nHost: ${site}\r\n\r\n`)
    wire.send('POST / HTTP/1.1\r\nHost: sluss.internal\r\nContent-Length: 4\r\n\r\nbody')
    wire.send('GET /health HTTP/1.1\r\nHost: sluss.internal\r\n\r\n')
    expect((await wire.reply()).status).toBe(200)
    expect((await wire.reply('HEAD')).status).toBe(200)
    expect((await wire.reply()).body).toBe(`hello from ${site}`)
    expect((await wire.reply()).status).toBe(405)
    expect(JSON.parse((await wire.reply()).body)).toMatchObject({ healthy: true })
    wire.close()
  })

  it('says to OPTIONS * what the gate takes', async () => {
    const { sluss } = town
    for (const host of ['sluss.internal', sluss.proxy]) {
      const reply = await ask(FROM.local, 'OPTIONS * HTTP/1.1', `Host: ${host}`)
      expect([reply.status, reply.fields.get('allow'), reply.again]).toEqual([
        200,
        'CONNECT, GET, HEAD, POST, PUT',
        true,
      ])
    }
    const other = await ask(FROM.local, 'OPTIONS * HTTP/1.1', 'Host: news.test')
    expect([other.status, other.again]).toEqual([400, false])
  })

  it('is no way to other hosts', async () => {
    const other = await ask(FROM.local, 'GET / HTTP/1.1', 'Host: news.test')
    expect([other.status, other.again]).toEqual([400, false])
    expect(other.fields.get('sluss-reason')).toContain('target-form')
    const name = `news.test:${town.sluss.port}`
    const absolute = await ask(FROM.local, `GET http://${name}/ HTTP/1.1`, `Host: ${name}`)
    expect(absolute.status).toBe(403)
  })
})

describe('a gate without a portal', () => {
  let town: Town
  beforeAll(async () => {
    town = await buildTown({ start: false })
    const settings = readFileSync(town.sluss.path('sluss.yaml'), 'utf8')
    town.sluss.write('sluss.yaml', settings.replace('  portal: 127.0.0.1:0\n', ''))
    await town.sluss.start()
  })
  afterAll(() => town.close())

  it('says so', async () => {
    const { sluss } = town
    const wire = new Wire(sluss.port)
    wire.send(`GET ${OWN} HTTP/1.1\r\nHost: sluss.internal\r\n\r\n`)
    const named = await wire.reply()
    expect([named.status, named.fields.get('connection')]).toEqual([404, 'keep-alive'])
    expect(named.content.toString()).toContain('Här finns ingen portal')
    wire.send(`GET / HTTP/1.1\r\nHost: ${sluss.proxy}\r\n\r\n`)
    const own = await wire.reply()
    expect([own.status, own.fields.get('connection')]).toEqual([404, 'close'])
    await wire.ended()
    const line = await sluss.line("host = 'sluss.internal'")
    expect(line).toMatchObject({ verdict: 'refuse', reason: 'portal-absent', status: 404 })
  })
})

describe.runIf(has('chromium'))('Chromium', () => {
  let town: Town
  let browser: Browser
  let page: Page
  beforeAll(async () => {
    town = await buildTown({ start: false })
    const settings = readFileSync(town.sluss.path('sluss.yaml'), 'utf8')
    const named = settings.replace(/(name: local, .*identify: )address/, '$1[basic]')
    town.sluss.write('sluss.yaml', named)
    await town.sluss.start()
    const { name: username, password } = USER
    browser = await chromium.launch({
      executablePath: pathOf('chromium') ?? 'chromium',
      args: ['--no-sandbox', '--disable-background-networking', '--disable-gpu'],
      proxy: { server: `http://${town.sluss.proxy}`, bypass: '<-loopback>', username, password },
    })
    page = await browser.newPage({ locale: 'sv-SE' })
  })
  afterAll(async () => {
    await browser.close()
    await town.close()
  })

  it('shows who has not signed in, and then who has', async () => {
    await page.goto(OWN)
    expect(await page.textContent('body')).toContain('Du är inte inloggad.')
    await page.goto(`http://news.test:${town.http.port}/page`)
    expect(await page.textContent('h1')).toBe(`news.test:${town.http.port}`)
    await page.goto(OWN)
    expect(await page.textContent('h1')).toBe('Internet hos oss')
    expect(await page.textContent('dl')).toContain(`Användare${USER.name}`)
    expect(await page.textContent('dl')).toContain('0 av 60')
    await until('its line', () => {
      const where = "host = 'sluss.internal' AND user = ? AND reason = 'portal'"
      return town.sluss.lines(where, USER.name).length > 0
    })
  })

  it('shows the same where the address of the proxy is typed', async () => {
    await page.goto(`http://${town.sluss.proxy}/`)
    expect(await page.textContent('dl')).toContain(USER.name)
  })

  it('shows the address to one that uses no proxy, and where to find the rest', async () => {
    const direct = await chromium.launch({
      executablePath: pathOf('chromium') ?? 'chromium',
      args: ['--no-sandbox', '--no-proxy-server', '--disable-gpu'],
    })
    const plain = await direct.newPage({ locale: 'en-GB' })
    const response = await plain.goto(`http://${town.sluss.proxy}/`)
    expect(response?.status()).toBe(200)
    expect(await plain.textContent('dl')).toContain('127.0.0.1')
    expect(await plain.textContent('body')).toContain('You have not signed in.')
    await plain.goto(`http://${town.sluss.portal}/`)
    expect(await plain.textContent('a')).toBe(OWN)
    await direct.close()
  })
})
