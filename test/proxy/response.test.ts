/**
 * Owns: what an origin's response head means, or that it does not follow HTTP: a table.
 * Never: opens a socket.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Framing } from '../../src/proxy/framing.ts'
import { isConnectionAuth, parseResponseHead, type ResponseHead } from '../../src/proxy/response.ts'

const FIELDS_MAX = 10

function parse(head: string[] | string, method: string): ResponseHead | null {
  const text = typeof head === 'string' ? head : head.map((line) => `${line}\r\n`).join('')
  return parseResponseHead(text, method, FIELDS_MAX)
}

/** `head`: the lines, or the bare text. `expected`: null for a fault, or what it means. */
function check(
  name: string,
  head: string[] | string,
  expected: Partial<ResponseHead> | null,
  method = 'GET',
) {
  it(name, () => {
    const parsed = parse(head, method)
    if (expected === null) expect(parsed).toBeNull()
    else expect(parsed).toMatchObject(expected)
  })
}

const ok = (...fields: string[]) => ['HTTP/1.1 200 OK', ...fields]
const none: Framing = { kind: 'none' }
const close: Framing = { kind: 'close' }
const chunked: Framing = { kind: 'chunked' }
const length = (bytes: number): Framing => ({ kind: 'length', length: bytes })

it('a whole head', () => {
  const lines = ok('Content-Length: 5', 'Connection: X-Hop', 'X-Hop: 1', 'Set-Cookie: a')
  expect(parse(lines, 'GET')).toMatchObject({
    status: 200,
    phrase: 'OK',
    minor: 1,
    fields: ['Content-Length', '5', 'Connection', 'X-Hop', 'X-Hop', '1', 'Set-Cookie', 'a'],
    lines: 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nSet-Cookie: a\r\n',
    nominated: ['x-hop'],
    framing: { kind: 'length', length: 5 },
    keepAlive: true,
    connectionAuth: false,
  })
})

describe('the status line', () => {
  check('no phrase', ['HTTP/1.1 200 '], { status: 200, phrase: '' })
  check('no phrase and no blank', ['HTTP/1.1 200'], { status: 200, phrase: '' })
  check('a phrase of several words', ['HTTP/1.1 404 Not  Found '], { phrase: 'Not  Found ' })
  check('a phrase beyond ASCII', ['HTTP/1.1 200 Okej \xe5'], { phrase: 'Okej \xe5' })
  check('HTTP/1.0', ['HTTP/1.0 200 OK'], { minor: 0 })
  check('an unknown status', ['HTTP/1.1 799 X'], { status: 799 })
  check('HTTP/1.2', ['HTTP/1.2 200 OK'], null)
  check('HTTP/2', ['HTTP/2 200'], null)
  check('HTTP/0.9', '<html>\r\n', null)
  check('lower case', ['http/1.1 200 OK'], null)
  check('ICY', ['ICY 200 OK'], null)
  check('a status of two digits', ['HTTP/1.1 99 X'], null)
  check('a status of four digits', ['HTTP/1.1 2000 X'], null)
  check('a status below 100', ['HTTP/1.1 099 X'], null)
  check('a status with a sign', ['HTTP/1.1 +20 X'], null)
  check('two blanks before the status', ['HTTP/1.1  200 OK'], null)
  check('a tab before the status', ['HTTP/1.1\t200 OK'], null)
  check('a blank before it', [' HTTP/1.1 200 OK'], null)
  check('a bare CR in the phrase', ['HTTP/1.1 200 O\rK'], null)
  check('a bare LF after it', 'HTTP/1.1 200 OK\nA: b\r\n', null)
  check('NUL in the phrase', ['HTTP/1.1 200 \0'], null)
  check('nothing', '', null)
  check('no CR LF', 'HTTP/1.1 200 OK', null)
})

describe('the fields', () => {
  check('a blank before the colon', ok('Content-Length : 5'), null)
  check('a folded line', ok('A: b', ' c'), null)
  check('a bare LF', ok('A: b\nContent-Length: 5'), null)
  check('a control', ok('A: \x01'), null)
  check('as many as there may be', ok(...Array(FIELDS_MAX).fill('A: b')), { status: 200 })
  check('one too many', ok(...Array(FIELDS_MAX + 1).fill('A: b')), null)
})

