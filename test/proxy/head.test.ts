/**
 * Owns: what a request head means, or the one reason why it means nothing: a table, case by case.
 * Never: opens a socket; head-differential.test.ts asks node:http for a second opinion.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Reason } from '../../src/policy/index.ts'
import { parseHost } from '../../src/policy/index.ts'
import { parseRequestHead, type RequestHead } from '../../src/proxy/head.ts'

const FIELDS_MAX = 20
/** The bytes of UTF-8, as a head in latin1 holds them. */
const utf8 = (text: string) => Buffer.from(text).toString('latin1')

/** What a head means, or as much of it as a case is about. */
type Meaning = Partial<Omit<RequestHead, 'host'>> & { readonly host?: string }

/** `head`: the lines, or the bare text. `expected`: the reason of its fault, or what it means. */
function check(name: string, head: string[] | string, expected: Reason | Meaning) {
  const text = typeof head === 'string' ? head : head.map((line) => `${line}\r\n`).join('')
  it(name, () => {
    const parsed = parseRequestHead(text, FIELDS_MAX)
    if (typeof expected === 'string') expect(parsed).toMatchObject({ fault: expected })
    else expect(parsed).toMatchObject(expected)
  })
}

/** A GET of http://a.se/ with these field lines after its Host. */
const get = (...fields: string[]) => ['GET http://a.se/ HTTP/1.1', 'Host: a.se', ...fields]
const post = (...fields: string[]) => ['POST http://a.se/ HTTP/1.1', 'Host: a.se', ...fields]
/** A GET of `target`, without Host, so that the target alone speaks. */
const target = (text: string) => [`GET ${text} HTTP/1.0`]
const connect = (text: string, ...fields: string[]) => [`CONNECT ${text} HTTP/1.1`, ...fields]
const port80: Meaning = { host: 'a.se', port: 80, target: '/' }

describe('a whole head', () => {
  check('GET', get('Accept: text/html', 'X-Empty:'), {
    method: 'GET',
    carriage: 'http',
    host: 'a.se',
    port: 80,
    target: '/',
    minor: 1,
    fields: ['Host', 'a.se', 'Accept', 'text/html', 'X-Empty', ''],
    nominated: [],
    framing: { kind: 'none' },
    keepAlive: true,
    expectsContinue: false,
    upgrade: null,
    proxyAuthorization: null,
    acceptLanguage: '',
    via: [],
  })
  check('CONNECT', connect('a.se:443', 'Host: a.se:443'), {
    method: 'CONNECT',
    carriage: 'connect',
    host: 'a.se',
    port: 443,
    target: '',
    framing: { kind: 'none' },
  })
})

