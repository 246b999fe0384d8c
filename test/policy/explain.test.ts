/**
 * Owns: that the account of a decision is the decision, and can be read by people.
 * Never: repeats the rules; decide.test.ts has them.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decide, RULES } from '../../src/policy/decide.ts'
import { explain } from '../../src/policy/explain.ts'
import { anyFacts, anyPolicy } from './office.ts'

describe('explain', () => {
  it('follows decide: one rule wins, those before it are silent and say why', () => {
    const property = fc.property(anyPolicy, anyFacts, (policy, facts) => {
      const account = explain(policy, facts)
      expect(account.verdict).toEqual(decide(policy, facts))
      expect(account.rules.map(({ rule }) => rule)).toEqual(RULES.map(({ id }) => id))
      const winners = account.rules.filter(({ wins }) => wins)
      expect(winners).toHaveLength(1)
      expect(winners[0]?.verdict).toEqual(account.verdict)
      const before = account.rules.slice(0, account.rules.indexOf(winners[0]!))
      for (const { verdict, silence } of before) {
        expect(verdict).toBe(null)
        expect(silence).not.toBe('')
      }
    })
    fc.assert(property, { numRuns: 3_000 })
  })

  it('has words for people in all that it says', () => {
    const property = fc.property(anyPolicy, anyFacts, (policy, facts) => {
      for (const { verdict, silence } of explain(policy, facts).rules) {
        expect(`${verdict?.rule ?? ''} ${silence}`).not.toMatch(/undefined|null|NaN|\[object/)
        expect(silence === '').toBe(verdict !== null)
      }
    })
    fc.assert(property, { numRuns: 3_000 })
  })
})