describe('where the body ends', () => {
  const te = 'Transfer-Encoding: chunked'
  check('by length', ok('Content-Length: 5'), { framing: length(5), keepAlive: true })
  check('at once, by length', ok('Content-Length: 0'), { framing: none, keepAlive: true })
  check('by chunks', ok(te), { framing: chunked, keepAlive: true })
  check('by chunks, in another case', ok('transfer-encoding: CHUNKED'), { framing: chunked })
  check('by the end', ok(), { framing: close, keepAlive: false })
  check('both', ok('Content-Length: 5', te), null)
  check('both, the length being 0', ok(te, 'Content-Length: 0'), null)
  check('both, of HEAD', ok('Content-Length: 5', te), null, 'HEAD')
  check('chunks of another coding', ok('Transfer-Encoding: gzip, chunked'), null)
  check('another coding', ok('Transfer-Encoding: gzip'), null)
  check('identity', ok('Transfer-Encoding: identity'), null)
  check('chunks twice', ok(te, te), null)
  check('chunks and a blank', ok(`${te} `), null)
  check('chunks and a tab', ok(`${te}\t`), null)
  check('a length and a tab', ok('Content-Length: 5\t'), null)
  check('a length and a blank', ok('Content-Length: 5 '), { framing: length(5) })
  check('chunks in HTTP/1.0', ['HTTP/1.0 200 OK', te], null)

  check('two equal lengths become one', ok('Content-Length: 5', 'A: b', 'content-length: 5'), {
    framing: length(5),
    lines: 'HTTP/1.1 200 OK\r\nA: b\r\nContent-Length: 5\r\n',
  })
  check('two lengths', ok('Content-Length: 5', 'Content-Length: 6'), null)
  check('two spellings of one length', ok('Content-Length: 5', 'Content-Length: 05'), null)
  check('two lengths, of HEAD', ok('Content-Length: 5', 'Content-Length: 6'), null, 'HEAD')
  check('two lengths, of 304', ['HTTP/1.1 304 X', 'Content-Length: 5', 'Content-Length: 6'], null)
  for (const odd of ['', '-1', '+5', '5, 5', '0x5', '5.0', '5 5', '1000000000000000']) {
    check(`a length of '${odd}'`, ok(`Content-Length: ${odd}`), null)
  }
})

describe('what has no body', () => {
  const of = (status: number, ...fields: string[]) => [`HTTP/1.1 ${status} X`, ...fields]
  const bare = { framing: none, keepAlive: true }
  const withLength = { ...bare, lines: expect.stringContaining('\r\nContent-Length: 5\r\n') }
  const withoutLength = { ...bare, lines: expect.not.stringContaining('Length') }
  // A body that comes late, against the rules, must not be the next answer: not on this connection.
  const last = { ...bare, keepAlive: false }
  const lastWithLength = { ...withLength, keepAlive: false }
  check('HEAD keeps its length', ok('Content-Length: 5'), lastWithLength, 'HEAD')
  check('HEAD of nothing', ok('Content-Length: 0'), bare, 'HEAD')
  check('HEAD with chunks', ok('Transfer-Encoding: chunked'), last, 'HEAD')
  check('HEAD with neither', ok(), bare, 'HEAD')
  check('304 keeps its length', of(304, 'Content-Length: 5'), lastWithLength)
  check('304 with chunks', of(304, 'Transfer-Encoding: chunked'), last)
  check('204', of(204), bare)
  check(
    '204 loses a length that it may not have, and its connection',
    of(204, 'Content-Length: 5'),
    {
      ...withoutLength,
      keepAlive: false,
    },
  )
  check('204 loses one of 0', of(204, 'Content-Length: 0'), withoutLength)
  check('204 with chunks', of(204, 'Transfer-Encoding: chunked'), {
    framing: none,
    keepAlive: false,
  })
  check('100', of(100), bare)
  check('103 loses a length', of(103, 'Content-Length: 5'), { ...withoutLength, keepAlive: false })
  check('101', of(101, 'Connection: Upgrade', 'Upgrade: websocket'), {
    framing: none,
    nominated: ['upgrade'],
  })
  check('205 is as any other', of(205, 'Content-Length: 5'), { framing: length(5) })
})

