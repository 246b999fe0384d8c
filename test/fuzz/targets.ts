/**
 * Owns: what the codec promises of any bytes at all, target by target.
 * Never: does I/O, or knows what a text is meant to be: only what must hold of it.
 */
import assert from 'node:assert/strict'
import { formatAuthority, parseHost } from '../../src/policy/index.ts'
import { parseAuthority } from '../../src/proxy/authority.ts'
import { bodyReader, type Framing } from '../../src/proxy/framing.ts'
import { type HeadFault, parseRequestHead, type RequestHead } from '../../src/proxy/head.ts'
import { parseResponseHead } from '../../src/proxy/response.ts'
import { requestText, responseText } from '../../src/proxy/rewrite.ts'
import type { Target } from './fuzz.ts'
import { plainChunks, plainFields } from './plain.ts'

const FIELDS_MAX = 12
const LINE_BYTES_MAX = 300
const VIA = 'sluss-fuzz'

const head = (...lines: string[]) => lines.map((line) => `${line}\r\n`).join('')

const FIELDS = [
  ...[
    'Host: a.se\r\n',
    'Content-Length: 5\r\n',
    'Transfer-Encoding: chunked\r\n',
    'Via: 1.1 b\r\n',
  ],
  ...[
    'Connection: close\r\n',
    'Connection: Upgrade, x-a\r\n',
    'Upgrade: websocket\r\n',
    'X-A:1\r\n',
  ],
  ...['Proxy-Connection: keep-alive\r\n', 'Expect: 100-continue\r\n', 'Max-Forwards: 3\r\n'],
  ...['Proxy-Authorization: Basic YTpi\r\n', 'Authorization: NTLM x\r\n', 'Content_Length: 1\r\n'],
  ...['Accept-Language: sv\r\n', 'TE: trailers\r\n', 'Content-Length: 007\r\n', 'Cookie: a=b \r\n'],
  ...['WWW-Authenticate: Negotiate\r\n', 'Keep-Alive: 5\r\n', 'X-B: \t\xe5\t \r\n'],
]
const MARKS = [
  '\r\n',
  '\n',
  '\r',
  ' ',
  '\t',
  ':',
  '/',
  '//',
  '?',
  '#',
  '@',
  '%',
  '\\',
  '[',
  ']',
  '\0',
]

