/**
 * Owns: every rule of the decision, each pair of rules in their order, and what must hold of any decision.
 * Never: reads settings or lists; office.ts has the policy.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseNetwork } from '../../src/policy/address.ts'
import { decide, type Facts, type Identified, RULES } from '../../src/policy/decide.ts'
import { explain } from '../../src/policy/explain.ts'
import type { Exemption, Labels, Policy } from '../../src/policy/policy.ts'
import { REASONS } from '../../src/policy/reason.ts'
import { ACTIONS, type Verdict } from '../../src/policy/verdict.ts'
import {
  anyFacts,
  anyPolicy,
  barred,
  bitsOf,
  exemption,
  hostOf,
  labelsOf,
  NOW_MS,
  PLAIN,
  policyWith,
  row,
  SCHOOLS,
  type Site,
  unknown,
} from './office.ts'

interface Case extends Partial<Omit<Facts, 'labels'>> {
  readonly site?: Site
  readonly exemptions?: readonly Exemption[]
}

/** `action reason rule`, then `metered NAME` and the diary number where there are any. */
function said({ action, reason, rule, metered, decision }: Verdict): string {
  const parts = [action, reason, rule]
  if (metered !== null) parts.push(`metered ${metered}`)
  if (decision !== null) parts.push(`(${decision.dnr})`)
  return parts.join(' ')
}

function check(name: string, facts: Case, expected: string) {
  it(name, () => {
    const { site = {}, exemptions = [], ...rest } = facts
    const verdict = decide(policyWith(exemptions), { ...PLAIN, ...rest, labels: labelsOf(site) })
    expect(said(verdict)).toBe(expected)
  })
}

describe('1. request', () => {
  check('a fault', { fault: 'host-malformed' }, 'refuse host-malformed request')
  check(
    'a fault before the port',
    { fault: 'loop-detected', port: 25 },
    'refuse loop-detected request',
  )
  check('CONNECT to 443', {}, 'allow default default')
  check('CONNECT to 80', { port: 80 }, 'refuse port-forbidden ports.connect')
  check('CONNECT to 25', { port: 25 }, 'refuse port-forbidden ports.connect')
  check('http to 80', { carriage: 'http', port: 80 }, 'allow default default')
  check('http to 8080', { carriage: 'http', port: 8080 }, 'allow default default')
  check('http to 443', { carriage: 'http' }, 'refuse port-forbidden ports.http')
})

