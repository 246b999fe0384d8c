/**
 * Owns: `./sluss lists lookup`: which lists name a host.
 * Never: says what would be decided; `./sluss explain` does.
 */
import type { Command } from 'commander'
import { type Location, locate } from '../lists/locate.ts'
import { Lookup } from '../lists/lookup.ts'
import {
  formatAddress,
  type HostName,
  type Labels,
  noLabels,
  type Policy,
  parseHost,
  parseNetwork,
} from '../policy/index.ts'
import { quoteValue } from '../settings/problems.ts'
import { parseAsked } from './asked-host.ts'
import { endWithProblems, fail, print, printJson, table } from './context.ts'
import {
  imageInForce,
  isJson,
  labelNames,
  loadLists,
  placeText,
  tellUnreadable,
  timeText,
} from './lists-text.ts'

export async function lookupHost(text: string, _options: object, command: Command): Promise<void> {
  const { host } = hostOf(text)
  const configuration = loadLists(command)
  tellUnreadable(configuration)
  const image = await imageInForce(configuration)
  if (!image.ok) return endWithProblems(image.problems)
  const labels = noLabels()
  new Lookup(image.built.image).match(host, labels)
  const locations = locate(image.built.image, host)
  const policy = configuration.policyOf(1)
  if (locations.length === 0) process.exitCode = 1
  if (isJson(command)) {
    const lists = locations.map((one) => ({ ...one, feeds: feedOf(one, policy) }))
    const { neverBlock } = labels
    printJson({ asked: text, host, labels: labelNames(policy, labels), neverBlock, lists })
    return
  }
  const from = host === text ? '' : ` (from ${quoteValue(text)})`
  const rows = locations.map((location) => {
    const { fetchedMs, source } = location.provenance
    const origin = fetchedMs === null ? '' : `${source}, ${timeText(configuration, fetchedMs)}`
    return ['', feedOf(location, policy), placeText(location), origin]
  })
  const head = `${host}${from}: ${wordsOf(labels, locations, policy)}`
  print(rows.length === 0 ? head : `${head}\n${table(rows)}`)
}

/** A host in any spelling that the proxy takes; else a URL or `host:port`, as people paste it. */
function hostOf(text: string): HostName {
  const plain = parseHost(text)
  if (typeof plain !== 'string') return plain
  const network = parseNetwork(text)
  if (typeof network !== 'string') {
    const hint = `look up an address in it, such as ${formatAddress(network)}`
    return fail(`${quoteValue(text)} is a network of addresses`, hint)
  }
  return parseAsked(text).name
}

function wordsOf(labels: Labels, locations: readonly Location[], policy: Policy): string {
  if (locations.length === 0) return 'in no list'
  return labelNames(policy, labels).join(', ') || 'in no category, by an exception'
}

/** The category or platform that the list feeds, or frees from. */
function feedOf({ target }: Location, { categories, platforms }: Policy): string {
  if (target.kind === 'neverBlock') return 'never-block'
  const among = target.kind === 'category' || target.kind === 'exception' ? categories : platforms
  return among.find(({ bit }) => bit === target.bit)?.name ?? ''
}
