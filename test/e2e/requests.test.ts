import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { until } from './stand/sluss.ts'
import { buildTown, type Town } from './stand/town.ts'
import { Wire } from './stand/wire.ts'

let town: Town
beforeAll(async () => {
  town = await buildTown()
})
afterAll(() => town.close())

/** A GET of `path` at `host` in absolute form. */
function get(host: string, path: string, ...fields: string[]): string {
  const authority = `${host}:${town.http.port}`
  const lines = [`GET http://${authority}${path} HTTP/1.1`, `Host: ${authority}`, ...fields]
  return `${lines.join('\r\n')}\r\n\r\n`
}

describe('one connection', () => {
  it('carries request after request', async () => {
    const { sluss, http } = town
    const wire = new Wire(sluss.port)
    const before = http.connections
    wire.send(get('news.test', '/bytes/5'))
    expect((await wire.reply()).content.length).toBe(5)
    wire.send(get('news.test', '/chunked'))
    expect((await wire.reply()).body).toBe('one two three')
    wire.send(get('news.test', '/hello').replace('GET', 'HEAD'))
    const hello = `hello from news.test:${http.port}`
    expect((await wire.reply('HEAD')).fields.get('content-length')).toBe(`${hello.length}`)
    wire.send(get('news.test', '/hello', 'Connection: close'))
    expect((await wire.reply()).body).toBe(hello)
    await wire.ended()
    // The connection to the origin is kept too, but not after an answer to HEAD: a body may still come.
    expect(http.connections - before).toBe(2)
    await until('four lines', () => sluss.lines("host = 'news.test' AND status = 200").length === 4)
  })

  it('answers what is pipelined in its order, also where one is refused', async () => {
    const { sluss } = town
    const wire = new Wire(sluss.port)
    wire.send(
      ['/bytes/3', '/chunked', '/hello'].map((path) => get('www.news.test', path)).join('') +
        get('www.bad.test', '/') +
        get('www.news.test', '/bytes/4'),
    )
    expect((await wire.reply()).content.length).toBe(3)
    expect((await wire.reply()).body).toBe('one two three')
    expect((await wire.reply()).body).toMatch(/^hello/)
    expect((await wire.reply()).status).toBe(403)
    expect((await wire.reply()).content.length).toBe(4)
    wire.close()
    await until('four lines', () => sluss.lines("host = 'www.news.test'").length === 4)
    expect(await sluss.line("host = 'www.bad.test'")).toMatchObject({ verdict: 'block' })
  })

  it('can be used after a refused CONNECT', async () => {
    const { sluss, https } = town
    const wire = new Wire(sluss.port)
    wire.send(`CONNECT bets.test:${https.port} HTTP/1.1\r\nHost: bets.test:${https.port}\r\n\r\n`)
    const refused = await wire.reply()
    expect(refused.line).toBe('HTTP/1.1 403 This site is refused: gambling')
    expect(refused.fields.get('connection')).toBe('keep-alive')
    wire.send(get('notbad.test', '/hello'))
    expect((await wire.reply()).status).toBe(200)
    wire.close()
    expect(await sluss.line("host = 'bets.test'")).toMatchObject({ method: 'CONNECT', status: 403 })
    expect(await sluss.line("host = 'notbad.test'")).toMatchObject({ status: 200 })
  })
})

describe('what belongs to one connection', () => {
  it('does not reach the origin, and Host says what was decided on', async () => {
    const { sluss, http } = town
    const wire = new Wire(sluss.port)
    const fields = [
      'Proxy-Authorization: Basic YTpi',
      'Proxy-Connection: keep-alive',
      'Connection: keep-alive, X-Mine',
      'X-Mine: secret',
      'Keep-Alive: timeout=5',
      'TE: trailers',
      'Accept: text/plain',
      'Cookie: kept=1',
    ]
    wire.send(get('XN--Bcher-KVA.test.', '/hello?q=1', ...fields))
    const reply = await wire.reply()
    wire.close()
    expect(reply.status).toBe(200)
    const { rawHeaders, url, httpVersion } = http.requests.at(-1)!
    const names = rawHeaders.filter((_, i) => i % 2 === 0)
    expect(names).toEqual(['Host', 'Accept', 'Cookie', 'Via'])
    expect(rawHeaders[1]).toBe(`xn--bcher-kva.test:${http.port}`)
    expect(rawHeaders[7]).toMatch(/^1\.1 sluss-[0-9a-f]{12}$/)
    expect([url, httpVersion]).toEqual(['/hello?q=1', '1.1'])
    expect(reply.fields.get('via')).toBe(rawHeaders[7])
    expect(reply.fields.has('keep-alive')).toBe(false)
    expect(await sluss.line("host = 'xn--bcher-kva.test'")).toMatchObject({ verdict: 'allow' })
  })
})

describe('an upload', () => {
  it('is held until the origin says 100', async () => {
    const { sluss, http } = town
    const wire = new Wire(sluss.port)
    const authority = `help.test:${http.port}`
    const fields = ['Content-Length: 4', 'Expect: 100-continue']
    wire.send(get('help.test', '/upload', ...fields).replace('GET', 'POST'))
    expect((await wire.reply()).status).toBe(100)
    wire.send('body')
    expect((await wire.reply()).body).toHaveLength(64)
    wire.close()
    expect(http.requests.at(-1)!.headers).toMatchObject({ host: authority, expect: '100-continue' })
    expect(await sluss.line("host = 'help.test'")).toMatchObject({ method: 'POST', status: 200 })
  })
})
