/**
 * Owns: the heads we send, byte for byte, and that they mean to the next reader what they meant to us.
 * Never: opens a socket.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseRequestHead, type RequestHead } from '../../src/proxy/head.ts'
import { parseResponseHead } from '../../src/proxy/response.ts'
import { requestText, responseText } from '../../src/proxy/rewrite.ts'

const FIELDS_MAX = 30
const text = (lines: readonly string[]) => lines.map((line) => `${line}\r\n`).join('')

function read(lines: readonly string[]): RequestHead {
  const head = parseRequestHead(text(lines), FIELDS_MAX)
  if ('fault' in head) throw new Error(head.fault)
  return head
}

describe('a request', () => {
  function check(name: string, given: string[], expected: string[], upgrade: string | null = null) {
    it(name, () => {
      expect(requestText(read(given), upgrade, 'sluss-1')).toBe(`${text(expected)}\r\n`)
    })
  }
  const via = 'Via: 1.1 sluss-1'
  check(
    'of a browser',
    [
      'GET http://A.se:80/b?c HTTP/1.1',
      'Host: a.se',
      'Proxy-Connection: keep-alive',
      'Accept: */*',
    ],
    ['GET /b?c HTTP/1.1', 'Host: a.se', 'Accept: */*', via],
  )
  check(
    'of HTTP/1.0',
    ['GET http://a.se:81 HTTP/1.0'],
    ['GET / HTTP/1.1', 'Host: a.se:81', 'Via: 1.0 sluss-1'],
  )
  check(
    'to an address',
    ['GET http://[0:0::1]:80/ HTTP/1.1', 'Host: [::1]'],
    ['GET / HTTP/1.1', 'Host: [::1]', via],
  )
  check(
    'with chunks',
    ['POST http://a.se/ HTTP/1.1', 'Host: a.se', 'transfer-encoding:  Chunked', 'A: 1'],
    ['POST / HTTP/1.1', 'Host: a.se', 'A: 1', 'Transfer-Encoding: chunked', via],
  )
  check(
    'with Max-Forwards, one less',
    ['TRACE http://a.se/ HTTP/1.1', 'Host: a.se', 'Max-Forwards: 10'],
    ['TRACE / HTTP/1.1', 'Host: a.se', 'Max-Forwards: 9', via],
  )
  check(
    'never less than none',
    ['OPTIONS http://a.se HTTP/1.1', 'Host: a.se', 'Max-Forwards: 0'],
    ['OPTIONS * HTTP/1.1', 'Host: a.se', 'Max-Forwards: 0', via],
  )
  check(
    'for another protocol',
    ['GET http://a.se/ HTTP/1.1', 'Host: a.se', 'Connection: Upgrade', 'Upgrade: websocket'],
    ['GET / HTTP/1.1', 'Host: a.se', 'Connection: Upgrade', 'Upgrade: websocket', via],
    'websocket',
  )

  it('has our name, also where it changes', () => {
    const head = read(['GET http://a.se/ HTTP/1.0'])
    for (const name of ['a', 'b']) {
      expect(requestText(head, null, name)).toMatch(`\r\nVia: 1.0 ${name}\r\n\r\n`)
    }
  })
})

describe('an answer', () => {
  function check(name: string, given: string[], expected: string[], extra = '') {
    it(name, () => {
      const head = parseResponseHead(text(given), 'GET', FIELDS_MAX)
      expect(responseText(head!, 'sluss-1', extra)).toBe(`${text(expected)}\r\n`)
    })
  }
  check(
    'in HTTP/1.1',
    ['HTTP/1.1 200 OK', 'A: 1', 'Connection: close', 'Content-Length: 5'],
    ['HTTP/1.1 200 OK', 'A: 1', 'Content-Length: 5', 'Via: 1.1 sluss-1'],
  )
  check(
    'in HTTP/1.0, with lines of our own',
    ['HTTP/1.0 404', 'A:1'],
    ['HTTP/1.1 404 ', 'A: 1', 'Connection: close', 'Via: 1.0 sluss-1'],
    'Connection: close\r\n',
  )
})

const names = ['Accept', 'X-Hop', 'Cookie', 'Via', 'TE', 'Expect', 'content-length', 'Upgrade']
const line = fc.record({
  name: fc.constantFrom(...names, 'Connection', 'Max-Forwards', 'Transfer-Encoding', 'Keep-Alive'),
  colon: fc.constantFrom(': ', ':', ':\t '),
  value: fc.constantFrom(
    'x-hop',
    '5',
    '007',
    'chunked',
    'close',
    '100-continue',
    '',
    'a, b',
    '\xe5',
  ),
  end: fc.constantFrom('', ' '),
})
const lines = fc.array(
  line.map(({ name, colon, value, end }) => name + colon + value + end),
  { maxLength: 6 },
)

/** What must be the same on both sides of a proxy. */
const meaning = ({ method, host, port, target, framing }: RequestHead) => ({
  ...{ method, host, port, target, framing },
})

describe('any head', () => {
  it('means the same to the origin, and is written no differently a second time', () => {
    const requestLine = fc.constantFrom(
      ...['GET http://a.se/ HTTP/1.1', 'POST http://A.se:80/b?c HTTP/1.1', 'GET / HTTP/1.1'],
      ...['OPTIONS http://a.se HTTP/1.1', 'TRACE http://a.se/\xe5 HTTP/1.0', 'OPTIONS * HTTP/1.1'],
    )
    let count = 0
    fc.assert(
      fc.property(requestLine, lines, (first, fields) => {
        const head = parseRequestHead(text([first, 'Host: a.se', ...fields]), FIELDS_MAX)
        if ('fault' in head) return
        count++
        const sent = requestText(head, null, 'b').slice(0, -2)
        // An origin reads origin-form: so do we, where the host is ours.
        const again = parseRequestHead(sent, FIELDS_MAX)
        if ('fault' in again) throw new Error(`${again.fault}: ${JSON.stringify(sent)}`)
        const forwards = head.maxForwards === null ? null : Math.max(0, head.maxForwards - 1)
        expect(meaning(again)).toEqual(meaning(head))
        expect(again.maxForwards).toBe(forwards)
        const counted = forwards === null ? /^$/ : /^Max-Forwards:/
        const sorted = (all: string) =>
          all
            .split('\r\n')
            .filter((one) => !counted.test(one))
            .sort()
        expect(sorted(requestText(again, null, 'b').slice(0, -2))).toEqual(
          sorted(`${sent}Via: 1.1 b\r\n`),
        )
      }),
      { numRuns: 3_000 },
    )
    expect(count).toBeGreaterThan(300)
  })

  it('of an answer ends where it ended, and is written no differently a second time', () => {
    const status = fc.constantFrom(
      'HTTP/1.1 200 OK',
      'HTTP/1.0 304',
      'HTTP/1.1 204 \xe5',
      'HTTP/1.1 100',
    )
    fc.assert(
      fc.property(status, lines, fc.constantFrom('GET', 'HEAD'), (first, fields, method) => {
        const head = parseResponseHead(text([first, ...fields]), method, FIELDS_MAX)
        if (head === null) return
        const coding = head.framing.kind === 'chunked' ? 'Transfer-Encoding: chunked\r\n' : ''
        const sent = responseText(head, 'b', coding).slice(0, -2)
        const again = parseResponseHead(sent, method, FIELDS_MAX)
        expect(again).toMatchObject({ status: head.status, phrase: head.phrase })
        expect(again?.framing).toEqual(head.framing)
        expect(again?.lines).toBe(`${head.lines}Via: 1.${head.minor} b\r\n`)
      }),
      { numRuns: 3_000 },
    )
  })
})
