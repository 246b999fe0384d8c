/**
 * Owns: what a differential run sends: heads that are nearly sound, with bodies and a next head after them.
 * Never: the same for another seed, or another for the same.
 */
import type { Chance } from './mutate.ts'

const METHODS = [
  'GET',
  'GET',
  'POST',
  'POST',
  'PUT',
  'HEAD',
  'DELETE',
  'OPTIONS',
  'TRACE',
  'CONNECT',
]
const ODD_METHODS = ['M-SEARCH', 'get', 'NEW', 'PRI', 'PATCH', 'G@T', 'X'.repeat(33)]
const TARGETS = [
  'http://a.se/',
  'http://a.se',
  'http://a.se?q',
  'HTTP://A.SE.:80/x?y=z',
  '/',
  '/a?b',
]
const ODD_TARGETS = [
  ...['http://a.se/"<>^`{|}', 'http://a.se:80/%zz', 'http://a.se/a\\b', 'http://a.se/?://@[]'],
  ...[
    '*',
    '//',
    'a.se:80',
    'a.se',
    'a.se:',
    'https://a.se/',
    'http://u:p@a.se/',
    'http:a.se',
    '?a',
  ],
  ...['http:///', 'http://a.se:0/', 'http://a.se:99999/', 'http://a.se/#f', 'http://[::1]/'],
  ...['http://a.se/\xe5', 'http://%61.se/', 'http://a.se:080/', 'http://[fe80::1%25e]/'],
]
const ODD_VERSIONS = ['1.0', '1.0', '1.0', '1.2', '2.0', '0.9']
const LINES = [
  ...['Content-Length: 3', 'Content-Length: 3', 'content-length: 0', 'Content-Length:3 '],
  ...['Transfer-Encoding: chunked', 'transfer-encoding:CHUNKED', 'Transfer-Encoding: chunked'],
  ...['Max-Forwards: 1', 'Via: 1.0 x', 'Keep-Alive: 5', 'TE: trailers', 'Connection: keep-alive'],
  ...['Proxy-Connection: keep-alive', 'Proxy-Authorization: Basic YTpi', 'Expect: 100-continue'],
  ...['Cookie: a=b; c="d"', 'X-Obs: \xe5\xe4\xf6', 'X-Empty:', 'X-Tab: a\tb', 'X-Blanks: \t a \t'],
  ...['Connection: close', 'Connection: host, content-length', 'Connection: transfer-encoding, te'],
].map((line) => `${line}\r\n`)
const ODD_LINES = [
  ...['Transfer-Encoding: chunked ', 'Transfer-Encoding:\tchunked', 'Transfer-Encoding: chunked\t'],
  ...['Content-Length:\t3', 'Content-Length: 3\t', 'Connection: Upgrade\r\nUpgrade: websocket'],
  ...['Connection: Upgrade\r\nUpgrade: h2c', 'Connection: close, x', 'Connection: "close"'],
  ...['Transfer-Encoding: gzip, chunked', 'Transfer-Encoding: identity', 'Content-Length: 00007'],
  ...['Transfer-Encoding: chunked, chunked', 'Transfer-Encoding: chunked;a', 'Content_Length: 3'],
  ...['Content-Length: +3', 'Content-Length: 3, 3', 'Content-Length: 0x3', 'Content-Length: 3_0'],
  ...['Content-Length: 99999999999999999999', 'Content-Length: ', 'Transfer-Encoding: \x0bchunked'],
  ...[
    'Connection: Upgrade',
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Upgrade: h2c',
    'Expect: x',
  ],
  ...[
    'Host: a.se',
    'host: a.se:80',
    'Host: b.se',
    'Host: a.se, b.se',
    'Host: a.se/x',
    'Host: u@a.se',
  ],
  ...[
    'X : 1',
    ' folded',
    '\tfolded',
    'X\x00: 1',
    'X: \x01',
    'X: \x7f',
    ': 1',
    'X',
    'Max-Forwards: x',
  ],
].map((line) => `${line}\r\n`)
const MARKS = [
  ...[
    '\r',
    '\n',
    '\r\n',
    '\r\n ',
    '\0',
    ' ',
    '\t',
    ':',
    ',',
    ';',
    '=',
    '"',
    '\\',
    '/',
    '?',
    '#',
    '@',
  ],
  ...[
    '%',
    '%00',
    '\x7f',
    '\x80',
    '\xe5',
    '\xff',
    '0',
    '5',
    '+',
    'chunked',
    'identity',
    'close',
    '*',
  ],
]
/** What comes after the head: bodies of some framing, or of none. */
const BODIES = [
  ...['', '', 'abc', 'abc', '3\r\nabc\r\n0\r\n\r\n', '3;x=y\r\nabc\r\n0\r\nX: 1\r\n\r\n'],
  ...['3 \r\nabc\r\n0\r\n\r\n', '3 ;x\r\nabc\r\n0\r\n\r\n', '+3\r\nabc\r\n0\r\n\r\n'],
  ...['3\nabc\r\n0\r\n\r\n', '0x3\r\nabc\r\n0\r\n\r\n', '3_\r\nabc\r\n0\r\n\r\n'],
  ...['3\r\nabcd\r\n0\r\n\r\n', '3\r\nabc\n0\r\n\r\n', '03\r\nabc\r\n00\r\n\r\n'],
  ...['3;\rx\r\nabc\r\n0\r\n\r\n', '3;\nx\r\nabc\r\n0\r\n\r\n', '3;"a;\xe5"\r\nabc\r\n0\r\n\r\n'],
  ...[
    '0\r\nX : 1\r\n\r\n',
    '0\r\n\n',
    'fffffffff\r\nabc',
    '0\r\nX: 1\n\r\n',
    '0\r\n folded\r\n\r\n',
  ],
]
/** Found only where the body before it ends: a difference there shows here. */
const NEXT = 'GET /next HTTP/1.1\r\nHost: s\r\nConnection: close\r\n\r\n'

/** A connection's bytes in latin1. */
export function connectionText(chance: Chance): string {
  const method = chance.of(chance.below(12) === 0 ? ODD_METHODS : METHODS)
  const plain = method === 'CONNECT' ? ['a.se:80'] : TARGETS
  const target = chance.of(chance.below(6) === 0 ? ODD_TARGETS : plain)
  const version = chance.below(8) === 0 ? chance.of(ODD_VERSIONS) : '1.1'
  let head = `${method} ${target} HTTP/${version}\r\n`
  if (chance.below(16) > 0) head += chance.below(8) > 0 ? 'Host: a.se\r\n' : 'Host: a.se:80\r\n'
  for (let left = chance.below(4); left > 0; left--) {
    head += chance.of(chance.below(6) === 0 ? ODD_LINES : LINES)
  }
  for (let left = chance.below(3); left > 0; left--) head = changed(head, chance)
  return `${head}\r\n${chance.of(BODIES)}${NEXT}`
}

/** One change at a place: put something in, take some out, or replace. */
function changed(text: string, chance: Chance): string {
  const at = chance.below(text.length + 1)
  const put = chance.below(4) === 0 ? chance.of(LINES) : chance.of(MARKS)
  return text.slice(0, at) + (chance.below(5) === 0 ? '' : put) + text.slice(at + chance.below(4))
}