/** What every head we send is: lines of our own making, framed once. */
function assertCanonical(text: string, first: RegExp): void {
  assert.ok(text.endsWith('\r\n\r\n'), 'a head ends with an empty line')
  const [line, ...fields] = text.slice(0, -4).split('\r\n')
  assert.match(line!, first)
  const names = fields.map((field) => {
    const match = /^([\w!#$%&'*+.^`|~-]+): ((?![\t ])[\t -~\u0080-\u00ff]*(?<![\t ]))?$/.exec(field)
    assert.ok(match !== null, `not as we write it: ${JSON.stringify(field)}`)
    return match[1]!.toLowerCase()
  })
  const times = (name: string) => names.filter((one) => one === name).length
  assert.ok(times('content-length') + times('transfer-encoding') <= 1, 'two framings')
  for (const name of [
    'proxy-authorization',
    'proxy-connection',
    'connection',
    'te',
    'keep-alive',
  ]) {
    assert.equal(times(name), 0, `${name} goes no further`)
  }
}

function assertFault({ fault, port }: HeadFault, text: string): void {
  assert.ok(port >= 0 && port <= 65_535)
  const start = text.indexOf('\r\n') + 2
  // What the fast reader calls malformed, the plain one does; Max-Forwards has a number.
  if (fault === 'header-malformed' && !/\nmax-forwards:/i.test(text)) {
    assert.equal(plainFields(text.slice(start)), null)
  }
}

function assertRequest(parsed: RequestHead, text: string): void {
  const start = text.indexOf('\r\n') + 2
  assert.deepEqual(parsed.fields, plainFields(text.slice(start)))
  assert.deepEqual(parseHost(parsed.host), {
    ...(parseHost(parsed.host) as object),
    host: parsed.host,
  })
  assert.ok(parsed.port >= 1 && parsed.port <= 65_535)
  assert.equal(parsed.origin, formatAuthority(parsed.host, parsed.port))
  if (parsed.carriage === 'connect') {
    assert.equal(parsed.framing.kind, 'none')
    return
  }
  const sent = requestText(parsed, null, VIA)
  assertCanonical(sent, /^[!#$%&'*+\-.^_`|~0-9A-Z]+ (?:\/[!-~]*|\*) HTTP\/1\.1$/)
  const again = parseRequestHead(sent.slice(0, -2), FIELDS_MAX + 5, 2 * LINE_BYTES_MAX)
  // To some two slashes begin a host: in origin-form we do not take what we send on.
  if (parsed.target.startsWith('//')) return
  assert.ok(!('fault' in again), `${'fault' in again && again.fault}: ${JSON.stringify(sent)}`)
  for (const name of ['method', 'host', 'port', 'target', 'framing'] as const) {
    assert.deepEqual(again[name], parsed[name], name)
  }
}

const request: Target = {
  name: 'request',
  seeds: [
    head(
      'GET http://a.se/b?c HTTP/1.1',
      'Host: a.se',
      'Proxy-Connection: keep-alive',
      'Accept: */*',
    ),
    head('CONNECT a.se:443 HTTP/1.1', 'Host: a.se:443'),
    head('POST http://[::1]:81/ HTTP/1.1', 'Host: [::1]:81', 'Transfer-Encoding: chunked'),
    head('OPTIONS * HTTP/1.1', 'Host: a.se', 'Max-Forwards: 1'),
    head('GET / HTTP/1.0', 'Host: a.se'),
  ],
  dictionary: [
    ...[
      'GET ',
      'CONNECT ',
      'OPTIONS ',
      'TRACE ',
      'POST ',
      'http://',
      'https://',
      'a.se',
      'a.se:443',
    ],
    ...[
      ' HTTP/1.1\r\n',
      ' HTTP/1.0\r\n',
      ' HTTP/2.0\r\n',
      '[::1]',
      ':80',
      ':0',
      ':65536',
      '*',
      '//',
    ],
    ...FIELDS,
    ...MARKS,
  ],
  covers: /\/src\/(?:proxy\/(?:head|request-line|authority|field|framing|rewrite)|policy\/host)/,
  run(text) {
    const parsed = parseRequestHead(text, FIELDS_MAX, LINE_BYTES_MAX)
    if ('fault' in parsed) {
      assertFault(parsed, text)
      return parsed.fault
    }
    assertRequest(parsed, text)
    const { form, framing, minor, keepAlive, upgrade, expectsContinue, maxForwards } = parsed
    return [
      form,
      framing.kind,
      minor,
      keepAlive,
      upgrade !== null,
      expectsContinue,
      maxForwards !== null,
    ].join()
  },
}

const response: Target = {
  name: 'response',
  seeds: [
    head('HTTP/1.1 200 OK', 'Date: x', 'Content-Length: 5', 'Connection: keep-alive'),
    head('HTTP/1.1 204', 'Content-Length: 5'),
    head('HTTP/1.0 401 X', 'WWW-Authenticate: NTLM', 'Transfer-Encoding: chunked'),
  ],
  dictionary: ['HTTP/1.1 ', 'HTTP/1.0 ', '200 OK\r\n', '304', '100', '101', ...FIELDS, ...MARKS],
  covers: /\/src\/proxy\/(?:response|field|framing|rewrite)/,
  run(text) {
    const ends = ['GET', 'HEAD'].map((method) => {
      const parsed = parseResponseHead(text, method, FIELDS_MAX)
      if (parsed === null) return 'wrong'
      const start = text.indexOf('\r\n') + 2
      assert.deepEqual(parsed.fields, plainFields(text.slice(start)))
      const { framing, status, phrase, minor, keepAlive, connectionAuth } = parsed
      if (framing.kind === 'close') assert.equal(keepAlive, false)
      const coding = framing.kind === 'chunked' ? 'Transfer-Encoding: chunked\r\n' : ''
      const sent = responseText(parsed, VIA, coding)
      assertCanonical(sent, /^HTTP\/1\.1 [1-9]\d\d [\t -~\u0080-\u00ff]*$/)
      const again = parseResponseHead(sent.slice(0, -2), method, FIELDS_MAX + 5)
      assert.deepEqual([again?.status, again?.phrase, again?.framing], [status, phrase, framing])
      return [framing.kind, minor, keepAlive, connectionAuth, status < 200].join()
    })
    return ends.join(' ')
  },
}

/** Reads `bytes` with cuts after each of `ends`, as they would come from a socket. */
function readCut(framing: Framing, bytes: Buffer, ends: readonly number[]) {
  const reader = bodyReader(framing)
  let content = ''
  let used = 0
  let from = 0
  for (const to of [...ends, bytes.length]) {
    // A part may have anything before it and after it: nothing there may be read.
    const piece = Buffer.concat([Buffer.from('0\r\n\r\n'), bytes.subarray(from, to)])
    const stopped = reader.read(piece, 5, (part) => {
      assert.ok(part.length > 0, 'nothing is no content')
      content += part.toString('latin1')
    })
    assert.ok(stopped >= 5 && stopped <= piece.length, 'reads within what it is given')
    used += stopped - 5
    if (reader.done || reader.fault) break
    assert.equal(stopped, piece.length, 'takes all there is until it ends')
    from = to
  }
  const end = reader.done ? 'done' : reader.fault ? 'fault' : 'more'
  const rest = reader.done ? bytes.toString('latin1', used) : ''
  return { end, content, rest, trailers: reader.trailers }
}

const chunks: Target = {
  name: 'chunks',
  seeds: [
    '5\r\nhello\r\n0\r\n\r\nGET /',
    'a;b="c"\r\n0123456789\r\n000\r\nA: b\r\n\r\n',
    '1\r\na\r\n0\r\nX: 1\r\n',
  ],
  dictionary: [
    ...[
      '0\r\n\r\n',
      '1\r\na\r\n',
      'ffffffff',
      '0x',
      '+',
      '-',
      '_',
      ';',
      ';a=b',
      '00000000',
      '\r\n\r\n',
    ],
    ...['A: b\r\n', 'A : b\r\n', ...MARKS],
  ],
  covers: /\/src\/proxy\/(?:framing|fields?)/,
  run(text) {
    const bytes = Buffer.from(text, 'latin1')
    const plain = plainChunks(text)
    // The places of the cuts come from the text itself, so that one text is one case.
    const cuts = [text.length >> 1, (bytes[0] ?? 0) % (text.length + 1)].sort((a, b) => a - b)
    const bytewise = Array.from({ length: text.length }, (_, i) => i)
    for (const ends of [[], cuts, bytewise]) {
      assert.deepEqual(readCut({ kind: 'chunked' }, bytes, ends), plain)
    }
    return [plain.end, plain.trailers.length > 0, plain.rest !== '', plain.content !== ''].join()
  },
}

const authority: Target = {
  name: 'authority',
  seeds: [
    'a.se',
    'A.SE.:80',
    '[2001:db8::1]:8080',
    '0x7f.1:443',
    'xn--rksmrgs-5wao1o.se',
    '%61.se',
  ],
  dictionary: [
    ...['[::1]', '[::ffff:1.2.3.4]', '127.0.0.1', '0x', '.', '..', '-', '_', 'xn--', '%2e', '%25'],
    ...['\xc3\xb6', '\xe2\x80\x8b', '\xef\xbc\x8e', '\xc3\x9f', ':65535', ':', '::', ...MARKS],
  ],
  covers: /\/src\/(?:proxy\/authority|policy\/(?:host|address))/,
  run(text) {
    const parsed = parseAuthority(text)
    assert.deepEqual(parseAuthority(text), parsed, 'remembered as it was read')
    if (parsed === null) return 'wrong'
    const { host, port, origin } = parsed
    const again = parseAuthority(origin)
    assert.deepEqual([again?.host, again?.port, again?.origin], [host, port ?? 80, origin])
    // What a browser would connect to, where it would at all.
    const url = URL.parse(`http://${Buffer.from(text, 'latin1').toString('utf8')}/`)
    assert.ok(url !== null, 'a browser takes it too')
    const plain = parseHost(url.hostname)
    assert.equal(typeof plain === 'object' && plain.host, host)
    assert.equal(url.port === '' ? 80 : Number(url.port), port ?? 80)
    assert.equal(url.username + url.password, '')
    assert.equal(url.pathname, '/')
    return `${host.includes(':')} ${port === null} ${/\d$/.test(host)} ${host.includes('xn--')}`
  },
}

export const TARGETS: readonly Target[] = [request, response, chunks, authority]
