/**
 * Owns: the proxies that are measured side by side, each on the measured core: Squid and Sluss doing
 * the whole job, http-proxy-3 as a baseline that only forwards; and proof that the two do it.
 * Never: lets one be measured that refuses too little or too much.
 */
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { callService } from '../../src/cli/control.ts'
import type { Status } from '../../src/service/status.ts'
import { basic, type Job } from './job.ts'
import type { Target } from './load.ts'
import { type Cores, MEASURED_CORE, type Program, pathOf, startProgram } from './processes.ts'
import { startSluss } from './sluss.ts'
import { accessLog, startSquid } from './squid.ts'

export type RivalName = 'Squid' | 'Sluss' | 'http-proxy-3'

export interface Rival {
  readonly name: RivalName
  readonly program: Program
  readonly target: Target
  /** How many requests its log holds, once it holds `expected` or after a while; null: it keeps none. */
  readonly logged: ((expected: number) => Promise<number>) | null
}

export interface RivalOptions {
  readonly job: Job
  readonly originPort: number
  /** A folder of its own for each start. */
  readonly folder: string
  readonly cores?: Cores
  /** Of Sluss. */
  readonly threads?: number
}

/** Squid needs tens of seconds for five million domains. */
const SQUID_TIMEOUT_MS = 240_000
const LOG_TIMEOUT_MS = 10_000
const POLL_MS = 20
/** All load comes from one address and few users: what bounds a real client is out of its way. */
const LIMITS = {
  ...{ connections: 20_000, connectionsPerAddress: 20_000, connectionsPerUser: 20_000 },
  tunnels: 20_000,
}

export async function startRival(name: RivalName, options: RivalOptions): Promise<Rival> {
  const rival = await {
    Squid: startTheirs,
    Sluss: startOurs,
    'http-proxy-3': startBaseline,
  }[name](options)
  try {
    await prove(rival, options)
    return rival
  } catch (error) {
    await rival.program.stop()
    throw error
  }
}

async function startOurs(options: RivalOptions): Promise<Rival> {
  const { job, originPort, folder, cores = MEASURED_CORE, threads = 1 } = options
  const { hosts, logins } = job
  const { list, users, platforms } = job.sluss
  const sluss = await startSluss({
    ...{ folder, cores, originPort, lists: [list], hosts, users, platforms, threads },
    limits: LIMITS,
  })
  assert(sluss.domains >= job.domains, `Sluss knows ${sluss.domains} domains`)
  const counted = async () => {
    const status = await callService<Status>(sluss.state, { command: 'status' })
    return status?.counters.recordsAcknowledged ?? 0
  }
  return {
    name: 'Sluss',
    program: sluss.program,
    target: { proxyPort: sluss.proxyPort, originPort, hosts, logins },
    logged: (expected) => settled(counted, expected),
  }
}

async function startTheirs(options: RivalOptions): Promise<Rival> {
  const { job, originPort, folder, cores = MEASURED_CORE } = options
  const squid = await startSquid({
    ...{ folder, cores, list: job.squid.list, timeoutMs: SQUID_TIMEOUT_MS },
    job: { files: job.squid, originPort },
  })
  assert(squid !== null, 'Squid was not ready in time')
  const { hosts, logins } = job
  const counted = async () => linesOf(accessLog(folder), 'error:transaction-end-before-headers')
  return {
    name: 'Squid',
    program: squid.program,
    target: { proxyPort: squid.proxyPort, originPort, hosts, logins },
    logged: (expected) => settled(counted, expected),
  }
}

async function startBaseline({ originPort, cores = MEASURED_CORE }: RivalOptions): Promise<Rival> {
  const program = await startProgram(cores, pathOf('bench/stand/http-proxy.ts'), [])
  const proxyPort = Number(program.ready.split(' ')[1])
  const target = { proxyPort, originPort, hosts: ['127.0.0.1'], logins: [] }
  return { name: 'http-proxy-3', program, target, logged: null }
}

/** Without those that have `other` in them: of connections on which nothing was asked. */
function linesOf(file: string, other: string): number {
  // Its writer makes it with the first line.
  const bytes = existsSync(file) ? readFileSync(file) : Buffer.alloc(0)
  let lines = 0
  for (let at = bytes.indexOf(10); at >= 0; at = bytes.indexOf(10, at + 1)) lines++
  for (let at = bytes.indexOf(other); at >= 0; at = bytes.indexOf(other, at + 1)) lines--
  return lines
}

async function settled(count: () => Promise<number>, expected: number): Promise<number> {
  const untilMs = performance.now() + LOG_TIMEOUT_MS
  for (;;) {
    const found = await count()
    if (found >= expected || performance.now() > untilMs) return found
    await sleep(POLL_MS)
  }
}

/** Asks what must be refused and what must not; each is a line in the log. */
async function prove({ name, target, logged }: Rival, { job, originPort }: RivalOptions) {
  const site = `${target.hosts[0]}:${originPort}`
  const listed = `www.${job.listed}:${originPort}`
  const [login] = target.logins
  const expect = async (status: number, authority: string, field?: string) => {
    const found = await statusOf(target.proxyPort, authority, field)
    assert.equal(found, status, `${name} answers ${found} to ${authority} as ${field}`)
  }
  if (login === undefined || logged === null) return await expect(200, site)
  await expect(200, site, login)
  await expect(403, listed, login)
  await expect(407, site)
  await expect(407, site, basic('anna0', 'not the password'))
  for (const each of target.logins) await expect(200, site, each)
  const questions = 4 + target.logins.length
  const found = await logged(questions)
  assert.equal(found, questions, `${name} has logged ${found} of ${questions} requests`)
}

function statusOf(port: number, authority: string, login?: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1')
    socket.write(
      `GET http://${authority}/ HTTP/1.1\r\nHost: ${authority}\r\nConnection: close\r\n` +
        `${login === undefined ? '' : `Proxy-Authorization: ${login}\r\n`}\r\n`,
    )
    let head = ''
    socket.setEncoding('latin1').on('data', (text: string) => {
      head += text
    })
    socket.once('error', reject)
    socket.once('end', () => {
      socket.destroy()
      resolve(Number(head.slice(9, 12)))
    })
  })
}

/** A folder for one start, beneath the job's. */
export function folderOf(job: Job, name: string): string {
  return join(job.folder, name)
}
