/**
 * Owns: the words of a difference between lists: for each host what it gains and loses, and by which line.
 * Never: compares; lists/compare.ts does.
 */
import type { Change, ImagePair } from '../lists/compare.ts'
import { type Gain, isGain } from '../lists/gain.ts'
import { type Location, locate } from '../lists/locate.ts'
import type { LabelTarget, Policy } from '../policy/index.ts'
import { table } from './context.ts'
import { countText, labelNames, placeText, plural, versionText } from './lists-text.ts'

/** A list that is not the same before and after. */
export interface ListChange {
  readonly list: string
  /** Its version in hex; null: not there. Empty for entries that stand in another file. */
  readonly before: string | null
  readonly after: string | null
  readonly entriesBefore: number
  readonly entriesAfter: number
}

/** A host and what would become of it. */
export interface Worded {
  /** Or a network of addresses. */
  readonly host: string
  /** Names of the categories and platforms that would newly catch it, and that no longer would. */
  readonly caught: readonly string[]
  readonly freed: readonly string[]
  /** It is on the never-block list then: whatever else lists it, it is reached. */
  readonly neverBlock: boolean
  /** The line that catches or frees it; where nothing frees it, the line that is no more. */
  readonly by: Pick<Location, 'domain' | 'list' | 'line' | 'version' | 'frees'> | null
}

export interface Difference {
  readonly lists: readonly ListChange[]
  /** Different names. */
  readonly caught: number
  readonly freed: number
  /** Some of them. */
  readonly first: readonly Worded[]
  /** Days of the log that `hosts` were looked for in. */
  readonly days: number
  /** Hosts that the log saw and that would change, most requests first. */
  readonly hosts: readonly (Worded & { readonly requests: number })[]
}

export function worded(change: Change, pair: ImagePair, policy: Policy): Worded {
  const { host, caught, freed, neverBlock } = change
  const by = causeOf(change, pair)
  return {
    host,
    caught: labelNames(policy, caught),
    freed: labelNames(policy, freed),
    neverBlock,
    by: by === null ? null : placeOf(by),
  }
}

function causeOf({ asked, caught, freed }: Change, { before, after }: ImagePair): Location | null {
  const now = locate(after, asked)
  const listing = now.find(({ frees, target }) => !frees && touches(target, caught))
  const freeing = now.find(({ frees, target }) => frees && touches(target, freed))
  if (isGain(caught)) return listing ?? null
  return freeing ?? locate(before, asked).find((one) => touches(one.target, freed)) ?? null
}

function touches(target: LabelTarget, { categories, platforms, neverBlock }: Gain): boolean {
  if (target.kind === 'neverBlock') return neverBlock
  const bit = 1 << target.bit
  if (target.kind === 'category') return (categories & bit) !== 0
  if (target.kind !== 'exception') return (platforms & bit) !== 0
  return (categories & bit) !== 0 || (platforms & target.platforms) !== 0
}

function placeOf({ domain, list, line, version, frees }: Location) {
  return { domain, list, line, version, frees }
}

/** `names`: the lists that were asked for, or none for all. `limit`: hosts and names of each kind. */
export function diffText(
  { lists, caught, freed, first, days, hosts }: Difference,
  names: readonly string[],
  limit: number,
): string {
  if (lists.length === 0 && caught + freed === 0) {
    const where = names.length === 0 ? '' : ` for ${names.join(', ')}`
    return `nothing waits${where}: the lists are in force as they are`
  }
  const changes = lists.map(({ list, before, after, entriesBefore, entriesAfter }) => [
    list,
    `${versionText(before)} → ${versionText(after)}`,
    `${countText(entriesBefore)} → ${countText(entriesAfter)} entries`,
  ])
  const counts = `${plural(caught, 'name')} newly caught, ${countText(freed)} freed`
  const since = `of the hosts that the log saw in the last ${plural(days, 'day')}`
  return [
    table(changes),
    '',
    hosts.length === 0
      ? `${since}, none would change`
      : `${since}, ${countText(hosts.length)} would change${restOf(limit, hosts.length)}`,
    table(
      hosts
        .slice(0, limit)
        .map((one) => ['', ...changeRow(one), plural(one.requests, 'request'), placeOrNone(one)]),
      [3],
    ),
    '',
    `in all: ${counts}${restOf(first.length, caught + freed)}`,
    table(first.map((one) => ['', ...changeRow(one), placeOrNone(one)])),
  ]
    .filter((text, i, all) => text !== '' || all[i + 1] !== '')
    .join('\n')
}

function restOf(shown: number, all: number): string {
  return all > shown ? ` (${countText(shown)} shown; more: --limit)` : ''
}

function changeRow({ host, caught, freed, neverBlock }: Worded): string[] {
  const signs = [...caught.map((label) => `+${label}`), ...freed.map((label) => `-${label}`)]
  return [signs.join(' '), neverBlock ? `${host} (never blocked)` : host]
}

function placeOrNone({ by }: Worded): string {
  return by === null ? '' : placeText(by)
}
