/** Owns: images of made-up lists, and the plain walk that they are compared with. */
import { type Built, buildImage, type ParsedList } from '../../src/lists/build.ts'
import { type ListedNetwork, parseEntries } from '../../src/lists/lines.ts'
import { contains, type Network, parseAddress, parseNetwork } from '../../src/policy/address.ts'
import { type Labels, noLabels } from '../../src/policy/policy.ts'
import type { LabelTarget } from '../../src/policy/source.ts'

export interface TestList {
  readonly name: string
  readonly target: LabelTarget
  /** Domains in normal form; one of a single label is listed as `*.label`. */
  readonly domains: readonly string[]
  /** The same, after `@@`. */
  readonly exceptions?: readonly string[]
  /** As CIDR. */
  readonly networks?: readonly string[]
  readonly freedNetworks?: readonly string[]
}

export const porn: LabelTarget = { kind: 'category', bit: 0 }

export const provenance = { source: 'test', fetchedMs: null, licence: '' }

export function listOf(...domains: string[]): TestList {
  return { name: 'test', target: porn, domains }
}

/** The lines of a list are counted through its domains, exceptions, networks, and freed networks. */
export function parsedList(list: TestList): ParsedList {
  const { name, target, domains, exceptions = [], networks = [], freedNetworks = [] } = list
  const entries = (texts: readonly string[], before: number) =>
    texts.map((domain, i) => ({ text: entryOf(domain), line: before + i + 1 }))
  const parsed = {
    ...parseEntries(entries(domains, 0)),
    exceptions: parseEntries(entries(exceptions, domains.length)),
    networks: [...networks, ...freedNetworks].map((text, i): ListedNetwork => {
      const line = domains.length + exceptions.length + i + 1
      return { network: networkOf(text), line, exception: i >= networks.length }
    }),
  }
  return { source: { name, target, file: null, provenance }, parsed }
}

function entryOf(domain: string): string {
  return /^[^.:]+$/.test(domain) ? `*.${domain}` : domain
}

export function networkOf(text: string): Network {
  const network = parseNetwork(text)
  if (typeof network === 'string') throw new Error(`${text}: ${network}`)
  return network
}

export function imageOf(...lists: TestList[]): Built {
  const result = buildImage(lists.map(parsedList), { elapsedMs: () => 0 })
  if (result.kind === 'failed') throw new Error(JSON.stringify(result.problems))
  return result
}

export function isAddress(host: string): boolean {
  return host.includes(':') || /(^|\.)\d+$/.test(host)
}

/** The host and its parents, the most specific first; an address has none. */
export function suffixesOf(host: string): string[] {
  if (isAddress(host)) return [host]
  const labels = host.split('.')
  return labels.map((_, i) => labels.slice(i).join('.'))
}

/** What Lookup must say, said plainly. */
export class PlainWalk {
  readonly #lists: readonly TestList[]

  constructor(lists: readonly TestList[]) {
    this.#lists = lists
  }

  /** From the least specific down: what is listed is added, then what is excepted taken away. */
  labels(host: string): Labels {
    const labels = noLabels()
    for (const names of this.#steps(host)) {
      for (const { target, domains, networks = [] } of this.#lists) {
        if (target.kind === 'exception') continue
        if (names([...domains, ...networks])) addTarget(labels, target)
      }
      for (const list of this.#lists) {
        const { target, domains, networks = [], exceptions = [], freedNetworks = [] } = list
        const freed = [...exceptions, ...freedNetworks]
        const all = target.kind === 'exception' ? [...freed, ...domains, ...networks] : freed
        if (names(all)) free(labels, target)
      }
    }
    return labels
  }

  /** Each tells whether something is named that is as specific as this step. */
  #steps(host: string): ((entries: readonly string[]) => boolean)[] {
    const address = parseAddress(host)
    const byName = (name: string) => (entries: readonly string[]) => entries.includes(name)
    if (address === null) return suffixesOf(host).reverse().map(byName)
    const steps = Array.from({ length: 129 }, (_, prefix) => (entries: readonly string[]) => {
      return entries.some((entry) => {
        if (!entry.includes('/')) return prefix === 128 && entry === host
        const network = networkOf(entry)
        return network.prefix === prefix && contains(network, address)
      })
    })
    return steps
  }
}

export function addTarget(labels: Labels, target: LabelTarget): void {
  if (target.kind === 'exception') throw new Error('it lists nothing')
  if (target.kind === 'neverBlock') labels.neverBlock = true
  else if (target.kind === 'category') labels.categories |= 1 << target.bit
  else {
    labels.platforms |= 1 << target.bit
    if (target.kind === 'background') labels.background |= 1 << target.bit
  }
}

export function free(labels: Labels, target: LabelTarget): void {
  if (target.kind === 'neverBlock') return
  const isPlatform = target.kind === 'platform' || target.kind === 'background'
  if (!isPlatform) labels.categories &= ~(1 << target.bit)
  const platforms =
    target.kind === 'exception' ? target.platforms : isPlatform ? 1 << target.bit : 0
  labels.platforms &= ~platforms
  labels.background &= ~platforms
}
