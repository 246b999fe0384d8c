/**
 * Owns: how the place of a value is written and read.
 * Never: asks which places there are.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formatKeyPath, KEY_PATH_DEPTH_MAX, parseKeyPath } from '../../src/settings/key-path.ts'

/** `expected` is the path, or a part of what is said to be wrong. */
function check(text: string, expected: (string | number)[] | string) {
  it(`${text} is ${JSON.stringify(expected)}`, () => {
    const reading = parseKeyPath(text)
    if (reading.ok) expect(reading.value).toEqual(expected)
    else expect(reading.what).toContain(expected)
  })
}

describe('key paths', () => {
  check('quota.grace', ['quota', 'grace'])
  check('zones[0].networks[12]', ['zones', 0, 'networks', 12])
  check('dns.hosts["a.test"]', ['dns', 'hosts', 'a.test'])
  check('dns.hosts["a\\"b"]', ['dns', 'hosts', 'a"b'])
  check('', 'missing')
  check('quota..grace', 'a name is missing')
  check('quota.', 'a name is missing')
  check('.quota', 'a name is missing')
  check('zones[0]name', 'cannot be read from name on')
  check('zones[-1]', 'cannot be read from [-1] on')
  check('zones[x]', 'cannot be read from [x] on')
  check('zones["\\x"]', 'not a quoted name')
  check('quota.__proto__', 'no key __proto__')
  check(Array(KEY_PATH_DEPTH_MAX).fill('a').join('.'), Array(KEY_PATH_DEPTH_MAX).fill('a'))
  check(
    Array(KEY_PATH_DEPTH_MAX + 1)
      .fill('a')
      .join('.'),
    'too deep',
  )

  it('reads every path that it writes', () => {
    const name = fc.string({ minLength: 1 }).filter((text) => text !== '__proto__')
    const part = fc.oneof(name, fc.nat(999_999))
    fc.assert(
      fc.property(fc.array(part, { minLength: 1, maxLength: KEY_PATH_DEPTH_MAX }), (path) => {
        expect(parseKeyPath(formatKeyPath(path))).toEqual({ ok: true, value: path })
      }),
    )
  })
})
