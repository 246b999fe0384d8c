/**
 * Owns: the bench of a list that is replaced under load: that no answer fails or is wrong, and what
 * those who ask meanwhile notice of it.
 * Never: takes an answer for right that was wrong before, or the other way round.
 */
import assert from 'node:assert/strict'
import { linkSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { callService } from '../src/cli/control.ts'
import type { Status } from '../src/service/status.ts'
import { distinctNames } from './domains.ts'
import {
  type BenchOptions,
  type BenchResult,
  type Comparison,
  compare,
  type Fact,
  randomOf,
} from './measure.ts'
import type { Plot } from './plot.ts'
import { judge, type Listed, type Swap, type Which } from './stand/judge.ts'
import { monotonicMs, type Sample, startOpenLoop } from './stand/open-loop.ts'
import {
  type Cores,
  LOAD_CORE,
  MEASURED_CORE,
  pathOf,
  pinSelf,
  rssBytes,
  startProgram,
} from './stand/processes.ts'
import { type Sluss, startSluss } from './stand/sluss.ts'

export const question =
  'A list of five million domains is replaced under 5,000 requests a second: is every answer right, ' +
  'and what do those who ask meanwhile notice, against the seconds before?'

const SEED = 20_261_121
/** Of a list's domains: as many are others in the next. */
const CHANGED_SHARE = 0.01
const CONNECTIONS = 64
const IN_FORCE_TIMEOUT_MS = 60_000
const POLL_MS = 10

interface Scale {
  readonly domains: number
  readonly perSecond: number
  readonly swaps: number
  readonly placements: readonly Placement[]
  readonly warmUpMs: number
  /** Measured before each swap. */
  readonly beforeMs: number
  /** Still counted as the swap's, after the new list is in force. */
  readonly afterMs: number
}

interface Placement {
  readonly name: string
  readonly sluss: Cores
  readonly load: Cores
}

const APART: Placement = {
  name: `Sluss on core ${MEASURED_CORE} alone, builder and all; load and origin on core ${LOAD_CORE}`,
  sluss: MEASURED_CORE,
  load: LOAD_CORE,
}
const FREE: Placement = {
  name: `Sluss on all cores; load and origin on core ${LOAD_CORE}`,
  sluss: `${MEASURED_CORE}-${LOAD_CORE}`,
  load: LOAD_CORE,
}

const LARGE: Scale = {
  domains: 5_000_000,
  perSecond: 5_000,
  swaps: 3,
  placements: [FREE, APART],
  warmUpMs: 8_000,
  beforeMs: 5_000,
  afterMs: 1_000,
}
const SMALL: Scale = {
  domains: 2_000,
  perSecond: 200,
  swaps: 1,
  placements: [FREE],
  warmUpMs: 100,
  beforeMs: 100,
  afterMs: 100,
}

/** Hosts that are asked for, by the lists they stand in. */
const IN: readonly Listed[] = ['neither', 'both', 'first', 'second']
/** Seven in ten are allowed always. */
const HOSTS = Array.from({ length: 40 }, (_, i) => {
  const listed = IN[i % 10 < 7 ? 0 : (i % 10) - 6]!
  return { name: `host${i}.${listed}-swap.test`, listed }
})

export async function run({ small }: BenchOptions): Promise<BenchResult> {
  const scale = small ? SMALL : LARGE
  const folder = mkdtempSync(join(tmpdir(), 'sluss-bench-'))
  try {
    if (!small) pinSelf()
    writeLists(folder, scale.domains)
    const accounts: Account[] = []
    for (const placement of scale.placements) {
      accounts.push(
        await underLoad(join(folder, String(accounts.length)), folder, placement, scale),
      )
    }
    const comparisons: Comparison[] = []
    for (const account of accounts) comparisons.push(...(await compareLatencies(account, scale)))
    return {
      comparisons,
      facts: accounts.flatMap((account) => factsOf(account, scale)),
      plots: accounts.map(plotOf),
      notes: notesOf(scale),
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function notesOf({ domains, perSecond, afterMs }: Scale): string[] {
  return [
    `${domains.toLocaleString('en')} domains in each list, one in a hundred of them others; ${perSecond} forwarded GETs a second over ${CONNECTIONS} keep-alive connections, one proxy thread.`,
    'Seven in ten hosts stand in neither list and are answered by an origin with 1 KiB; one stands in both, one in the first, one in the second, and is refused.',
    'Each latency counts from the moment at which the request was to be sent. Before the file is replaced the old answer is right; of a request sent after the new list is in force, the new one; between, no old answer may follow a new one.',
    `The seconds of the swap are from the file's replacement until ${afterMs} ms after all threads go by it.`,
  ]
}

function fileOf(folder: string, which: Which): string {
  return join(folder, `${which}.list`)
}

function writeLists(folder: string, domains: number): void {
  const changed = Math.ceil(domains * CHANGED_SHARE)
  const names = distinctNames(randomOf(SEED), domains + changed)
  for (const which of ['first', 'second'] as const) {
    const generated = which === 'first' ? names.slice(0, domains) : names.slice(changed)
    const asked = HOSTS.filter(({ listed }) => listed === which || listed === 'both')
    const all = [...asked.map(({ name }) => name), ...generated]
    writeFileSync(fileOf(folder, which), `${all.join('\n')}\n`, 'latin1')
  }
}

interface Account {
  readonly placement: Placement
  readonly samples: readonly Sample[]
  readonly swaps: readonly Swap[]
  readonly rss: { readonly before: number; readonly peak: number; readonly after: number }
  readonly imageBytes: number
}

async function underLoad(
  folder: string,
  lists: string,
  placement: Placement,
  scale: Scale,
): Promise<Account> {
  mkdirSync(folder)
  const list = join(folder, 'live.list')
  linkSync(fileOf(lists, 'first'), list)
  const origin = await startProgram(placement.load, pathOf('bench/stand/origin.ts'), [])
  try {
    const originPort = Number(origin.ready.split(' ')[1])
    const hosts = HOSTS.map(({ name }) => name)
    const cores = placement.sluss
    const sluss = await startSluss({ folder, cores, originPort, lists: [list], hosts })
    try {
      const requestsMax = scale.perSecond * 300
      const load = await startOpenLoop(placement.load, {
        ...{ proxyPort: sluss.proxyPort, originPort, hosts, requestsMax },
        ...{ perSecond: scale.perSecond, connections: CONNECTIONS, file: join(folder, 'samples') },
      })
      await sleep(scale.warmUpMs)
      const before = rssBytes(sluss.program).now
      const swaps: Swap[] = []
      for (let i = 0; i < scale.swaps; i++) {
        await sleep(scale.beforeMs)
        swaps.push(await swap(sluss, list, lists, i % 2 === 0 ? 'second' : 'first'))
        await sleep(scale.afterMs)
      }
      await sleep(scale.beforeMs)
      const { now, peak } = rssBytes(sluss.program)
      const samples = await load.stop()
      judge(
        samples,
        swaps,
        HOSTS.map(({ listed }) => listed),
      )
      const imageBytes = (await statusOf(sluss)).lists.bytes
      return { placement, samples, swaps, rss: { before, peak, after: now }, imageBytes }
    } finally {
      await sluss.program.stop()
    }
  } finally {
    await origin.stop()
  }
}

async function statusOf({ state }: Sluss): Promise<Status> {
  const status = await callService<Status>(state, { command: 'status' })
  assert(status !== null, 'Sluss is gone')
  return status
}

/** Replaces the list as an operator's script does: written beside it, renamed over it. */
async function swap(sluss: Sluss, list: string, lists: string, to: Which): Promise<Swap> {
  const { policy } = await statusOf(sluss)
  linkSync(fileOf(lists, to), `${list}.new`)
  const beganMs = monotonicMs()
  renameSync(`${list}.new`, list)
  for (;;) {
    const status = await statusOf(sluss)
    if (status.policy > policy) return { to, beganMs, inForceMs: monotonicMs() }
    assert.equal(status.loaded.outcome, 'in force', status.loaded.problems.join('\n'))
    assert(monotonicMs() - beganMs < IN_FORCE_TIMEOUT_MS, 'the list is not in force')
    await sleep(POLL_MS)
  }
}

function latencies(samples: readonly Sample[], fromMs: number, toMs: number): number[] {
  const inside = samples.filter(({ dueMs }) => dueMs >= fromMs && dueMs < toMs)
  return inside.map(({ dueMs, doneMs }) => doneMs - dueMs).sort((a, b) => a - b)
}

function quantile(sorted: readonly number[], share: number): number {
  assert(sorted.length > 0, 'no request in these seconds')
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]!
}

/** How late the load came to its requests in the seconds of a swap: what is not Sluss's. */
function lateness(samples: readonly Sample[], { beganMs, inForceMs }: Swap, scale: Scale): number {
  const inside = samples.filter(
    ({ dueMs }) => dueMs >= beganMs && dueMs < inForceMs + scale.afterMs,
  )
  const late = inside.map(({ dueMs, madeMs }) => madeMs - dueMs).sort((a, b) => a - b)
  return quantile(late, 0.99)
}

async function compareLatencies(account: Account, scale: Scale): Promise<Comparison[]> {
  const { placement, samples, swaps } = account
  const before = swaps.map(({ beganMs }) => latencies(samples, beganMs - scale.beforeMs, beganMs))
  const during = swaps.map(({ beganMs, inForceMs }) => {
    return latencies(samples, beganMs, inForceMs + scale.afterMs)
  })
  const comparisons: Comparison[] = []
  for (const [name, share] of [
    ['p50', 0.5],
    ['p99', 0.99],
    ['p99.9', 0.999],
  ] as const) {
    const figures = [before, during].map((rounds) => rounds.map((one) => quantile(one, share)))
    const contenders = ['the seconds before', 'the seconds of the swap'].map((label, i) => {
      return { name: label, round: () => figures[i]!.shift()! }
    })
    const title = `${name} latency, ${placement.name}`
    const rounds = { rounds: swaps.length, warmUpRounds: 0 }
    comparisons.push(await compare({ title, unit: 'ms', better: 'lower', ...rounds, contenders }))
  }
  return comparisons
}

function factsOf({ placement, samples, swaps, rss, imageBytes }: Account, scale: Scale): Fact[] {
  const mib = (bytes: number) => ({ value: bytes / 1_024 / 1_024, unit: 'MiB' })
  const p99 = (fromMs: number, toMs: number) => quantile(latencies(samples, fromMs, toMs), 0.99)
  const ratios = swaps.map(({ beganMs, inForceMs }) => {
    return p99(beganMs, inForceMs + scale.afterMs) / p99(beganMs - scale.beforeMs, beganMs)
  })
  const facts: Fact[] = [
    { name: 'requests', value: samples.length, unit: '' },
    { name: 'failed', value: 0, unit: '' },
    { name: 'wrongly decided', value: 0, unit: '' },
    ...ratios.map((value, i) => {
      return { name: `swap ${i + 1}: p99 against the seconds before`, value, unit: '×' }
    }),
    ...swaps.map(({ beganMs, inForceMs }, i) => {
      return { name: `swap ${i + 1}: in force after`, value: inForceMs - beganMs, unit: 'ms' }
    }),
    ...swaps.map((swap, i) => {
      const value = lateness(samples, swap, scale)
      return { name: `swap ${i + 1}: the load itself late, p99`, value, unit: 'ms' }
    }),
    { name: 'an image', ...mib(imageBytes) },
    { name: 'process before the first swap', ...mib(rss.before) },
    { name: 'process at most, the start included', ...mib(rss.peak) },
    { name: 'process after the last swap', ...mib(rss.after) },
  ]
  return facts.map((fact) => ({ ...fact, name: `${placement.name}: ${fact.name}` }))
}

/** Each second's median and 99th percentile; the swaps shaded. */
function plotOf({ placement, samples, swaps }: Account, i: number): Plot {
  const startMs = samples[0]!.dueMs
  const seconds = Math.floor((samples.at(-1)!.dueMs - startMs) / 1_000)
  const line = (name: string, share: number) => {
    const points = Array.from({ length: Math.max(1, seconds) }, (_, second) => {
      const fromMs = startMs + second * 1_000
      return [second + 0.5, quantile(latencies(samples, fromMs, fromMs + 1_000), share)] as const
    })
    return { name, group: name, points }
  }
  return {
    name: i === 0 ? 'free' : 'apart',
    title: placement.name,
    x: { label: 'seconds', scale: 'linear' },
    y: { label: 'ms, from when a request was to be sent', scale: 'log' },
    lines: [line('p99', 0.99), line('p50', 0.5)],
    spans: swaps.map(({ beganMs, inForceMs }) => {
      return { from: (beganMs - startMs) / 1_000, to: (inForceMs - startMs) / 1_000 }
    }),
  }
}
