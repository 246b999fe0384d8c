import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { hostOfServerName } from '../../src/policy/hello.ts'
import { parseHost } from '../../src/policy/host.ts'

const check = (name: string, expected: string | null) =>
  it(JSON.stringify(name.slice(-40)), () =>
    expect(hostOfServerName(name)?.host ?? null).toBe(expected),
  )

describe('a server name that is a host is it', () => {
  for (const name of ['bad.test', 'BAD.test.', 'ｂad.test', 'x-.-y.bad.test', '192.0.2.1']) {
    it(name, () => expect(hostOfServerName(name)).toEqual({ ...asHost(name), whole: true }))
  }
})

describe('one that is none is the longest host that it ends in', () => {
  check('bad.test..', 'bad.test')
  check('.bad.test', 'bad.test')
  check('*.bad.test', 'bad.test')
  check('-x.bad.test', 'bad.test')
  check('a..b.bad.test', 'b.bad.test')
  check('BAD.test:443', 'bad.test')
  check('bad.test:', 'bad.test')
  check('bad.test.:443', 'bad.test')
  check('bad.test..:443', 'bad.test')
  check('-x.bad.test:443', 'bad.test')
  check('a b.bad.test', 'bad.test')
  check('\u202e.www.bad.test', 'www.bad.test')
  check('www.<b>.bad.test', 'bad.test')
  check(`${'x'.repeat(64)}.bad.test`, 'bad.test')
  check(`www.${'x'.repeat(64)}.bad.test`, 'bad.test')
  check(`${'x'.repeat(63)}.${'x'.repeat(180)}.bad.test`, 'bad.test')
  check('.'.repeat(60_000), null)
  check(`${'.'.repeat(60_000)}bad.test`, 'bad.test')
  check(`bad.test${'.'.repeat(60_000)}`, 'bad.test')
  check('192.0.2.1:443', '192.0.2.1')
  check('[2001:db8::1]:443', '2001:db8::1')
})

describe('one in which nothing is a host is none', () => {
  check('..', null)
  check(':443', null)
  check('a b', null)
  check('x.bad.test-', null)
  check('2001:db8::zz:443', null)
  check('[2001:db8::1', null)
  // Numbers at the end are an address, or nothing.
  check('999.1', null)
  check('a b.192.0.2.1', null)
  // Read to the colon, or to the NUL, they are others.
  check('bad.test:.news.test', null)
  check('bad.test:443.', null)
  check('bad.test:443:443', null)
  check('bad.test\0.news.test', null)
  check('news.test\0.bad.test', null)
})

it('whatever is said, no host that it ends in is longer', () => {
  const labels = fc.array(
    fc.constantFrom('a', 'b-', '-c', '', '*', 'é', '%61', '7', 'x'.repeat(64)),
  )
  fc.assert(
    fc.property(labels, (parts) => {
      const name = `!.${parts.join('.')}`
      const expected = parts
        .map((_, i) => asHost(parts.slice(i).join('.').replace(/\.+$/, '')))
        .find((host) => host !== null && host.address === null)
      expect(hostOfServerName(name)?.host).toBe(expected?.host)
    }),
  )
})

function asHost(text: string) {
  const name = parseHost(text)
  return typeof name === 'string' ? null : name
}
