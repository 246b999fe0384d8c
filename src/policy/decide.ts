/**
 * Owns: the decision. The rules stand in `RULES`, top to bottom, and the first that speaks wins:
 *
 *   1. request    a malformed request, one for a forbidden port, or a tunnel to a bare address → refuse
 *   2. zone       an address in no zone → refuse
 *   3. portal     what is asked of the gate itself → allow: who cannot sign in may read why
 *   4. identity   the zone asks who you are and we do not know → challenge; too many failed logins,
 *                 or nobody can say now → refuse
 *   5. neverBlock a never-block host → allow
 *   6. category   a blocked category → block
 *   7. quota      a quota category: unmetered zone, exemption or background → allow; minutes left →
 *                 allow, metered; else → spent
 *   8. default    allow
 *
 * Never: does I/O, reads a clock, or waits. `explain` and the minute tick use the same rules.
 */
import { contains } from './address.ts'
import { exemptionFor } from './exemption.ts'
import { addressOfHost, type Host } from './host.ts'
import type { Labels, Policy, Zone } from './policy.ts'
import { categoryNames, quotaCategoryOf } from './policy.ts'
import { type Reason, reasonEntry } from './reason.ts'
import type { Identity } from './user.ts'
import type { Verdict } from './verdict.ts'

/** How a request asks to be carried: a tunnel, forwarded by us, or to our own portal. */
export type Carriage = 'connect' | 'http' | 'portal'

/** What identify found: who it is, or why we do not know. */
export type Identified =
  | { readonly known: true; readonly identity: Identity }
  | { readonly known: false; readonly reason: Reason }

/** All that a decision rests on: plain data, the clock in it. */
export interface Facts {
  readonly nowMs: number
  /** What the parser found wrong, or null. */
  readonly fault: Reason | null
  readonly carriage: Carriage
  readonly host: Host
  readonly port: number
  /** Null: the address is in no zone. */
  readonly zone: Zone | null
  readonly identified: Identified
  readonly labels: Labels
  /** Of the governing quota category today: minutes used, and given beyond the category's own. */
  readonly minutesUsed: number
  readonly minutesGiven: number
}

export interface Rule {
  readonly id: string
  /** The verdict, or null: the next rule is asked. */
  readonly speak: (policy: Policy, facts: Facts) => Verdict | null
  /** Why it does not speak, in words, for `explain`. */
  readonly silence: (policy: Policy, facts: Facts) => string
}

const request: Rule = {
  id: 'request',
  speak: (policy, facts) => {
    if (facts.fault !== null) return refuse(facts.fault, 'request')
    if (facts.carriage === 'portal') return null
    const ports = facts.carriage === 'connect' ? policy.ports.connect : policy.ports.http
    if (!ports.includes(facts.port)) return refuse('port-forbidden', `ports.${facts.carriage}`)
    return literalLeave(policy, facts) === ''
      ? refuse('address-literal', 'tunnels.addressLiterals')
      : null
  },
  silence: (policy, facts) => {
    if (facts.carriage === 'portal') return 'well formed'
    const formed = `well formed; port ${facts.port} is in ports.${facts.carriage}`
    const leave = literalLeave(policy, facts)
    return leave === null ? formed : `${formed}; a tunnel to an address, ${leave}`
  },
}

/** Why a tunnel to an IP literal is let through, in words; empty: it is not; null: it is no such tunnel. */
function literalLeave({ tunnels, allowedAddresses }: Policy, facts: Facts): string | null {
  if (facts.carriage !== 'connect') return null
  const address = addressOfHost(facts.host)
  if (address === null) return null
  if (tunnels.addressLiterals === 'allow') return 'which tunnels.addressLiterals allows'
  if (facts.labels.neverBlock) return 'which is on the never-block list'
  for (const { network, port } of allowedAddresses) {
    if ((port === null || port === facts.port) && contains(network, address)) {
      return 'which addresses.allow names'
    }
  }
  return ''
}

const zone: Rule = {
  id: 'zone',
  speak: (_policy, facts) => (facts.zone === null ? refuse('zone-unknown', 'zones') : null),
  silence: (_policy, facts) => `the address is in zone ${facts.zone?.name}`,
}

