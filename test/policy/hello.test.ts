import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decide, type Facts } from '../../src/policy/decide.ts'
import { type Hello, type HelloJudgement, judgeHello } from '../../src/policy/hello.ts'
import { HOST_LENGTH_MAX, parseHost } from '../../src/policy/host.ts'
import type { Exemption, Tolerance, TunnelRules } from '../../src/policy/policy.ts'
import { HELLO_OUTCOMES } from '../../src/policy/record.ts'
import {
  anyFacts,
  anyPolicy,
  labelsOf,
  PLAIN,
  policyWith,
  row,
  SCHOOLS,
  type Site,
} from './office.ts'

/** What the lists say of the names used here; of all others, nothing. */
const SITES: Readonly<Record<string, Site & { readonly used?: number }>> = {
  'porn.se': { categories: ['porn'] },
  'facebook.com': { platforms: ['facebook'] },
  'instagram.com': { platforms: ['instagram'] },
  'like.facebook.com': { background: ['facebook'] },
  'blogg.se': { platforms: ['blogg'], used: 30 },
  'news.se': { categories: ['news'] },
  '1177.se': { neverBlock: true },
  'own.se': { neverBlock: true },
  '198.51.100.7': { categories: ['gambling'] },
}

function gather(facts: Facts, host: Facts['host']): Facts {
  const { used = 0, ...site } = SITES[host] ?? {}
  return { ...facts, host, labels: labelsOf(site), minutesUsed: used }
}

const RULES: TunnelRules = {
  addressLiterals: 'allow',
  mismatch: 'allow',
  noServerName: 'allow',
  encryptedHello: 'allow',
  notTls: 'allow',
}

interface Situation {
  /** The host of the CONNECT. */
  readonly host?: string
  readonly port?: number
  /** The server name; or what else came. */
  readonly name?: string | null
  readonly encrypted?: boolean
  readonly came?: 'not-tls' | 'malformed' | 'incomplete'
  readonly tunnels?: Partial<TunnelRules>
  readonly exemptions?: readonly Exemption[]
  readonly facts?: Partial<Facts>
}

function judge(situation: Situation): HelloJudgement {
  const { host = 'site.example', port = 443, name = null, encrypted = false } = situation
  const parsed = parseHost(host)
  if (typeof parsed === 'string') throw new Error(parsed)
  const policy = {
    ...policyWith(situation.exemptions ?? []),
    tunnels: { ...RULES, ...situation.tunnels },
    ports: { connect: [443, 8443], http: [80] },
  }
  const facts = gather({ ...PLAIN, port, ...situation.facts }, parsed.host)
  const verdict = decide(policy, facts)
  expect(verdict.action, 'the CONNECT was let in').toBe('allow')
  const hello: Hello =
    situation.came === undefined
      ? { kind: 'tls', serverName: name, encrypted }
      : { kind: situation.came }
  return judgeHello(policy, { facts, verdict }, hello, gather)
}

/** `outcome serverName`, then what is done: nothing, counted, ended, or metered. */
function inWords({ outcome, serverName, reason, verdict, metered }: HelloJudgement): string {
  const done =
    verdict !== null
      ? `${verdict.action} ${verdict.reason} ${verdict.rule}`
      : (reason ?? (metered === null ? 'goes on' : ''))
  if (verdict !== null) expect(reason).toBe(verdict.reason)
  const charged = metered === null ? '' : `metered ${metered.verdict.metered} ${metered.facts.host}`
  return [outcome, serverName, done, charged].filter(Boolean).join(' | ')
}

const check = (name: string, situation: Situation, expected: string) =>
  it(name, () => expect(inWords(judge(situation))).toBe(expected))

const MATCHED = 'matched | site.example | goes on'
const refuseAll: Partial<TunnelRules> = {
  mismatch: 'refuse',
  noServerName: 'refuse',
  encryptedHello: 'refuse',
  notTls: 'refuse',
}

describe('a server name that is the host', () => {
  for (const name of ['site.example', 'SITE.Example', 'site.example.', 'ｓite.example']) {
    check(name, { name, tunnels: refuseAll }, MATCHED)
    check(`${name}, GREASE`, { name, encrypted: true, tunnels: refuseAll }, MATCHED)
  }
  const literal = { host: '192.0.2.1', name: '192.0.2.1', tunnels: refuseAll }
  check('an address, as some say it', literal, 'matched | 192.0.2.1 | goes on')
  check(
    'that is metered is metered once',
    { host: 'facebook.com', name: 'facebook.com' },
    'matched | facebook.com | goes on',
  )
})

