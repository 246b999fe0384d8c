/**
 * Owns: the line that a person reads of a problem, and what is never in it.
 * Never: looks for problems.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  formatProblem,
  nearestOf,
  type Problem,
  quoteValue,
  VALUE_LENGTH_MAX,
} from '../../src/settings/problems.ts'

const PROBLEM: Problem = {
  file: '/etc/sluss/config/sluss.yaml',
  line: 14,
  key: 'zones[0].networks[1]',
  value: '"10.0.0.0/33"',
  what: 'the prefix is at most 32',
  expected: 'a CIDR network such as 10.0.0.0/8',
  hint: '',
}

function check(name: string, change: Partial<Problem>, expected: string) {
  it(name, () => {
    expect(formatProblem({ ...PROBLEM, ...change }, '/etc/sluss')).toBe(expected)
  })
}

it('a file is named whole where the command is given in the root, as systemd does', () => {
  const where = '/etc/sluss/config/sluss.yaml:14: '
  expect(formatProblem(PROBLEM, '/').startsWith(where)).toBe(true)
})

describe('the line of a problem', () => {
  check(
    'has place, key, value, expectation and what is wrong',
    {},
    'config/sluss.yaml:14: zones[0].networks[1]: "10.0.0.0/33" — expected a CIDR network such as 10.0.0.0/8; the prefix is at most 32',
  )
  check(
    'ends with what to do',
    {
      key: 'quota.grce',
      value: '',
      expected: '',
      what: 'no such key',
      hint: 'did you mean grace?',
    },
    'config/sluss.yaml:14: quota.grce — no such key; did you mean grace?',
  )
  check(
    'leaves out a line and a key that it does not have',
    { line: 0, key: '', value: '', expected: '' },
    'config/sluss.yaml: the prefix is at most 32',
  )
  check(
    'gives the whole path of a file elsewhere',
    { file: '/srv/sluss.yaml', key: '', value: '', expected: '' },
    '/srv/sluss.yaml:14: the prefix is at most 32',
  )
  check(
    'names the text of an override',
    {
      file: '--set quota.grace=5',
      line: 0,
      key: 'quota.grace',
      value: '5',
      what: '',
      expected: 'x',
    },
    '--set quota.grace=5: quota.grace: 5 — expected x',
  )
})

describe('values in print', () => {
  it('cuts what is long', () => {
    const quoted = quoteValue('x'.repeat(10_000))
    expect(quoted).toBe(`"${'x'.repeat(VALUE_LENGTH_MAX)}…"`)
  })

  it('escapes whatever a terminal would obey', () => {
    expect(quoteValue('a\u001b[31m\u009b\u202e\n"')).toBe('"a\\u001b[31m\\u009b\\u202e\\n\\""')
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(quoteValue(text)).not.toMatch(/[\p{Cc}\u202a-\u202e\u2066-\u2069\u2028\u2029]/u)
      }),
    )
  })

  it('names lists and groups instead of spelling them out', () => {
    expect([[1], { a: 1 }, null, undefined, 7, true].map(quoteValue)).toEqual([
      'a list',
      'a group of keys',
      '',
      '',
      '7',
      'true',
    ])
  })
})

describe('the nearest name', () => {
  const names = ['threshold', 'grace', 'users', 'retention']
  const table: [string, string | null][] = [
    ['grce', 'grace'],
    ['Grace', 'grace'],
    ['treshhold', 'threshold'],
    ['retension', 'retention'],
    ['minutes', null],
    ['g', null],
    ['x'.repeat(100_000), null],
  ]
  for (const [name, expected] of table) {
    it(`${name.slice(0, 20)} → ${expected}`, () => expect(nearestOf(name, names)).toBe(expected))
  }
})

it('nothing at all is meant for no name, be it as short as x', () => {
  expect(nearestOf('', ['x', 'all'])).toBeNull()
})
