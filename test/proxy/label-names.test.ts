/** Owns: what labels are called: as the policy says, however often and in whatever order they are asked for. */
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { categoryNames, type Labels, platformNames } from '../../src/policy/index.ts'
import { LabelNames } from '../../src/proxy/label-names.ts'
import { policyWith } from '../policy/office.ts'

const word = fc.oneof(fc.integer({ min: 0, max: 15 }), fc.integer())

it('are the names of the policy, also when asked for again', () => {
  const policy = policyWith([])
  const names = new LabelNames(policy)
  fc.assert(
    fc.property(word, word, (categories, platforms) => {
      const labels: Labels = { categories, platforms, background: 0, neverBlock: false }
      const expected = {
        categories: categoryNames(policy, labels).join(','),
        platforms: platformNames(policy, labels).join(','),
      }
      expect(names.of(labels)).toEqual(expected)
      expect(names.of(labels)).toEqual(expected)
    }),
    // More combinations than are kept.
    { numRuns: 1_500 },
  )
})
