/**
 * Owns: how the cost of a lookup and the memory grow with the number of domains: all sizes at once,
 * taking turns, so that what else the machine does weighs on all alike.
 * Never: compares contenders at one size; matcher.bench.ts does.
 */
import type { Form } from './asking.ts'
import type { Kind } from './contenders.ts'
import { type Corpus, QUESTIONS, type Question } from './corpus.ts'
import { type Comparison, compare, type Fact, type Table } from './measure.ts'
import type { Line, Plot } from './plot.ts'
import type { Measured, Opener } from './stand/contender.ts'

const MIB = 1_024 * 1_024
const KINDS = ['set', 'image'] as const

/** One way to ask, over all sizes. */
interface Way {
  readonly name: string
  readonly kind: Kind
  readonly form: Form
}

const WAYS: readonly Way[] = [
  { name: 'Set walk', kind: 'set', form: 'string' },
  { name: 'image, string', kind: 'image', form: 'string' },
  { name: 'image, bytes', kind: 'image', form: 'bytes' },
]

export interface Growth {
  readonly corpora: readonly Corpus[]
  /** The costs in ns, sizes side by side; the smallest is the baseline. */
  readonly costs: readonly {
    readonly way: Way
    readonly question: Question
    readonly ns: Comparison
  }[]
  /** By corpus. */
  readonly built: readonly Readonly<Record<(typeof KINDS)[number], Measured['built']>>[]
}

export interface GrowthOptions {
  readonly rounds: number
  readonly warmUpRounds: number
}

export async function measureGrowth(
  corpora: readonly Corpus[],
  open: Opener,
  options: GrowthOptions,
): Promise<Growth> {
  const opened: Record<(typeof KINDS)[number], Measured[]> = { set: [], image: [] }
  try {
    for (const { folder } of corpora) {
      for (const kind of KINDS) opened[kind].push(await open(kind, folder))
    }
    const costs: Growth['costs'][number][] = []
    for (const way of WAYS) {
      for (const question of QUESTIONS) {
        const contenders = corpora.map(({ domains }, i) => ({
          name: domains.toLocaleString('en'),
          round: async () => {
            const measured = opened[way.kind as (typeof KINDS)[number]][i]!
            return 1e9 / (await measured.round(question, way.form)).lookupsPerSecond
          },
        }))
        const title = `${way.name}, ${question}`
        const how = { title, unit: 'ns', better: 'lower', ...options } as const
        costs.push({ way, question, ns: await compare({ ...how, contenders }) })
      }
    }
    const built = corpora.map((_, i) => ({
      set: opened.set[i]!.built,
      image: opened.image[i]!.built,
    }))
    return { corpora, costs, built }
  } finally {
    await Promise.all(Object.values(opened).flatMap((all) => all.map((one) => one.close())))
  }
}

export function growthTable({ corpora, costs, built }: Growth): Table {
  return {
    title: 'Growth',
    header: [
      'domains',
      ...costs.map(({ way, question }) => `${way.name}, ${question}: ns`),
      'Set: bytes a domain',
      'image: bytes a domain',
      'image: build s',
    ],
    rows: corpora.map(({ domains }, i) => [
      domains.toLocaleString('en'),
      ...costs.map(({ ns }) => ns.rows[i]!.median.toFixed(0)),
      ...KINDS.map((kind) => (built[i]![kind].keptBytes / domains).toFixed(1)),
      (built[i]!.image.buildMs / 1_000).toFixed(2),
    ]),
  }
}

/** How many times the smallest's cost the largest's is, round by round. */
export function growthFacts({ corpora, costs }: Growth): Fact[] {
  const [from, to] = [corpora[0]!, corpora.at(-1)!].map((one) => one.domains.toLocaleString('en'))
  return costs.map(({ way, question, ns }) => ({
    name: `growth of the cost, ${from} to ${to} domains: ${way.name}, ${question}`,
    value: 1 / ns.rows.at(-1)!.ratio,
    unit: '×',
  }))
}

export function growthPlots({ corpora, costs, built }: Growth): Plot[] {
  const x = { label: 'listed domains', scale: 'log' } as const
  const cost = costs.map(({ way, question, ns }): Line => {
    const points = corpora.map(({ domains }, i) => [domains, ns.rows[i]!.median] as const)
    return { name: `${way.name}, ${question}`, group: way.name, points }
  })
  const kept = KINDS.map((kind): Line => {
    const points = corpora.map(
      ({ domains }, i) => [domains, built[i]![kind].keptBytes / MIB] as const,
    )
    return { name: kind === 'set' ? 'Set' : 'image', group: kind, points }
  })
  return [
    {
      ...{ name: 'cost', title: 'What a lookup costs, by how much is listed', x, lines: cost },
      ...{ y: { label: 'ns a lookup, median', scale: 'log' }, spans: [] },
    },
    {
      ...{ name: 'memory', title: 'What is kept in memory, by how much is listed', x, lines: kept },
      ...{ y: { label: 'MiB', scale: 'log' }, spans: [] },
    },
  ]
}
