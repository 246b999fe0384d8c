/**
 * Owns: the lists of the matcher's bench, as files: published ones first, then generated ones; and
 * the hosts that are asked for.
 * Never: measures. What it writes is the same on every machine that has the same published lists.
 *
 * A corpus is a folder: `<n>.list`, a domain a line, one category each, and for each kind of
 * question `<kind>.hosts`, a host a line. Smaller corpora are the beginnings of larger ones, and
 * what is not listed in the largest is asked of all.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseLines } from '../src/lists/lines.ts'
import { distinctNames, hostBelow, nameSource } from './domains.ts'
import { below, type Random, randomOf, zipfOf } from './measure.ts'

const SEED = 20_261_121
const MISS_SHARE = 0.9
/** Zipf: of so many different hosts, the r-th is asked for as often as 1/r. */
const ZIPF_HOSTS_SHARE = 0.05
/** Zipf: each tenth rank is listed, the fifth the first. */
const ZIPF_HIT_EVERY = 10
const ZIPF_HIT_FIRST = 4

/** Published lists beside the project, where they are. */
const PUBLISHED = new URL('../../shared/lists/', import.meta.url)

export const QUESTIONS = ['distinct', 'Zipf'] as const
export type Question = (typeof QUESTIONS)[number]

export interface Corpus {
  readonly folder: string
  readonly domains: number
  /** Of them: from published lists. */
  readonly published: number
}

export interface CorporaOptions {
  readonly folder: string
  /** Domains in each, rising. */
  readonly sizes: readonly number[]
  readonly hosts: number
  readonly published: boolean
}

/** Writes one folder for each size. */
export function writeCorpora({ folder, sizes, hosts, published }: CorporaOptions): Corpus[] {
  const random = randomOf(SEED)
  const lists = published ? publishedLists() : []
  const listsOf = new Map<string, number[]>()
  for (const [list, names] of lists.entries()) {
    for (const name of names) listsOf.set(name, [...(listsOf.get(name) ?? []), list])
  }
  const real = shuffled(random, [...listsOf.keys()])
  const wanted = Math.max(...sizes)
  const made = distinctNames(random, Math.max(0, wanted - real.length), new Set(real))
  const all = [...real, ...made].slice(0, wanted)
  const misses = missesOf(random, new Set(all), Math.round(hosts * MISS_SHARE))
  return sizes.map((size): Corpus => {
    const into = join(folder, String(size))
    mkdirSync(into)
    const names = all.slice(0, size)
    const texts: string[][] = Array.from({ length: lists.length + 1 }, () => [])
    for (const name of names) {
      for (const list of listsOf.get(name) ?? [lists.length]) texts[list]!.push(name)
    }
    for (const [list, text] of texts.entries()) {
      if (text.length > 0) writeLines(join(into, `${list}.list`), text)
    }
    const hits = hitsOf(random, names, hosts - misses.length)
    writeLines(hostsFile(into, 'distinct'), shuffled(random, [...misses, ...hits]))
    writeLines(hostsFile(into, 'Zipf'), zipfDraws(random, misses, hits))
    return { folder: into, domains: names.length, published: Math.min(size, real.length) }
  })
}

/** The lists of a corpus, in the order of their categories. */
export function listFiles(folder: string): string[] {
  return readdirSync(folder)
    .filter((file) => file.endsWith('.list'))
    .sort((a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10))
    .map((file) => join(folder, file))
}

export function hostsFile(folder: string, question: Question): string {
  return join(folder, `${question}.hosts`)
}

/** The lines of a file that has at least one, as strings of their own that do not hold the text. */
export function readLines(file: string): string[] {
  const text = readFileSync(file)
  const lines: string[] = []
  for (let start = 0; start < text.length; ) {
    const end = text.indexOf('\n', start)
    lines.push(text.toString('latin1', start, end))
    start = end + 1
  }
  return lines
}

/** How many published domains there are beside the project; 0 where there are none. */
export function publishedCount(): number {
  return new Set(publishedLists().flat()).size
}

function writeLines(file: string, lines: readonly string[]): void {
  writeFileSync(file, `${lines.join('\n')}\n`, 'latin1')
}

function publishedLists(): string[][] {
  if (!existsSync(PUBLISHED)) return []
  return readdirSync(PUBLISHED, { recursive: true, encoding: 'utf8' })
    .filter((name) => /^ut1\/.*\/domains$|^hosts\/(?!LICENSE)/.test(name))
    .sort()
    .map((name) => namesOf(readFileSync(new URL(name, PUBLISHED))))
}

/** Without the IP addresses: they are looked up whole, by the Set as by the image. */
function namesOf(bytes: Uint8Array): string[] {
  const { names, nameLines } = parseLines(bytes)
  const text = Buffer.from(names.buffer, names.byteOffset, names.length)
  const found: string[] = []
  for (let at = 0, i = 0; i < nameLines.length; i++) {
    const end = at + 1 + names[at]!
    const name = text.toString('latin1', at + 1, end)
    if (!/\.\d+$|:/.test(name)) found.push(name)
    at = end
  }
  return found
}

function missesOf(random: Random, listed: ReadonlySet<string>, count: number): string[] {
  const hosts = new Set<string>()
  const next = nameSource(random)
  while (hosts.size < count) {
    const host = hostBelow(random, next())
    if (!isListed(listed, host)) hosts.add(host)
  }
  return [...hosts]
}

function hitsOf(random: Random, names: readonly string[], count: number): string[] {
  const hosts = new Set<string>()
  while (hosts.size < count) hosts.add(hostBelow(random, names[below(random, names.length)]!))
  return [...hosts]
}

function zipfDraws(random: Random, misses: readonly string[], hits: readonly string[]): string[] {
  const draws = misses.length + hits.length
  const [miss, hit] = [misses.values(), hits.values()]
  const ranked = Array.from({ length: Math.ceil(draws * ZIPF_HOSTS_SHARE) }, (_, rank): string => {
    return (rank % ZIPF_HIT_EVERY === ZIPF_HIT_FIRST ? hit : miss).next().value!
  })
  const rank = zipfOf(random, ranked.length)
  return Array.from({ length: draws }, () => ranked[rank()]!)
}

/** What one would write first, and what all others are compared with. */
export function isListed(set: ReadonlySet<string>, host: string): boolean {
  let suffix = host
  for (;;) {
    if (set.has(suffix)) return true
    const dot = suffix.indexOf('.')
    if (dot < 0) return false
    suffix = suffix.slice(dot + 1)
  }
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
