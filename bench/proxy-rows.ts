/**
 * Owns: the rows of the proxy's bench that are costs under load: CPU of a forwarded GET, of a
 * CONNECT, of a MB; and what comes of more clients, and of a second thread.
 * Never: starts or stops what is standing for all rows; proxy.bench.ts does.
 */
import { availableParallelism } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { type BenchOptions, type Comparison, compare, type Fact, median } from './measure.ts'
import { atLeast, costBeside, figure, type Kept } from './promises.ts'
import type { Job } from './stand/job.ts'
import { type Load, openConnects, openGets, type Target } from './stand/load.ts'
import { cpuUs, MEASURED_CORE, type Program, threadTicks } from './stand/processes.ts'
import type { Rival, RivalName } from './stand/rivals.ts'
import { openBulk } from './stand/tunnels.ts'

/** What all rows share. */
export interface Stand {
  readonly options: BenchOptions
  readonly originPort: number
  readonly origin: Program
  /** Squid first where it is installed. */
  readonly rivals: readonly Rival[]
  /** The same job, with so short a list that a start takes no time. */
  readonly shortJob: Job
  /** Another start with `shortJob`; who asks stops it. */
  fresh(name: RivalName, more?: { cores?: string; threads?: number }): Promise<Rival>
}

export interface Found {
  readonly comparisons: readonly Comparison[]
  readonly kept: readonly (Kept | null)[]
  readonly facts?: readonly Fact[]
  readonly notes?: readonly string[]
}

export type Row = (stand: Stand) => Promise<Found>
type Open = (target: Target) => Promise<Load>

const CLIENTS = 32
const BULK_CLIENTS = 4
const NUMBERS = [1, 10, 100, 1_000]
const NUMBERS_SMALL = [1, 10]
const THREAD_CLIENTS = 256
/** Rounds of the same thing differ by as much. */
const FALL_TOLERATED = 0.05
const SETTLE_MS = 100

export const forwardedGet: Row = async (stand) => {
  const what = 'forwarded GET, 1 KiB, keep-alive'
  const { cpu, ...found } = await costs(stand, what, (target) => openGets(target, CLIENTS))
  return { ...found, kept: [costBeside(cpu, what, 0.85, 0.5)] }
}

export const connectGetClose: Row = async (stand) => {
  const what = 'CONNECT + GET + close'
  const { cpu, ...found } = await costs(stand, what, (target) => openConnects(target, CLIENTS))
  return { ...found, kept: [costBeside(cpu, what, 0.8, 0.6)] }
}

export const throughTunnel: Row = async (stand) => {
  const open = (direction: 'down' | 'up'): Open => {
    return (target) => openBulk(target, BULK_CLIENTS, direction)
  }
  const down = await costs(stand, 'MB down a tunnel', open('down'))
  const up = await costs(stand, 'MB up a tunnel', open('up'))
  return {
    comparisons: [...down.comparisons, ...up.comparisons],
    kept: [
      costBeside(down.cpu, 'MB through a tunnel, down', 1.3, 1),
      costBeside(up.cpu, 'MB through a tunnel, up', 1.3, 1),
    ],
    facts: [...down.facts, ...up.facts],
    notes: [
      `Tunnels: ${BULK_CLIENTS} at a time, bodies of 8 MB one after another; a MB is 10⁶ bytes.`,
    ],
  }
}

/** Rounds, and before them how many that do not count. */
export function roundsOf({ small, rounds = small ? 1 : 5 }: BenchOptions, warmUpRounds = 1) {
  return { rounds, warmUpRounds: small ? 0 : warmUpRounds }
}

export function durationMsOf({ small, seconds = small ? 0.05 : 3 }: BenchOptions): number {
  return seconds * 1_000
}

/** Figures of rounds that are over, as a comparison. */
export function compareFigures(
  what: Pick<Comparison, 'title' | 'unit' | 'better'>,
  figures: ReadonlyMap<string, readonly number[]>,
): Promise<Comparison> {
  const contenders = [...figures].map(([name, of]) => {
    const left = of.values()
    return { name, round: () => left.next().value! }
  })
  const rounds = [...figures.values()][0]!.length
  return compare({ ...what, rounds, warmUpRounds: 0, contenders })
}