describe('1. request: tunnels to addresses', () => {
  const REFUSED = 'refuse address-literal tunnels.addressLiterals'
  const ALLOWED = 'allow default default'
  const allow = (...texts: string[]) =>
    texts.map((text) => {
      const [network = '', port] = text.split(' ')
      const parsed = parseNetwork(network)
      if (typeof parsed === 'string') throw new Error(parsed)
      return { network: parsed, port: port === undefined ? null : Number(port) }
    })
  interface Asked extends Case {
    readonly to: string
    readonly allowed?: readonly string[]
    readonly literals?: 'allow' | 'refuse'
  }
  const checkTo = (
    name: string,
    { to, allowed = [], literals = 'refuse', ...facts }: Asked,
    expected: string,
  ) =>
    it(name, () => {
      const { site = {}, ...rest } = facts
      const plain = policyWith([])
      const tunnels = { ...plain.tunnels, addressLiterals: literals }
      const policy = { ...plain, tunnels, allowedAddresses: allow(...allowed) }
      const asked = { ...PLAIN, ...rest, host: hostOf(to), labels: labelsOf(site) }
      expect(said(decide(policy, asked))).toBe(expected)
    })
  const spellings = [
    '192.0.2.1',
    '3221225985',
    '0xC0000201',
    '0300.0.2.1',
    '192.0.513',
    '192.0.2.1.',
    '[::ffff:192.0.2.1]',
    '[::ffff:c000:201]',
    '%31%39%32.0.2.1',
    '１９２.0.2.1',
    '[2001:db8::1]',
    '2001:DB8:0::a',
    '[64:ff9b::192.0.2.1]',
    '[::1]',
  ]
  for (const to of spellings) checkTo(to, { to }, REFUSED)
  for (const to of ['a1.example', '1a', 'v6', 'x192.0.2.1x', '1.2.3.4.example']) {
    checkTo(`${to}, a name`, { to }, ALLOWED)
  }
  const to = '192.0.2.1'
  checkTo('forwarded, not tunnelled', { to, carriage: 'http', port: 80 }, ALLOWED)
  checkTo('where that is allowed', { to, literals: 'allow' }, ALLOWED)
  const never: Site = { neverBlock: true }
  checkTo('never-block', { to, site: never }, 'allow never-block neverBlock')
  checkTo('a network of addresses.allow', { to, allowed: ['192.0.2.0/24'] }, ALLOWED)
  checkTo('its port', { to, allowed: ['10.0.0.1', '192.0.2.1 443'] }, ALLOWED)
  checkTo('another port', { to, allowed: ['192.0.2.1 8443'] }, REFUSED)
  checkTo('another address', { to, allowed: ['192.0.2.2'] }, REFUSED)
  checkTo('after the port', { to, port: 22 }, 'refuse port-forbidden ports.connect')
  checkTo('before the zone', { to, zone: null }, REFUSED)
  checkTo('before a blocked category', { to, site: { categories: ['porn'] } }, REFUSED)
  const blocked = { to, literals: 'allow', site: { categories: ['porn'] } } as const
  checkTo('which blocks it else', blocked, 'block category-blocked category:porn (KS 2026/1)')

  it('are explained, where they are let through', () => {
    const why = (policy: Policy, site: Site = {}) => {
      const facts = { ...PLAIN, host: hostOf(to), labels: labelsOf(site) }
      return explain(policy, facts).rules[0]?.silence
    }
    const plain = policyWith([])
    const formed = 'well formed; port 443 is in ports.connect; a tunnel to an address, which'
    const open = { ...plain, tunnels: { ...plain.tunnels, addressLiterals: 'allow' as const } }
    expect(why(open)).toBe(`${formed} tunnels.addressLiterals allows`)
    expect(why(plain, never)).toBe(`${formed} is on the never-block list`)
    const named = { ...plain, allowedAddresses: allow('192.0.2.1') }
    expect(why(named)).toBe(`${formed} addresses.allow names`)
    expect(why(plain)).toBe('')
  })
})

describe('3. portal', () => {
  const asked = { carriage: 'portal', port: 3128 } as const
  const ALLOWED = 'allow portal portal'
  check('on any port', asked, ALLOWED)
  check('at an address', { ...asked, host: hostOf('10.1.2.3') }, ALLOWED)
  check('nobody has signed in', { ...asked, identified: unknown }, ALLOWED)
  check('barred', { ...asked, identified: barred }, ALLOWED)
  check('whatever lists say', { ...asked, site: { categories: ['porn'] } }, ALLOWED)
  check('is not metered', { ...asked, site: { platforms: ['facebook'] } }, ALLOWED)
  check('after the zone', { ...asked, zone: null }, 'refuse zone-unknown zones')
  check('there is none', { ...asked, fault: 'portal-absent' }, 'refuse portal-absent request')
})

describe('2. zone and 4. identity', () => {
  check('barred', { identified: barred }, 'refuse logins-of-address limits.failedLogins')
  check(
    'cannot be checked',
    { identified: { known: false, reason: 'credentials-unavailable' } },
    'refuse credentials-unavailable zone:office',
  )
  check('no zone before barred', { zone: null, identified: barred }, 'refuse zone-unknown zones')
  const open: Site = { neverBlock: true }
  const barredThere = { identified: barred, site: open }
  check(
    'never-block is asked who it is',
    barredThere,
    'refuse logins-of-address limits.failedLogins',
  )

  check('in no zone', { zone: null }, 'refuse zone-unknown zones')
  check('nobody', { identified: unknown }, 'challenge credentials-missing zone:office')
  const wrong: Identified = { known: false, reason: 'credentials-wrong' }
  check('wrong', { identified: wrong }, 'challenge credentials-wrong zone:office')
  check('no zone before who', { zone: null, identified: unknown }, 'refuse zone-unknown zones')
})