const portal: Rule = {
  id: 'portal',
  speak: (_policy, { carriage }) => (carriage === 'portal' ? allow('portal', 'portal') : null),
  silence: () => 'it is not for the gate itself',
}

const identity: Rule = {
  id: 'identity',
  speak: (_policy, { identified, zone: place }) => {
    if (identified.known) return null
    const { reason } = identified
    if (reason === 'logins-of-address') return refuse(reason, 'limits.failedLogins')
    const rule = place === null ? 'zones' : `zone:${place.name}`
    if (reasonEntry(reason).action === 'refuse') return refuse(reason, rule)
    return { action: 'challenge', reason, rule, decision: null, metered: null }
  },
  silence: (_policy, { identified }) =>
    identified.known ? `known by ${identified.identity.kind}: ${identified.identity.user}` : '',
}

const neverBlock: Rule = {
  id: 'neverBlock',
  speak: (_policy, facts) => (facts.labels.neverBlock ? allow('never-block', 'neverBlock') : null),
  silence: () => 'the host is not on the never-block list',
}

const category: Rule = {
  id: 'category',
  speak: (policy, { labels }) => {
    if (labels.categories === 0) return null
    for (const found of policy.categories) {
      if (found.action !== 'block' || (labels.categories & (1 << found.bit)) === 0) continue
      return {
        action: 'block',
        reason: 'category-blocked',
        rule: `category:${found.name}`,
        decision: found.decision,
        metered: null,
      }
    }
    return null
  },
  silence: (policy, { labels }) => {
    const names = categoryNames(policy, labels)
    return names.length === 0
      ? 'the host is in no category'
      : `in no blocked category (${names.join(', ')})`
  },
}

const quota: Rule = {
  id: 'quota',
  speak: (policy, facts) => {
    const { labels, identified } = facts
    if ((labels.categories | labels.platforms) === 0) return null
    const found = quotaCategoryOf(policy, labels)
    if (found === null) return null
    const rule = `category:${found.name}`
    if (facts.zone?.quota === 'none') return allow('zone-unmetered', `zone:${facts.zone.name}`)
    const exemption = identified.known
      ? exemptionFor(policy.exemptions, identified.identity, labels, facts.nowMs)
      : null
    if (exemption !== null) {
      const { reference, decision } = exemption
      return { ...allow('exempt', `exemption:${reference}`), decision }
    }
    if ((labels.background & found.platforms) !== 0) return allow('background', rule)
    const left = found.minutes + facts.minutesGiven - facts.minutesUsed
    const metered = found.name
    const { decision } = found
    return left > 0
      ? { action: 'allow', reason: 'minutes-left', rule, decision, metered }
      : { action: 'spent', reason: 'minutes-spent', rule, decision, metered: null }
  },
  silence: () => 'the host is in no quota category',
}

const otherwise: Rule = {
  id: 'default',
  speak: () => allow('default', 'default'),
  silence: () => '',
}

/** The precedence: top to bottom, first that speaks wins. The last one always speaks. */
export const RULES: readonly Rule[] = [
  request,
  zone,
  portal,
  identity,
  neverBlock,
  category,
  quota,
  otherwise,
]

/** The verdict on `facts` under `policy`. */
export function decide(policy: Policy, facts: Facts): Verdict {
  for (const rule of RULES) {
    const verdict = rule.speak(policy, facts)
    if (verdict !== null) return verdict
  }
  throw new Error('the last rule always speaks')
}

/**
 * What the minutes alone say of `facts`: of an open tunnel whose site has been blocked since, or whose port
 * has been closed, a reload ends nothing, but its minutes go on being counted.
 */
export function decideMinutes(policy: Policy, facts: Facts): Verdict {
  return quota.speak(policy, facts) ?? otherwise.speak(policy, facts)!
}

/** The verdict on an address after DNS: the second decision, made by dial. */
export function refuse(reason: Reason, rule: string): Verdict {
  return { action: 'refuse', reason, rule, decision: null, metered: null }
}

function allow(reason: Reason, rule: string): Verdict {
  return { action: 'allow', reason, rule, decision: null, metered: null }
}
