import { request } from 'node:http'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { formatVisitor, VISITOR_FIELD } from '../src/policy/index.ts'
import { proxyAutoConfig } from '../src/portal/pac.ts'
import { portalPage } from '../src/portal/page.ts'
import { Portal } from '../src/portal/portal.ts'

let healthy = true
const portal = new Portal({
  health: () => ({ healthy, alarms: healthy ? [] : ['the disk is full'] }),
  whoAmI: ({ address, identity }) => ({
    zone: 'local',
    address,
    identify: ['address'],
    user: identity?.user ?? null,
    minutes: null,
  }),
  proxies: () => [
    { address: '0.0.0.0', port: 3128 },
    { address: '::1', port: 3128 },
  ],
})
beforeAll(() => portal.listen([{ address: '127.0.0.1', port: 0 }]))
afterAll(() => portal.close())

interface Answer {
  readonly status: number | undefined
  readonly type: string | undefined
  readonly allow: string | undefined
  readonly body: string
}

function ask(path: string, method = 'GET', visitor?: string): Promise<Answer> {
  const { port } = portal.endpoints[0]!
  return new Promise((resolve, reject) => {
    const headers = visitor === undefined ? {} : { [VISITOR_FIELD]: visitor }
    const asked = request({ host: '127.0.0.1', port, path, method, headers }, (response) => {
      let body = ''
      response.setEncoding('utf8').on('data', (part: string) => {
        body += part
      })
      response.on('end', () => {
        const { allow, 'content-type': type } = response.headers
        resolve({ status: response.statusCode, type, allow, body })
      })
    })
    asked.on('error', reject)
    asked.end()
  })
}

describe('the portal', () => {
  it('says who the visitor is', async () => {
    const { status, type, body } = await ask('/')
    expect([status, type]).toEqual([200, 'text/html; charset=utf-8'])
    expect(body).toContain('<dd>127.0.0.1</dd>')
  })

  it('is healthy with 200 and ill with 503', async () => {
    expect((await ask('/health')).status).toBe(200)
    healthy = false
    const ill = await ask('/health')
    healthy = true
    expect(ill.status).toBe(503)
    expect(JSON.parse(ill.body)).toEqual({ healthy: false, alarms: ['the disk is full'] })
  })

  it('serves the proxy file by its type', async () => {
    const { type, body } = await ask('/proxy.pac?x=1')
    expect(type).toBe('application/x-ns-proxy-autoconfig')
    expect(body).toContain('PROXY 127.0.0.1:3128; PROXY [::1]:3128')
  })

  it('believes who comes through the gate, and nobody who only says so', async () => {
    const identity = { kind: 'user', user: 'anna' } as const
    const visitor = { address: '10.1.2.3', identity, reachedAt: '10.0.0.1' }
    const told = await ask('/', 'GET', formatVisitor(portal.key, visitor))
    expect(told.body).toContain('<dd>10.1.2.3</dd>')
    expect(told.body).toContain('<dd>anna</dd>')
    const forged = await ask('/', 'GET', formatVisitor(portal.key.toLowerCase(), visitor))
    expect(forged.body).toContain('<dd>127.0.0.1</dd>')
    expect(forged.body).not.toContain('anna')
    const pac = await ask('/proxy.pac', 'GET', formatVisitor(portal.key, visitor))
    expect(pac.body).toContain('PROXY 10.0.0.1:3128; PROXY [::1]:3128')
    const named = formatVisitor(portal.key, { ...visitor, reachedAt: '' })
    expect((await ask('/proxy.pac', 'GET', named)).status).toBe(404)
  })

  it('has another key each time', () => {
    const source = { health: () => ({ healthy }), whoAmI: () => who, proxies: () => [] }
    expect(new Portal(source).key).not.toBe(portal.key)
    expect(portal.key).toMatch(/^[\w-]{32}$/)
  })

  it('answers HEAD without a body, and nothing but GET and HEAD', async () => {
    expect(await ask('/', 'HEAD')).toMatchObject({ status: 200, body: '' })
    expect(await ask('/', 'POST')).toMatchObject({ status: 405, allow: 'GET, HEAD' })
    expect((await ask('/elsewhere')).status).toBe(404)
  })
})

describe('the proxy file', () => {
  /** As a browser runs it. */
  const find = (address: string, host: string, reachedAt = '10.1.2.3'): string => {
    const source = `${proxyAutoConfig([{ address, port: 3128 }], reachedAt)}; return FindProxyForURL('http://' + host, host)`
    const run = new Function('host', 'isPlainHostName', source)
    return run(host, (name: string) => !name.includes('.')) as string
  }

  it.each([
    ['www.example.se', 'PROXY 10.9.9.9:3128'],
    ['intranet', 'DIRECT'],
    ['127.0.0.1', 'DIRECT'],
    ['::1', 'DIRECT'],
  ])('sends %s to %s', (host, expected) => {
    expect(find('10.9.9.9', host)).toBe(expected)
  })

  it.each([
    ['0.0.0.0', '10.1.2.3', 'PROXY 10.1.2.3:3128'],
    ['0.0.0.0', '::ffff:10.1.2.3', 'PROXY 10.1.2.3:3128'],
    ['::', 'fd00::5', 'PROXY [fd00::5]:3128'],
  ])('names %s, which is everywhere, as the browser found it: %s', (address, at, expected) => {
    expect(find(address, 'www.example.se', at)).toBe(expected)
  })
})

const who = {
  zone: 'office',
  address: '10.1.2.3',
  identify: ['address'],
  user: null,
  minutes: { category: 'social', used: 12, limit: 70, returns: '2026-11-22 00:00' },
}

describe('the page', () => {
  it('shows the minutes, in Swedish unless English is wanted', () => {
    const swedish = portalPage(who, '', false)
    expect(swedish).toContain('<html lang="sv">')
    expect(swedish).toContain('<dt>Minuter för sociala medier i dag</dt><dd>12 av 70</dd>')
    expect(swedish).toContain('<meter min="0" max="70" value="12"')
    expect(portalPage(who, 'en-GB,sv;q=0.5', false)).toContain('<dd>12 of 70</dd>')
    const games = { ...who, minutes: { ...who.minutes, category: 'games' } }
    expect(portalPage(games, '', false)).toContain('<dt>Minuter för games i dag</dt>')
  })

  it('says why it does not know who you are', () => {
    const named = { ...who, identify: ['basic'], minutes: null }
    const link = '<a href="http://sluss.internal/">'
    expect(portalPage(named, 'en', false)).toContain(link)
    expect(portalPage(named, 'en', true)).toContain('You have not signed in.')
    expect(portalPage(named, '', true)).toContain('Du är inte inloggad.')
    expect(portalPage(named, 'en', true)).not.toContain(link)
    const anna = portalPage({ ...named, user: 'anna' }, 'en', true)
    expect(anna).toContain('<dt>User</dt><dd>anna</dd>')
    expect(anna).not.toContain('signed in')
    expect(portalPage(who, 'en', false)).not.toContain(link)
  })

  it('writes out what could be markup', () => {
    expect(portalPage({ ...who, zone: '<b>"x"&' }, '', true)).toContain(
      '&#60;b&#62;&#34;x&#34;&#38;',
    )
  })
})
