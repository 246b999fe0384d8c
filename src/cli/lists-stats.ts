/**
 * Owns: `./sluss lists stats`: what the lists come to, as they are in force.
 * Never: builds an image where one is saved.
 */
import type { Command } from 'commander'
import type { ListReport } from '../lists/report.ts'
import { type Tally, tallyImage } from '../lists/tally.ts'
import type { Policy } from '../policy/index.ts'
import type { BuiltImage } from '../service/image-store.ts'
import { endWithProblems, print, printJson, table } from './context.ts'
import {
  categoriesOf,
  countText,
  imageInForce,
  isJson,
  labelNames,
  loadLists,
  patientProgress,
  plural,
  tellUnreadable,
} from './lists-text.ts'

/** Hosts that are never blocked and listed all the same; the JSON has more. */
const CAUGHT_SHOWN = 10

export async function listsStats(_options: object, command: Command): Promise<void> {
  const configuration = loadLists(command)
  tellUnreadable(configuration)
  const image = await imageInForce(configuration)
  if (!image.ok) return endWithProblems(image.problems)
  const { built } = image
  const progress = patientProgress()
  const tally = tallyImage(built.image, (done, total) =>
    progress.show({ label: 'counting', done, total, unit: 'buckets' }),
  )
  progress.end()
  const policy = configuration.policyOf(1)
  if (!isJson(command)) {
    return print(textOf(built, tally, policy))
  }
  const { report, origin, tookMs } = built
  const { domains, nodes, bytes, buildMs, caught } = report
  const bytesEach = domains === 0 ? 0 : bytes / domains
  const labels = tally.overlaps.map((one) => ({
    labels: labelNames(policy, one.labels),
    names: one.names,
  }))
  const lists = report.lists.map((list) => ({ ...list, only: tally.only.get(list.name) ?? 0 }))
  printJson({ domains, nodes, bytes, bytesEach, buildMs, origin, tookMs, labels, caught, lists })
}

function textOf({ report, origin, tookMs }: BuiltImage, tally: Tally, policy: Policy): string {
  const { domains, nodes, bytes, buildMs } = report
  const each = domains === 0 ? '' : `, ${(bytes / domains).toFixed(1)} for each domain`
  const built = `built in ${countText(Math.round(buildMs))} ms`
  const loaded = origin === 'loaded' ? `, loaded in ${countText(Math.round(tookMs))} ms` : ''
  const caught = report.caught.slice(0, CAUGHT_SHOWN).map(({ host, list, line }) => {
    return `${host} is never blocked, and ${list} lists it in line ${line}`
  })
  const rest = report.caught.length - caught.length
  return [
    table([HEAD, ...listRows(report.lists, tally)], [2, 3, 4, 5, 6, 7, 8, 9]),
    '',
    `${plural(domains, 'domain')}, with their parents ${plural(nodes, 'name')}`,
    `image of ${plural(bytes, 'byte')}${each}; ${built}${loaded}`,
    'names by what they are listed as',
    table(labelRows(tally, policy), [2]),
    ...caught,
    ...(rest > 0 ? [`and ${plural(rest, 'more host')} that are never blocked: --json`] : []),
  ].join('\n')
}

/** Platforms are told apart by the JSON. */
function labelRows({ overlaps }: Tally, policy: Policy): string[][] {
  const sums = new Map<string, number>()
  for (const { labels, names } of overlaps) {
    const none = labels.platforms === 0 ? 'freed alone' : 'platforms of no category'
    const label = categoriesOf(policy, labels).join(' + ') || none
    sums.set(label, (sums.get(label) ?? 0) + names)
  }
  return [...sums].map(([label, names]) => ['', label, countText(names)])
}

const HEAD = [
  ...['LIST', 'FORMAT', 'LINES', 'DOMAINS', 'ONLY HERE', 'TWICE', 'COVERED', 'FREED', 'NETWORKS'],
  'REJECTED',
]

/** Those that stand in the platforms file are one row. */
function listRows(lists: readonly ListReport[], { only, onlyEntries }: Tally): string[][] {
  const row = (name: string, format: string, counts: readonly number[]) => [
    name,
    format,
    ...counts.map(countText),
  ]
  const rows = lists
    .filter(({ file }) => file !== null)
    .map((list) => row(list.name, list.format, countsOf(list, only.get(list.name) ?? 0)))
  const entries = lists.filter(({ file }) => file === null)
  if (entries.length === 0) return rows
  const sums = entries
    .map((list) => countsOf(list, 0))
    .reduce((sum, counts) => sum.map((n, i) => n + counts[i]!))
  const file = entries[0]!.name.split(': ')[0]!
  return [...rows, row(file, 'platforms', sums.with(ONLY_HERE, onlyEntries))]
}

/** Where `countsOf` has the names that are only here. */
const ONLY_HERE = 2

function countsOf(list: ListReport, only: number): number[] {
  const { lines, domains, duplicates, covered, exceptions, networks, rejected } = list
  return [lines, domains, only, duplicates, covered, exceptions, networks, rejected]
}
