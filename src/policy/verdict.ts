/**
 * Owns: the verdict: what is to be done with a request, and why.
 * Never: decides; decide.ts does.
 */
import type { DecisionReference } from './policy.ts'
import type { Reason } from './reason.ts'

/** allow · block · spent (no minutes left) · challenge (say who you are) · refuse (bad or forbidden). */
export type Action = 'allow' | 'block' | 'spent' | 'challenge' | 'refuse'

export const ACTIONS: readonly Action[] = ['allow', 'block', 'spent', 'challenge', 'refuse']

export interface Verdict {
  readonly action: Action
  /** Stable code; reason.ts says what it means to people. */
  readonly reason: Reason
  /** What gave it: `category:porn`, `zone:schools`, `exemption:KS 2026/123`, `default`. */
  readonly rule: string
  /** Whose decision the rule rests on, where the settings or the register say. */
  readonly decision: DecisionReference | null
  /** The quota category to charge, where the bytes of this exchange count. */
  readonly metered: string | null
}
