/**
 * Owns: `./sluss lists diff`: what waiting versions would change, before anybody takes them.
 * Never: changes anything, or says who asked for a host.
 */
import { join } from 'node:path'
import type { Command } from 'commander'
import {
  type Change,
  compareHosts,
  compareNames,
  type ImagePair,
  isGain,
} from '../lists/compare.ts'
import type { ListVersion } from '../lists/library.ts'
import { locate } from '../lists/locate.ts'
import type { ListReport } from '../lists/report.ts'
import { localDay, type Policy } from '../policy/index.ts'
import type { Configuration } from '../service/configuration.ts'
import { build, keyOf, problemsOfBuild } from '../service/image.ts'
import { ImageStore } from '../service/image-store.ts'
import { libraryIn } from '../service/remote-lists.ts'
import { formatProblem } from '../settings/problems.ts'
import { hostsSeen } from '../traffic/hosts-seen.ts'
import { endWithProblems, fail, print, printJson, table } from './context.ts'
import { countText, isJson, labelNames, loadLists, placeText, versionText } from './lists-text.ts'
import { Progress } from './progress.ts'

const DAY_MS = 86_400_000

interface DiffOptions {
  /** Names and hosts to show. */
  readonly limit: number
  readonly days: number
}

export async function diffLists(
  names: readonly string[],
  options: DiffOptions,
  command: Command,
): Promise<void> {
  const configuration = loadLists(command)
  for (const problem of configuration.unreadable)
    process.stderr.write(`${formatProblem(problem)}\n`)
  const before = new ImageStore(configuration.settings.state, null).load(null)
  if (before === null) {
    return fail('no lists are in force here yet', 'start the service once: ./sluss start')
  }
  const sources = configuration.sourcesWith(waiting(names, configuration))
  const progress = new Progress()
  const after = await build(sources, keyOf(sources), {
    onProgress: ({ phase, done, total }) =>
      progress.show({
        label: phase === 'read' ? 'reading the lists' : 'building',
        done,
        total,
        unit: phase === 'read' ? 'bytes' : 'names',
      }),
  })
  progress.end()
  if (!('ok' in after)) return endWithProblems(problemsOfBuild(after))
  const pair = { before: before.image, after: after.built.image }
  const changed = compareNames(pair, {
    kept: options.limit,
    onProgress: (done, total) => progress.show({ label: 'comparing', done, total, unit: 'names' }),
  })
  const seen = seenOf(configuration, options.days, progress)
  progress.end()
  const hosts = compareHosts(pair, seen.requests.keys())
    .map((change) => ({ change, requests: seen.requests.get(change.host)! }))
    .toSorted((a, b) => b.requests - a.requests || a.change.host.localeCompare(b.change.host))
  const lists = listChanges(before.report.lists, after.built.report.lists)
  const policy = configuration.policyOf(1)
  const said = hosts.map((one) => ({ ...worded(one.change, pair, policy), requests: one.requests }))
  const first = changed.first.map((change) => worded(change, pair, policy))
  for (const line of seen.faults) process.stderr.write(`${line}\n`)
  if (isJson(command)) {
    const { caught, freed } = changed
    printJson({ lists, names: { caught, freed, first }, days: options.days, hosts: said })
    return
  }
  print(headText(lists, changed))
  print(hostsText(said, options))
  if (first.length > 0) print(namesText(first, changed.caught + changed.freed))
}

/** The versions that wait: of the lists named, or of all. */
function waiting(
  names: readonly string[],
  { remotes, settings, sources }: Configuration,
): Map<string, ListVersion> {
  const library = libraryIn(settings.state)
  const versions = new Map<string, ListVersion>()
  for (const name of names) {
    const isKnown = [...remotes, ...sources].some((one) => one.name === name)
    if (!isKnown) fail(`there is no list ${name}`, './sluss lists status shows them')
  }
  for (const { name } of remotes) {
    const { pending } = library.read(name)
    if (pending !== null && (names.length === 0 || names.includes(name)))
      versions.set(name, pending)
    else if (names.includes(name))
      fail(
        `no version of ${name} is waiting`,
        'fetch one and look at it first: ./sluss lists update --hold',
      )
  }
  return versions
}

