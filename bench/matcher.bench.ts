/**
 * Owns: the bench of the lookup against what one would write first: a Set, and a walk over the
 * suffixes.
 * Never: lets them disagree; each round's count of listed hosts is asserted.
 */
import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { type Built, buildImage, type ParsedList } from '../src/lists/build.ts'
import { type ParsedLines, parseLines } from '../src/lists/lines.ts'
import { Lookup } from '../src/lists/lookup.ts'
import { noLabels } from '../src/policy/policy.ts'
import { distinctNames, hostBelow, nameSource } from './domains.ts'
import {
  type BenchOptions,
  type BenchResult,
  below,
  type Comparison,
  compare,
  type Fact,
  perSecond,
  type Random,
  randomOf,
  zipfOf,
} from './measure.ts'

export const question =
  'How many hosts a second does the image answer for, against a plain Set and a walk over the suffixes?'

const SEED = 20_261_121
const MISS_SHARE = 0.9
/** Zipf: so many different hosts, the first asked for most often. */
const ZIPF_HOSTS_SHARE = 0.05

/** Published lists beside the project, where they are. */
const REAL_LISTS = new URL('../../shared/lists/', import.meta.url)

export async function run({ small }: BenchOptions): Promise<BenchResult> {
  const sizes = small ? [2_000] : [existsSync(REAL_LISTS) ? null : 300_000, 5_000_000]
  const comparisons: Comparison[] = []
  const facts: Fact[] = []
  for (const size of sizes) {
    const title =
      size === null ? 'published lists' : `${size.toLocaleString('en')} generated domains`
    const corpus = size === null ? publishedLists() : generatedList(size)
    const measured = await measureCorpus(title, corpus, small)
    comparisons.push(...measured.comparisons)
    facts.push(...measured.facts)
  }
  return { comparisons, facts, notes: NOTES }
}

const NOTES = [
  'Nine in ten hosts asked for are not listed. "distinct": every host is asked once. "Zipf": one in ' +
    'twenty of them, the r-th as often as 1/r.',
  'Host strings are made anew for each round, outside the measured time, as each request brings its own.',
  '"bytes": the host lies in a buffer already, as it does when it comes from a socket.',
  'The Set answers "listed or not"; the image also gives categories, platforms and flags of all suffixes.',
]

interface Corpus {
  readonly lists: readonly ParsedList[]
  readonly names: readonly string[]
  readonly textBytes: number
  readonly parseMs: number
}

function corpusOf(texts: readonly (readonly [name: string, text: Uint8Array])[]): Corpus {
  const beganMs = performance.now()
  const lists = texts.map(([name, text], bit): ParsedList => {
    return {
      source: { name, file: null, target: { kind: 'category', bit } },
      parsed: parseLines(text),
    }
  })
  const parseMs = performance.now() - beganMs
  const names = new Set(lists.flatMap(({ parsed }) => namesOf(parsed)))
  const textBytes = texts.reduce((sum, [, text]) => sum + text.length, 0)
  return { lists, names: [...names], textBytes, parseMs }
}

function publishedLists(): Corpus {
  const files = readdirSync(REAL_LISTS, { recursive: true, encoding: 'utf8' })
    .filter((name) => /^ut1\/.*\/domains$|^hosts\/(?!LICENSE)/.test(name))
    .sort()
  return corpusOf(files.map((name) => [name, readFileSync(new URL(name, REAL_LISTS))]))
}

function generatedList(count: number): Corpus {
  const names = distinctNames(randomOf(SEED), count)
  return corpusOf([['generated', new TextEncoder().encode(names.join('\n'))]])
}

/** Without the IP addresses: they are looked up whole, by the Set as by the image. */
function namesOf({ names, nameLines }: ParsedLines): string[] {
  const text = Buffer.from(names.buffer, names.byteOffset, names.length).toString('latin1')
  const found: string[] = []
  for (let at = 0, i = 0; i < nameLines.length; i++) {
    const end = at + 1 + names[at]!
    const name = text.slice(at + 1, end)
    if (!/\.\d+$|:/.test(name)) found.push(name)
    at = end
  }
  return found
}