describe('the request line', () => {
  check('two parts (HTTP/0.9)', ['GET http://a.se/'], 'request-line')
  check('four parts', ['GET http://a.se/ x HTTP/1.1', 'Host: a.se'], 'request-line')
  check('two blanks after the method', ['GET  http://a.se/ HTTP/1.1', 'Host: a.se'], 'request-line')
  check('two blanks after the target', ['GET http://a.se/  HTTP/1.1'], 'request-line')
  check('a blank before the method', [' GET http://a.se/ HTTP/1.1'], 'request-line')
  check('a blank after the version', ['GET http://a.se/ HTTP/1.1 ', 'Host: a.se'], 'request-line')
  check('a tab for a blank', ['GET\thttp://a.se/ HTTP/1.1', 'Host: a.se'], 'request-line')
  check('a tab in the target', ['GET http://a.se/\t HTTP/1.1', 'Host: a.se'], 'request-line')
  check('an empty line', [''], 'request-line')
  check('no line at all', '', 'request-line')
  check('no CR LF at all', 'GET http://a.se/ HTTP/1.1', 'request-line')
  check('one letter for a CR LF', 'GET http://a.se/ HTTP/1.1x', 'request-line')
  check('a bare LF after it', 'GET http://a.se/ HTTP/1.1\nHost: a.se\r\n', 'request-line')
  check('a bare CR in it', 'GET http://a.se/\rx HTTP/1.1\r\nHost: a.se\r\n', 'request-line')
  check('NUL in the target', ['GET http://a.se/\0 HTTP/1.1', 'Host: a.se'], 'request-line')
  check('DEL in the target', ['GET http://a.se/\x7f HTTP/1.1', 'Host: a.se'], 'request-line')
  check('no target', ['GET  HTTP/1.1'], 'request-line')
  check('too long', target(`http://a.se/${'x'.repeat(16_384 - 24)}`), 'request-line-too-long')
  check('just not too long', target(`http://a.se/${'x'.repeat(16_384 - 25)}`), {
    host: port80.host!,
  })
  check('TLS to our port', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\r\n', 'request-line')
})

describe('the version', () => {
  check('HTTP/0.9', ['GET http://a.se/ HTTP/0.9'], 'version-unsupported')
  check('HTTP/1.2', ['GET http://a.se/ HTTP/1.2', 'Host: a.se'], 'version-unsupported')
  check('HTTP/2.0', ['PRI * HTTP/2.0'], 'version-unsupported')
  check('HTTP/3.0', ['GET http://a.se/ HTTP/3.0', 'Host: a.se'], 'version-unsupported')
  check('lower case', ['GET http://a.se/ http/1.1', 'Host: a.se'], 'request-line')
  check('two digits', ['GET http://a.se/ HTTP/1.10', 'Host: a.se'], 'request-line')
  check('no minor', ['GET http://a.se/ HTTP/1', 'Host: a.se'], 'request-line')
  check('another protocol', ['GET http://a.se/ ICY/1.1', 'Host: a.se'], 'request-line')
  check('HTTP/1.0 without Host', ['GET http://a.se/ HTTP/1.0'], { ...port80, minor: 0 })
})

describe('the method', () => {
  check('an odd one', ['M-SEARCH http://a.se/ HTTP/1.1', 'Host: a.se'], { method: 'M-SEARCH' })
  check('lower case', ['get http://a.se/ HTTP/1.1', 'Host: a.se'], 'request-line')
  check('one small letter', ['GEt http://a.se/ HTTP/1.1', 'Host: a.se'], 'request-line')
  check('marks', ["!#$%&'*+-.^_`|~0 http://a.se/ HTTP/1.0"], { method: "!#$%&'*+-.^_`|~0" })
  check('32 letters', [`${'X'.repeat(32)} http://a.se/ HTTP/1.0`], { method: 'X'.repeat(32) })
  check('33 letters', [`${'X'.repeat(33)} http://a.se/ HTTP/1.0`], 'request-line')
  check('no token', ['G@T http://a.se/ HTTP/1.1', 'Host: a.se'], 'request-line')
  check('beyond ASCII', ['G\xc4T http://a.se/ HTTP/1.1', 'Host: a.se'], 'request-line')
  check('connect is not CONNECT', ['connect a.se:443 HTTP/1.1', 'Host: a.se'], 'request-line')
  check('OPTIONS of a path', ['OPTIONS http://a.se/ HTTP/1.0'], { target: '/' })
  check('OPTIONS of the server', ['OPTIONS http://a.se HTTP/1.0'], { target: '*' })
  check('OPTIONS with only a query', ['OPTIONS http://a.se?q HTTP/1.0'], { target: '/?q' })
})

describe('the target of http', () => {
  check('no path', target('http://a.se'), { ...port80 })
  check('a query and no path', target('http://a.se?q=1'), { target: '/?q=1' })
  check('a path and a query', target('http://a.se/b/../c?d=/e'), { target: '/b/../c?d=/e' })
  check('authority-form', ['GET a.se:80 HTTP/1.1', 'Host: a.se'], 'target-form')
  check('one slash after the scheme', target('http:/a.se/'), 'target-form')
  check('no slash after the scheme', target('http:a.se/'), 'target-form')
  check('upper-case scheme', target('HTTP://a.se/'), { ...port80 })
  check('https', target('https://a.se/'), 'scheme-unsupported')
  check('ftp', target('ftp://a.se/'), 'scheme-unsupported')
  check('ws', target('ws://a.se/'), 'scheme-unsupported')
  check('a scheme that begins as ours', target('httpx://a.se/'), 'scheme-unsupported')
  check('a user name', target('http://u@a.se/'), 'userinfo-forbidden')
  check('a user name and a password', target('http://a.se:80@b.se/'), 'userinfo-forbidden')
  check('nothing before @', target('http://@a.se/'), 'userinfo-forbidden')
  check('@ in the path', target('http://a.se/@b.se'), { ...port80, target: '/@b.se' })
  check('a fragment', target('http://a.se/#x'), 'request-line')
  check('a fragment and no path', target('http://a.se#@b.se/'), 'request-line')
  check('a backslash in the authority', target('http://a.se\\@b.se/'), 'request-line')
  check('a backslash for a slash', target('http://a.se\\b'), 'request-line')
  check('a backslash in the path', target('http://a.se/a\\b?c'), 'request-line')
  check('a backslash in the query, as browsers send it', target('http://a.se/?a\\b'), {
    target: '/?a\\b',
  })
  check('raw UTF-8 in the path', target(utf8('http://a.se/ö')), { target: '/%C3%B6' })
  check('raw latin1 in the path', target('http://a.se/ö'), { target: '/%F6' })
})

describe('origin-form', () => {
  const origin = (text: string, ...fields: string[]) => [`GET ${text} HTTP/1.1`, ...fields]
  check('the host is in Host', origin('/b?c', 'Host: A.se:8080'), {
    form: 'origin',
    carriage: 'http',
    host: 'a.se',
    port: 8080,
    origin: 'a.se:8080',
    target: '/b?c',
  })
  check('without a port', origin('/', 'Host: a.se'), { form: 'origin', port: 80 })
  check('an address', origin('/', 'Host: [::1]:3128'), { host: '::1', port: 3128 })
  check('raw UTF-8', origin(utf8('/ö'), 'Host: a.se'), { target: '/%C3%B6' })
  check('without Host', origin('/'), 'host-mismatch')
  check('with two', origin('/', 'Host: a.se', 'Host: a.se'), 'host-mismatch')
  check('with an empty Host', origin('/', 'Host:'), 'host-malformed')
  check('with a user name in Host', origin('/', 'Host: u@a.se'), 'host-mismatch')
  check('without Host in HTTP/1.0', ['GET / HTTP/1.0'], 'target-form')
  check('two slashes', origin('//a.se/', 'Host: a.se'), 'target-form')
  check('only two slashes', origin('//', 'Host: a.se'), 'target-form')
  check('a fragment', origin('/#a', 'Host: a.se'), 'request-line')
  check('a backslash', origin('/\\a.se', 'Host: a.se'), 'request-line')
  check('of CONNECT', ['CONNECT / HTTP/1.1', 'Host: a.se'], 'host-malformed')
  check('no slash', origin('b', 'Host: a.se'), 'target-form')
  check('only a query', origin('?b', 'Host: a.se'), 'target-form')
})

describe('asterisk-form', () => {
  check('of OPTIONS', ['OPTIONS * HTTP/1.1', 'Host: a.se'], {
    form: 'asterisk',
    host: 'a.se',
    port: 80,
    target: '*',
  })
  check('of another method', ['GET * HTTP/1.1', 'Host: a.se'], 'target-form')
  check('and more', ['OPTIONS *x HTTP/1.1', 'Host: a.se'], 'target-form')
  check('without Host', ['OPTIONS * HTTP/1.1'], 'host-mismatch')
  check('without Host in HTTP/1.0', ['OPTIONS * HTTP/1.0'], 'target-form')
})

describe('the form', () => {
  check('absolute', get(), { form: 'absolute' })
  check('authority', connect('a.se:443', 'Host: a.se'), { form: 'authority' })
})

describe('the host', () => {
  check('upper case and a dot', target('http://WWW.A.SE./'), { host: 'www.a.se' })
  check('percent signs', target('http://%61.s%65/'), { ...port80 })
  check('a percent sign for a slash', target('http://a.se%2fb/'), 'host-malformed')
  check('a percent sign for @', target('http://a%40b.se/'), 'host-malformed')
  check('a percent sign for NUL', target('http://a.se%00/'), 'host-malformed')
  check('a U-label in UTF-8', target(utf8('http://räksmörgås.se/')), {
    host: 'xn--rksmrgs-5wao1o.se',
  })
  check('a U-label in latin1', target('http://räksmörgås.se/'), 'host-malformed')
  check('an IPv6 literal', target('http://[2001:DB8::0:1]:8080/'), {
    host: '2001:db8::1',
    port: 8080,
  })
  check('an IPv6 literal without a port', target('http://[::1]/'), { port: 80 })
  check('IPv4 mapped into IPv6', target('http://[::ffff:7f00:1]/'), {
    host: '127.0.0.1',
  })
  check('IPv4 as one number', target('http://2130706433/'), { host: '127.0.0.1' })
  check('IPv4 in hex and octal', target('http://0x7f.0.0.01/'), {
    host: '127.0.0.1',
  })
  check('an IPv6 literal without brackets', target('http://::1/'), 'host-malformed')
  check('half a bracket', target('http://[::1/'), 'host-malformed')
  check('more after the bracket', target('http://[::1]a.se/'), 'host-malformed')
  check('an IPv6 zone', target('http://[fe80::1%25eth0]/'), 'host-malformed')
  check('a bare IPv6 zone', target('http://[fe80::1%eth0]/'), 'host-malformed')
  check('an address of the future', target('http://[v1.a]/'), 'host-malformed')
  check('a name in brackets', target('http://[a.se]/'), 'host-malformed')
  check('an IPv4 address in brackets', target('http://[127.0.0.1]/'), 'host-malformed')
  check('two brackets', target('http://[[::1]]/'), 'host-malformed')
  check('none', target('http:///a'), 'host-malformed')
  check('only a port', target('http://:80/'), 'host-malformed')
  check('an empty label', target('http://a..se/'), 'host-malformed')
  check('two, by a comma', target('http://a.se,b.se/'), 'host-malformed')
})

describe('the port', () => {
  check('given', target('http://a.se:8080/'), { port: 8080 })
  check('empty', target('http://a.se:/'), { port: 80 })
  check('with zeros before it', target('http://a.se:00080/'), { port: 80 })
  check('with too many zeros', target('http://a.se:000080/'), 'host-malformed')
  check('0', target('http://a.se:0/'), 'host-malformed')
  check('65535', target('http://a.se:65535/'), { port: 65_535 })
  check('65536', target('http://a.se:65536/'), 'host-malformed')
  check('a sign', target('http://a.se:+80/'), 'host-malformed')
  check('hex', target('http://a.se:0x50/'), 'host-malformed')
  check('two', target('http://a.se:80:80/'), 'host-malformed')
  check('five nines', target('http://a.se:99999/'), 'host-malformed')
  check('not ASCII', target('http://a.se:\xb2/'), 'host-malformed')
  check('after an address', target('http://[::1]80/'), 'host-malformed')
})

describe('CONNECT', () => {
  check('without Host in HTTP/1.0', ['CONNECT a.se:443 HTTP/1.0'], { port: 443 })
  check('with the port left out of Host', connect('a.se:443', 'Host: a.se'), { port: 443 })
  check('without Host in HTTP/1.1', connect('a.se:443'), 'host-mismatch')
  check('IPv6', connect('[::1]:443', 'Host: [::1]:443'), { host: '::1' })
  check('without a port', connect('a.se', 'Host: a.se'), 'target-form')
  check('with an empty port', connect('a.se:', 'Host: a.se'), 'target-form')
  check('with a path', connect('a.se:443/x', 'Host: a.se'), 'host-malformed')
  check('with a scheme', connect('http://a.se:443', 'Host: a.se'), 'host-malformed')
  check('with a user name', connect('u@a.se:443', 'Host: a.se'), 'userinfo-forbidden')
  check('with an asterisk', connect('*:443', 'Host: *'), 'host-malformed')
  check('with another Host', connect('a.se:443', 'Host: b.se:443'), 'host-mismatch')
  check('with another port in Host', connect('a.se:443', 'Host: a.se:80'), 'host-mismatch')
  check('with a body', connect('a.se:443', 'Host: a.se', 'Content-Length: 1'), 'framing-conflict')
  check('with Content-Length: 0', connect('a.se:443', 'Host: a.se', 'Content-Length: 0'), {
    framing: { kind: 'none' },
  })
  check(
    'with chunks',
    connect('a.se:443', 'Host: a.se', 'Transfer-Encoding: chunked'),
    'framing-conflict',
  )
})

describe('Host', () => {
  const host = (...values: string[]) => [
    'GET http://a.se/ HTTP/1.1',
    ...values.map((value) => `Host: ${value}`),
  ]
  check('missing', host(), 'host-mismatch')
  check('twice the same', host('a.se', 'a.se'), 'host-mismatch')
  check(
    'twice, in two cases',
    ['GET http://a.se/ HTTP/1.0', 'host: a.se', 'HOST: a.se'],
    'host-mismatch',
  )
  check('two in one', host('a.se, b.se'), 'host-malformed')
  check('empty', host(''), 'host-malformed')
  check('another name', host('b.se'), 'host-mismatch')
  check('another name in HTTP/1.0', ['GET http://a.se/ HTTP/1.0', 'Host: b.se'], 'host-mismatch')
  check('another spelling', host('A.SE.:80'), { ...port80 })
  check('another port', host('a.se:8080'), 'host-mismatch')
  check('without the port', ['GET http://a.se:8080/ HTTP/1.1', 'Host: a.se'], 'host-mismatch')
  check('with a user name', host('u@a.se'), 'host-mismatch')
  check('with a path', host('a.se/x'), 'host-malformed')
  check('with a scheme', host('http://a.se'), 'host-malformed')
  check('with a bad port', host('a.se:http'), 'host-malformed')
  check('with a blank within', host('a.se b.se'), 'host-malformed')
  check('with a tab within', host('a.se\tb.se'), 'host-malformed')
  check('with blanks around', host('  a.se \t'), { ...port80 })
  check('with a backslash', host('a.se\\'), 'host-malformed')
  check('with a fragment', host('a.se#'), 'host-malformed')
})

describe('field lines', () => {
  check('a blank before the colon', get('X : 1'), 'header-malformed')
  check('a tab before the colon', get('Content-Length\t: 1'), 'header-malformed')
  check('a blank in the name', get('X Y: 1'), 'header-malformed')
  check('a blank before the name', get(' X: 1'), 'header-malformed')
  check('an empty name', get(': 1'), 'header-malformed')
  check('no colon', get('X'), 'header-malformed')
  check('an empty line', get('', 'X: 1'), 'header-malformed')
  check('a name beyond ASCII', get('\xc4: 1'), 'header-malformed')
  check('a folded line', get('X: 1', ' 2'), 'header-malformed')
  check('a line folded by a tab', get('Transfer-Encoding:', '\tchunked'), 'header-malformed')
  check('a bare LF', get('X: 1\nTransfer-Encoding: chunked'), 'header-malformed')
  check('a bare CR', get('X: 1\rY: 2'), 'header-malformed')
  check('CR CR LF', get('X: 1\r'), 'header-malformed')
  check('NUL', get('X: \0'), 'header-malformed')
  check('another control', get('X: \x0b'), 'header-malformed')
  check('DEL', get('X: \x7f'), 'header-malformed')
  check('the last without its end', 'GET http://a.se/ HTTP/1.0\r\nX: 1', 'header-malformed')
  check('obs-text', get('X: \xe5'), { fields: ['Host', 'a.se', 'X', '\xe5'] })
  check('no blank, and many', get('X:1', 'Y: \t 2 \t '), {
    fields: ['Host', 'a.se', 'X', '1', 'Y', '2'],
  })
  check('as many as there may be', get(...Array(FIELDS_MAX - 1).fill('X: 1')), { ...port80 })
  check('one too many', get(...Array(FIELDS_MAX).fill('X: 1')), 'head-too-large')
})

describe('Content-Length', () => {
  const length = (...values: string[]) => post(...values.map((value) => `Content-Length: ${value}`))
  check('5', length('5'), { framing: { kind: 'length', length: 5 } })
  check('0', length('0'), { framing: { kind: 'none' } })
  check('none', post(), { framing: { kind: 'none' } })
  check('blanks around', length('  5 '), { framing: { kind: 'length', length: 5 } })
  check('a tab before', length('\t5'), 'framing-conflict')
  check('a tab after', length('5\t'), 'framing-conflict')
  check('zeros before', length('0010'), { framing: { kind: 'length', length: 10 } })
  check('of 15 digits', length('999999999999999'), {
    framing: { kind: 'length', length: 999_999_999_999_999 },
  })
  check('of 16 digits', length('1000000000000000'), 'framing-conflict')
  check('twice the same', length('5', '5'), 'framing-conflict')
  check('two', length('5', '6'), 'framing-conflict')
  check('two in one', length('5,5'), 'framing-conflict')
  for (const odd of ['+5', '-5', '0x5', '5.0', '5e1', '5 5', '5;', '', '٥', '\xb2']) {
    check(`'${odd}'`, length(utf8(odd)), 'framing-conflict')
  }
})

describe('names that some servers read as others', () => {
  check('Content_Length', post('Content_Length: 5'), 'framing-conflict')
  check('Transfer_Encoding', post('transfer_encoding: chunked'), 'framing-conflict')
  check('another underscore', post('Content_Type: a'), { method: 'POST' })
})

describe('Transfer-Encoding', () => {
  const coded = (...values: string[]) =>
    post(...values.map((value) => `Transfer-Encoding: ${value}`))
  check('chunked', coded('chunked'), { framing: { kind: 'chunked' } })
  check('in another case', coded('Chunked'), { framing: { kind: 'chunked' } })
  check('twice', coded('chunked', 'chunked'), 'framing-conflict')
  check('twice in one', coded('chunked, chunked'), 'framing-conflict')
  check('after another', coded('gzip, chunked'), 'framing-conflict')
  check('before another', coded('chunked, identity'), 'framing-conflict')
  check('blanks before', coded('  chunked'), { framing: { kind: 'chunked' } })
  check('a blank after', coded('chunked '), 'framing-conflict')
  check('a tab after', coded('chunked\t'), 'framing-conflict')
  check('a tab before', coded('\tchunked'), 'framing-conflict')
  check('a vertical tab after it', coded('chunked\x0b'), 'header-malformed')
  const odd = ['identity', 'xchunked', 'chunked;q=1', '"chunked"', 'chunked,', ',chunked', '', 'x']
  for (const coding of [...odd, 'chunked chunked', 'chunke', 'chun\u212aed']) {
    check(`'${coding}'`, coded(utf8(coding)), 'framing-conflict')
  }
  check('with a length', [...coded('chunked'), 'Content-Length: 5'], 'framing-conflict')
  check(
    'with a length before',
    post('Content-Length: 5', 'Transfer-Encoding: chunked'),
    'framing-conflict',
  )
  check('with Content-Length: 0', [...coded('chunked'), 'Content-Length: 0'], 'framing-conflict')
  check(
    'in HTTP/1.0',
    ['POST http://a.se/ HTTP/1.0', 'Transfer-Encoding: chunked'],
    'framing-conflict',
  )
})

describe('Connection', () => {
  const http10 = (...fields: string[]) => ['GET http://a.se/ HTTP/1.0', ...fields]
  check('close', get('Connection: close'), { keepAlive: false, nominated: ['close'] })
  check('close beside keep-alive', get('Connection: Keep-Alive, CLOSE'), { keepAlive: false })
  check('Proxy-Connection: close', get('Proxy-Connection: close'), { keepAlive: false })
  check('nominations', get('Connection: X-A ,, x-b', 'Connection: te'), {
    nominated: ['x-a', 'x-b', 'te'],
  })
  check('HTTP/1.0', http10(), { keepAlive: false })
  check('HTTP/1.0 with keep-alive', http10('Connection: keep-alive'), { keepAlive: false })
  check('Upgrade', get('Connection: Upgrade', 'Upgrade: websocket'), { upgrade: 'websocket' })
  check('Upgrade in other letters', get('Connection: UPGRADE', 'Upgrade: WebSocket'), {
    upgrade: 'websocket',
  })
  for (const protocols of [
    'chat',
    'TLS/1.0',
    'h2c',
    'websocket/13',
    'websocket, chat',
    'connect-ip',
  ]) {
    check(`Upgrade: ${protocols}`, get('Connection: upgrade', `Upgrade: ${protocols}`), {
      upgrade: null,
    })
  }
  check('two Upgrades', get('Connection: upgrade', 'Upgrade: websocket', 'Upgrade: websocket'), {
    upgrade: null,
  })
  check('Upgrade not nominated', get('Upgrade: websocket'), { upgrade: null })
  check('Upgrade to nothing', get('Connection: upgrade', 'Upgrade: ,'), { upgrade: null })
  check('Upgrade to HTTP/2', get('Connection: upgrade', 'Upgrade: websocket, H2C'), {
    upgrade: null,
  })
  check('Upgrade in HTTP/1.0', http10('Connection: upgrade', 'Upgrade: websocket'), {
    upgrade: null,
  })
})

describe('the other fields', () => {
  const two = ['Proxy-Authorization: Basic YQ==', 'Proxy-Authorization: Basic Yg==']
  check('Expect', post('Expect: 100-Continue', 'Content-Length: 1'), { expectsContinue: true })
  check('Expect of something else', post('Expect: 200-ok'), 'expectation-unsupported')
  check('two Expects', post('Expect: 100-continue', 'Expect: x'), 'expectation-unsupported')
  check('Expect in HTTP/1.0', ['POST http://a.se/ HTTP/1.0', 'Expect: 100-continue'], {
    expectsContinue: false,
  })
  check('one credential', get(two[0]!), { proxyAuthorization: 'Basic YQ==' })
  check('two credentials are none', get(...two), { proxyAuthorization: '' })
  check('three credentials are none', get(...two, two[0]!), { proxyAuthorization: '' })
  check('Accept-Language', get('Accept-Language: en'), { acceptLanguage: 'en' })
  check('Via', get('Via: 1.1 A, 1.0 b', 'via: 1.1 SLUSS-x'), {
    via: ['1.1 a', '1.0 b', '1.1 sluss-x'],
  })
})

describe('a body where none may be', () => {
  const trace = (...fields: string[]) => ['TRACE http://a.se/ HTTP/1.1', 'Host: a.se', ...fields]
  check('TRACE with a length', trace('Content-Length: 1'), 'framing-conflict')
  check('TRACE with chunks', trace('Transfer-Encoding: chunked'), 'framing-conflict')
  check('TRACE with a length of 0', trace('Content-Length: 0'), { framing: { kind: 'none' } })
})

describe('Max-Forwards', () => {
  const trace = (...values: string[]) => [
    ...['TRACE http://a.se/ HTTP/1.1', 'Host: a.se'],
    ...values.map((value) => `Max-Forwards: ${value}`),
  ]
  check('none', trace(), { maxForwards: null })
  check('0', trace('0'), { maxForwards: 0 })
  check('10', trace('10'), { maxForwards: 10, lines: '' })
  check('of OPTIONS', ['OPTIONS * HTTP/1.1', 'Host: a.se', 'max-forwards: 007'], { maxForwards: 7 })
  check('twice', trace('1', '1'), 'header-malformed')
  for (const odd of ['', '-1', '+1', '1.0', '0x1', '1, 1', '1000000000000000']) {
    check(`'${odd}'`, trace(odd), 'header-malformed')
  }
  check('of another method', get('Max-Forwards: x'), {
    maxForwards: null,
    lines: 'Max-Forwards: x\r\n',
  })
})

describe('what goes on', () => {
  const kept = (...lines: string[]): Meaning => ({
    lines: lines.map((line) => `${line}\r\n`).join(''),
  })
  check('nothing', get(), kept())
  check('all', get('A: 1', 'B: 2'), kept('A: 1', 'B: 2'))
  check('Host is written anew', ['GET http://a.se:81 HTTP/1.1', 'A: 1', 'Host: A.SE:81', 'B: 2'], {
    ...kept('A: 1', 'B: 2'),
    hostLines: ' HTTP/1.1\r\nHost: a.se:81\r\n',
  })
  check('one blank before a value, none after', get('A:1', 'B:  2', 'C: 3 ', 'D:\t4', 'E:'), {
    ...kept('A: 1', 'B: 2', 'C: 3', 'D: 4', 'E: '),
  })
  check('not what is for one hop', get('TE: trailers', 'A: 1', 'Keep-Alive: 5'), kept('A: 1'))
  check('not what Connection nominates', get('A: 1', 'Connection: a', 'B: 2'), kept('B: 2'))
  check('a length, without zeros', post('A: 1', 'Content-Length: 007', 'B: 2'), {
    ...kept('A: 1', 'B: 2', 'Content-Length: 7'),
  })
  check('a length of 0', post('Content-Length: 0'), kept('Content-Length: 0'))
})

describe('credentials for the origin', () => {
  check('none', get(), { connectionAuth: false })
  check('of a request', get('Authorization: Basic YTpi'), { connectionAuth: false })
  check('of a connection', get('Authorization: NTLM x'), { connectionAuth: true })
  check('of both', get('Authorization: Basic x', 'authorization: Negotiate x'), {
    connectionAuth: true,
  })
})

describe('the longest request line', () => {
  it('is what the settings say', () => {
    const text = 'GET http://a.se/ HTTP/1.0\r\n'
    expect(parseRequestHead(text, 1, text.length - 2)).toMatchObject({ method: 'GET' })
    expect(parseRequestHead(text, 1, text.length - 3)).toMatchObject({
      fault: 'request-line-too-long',
    })
  })
})

describe('one head after another', () => {
  it('leaves nothing to the next', () => {
    const rich = [...post('A: 1', 'Content-Length: 5', 'Connection: A, close', 'Via: 1.1 x'), '']
    const plain = 'GET http://a.se/ HTTP/1.1\r\nHost: a.se\r\n'
    const before = parseRequestHead(plain, FIELDS_MAX)
    const long = `${plain}X: ${'x'.repeat(100_000)}\r\n`
    for (const text of [rich.join('\r\n'), 'GET', `${plain}X : \0`, long]) {
      parseRequestHead(text, FIELDS_MAX)
      expect(parseRequestHead(plain, FIELDS_MAX)).toEqual(before)
    }
    expect(parseRequestHead(long, FIELDS_MAX)).toMatchObject({ lines: long.slice(plain.length) })
  })

  it('has room for as many fields as are allowed', () => {
    const text = `GET http://a.se/ HTTP/1.0\r\n${'A: b\r\n'.repeat(1_000)}`
    expect(parseRequestHead(text, 1_000)).toMatchObject({ lines: 'A: b\r\n'.repeat(1_000) })
  })
})

describe('what a fault tells the record', () => {
  check('the host, of CONNECT without a port', ['CONNECT a.se HTTP/1.0'], { host: 'a.se', port: 0 })
  check('nothing, of a bad line', ['GET'], { method: '', host: '', port: 0 })
  check('the method, of a bad host', target('http://a..se/'), { method: 'GET', host: '', port: 0 })
  check('the host and port, of a bad field', [...target('http://a.se:81/'), 'X'], {
    method: 'GET',
    host: 'a.se',
    port: 81,
  })
})

describe('any bytes', () => {
  const latin1 = fc
    .uint8Array({ maxLength: 200 })
    .map((bytes) => Buffer.from(bytes).toString('latin1'))
  const line = fc.constantFrom(...get(), ...connect('a.se:443'), 'Content-Length: 5', '', 'X:')
  const text = fc
    .array(fc.oneof(line, latin1, fc.constantFrom('\r\n', '\r', '\n', ' ', ':')), { maxLength: 12 })
    .map((parts) => parts.join('\r\n'))

  it('never throw, and what they mean has one host and a port', () => {
    fc.assert(
      fc.property(fc.oneof(latin1, text), (head) => {
        const parsed = parseRequestHead(head, FIELDS_MAX)
        if ('fault' in parsed) return
        expect(parseHost(parsed.host)).toMatchObject({ host: parsed.host })
        expect(parsed.port).toSatisfy((port: number) => port >= 1 && port <= 65_535)
      }),
      { numRuns: 2_000 },
    )
  })
})
