/**
 * Owns: the account of a decision: what each rule says, and which one wins.
 * Never: decides otherwise than `decide`; it asks the same rules.
 */
import { type Facts, RULES } from './decide.ts'
import type { Policy } from './policy.ts'
import type { Verdict } from './verdict.ts'

export interface RuleSay {
  readonly rule: string
  /** Null: the rule has nothing against it and nothing for it. */
  readonly verdict: Verdict | null
  /** In words, where the rule is silent. */
  readonly silence: string
  /** True for the first rule that speaks: the one that `decide` follows. */
  readonly wins: boolean
}

export interface Explanation {
  readonly verdict: Verdict
  readonly rules: readonly RuleSay[]
}

export function explain(policy: Policy, facts: Facts): Explanation {
  let winner: Verdict | null = null
  const rules = RULES.map((rule): RuleSay => {
    const verdict = rule.speak(policy, facts)
    const wins = verdict !== null && winner === null
    if (wins) winner = verdict
    return { rule: rule.id, verdict, silence: verdict ? '' : rule.silence(policy, facts), wins }
  })
  if (winner === null) throw new Error('the last rule always speaks')
  return { verdict: winner, rules }
}
