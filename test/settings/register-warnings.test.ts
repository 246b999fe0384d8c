/**
 * Owns: what deserves a look in a valid register, and what does not.
 * Never: reads a register.
 */
import { describe, expect, it } from 'vitest'
import { dayNumber } from '../../src/policy/index.ts'
import { formatProblem } from '../../src/settings/problems.ts'
import type { RegisterFields } from '../../src/settings/register-row.ts'
import { warningsOf } from '../../src/settings/register-warnings.ts'

const ROW: RegisterFields = {
  user: 'anna',
  platforms: ['facebook'],
  purpose: 'Sidan',
  department: 'KLK',
  decidedBy: 'Chefen',
  dnr: 'KS 2026/1',
  from: '2026-01-01',
  until: '2026-12-31',
}

/** The warnings on 15 June of rows that differ from the usual one as told, nine lines each. */
function warnings(...changes: Partial<RegisterFields>[]) {
  const rows = changes.map((change, i) => ({ ...ROW, ...change, row: i + 1, line: 1 + i * 9 }))
  return warningsOf(rows, { file: '/etc/sluss/exemptions.yaml', today: dayNumber('2026-06-15')! })
}

function check(name: string, changes: Partial<RegisterFields>[], expected: string[]) {
  it(name, () => {
    expect(warnings(...changes).map(({ kind, row }) => `${row} ${kind}`)).toEqual(expected)
  })
}

describe('the end of a row', () => {
  check('was yesterday', [{ until: '2026-06-14' }], ['1 expired'])
  check('is today', [{ until: '2026-06-15' }], ['1 expires-soon'])
  check('is in thirty days', [{ until: '2026-07-15' }], ['1 expires-soon'])
  check('is in thirty-one days', [{ until: '2026-07-16' }], [])
})

describe('the diary number', () => {
  check('is missing', [{ dnr: '' }], ['1 dnr-missing'])
})

describe('two rows', () => {
  const group = { ...ROW, group: 'anna' }
  const { user: _user, ...ofGroup } = group
  const past = { until: '2026-02-01' }
  check('that are the same', [{}, {}], ['2 overlap'])
  check('that share a day', [{}, { from: '2026-12-31', until: '2027-01-01' }], ['2 overlap'])
  check('that share no day', [{}, { from: '2027-01-01', until: '2027-12-31' }], [])
  check('that share a platform', [{}, { platforms: ['youtube', 'facebook'] }], ['2 overlap'])
  check('that share no platform', [{}, { platforms: ['youtube'] }], [])
  check('for one platform and for all', [{}, { platforms: 'all' }], ['2 overlap'])
  check('for all and for one platform', [{ platforms: 'all' }, {}], ['2 overlap'])
  check('for all platforms', [{ platforms: 'all' }, { platforms: 'all' }], ['2 overlap'])
  check('for two people', [{}, { user: 'bo' }], [])
  check('that are over', [past, past], ['1 expired', '2 expired'])

  it('for a user and a group of the same name', () => {
    const rows = [
      { ...ROW, row: 1, line: 1 },
      { ...ofGroup, row: 2, line: 10 },
    ]
    expect(warningsOf(rows, { file: 'x', today: dayNumber('2026-06-15')! })).toEqual([])
  })

  it('are told once for each row, however many there are', () => {
    expect(warnings(...Array.from({ length: 50 }, () => ({})))).toHaveLength(49)
  })
})

it('says where, what, and what to do', () => {
  const found = warnings({ until: '2026-06-14' }, {}, { platforms: ['youtube', 'facebook'] })
  expect(found.map((warning) => formatProblem(warning, '/etc/sluss'))).toEqual([
    'exemptions.yaml:1: row 1: until: user anna — it ended on 2026-06-14; it may stay as a record, or be taken away: the history keeps it',
    'exemptions.yaml:19: row 3: platforms: user anna — row 2 (line 10) has the same days for facebook; keep one of them, or divide the days',
  ])
})
