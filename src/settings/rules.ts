/**
 * Owns: what must hold between settings: the rules that no single key can be judged by.
 * Never: judges a single value; schema.ts does. Never touches a file.
 *
 * The rules read what was written, not what was parsed: a mistake in one zone does not hide another's. What
 * the schema refuses is passed over here, because it has been reported.
 */
import { CATEGORIES_MAX, contains, formatNetwork, type Network } from '../policy/index.ts'
import type { KeyPath } from './key-path.ts'
import { limitWarnings } from './limit-rules.ts'
import { listErrors, listsFeed } from './list-rules.ts'
import type { Endpoint } from './network-fields.ts'
import { type Complaint, complaint, meantHint } from './problems.ts'
import { categoryShape, dnsShape, listenSchema, settingsSchema, zoneSchema } from './schema.ts'
import { readable, valueAt } from './validation.ts'

export interface Judgement {
  readonly errors: readonly Complaint[]
  readonly warnings: readonly Complaint[]
}

/** What the rules have against `raw`: settings as they were written, not yet parsed. */
export function judge(raw: unknown): Judgement {
  const errors = [
    ...endpointErrors(raw),
    ...zoneErrors(raw),
    ...categoriesOf(raw).flatMap(([name, category]) => categoryErrors(raw, name, category)),
    ...categoryCountErrors(raw),
    ...listErrors(raw),
    ...dnsErrors(raw),
    ...hostErrors(raw),
  ]
  const warnings = [...zoneWarnings(raw), ...categoryWarnings(raw), ...limitWarnings(raw)]
  return { errors, warnings }
}

function endpointErrors(raw: unknown): Complaint[] {
  const seen: { path: KeyPath; endpoint: Endpoint }[] = []
  const errors: Complaint[] = []
  for (const key of ['proxy', 'portal'] as const) {
    const written = valueAt(raw, ['listen', key])
    const items = Array.isArray(written) ? written : [written]
    for (const [i, item] of items.entries()) {
      const path = ['listen', key, ...(Array.isArray(written) ? [i] : [])]
      const endpoint = readable(listenSchema.shape[key], item)?.[0]
      if (endpoint === undefined) continue
      const other = seen.find((earlier) => collide(earlier.endpoint, endpoint))
      const expected = 'an endpoint of its own'
      if (other) {
        const what = `listen.${other.path[1]} already listens there`
        errors.push(complaint(path, { value: item, expected, what }))
      }
      seen.push({ path, endpoint })
    }
  }
  return errors
}

/** 0.0.0.0 and :: take the port on every address. Port 0 is a port of its own each time. */
function collide(a: Endpoint, b: Endpoint): boolean {
  if (a.port !== b.port || a.port === 0) return false
  const everywhere = (address: string) => address === '0.0.0.0' || address === '::'
  return a.address === b.address || everywhere(a.address) || everywhere(b.address)
}

function zonesOf(raw: unknown): unknown[] {
  const zones = valueAt(raw, ['zones'])
  return Array.isArray(zones) ? zones : []
}

function zoneErrors(raw: unknown): Complaint[] {
  const errors: Complaint[] = []
  const users = valueAt(raw, ['identity', 'basic', 'users']) ?? null
  const names = new Map<string, number>()
  for (const [i, zone] of zonesOf(raw).entries()) {
    const name = readable(zoneSchema.shape.name, valueAt(zone, ['name']))
    const first = name === undefined ? undefined : names.get(name)
    if (first !== undefined) {
      const what = `zones[${first}] has it already`
      errors.push(
        complaint(['zones', i, 'name'], { value: name, expected: 'a name of its own', what }),
      )
    } else if (name !== undefined) names.set(name, i)
    const schemes = readable(zoneSchema.shape.identify, valueAt(zone, ['identify'])) ?? []
    if (schemes.includes('basic') && users === null) {
      const hint = 'name a file of users there, or identify by address or network'
      const words = { value: 'basic', what: 'identity.basic.users is not set', hint }
      errors.push(complaint(['zones', i, 'identify'], words))
    }
  }
  return errors
}

function zoneWarnings(raw: unknown): Complaint[] {
  const warnings: Complaint[] = []
  const earlier: { network: Network; zone: string }[] = []
  for (const [i, zone] of zonesOf(raw).entries()) {
    const written = valueAt(zone, ['networks'])
    const items = Array.isArray(written) ? written : [written]
    const own: { network: Network; zone: string }[] = []
    for (const [j, item] of items.entries()) {
      const network = readable(zoneSchema.shape.networks, item)?.[0]
      if (network === undefined) continue
      const path = ['zones', i, 'networks', ...(Array.isArray(written) ? [j] : [])]
      const holder = [...earlier, ...own].find((other) => holds(other.network, network))
      if (holder !== undefined) {
        const what = `it never matches: ${holder.zone} already holds ${formatNetwork(holder.network)}`
        const hint = 'the first zone wins, so put the narrower one first'
        warnings.push(complaint(path, { value: item, what, hint }))
      }
      own.push({ network, zone: `zones[${i}]` })
    }
    earlier.push(...own)
    warnings.push(...schemeWarnings(zone, i))
  }
  return warnings
}

/** True where every address of `inner` is one of `outer`. */
function holds(outer: Network, inner: Network): boolean {
  return outer.prefix <= inner.prefix && contains(outer, { words: inner.words })
}

