/**
 * Owns: an office and a school to decide in: their policy, what may be asked of it, and any variant of both.
 * Never: tests anything itself.
 */
import fc from 'fast-check'
import type { Facts, Identified } from '../../src/policy/decide.ts'
import { type Host, parseHost } from '../../src/policy/host.ts'
import {
  type Category,
  type DecisionReference,
  type Exemption,
  type Labels,
  noLabels,
  type Policy,
  type Zone,
} from '../../src/policy/policy.ts'

export const NOW_MS = Date.parse('2026-05-04T10:00:00+02:00')
const DAY_MS = 86_400_000

const decision = (dnr: string): DecisionReference => ({
  by: 'Kommunchefen',
  dnr,
  date: '2026-01-02',
})

/** Bits of the platforms; `vk` is the last bit there is, which makes a 32-bit number negative. */
const BIT = { facebook: 0, instagram: 1, blogg: 2, vk: 31 } as const
type PlatformName = keyof typeof BIT
export const bitsOf = (...names: PlatformName[]) =>
  names.reduce((bits, name) => bits | (1 << BIT[name]), 0)

const CATEGORIES = [
  { name: 'porn', bit: 0, action: 'block', decision: decision('KS 2026/1') },
  { name: 'racism', bit: 1, action: 'block', decision: null },
  {
    name: 'social',
    bit: 2,
    action: 'quota',
    minutes: 60,
    platforms: bitsOf('facebook', 'instagram', 'vk'),
    decision: decision('KS 2026/2'),
  },
  {
    name: 'blogs',
    bit: 3,
    action: 'quota',
    minutes: 30,
    platforms: bitsOf('blogg'),
    decision: null,
  },
  { name: 'news', bit: 4, action: 'allow', decision: null },
  { name: 'gambling', bit: 31, action: 'block', decision: decision('KS 2026/3') },
] as const satisfies readonly Category[]
type CategoryName = (typeof CATEGORIES)[number]['name']

export interface Site {
  readonly categories?: readonly CategoryName[]
  readonly platforms?: readonly PlatformName[]
  readonly background?: readonly PlatformName[]
  readonly neverBlock?: boolean
}

export function labelsOf(site: Site): Labels {
  const { categories = [], platforms = [], background = [], neverBlock = false } = site
  const bit = (name: CategoryName) => 1 << CATEGORIES.find((each) => each.name === name)!.bit
  return {
    categories: categories.reduce((bits, name) => bits | bit(name), 0),
    platforms: bitsOf(...platforms, ...background),
    background: bitsOf(...background),
    neverBlock,
  }
}

export const OFFICE: Zone = { name: 'office', networks: [], identify: ['basic'], quota: 'minutes' }
export const SCHOOLS: Zone = { name: 'schools', networks: [], identify: ['network'], quota: 'none' }

export const anna: Identified = {
  known: true,
  identity: { kind: 'user', user: 'anna', groups: ['kommunikatorer'] },
}
export const unknown: Identified = { known: false, reason: 'credentials-missing' }
export const barred: Identified = { known: false, reason: 'logins-of-address' }

export const row = (dnr: string, change: Partial<Exemption> = {}): Exemption => ({
  reference: dnr,
  subject: { kind: 'user', name: 'anna' },
  platforms: 'all',
  fromMs: NOW_MS - DAY_MS,
  untilMs: NOW_MS + DAY_MS,
  decision: decision(dnr),
  ...change,
})

export function policyWith(
  exemptions: readonly Exemption[],
  categories: readonly Category[] = CATEGORIES,
) {
  return {
    version: 1,
    calendar: { timezone: 'Europe/Stockholm', startsMinute: 0 },
    zones: [SCHOOLS, OFFICE],
    categories,
    platforms: Object.entries(BIT).map(([name, bit]) => ({ name, title: name, bit })),
    exemptions,
    ports: { connect: [443], http: [80, 8080] },
    allowedAddresses: [],
    tunnels: {
      addressLiterals: 'refuse',
      mismatch: 'log',
      noServerName: 'log',
      encryptedHello: 'log',
      notTls: 'refuse',
    },
    quota: { thresholdBytes: 16_384, graceMs: 30_000 },
  } satisfies Policy
}

/** The host of any spelling. */
export function hostOf(text: string): Host {
  const parsed = parseHost(text)
  if (typeof parsed === 'string') throw new Error(parsed)
  return parsed.host
}
const SITE = hostOf('site.example')

export const PLAIN: Facts = {
  nowMs: NOW_MS,
  fault: null,
  carriage: 'connect',
  host: SITE,
  port: 443,
  zone: OFFICE,
  identified: anna,
  labels: noLabels(),
  minutesUsed: 0,
  minutesGiven: 0,
}

const bits = fc.oneof(fc.integer(), fc.constantFrom(0, 0, 1, 2, 4, 0x80000000 | 0, -1))
const labels: fc.Arbitrary<Labels> = fc
  .record({ categories: bits, platforms: bits, mask: bits, neverBlock: fc.boolean() })
  .map(({ mask, ...rest }) => ({ ...rest, background: rest.platforms & mask }))
const names = fc.constantFrom('anna', 'bengt', 'kommunikatorer')
const identified: fc.Arbitrary<Identified> = fc.oneof(
  { weight: 1, arbitrary: fc.constantFrom(unknown, barred) },
  {
    weight: 6,
    arbitrary: fc
      .record({ user: names, groups: fc.subarray(['kommunikatorer', 'it']) })
      .map((who): Identified => ({ known: true, identity: { kind: 'user', ...who } })),
  },
)
export const anyFacts: fc.Arbitrary<Facts> = fc.record({
  nowMs: fc.constant(NOW_MS),
  fault: fc.oneof({ weight: 9, arbitrary: fc.constant(null) }, fc.constant('target-form' as const)),
  carriage: fc.constantFrom('connect', 'connect', 'http', 'http', 'portal'),
  host: fc.constantFrom(SITE, SITE, SITE, hostOf('192.0.2.1'), hostOf('2001:db8::a')),
  port: fc.constantFrom(80, 443, 443, 443, 25),
  zone: fc.constantFrom(OFFICE, OFFICE, OFFICE, SCHOOLS, null),
  identified,
  labels,
  minutesUsed: fc.nat(1_500),
  minutesGiven: fc.nat(60),
})
export const exemption: fc.Arbitrary<Exemption> = fc
  .record({
    kind: fc.constantFrom('user', 'group'),
    name: names,
    platforms: fc.oneof(bits, fc.constant('all' as const)),
    fromMs: fc.integer({ min: -2, max: 1 }).map((days) => NOW_MS + days * DAY_MS),
    untilMs: fc.integer({ min: -1, max: 2 }).map((days) => NOW_MS + days * DAY_MS),
  })
  .map(({ kind, name, ...rest }) => row('KS 2026/7', { subject: { kind, name }, ...rest }))
export const anyPolicy: fc.Arbitrary<Policy> = fc
  .tuple(
    fc.array(exemption, { maxLength: 3 }),
    fc.shuffledSubarray([...CATEGORIES]),
    fc.constantFrom('refuse' as const, 'allow' as const),
  )
  .map(([exemptions, categories, addressLiterals]) => {
    const policy = policyWith(exemptions, categories)
    return { ...policy, tunnels: { ...policy.tunnels, addressLiterals } }
  })
