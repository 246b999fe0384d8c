/**
 * Owns: the bench of the lookup: against what one would write first, what one can best write in
 * plain JavaScript and what is published; how it grows; what share of a request it is.
 * Never: lets them disagree; their answers for every host are compared, and each round's count.
 */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Form } from './asking.ts'
import { CONTENDERS, type Kind } from './contenders.ts'
import { type Corpus, listFiles, publishedCount, QUESTIONS, writeCorpora } from './corpus.ts'
import {
  type GrowthOptions,
  growthFacts,
  growthPlots,
  growthTable,
  measureGrowth,
} from './matcher-growth.ts'
import {
  type BenchOptions,
  type BenchResult,
  type Comparison,
  compare,
  type Fact,
  median,
  type Table,
} from './measure.ts'
import { contenderApart, contenderHere, type Measured, type Opener } from './stand/contender.ts'
import { openGets } from './stand/load.ts'
import {
  cpuUs,
  LOAD_CORE,
  MEASURED_CORE,
  pathOf,
  pinSelf,
  startProgram,
} from './stand/processes.ts'
import { startSluss } from './stand/sluss.ts'

export const question =
  'How many hosts a second does the image answer for, against a plain Set and a walk over the ' +
  'suffixes, the best of plain JavaScript, and published packages? How does it grow?'

const EVERYONE: readonly Kind[] = ['set', 'map', 'trie', 'tldts', 'ghostery', 'image']
/** With five million rules it takes minutes to begin. */
const WITHOUT_GHOSTERY = EVERYONE.filter((kind) => kind !== 'ghostery')
const REQUEST_CLIENTS = 32
const REQUEST_ROUNDS = 3
const REQUESTS_MS = 3_000
const MIB = 1_024 * 1_024

interface Scale {
  readonly hosts: number
  /** Where everyone is compared. */
  readonly sizes: readonly (readonly [domains: number, kinds: readonly Kind[]])[]
  readonly rounds: GrowthOptions
  /** Beside those. */
  readonly growthSizes: readonly number[]
  readonly growthRounds: GrowthOptions
  readonly open: Opener
}

/** Everything there is, in little: in this process, without the published lists. */
const SMALL: Scale = {
  hosts: 1_000,
  sizes: [[2_000, EVERYONE]],
  rounds: { rounds: 1, warmUpRounds: 0 },
  growthSizes: [500],
  growthRounds: { rounds: 1, warmUpRounds: 0 },
  open: contenderHere,
}

function largeScale(): Scale {
  return {
    hosts: 400_000,
    sizes: [
      [450_000, EVERYONE],
      [5_000_000 + publishedCount(), WITHOUT_GHOSTERY],
    ],
    rounds: { rounds: 9, warmUpRounds: 2 },
    growthSizes: [10_000, 50_000, 200_000, 1_000_000, 2_500_000],
    growthRounds: { rounds: 7, warmUpRounds: 2 },
    open: contenderApart,
  }
}

/** What was found of one corpus. */
interface Account {
  readonly corpus: Corpus
  readonly kinds: readonly Kind[]
  readonly comparisons: readonly Comparison[]
  readonly built: ReadonlyMap<Kind, Measured['built']>
  /** Of the image, by question. */
  readonly coldNs: readonly number[]
  readonly allocatedBytes: readonly number[]
}

