/**
 * Owns: the bench of the data plane against Squid doing the same job, and http-proxy-3 doing less.
 * Never: measures the load: that runs on another core.
 *
 *   npm run bench proxy -- --only get,connect --rounds 3 --seconds 1 --domains 100000
 *
 * measures the two costs that are tuned most, within half a minute: the whole list takes Squid one
 * to load. The rows: get, connect, tunnel, memory, latency, clients, threads.
 */
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { BenchOptions, BenchResult } from './measure.ts'
import { type Kept, tableOfPromises } from './promises.ts'
import {
  connectGetClose,
  type Found,
  forwardedGet,
  moreClients,
  type Row,
  type Stand,
  throughTunnel,
} from './proxy-rows.ts'
import { addedLatency, idleTunnels } from './proxy-standing.ts'
import { moreThreads } from './proxy-threads.ts'
import { type Job, writeJob } from './stand/job.ts'
import {
  LOAD_CORE,
  MEASURED_CORE,
  type Program,
  pathOf,
  pinSelf,
  startProgram,
} from './stand/processes.ts'
import { type RivalName, type RivalOptions, startRival } from './stand/rivals.ts'
import { hasSquid } from './stand/squid.ts'

export const question =
  'What does Sluss cost, beside Squid that does the same job (a list of five million domains, ' +
  'sign-in, quota, a log of every request) and http-proxy-3 that only forwards?'

const DOMAINS = 5_000_000
const DOMAINS_SHORT = 2_000
const ROWS: Readonly<Record<string, Row>> = {
  get: forwardedGet,
  connect: connectGetClose,
  tunnel: throughTunnel,
  memory: idleTunnels,
  latency: addedLatency,
  clients: moreClients,
  threads: moreThreads,
}

export async function run(options: BenchOptions): Promise<BenchResult> {
  const { small, only = Object.keys(ROWS) } = options
  const unknown = only.filter((name) => ROWS[name] === undefined)
  if (unknown.length > 0) {
    const there = Object.keys(ROWS).join(', ')
    throw new RangeError(`no row is called ${unknown.join(', ')}; there are: ${there}`)
  }
  const folder = mkdtempSync(join(tmpdir(), 'sluss-bench-'))
  // Squid, started by root, makes itself another user.
  chmodSync(folder, 0o755)
  const programs: Program[] = []
  try {
    if (!small) pinSelf()
    const origin = await startProgram(LOAD_CORE, pathOf('bench/stand/origin.ts'), [])
    programs.push(origin)
    const stand = await standFor(options, folder, programs)
    const found: Found[] = []
    for (const name of only) found.push(await ROWS[name]!(stand))
    return resultOf(found, options)
  } finally {
    await Promise.all(programs.map((program) => program.stop()))
    rmSync(folder, { recursive: true, force: true })
  }
}

function resultOf(found: readonly Found[], options: BenchOptions): BenchResult {
  const kept = found.flatMap(({ kept }) => kept).filter((one): one is Kept => one !== null)
  return {
    comparisons: found.flatMap(({ comparisons }) => comparisons),
    tables: kept.length === 0 ? [] : [tableOfPromises(kept)],
    facts: found.flatMap(({ facts = [] }) => facts),
    notes: [...notesOf(options), ...found.flatMap(({ notes = [] }) => notes)],
  }
}

function notesOf({ small, domains = small ? DOMAINS_SHORT : DOMAINS }: BenchOptions): string[] {
  return [
    `Each proxy on core ${MEASURED_CORE}, ours with one proxy thread; load and origin on core ${LOAD_CORE}. CPU is of the whole process by /proc, all threads, and of what it has started: our writer and main thread, Squid's helpers and log daemon.`,
    `Sluss and Squid refuse the same ${domains.toLocaleString('en')} generated domains, know 16 users by Basic (remembered once verified), meter the 16 sites that are asked for, and log every request; each is asked for proof before it is measured. http-proxy-3 does nothing of that.`,
    'Every answer must be 200 with the length it should have. Requests have the fields that curl sends. Before the rounds that count go four that do not, of each proxy: a service runs for days, and what is measured is not its first seconds.',
    ...(hasSquid()
      ? []
      : ['Squid is not installed here, and not compared: Debian has it as squid-openssl.']),
  ]
}

/**
 * All that stands for the whole bench; Squid takes most of a minute with the long list. Whatever was
 * started is in `programs`, the origin first, also where something else could not be.
 */
async function standFor(
  options: BenchOptions,
  folder: string,
  programs: Program[],
): Promise<Stand> {
  const origin = programs[0]!
  const originPort = Number(origin.ready.split(' ')[1])
  const { small, domains = small ? DOMAINS_SHORT : DOMAINS } = options
  const shortJob = await writeJob(join(folder, 'short'), DOMAINS_SHORT)
  const job = small ? shortJob : await writeJob(join(folder, 'job'), domains)
  let starts = 0
  const start = async (name: RivalName, on: Job, more: Partial<RivalOptions> = {}) => {
    const own = join(folder, `${name}-${starts++}`)
    mkdirSync(own)
    return await startRival(name, { ...more, job: on, originPort, folder: own })
  }
  const names: RivalName[] = ['Sluss', 'http-proxy-3']
  if (hasSquid()) names.unshift('Squid')
  const started = await Promise.allSettled(names.map((name) => start(name, job)))
  const rivals = started.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))
  programs.push(...rivals.map(({ program }) => program))
  for (const one of started) if (one.status === 'rejected') throw one.reason
  const fresh: Stand['fresh'] = async (name, more) => {
    if (!small) {
      const rival = await start(name, shortJob, more)
      programs.push(rival.program)
      return rival
    }
    // A start takes longer than all else that a small run does.
    const standing = rivals.find((rival) => rival.name === name)!
    return { ...standing, program: { ...standing.program, stop: async () => {} } }
  }
  return { options, origin, originPort, rivals, shortJob, fresh }
}
