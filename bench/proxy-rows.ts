/**
 * Owns: the rows of the proxy's bench that are costs under load: CPU of a forwarded GET, of a
 * CONNECT, of a MB; and what comes of more clients.
 * Never: starts or stops what is standing for all rows; proxy.bench.ts does.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { type BenchOptions, type Comparison, compare, type Fact, median } from './measure.ts'
import { atLeast, costBeside, figure, type Kept } from './promises.ts'
import type { Job } from './stand/job.ts'
import { type Load, openConnects, openGets, type Target } from './stand/load.ts'
import { type Cores, cpuUs, type Program } from './stand/processes.ts'
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
  fresh(name: RivalName, more?: { cores?: Cores; threads?: number }): Promise<Rival>
}

export interface Found {
  readonly comparisons: readonly Comparison[]
  readonly kept: readonly (Kept | null)[]
  readonly facts?: readonly Fact[]
  readonly notes?: readonly string[]
}

export type Row = (stand: Stand) => Promise<Found>
export type Open = (target: Target) => Promise<Load>

export const CLIENTS = 32
const BULK_CLIENTS = 4
const NUMBERS = [1, 10, 100, 1_000]
const NUMBERS_SMALL = [1, 10]
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

/** Our code is compiled while it runs, by threads that are counted: for some ten seconds of load. */
const WARM_UP_ROUNDS = 4

/** Rounds, and before them how many that do not count. */
export function roundsOf(
  { small, rounds = small ? 1 : 5 }: BenchOptions,
  warmUpRounds = WARM_UP_ROUNDS,
) {
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

export interface Cost {
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

export async function cost({ stand, rival, open }: Costing): Promise<Cost> {
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
  const { rounds, warmUpRounds } = roundsOf(options, 1)
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
