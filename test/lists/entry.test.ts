/**
 * The table of entries and what each means. Never: an entry whose reading would surprise its writer.
 */
import { describe, expect, test } from 'vitest'
import { DOMAIN, type EntryRules, NEARBY, readEntry } from '../../src/lists/entry.ts'
import { readingText } from './list-text.ts'

const check = (entry: string, expected: string, rules?: EntryRules) =>
  test(JSON.stringify(entry), () => {
    expect(readingText(readEntry(entry, rules))).toBe(expected)
  })

describe('hosts', () => {
  check('example.com', 'example.com')
  check('EXAMPLE.Com.', 'example.com')
  check('www.example.com', 'www.example.com')
  check('under_score.example.com', 'under_score.example.com')
  check('räksmörgås.se', 'xn--rksmrgs-5wao1o.se')
  check('xn--rksmrgs-5wao1o.se', 'xn--rksmrgs-5wao1o.se')
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
  check('::ffff:192.0.2.1', '192.0.2.1')
  check('192.0.2.256', 'host-address')
  check('foo.192.0.2.1', 'host-address')
  check('0xC0000201', 'host-address')
  check('404', 'host-address')
  check('*.192.0.2.1', 'wildcard')
  check('fe80::1%eth0', 'host-zone')
  check('127.0.0.1', 'not-a-site')
})

describe('networks', () => {
  check('192.0.2.0/24', '192.0.2.0/24')
  check('2001:DB8::/32', '2001:db8::/32')
  check('::ffff:192.0.2.0/120', '192.0.2.0/24')
  check('192.0.2.1/32', '192.0.2.1')
  check('2001:db8::1/128', '2001:db8::1')
  check('192.0.2.1/24', 'network-host-bits')
  check('192.0.2.0/33', 'network')
  check('192.0.2/24', 'network')
  check('192.0.2.0/024', '192.0.2.0/24')
  check('8.0.0.0/8', '8.0.0.0/8')
  check('8.0.0.0/7', 'network-too-wide')
  check('0.0.0.0/0', 'network-too-wide')
  check('::/0', 'network-too-wide')
  check('::/64', 'network-too-wide')
  check('::ffff:0:0/96', 'network-too-wide')
  check('2001::/16', '2001::/16')
  check('2000::/15', 'network-too-wide')
  check('127.0.0.0/8', 'not-a-site')
  check('10.1.0.0/16', 'not-a-site')
  check('224.0.0.0/3', 'not-a-site')
  check('fe80::/10', 'not-a-site')
  check('127.0.0.1/32', 'not-a-site')
})

describe('a word alone is what its format takes it for', () => {
  check('zip', 'one-label')
  check('zip', 'zip', DOMAIN)
  check('zip', 'not-a-site', NEARBY)
  check('localhost', 'not-a-site')
  check('localhost', 'not-a-site', DOMAIN)
})

describe('what cannot be used', () => {
  check('', 'host-empty')
  check('*.', 'host-empty')
  check('ex*mple.com', 'wildcard')
  check('*', 'wildcard')
  check('*example.com', 'wildcard')
  check('*.*.example.com', 'wildcard')
  check('example.com/page', 'url')
  check('https://example.com/page?x=1', 'url')
  check('ftp://example.com/', 'url')
  check('user@example.com', 'url')
  check('192.0.2.1/page', 'url')
  check('example.com:8080', 'port')
  check('-example.com', 'host-character')
  check('a.example,b.example', 'host-character')
  check('example.com # x', 'host-character')
  check('..example.com', 'host-label-empty')
  check('example..com', 'host-label-empty')
  check(`${'a'.repeat(64)}.example`, 'host-label-too-long')
  check(`${'a.'.repeat(126)}example`, 'host-too-long')
  check('xn--\u00e4.example', 'host-idn')
})
