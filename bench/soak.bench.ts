/**
 * Owns: the soak: Sluss at half load for as long as one likes, thousands of tunnels kept open, and
 * every limit tried by hostile clients all the while; then what is left of it.
 * Never: calls one well in which an honest request failed or a record is missing.
 *
 *   npm run bench soak -- --minutes 60
 */
import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { callService } from '../src/cli/control.ts'
import type { Counters } from '../src/proxy/world.ts'
import type { Status } from '../src/service/status.ts'
import type { BenchOptions, BenchResult } from './measure.ts'
import {
  type Account,
  checksOf,
  HONEST_USERS,
  resultOf,
  rowsOf,
  type Sample,
  type Scale,
} from './soak-account.ts'
import type { Attack, Ground } from './stand/attempts.ts'
import { FLOODS, roomAgain } from './stand/floods.ts'
import { CONNECT_SHARE, Honest } from './stand/honest.ts'
import { QUIET } from './stand/hostile.ts'
import { type Job, writeJob } from './stand/job.ts'
import { openConnects, openGets, type Target } from './stand/load.ts'
import {
  cpuUs,
  LOAD_CORE,
  MEASURED_CORE,
  type Program,
  pathOf,
  pinSelf,
  rssBytes,
  startProgram,
} from './stand/processes.ts'
import { type Sluss, startSluss } from './stand/sluss.ts'

export const question =
  'At half load, with 2,000 tunnels open and every limit tried by hostile clients: does memory stay, ' +
  'do file descriptors come back, is any record lost, does honest traffic notice?'

const LARGE: Scale = {
  ...{ minutes: 10, domains: 5_000_000, tunnels: 2_000, connections: 128, trickleMs: 5_000 },
  ...{ restMs: 5_000, rateMs: 3_000, sampleMs: 5_000, settleMs: 60_000 },
  bounds: {
    ...{ headTimeoutMs: 5_000, tunnelIdleMs: 15_000, slowestOverMs: 10_000 },
    ...{ connectionsPerAddress: 3_000, connectionsPerUser: 400, failedLogins: 30 },
    ...{ tunnels: 2_800, connections: 7_000, graceMs: 5_000 },
  },
}
const SMALL: Scale = {
  ...{ minutes: 1 / 60, domains: 2_000, tunnels: 20, connections: 8, trickleMs: 100 },
  ...{ restMs: 100, rateMs: 50, sampleMs: 50, settleMs: 10_000 },
  bounds: {
    ...{ headTimeoutMs: 300, tunnelIdleMs: 1_000, slowestOverMs: 1_000 },
    ...{ connectionsPerAddress: 200, connectionsPerUser: 60, failedLogins: 5 },
    ...{ tunnels: 100, connections: 700, graceMs: 1_200 },
  },
}
const RATE_CLIENTS = 32
/** None that an attack comes from. */
const HONEST_ADDRESSES = Array.from({ length: 16 }, (_, i) => `127.0.1.${i + 1}`)
const POLL_MS = 50

export async function run(options: BenchOptions): Promise<BenchResult> {
  const scale = scaleOf(options)
  const folder = mkdtempSync(join(tmpdir(), 'sluss-soak-'))
  const programs: Program[] = []
  try {
    if (!options.small) pinSelf()
    const origin = await startProgram(LOAD_CORE, pathOf('bench/stand/origin.ts'), [])
    programs.push(origin)
    const originPort = Number(origin.ready.split(' ')[1])
    const job = await writeJob(join(folder, 'job'), scale.domains)
    const sluss = await startSoaked(join(folder, 'sluss'), job, originPort, scale)
    programs.push(sluss.program)
    const account = await soak({ sluss, job, originPort, scale })
    await sluss.program.stop()
    const rows = rowsOf(join(sluss.state, 'traffic'))
    const checks = checksOf(account, rows)
    // An hour is reported, however it went; a small run is a test.
    for (const { what, found, holds } of checks)
      assert(!options.small || holds, `${what}: ${found}`)
    return resultOf(account, checks, scale)
  } finally {
    await Promise.all(programs.map((program) => program.stop()))
    rmSync(folder, { recursive: true, force: true })
  }
}

function scaleOf({ small, minutes, domains }: BenchOptions): Scale {
  const scale = small ? SMALL : LARGE
  return { ...scale, minutes: minutes ?? scale.minutes, domains: domains ?? scale.domains }
}

function startSoaked(
  folder: string,
  job: Job,
  originPort: number,
  { bounds }: Scale,
): Promise<Sluss> {
  const { list, users, platforms } = job.sluss
  return startSluss({
    ...{ folder, cores: MEASURED_CORE, originPort, lists: [list], hosts: job.hosts },
    ...{ users, platforms, named: true },
    limits: {
      headTimeout: `${bounds.headTimeoutMs}ms`,
      tunnelIdle: `${bounds.tunnelIdleMs}ms`,
      slowestOver: `${bounds.slowestOverMs}ms`,
      connectionsPerAddress: bounds.connectionsPerAddress,
      connectionsPerUser: bounds.connectionsPerUser,
      failedLogins: bounds.failedLogins,
      tunnels: bounds.tunnels,
      connections: bounds.connections,
      poolIdle: '2s',
    },
  })
}

interface Soaking {
  readonly sluss: Sluss
  readonly job: Job
  readonly originPort: number
  readonly scale: Scale
}

