/**
 * Owns: that every reason has words in both languages, and a status and an error type that fit its verdict.
 * Never: judges docs/reasons.md, which is made from the same table.
 */
import { describe, expect, it } from 'vitest'
import { REASONS, type Reason, type ReasonEntry, reasonEntry } from '../../src/policy/reason.ts'
import { ACTIONS } from '../../src/policy/verdict.ts'

/** The statuses that an answer with this verdict may have; 0 is no answer of ours. */
const STATUSES: Record<ReasonEntry['action'], readonly number[]> = {
  allow: [0],
  block: [403],
  spent: [403],
  challenge: [407],
  refuse: [400, 403, 404, 408, 414, 417, 429, 431, 500, 503, 505, 508],
  fail: [502, 504],
  close: [0],
}

/** RFC 9209 section 2.3: the registered error types, and the statuses that it recommends for ours. */
const PROXY_ERRORS: Readonly<Record<string, readonly number[]>> = {
  dns_error: [502],
  destination_ip_prohibited: [403, 502],
  connection_refused: [502],
  connection_terminated: [502],
  connection_timeout: [504],
  connection_limit_reached: [503],
  http_request_error: STATUSES.refuse.filter((status) => status < 500 || status === 505),
  // 429 says more than the 403 that it recommends: the same request may pass later (RFC 6585 section 4).
  http_request_denied: [403, 429],
  http_protocol_error: [502],
  http_response_timeout: [504],
  proxy_internal_error: [500, 503],
  proxy_loop_detected: [502, 508],
}

const RETRIED: readonly Reason[] = [
  'connections-full',
  'connections-of-address',
  'connections-of-user',
  'tunnels-full',
  'logins-of-address',
  'credentials-unavailable',
  'log-unavailable',
]

function check(reason: Reason) {
  const entry = reasonEntry(reason)
  it(`${reason}: status ${entry.status} fits ${entry.action}`, () => {
    expect(reason).toMatch(/^[a-z]+(?:-[a-z]+)*$/)
    expect([...ACTIONS, 'fail', 'close']).toContain(entry.action)
    expect(STATUSES[entry.action]).toContain(entry.status)
    if (entry.proxyError !== '') expect(PROXY_ERRORS[entry.proxyError]).toContain(entry.status)
    // What passes by itself, and nothing else.
    expect(entry.retryAfterS !== undefined).toBe(RETRIED.includes(reason))
    if (entry.retryAfterS !== undefined) expect([429, 503]).toContain(entry.status)
    // A request that goes on, or is asked for credentials, met no error of the proxy's.
    const none = ['allow', 'challenge', 'close'].includes(entry.action)
    expect(entry.proxyError === '').toBe(none)
  })
  for (const language of ['sv', 'en'] as const) {
    it(`${reason}: words in ${language}`, () => {
      const { title, body } = entry[language]
      expect(title).toMatch(/^\p{Lu}.*[\p{L}\d]$/u)
      expect(body).toMatch(/^\p{Lu}.*\.$/su)
      // They stand in a page and, the English ones, in a header field.
      expect(`${title} ${body}`).not.toMatch(/[\n<>&]| {2}|undefined/)
      if (language === 'en') expect(`${title} ${body}`).toMatch(/^[\x20-\x7e]*$/)
    })
  }
  it(`${reason}: the languages differ`, () => {
    expect(entry.sv.title).not.toBe(entry.en.title)
    expect(entry.sv.body).not.toBe(entry.en.body)
  })
}

describe('every reason', () => {
  for (const reason of Object.keys(REASONS) as Reason[]) check(reason)
})

it('every verdict has a reason', () => {
  const actions = new Set(Object.values(REASONS).map(({ action }) => action))
  expect([...actions].sort()).toEqual([...ACTIONS, 'fail', 'close'].sort())
})
