/**
 * Owns: the bench of the start with a large list: from nothing, from the image of the last start,
 * and Squid's with the same list.
 * Never: takes for ready what does not yet refuse what is listed.
 */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { distinctNames } from './domains.ts'
import {
  type BenchOptions,
  type BenchResult,
  compare,
  type Fact,
  median,
  randomOf,
} from './measure.ts'
import {
  LOAD_CORE,
  MEASURED_CORE,
  type Program,
  pathOf,
  rssBytes,
  startProgram,
} from './stand/processes.ts'
import { startSluss } from './stand/sluss.ts'
import { hasSquid, startSquid } from './stand/squid.ts'

export const question =
  'How long from the start until five million listed domains are refused: from the text, from the ' +
  'image of the last start, and by Squid with the same list?'

const SEED = 20_261_121
/** It takes tens of seconds for five million domains. */
const SQUID_TIMEOUT_MS = 240_000
const ALL_CORES = `${MEASURED_CORE}-${LOAD_CORE}`
const MIB = 1_024 * 1_024

/** What is kept of starts of one kind. */
interface Starts {
  readonly rss: number[]
  readonly peak: number[]
}

export async function run({ small }: BenchOptions): Promise<BenchResult> {
  const folder = mkdtempSync(join(tmpdir(), 'sluss-bench-'))
  const origin = await startProgram(ALL_CORES, pathOf('bench/stand/origin.ts'), [])
  try {
    const originPort = Number(origin.ready.split(' ')[1])
    const domains = small ? 2_000 : 5_000_000
    // No name here lies under another: Squid would refuse to start.
    const names = distinctNames(randomOf(SEED), domains)
    const stand: Stand = { folder, originPort, listed: names[domains >>> 1]! }
    const list = join(folder, 'plain.list')
    writeFileSync(list, `${names.join('\n')}\n`, 'latin1')
    const cold: Starts = { rss: [], peak: [] }
    const saved: Starts = { rss: [], peak: [] }
    const start = (starts: Starts) => startOurs(stand, list, domains, starts)
    const comparison = await compare({
      ...{ title: 'Start to ready', unit: 'ms', better: 'lower' },
      ...{ rounds: small ? 1 : 3, warmUpRounds: 0 },
      contenders: [
        {
          name: 'Sluss, nothing kept',
          round: () => {
            rmSync(join(folder, 'sluss'), { recursive: true, force: true })
            return start(cold)
          },
        },
        { name: 'Sluss, started before', round: () => start(saved) },
      ],
    })
    const facts = [
      ...memoryFacts('Sluss, nothing kept', cold),
      ...memoryFacts('Sluss, started before', saved),
    ]
    const notes = [`${domains.toLocaleString('en')} generated domains in one list.`]
    if (hasSquid()) {
      writeFileSync(join(folder, 'squid.list'), `.${names.join('\n.')}\n`, 'latin1')
      const tookMs = await startTheirs(stand, facts)
      facts.push({ name: 'Squid: start to accepting', value: tookMs, unit: 'ms' })
      for (const { name, median: ours } of comparison.rows) {
        facts.push({ name: `Squid against: ${name}`, value: tookMs / ours, unit: '×' })
      }
      if (tookMs >= SQUID_TIMEOUT_MS) notes.push('Squid was ended before it was ready.')
      notes.push(
        'Squid: the same names as a file of dstdomain, once, to the moment it accepts a connection.',
      )
    } else
      notes.push('Squid is not installed here, and not compared: Debian has it as squid-openssl.')
    notes.push('All are then asked for a listed domain, which they must refuse, and for another.')
    return { comparisons: [comparison], facts, notes }
  } finally {
    await origin.stop()
    rmSync(folder, { recursive: true, force: true })
  }
}

interface Stand {
  readonly folder: string
  readonly originPort: number
  /** A domain of the list. */
  readonly listed: string
}

async function startOurs(
  stand: Stand,
  list: string,
  domains: number,
  starts: Starts,
): Promise<number> {
  const folder = join(stand.folder, 'sluss')
  const { originPort } = stand
  const beganMs = performance.now()
  const sluss = await startSluss({ folder, cores: ALL_CORES, originPort, lists: [list] })
  const tookMs = performance.now() - beganMs
  try {
    assert(sluss.domains >= domains, `Sluss knows ${sluss.domains} domains`)
    await assertRefusing(sluss.proxyPort, stand)
    noteMemory(sluss.program, starts)
    return tookMs
  } finally {
    await sluss.program.stop()
  }
}

/** How long it took; the whole timeout where it was not ready by then. */
async function startTheirs(stand: Stand, facts: Fact[]): Promise<number> {
  const { folder } = stand
  const beganMs = performance.now()
  const squid = await startSquid({
    ...{ folder, list: join(folder, 'squid.list'), timeoutMs: SQUID_TIMEOUT_MS },
  })
  const tookMs = performance.now() - beganMs
  if (squid === null) return tookMs
  try {
    await assertRefusing(squid.proxyPort, stand)
    const starts: Starts = { rss: [], peak: [] }
    noteMemory(squid.program, starts)
    facts.push(...memoryFacts('Squid', starts))
    return tookMs
  } finally {
    await squid.program.stop()
  }
}

function noteMemory(program: Program, { rss, peak }: Starts): void {
  const memory = rssBytes(program)
  rss.push(memory.now)
  peak.push(memory.peak)
}

function memoryFacts(name: string, { rss, peak }: Starts): Fact[] {
  return [
    { name: `${name}: process when ready`, value: median(rss) / MIB, unit: 'MiB' },
    { name: `${name}: process at most`, value: median(peak) / MIB, unit: 'MiB' },
  ]
}

async function assertRefusing(proxyPort: number, { listed, originPort }: Stand): Promise<void> {
  assert.equal(await statusOf(proxyPort, `www.${listed}:${originPort}`), 403)
  assert.equal(await statusOf(proxyPort, `127.0.0.1:${originPort}`), 200)
}

function statusOf(proxyPort: number, authority: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const socket = connect(proxyPort, '127.0.0.1')
    socket.write(
      `GET http://${authority}/ HTTP/1.1\r\nHost: ${authority}\r\nConnection: close\r\n\r\n`,
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