describe('5. never-block', () => {
  check('alone', { site: { neverBlock: true } }, 'allow never-block neverBlock')
  const porn: Site = { neverBlock: true, categories: ['porn'] }
  check('beats block', { site: porn }, 'allow never-block neverBlock')
  const spent = { site: { neverBlock: true, platforms: ['facebook'] }, minutesUsed: 60 } as const
  check('beats spent, and is not metered', spent, 'allow never-block neverBlock')
})

describe('6. category', () => {
  const block = 'block category-blocked'
  check('blocked', { site: { categories: ['porn'] } }, `${block} category:porn (KS 2026/1)`)
  check('no decision is named', { site: { categories: ['racism'] } }, `${block} category:racism`)
  const last: Site = { categories: ['gambling'] }
  check('the last bit', { site: last }, `${block} category:gambling (KS 2026/3)`)
  const two: Site = { categories: ['gambling', 'racism'] }
  check('of two, the first in the settings', { site: two }, `${block} category:racism`)
  const both: Site = { categories: ['porn'], platforms: ['facebook'] }
  check('a blocked platform', { site: both }, `${block} category:porn (KS 2026/1)`)
  check('in school too', { site: last, zone: SCHOOLS }, `${block} category:gambling (KS 2026/3)`)
  const exempt = { site: both, exemptions: [row('KS 2026/9')] }
  check('an exemption opens nothing blocked', exempt, `${block} category:porn (KS 2026/1)`)
  const background: Site = { categories: ['porn'], background: ['facebook'] }
  check('nor does background', { site: background }, `${block} category:porn (KS 2026/1)`)
  check('known and let through', { site: { categories: ['news'] } }, 'allow default default')
})

const FACEBOOK: Site = { platforms: ['facebook'] }
const METERED = 'allow minutes-left category:social metered social (KS 2026/2)'
const SPENT = 'spent minutes-spent category:social (KS 2026/2)'

describe('7. quota', () => {
  check('a platform', { site: FACEBOOK }, METERED)
  check('the platform of the last bit', { site: { platforms: ['vk'] } }, METERED)
  check('by a list, without a platform', { site: { categories: ['social'] } }, METERED)
  check('the last minute is left', { site: FACEBOOK, minutesUsed: 59 }, METERED)
  check('none is left', { site: FACEBOOK, minutesUsed: 60 }, SPENT)
  check('more are used than there are', { site: FACEBOOK, minutesUsed: 75 }, SPENT)
  check('given minutes', { site: FACEBOOK, minutesUsed: 75, minutesGiven: 16 }, METERED)
  check('given minutes are used too', { site: FACEBOOK, minutesUsed: 75, minutesGiven: 15 }, SPENT)
  const blog: Site = { platforms: ['blogg'] }
  const BLOGS = 'category:blogs'
  check('another category', { site: blog }, `allow minutes-left ${BLOGS} metered blogs`)
  check('its own minutes', { site: blog, minutesUsed: 30 }, `spent minutes-spent ${BLOGS}`)
  check('of two, the first governs', { site: { platforms: ['blogg', 'facebook'] } }, METERED)
})

describe('7. quota: zones without', () => {
  const school = { site: FACEBOOK, zone: SCHOOLS }
  check('never metered', school, 'allow zone-unmetered zone:schools')
  check('never spent', { ...school, minutesUsed: 60 }, 'allow zone-unmetered zone:schools')
  const exempt = { ...school, exemptions: [row('KS 2026/9')] }
  check('before an exemption', exempt, 'allow zone-unmetered zone:schools')
  check('other sites are as everywhere', { zone: SCHOOLS }, 'allow default default')
})

const EXEMPT = 'allow exempt exemption:KS 2026/9 (KS 2026/9)'
/** Anna, minutes spent, on facebook, with one row of the register. */
const exempted = (change: Partial<Exemption> = {}, rest: Case = {}): Case => ({
  site: FACEBOOK,
  minutesUsed: 60,
  exemptions: [row('KS 2026/9', change)],
  ...rest,
})