export async function run({ small }: BenchOptions): Promise<BenchResult> {
  const scale = small ? SMALL : largeScale()
  const folder = mkdtempSync(join(tmpdir(), 'sluss-bench-'))
  try {
    const compared = scale.sizes.map(([domains]) => domains)
    const sizes = [...scale.growthSizes, ...compared].sort((a, b) => a - b)
    const corpora = writeCorpora({ folder, sizes, hosts: scale.hosts, published: !small })
    const accounts: Account[] = []
    for (const [domains, kinds] of scale.sizes) {
      accounts.push(await measureCorpus(corpora[sizes.indexOf(domains)]!, kinds, scale))
    }
    const growth = await measureGrowth(corpora, scale.open, scale.growthRounds)
    const largest = accounts.at(-1)!
    const requestUs = small ? [] : await requestCosts(join(folder, 'sluss'), largest.corpus)
    return {
      comparisons: accounts.flatMap(({ comparisons }) => comparisons),
      tables: [...accounts.map(keepingTable), growthTable(growth)],
      plots: growthPlots(growth),
      facts: [...factsOf(largest), ...growthFacts(growth), ...shareFacts(largest, requestUs)],
      notes: NOTES,
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

const NOTES = [
  'Nine in ten hosts asked for are not listed. "distinct": every host is asked once. "Zipf": one in ' +
    'twenty of them, the r-th as often as 1/r; each tenth of these is listed.',
  'The lists: published ones as far as they reach, the rest generated. Each smaller corpus is the ' +
    'beginning of the larger ones; what is not listed in the largest is asked of all.',
  'Each contender has a process of its own; they take turns. Host strings are made anew for each ' +
    'round, outside the measured time, as each request brings its own.',
  '"bytes": the host lies in a buffer already, as it does when it comes from a socket.',
  'All answer "listed or not" alike, host by host. The Map and the image also give the categories, ' +
    'and they are the same; the image gives platforms, flags, list and line besides.',
  '@ghostery/adblocker is asked for one in sixteen of the hosts, and left out of the largest corpus.',
  '"kept" is what a contender has on its heap and beside it; "process" is the resident memory of its ' +
    'process after the build, Node and the hosts to ask for included.',
  'The image is built in a thread of its own from files of text, as the service builds it: reading, ' +
    'checking each line, sorting out duplicates, and the line of each name are in the time. It is ' +
    'loaded from a file that lies in the cache of the system, and its checksum is made.',
]

interface Entrant {
  readonly name: string
  readonly kind: Kind
  readonly form: Form
}

async function measureCorpus(
  corpus: Corpus,
  kinds: readonly Kind[],
  scale: Scale,
): Promise<Account> {
  const opened = new Map<Kind, Measured>()
  try {
    // One after the other: a build is measured too.
    for (const kind of kinds) opened.set(kind, await scale.open(kind, corpus.folder))
    await assertAlike(opened)
    const comparisons: Comparison[] = []
    for (const question of QUESTIONS) {
      const { rounds } = scale
      const title = `${corpus.domains.toLocaleString('en')} domains, ${question}`
      const options = { title, unit: 'lookups/s', better: 'higher', ...rounds } as const
      const contenders = entrantsOf(kinds).map(({ name, kind, form }) => ({
        name,
        round: async () => (await opened.get(kind)!.round(question, form)).lookupsPerSecond,
      }))
      comparisons.push(await compare({ ...options, contenders }))
    }
    const image = opened.get('image')!
    const coldNs: number[] = []
    const allocatedBytes: number[] = []
    for (const question of QUESTIONS) {
      coldNs.push(await image.coldNs(question))
      for (const form of ['string', 'bytes'] as const) {
        allocatedBytes.push(await image.allocatedBytes(question, form))
      }
    }
    const built = new Map([...opened].map(([kind, one]) => [kind, one.built] as const))
    return { corpus, kinds, comparisons, built, coldNs, allocatedBytes }
  } finally {
    await Promise.all([...opened.values()].map((one) => one.close()))
  }
}

function entrantsOf(kinds: readonly Kind[]): Entrant[] {
  return kinds.flatMap((kind): Entrant[] => {
    const { name } = CONTENDERS[kind]
    if (kind !== 'image') return [{ name, kind, form: 'string' }]
    return (['string', 'bytes'] as const).map((form) => ({ name: `${name}, ${form}`, kind, form }))
  })
}

/** Each contender, string or bytes, finds the same hosts listed; and the same categories. */
async function assertAlike(opened: ReadonlyMap<Kind, Measured>): Promise<void> {
  for (const question of QUESTIONS) {
    const categories = new Set<string>()
    for (const { name, kind, form } of entrantsOf([...opened.keys()])) {
      const { share } = CONTENDERS[kind]
      const found = await opened.get(kind)!.answers(question, form, share)
      const { listed, whichListed } = await opened.get('set')!.answers(question, 'string', share)
      assert(listed > 0, 'nothing that is asked for is listed')
      assert.equal(found.listed, listed, `${name}, ${question}: not as many listed as by the Set`)
      assert.equal(found.whichListed, whichListed, `${name}, ${question}: not the hosts of the Set`)
      if (found.categories !== null) categories.add(found.categories)
      const round = await opened.get(kind)!.round(question, form)
      assert.equal(round.listed, listed, `${name}, ${question}: a round found other hosts`)
    }
    assert.equal(categories.size, 1, `${question}: the categories differ`)
  }
}

/** CPU of forwarded requests through a Sluss with these lists, in microseconds, round by round. */
async function requestCosts(folder: string, corpus: Corpus): Promise<number[]> {
  pinSelf()
  const origin = await startProgram(LOAD_CORE, pathOf('bench/stand/origin.ts'), [])
  try {
    const originPort = Number(origin.ready.split(' ')[1])
    const lists = listFiles(corpus.folder)
    const { program, proxyPort } = await startSluss({
      ...{ folder, cores: MEASURED_CORE },
      ...{ originPort, lists },
    })
    try {
      const costs: number[] = []
      const target = { proxyPort, originPort, hosts: ['127.0.0.1'], logins: [] }
      const load = await openGets(target, REQUEST_CLIENTS)
      for (let round = -1; round < REQUEST_ROUNDS; round++) {
        const beganUs = cpuUs(program)
        const done = await load.run(REQUESTS_MS)
        if (round >= 0) costs.push((cpuUs(program) - beganUs) / done)
      }
      load.close()
      return costs
    } finally {
      await program.stop()
    }
  } finally {
    await origin.stop()
  }
}

/** What each contender keeps, and how long it takes to build. */
function keepingTable({ corpus, kinds, built }: Account): Table {
  const { domains } = corpus
  return {
    title: `${domains.toLocaleString('en')} domains, memory and build`,
    header: ['', 'kept MiB', 'kept bytes a domain', 'process MiB', 'build s', 'load ms'],
    rows: kinds.map((kind) => {
      const { keptBytes, rssBytes, buildMs, loadMs } = built.get(kind)!
      const mib = (bytes: number) => (bytes / MIB).toFixed(0)
      const perDomain = (keptBytes / domains).toFixed(1)
      const seconds = (buildMs / 1_000).toFixed(2)
      const load = loadMs === null ? '–' : loadMs.toFixed(0)
      return [CONTENDERS[kind].name, mib(keptBytes), perDomain, mib(rssBytes), seconds, load]
    }),
  }
}

function factsOf({ corpus, built, allocatedBytes, coldNs }: Account): Fact[] {
  const { buildMs, loadMs, keptBytes } = built.get('image')!
  const size = corpus.domains.toLocaleString('en')
  const allocated = Math.max(...allocatedBytes)
  return [
    { name: 'published domains', value: corpus.published, unit: '' },
    { name: `build from text, ${size} domains`, value: buildMs / 1_000, unit: 's' },
    { name: `load of the saved image, ${size} domains`, value: loadMs ?? 0, unit: 'ms' },
    { name: 'image', value: keptBytes / corpus.domains, unit: 'bytes a domain' },
    // What is left of the counting itself is a fraction of a byte.
    { name: 'allocated by a lookup', value: Math.floor(allocated), unit: 'bytes' },
    ...QUESTIONS.map((question, i) => ({
      name: `a lookup by string with a cold cache, ${question}`,
      value: coldNs[i]!,
      unit: 'ns',
    })),
  ]
}

/** What share of a request its lookup is: none of this where no request was measured. */
function shareFacts({ comparisons, coldNs }: Account, requestUs: readonly number[]): Fact[] {
  if (requestUs.length === 0) return []
  const zipf = QUESTIONS.indexOf('Zipf')
  const row = comparisons[zipf]!.rows.find(({ name }) => name === 'image, string')!
  const [request, lookupUs, coldUs] = [median(requestUs), 1e6 / row.median, coldNs[zipf]! / 1_000]
  const share = (us: number) => ({ value: (us / request) * 100, unit: '%' })
  return [
    { name: 'a forwarded request, CPU of the whole of Sluss', value: request, unit: 'µs' },
    { name: 'its lookup, Zipf by string', value: lookupUs, unit: 'µs' },
    { name: 'share of the lookup in the request', ...share(lookupUs) },
    { name: 'share of it with a cold cache', ...share(coldUs) },
  ]
}