describe('a server name that is another', () => {
  const name = 'news.se'
  const shown = 'mismatch | news.se'
  check('allowed', { name, tunnels: { mismatch: 'allow' } }, `${shown} | goes on`)
  check('counted', { name, tunnels: { mismatch: 'log' } }, `${shown} | server-name-mismatch`)
  const refused = 'refuse server-name-mismatch tunnels.mismatch'
  check('refused', { name, tunnels: { mismatch: 'refuse' } }, `${shown} | ${refused}`)
  check(
    'a subdomain',
    { name: 'www.site.example', tunnels: { mismatch: 'refuse' } },
    `mismatch | www.site.example | ${refused}`,
  )
  check(
    'to another port',
    { name, port: 8443, tunnels: { mismatch: 'refuse' } },
    `${shown} | ${refused}`,
  )
})

describe('the stricter name rules', () => {
  const porn = 'block category-blocked category:porn'
  check('blocked', { name: 'porn.se' }, `mismatch | porn.se | ${porn}`)
  check('in any spelling', { name: 'PORN.se.' }, `mismatch | porn.se | ${porn}`)
  check('encrypted', { name: 'porn.se', encrypted: true }, `ech | porn.se | ${porn}`)
  check('behind never-block', { host: '1177.se', name: 'porn.se' }, `mismatch | porn.se | ${porn}`)
  check('behind an address', { host: '192.0.2.1', name: 'porn.se' }, `matched | porn.se | ${porn}`)
  check(
    'behind a mismatch that is refused',
    { name: 'porn.se', tunnels: refuseAll },
    `mismatch | porn.se | ${porn}`,
  )
  check(
    'an address in a list',
    { name: '198.51.100.7' },
    'mismatch | 198.51.100.7 | block category-blocked category:gambling',
  )
  check(
    'an address in a list, where no tunnel may be to one',
    { name: '198.51.100.7', tunnels: { addressLiterals: 'refuse' } },
    'mismatch | 198.51.100.7 | block category-blocked category:gambling',
  )
  check(
    'an address in no list, where no tunnel may be to one',
    { name: '198.51.100.8', tunnels: { addressLiterals: 'refuse', mismatch: 'log' } },
    'mismatch | 198.51.100.8 | server-name-mismatch',
  )
  check('spent', { name: 'blogg.se' }, 'mismatch | blogg.se | spent minutes-spent category:blogs')
  check(
    'spent, behind a metered one',
    { host: 'facebook.com', name: 'blogg.se' },
    'mismatch | blogg.se | spent minutes-spent category:blogs',
  )
  check(
    'spent, in a school',
    { name: 'blogg.se', facts: { zone: SCHOOLS } },
    'mismatch | blogg.se | goes on',
  )
  const leave = row('KS 2026/7', { platforms: labelsOf({ platforms: ['blogg'] }).platforms })
  check(
    'spent, and exempt',
    { name: 'blogg.se', exemptions: [leave] },
    'mismatch | blogg.se | goes on',
  )
})

describe('a server name in a quota category', () => {
  const metered = 'metered social facebook.com'
  const name = 'facebook.com'
  check('is metered', { name }, `mismatch | facebook.com | ${metered}`)
  check(
    'and counted',
    { name, tunnels: { mismatch: 'log' } },
    `mismatch | facebook.com | server-name-mismatch | ${metered}`,
  )
  check(
    'is refused first',
    { name, tunnels: { mismatch: 'refuse' } },
    'mismatch | facebook.com | refuse server-name-mismatch tunnels.mismatch',
  )
  check('behind an address', { host: '192.0.2.1', name }, `matched | facebook.com | ${metered}`)
  check('behind never-block', { host: '1177.se', name }, `mismatch | facebook.com | ${metered}`)
  check(
    'behind its background',
    { host: 'like.facebook.com', name },
    `mismatch | facebook.com | ${metered}`,
  )
  check(
    'behind a metered one: that goes on',
    { host: 'instagram.com', name },
    'mismatch | facebook.com | goes on',
  )
  const background = { name: 'like.facebook.com' }
  check('as background is free', background, 'mismatch | like.facebook.com | goes on')
  check(
    'in a school is free',
    { name, facts: { zone: SCHOOLS } },
    'mismatch | facebook.com | goes on',
  )
  check(
    'with an exemption is free',
    { name, exemptions: [row('KS 1')] },
    'mismatch | facebook.com | goes on',
  )
})

