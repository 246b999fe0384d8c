/** The format that a list's first lines are taken for. */
import { describe, expect, test } from 'vitest'
import { detectFormat, headText, isWebPage } from '../../src/lists/detect.ts'
import type { ListFormat } from '../../src/policy/source.ts'
import { bytesOf } from './list-text.ts'

const check = (name: string, lines: readonly string[], expected: ListFormat) =>
  test(name, () => {
    expect(detectFormat(lines.join('\n'))).toBe(expected)
  })

describe('the format', () => {
  check('domains', ['# title', 'a.example', 'b.example'], 'domains')
  check('nothing', [], 'domains')
  check('comments', ['# a', '# b'], 'domains')
  check('a hosts file', ['# title', '0.0.0.0 a.example', '0.0.0.0 b.example'], 'hosts')
  check('a hosts file of IPv6', [':: a.example', '::1 localhost'], 'hosts')
  check('wildcards', ['*.a.example', '*.b.example'], 'wildcard')
  check('dnsmasq', ['# x', 'local=/a.example/', 'local=/b.example/'], 'dnsmasq')
  check('AdBlock by its header', ['[Adblock Plus]', 'a.example'], 'adblock')
  check('AdBlock by its header after a comment', ['! x', '[Adblock Plus 2.0]', '&ad='], 'adblock')
  check('AdBlock by its rules', ['! x', '||a.example^', '||b.example^'], 'adblock')
  check('AdBlock by exceptions alone', ['@@||a.example^'], 'adblock')
  check(
    'AdBlock by rules among domains',
    ['a.example', '||b.example^', '@@||c.example^'],
    'adblock',
  )
  check('a zone', ['$TTL 60', '@ SOA a. b. 1 2 3 4 5', 'a.example CNAME .'], 'rpz')
  check('a zone with nothing but names', ['a.example CNAME .', '*.a.example CNAME .'], 'rpz')
  check('domains of which some are junk', ['a.example', 'b,c', 'd.example', 'e&f'], 'domains')
  check(
    'domains with one rule for a zone',
    ['a.b', 'c.d', 'e.f', '$TTL 1', 'x.y CNAME .'],
    'domains',
  )
  check('prose', ['The MIT License', '', 'Copyright (c) 2016'], 'domains')
})

describe('a text that was made to be read for hours is read at once', () => {
  for (const text of ['! '.repeat(32_000), ':'.repeat(64_000), `a ${'1'.repeat(64_000)}x`]) {
    test(JSON.stringify(text.slice(0, 8)), () => {
      const beganMs = performance.now()
      expect(detectFormat(text)).toBe('domains')
      expect(performance.now() - beganMs).toBeLessThan(1_000)
    })
  }
})

test('a web page is one', () => {
  expect(isWebPage('\n <!DOCTYPE html>\n<p>Moved')).toBe(true)
  expect(isWebPage('<html lang="sv">')).toBe(true)
  expect(isWebPage('# <html>\na.example')).toBe(false)
})

test('the head of a list is whole lines', () => {
  expect(headText(bytesOf('a.example\nb.ex'))).toBe('a.example\nb.ex')
  expect(headText(bytesOf('a.example\n'.repeat(10_000)))).toMatch(/^(a\.example\n)+$/)
})
