/**
 * Owns: what threads.test.ts and its threads agree on: the scenarios and their sizes.
 * Never: runs anything.
 */

export interface HammerData {
  readonly scenario: 'claim' | 'minutes' | 'threshold' | 'turn' | 'churn'
  readonly buffer: SharedArrayBuffer
  /** Two words for `meet`. */
  readonly gate: SharedArrayBuffer
  readonly thread: number
  readonly threads: number
}

export const DAY = 20_500
export const THRESHOLD_BYTES = 16_384
export const CLAIM_KEYS = 2_000
export const MINUTE_ROUNDS = 800
export const ROUND_MINUTES = 80
export const SHARED_MINUTES = 120
export const TURN_USERS = 400
export const CHURN_LEDGERS = 400
export const CHURN_KEYS = 1_500
export const CHURN_ROUNDS = 100
export const CHURN_CLAIMS = 100
