/**
 * Owns: the rows of the proxy's bench that are not costs under full load: memory of idle tunnels,
 * and what a proxy adds to the time of an answer at half of the load that it can take.
 * Never: counts the load's own lateness for a proxy's, unless it says so.
 */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { compare } from './measure.ts'
import { costBeside, figure } from './promises.ts'
import {
  compareFigures,
  durationMsOf,
  type Found,
  type Row,
  roundsOf,
  type Stand,
} from './proxy-rows.ts'
import { openGets, type Target } from './stand/load.ts'
import { type Sample, startOpenLoop } from './stand/open-loop.ts'
import { LOAD_CORE, rssBytes } from './stand/processes.ts'
import type { RivalName } from './stand/rivals.ts'
import { openTunnels } from './stand/tunnels.ts'

const TUNNELS = 4_000
const TUNNELS_SMALL = 50
const SETTLE_MS = 2_000
const CONNECTIONS = 64
/** Of an open loop: not counted. */
const BEFORE_MS = 500

export const idleTunnels: Row = async (stand) => {
  const { options, rivals } = stand
  const tunnels = options.small ? TUNNELS_SMALL : TUNNELS
  const many = tunnels.toLocaleString('en')
  const comparison = await compare({
    ...{ title: `Memory of an idle tunnel, ${many} of them` },
    ...{ ...roundsOf(options, 0), unit: 'bytes', better: 'lower' },
    contenders: rivals.map(({ name }) => ({
      name,
      round: () => memoryOf(stand, name, tunnels),
    })),
  })
  return {
    comparisons: [comparison],
    kept: [costBeside(comparison, `memory per idle tunnel, ${many} of them`, 0.5, 0.3)],
    notes: [
      `Idle tunnels: each round a start of its own, with a short list, which changes nothing here. From a process that has answered a score of requests to one with ${many} tunnels, two seconds after the last carried its one GET: what grows once and stays (compiled code, room for garbage) is counted too. Where load has gone before, the same tunnels find room that is already there. All must carry another GET afterwards.`,
    ],
  }
}

async function memoryOf(stand: Stand, name: RivalName, count: number): Promise<number> {
  const { small } = stand.options
  const rival = await stand.fresh(name)
  try {
    if (!small) await sleep(SETTLE_MS)
    const before = rssBytes(rival.program).now
    const tunnels = await openTunnels(rival.target, count)
    if (!small) await sleep(SETTLE_MS)
    const grown = rssBytes(rival.program).now - before
    // They were there, all of them.
    for (const tunnel of tunnels) await tunnel.get()
    for (const tunnel of tunnels) tunnel.close()
    // Less only in a small run, which is not for measuring.
    return Math.max(1, grown / count)
  } finally {
    await rival.program.stop()
  }
}

const QUANTILES = [
  ['p50', 0.5],
  ['p99', 0.99],
] as const

/** Latency from the moment at which a request was to be sent. */
export const addedLatency: Row = async (stand) => {
  const { options, rivals } = stand
  const judged = rivals.filter(({ name }) => name !== 'http-proxy-3')
  const rates: number[] = []
  for (const { target } of judged) rates.push(await rateOf(target, durationMsOf(options)))
  const perSecond = Math.max(1, Math.floor(Math.min(...rates) / 2))
  const direct = { ...judged[0]!.target, proxyPort: stand.originPort }
  const targets: [RivalName | 'direct', Target][] = [
    ['direct', direct],
    ...judged.map(({ name, target }): [RivalName, Target] => [name, target]),
  ]
  const found = new Map(targets.map(([name]) => [name, [] as number[][]]))
  const { rounds, warmUpRounds } = roundsOf(options, 1)
  for (let round = -warmUpRounds; round < rounds; round++) {
    for (const [name, target] of targets) {
      const quantiles = await latencies(target, perSecond, stand)
      if (round >= 0) found.get(name)!.push(quantiles)
    }
  }
  return await told(
    found,
    judged.map(({ name }) => name),
    perSecond,
  )
}

async function told(
  found: ReadonlyMap<string, readonly (readonly number[])[]>,
  judged: readonly RivalName[],
  perSecond: number,
): Promise<Found> {
  const comparisons = []
  for (const [i, [quantile]] of QUANTILES.entries()) {
    const at = (name: string) => found.get(name)!.map((quantiles) => quantiles[i]!)
    const whole = new Map([...found.keys()].map((name) => [name, at(name)]))
    const base = at('direct')
    const added = new Map(
      // Through a proxy it may be as fast as without one: chance, and no ratio comes of nothing.
      judged.map((name) => [name, at(name).map((ms, j) => Math.max(0.001, ms - base[j]!))]),
    )
    const title = `${quantile} at half load (${figure(perSecond)} GETs a second)`
    comparisons.push(
      await compareFigures({ title, unit: 'ms', better: 'lower' }, whole),
      await compareFigures(
        { title: `${title}, added to direct`, unit: 'ms', better: 'lower' },
        added,
      ),
    )
  }
  const p99 = comparisons.at(-1)!
  return {
    comparisons,
    kept: [costBeside(p99, 'p99 latency added at half load', 1, 0.5)],
    notes: [
      'Half load: half the GETs a second that the slower of Sluss and Squid answers at most, at fixed moments; a latency counts from the moment at which the request was to be sent. Direct: the same requests to the origin itself.',
    ],
  }
}

async function rateOf(target: Target, durationMs: number): Promise<number> {
  const load = await openGets(target, CONNECTIONS)
  try {
    return ((await load.run(durationMs)) * 1_000) / durationMs
  } finally {
    load.close()
  }
}

async function latencies(target: Target, perSecond: number, stand: Stand): Promise<number[]> {
  const durationMs = durationMsOf(stand.options)
  const beforeMs = Math.min(BEFORE_MS, durationMs)
  const requestsMax = Math.ceil((perSecond * (durationMs + beforeMs) * 2) / 1_000) + 1_000
  const load = await startOpenLoop(LOAD_CORE, {
    ...{ ...target, perSecond, requestsMax, connections: CONNECTIONS },
    file: join(stand.shortJob.folder, 'samples'),
  })
  await sleep(durationMs + beforeMs)
  const samples = await load.stop()
  const wrong = samples.filter(({ status }) => status !== 200)
  assert.equal(
    wrong.length,
    0,
    `${wrong.length} of ${samples.length} requests were not answered 200`,
  )
  return quantilesOf(samples, beforeMs)
}

function quantilesOf(samples: readonly Sample[], beforeMs: number): number[] {
  const fromMs = samples[0]!.dueMs + beforeMs
  const counted = samples.filter(({ dueMs }) => dueMs >= fromMs)
  const sorted = counted.map(({ dueMs, doneMs }) => doneMs - dueMs).sort((a, b) => a - b)
  assert(sorted.length > 0, 'no request was to be sent')
  return QUANTILES.map(([, share]) => sorted[Math.floor(sorted.length * share)]!)
}
