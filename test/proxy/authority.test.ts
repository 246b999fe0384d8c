/**
 * Owns: what `host[:port]` means, and that what is remembered of it is what was read.
 * Never: repeats the table of hosts; test/policy/host.test.ts has it.
 */
import { describe, expect, it } from 'vitest'
import { parseAuthority } from '../../src/proxy/authority.ts'

function check(text: string, expected: [host: string, port: number | null] | null) {
  it(JSON.stringify(text), () => {
    // Twice: the second time it is remembered.
    for (let times = 0; times < 2; times++) {
      const read = parseAuthority(text)
      if (expected === null) expect(read).toBe(null)
      else expect([read?.host, read?.port]).toEqual(expected)
    }
  })
}

describe('an authority', () => {
  check('a.se', ['a.se', null])
  check('A.SE.', ['a.se', null])
  check('a.se:', ['a.se', null])
  check('a.se:80', ['a.se', 80])
  check('a.se:00443', ['a.se', 443])
  check('[::1]', ['::1', null])
  check('[::1]:8080', ['::1', 8_080])
  check('[::ffff:1.2.3.4]:1', ['1.2.3.4', 1])
  check('0x7f.1:65535', ['127.0.0.1', 65_535])
  check(Buffer.from('å.se').toString('latin1'), ['xn--5ca.se', null])
})

describe('what is none', () => {
  for (const text of [
    '',
    ':',
    ':80',
    'a.se:0',
    'a.se:65536',
    'a.se:000080',
    'a.se:+1',
    'a.se:1 ',
  ]) {
    check(text, null)
  }
  for (const text of [
    'a.se:80:80',
    'a.se/',
    'u@a.se',
    'a b',
    'å.se',
    '::1',
    '[::1',
    '::1]',
    '[a.se]',
  ]) {
    check(text, null)
  }
  for (const text of [
    '[::1]80',
    '[::1]a',
    '[fe80::1%25e]',
    '[v1.a]',
    '[[::1]]',
    '[]',
    'a..se',
    '\0',
  ]) {
    check(text, null)
  }
})

it('has one text for one origin, and its Host line, without the port that http:// means', () => {
  expect(parseAuthority('A.se')).toMatchObject({
    origin: 'a.se:80',
    lines: ' HTTP/1.1\r\nHost: a.se\r\n',
  })
  expect(parseAuthority('[0::1]:81')).toMatchObject({
    origin: '[::1]:81',
    lines: ' HTTP/1.1\r\nHost: [::1]:81\r\n',
  })
})

it('stays right however many come by, and however long they are', () => {
  const long = `${'a'.repeat(60)}.`.repeat(3)
  for (let i = 0; i < 5_000; i++) {
    expect(parseAuthority(`h${i}.se:${(i % 65_535) + 1}`)?.host).toBe(`h${i}.se`)
    if (i % 1_000 === 0) expect(parseAuthority(`${long}se`)?.host).toBe(`${long}se`)
  }
  expect(parseAuthority('h1.se:2')).toMatchObject({ host: 'h1.se', port: 2, origin: 'h1.se:2' })
})