describe('what goes on', () => {
  const kept = (...lines: string[]) => ({ lines: lines.map((line) => `${line}\r\n`).join('') })
  const sl = 'HTTP/1.1 200 OK'
  check('only a status line', ok(), kept(sl))
  check('all', ok('A: 1', 'B: 2'), kept(sl, 'A: 1', 'B: 2'))
  check('HTTP/1.1 for HTTP/1.0', ['HTTP/1.0 200 OK', 'A: 1'], kept(sl, 'A: 1'))
  check('a blank where a phrase may stand', ['HTTP/1.1 200', 'A: 1'], kept('HTTP/1.1 200 ', 'A: 1'))
  check('not what is for one hop', ok('Keep-Alive: 5', 'A: 1', 'Connection: x'), kept(sl, 'A: 1'))
  check('not what Connection nominates', ok('A: 1', 'X: 2', 'Connection: x'), kept(sl, 'A: 1'))
  check('a proxy asks for no credentials through us', ok('Proxy-Authenticate: Basic'), kept(sl))
  check('one blank before a value', ok('A:1', 'B: 2'), kept(sl, 'A: 1', 'B: 2'))
  check('a length, without zeros', ok('Content-Length: 05'), kept(sl, 'Content-Length: 5'))
})

describe('whether the connection lasts', () => {
  const http10 = (...fields: string[]) => ['HTTP/1.0 200 OK', 'Content-Length: 1', ...fields]
  check('close', ok('Content-Length: 1', 'Connection: Close'), { keepAlive: false })
  check('close among others', ok('Content-Length: 1', 'Connection: x, close'), { keepAlive: false })
  check('HTTP/1.0', http10(), { keepAlive: false })
  check('HTTP/1.0 with keep-alive', http10('Connection: Keep-Alive'), { keepAlive: true })
  check('HTTP/1.0 with both', http10('Connection: keep-alive', 'Connection: close'), {
    keepAlive: false,
  })
  check('keep-alive without a length', ok('Connection: keep-alive'), { keepAlive: false })
})

describe('what signs in a connection', () => {
  const asks = (value: string) => ['HTTP/1.1 401 X', `WWW-Authenticate: ${value}`]
  check('Negotiate', asks('Negotiate'), { connectionAuth: true })
  check('a step of NTLM', asks('NTLM TlRMTVNTUAAC'), { connectionAuth: true })
  check('Basic', asks('Basic realm="x"'), { connectionAuth: false })
  check('in a list', asks('Basic realm="x", ntlm'), { connectionAuth: true })
  check('in a second field', [...asks('Basic'), 'www-authenticate: negotiate'], {
    connectionAuth: true,
  })
  check('in a word', asks('NTLMish'), { connectionAuth: false })
  check('in another field', ok('X: Negotiate'), { connectionAuth: false })

  it('of credentials too', () => {
    expect(isConnectionAuth('negotiate YII=')).toBe(true)
    expect(isConnectionAuth('Basic bnRsbTp4')).toBe(false)
  })
})

it('takes no two codings, also where there is no body', () => {
  const coding = 'Transfer-Encoding: chunked\r\n'
  expect(parse(`HTTP/1.1 200 OK\r\n${coding}${coding}`, 'HEAD')).toBe(null)
  expect(parse(`HTTP/1.1 304 X\r\n${coding}${coding}`, 'GET')).toBe(null)
})

it('never throws, and never gives two framings', () => {
  const line = fc.constantFrom(
    ...[
      'HTTP/1.1 200 OK',
      'HTTP/1.0 204',
      'HTTP/1.1 100',
      'Content-Length: 5',
      'Content-Length: 6',
    ],
    ...['Transfer-Encoding: chunked', 'Connection: close', '', ' x', 'A:', '\n', '\r'],
  )
  const text = fc.oneof(
    fc.array(line, { maxLength: 6 }).map((lines) => lines.map((one) => `${one}\r\n`).join('')),
    fc.string({ unit: 'binary-ascii' }),
  )
  fc.assert(
    fc.property(text, fc.constantFrom('GET', 'HEAD'), (head, method) => {
      const parsed = parse(head, method)
      if (parsed === null) return
      const [, ...lines] = parsed.lines.toLowerCase().split('\r\n')
      const lengths = lines.filter((line) => line.startsWith('content-length:')).length
      const codings = parsed.framing.kind === 'chunked' ? 1 : 0
      expect(lines.some((line) => line.startsWith('transfer-encoding'))).toBe(false)
      expect(lengths + codings).toBeLessThanOrEqual(1)
      if (parsed.framing.kind === 'length') expect(lengths).toBe(1)
    }),
    { numRuns: 3_000 },
  )
})
