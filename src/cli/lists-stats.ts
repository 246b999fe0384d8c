/**
 * Owns: `./sluss lists stats`: what the lists come to, as they are in force.
 * Never: builds an image where one is saved.
 */
import type { Command } from 'commander'
import { type Overlap, tallyImage } from '../lists/tally.ts'
import { imageOf } from '../service/image.ts'
import { ImageStore } from '../service/image-store.ts'
import { formatProblem } from '../settings/problems.ts'
import { endWithProblems, print, printJson, table } from './context.ts'
import { countText, isJson, labelNames, loadLists } from './lists-text.ts'

/** Combinations of labels that are shown; the JSON has them all. */
const OVERLAPS_SHOWN = 10

export async function listsStats(_options: object, command: Command): Promise<void> {
  const configuration = loadLists(command)
  for (const problem of configuration.unreadable)
    process.stderr.write(`${formatProblem(problem)}\n`)
  const store = new ImageStore(configuration.settings.state, null)
  const image = await imageOf(configuration.sources, store)
  if (!image.ok) return endWithProblems(image.problems)
  const { report } = image.built
  const tally = tallyImage(image.built.image)
  const policy = configuration.policyOf(1)
  const overlaps = tally.overlaps.map(({ labels, names }: Overlap) => ({
    labels: labelNames(policy, labels),
    names,
  }))
  const bytesEach = report.domains === 0 ? 0 : report.bytes / report.domains
  const { domains, nodes, bytes, buildMs } = report
  if (isJson(command)) {
    printJson({
      domains,
      nodes,
      bytes,
      bytesEach,
      buildMs,
      origin: image.built.origin,
      tookMs: image.built.tookMs,
      labels: overlaps,
      caught: report.caught,
      lists: report.lists.map((list) => ({ ...list, only: tally.only.get(list.name) ?? 0 })),
    })
    return
  }
  const head = [
    'LIST',
    'FORMAT',
    'LINES',
    'DOMAINS',
    'ONLY HERE',
    'TWICE',
    'COVERED',
    'FREED',
    'NETWORKS',
    'REJECTED',
  ]
  const rows = report.lists.map((list) => [
    list.name,
    list.format,
    ...[
      list.lines,
      list.domains,
      tally.only.get(list.name) ?? 0,
      list.duplicates,
      list.covered,
      list.exceptions,
      list.networks,
      list.rejected,
    ].map(countText),
  ])
  print(table([head, ...rows]))
  print('')
  print(
    table([
      ['domains', countText(domains)],
      ['names with their parents', countText(nodes)],
      ['image', `${countText(bytes)} bytes, ${bytesEach.toFixed(1)} a domain`],
      [image.built.origin, `in ${countText(Math.round(image.built.tookMs))} ms`],
      ...(image.built.origin === 'loaded'
        ? [['built', `in ${countText(Math.round(buildMs))} ms`]]
        : []),
      ...overlaps
        .slice(0, OVERLAPS_SHOWN)
        .map(({ labels, names }) => [labels.join(' + ') || 'freed', `${countText(names)} names`]),
    ]),
  )
  for (const { host, list, line } of report.caught.slice(0, OVERLAPS_SHOWN)) {
    print(`${host} is never blocked, and ${list} lists it in line ${line}`)
  }
}
