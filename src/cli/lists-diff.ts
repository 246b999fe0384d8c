/**
 * Owns: `./sluss lists diff`: what waiting versions would change, before anybody takes them.
 * Never: changes anything, or says who asked for a host.
 */
import { join } from 'node:path'
import type { Command } from 'commander'
import { compareHosts, compareNames } from '../lists/compare.ts'
import { entriesOf } from '../lists/guard-rails.ts'
import type { ListVersion } from '../lists/library.ts'
import type { ListReport } from '../lists/report.ts'
import { type ListSource, localDay } from '../policy/index.ts'
import type { Configuration } from '../service/configuration.ts'
import { build, keyOf, problemsOfBuild } from '../service/image.ts'
import { type BuiltImage, ImageStore } from '../service/image-store.ts'
import { libraryIn } from '../service/remote-lists.ts'
import { hostsSeen } from '../traffic/hosts-seen.ts'
import { endWithProblems, print, printJson } from './context.ts'
import { type Difference, diffText, type ListChange, worded } from './lists-diff-text.ts'
import { buildStep, isJson, loadLists, tellUnreadable, versionText } from './lists-text.ts'
import { unknownList } from './lists-update.ts'
import { Progress } from './progress.ts'

const DAY_MS = 86_400_000

export interface DiffOptions {
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
  tellUnreadable(configuration)
  const versions = waiting(names, configuration)
  const sources = configuration.sourcesWith(versions)
  const progress = new Progress()
  const before = await inForce(configuration, progress)
  const difference =
    before.key === keyOf(sources)
      ? { lists: [], caught: 0, freed: 0, first: [], days: options.days, hosts: [] }
      : await differenceOf({ before, sources, configuration, options, progress })
  progress.end()
  if (!isJson(command)) {
    const takes = takesOf(difference, versions, configuration)
    return print([diffText(difference, names, options.limit), ...takes].join('\n'))
  }
  const { lists, caught, freed, first, days, hosts } = difference
  printJson({ lists, names: { caught, freed, first }, days, hosts })
}

/** How to take what was compared, and nothing that came since. */
function takesOf(
  { lists }: Difference,
  versions: ReadonlyMap<string, ListVersion>,
  { remotes, sources }: Configuration,
): string[] {
  const isLocal = (list: string) =>
    sources.some(({ name, file }) => name === list && file !== null) &&
    !remotes.some(({ name }) => name === list)
  return lists.flatMap(({ list, before, after }) => {
    const edited = isLocal(list) && before !== after ? after : null
    const version = versions.get(list)?.sha256 ?? edited
    return version === null
      ? []
      : [`to take it: ./sluss lists accept ${list} ${versionText(version)}`]
  })
}

/** The versions that wait: of the lists named, or of all. */
function waiting(names: readonly string[], configuration: Configuration): Map<string, ListVersion> {
  const { remotes, settings, sources } = configuration
  const known = new Set([...remotes, ...sources].map(({ name }) => name))
  for (const name of names) if (!known.has(name)) unknownList(name, configuration)
  const library = libraryIn(settings.state)
  const versions = new Map<string, ListVersion>()
  for (const { name } of remotes) {
    if (names.length > 0 && !names.includes(name)) continue
    const { pending } = library.read(name)
    if (pending !== null) versions.set(name, pending)
  }
  return versions
}

/** The saved image; where there is none yet, one of the lists as they would be in force at the start. */
async function inForce(configuration: Configuration, progress: Progress): Promise<BuiltImage> {
  const saved = new ImageStore(configuration.settings.state, null).load(null)
  return saved ?? (await built(configuration.sources, progress))
}

async function built(sources: readonly ListSource[], progress: Progress): Promise<BuiltImage> {
  const result = await build(sources, keyOf(sources), {
    onProgress: (step) => progress.show(buildStep(step)),
  })
  progress.end()
  return 'ok' in result ? result.built : endWithProblems(problemsOfBuild(result))
}

interface Comparison {
  readonly before: BuiltImage
  readonly sources: readonly ListSource[]
  readonly configuration: Configuration
  readonly options: DiffOptions
  readonly progress: Progress
}

async function differenceOf(comparison: Comparison): Promise<Difference> {
  const { before, sources, configuration, options, progress } = comparison
  const after = await built(sources, progress)
  const pair = { before: before.image, after: after.image }
  const changed = compareNames(pair, {
    kept: options.limit,
    onProgress: (done, total) =>
      progress.show({ label: 'comparing', done, total, unit: 'buckets' }),
  })
  const requests = requestsOf(configuration, options.days, progress)
  const policy = configuration.policyOf(1)
  const hosts = compareHosts(pair, requests.keys())
    .map((change) => ({ ...worded(change, pair, policy), requests: requests.get(change.host)! }))
    .toSorted((a, b) => b.requests - a.requests || a.host.localeCompare(b.host))
  const first = changed.first
    .map((change) => worded(change, pair, policy))
    .toSorted((a, b) => b.caught.length - a.caught.length || a.host.localeCompare(b.host))
  const lists = listChanges(before.report.lists, after.report.lists)
  const { caught, freed } = changed
  return { lists, caught, freed, first, days: options.days, hosts }
}

/** Of the hosts that the log saw. Days that cannot be read are told. */
function requestsOf({ settings }: Configuration, days: number, progress: Progress) {
  const faults: string[] = []
  const requests = hostsSeen(join(settings.state, 'traffic'), {
    fromDay: localDay(settings.day, Date.now() - days * DAY_MS).number,
    onDay: (done, total) => progress.show({ label: 'asking the log', done, total, unit: 'days' }),
    onFailure: ({ what, hint }) => faults.push(`sluss: ${what}\n  ${hint}`),
  })
  progress.end()
  for (const line of faults) process.stderr.write(`${line}\n`)
  return requests
}

function listChanges(before: readonly ListReport[], after: readonly ListReport[]): ListChange[] {
  const names = new Set([...before, ...after].map(({ name }) => name))
  return [...names].flatMap((list) => {
    const was = before.find(({ name }) => name === list)
    const is = after.find(({ name }) => name === list)
    const [entriesBefore, entriesAfter] = [was, is].map((one) => (one ? entriesOf(one) : 0))
    // Entries that stand in another file have no version of their own.
    const isSame = was?.sha256 === is?.sha256 && entriesBefore === entriesAfter
    if (isSame && JSON.stringify(was?.target) === JSON.stringify(is?.target)) return []
    const versions = { before: was?.sha256 ?? null, after: is?.sha256 ?? null }
    return [{ list, ...versions, entriesBefore: entriesBefore!, entriesAfter: entriesAfter! }]
  })
}
