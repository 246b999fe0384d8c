/**
 * The table of lines and what each means. Never: a line whose reading would surprise its writer.
 */
import { describe, expect, test } from 'vitest'
import { readEntry, readLine } from '../../src/lists/formats.ts'
import { REJECTIONS, type RejectReason } from '../../src/lists/rejection.ts'

const check = (line: string, ...expected: (string | RejectReason)[]) =>
  test(JSON.stringify(line), () => {
    const found = readLine(line).map((reading) =>
      'host' in reading ? reading.host : reading.reason,
    )
    expect(found).toEqual(expected)
  })

describe('plain domains', () => {
  check('example.com', 'example.com')
  check('  example.com\t', 'example.com')
  check('example.com\r', 'example.com')
  check('\ufeffexample.com', 'example.com')
  check('EXAMPLE.Com.', 'example.com')
  check('www.example.com', 'www.example.com')
  check('under_score.example.com', 'under_score.example.com')
  check('räksmörgås.se', 'xn--rksmrgs-5wao1o.se')
  check('xn--rksmrgs-5wao1o.se', 'xn--rksmrgs-5wao1o.se')
  check('example.com # why', 'example.com')
  check('example.com#why', 'example.com')
  check('*.example.com', 'example.com')
  check('.example.com', 'example.com')
  check('*.xxx', 'xxx')
  check('.xxx', 'xxx')
  check('example.com:443', 'example.com')
  check('example.com:80', 'example.com')
  check('http://example.com', 'example.com')
  check('HTTPS://Example.com:443/', 'example.com')
})

describe('addresses', () => {
  check('192.0.2.1', '192.0.2.1')
  check('2001:DB8::1', '2001:db8::1')
  check('[2001:db8::1]:443', '2001:db8::1')
  check('http://192.0.2.1/', '192.0.2.1')
  check('192.0.2.256', 'host-address')
  check('foo.192.0.2.1', 'host-address')
  check('0xC0000201', 'host-address')
  check('404', 'host-address')
  check('*.192.0.2.1', 'wildcard')
  check('192.0.2.0/24', 'network')
  check('2001:db8::/32', 'network')
  check('fe80::1%eth0', 'host-zone')
})

describe('hosts files', () => {
  check('0.0.0.0 example.com', 'example.com')
  check('127.0.0.1\texample.com', 'example.com')
  check('127.0.0.7 example.com', 'example.com')
  check('0.0.0.0 a.example b.example # two', 'a.example', 'b.example')
  check(':: example.com', 'example.com')
  check('0.0.0.0 Example.COM', 'example.com')
  check('127.0.0.1 localhost', 'not-a-site')
  check('127.0.0.1 localhost.localdomain', 'not-a-site')
  check('127.0.0.1 localhost6.localdomain6', 'not-a-site')
  check('fe80::1%lo0 localhost', 'not-a-site')
  check('::1 ip6-localhost ip6-loopback', 'not-a-site', 'not-a-site')
  check('255.255.255.255 broadcasthost', 'not-a-site')
  check('0.0.0.0 0.0.0.0', 'not-a-site')
  check('0.0.0.0 nearby', 'not-a-site')
  check('0.0.0.0 good.example en', 'good.example', 'not-a-site')
  check('0.0.0.0 bad..example', 'host-label-empty')
})

describe('nothing to use', () => {
  check('')
  check('   ')
  check('# comment')
  check('; comment')
  check('! comment')
  check('  # indented comment')
})

describe('what cannot be used', () => {
  check('com', 'one-label')
  check('localhost', 'not-a-site')
  check('127.0.0.1', 'not-a-site')
  check('a.example b.example', 'several-words')
  check('ex*mple.com', 'wildcard')
  check('*', 'wildcard')
  check('*example.com', 'wildcard')
  check('*.*.example.com', 'wildcard')
  check('*.', 'host-empty')
  check('example.com/page', 'url')
  check('https://example.com/page?x=1', 'url')
  check('ftp://example.com/', 'url')
  check('user@example.com', 'url')
  check('192.0.2.1/page', 'url')
  check('example.com:8080', 'port')
  check('||example.com^', 'format')
  check('@@||example.com^', 'format')
  check('[Adblock Plus 2.0]', 'format')
  check('example.com##.banner', 'format')
  check('address=/example.com/0.0.0.0', 'format')
  check('/banner[0-9]+/', 'format')
  check('exa\ufffdmple.com', 'encoding')
  check('e\0x\0a\0', 'encoding')
  check('-example.com', 'host-character')
  check('a.example,b.example', 'host-character')
  check('..example.com', 'host-label-empty')
  check('example..com', 'host-label-empty')
  check(`${'a'.repeat(64)}.example`, 'host-label-too-long')
  check(`${'a.'.repeat(126)}example`, 'host-too-long')
  check('xn--\u00e4.example', 'host-idn')
})

test('an entry of another file is one word, and a comment sign has no place in it', () => {
  expect(readEntry('example.com', false)).toEqual({ host: 'example.com' })
  expect(readEntry('example.com # x', false)).toEqual({
    reason: 'host-character',
    text: 'example.com # x',
  })
})

test('every reason says what is wrong and what to do', () => {
  for (const { what, hint } of Object.values(REJECTIONS)) {
    expect(what).toMatch(/^\S.+[^.]$/)
    expect(hint).toMatch(/^[A-Z].+\.$/)
  }
})
