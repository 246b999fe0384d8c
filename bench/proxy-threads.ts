/**
 * Owns: the row of the proxy's bench that says what a second proxy thread brings.
 * Never: says of cores that are not free what only free ones could show.
 */
import { availableParallelism } from 'node:os'
import { median } from './measure.ts'
import { atLeast, figure, type Kept } from './promises.ts'
import {
  CLIENTS,
  type Cost,
  compareFigures,
  cost,
  type Open,
  type Row,
  roundsOf,
} from './proxy-rows.ts'
import { openGets } from './stand/load.ts'
import { type Cores, MEASURED_CORE, threadTicks } from './stand/processes.ts'

/** So many that it hardly matters how the kernel deals them out to two threads. */
const THREAD_CLIENTS = 256
const TWO_CORES = `${MEASURED_CORE}-${MEASURED_CORE + 1}`

interface Setup {
  readonly name: string
  readonly threads: number
  readonly cores: Cores
}

const ONE: Setup = { name: '1 thread', threads: 1, cores: MEASURED_CORE }
/** The first is judged. */
const ON_FREE: readonly Setup[] = [{ name: '2 threads on 2 cores', threads: 2, cores: TWO_CORES }]
const ON_SHARED: readonly Setup[] = [
  { name: '2 threads on the same core', threads: 2, cores: MEASURED_CORE },
  { name: '2 threads on 2 cores, one of them the core of the load', threads: 2, cores: TWO_CORES },
]

/** One thread on a core of its own, and two; where no two cores are free, what they would give. */
export const moreThreads: Row = async (stand) => {
  const { options } = stand
  const free = availableParallelism() > 2
  const setups = [ONE, ...(free ? ON_FREE : ON_SHARED)]
  const rivals = []
  for (const { cores, threads } of setups) {
    rivals.push(await stand.fresh('Sluss', { cores, threads }))
  }
  try {
    const open: Open = (target) => openGets(target, options.small ? CLIENTS : THREAD_CLIENTS)
    const { rounds, warmUpRounds } = roundsOf(options)
    const found = setups.map((): Cost[] => [])
    const shares: number[] = []
    for (let round = -warmUpRounds; round < rounds; round++) {
      for (const [i, rival] of rivals.entries()) {
        const before = threadTicks(rival.program)
        const one = await cost({ stand, rival, open })
        if (round < 0) continue
        found[i]!.push(one)
        if (i === 1) shares.push(shareOfBusier(before, threadTicks(rival.program)))
      }
    }
    const figures = (pick: (one: Cost) => number) => {
      return new Map(setups.map(({ name }, i) => [name, found[i]!.map(pick)]))
    }
    const rate = { title: 'GETs a second, 1 → 2 threads', unit: 'GETs/s' }
    const cpu = { title: 'CPU of a GET, 1 → 2 threads', unit: 'µs of CPU' }
    return {
      comparisons: [
        await compareFigures(
          { ...rate, better: 'higher' },
          figures((one) => one.perSecond),
        ),
        await compareFigures(
          { ...cpu, better: 'lower' },
          figures((one) => one.cpuUs),
        ),
      ],
      kept: options.small ? [] : [twice(found[0]!, found[1]!, shares, free)],
      facts: [
        { name: 'of two threads, the busier has of their CPU', value: median(shares), unit: '' },
      ],
      notes: [free ? FREE_NOTE : SHARED_NOTE],
    }
  } finally {
    await Promise.all(rivals.map(({ program }) => program.stop()))
  }
}

const FREE_NOTE = 'Two threads: on two cores, load and origin on others.'
const SHARED_NOTE =
  'Two threads: there are two cores here and the load needs one, so no rate says what two free cores would give. Judged is CPU: what a GET takes with one thread to what it takes with two on the same core, times two, or times what the busier thread leaves room for. What two threads cost each other only when they run at the same moment is not in that; on the core of the load they do, but pay for the load as well.'

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