async function measureCorpus(title: string, corpus: Corpus, small: boolean) {
  const beganMs = performance.now()
  const built = buildImage(corpus.lists, () => performance.now() - beganMs)
  assert(built.kind === 'built', JSON.stringify(built))
  const set = new Set(corpus.names)
  const random = randomOf(SEED + 1)
  const distinct = hostsToAsk(random, set, corpus.names, small ? 1_000 : 400_000)
  const ranked = distinct.slice(0, Math.ceil(distinct.length * ZIPF_HOSTS_SHARE))
  const rank = zipfOf(random, ranked.length)
  const zipf = distinct.map(() => ranked[rank()]!)
  const comparisons: Comparison[] = []
  for (const [kind, hosts] of Object.entries({ distinct, Zipf: zipf })) {
    comparisons.push(await compareWalks(`${title}, ${kind}`, built, set, hosts, small))
  }
  return { comparisons, facts: factsOf(title, corpus, built) }
}

function factsOf(title: string, corpus: Corpus, { report }: Built): Fact[] {
  const { domains, nodes, bytes, buildMs } = report
  return [
    { name: `${title}: domains`, value: domains, unit: '' },
    { name: `${title}: nodes`, value: nodes, unit: '' },
    { name: `${title}: text`, value: corpus.textBytes, unit: 'bytes' },
    { name: `${title}: image`, value: bytes, unit: 'bytes' },
    { name: `${title}: image a domain`, value: bytes / domains, unit: 'bytes' },
    { name: `${title}: text to names`, value: corpus.parseMs, unit: 'ms' },
    { name: `${title}: names to image`, value: buildMs, unit: 'ms' },
  ]
}

function hostsToAsk(random: Random, set: Set<string>, names: readonly string[], count: number) {
  const hosts = new Set<string>()
  const next = nameSource(random)
  while (hosts.size < count * MISS_SHARE) {
    const host = hostBelow(random, next())
    if (!listed(set, host)) hosts.add(host)
  }
  while (hosts.size < count) hosts.add(hostBelow(random, names[below(random, names.length)]!))
  return shuffled(random, [...hosts])
}

function shuffled(random: Random, hosts: string[]): string[] {
  for (let i = hosts.length - 1; i > 0; i--) {
    const j = below(random, i + 1)
    const host = hosts[i]!
    hosts[i] = hosts[j]!
    hosts[j] = host
  }
  return hosts
}

/** What one would write first. */
function listed(set: Set<string>, host: string): boolean {
  let suffix = host
  for (;;) {
    if (set.has(suffix)) return true
    const dot = suffix.indexOf('.')
    if (dot < 0) return false
    suffix = suffix.slice(dot + 1)
  }
}

function compareWalks(
  title: string,
  { buffer }: Built,
  set: Set<string>,
  hosts: readonly string[],
  small: boolean,
): Promise<Comparison> {
  const packed = Buffer.from(hosts.join(''), 'latin1')
  const ends = new Int32Array(hosts.length)
  let total = 0
  for (const [i, host] of hosts.entries()) {
    total += host.length
    ends[i] = total
  }
  const fresh = () =>
    Array.from(ends, (end, i) => packed.toString('latin1', i === 0 ? 0 : ends[i - 1]!, end))
  const expected = hosts.reduce((count, host) => count + (listed(set, host) ? 1 : 0), 0)
  const lookup = new Lookup(buffer)
  const labels = noLabels()
  const rated = (countListed: () => number) => {
    let count = 0
    const rate = perSecond(hosts.length, () => {
      count = countListed()
    })
    assert.equal(count, expected, `${title}: the contenders disagree`)
    return rate
  }
  const byString = (isListed: (host: string) => boolean) => () => {
    const strings = fresh()
    return rated(() => {
      let count = 0
      for (let i = 0; i < strings.length; i++) if (isListed(strings[i]!)) count++
      return count
    })
  }
  const byBytes = () =>
    rated(() => {
      let count = 0
      let start = 0
      for (let i = 0; i < ends.length; i++) {
        const end = ends[i]!
        if (lookup.matchBytes(packed, start, end, labels)) count++
        start = end
      }
      return count
    })
  return compare({
    title,
    unit: 'lookups/s',
    better: 'higher',
    rounds: small ? 1 : 11,
    warmUpRounds: small ? 0 : 3,
    contenders: [
      { name: 'Set and suffix walk', round: byString((host) => listed(set, host)) },
      { name: 'image, string', round: byString((host) => lookup.match(host, labels)) },
      { name: 'image, bytes', round: byBytes },
    ],
  })
}
