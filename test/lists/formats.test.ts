/**
 * The tables of lines and what each means in its format. Never: a line whose reading would surprise
 * its writer.
 */
import { describe, expect, test } from 'vitest'
import { PARENTHESIS_LINES_MAX } from '../../src/lists/format-rpz.ts'
import { lineReader } from '../../src/lists/formats.ts'
import { REJECTIONS } from '../../src/lists/rejection.ts'
import type { ListFormat } from '../../src/policy/source.ts'
import { readingText } from './list-text.ts'

function readingsOf(format: ListFormat, text: string): string[] {
  const reader = lineReader(format)
  const readings = text.split('\n').flatMap((line) => reader.read(line))
  return [...readings, ...reader.finish()].map(readingText)
}

const checkIn =
  (format: ListFormat) =>
  (line: string, ...expected: string[]) =>
    test(JSON.stringify(line), () => {
      expect(readingsOf(format, line)).toEqual(expected)
    })

describe('plain domains', () => {
  const check = checkIn('domains')
  check('example.com', 'example.com')
  check('  example.com\t', 'example.com')
  check('example.com\r', 'example.com')
  check('\ufeffexample.com', 'example.com')
  check('example.com # why', 'example.com')
  check('example.com#why', 'example.com')
  check('Example.com # caf\ufffd', 'example.com')
  check('192.0.2.0/24 # network', '192.0.2.0/24')
  check('*.example.com', 'example.com')
  check('')
  check('   ')
  check('# comment')
  check('; comment')
  check('! comment')
  check('# caf\ufffd')
  check('  # indented comment')
  check('com', 'one-label')
  check('a.example b.example', 'several-words')
  check('||example.com^', 'format')
  check('@@||example.com^', 'format')
  check('[Adblock Plus 2.0]', 'format')
  check('example.com##.banner', 'format')
  check('address=/example.com/0.0.0.0', 'format')
  check('/banner[0-9]+/', 'format')
  check('$ORIGIN rpz.example.', 'format')
  check('exa\ufffdmple.com', 'encoding')
  check('e\0x\0a\0', 'encoding')
})