describe('7. quota: the register', () => {
  const facebook = { platforms: bitsOf('facebook') }
  check('all platforms', exempted(), EXEMPT)
  check('and with minutes left', exempted({}, { minutesUsed: 0 }), EXEMPT)
  check('the platform', exempted(facebook), EXEMPT)
  check('another platform', exempted(facebook, { site: { platforms: ['instagram'] } }), SPENT)
  const left: Case = { site: { platforms: ['instagram'] }, minutesUsed: 0 }
  check('another platform is metered', exempted(facebook, left), METERED)
  const shared: Case = { site: { platforms: ['facebook', 'instagram'] } }
  check('a shared host, by the one', exempted(facebook, shared), EXEMPT)
  check('a shared host, by the other', exempted({ platforms: bitsOf('instagram') }, shared), EXEMPT)
  check('a shared host, by neither', exempted({ platforms: bitsOf('vk') }, shared), SPENT)
  const vk: Case = { site: { platforms: ['vk'] } }
  check('the platform of the last bit', exempted({ platforms: bitsOf('vk') }, vk), EXEMPT)
  const list: Case = { site: { categories: ['social'] } }
  check('a list: all', exempted({}, list), EXEMPT)
  check('a list: no platform covers it', exempted(facebook, list), SPENT)
  const someone = { kind: 'user', name: 'bengt' } as const
  check('somebody else', exempted({ subject: someone }), SPENT)
  const group = { kind: 'group', name: 'kommunikatorer' } as const
  check('a group', exempted({ subject: group }), EXEMPT)
  check('another group', exempted({ subject: { ...group, name: 'larare' } }), SPENT)
  check('a group of her name', exempted({ subject: { ...group, name: 'anna' } }), SPENT)
  check('a user of her group', exempted({ subject: { ...someone, name: group.name } }), SPENT)
  const desk = { kind: 'address', user: '10.1.2.3', groups: [] } as const
  const atDesk: Case = { identified: { known: true, identity: desk } }
  check('an address', exempted({ subject: { kind: 'user', name: '10.1.2.3' } }, atDesk), EXEMPT)
  check('the first moment', exempted({ fromMs: NOW_MS }), EXEMPT)
  check('before it', exempted({ fromMs: NOW_MS + 1 }), SPENT)
  check('the last moment', exempted({ untilMs: NOW_MS + 1 }), EXEMPT)
  check('after it', exempted({ untilMs: NOW_MS }), SPENT)
  const ended = row('KS 2025/1', { untilMs: NOW_MS })
  const two: Case = { site: FACEBOOK, exemptions: [ended, row('KS 2026/9'), row('KS 2026/10')] }
  check('of several, the first in force', two, EXEMPT)
})

describe('7. quota: background', () => {
  const button: Case = { site: { background: ['facebook'] } }
  check('never metered', button, 'allow background category:social')
  check('when spent', { ...button, minutesUsed: 60 }, 'allow background category:social')
  const vk: Case = { site: { background: ['vk'] }, minutesUsed: 60 }
  check('of the platform of the last bit', vk, 'allow background category:social')
  const other: Case = { site: { platforms: ['facebook'], background: ['blogg'] }, minutesUsed: 60 }
  check('of a platform of another category', other, SPENT)
  // In the user's favour: the host is somebody's widget, and we cannot tell for whom it is fetched.
  const both: Case = { site: { platforms: ['facebook'], background: ['instagram'] } }
  check('of one of two platforms', both, 'allow background category:social')
  const exempt = { ...button, exemptions: [row('KS 2026/9')] }
  check('after an exemption', exempt, EXEMPT)
})

describe('the precedence', () => {
  /** For each rule, the facts that make it speak, whatever the others say. */
  const SPEAKS: readonly (readonly [
    rule: string,
    facts: Partial<Facts>,
    labels: Partial<Labels>,
  ])[] = [
    ['request', { fault: 'request-line' }, {}],
    ['zone', { zone: null }, {}],
    ['portal', { carriage: 'portal' }, {}],
    ['identity', { identified: unknown }, {}],
    ['neverBlock', {}, { neverBlock: true }],
    ['category', {}, { categories: 1 }],
    ['quota', {}, { platforms: 1 }],
    ['default', {}, {}],
  ]

  it('has these rules in this order', () => {
    expect(RULES.map(({ id }) => id)).toEqual(SPEAKS.map(([rule]) => rule))
  })

  for (const [i, [first]] of SPEAKS.entries()) {
    for (const [second] of SPEAKS.slice(i + 1)) {
      it(`${first} before ${second}`, () => expect(winnerOf([first, second])).toBe(first))
    }
  }

  it('holds for every set of rules that speak', () => {
    for (let set = 0; set < 2 ** (SPEAKS.length - 1); set++) {
      const rules = SPEAKS.filter((_rule, i) => i === SPEAKS.length - 1 || (set & (1 << i)) !== 0)
      const names = rules.map(([rule]) => rule)
      expect(winnerOf(names)).toBe(names[0])
    }
  })

  function winnerOf(rules: readonly string[]): string | undefined {
    let facts = PLAIN
    for (const [rule, change, labels] of SPEAKS) {
      if (!rules.includes(rule)) continue
      facts = { ...facts, ...change, labels: { ...facts.labels, ...labels } }
    }
    const account = explain(policyWith([]), facts)
    expect(account.verdict).toEqual(decide(policyWith([]), facts))
    return account.rules.find(({ wins }) => wins)?.rule
  }
})

