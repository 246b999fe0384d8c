/**
 * Owns: how many records a second the writer thread keeps, and what one costs, beside a plain
 * SQLite table.
 * Never: measures opening a file: each round begins with one batch that is not counted.
 */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  isMainThread,
  MessageChannel,
  type MessagePort,
  parentPort,
  Worker,
  workerData,
} from 'node:worker_threads'
import Database from 'better-sqlite3'
import type { RecordBatch, TrafficRecord } from '../src/policy/index.ts'
import type { ToWriter, WriterData } from '../src/traffic/protocol.ts'
import {
  type BenchOptions,
  type BenchResult,
  below,
  type Comparison,
  compare,
  randomOf,
  zipfOf,
} from './measure.ts'

export const question =
  'How many records a second does the writer keep, and at what cost, beside one plain table?'

/**
 * As the proxy threads send them at some thousands a second: see FLUSH_MS in src/proxy/record.ts.
 */
const BATCH_RECORDS = 1_000
/** Batches sent and not acknowledged. */
const WINDOW = 8
const USERS = 1_500
const HOSTS = 50_000
const DATE = '2026-11-21'
const START_MS = Date.parse(`${DATE}T08:00:00+01:00`)

/**
 * Records as an office makes them: many tunnels, most allowed, half of them recorded twice; one tunnel in a
 * hundred is for another name than that of its CONNECT.
 */
function makeBatches(count: number): RecordBatch[] {
  const random = randomOf(17)
  const host = zipfOf(random, HOSTS)
  const records = Array.from({ length: count }, (_, i): TrafficRecord => {
    const user = below(random, USERS)
    const site = host()
    const kind = below(random, 4)
    const refused = site % 40 === 0
    const tunnel = site % 10 !== 0
    const odd = tunnel && i % 100 === 0
    const name = `www.site${site}.example.se`
    return {
      event: kind === 0 ? 'opened' : kind === 1 ? 'closed' : 'whole',
      flow: i - below(random, 50),
      timeMs: START_MS + Math.floor(i / 2),
      zone: 'office',
      user: `fornamn.efternamn${user}`,
      identity: 'user',
      address: `10.1.${user >> 8}.${user & 255}`,
      method: tunnel ? 'CONNECT' : 'GET',
      host: name,
      port: tunnel ? 443 : 80,
      path: '',
      categories: refused ? 'gambling' : '',
      platforms: '',
      verdict: refused ? 'block' : 'allow',
      reason: refused ? 'category-blocked' : 'default',
      rule: refused ? 'category:gambling' : 'default',
      decision: refused ? 'KS 2026/123' : '',
      bytesUp: below(random, 20_000),
      bytesDown: below(random, 2_000_000),
      durationMs: below(random, 60_000),
      status: refused ? 403 : 200,
      ending: refused ? 'refused' : 'complete',
      hello: odd ? 'mismatch' : tunnel ? 'matched' : '',
      serverName: odd ? `cdn${site}.example.se` : tunnel ? name : '',
      count: 1,
    }
  })
  const batches: RecordBatch[] = []
  for (let i = 0; i < count; i += BATCH_RECORDS) {
    const number = batches.length + 2
    batches.push({ kind: 'batch', number, records: records.slice(i, i + BATCH_RECORDS) })
  }
  return batches
}

interface Measured {
  readonly perSecond: number
  readonly cpuMicroseconds: number
  readonly bytes: number
  /** To compare what the contenders kept. */
  readonly kept: string
}

/** Sends all through a real port, and waits for the last acknowledgement. */
async function measure(
  worker: Worker,
  batches: RecordBatch[],
): Promise<Pick<Measured, 'perSecond' | 'cpuMicroseconds'>> {
  const { port1, port2 } = new MessageChannel()
  const source = { run: 'bench', thread: 0 }
  worker.postMessage({ kind: 'port', source, port: port2 } satisfies ToWriter, [port2])
  await exchange(port1, [{ kind: 'batch', number: 1, records: batches[0]!.records.slice(0, 1) }])
  const cpu = process.cpuUsage()
  const beganMs = performance.now()
  await exchange(port1, batches)
  const tookMs = performance.now() - beganMs
  const { user, system } = process.cpuUsage(cpu)
  const exited = new Promise((resolve) => worker.once('exit', resolve))
  worker.postMessage({ kind: 'stop' } satisfies ToWriter)
  await exited
  port1.close()
  const records = batches.reduce((sum, batch) => sum + batch.records.length, 0)
  return {
    perSecond: (records * 1_000) / tookMs,
    cpuMicroseconds: (user + system) / records,
  }
}

function exchange(port: MessagePort, batches: readonly RecordBatch[]): Promise<void> {
  return new Promise((resolve, reject) => {
    let sent = 0
    let answered = 0
    const send = () => {
      if (sent < batches.length) port.postMessage(batches[sent++])
    }
    port.removeAllListeners('message')
    port.on('message', (reply: { kind: string }) => {
      if (reply.kind !== 'acknowledged') return reject(new Error(JSON.stringify(reply)))
      send()
      if (++answered === batches.length) resolve()
    })
    for (let i = 0; i < WINDOW; i++) send()
  })
}