interface Cost {
  readonly perSecond: number
  readonly cpuUs: number
  /** Of its core, what load and origin took: near 1 it was the load that gave the rate. */
  readonly loadShare: number
}

interface Costing {
  readonly stand: Stand
  readonly rival: Rival
  readonly open: Open
}

async function cost({ stand, rival, open }: Costing): Promise<Cost> {
  const { program, target } = rival
  const load = await open(target)
  const loadUs = () => {
    const { user, system } = process.cpuUsage()
    return user + system + cpuUs(stand.origin)
  }
  try {
    const [beganUs, loadBeganUs, beganMs] = [cpuUs(program), loadUs(), performance.now()]
    const done = await load.run(durationMsOf(stand.options))
    const tookMs = performance.now() - beganMs
    return {
      perSecond: (done * 1_000) / tookMs,
      // Under the resolution of /proc only in a small run, which is not for measuring.
      cpuUs: Math.max(1, cpuUs(program) - beganUs) / done,
      loadShare: (loadUs() - loadBeganUs) / 1_000 / tookMs,
    }
  } catch (error) {
    throw new Error(`${rival.name} failed`, { cause: error })
  } finally {
    load.close()
    await sleep(SETTLE_MS)
  }
}

/** Each round gives two figures, the CPU it took and the rate: a comparison of each. */
async function costs(stand: Stand, what: string, open: Open) {
  const { options, rivals } = stand
  const { warmUpRounds, ...rounds } = roundsOf(options)
  const found = new Map<string, Cost[]>(rivals.map(({ name }) => [name, []]))
  const cpu = await compare({
    ...{ ...rounds, warmUpRounds, title: `CPU of a ${what}`, unit: 'µs of CPU', better: 'lower' },
    contenders: rivals.map((rival) => ({
      name: rival.name,
      round: async () => {
        const one = await cost({ stand, rival, open })
        found.get(rival.name)!.push(one)
        return one.cpuUs
      },
    })),
  })
  const counted = (pick: (one: Cost) => number) => {
    return new Map([...found].map(([name, all]) => [name, all.slice(warmUpRounds).map(pick)]))
  }
  const perSecond = { title: `${what}: how many a second`, unit: '/s', better: 'higher' } as const
  return {
    cpu,
    comparisons: [
      cpu,
      await compareFigures(
        perSecond,
        counted(({ perSecond }) => perSecond),
      ),
    ],
    facts: [...counted(({ loadShare }) => loadShare)].map(([name, shares]): Fact => {
      const of = `${what}, ${name}: of their core, load and origin use`
      return { name: of, value: median(shares) * 100, unit: '%' }
    }),
  }
}

/** One client to a thousand. */
export const moreClients: Row = async (stand) => {
  const { options, rivals } = stand
  const numbers = options.small ? NUMBERS_SMALL : NUMBERS
  const { rounds, warmUpRounds } = roundsOf(options)
  const found = new Map<string, Cost[]>()
  for (let round = -warmUpRounds; round < rounds; round++) {
    for (const clients of numbers) {
      for (const rival of rivals) {
        const one = await cost({ stand, rival, open: (target) => openGets(target, clients) })
        const key = `${rival.name} ${clients}`
        if (round >= 0) found.set(key, [...(found.get(key) ?? []), one])
      }
    }
  }
  const comparisons: Comparison[] = []
  for (const clients of numbers) {
    const of = (name: string) => found.get(`${name} ${clients}`)!
    const perSecond = { title: `GETs a second, ${clients} clients`, unit: 'GETs/s' }
    const cpu = { title: `CPU of a GET, ${clients} clients`, unit: 'µs of CPU' }
    const figures = (pick: (one: Cost) => number) => {
      return new Map(rivals.map(({ name }) => [name, of(name).map(pick)]))
    }
    comparisons.push(
      await compareFigures(
        { ...perSecond, better: 'higher' },
        figures((one) => one.perSecond),
      ),
      await compareFigures(
        { ...cpu, better: 'lower' },
        figures((one) => one.cpuUs),
      ),
    )
  }
  return { comparisons, kept: options.small ? [] : [noFall(found)] }
}