const runs = { numRuns: 3_000 }

describe('any decision', () => {
  it('is given, with a reason of its own kind', () => {
    const property = fc.property(anyPolicy, anyFacts, (policy, facts) => {
      const { action, reason, rule, metered } = decide(policy, facts)
      expect(ACTIONS).toContain(action)
      expect(rule).not.toBe('')
      if (reason !== facts.fault) expect(REASONS[reason].action).toBe(action)
      if (metered !== null) expect(reason).toBe('minutes-left')
    })
    fc.assert(property, runs)
  })

  it('is never stricter for one more row in the register', () => {
    const strictness = ['allow', 'spent', 'challenge', 'block', 'refuse']
    const property = fc.property(
      ...([anyPolicy, anyFacts, exemption, fc.nat(3)] as const),
      (policy, facts, added, at) => {
        const more = { ...policy, exemptions: policy.exemptions.toSpliced(at, 0, added) }
        const before = decide(policy, facts)
        const after = decide(more, facts)
        expect(strictness.indexOf(after.action)).toBeLessThanOrEqual(
          strictness.indexOf(before.action),
        )
        if (after.metered !== null) expect(after).toEqual(before)
        // And it opens only what was spent.
        if (after.action !== before.action) expect(before.action).toBe('spent')
      },
    )
    fc.assert(property, runs)
  })

  it('is the default only where every other rule is silent', () => {
    const property = fc.property(anyPolicy, anyFacts, (policy, facts) => {
      const silent = RULES.slice(0, -1).every((rule) => rule.speak(policy, facts) === null)
      expect(decide(policy, facts).reason === 'default').toBe(silent)
    })
    fc.assert(property, runs)
  })

  it('never meters a school, and never stops it for want of minutes', () => {
    const property = fc.property(anyPolicy, anyFacts, (policy, facts) => {
      const { action, metered } = decide(policy, { ...facts, zone: SCHOOLS })
      expect(metered).toBe(null)
      expect(action).not.toBe('spent')
    })
    fc.assert(property, runs)
  })

  it('never blocks a never-block host', () => {
    const property = fc.property(anyPolicy, anyFacts, (policy, facts) => {
      const never = { ...facts, labels: { ...facts.labels, neverBlock: true } }
      expect(['block', 'spent']).not.toContain(decide(policy, never).action)
    })
    fc.assert(property, runs)
  })

  it('depends on minutes only where it is metered or spent', () => {
    const property = fc.property(
      anyPolicy,
      anyFacts,
      fc.nat(1_500),
      (policy, facts, minutesUsed) => {
        const before = decide(policy, facts)
        const after = decide(policy, { ...facts, minutesUsed })
        if (before.reason === 'minutes-left' || before.reason === 'minutes-spent') {
          expect(['minutes-left', 'minutes-spent']).toContain(after.reason)
          expect(after.rule).toBe(before.rule)
        } else expect(after).toEqual(before)
      },
    )
    fc.assert(property, runs)
  })

  it('changes nothing that it was given', () => {
    const property = fc.property(anyPolicy, anyFacts, (policy, facts) => {
      const before = structuredClone({ policy, facts })
      decide(policy, facts)
      explain(policy, facts)
      expect({ policy, facts }).toEqual(before)
    })
    fc.assert(property)
  })
})
