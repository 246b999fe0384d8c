/**
 * Owns: `./sluss lists lookup`: which lists name a host.
 * Never: says what would be decided; `./sluss explain` does.
 */
import type { Command } from 'commander'
import { type Location, locate } from '../lists/locate.ts'
import { Lookup } from '../lists/lookup.ts'
import { noLabels, parseHost } from '../policy/index.ts'
import { imageOf } from '../service/image.ts'
import { ImageStore } from '../service/image-store.ts'
import { formatProblem, quoteValue } from '../settings/problems.ts'
import { endWithProblems, fail, print, printJson, table } from './context.ts'
import { isJson, labelNames, loadLists, placeText, timeText } from './lists-text.ts'

export async function lookupHost(text: string, _options: object, command: Command): Promise<void> {
  const configuration = loadLists(command)
  const parsed = parseHost(text)
  if (typeof parsed === 'string') {
    return fail(`${quoteValue(text)} is no host (${parsed})`, 'write it as www.example.se')
  }
  for (const problem of configuration.unreadable)
    process.stderr.write(`${formatProblem(problem)}\n`)
  const store = new ImageStore(configuration.settings.state, null)
  const image = await imageOf(configuration.sources, store)
  if (!image.ok) return endWithProblems(image.problems)
  const { host } = parsed
  const labels = noLabels()
  const isCaught = new Lookup(image.built.image).match(host, labels)
  const locations = locate(image.built.image, host)
  const policy = configuration.policyOf(1)
  const names = labelNames(policy, labels)
  if (!isCaught && locations.length === 0) process.exitCode = 1
  if (isJson(command)) {
    const { categories, platforms } = policy
    printJson({
      host,
      labels: names,
      neverBlock: labels.neverBlock,
      lists: locations.map((location) => ({
        ...location,
        feeds: feedOf(location, categories, platforms),
      })),
    })
    return
  }
  const head =
    locations.length === 0 ? `${host} is in no list` : `${host}: ${names.join(', ') || 'freed'}`
  const rows = locations.map((location) => {
    const { fetchedMs, source } = location.provenance
    const from = fetchedMs === null ? '' : `${source}, ${timeText(configuration, fetchedMs)}`
    return ['', feedOf(location, policy.categories, policy.platforms), placeText(location), from]
  })
  print(rows.length === 0 ? head : `${head}\n${table(rows)}`)
}

interface Named {
  readonly name: string
  readonly bit: number
}

/** The category or platform that the list feeds, or frees from. */
function feedOf(
  { target }: Location,
  categories: readonly Named[],
  platforms: readonly Named[],
): string {
  if (target.kind === 'neverBlock') return 'never-block'
  const among = target.kind === 'category' || target.kind === 'exception' ? categories : platforms
  return among.find(({ bit }) => bit === target.bit)?.name ?? '?'
}
