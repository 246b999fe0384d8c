/**
 * Owns: whether a new version of a list may replace the one in force.
 * Never: reads a list, or puts one in force.
 */
import type { RemoteList } from './remote.ts'
import type { CaughtCanary, ListReport } from './report.ts'
import type { Trouble } from './trouble.ts'

export const REFUSAL_CODES = [
  'empty',
  'fall',
  'growth',
  'canary',
  'does-not-build',
  'damaged',
] as const
export type RefusalCode = (typeof REFUSAL_CODES)[number]

/** Why a version is not put in force. */
export interface Refusal extends Trouble {
  readonly code: RefusalCode
}

/** So many entries may come or go whatever share of the list they are: short lists are lively. */
export const ENTRIES_SLACK = 25
/** Canaries that a refusal names; the rest are counted. */
const CANARIES_NAMED_MAX = 5

/** What a version does: how much it holds, and which never-block hosts it would catch. */
export interface Standing {
  readonly entries: number
  readonly caught: readonly CaughtCanary[]
}

/** What a build says of list `report.name`. */
export function standingOf(report: ListReport, caught: readonly CaughtCanary[]): Standing {
  return { entries: entriesOf(report), caught: caught.filter(({ list }) => list === report.name) }
}

/** What counts as an entry: what it lists; of a list of exceptions, what it frees. */
export function entriesOf({ target, domains, networks, exceptions }: ListReport): number {
  return target.kind === 'exception' ? exceptions : domains + networks
}

export interface Judging {
  readonly name: string
  /** In force; null: this is the first version. Of `caught` the hosts are compared. */
  readonly before: { readonly entries: number; readonly caught: readonly string[] } | null
  readonly after: Standing
  readonly rules: Pick<RemoteList, 'fallShare' | 'growthShare'>
}

/** All that speaks against the new version; empty: it may be put in force. */
export function judge({ name, before, after, rules }: Judging): Refusal[] {
  const hint = `See ./sluss lists diff ${name}; if it is as it should be, ./sluss lists accept ${name}.`
  const refusal = (code: RefusalCode, what: string): Refusal => ({ code, what, hint })
  const canaries = canaryWords(before, after)
  const refusals = canaries === null ? [] : [refusal('canary', canaries)]
  if (after.entries === 0) {
    const now = before === null ? '' : `; the one in force has ${before.entries}`
    return [refusal('empty', `it has no entry that can be used${now}`), ...refusals]
  }
  if (before === null || before.entries === 0) return refusals
  const change = after.entries - before.entries
  const words = `from ${before.entries} entries to ${after.entries}`
  if (-change > ENTRIES_SLACK && -change > before.entries * rules.fallShare) {
    const limit = `at most ${percent(rules.fallShare)} may go at once (fall)`
    return [
      refusal('fall', `it falls ${words}, by ${percent(-change / before.entries)}; ${limit}`),
      ...refusals,
    ]
  }
  if (change > ENTRIES_SLACK && change > before.entries * rules.growthShare) {
    const limit = `at most ${percent(rules.growthShare)} may come at once (growth)`
    return [
      refusal('growth', `it grows ${words}, by ${percent(change / before.entries)}; ${limit}`),
      ...refusals,
    ]
  }
  return refusals
}

/** The never-block hosts that it catches and the version in force does not, in words. */
function canaryWords(before: Judging['before'], { caught }: Standing): string | null {
  const known = new Set(before?.caught)
  const fresh = caught.filter(({ host }) => !known.has(host))
  if (fresh.length === 0) return null
  const named = fresh
    .slice(0, CANARIES_NAMED_MAX)
    .map(({ host, domain, line }) => `${host} (by ${domain}, line ${line})`)
  const rest = fresh.length - named.length
  return `it lists what is never to be blocked: ${named.join(', ')}${rest > 0 ? ` and ${rest} more` : ''}`
}

/** One decimal where it says something: 12.5 %, 100 %. */
function percent(share: number): string {
  return `${Math.round(share * 1_000) / 10} %`
}