describe('hosts files', () => {
  const check = checkIn('hosts')
  check('0.0.0.0 example.com', 'example.com')
  check('127.0.0.1\texample.com', 'example.com')
  check('127.0.0.7 example.com', 'example.com')
  check('0.0.0.0 a.example b.example # two', 'a.example', 'b.example')
  check(':: example.com', 'example.com')
  check('0.0.0.0 Example.COM', 'example.com')
  check('0.0.0.0 192.0.2.1', '192.0.2.1')
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

describe('dnsmasq', () => {
  const check = checkIn('dnsmasq')
  check('address=/example.com/0.0.0.0', 'example.com')
  check('address=/example.com/', 'example.com')
  check('address=/example.com/#', 'example.com')
  check('address=/example.com/::', 'example.com')
  check('address=/example.com/192.0.2.1', 'example.com')
  check('address=/a.example/B.Example/0.0.0.0', 'a.example', 'b.example')
  check('address = /example.com/ # why', 'example.com')
  check('server=/example.com/', 'example.com')
  check('local=/a.example/b.example/', 'a.example', 'b.example')
  check('local=/zip/', 'zip')
  check('server=/example.com/0.0.0.0', 'example.com')
  check('server=/example.com/#', '@@ example.com')
  check('server=/example.com/192.0.2.53', 'forward')
  check('server=/example.com/192.0.2.53#5353', 'forward')
  check('address=/#/0.0.0.0', 'wildcard')
  check('address=/*.example.com/', 'example.com')
  check('address=//0.0.0.0', 'not-a-site')
  check('address=/bad..example/', 'host-label-empty')
  check('# comment')
  check('cache-size=1000', 'setting')
  check('domain-needed', 'setting')
  check('ipset=/example.com/blocked', 'setting')
  check('server=192.0.2.53', 'setting')
  check('example.com', 'format')
  check('||example.com^', 'format')
})

describe('AdBlock', () => {
  const check = checkIn('adblock')
  check('||example.com^', 'example.com')
  check('||EXAMPLE.com^|', 'example.com')
  check('||example.com', 'example.com')
  check('||example.com^ # why', 'example.com')
  check('||*.example.com^', 'example.com')
  check('||räksmörgås.se^', 'xn--rksmrgs-5wao1o.se')
  check('||zip^', 'zip')
  check('||192.0.2.1^', '192.0.2.1')
  check('||192.0.2.0/24^', '192.0.2.0/24')
  check('||example.com:443^', 'example.com')
  check('||example.com^$important', 'example.com')
  check('||example.com^$all', 'example.com')
  check('||example.com^$document,important', 'example.com')
  check('@@||example.com^', '@@ example.com')
  check('@@||example.com^$important', '@@ example.com')
  check('@@||192.0.2.0/24^', '@@ 192.0.2.0/24')
  check('example.com', 'example.com')
  check('0.0.0.0 example.com', 'example.com')
  check('! comment')
  check('# comment with ## in it')
  check('[Adblock Plus 2.0]')
  check('! Title: ||not.example^')
  check('!#include other.txt', 'directive')
  check('||example.com^$third-party', 'options')
  check('||example.com^$dnsrewrite=NOERROR;A;192.0.2.1', 'options')
  check('||example.com^$badfilter', 'options')
  check('@@||example.com^$generichide', 'options')
  check('||example.com/path', 'url')
  check('||example.com^path', 'url')
  check('||example.com^*/x', 'url')
  check('|https://example.com/x|', 'url')
  check('example.com##.banner', 'cosmetic')
  check('##.banner', 'cosmetic')
  check('a.example,b.example#@#.banner', 'cosmetic')
  check('example.com#?#div:has(> a)', 'cosmetic')
  check('example.com#$#body { color: red }', 'cosmetic')
  check('example.com#%#window.x = 1', 'cosmetic')
  check('example.com##div #id', 'cosmetic')
  check('example.com$$script[src="x"]', 'cosmetic')
  check('/banner[0-9]+/', 'expression')
  check('@@/banner[0-9]+/', 'expression')
  check('&ad_box=', 'pattern')
  check('-banner-', 'pattern')
  check('|example.com^', 'pattern')
  check('adserver', 'pattern')
  check('||ads', 'pattern')
  check('||ads.', 'pattern')
  check('||ad*.example.com^', 'wildcard')
  check('||bad..example^', 'host-label-empty')
  check('||example.com:8080^', 'port')
  check('two.example words.example', 'several-words')
  check('||exa\ufffdmple.com^', 'encoding')
})

describe('a response policy zone', () => {
  const check = (name: string, text: string, ...expected: string[]) =>
    test(name, () => {
      expect(readingsOf('rpz', text)).toEqual(expected)
    })
  const zone =
    '$TTL 60\n@ IN SOA localhost. root.localhost. (\n 1 ; serial\n 2 3 4 5 )\n  IN NS localhost.\n'

  check('the zone itself lists nothing', zone)
  check(
    'a name, and its subdomains',
    `${zone}a.example CNAME .\n*.a.example CNAME .`,
    'a.example',
    'a.example',
  )
  check(
    'class, time to live and case',
    'A.Example 300 IN cname .\nb.example IN 5m CNAME .',
    'a.example',
    'b.example',
  )
  check(
    'no data, and another name',
    'a.example CNAME *.\nb.example CNAME garden.example.net.',
    'a.example',
    'b.example',
  )
  check('dropped', 'a.example CNAME rpz-drop.', 'a.example')
  check('freed', 'a.example CNAME rpz-passthru.', '@@ a.example')
  check('freed as of old', 'a.example CNAME a.example.', '@@ a.example')
  check('over TCP only', 'a.example CNAME rpz-tcp-only.', 'action')
  check(
    'rewritten',
    'a.example A 192.0.2.1\n  AAAA 2001:db8::1\n  TXT "why; (not)"',
    'a.example',
    'a.example',
    'a.example',
  )
  check('a comment', '; a.example CNAME .\na.example CNAME . ; why', 'a.example')
  check('a whole top-level domain', '*.zip CNAME .\nzip CNAME .', 'zip', 'one-label')
  check('a network', '24.0.2.0.192.rpz-ip CNAME .', '192.0.2.0/24')
  check('an address', '32.1.2.0.192.rpz-ip CNAME .', '192.0.2.1')
  check(
    'networks of IPv6',
    '48.zz.101.db8.2001.rpz-ip CNAME .\n128.1.zz.db8.2001.rpz-ip CNAME .',
    '2001:db8:101::/48',
    '2001:db8::1',
  )
  check('a freed network', '24.0.2.0.192.rpz-ip CNAME rpz-passthru.', '@@ 192.0.2.0/24')
  check('no network', '33.1.2.0.192.rpz-ip CNAME .\nx.rpz-ip CNAME .', 'network', 'network')
  check(
    'other triggers',
    '32.1.2.0.192.rpz-client-ip CNAME .\nns.example.rpz-nsdname CNAME .\n24.0.2.0.192.rpz-nsip CNAME .',
    'trigger',
    'trigger',
    'trigger',
  )
  check(
    'full names under the origin',
    `$ORIGIN rpz.test.\n${zone}a.example.rpz.test. CNAME .\nb.example CNAME .`,
    'a.example',
    'b.example',
  )
  check(
    'the zone of the SOA',
    'rpz.test. SOA a. b. 1 2 3 4 5\na.example.rpz.test. CNAME .\nb.example CNAME .',
    'a.example',
    'b.example',
  )
  check(
    'an origin within the zone',
    `$ORIGIN rpz.test.\n${zone}$ORIGIN example.rpz.test.\na CNAME .\n@ A 192.0.2.1`,
    'a.example',
    'one-label',
  )
  check('full names elsewhere', `$ORIGIN rpz.test.\na.example. CNAME .`, 'out-of-zone')
  check('full names and no origin', 'a.example. CNAME .', 'out-of-zone')
  check(
    'what is not followed',
    '$INCLUDE other.zone\n$GENERATE 1-9 a$.example CNAME .',
    'directive',
    'directive',
  )
  check(
    'no record',
    'a.example\nb.example CNAME\nc.example BLOCK .\n$HELLO x',
    'record',
    'record',
    'record',
    'record',
  )
  check('no owner before', ' CNAME .', 'record')
  check(
    'a parenthesis without end',
    'a.example CNAME ( .\nb.example CNAME .',
    'a.example',
    'record',
    'record',
  )
  check(
    'a parenthesis that swallows a hundred lines swallows no more, and counts each',
    `@ SOA a. b. (\n${'x.example CNAME .\n'.repeat(PARENTHESIS_LINES_MAX)}b.example CNAME .`,
    ...Array<string>(PARENTHESIS_LINES_MAX + 1).fill('record'),
    'b.example',
  )
})

test('every reason has a class, and says what is wrong and what to do', () => {
  for (const { class: kind, what, hint } of Object.values(REJECTIONS)) {
    expect(['junk', 'unsupported', 'harmless']).toContain(kind)
    expect(what).toMatch(/^\S.+[^.]$/)
    expect(hint).toMatch(/^[A-Z].+\.$/)
  }
})
