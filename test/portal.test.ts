import { request } from 'node:http'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { proxyAutoConfig } from '../src/portal/pac.ts'
import { portalPage } from '../src/portal/page.ts'
import { Portal } from '../src/portal/portal.ts'

let healthy = true
const portal = new Portal({
  health: () => ({ healthy, alarms: healthy ? [] : ['the disk is full'] }),
  whoAmI: (address) => ({ zone: 'local', address, identify: ['address'], minutes: null }),
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
  readonly body: string
}

function ask(path: string, method = 'GET'): Promise<Answer> {
  const { port } = portal.endpoints[0]!
  return new Promise((resolve, reject) => {
    const asked = request({ host: '127.0.0.1', port, path, method }, (response) => {
      let body = ''
      response.setEncoding('utf8').on('data', (part: string) => {
        body += part
      })
      response.on('end', () => {
        resolve({ status: response.statusCode, type: response.headers['content-type'], body })
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

  it('answers HEAD without a body, and nothing but GET and HEAD', async () => {
    expect(await ask('/', 'HEAD')).toMatchObject({ status: 200, body: '' })
    expect((await ask('/', 'POST')).status).toBe(405)
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

describe('the page', () => {
  const who = {
    zone: 'office',
    address: '10.1.2.3',
    identify: ['address'],
    minutes: { category: 'social', used: 12, limit: 70, returns: '2026-11-22 00:00' },
  }

  it('shows the minutes, in Swedish unless English is wanted', () => {
    const swedish = portalPage(who, '')
    expect(swedish).toContain('<html lang="sv">')
    expect(swedish).toContain('<dt>Minuter för sociala medier i dag</dt><dd>12 av 70</dd>')
    expect(swedish).toContain('<meter min="0" max="70" value="12"')
    expect(portalPage(who, 'en-GB,sv;q=0.5')).toContain('<dd>12 of 70</dd>')
    const games = { ...who, minutes: { ...who.minutes, category: 'games' } }
    expect(portalPage(games, '')).toContain('<dt>Minuter för games i dag</dt>')
  })

  it('writes out what could be markup', () => {
    expect(portalPage({ ...who, zone: '<b>"x"&' }, '')).toContain('&#60;b&#62;&#34;x&#34;&#38;')
  })
})