describe('never-block', () => {
  const to = (name: string | null) => ({ host: '1177.se', name, tunnels: refuseAll })
  check(
    'frees no other name',
    to('site.example'),
    'mismatch | site.example | refuse server-name-mismatch tunnels.mismatch',
  )
  check('on both is counted', to('own.se'), 'mismatch | own.se | server-name-mismatch')
  check('without a name is counted', to(null), 'none | server-name-missing')
  check('and not TLS is counted', { ...to(null), came: 'not-tls' }, 'not-tls | tunnel-not-tls')
  const broken = 'refuse tunnel-not-tls tunnels'
  check('frees no TLS that is wrong', { ...to(null), came: 'malformed' }, `malformed | ${broken}`)
  check(
    'frees no hello that breaks off',
    { ...to(null), came: 'incomplete' },
    `incomplete | ${broken}`,
  )
  check(
    'frees no name that only ends in one',
    to('x..own.se'),
    'mismatch | x..own.se | refuse server-name-mismatch tunnels.mismatch',
  )
  check(
    'of a server name frees no host',
    { name: '1177.se', tunnels: refuseAll },
    'mismatch | 1177.se | refuse server-name-mismatch tunnels.mismatch',
  )
})

describe('names that are no names', () => {
  const refused = 'refuse server-name-mismatch tunnels.mismatch'
  const broken = 'refuse server-name-mismatch tunnels'
  for (const [name, shown] of [
    ['a b', 'a\\x20b'],
    ['porn.se\0.site.example', 'porn.se\\x00.site.example'],
    ['\u202ese', '\\u202ese'],
    ['\ufffd\ufffd', '\\ufffd\\ufffd'],
    ['<script>', '<script>'],
    ['x'.repeat(9_000), `${'x'.repeat(HOST_LENGTH_MAX - 1)}…`],
  ] as const) {
    check(JSON.stringify(name.slice(0, 30)), { name }, `mismatch | ${shown} | ${broken}`)
  }
  const name = 'a b.porn.se'
  const porn = 'block category-blocked category:porn'
  check('in a blocked domain', { name }, `mismatch | a\\x20b.porn.se | ${porn}`)
  const social = { name: 'facebook.com:443', tunnels: { mismatch: 'log' } } as const
  const metered = 'metered social facebook.com'
  check(
    'in a metered domain',
    social,
    `mismatch | facebook.com:443 | server-name-mismatch | ${metered}`,
  )
  check(
    'in the host itself',
    { name: 'site.example:443', tunnels: { mismatch: 'refuse' } },
    `mismatch | site.example:443 | ${refused}`,
  )
  check(
    'another address',
    { host: '192.0.2.1', name: '192.0.2.2', tunnels: refuseAll },
    `mismatch | 192.0.2.2 | ${refused}`,
  )
  check(
    'an address for a name',
    { name: '[2001:db8::1]', tunnels: refuseAll },
    `mismatch | 2001:db8::1 | ${refused}`,
  )
  check(
    'with an address for host',
    { host: '192.0.2.1', name: '*.se', tunnels: refuseAll },
    `mismatch | *.se | ${refused}`,
  )
})

describe('no name', () => {
  const refused = 'none | refuse server-name-missing tunnels.noServerName'
  check('allowed', {}, 'none | goes on')
  check('counted', { tunnels: { noServerName: 'log' } }, 'none | server-name-missing')
  check('refused', { tunnels: { noServerName: 'refuse' } }, refused)
  check('of an address: there is none', { host: '192.0.2.1', tunnels: refuseAll }, 'none | goes on')
  check(
    'of an IPv6 address, with GREASE',
    { host: '2001:db8::1', encrypted: true, tunnels: refuseAll },
    'none | goes on',
  )
})

