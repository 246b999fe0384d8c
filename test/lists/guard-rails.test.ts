/** Which new versions of a list may replace the one in force. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ENTRIES_SLACK, entriesOf, type Judging, judge } from '../../src/lists/guard-rails.ts'
import type { CaughtCanary } from '../../src/lists/report.ts'

const rules = { fallShare: 0.3, growthShare: 1 }

const catches = (...hosts: string[]): CaughtCanary[] =>
  hosts.map((host, i) => ({ host, list: 'porn', domain: host, line: i + 1 }))

interface Facts {
  readonly before: number | null
  readonly after: number
  readonly caughtBefore?: readonly string[]
  readonly caughtAfter?: readonly CaughtCanary[]
  readonly rules?: Judging['rules']
}

function judged({ before, after, caughtBefore = [], caughtAfter = [], ...rest }: Facts) {
  return judge({
    name: 'porn',
    before: before === null ? null : { entries: before, caught: caughtBefore },
    after: { entries: after, caught: caughtAfter },
    rules: rest.rules ?? rules,
  })
}

/** `expected`: the codes, and a part of what the first says. */
function check(name: string, facts: Facts, expected: readonly string[] = [], what = '') {
  test(name, () => {
    const refusals = judged(facts)
    expect(refusals.map(({ code }) => code)).toEqual(expected)
    if (what !== '') expect(refusals[0]!.what).toContain(what)
    for (const { hint } of refusals) {
      expect(hint).toContain('./sluss lists diff porn')
      expect(hint).toContain('./sluss lists accept porn')
    }
  })
}

describe('entries', () => {
  check('as many as before', { before: 1_000, after: 1_000 })
  check('fewer, at the limit', { before: 1_000, after: 700 })
  check(
    'one fewer than that',
    { before: 1_000, after: 699 },
    ['fall'],
    'from 1000 entries to 699, by 30.1 %; at most 30 % may go at once (fall)',
  )
  check('few, of a short list', { before: ENTRIES_SLACK + 1, after: 1 })
  check('more, at the limit', { before: 1_000, after: 2_000 })
  check(
    'one more than that',
    { before: 1_000, after: 2_001 },
    ['growth'],
    'from 1000 entries to 2001, by 100.1 %; at most 100 % may come at once (growth)',
  )
  check('more, of a short list', { before: 10, after: 10 + ENTRIES_SLACK })
  check('none left', { before: 1_000, after: 0 }, ['empty'], 'the one in force has 1000')
  check('none left of few', { before: 3, after: 0 }, ['empty'])
  check('none at first', { before: null, after: 0 }, ['empty'], 'no entry that can be used')
  check('a first version, however large', { before: null, after: 5_000_000 })
  check('after an empty version, however large', { before: 0, after: 5_000_000 })
  check('all may go but the last', {
    before: 9_999,
    after: 1,
    rules: { fallShare: 1, growthShare: 1 },
  })
})

describe('canaries', () => {
  const both = catches('1177.se', 'kommun.se')
  check('a first version that catches one', { before: null, after: 10, caughtAfter: both }, [
    'canary',
  ])
  check(
    'one more than before',
    { before: 10, after: 10, caughtBefore: ['1177.se'], caughtAfter: both },
    ['canary'],
    'kommun.se (by kommun.se, line 2)',
  )
  check('those that were caught before', {
    ...{ before: 10, after: 10, caughtBefore: ['kommun.se', '1177.se'], caughtAfter: both },
  })
  check('fewer than before', { before: 10, after: 10, caughtBefore: ['1177.se'] })
  const many = catches('a.se', 'b.se', 'c.se', 'd.se', 'e.se', 'f.se', 'g.se')
  check(
    'many: the first are named',
    { before: 9, after: 9, caughtAfter: many },
    ['canary'],
    ' and 2 more',
  )
  check('together with a fall', { before: 1_000, after: 1, caughtAfter: both }, ['fall', 'canary'])
})

test('what counts as an entry', () => {
  // What a list of exceptions lists is among what it frees.
  const counts = { domains: 5, networks: 2, exceptions: 9 }
  const report = (kind: 'category' | 'exception') => {
    const target = kind === 'category' ? { kind, bit: 0 } : { kind, bit: 0, platforms: 0 }
    return { ...counts, target } as Parameters<typeof entriesOf>[0]
  }
  expect(entriesOf(report('category'))).toBe(7)
  expect(entriesOf(report('exception'))).toBe(9)
})

test('what is within the limits passes, what is outside does not', () => {
  const counts = {
    before: fc.integer({ min: 1, max: 1e6 }),
    after: fc.integer({ min: 1, max: 1e6 }),
  }
  const shares = fc.double({ min: 0, max: 1, noNaN: true })
  fc.assert(
    fc.property(fc.record(counts), shares, shares, ({ before, after }, fallShare, growthShare) => {
      const small = Math.abs(after - before) <= ENTRIES_SLACK
      const share = Math.abs(after - before) / before
      const refused = judged({ before, after, rules: { fallShare, growthShare } }).length > 0
      const limit = after < before ? fallShare : growthShare
      if (small || share < limit * (1 - 1e-9)) expect(refused).toBe(false)
      else if (share > limit * (1 + 1e-9)) expect(refused).toBe(true)
    }),
  )
})
