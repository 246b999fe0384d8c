/**
 * Owns: that what changed between two registers is told whole, and as a person would tell it.
 * Never: touches a disk.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Change, diffRows, rowsAfter } from '../../src/settings/register-changes.ts'
import type { RegisterFields } from '../../src/settings/register-row.ts'

const row = (changes: Partial<RegisterFields> = {}): RegisterFields => ({
  user: 'anna',
  platforms: ['facebook'],
  purpose: 'Sidan',
  department: 'KLK',
  decidedBy: 'Chefen',
  dnr: 'KS 2026/1',
  from: '2026-01-01',
  until: '2026-12-31',
  ...changes,
})

/** `+anna` added, `-anna` removed, `anna` changed. */
const sketch = (changes: readonly Change[]) =>
  changes.map(({ kind, before, after }) => {
    const mark = { added: '+', removed: '-', changed: '' }[kind]
    return `${mark}${(after ?? before)?.user}`
  })

describe('diffRows', () => {
  const check = (before: RegisterFields[], after: RegisterFields[], expected: string[]) => {
    expect(sketch(diffRows(before, after))).toEqual(expected)
  }

  it('finds nothing where only the order differs', () => {
    const [a, b] = [row(), row({ user: 'bo' })]
    check([a, b], [b, a], [])
    check([a, a], [a, a], [])
  })

  it('tells added, removed and changed apart', () => {
    check([], [row()], ['+anna'])
    check([row()], [], ['-anna'])
    check([row()], [row({ until: '2026-06-14' })], ['anna'])
    check([row()], [row(), row()], ['+anna'])
    check([row(), row()], [row()], ['-anna'])
  })

  it('sees a change where the person keeps the diary number or the first day', () => {
    check([row()], [row({ from: '2026-02-01' })], ['anna'])
    check([row()], [row({ dnr: 'KS 2026/2' })], ['anna'])
    check([row()], [row({ dnr: 'KS 2026/2', from: '2026-02-01' })], ['-anna', '+anna'])
    check([row()], [row({ user: 'bo' })], ['-anna', '+bo'])
    const { user: _user, ...rest } = row()
    expect(diffRows([row()], [{ ...rest, group: 'anna' }])).toHaveLength(2)
  })

  it('pairs the surest first', () => {
    const before = [row({ until: '2026-03-31' }), row({ from: '2026-04-01' })]
    const after = [row({ from: '2026-04-01', until: '2026-06-14' })]
    expect(diffRows(before, after)).toEqual([
      { kind: 'changed', before: before[1], after: after[0] },
      { kind: 'removed', before: before[0], after: null },
    ])
  })

  const rows = fc.array(
    fc
      .record({
        user: fc.constantFrom('anna', 'bo'),
        dnr: fc.constantFrom('', '1', '2'),
        from: fc.constantFrom('2026-01-01', '2026-02-01'),
        until: fc.constantFrom('2026-06-14', '2026-12-31'),
      })
      .map(row),
    { maxLength: 8 },
  )
  const sorted = (all: readonly RegisterFields[]) =>
    all.map((one) => JSON.stringify(one)).toSorted()

  it('leads from any register to any other, however many steps there are', () => {
    fc.assert(
      fc.property(fc.array(rows, { minLength: 1, maxLength: 5 }), (versions) => {
        const changes: Change[] = []
        for (const version of versions) {
          changes.push(...diffRows(rowsAfter(changes), version))
          expect(sorted(rowsAfter(changes))).toEqual(sorted(version))
        }
      }),
    )
  })
})
