import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { until } from './stand/sluss.ts'
import { buildTown, type Town } from './stand/town.ts'
import { Wire } from './stand/wire.ts'

let town: Town
beforeAll(async () => {
  town = await buildTown({ more: 'limits: { headTimeout: 1s }' })
})
afterAll(() => town.close())

const LONG = 'x'.repeat(100_000)
/** The first bytes of TLS 1.3, as a browser sends them to a proxy port that it takes for a site. */
const CLIENT_HELLO = `\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03${'r'.repeat(32)}`

/** A request for `http://news.test` with these lines after the first; the last ends the head. */
const head = (...lines: string[]) =>
  [`GET http://${news()}/ HTTP/1.1`, ...lines, '', ''].join('\r\n')
const news = () => `news.test:${town.http.port}`
const host = () => `Host: ${news()}`

/** What is sent, the status of the answer, and the reason in its row. */
const MALFORMED: readonly (readonly [string, () => string, number, string])[] = [
  ['bare LF', () => `GET http://${news()}/ HTTP/1.1\n${host()}\n\n`, 400, 'header-malformed'],
  ['a NUL', () => head(host(), 'X: a\0b'), 400, 'header-malformed'],
  ['a folded line', () => head(host(), 'X: a', ' b'), 400, 'header-malformed'],
  ['a blank before the colon', () => head(host(), 'X : a'), 400, 'header-malformed'],
  [
    'a length and chunks',
    () => head(host(), 'Content-Length: 3', 'Transfer-Encoding: chunked'),
    400,
    'framing-conflict',
  ],
  [
    'two lengths',
    () => head(host(), 'Content-Length: 3', 'Content-Length: 4'),
    400,
    'framing-conflict',
  ],
  ['two Hosts', () => head(host(), host()), 400, 'host-mismatch'],
  ['no Host', () => head('X: a'), 400, 'host-mismatch'],
  ['another Host', () => head('Host: bad.test'), 400, 'host-mismatch'],
  ['HTTP/2', () => 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 505, 'version-unsupported'],
  ['TLS', () => CLIENT_HELLO, 400, 'request-line'],
  ['a large field', () => head(host(), `X: ${LONG}`), 431, 'head-too-large'],
  ['a long address', () => `GET http://${news()}/${LONG}`, 414, 'request-line-too-long'],
  ['a site, not a proxy', () => `GET / HTTP/1.1\r\n${host()}\r\n\r\n`, 400, 'target-form'],
  ['https to us', () => `GET https://${news()}/ HTTP/1.1\r\n\r\n`, 400, 'scheme-unsupported'],
  ['no port', () => 'CONNECT news.test HTTP/1.1\r\n\r\n', 400, 'target-form'],
  ['an unknown wish', () => head(host(), 'Expect: tea'), 417, 'expectation-unsupported'],
]

describe('a request that cannot be understood', () => {
  it('gets its status, ends its connection, and has its row', async () => {
    const { sluss, http } = town
    for (const [name, text, status, reason] of MALFORMED) {
      const wire = new Wire(sluss.port)
      wire.send(text())
      const { fields, ...reply } = await wire.reply()
      expect([name, reply.status]).toEqual([name, status])
      expect([name, fields.get('sluss-reason')]).toEqual([name, `${reason}; rule="request"`])
      expect([name, fields.get('connection')]).toEqual([name, 'close'])
      await wire.ended()
      expect([name, wire.rest]).toEqual([name, ''])
    }
    const expected = MALFORMED.map(([, , status, reason]) => `refuse ${reason} ${status} refused`)
    const rows = () =>
      sluss.ended('1').map((row) => `${row.verdict} ${row.reason} ${row.status} ${row.ending}`)
    await until('a row of each', () => rows().length === expected.length)
    expect(rows().sort()).toEqual(expected.sort())
    expect(http.requests).toEqual([])
  })
})

describe('a body that cannot be understood', () => {
  it('is refused, though its head was allowed', async () => {
    const { sluss } = town
    const wire = new Wire(sluss.port)
    wire.send(`${head(host(), 'Transfer-Encoding: chunked')}zz\r\n`)
    const reply = await wire.reply()
    expect(reply.status).toBe(400)
    expect(reply.fields.get('sluss-reason')).toBe('body-malformed; rule="request"')
    await wire.ended()
    expect(await sluss.line("reason = 'body-malformed'")).toMatchObject({
      verdict: 'refuse',
      rule: 'request',
      status: 400,
      ending: 'refused',
    })
  })
})

describe('a head that does not come', () => {
  it('is waited for so long and no longer, and nobody else waits', async () => {
    const { sluss } = town
    const slow = new Wire(sluss.port)
    const silent = new Wire(sluss.port)
    slow.send(`GET http://${news()}/ HTTP/1.1\r\nHost: ne`)
    const other = new Wire(sluss.port)
    other.send(head(host(), 'Connection: close'))
    expect((await other.reply()).status).toBe(200)
    const reply = await slow.reply()
    expect(reply.line).toBe('HTTP/1.1 408 The request cannot be understood')
    await slow.ended()
    slow.close()
    expect(await sluss.line('status = 408')).toMatchObject({ reason: 'head-timeout', method: '' })
    // Who says nothing is told nothing.
    await silent.ended()
    expect(silent.rest).toBe('')
    for (const wire of [silent, other]) wire.close()
    await until('all are gone', async () => (await sluss.status()).counters.connectionsOpen === 0)
  })
})