describe('an encrypted hello', () => {
  const ech = { name: 'public.example', encrypted: true }
  const shown = 'ech | public.example'
  const refused = 'refuse server-name-encrypted tunnels.encryptedHello'
  check(
    'allowed, though a mismatch is not',
    { ...ech, tunnels: { mismatch: 'refuse' } },
    `${shown} | goes on`,
  )
  check(
    'counted',
    { ...ech, tunnels: { encryptedHello: 'log' } },
    `${shown} | server-name-encrypted`,
  )
  check('refused', { ...ech, tunnels: { encryptedHello: 'refuse' } }, `${shown} | ${refused}`)
  check('to an address', { ...ech, host: '192.0.2.1', tunnels: refuseAll }, `${shown} | ${refused}`)
  check(
    'metered',
    { ...ech, name: 'facebook.com' },
    'ech | facebook.com | metered social facebook.com',
  )
  const nameless = { encrypted: true }
  check('that names nobody', { ...nameless, tunnels: refuseAll }, `ech | ${refused}`)
  check(
    'nor escapes the rule for that',
    { ...nameless, tunnels: { noServerName: 'refuse' } },
    'none | refuse server-name-missing tunnels.noServerName',
  )
  const broken = { encrypted: true, name: '*.se' }
  check('with a broken name', { ...broken, tunnels: refuseAll }, `ech | *.se | ${refused}`)
  check(
    'nor escapes the rule for that',
    { ...broken, tunnels: { mismatch: 'refuse' } },
    'mismatch | *.se | refuse server-name-mismatch tunnels.mismatch',
  )
})

describe('what is not TLS', () => {
  const came = 'not-tls'
  const refused = 'not-tls | refuse tunnel-not-tls tunnels.notTls'
  check('allowed', { came }, 'not-tls | goes on')
  check('counted', { came, tunnels: { notTls: 'log' } }, 'not-tls | tunnel-not-tls')
  check('refused', { came, tunnels: refuseAll }, refused)
  check('on another port', { came, port: 8443, tunnels: refuseAll }, 'not-tls | goes on')
})

describe('what begins as TLS and is none', () => {
  for (const came of ['malformed', 'incomplete'] as const) {
    const ended = `${came} | refuse tunnel-not-tls tunnels`
    for (const notTls of ['allow', 'log', 'refuse'] as const) {
      check(`${came}, ${notTls}`, { came, tunnels: { notTls } }, ended)
      check(`${came}, ${notTls}, on another port`, { came, port: 8443, tunnels: { notTls } }, ended)
    }
    check(`${came}, of an address`, { came, host: '192.0.2.1' }, ended)
  }
})

describe('for any policy, facts and hello', () => {
  const tolerance = fc.constantFrom<Tolerance>('allow', 'log', 'refuse')
  const hellos: fc.Arbitrary<Hello> = fc.oneof(
    fc.record({
      kind: fc.constant('tls' as const),
      serverName: fc.oneof(
        fc.constant(null),
        fc.constantFrom('site.example', 'b.se', '192.0.2.1'),
        fc.string({ unit: 'binary', maxLength: 400 }),
      ),
      encrypted: fc.boolean(),
    }),
    fc.record({ kind: fc.constantFrom('not-tls', 'malformed', 'incomplete') }),
  )
  const tunnels = fc.record({
    addressLiterals: fc.constant('allow' as const),
    mismatch: tolerance,
    noServerName: tolerance,
    encryptedHello: tolerance,
    notTls: tolerance,
  })
  it('the stricter of the two rules, and what is recorded is plain', () => {
    fc.assert(
      fc.property(
        anyPolicy,
        tunnels,
        anyFacts,
        anyFacts,
        hellos,
        (base, rules, facts, of, hello) => {
          const policy = { ...base, tunnels: rules }
          const verdict = decide(policy, facts)
          fc.pre(verdict.action === 'allow')
          let named: Facts | null = null
          const judged = judgeHello(policy, { facts, verdict }, hello, (given, host) => {
            expect(given).toBe(facts)
            expect(named).toBeNull()
            const { labels, minutesUsed, minutesGiven } = of
            named = { ...given, host, labels, minutesUsed, minutesGiven }
            return named
          })
          expect(HELLO_OUTCOMES).toContain(judged.outcome)
          expect(judged.serverName).toMatch(/^[!-~]*…?$/)
          expect(judged.serverName.length).toBeLessThanOrEqual(HOST_LENGTH_MAX)
          const own = named === null ? null : decide(policy, named)
          if (own !== null && own.action !== 'allow') expect(judged.verdict).toEqual(own)
          else if (judged.verdict !== null) expect(judged.verdict.action).toBe('refuse')
          const charged = own?.metered ?? null
          if (judged.verdict === null && charged !== null && verdict.metered === null) {
            expect(judged.metered).toEqual({ facts: named, verdict: own })
          } else {
            expect(judged.metered).toBeNull()
          }
          expect(judged.labels).toEqual(named === null ? null : of.labels)
          if (hello.kind === 'malformed' || hello.kind === 'incomplete') {
            expect(judged.verdict?.action).toBe('refuse')
          }
        },
      ),
      { numRuns: 1_000 },
    )
  })
})
