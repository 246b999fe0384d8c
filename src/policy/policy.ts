/**
 * Owns: the shapes of a policy: zones, categories, platforms, exemptions, limits of ports and addresses.
 * Never: reads settings or changes: a policy is immutable plain data, cloned to every thread and
 * replaced whole.
 */
import type { Address, Network } from './address.ts'
import { contains } from './address.ts'
import type { Calendar } from './day.ts'

/** Whose decision a rule rests on, as written in the settings or the register; may be empty. */
export interface DecisionReference {
  readonly by: string
  readonly dnr: string
  readonly date: string
}

export type Scheme = 'basic' | 'address' | 'network'

/** A part of the network. The first zone that holds an address is its zone. */
export interface Zone {
  readonly name: string
  readonly networks: readonly Network[]
  /** In the order offered. `address` and `network` never challenge. */
  readonly identify: readonly Scheme[]
  /** `none`: nothing is metered here (the schools). */
  readonly quota: 'minutes' | 'none'
}

/** The most categories, and the most platforms, that a policy may have: bits of a 32-bit word. */
export const CATEGORIES_MAX = 32
export const PLATFORMS_MAX = 32

interface CategoryBase {
  readonly name: string
  /** Its bit (0 to 31) in `Labels.categories`. */
  readonly bit: number
  readonly decision: DecisionReference | null
}

export interface BlockCategory extends CategoryBase {
  readonly action: 'block'
}

export interface QuotaCategory extends CategoryBase {
  readonly action: 'quota'
  /** Minutes a user has in a local day. */
  readonly minutes: number
  /** The platforms that belong to it, as bits of `Labels.platforms`. */
  readonly platforms: number
}

/** Known and recorded, and otherwise let through. */
export interface AllowCategory extends CategoryBase {
  readonly action: 'allow'
}

export type Category = BlockCategory | QuotaCategory | AllowCategory

export interface Platform {
  readonly name: string
  readonly title: string
  /** Its bit (0 to 31) in `Labels.platforms` and `Labels.background`. */
  readonly bit: number
}

/** A row of the register, compiled: dates are moments, platform names are bits. */
export interface Exemption {
  /** `KS 2026/123`, or `row 4` where the row has no diary number. */
  readonly reference: string
  readonly subject: { readonly kind: 'user' | 'group'; readonly name: string }
  /** Bits of `Labels.platforms`; `all` also covers quota categories that are made of lists. */
  readonly platforms: number | 'all'
  /** First moment in force, and the first moment no longer: local days, both ends included. */
  readonly fromMs: number
  readonly untilMs: number
  readonly decision: DecisionReference
}

/** A network that may be dialled although it is not public; with a port, only that port. */
export interface AllowedAddress {
  readonly network: Network
  readonly port: number | null
}

/** What is done with a tunnel of a kind: `log` lets it through and counts it under its reason. */
export type Tolerance = 'allow' | 'log' | 'refuse'

/** What tunnels may be, beside what their host says. */
export interface TunnelRules {
  /** CONNECT to an IP address that neither never-block nor `addresses.allow` names. */
  readonly addressLiterals: 'allow' | 'refuse'
  /** A TLS server name that is not the host of the CONNECT. */
  readonly mismatch: Tolerance
  /** TLS without a server name. */
  readonly noServerName: Tolerance
  /** An encrypted client hello whose outer name is not the host of the CONNECT. */
  readonly encryptedHello: Tolerance
  /** On port 443: first bytes that are not a TLS client hello. */
  readonly notTls: Tolerance
}

export interface Policy {
  /** Counts up by one with each replacement in a run. */
  readonly version: number
  readonly calendar: Calendar
  readonly zones: readonly Zone[]
  readonly categories: readonly Category[]
  readonly platforms: readonly Platform[]
  readonly exemptions: readonly Exemption[]
  readonly ports: { readonly connect: readonly number[]; readonly http: readonly number[] }
  readonly allowedAddresses: readonly AllowedAddress[]
  readonly tunnels: TunnelRules
  readonly quota: { readonly thresholdBytes: number; readonly graceMs: number }
}

/** What the lists say of a host: bits by category and platform. Filled in place by the lookup. */
export interface Labels {
  categories: number
  platforms: number
  /** Platforms for which this host is background: it belongs to them, and never sets a minute. */
  background: number
  neverBlock: boolean
}

export function noLabels(): Labels {
  return { categories: 0, platforms: 0, background: 0, neverBlock: false }
}

/** The first zone that holds `address`, or null. */
export function zoneOf(policy: Policy, address: Address): Zone | null {
  for (const zone of policy.zones) {
    for (const network of zone.networks) if (contains(network, address)) return zone
  }
  return null
}

/** True where the host belongs to `category`, by a list or by a platform. */
export function belongs(category: Category, labels: Labels): boolean {
  if ((labels.categories & (1 << category.bit)) !== 0) return true
  return category.action === 'quota' && (labels.platforms & category.platforms) !== 0
}

/** The quota category that governs a host: the first in the settings that it belongs to, or null. */
export function quotaCategoryOf(policy: Policy, labels: Labels): QuotaCategory | null {
  for (const category of policy.categories) {
    if (category.action === 'quota' && belongs(category, labels)) return category
  }
  return null
}

/** The names of the categories a host belongs to, in the order of the settings. */
export function categoryNames(policy: Policy, labels: Labels): string[] {
  return policy.categories.filter((category) => belongs(category, labels)).map(({ name }) => name)
}

export function platformNames(policy: Policy, labels: Labels): string[] {
  return policy.platforms
    .filter(({ bit }) => (labels.platforms & (1 << bit)) !== 0)
    .map(({ name }) => name)
}
