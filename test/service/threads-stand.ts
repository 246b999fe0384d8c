/**
 * Owns: real proxy threads and a real writer, as the service has them, with every worker at hand.
 * Never: reaches into a thread: it is sent away, and what comes after is looked at from outside.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Worker, type WorkerOptions } from 'node:worker_threads'
import { pino } from 'pino'
import { Ledger } from '../../src/ledger/ledger.ts'
import type { FromThread, ThreadData } from '../../src/proxy/world.ts'
import { ProxyThreads } from '../../src/service/threads.ts'
import { TrafficWriter } from '../../src/service/writer.ts'
import { logRows } from '../e2e/stand/files.ts'
import { until } from '../e2e/stand/sluss.ts'
import { send } from '../e2e/stand/tunnel.ts'
import { openWorld } from '../proxy/world.ts'
import { DAY_MS, STOCKHOLM } from '../traffic/records.ts'

const RUN = 'run'

export interface Row {
  readonly thread: number
  readonly flow: number
  readonly event: string
  readonly path: string
  readonly ending: string
}

export class Parts {
  readonly state = mkdtempSync(join(tmpdir(), 'sluss-threads-'))
  /** Every worker there has been, in order. */
  readonly proxies: Worker[] = []
  readonly writers: Worker[] = []
  /** Proxy workers that have come to listen. */
  readonly listening = new Set<Worker>()
  readonly said: string[] = []
  /** What is counted over all threads. */
  tally = new SharedArrayBuffer(0)
  readonly threads: ProxyThreads
  readonly writer: TrafficWriter

  constructor(count: number) {
    const log = pino({}, { write: (line: string) => this.said.push(line) })
    this.writer = new TrafficWriter({
      data: {
        folder: join(this.state, 'traffic'),
        keyFile: join(this.state, 'keys', 'pseudonym.key'),
        calendar: STOCKHOLM,
        identities: 'name',
        retentionMs: 3_650 * DAY_MS,
      },
      log,
      onReplaced: () => this.threads.reattach(),
      spawn: (file, options) => this.#keep(this.writers, file, options),
    })
    this.threads = new ProxyThreads({
      count,
      run: RUN,
      world: openWorld(1, { log: { paths: 'always' } }),
      ledger: Ledger.allocate(16),
      clock: null,
      log,
      attach: (thread, port) => this.writer.attach({ run: RUN, thread }, port),
      spawn: (file, options) => {
        this.tally = (options.workerData as ThreadData).tally
        const worker = this.#keep(this.proxies, file, options)
        worker.on('message', ({ kind }: FromThread) => {
          if (kind === 'listening') this.listening.add(worker)
        })
        return worker
      },
    })
  }

  #keep(kept: Worker[], file: URL, options: WorkerOptions): Worker {
    const worker = new Worker(file, options)
    kept.push(worker)
    return worker
  }

  get port(): number {
    return this.threads.endpoints[0]!.port
  }

  /** Asks for what is refused, which needs no origin: one request, one record, known by its path. */
  async ask(path: string): Promise<void> {
    const authority = 'origin.test:9'
    const head = `GET http://${authority}/${path} HTTP/1.1\r\nHost: ${authority}\r\n`
    const reply = await send(this.port, `${head}Connection: close\r\n\r\n`)
    if (reply.status !== 403) throw new Error(reply.line)
  }

  /** Waits until `count` workers have been made, and the last of them listens. */
  async replaced(count: number): Promise<void> {
    await until(`worker ${count} listens`, () => this.listening.has(this.proxies[count - 1]!))
  }

  rows(): Row[] {
    return logRows<Row>(this.state, 'SELECT thread, flow, event, path, ending FROM traffic')
  }

  /** Who stands in the log. */
  users(): string[] {
    return logRows<{ user: string }>(this.state, 'SELECT user FROM clients').map(({ user }) => user)
  }

  async close(): Promise<void> {
    await this.threads.drain(0)
    await this.writer.stop()
    await this.threads.terminate()
    rmSync(this.state, { recursive: true, force: true })
  }
}