async function inFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'sluss-bench-'))
  try {
    return await work(folder)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

function ourWriter(batches: RecordBatch[], identities: WriterData['identities']) {
  return inFolder(async (folder): Promise<Measured> => {
    const data: WriterData = {
      folder,
      keyFile: join(folder, 'key'),
      calendar: { timezone: 'Europe/Stockholm', startsMinute: 0 },
      identities,
      retentionMs: 36_500 * 86_400_000,
    }
    const thread = new URL('../src/traffic/writer.thread.ts', import.meta.url)
    const figures = await measure(new Worker(thread, { workerData: data }), batches)
    return { ...figures, ...look(join(folder, `${DATE}.sqlite`)) }
  })
}

/**
 * The same work without our thoughts: texts as they are, and the two indexes that questions need.
 */
function plainTable(batches: RecordBatch[]) {
  return inFolder(async (folder): Promise<Measured> => {
    const path = join(folder, 'plain.sqlite')
    const worker = new Worker(new URL(import.meta.url), { workerData: { plain: path } })
    return { ...(await measure(worker, batches)), ...look(path) }
  })
}

function look(path: string): Pick<Measured, 'bytes' | 'kept'> {
  const database = new Database(path, { readonly: true })
  const sums = database
    .prepare(
      `SELECT verdict, host, server_name, hello, count(*), sum(bytes_down), sum(epoch_ms),
         sum(duration_ms)
       FROM traffic GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4`,
    )
    .raw()
    .all()
  const { records } = database.prepare('SELECT count(*) AS records FROM traffic').get() as {
    records: number
  }
  database.close()
  return { bytes: statSync(path).size / records, kept: JSON.stringify(sums) }
}

const PLAIN = `
CREATE TABLE traffic (epoch_ms INTEGER, zone TEXT, user TEXT, identity TEXT, address TEXT, method TEXT,
  host TEXT, port INTEGER, path TEXT, categories TEXT, platforms TEXT, verdict TEXT, reason TEXT,
  rule TEXT, decision TEXT, bytes_up INTEGER, bytes_down INTEGER, duration_ms INTEGER, status INTEGER,
  event TEXT, ending TEXT, flow INTEGER, count INTEGER, hello TEXT, server_name TEXT);
CREATE INDEX traffic_user ON traffic (user, epoch_ms);
CREATE INDEX traffic_host ON traffic (host, epoch_ms);`

/** The thread of the plain table: one transaction a batch, the same settings of SQLite. */
function servePlain(path: string): void {
  const database = new Database(path)
  database.pragma('journal_mode = WAL')
  database.pragma('synchronous = NORMAL')
  database.pragma('wal_autocheckpoint = 4096')
  database.exec(PLAIN)
  const insert = database.prepare(`INSERT INTO traffic VALUES (${Array(25).fill('?').join(', ')})`)
  const keep = database.transaction((records: readonly TrafficRecord[]) => {
    for (const r of records) {
      insert.run(
        ...[r.timeMs, r.zone, r.user, r.identity, r.address, r.method, r.host, r.port, r.path],
        ...[r.categories, r.platforms, r.verdict, r.reason, r.rule, r.decision, r.bytesUp],
        ...[r.bytesDown, r.durationMs, r.status, r.event, r.ending, r.flow, r.count],
        ...[r.hello, r.serverName],
      )
    }
  })
  parentPort!.on('message', (message: ToWriter) => {
    if (message.kind === 'port') {
      const { port } = message
      port.on('message', (batch: RecordBatch) => {
        keep(batch.records)
        port.postMessage({ kind: 'acknowledged', number: batch.number })
      })
    } else {
      database.close()
      process.exit(0)
    }
  })
}

if (!isMainThread && (workerData as { plain?: string } | null)?.plain !== undefined) {
  servePlain((workerData as { plain: string }).plain)
}

export async function run({ small }: BenchOptions): Promise<BenchResult> {
  const batches = makeBatches(small ? 3_000 : 100_000)
  const contenders: { name: string; work: () => Promise<Measured> }[] = [
    { name: 'plain table, two indexes', work: () => plainTable(batches) },
    { name: 'writer, names', work: () => ourWriter(batches, 'name') },
    { name: 'writer, pseudonyms', work: () => ourWriter(batches, 'pseudonym') },
  ]
  const measured = contenders.map((): Measured[] => [])
  const rounds = { rounds: small ? 1 : 5, warmUpRounds: small ? 0 : 1 }
  const rates = await compare({
    ...{ title: 'Records kept, through a MessagePort', unit: 'records/s', better: 'higher' },
    ...rounds,
    contenders: contenders.map(({ name, work }, i) => ({
      name,
      round: async () => {
        const found = await work()
        measured[i]!.push(found)
        return found.perSecond
      },
    })),
  })
  const kept = new Set(measured.flat().map((found) => found.kept))
  assert.equal(kept.size, 1, 'the contenders kept different records')
  const cpu = await replay(contenders, measured, rounds)
  return {
    comparisons: [rates, cpu],
    facts: contenders.map(({ name }, i) => ({
      name: `size of a record: ${name}`,
      value: measured[i]!.at(-1)!.bytes,
      unit: 'bytes',
    })),
    notes: [
      `${batches.length} batches of ${BATCH_RECORDS} records, ${WINDOW} on their way at once; ${USERS} users, ${HOSTS} hosts by Zipf.`,
      'CPU is that of the whole process: the sender, the writer, and the copying between them.',
      'Sizes are of the closed file; the writer has no indexes on records yet.',
    ],
  }
}

/** The CPU of the rounds that have been run, as a comparison of its own. */
function replay(
  contenders: readonly { name: string }[],
  measured: readonly Measured[][],
  rounds: { rounds: number; warmUpRounds: number },
): Promise<Comparison> {
  return compare({
    ...{ title: 'CPU of a record, sender and writer', unit: 'µs', better: 'lower' },
    ...rounds,
    contenders: contenders.map(({ name }, i) => {
      const figures = measured[i]!.map(({ cpuMicroseconds }) => cpuMicroseconds)
      return { name, round: () => figures.shift()! }
    }),
  })
}