/** `address` and `network` always know an answer: what stands after them is never asked. */
function schemeWarnings(zone: unknown, i: number): Complaint[] {
  const schemes = readable(zoneSchema.shape.identify, valueAt(zone, ['identify'])) ?? []
  const sure = schemes.findIndex((scheme) => scheme !== 'basic')
  if (sure === -1 || sure === schemes.length - 1) return []
  const what = `what stands after ${schemes[sure]} is never asked`
  return [complaint(['zones', i, 'identify'], { what, hint: `put ${schemes[sure]} last` })]
}

function categoriesOf(raw: unknown): [string, object][] {
  const categories = valueAt(raw, ['categories'])
  if (typeof categories !== 'object' || categories === null || Array.isArray(categories)) return []
  return Object.entries(categories).filter(
    (entry): entry is [string, object] => typeof entry[1] === 'object' && entry[1] !== null,
  )
}

function categoryErrors(raw: unknown, name: string, category: object): Complaint[] {
  const path = ['categories', name]
  const action = readable(categoryShape.action, valueAt(category, ['action']))
  const platforms = readable(categoryShape.platforms, valueAt(category, ['platforms']))
  if (action === undefined) return []
  if (action !== 'quota') {
    return (['minutes', 'platforms'] as const).flatMap((key) => {
      const value = valueAt(category, [key])
      const what = `the action is ${action}; ${key} belongs to action: quota`
      return value === undefined ? [] : [complaint([...path, key], { at: 'key', value, what })]
    })
  }
  const lists = readable(categoryShape.lists, valueAt(category, ['lists']))
  const named = platforms === 'all' || (Array.isArray(platforms) && platforms.length > 0)
  if (valueAt(category, ['platforms']) !== undefined && platforms === undefined) return []
  if (!named) {
    if (lists === undefined || lists.length > 0 || listsFeed(raw, name)) return []
    const what = 'it has neither lists nor platforms'
    return [complaint(path, { what, hint: 'write platforms: all, or name lists' })]
  }
  if ((valueAt(raw, ['platforms']) ?? null) !== null) return []
  const hint = 'write platforms: platforms.yaml at the top level'
  const what = 'no file of platforms is set'
  return [complaint([...path, 'platforms'], { value: platforms, what, hint })]
}

function categoryCountErrors(raw: unknown): Complaint[] {
  const categories = valueAt(raw, ['categories'])
  const names = typeof categories === 'object' && categories ? Object.keys(categories) : []
  if (names.length <= CATEGORIES_MAX || Array.isArray(categories)) return []
  const expected = `at most ${CATEGORIES_MAX} categories`
  const path = ['categories', names[CATEGORIES_MAX]!]
  return [complaint(path, { at: 'key', expected, what: `there are ${names.length}` })]
}

function categoryWarnings(raw: unknown): Complaint[] {
  return categoriesOf(raw).flatMap(([name, category]) => {
    const action = readable(categoryShape.action, valueAt(category, ['action']))
    const lists = readable(categoryShape.lists, valueAt(category, ['lists']))
    const listed = lists === undefined || lists.length > 0 || listsFeed(raw, name)
    if (action === undefined || action === 'quota' || listed) return []
    const what = 'it has no lists, so no site belongs to it'
    return [complaint(['categories', name], { what, hint: 'name a list, or remove it' })]
  })
}

/** An answer cannot be kept for longer than the longest. */
function dnsErrors(raw: unknown): Complaint[] {
  const [shortest, longest] = (['shortest', 'longest'] as const).map((key) => {
    const written = valueAt(raw, ['dns', key]) ?? undefined
    return readable(dnsShape[key], written)
  })
  if (shortest === undefined || longest === undefined || shortest <= longest) return []
  const key = valueAt(raw, ['dns', 'shortest']) === undefined ? 'longest' : 'shortest'
  const value = valueAt(raw, ['dns', key])
  const what = 'dns.shortest is more than dns.longest'
  return [complaint(['dns', key], { value, what, hint: 'lower the one, or raise the other' })]
}

/** Two spellings of one host would hide one another. */
function hostErrors(raw: unknown): Complaint[] {
  const hosts = valueAt(raw, ['dns', 'hosts'])
  if (typeof hosts !== 'object' || hosts === null || Array.isArray(hosts)) return []
  const seen = new Map<string, string>()
  return Object.entries(hosts).flatMap(([spelling, addresses]) => {
    const table = readable(settingsSchema.shape.dns, { hosts: { [spelling]: addresses } })
    const host = Object.keys(table?.hosts ?? {})[0]
    if (host === undefined) return []
    const first = seen.get(host)
    if (first === undefined) {
      seen.set(host, spelling)
      return []
    }
    const what = `it is the same host as ${first}`
    return [complaint(['dns', 'hosts', spelling], { at: 'key', what, hint: 'keep one of them' })]
  })
}

/** Names in categories that platforms.yaml does not have; asked when that file is read. */
export function platformNameErrors(raw: unknown, known: readonly string[]): Complaint[] {
  return categoriesOf(raw).flatMap(([name, category]) => {
    const written = valueAt(category, ['platforms'])
    if (!Array.isArray(written)) return []
    return written.flatMap((platform, i) => {
      if (typeof platform !== 'string' || known.includes(platform)) return []
      return [
        complaint(['categories', name, 'platforms', i], {
          value: platform,
          expected: 'a platform of platforms.yaml',
          what: 'there is no such platform',
          hint: meantHint(platform, known),
        }),
      ]
    })
  })
}