function noFall(found: ReadonlyMap<string, readonly Cost[]>): Kept {
  const rates = (key: string) => found.get(key)!.map(({ perSecond }) => perSecond)
  const [less, more] = [rates('Sluss 100'), rates('Sluss 1000')]
  const ratios = more.map((rate, i) => rate / less[i]!)
  const theirs = found.has('Squid 1000')
    ? `${figure(median(rates('Squid 100')))} → ${figure(median(rates('Squid 1000')))}`
    : ''
  return {
    what: 'GETs/s, 100 → 1,000 clients: no fall',
    ours: `${figure(median(less))} → ${figure(median(more))}`,
    ...{ theirs, ratio: median(ratios) },
    ...{ ratioMin: Math.min(...ratios), ratioMax: Math.max(...ratios) },
    ...{ must: atLeast(1 - FALL_TOLERATED), aim: null },
  }
}

/** One thread on a core of its own, and two; where no two cores are free, what they would give. */
export const moreThreads: Row = async (stand) => {
  const { options } = stand
  const free = availableParallelism() > 2
  const two = `${MEASURED_CORE}-${MEASURED_CORE + 1}`
  const one = await stand.fresh('Sluss')
  const both = await stand.fresh('Sluss', { cores: two, threads: 2 })
  try {
    const open: Open = (target) => openGets(target, options.small ? CLIENTS : THREAD_CLIENTS)
    const { rounds, warmUpRounds } = roundsOf(options)
    const [ones, twos]: [Cost[], Cost[]] = [[], []]
    const shares: number[] = []
    for (let round = -warmUpRounds; round < rounds; round++) {
      const single = await cost({ stand, rival: one, open })
      const before = threadTicks(both.program)
      const double = await cost({ stand, rival: both, open })
      if (round < 0) continue
      ones.push(single)
      twos.push(double)
      shares.push(shareOfBusier(before, threadTicks(both.program)))
    }
    const names = ['1 thread', `2 threads${free ? '' : ', one of them on the core of the load'}`]
    const figures = (pick: (one: Cost) => number) => {
      return new Map([ones, twos].map((all, i) => [names[i]!, all.map(pick)]))
    }
    const comparisons = [
      await compareFigures(
        { title: 'GETs a second, 1 → 2 threads', unit: 'GETs/s', better: 'higher' },
        figures(({ perSecond }) => perSecond),
      ),
      await compareFigures(
        { title: 'CPU of a GET, 1 → 2 threads', unit: 'µs of CPU', better: 'lower' },
        figures(({ cpuUs }) => cpuUs),
      ),
    ]
    const share = { name: 'of two threads, the busier has of their CPU', unit: '' }
    return {
      comparisons,
      kept: options.small ? [] : [twice(ones, twos, shares, free)],
      facts: [{ ...share, value: median(shares) }],
      notes: [
        free
          ? 'Two threads: on two cores, load and origin on others.'
          : 'Two threads: there are two cores here and the load needs one, so the rate of two says nothing of two free cores. Judged is CPU: a GET with one thread to a GET with two, times two, or times what the busier thread leaves room for.',
      ],
    }
  } finally {
    await Promise.all([one.program.stop(), both.program.stop()])
  }
}

function shareOfBusier(
  before: ReadonlyMap<number, number>,
  after: ReadonlyMap<number, number>,
): number {
  const spent = [...after].map(([id, ticks]) => ticks - (before.get(id) ?? 0))
  const [first = 0, second = 0] = spent.sort((a, b) => b - a)
  return first + second === 0 ? 1 : first / (first + second)
}

function twice(ones: Cost[], twos: Cost[], shares: number[], free: boolean): Kept {
  const ratios = ones.map((one, i) => {
    const other = twos[i]!
    if (free) return other.perSecond / one.perSecond
    return (one.cpuUs / other.cpuUs) * Math.min(2, 1 / shares[i]!)
  })
  const pick = free ? (one: Cost) => one.perSecond : (one: Cost) => one.cpuUs
  const unit = free ? '/s' : 'µs'
  return {
    what: free ? 'GETs/s, 1 → 2 threads' : 'GETs per CPU, 1 → 2 threads, times 2',
    ours: `${figure(median(ones.map(pick)))} → ${figure(median(twos.map(pick)))} ${unit}`,
    ...{ theirs: '', ratio: median(ratios) },
    ...{ ratioMin: Math.min(...ratios), ratioMax: Math.max(...ratios) },
    ...{ must: atLeast(1.7), aim: null },
  }
}