async function soak({ sluss, job, originPort, scale }: Soaking): Promise<Account> {
  const { program, proxyPort } = sluss
  const all = { proxyPort, originPort, hosts: job.hosts, logins: job.logins }
  const logins = job.logins.slice(0, HONEST_USERS)
  const target: Target = { ...all, logins, addresses: HONEST_ADDRESSES }
  const ill: Target = { ...all, logins: job.logins.slice(HONEST_USERS) }
  // The log's files are opened with the first record.
  let answered = await first(target)
  await quiet(sluss, scale)
  const before = { rss: rssBytes(program).now, descriptors: descriptorsOf(program) }
  const rate = await halfLoad(target, scale)
  answered += rate.answered
  const { trickleMs, tunnels, connections } = scale
  const honest = new Honest({
    ...{ target, listed: `www.${job.listed}`, perSecond: rate.perSecond },
    ...{ connections, tunnels, trickleMs },
  })
  await honest.openTunnels()
  const samples: Sample[] = []
  const met = new Map<Attack, Map<string, number>>()
  const ending = new AbortController()
  const [beganUs, beganMs] = [cpuUs(program), performance.now()]
  const parts = [
    honest.run(),
    sampled(program, samples, scale, ending.signal),
    attacked({ target: ill, bounds: scale.bounds, standing: { tunnels } }, honest, met, {
      restMs: scale.restMs,
      signal: ending.signal,
    }),
  ]
  await sleep(scale.minutes * 60_000)
  ending.abort()
  await Promise.all(parts.slice(1))
  honest.stop()
  await parts[0]
  const cpuShare = (cpuUs(program) - beganUs) / 1_000 / (performance.now() - beganMs)
  honest.closeTunnels()
  const counters = await quiet(sluss, scale)
  const descriptors = await descriptorsBack(program, before.descriptors, scale)
  return {
    ...{ honest, perSecond: rate.perSecond, cpuShare, samples, counters, met },
    answered: answered + honest.answered,
    descriptors: { before: before.descriptors, after: descriptors },
    rss: { before: before.rss, after: rssBytes(program).now },
  }
}

async function first(target: Target): Promise<number> {
  const load = await openConnects(target, 1)
  return await load.run(1)
}

/** How many requests a second take half of what it can do, with as many CONNECTs among them. */
async function halfLoad(target: Target, { rateMs }: Scale) {
  const gets = await openGets(target, RATE_CLIENTS)
  const [getsBeganMs, getsDone] = [performance.now(), await gets.run(rateMs)]
  const getMs = (performance.now() - getsBeganMs) / getsDone
  gets.close()
  const connects = await openConnects(target, RATE_CLIENTS)
  const [connectsBeganMs, connectsDone] = [performance.now(), await connects.run(rateMs)]
  const connectMs = (performance.now() - connectsBeganMs) / connectsDone
  const meanMs = getMs * (1 - CONNECT_SHARE) + connectMs * CONNECT_SHARE
  return { perSecond: 1_000 / meanMs / 2, answered: getsDone + connectsDone }
}

async function sampled(
  program: Program,
  samples: Sample[],
  { sampleMs }: Scale,
  signal: AbortSignal,
): Promise<void> {
  const beganMs = performance.now()
  for (;;) {
    const atMs = performance.now() - beganMs
    samples.push({ atMs, rssBytes: rssBytes(program).now, descriptors: descriptorsOf(program) })
    if (signal.aborted) return
    await rest(sampleMs, signal)
  }
}

/** All attacks again and again; those that fill something up, one at a time. */
async function attacked(
  ground: Ground,
  honest: Honest,
  met: Map<Attack, Map<string, number>>,
  { restMs, signal }: { restMs: number; signal: AbortSignal },
): Promise<void> {
  const make = async (attack: Attack) => {
    const counts = met.get(attack) ?? new Map<string, number>()
    met.set(attack, counts)
    for (const how of await attack.run(ground)) counts.set(how, (counts.get(how) ?? 0) + 1)
  }
  const quietly = async () => {
    do {
      await Promise.all(QUIET.map(make))
      await rest(restMs, signal)
    } while (!signal.aborted)
  }
  const floods = async () => {
    do {
      for (const flood of FLOODS) {
        if (!flood.leavesRoom) await honest.pause()
        await make(flood)
        await roomAgain(ground.target)
        honest.resume()
        await rest(restMs, signal)
      }
    } while (!signal.aborted)
  }
  await Promise.all([quietly(), floods()])
}

async function rest(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => {})
}

/** Resolves with the counters when nothing is open and every record is in the log. */
async function quiet({ state }: Sluss, { settleMs }: Scale): Promise<Counters> {
  const untilMs = performance.now() + settleMs
  for (;;) {
    const status = await callService<Status>(state, { command: 'status' })
    assert(status !== null, 'Sluss is gone')
    const { counters } = status
    const { connectionsOpen, flowsOpen, records, recordsAcknowledged } = counters
    const settled = connectionsOpen + flowsOpen === 0 && records === recordsAcknowledged
    if (records > 0 && settled) return counters
    if (performance.now() > untilMs) return counters
    await sleep(POLL_MS)
  }
}

function descriptorsOf({ process: { pid } }: Program): number {
  return readdirSync(`/proc/${pid}/fd`).length
}

/** How many there are once there are no more than there were, or after a while. */
async function descriptorsBack(
  program: Program,
  before: number,
  { settleMs }: Scale,
): Promise<number> {
  const untilMs = performance.now() + settleMs
  for (;;) {
    const now = descriptorsOf(program)
    if (now <= before || performance.now() > untilMs) return now
    await sleep(POLL_MS)
  }
}