interface Seen {
  readonly requests: ReadonlyMap<string, number>
  /** Days that could not be read. */
  readonly faults: readonly string[]
}

function seenOf({ settings }: Configuration, days: number, progress: Progress): Seen {
  const faults: string[] = []
  const requests = hostsSeen(join(settings.state, 'traffic'), {
    fromDay: localDay(settings.day, Date.now() - days * DAY_MS).number,
    onDay: (done, total) => progress.show({ label: 'asking the log', done, total, unit: 'days' }),
    onFailure: ({ what, hint }) => faults.push(`sluss: ${what}\n  ${hint}`),
  })
  return { requests, faults }
}

interface ListChange {
  readonly list: string
  /** Hex; null: not there. */
  readonly before: string | null
  readonly after: string | null
  readonly domainsBefore: number
  readonly domainsAfter: number
}

function listChanges(before: readonly ListReport[], after: readonly ListReport[]): ListChange[] {
  const names = new Set([...before, ...after].map(({ name }) => name))
  return [...names].flatMap((list) => {
    const was = before.find(({ name }) => name === list)
    const is = after.find(({ name }) => name === list)
    // Entries that stand in another file have no version of their own.
    const isSame = was?.sha256 === is?.sha256 && was?.domains === is?.domains
    if (isSame && JSON.stringify(was?.target) === JSON.stringify(is?.target)) return []
    const [domainsBefore, domainsAfter] = [was?.domains ?? 0, is?.domains ?? 0]
    return [
      { list, before: was?.sha256 ?? null, after: is?.sha256 ?? null, domainsBefore, domainsAfter },
    ]
  })
}

interface Worded {
  readonly host: string
  readonly caught: readonly string[]
  readonly freed: readonly string[]
  /** What catches or frees it now, where that is written; else what listed it before. */
  readonly by: string
}

function worded({ host, caught, freed }: Change, pair: ImagePair, policy: Policy): Worded {
  const [now] = locate(pair.after, host)
  const [then] = locate(pair.before, host)
  const place = isGain(caught) || now?.frees === true ? now : then
  return {
    host,
    caught: labelNames(policy, caught),
    freed: labelNames(policy, freed),
    by: place === undefined ? '' : placeText(place),
  }
}

function headText(
  lists: readonly ListChange[],
  { caught, freed }: { caught: number; freed: number },
): string {
  if (lists.length === 0) return 'nothing waits: the lists in force are as the files are'
  const rows = lists.map(({ list, before, after, domainsBefore, domainsAfter }) => [
    list,
    `${versionText(before)} → ${versionText(after)}`,
    `${countText(domainsBefore)} → ${countText(domainsAfter)} domains`,
  ])
  const counts = `${countText(caught)} names would be newly caught, ${countText(freed)} freed`
  return `${table(rows)}\n${counts}`
}

function changeRow({ host, caught, freed, by }: Worded): string[] {
  const signs = [...caught.map((label) => `+${label}`), ...freed.map((label) => `-${label}`)]
  return [signs.join(' '), host, by]
}

function hostsText(
  hosts: readonly (Worded & { requests: number })[],
  { days, limit }: DiffOptions,
): string {
  const since = `the log of the last ${days} days`
  if (hosts.length === 0) return `${since}: no host that was asked for would change`
  const rows = hosts.slice(0, limit).map((one) => {
    const [signs = '', host = '', by = ''] = changeRow(one)
    return ['', signs, host, `${countText(one.requests)} requests`, by]
  })
  const rest =
    hosts.length > limit ? `\n  and ${countText(hosts.length - limit)} more: --limit` : ''
  return `${since}: ${countText(hosts.length)} hosts that were asked for would change\n${table(rows)}${rest}`
}

function namesText(first: readonly Worded[], all: number): string {
  const rest =
    all > first.length ? ` (${countText(first.length)} of ${countText(all)}; more: --limit)` : ''
  return `names${rest}\n${table(first.map((change) => ['', ...changeRow(change)]))}`
}
