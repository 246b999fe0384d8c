/**
 * Owns: the writer thread of the traffic log: starting it, its channels, replacing it when it dies.
 * Never: writes, or reads, a record.
 */
import { type MessagePort, Worker, type WorkerOptions } from 'node:worker_threads'
import type {
  FromWriter,
  Source,
  ToWriter,
  WriterData,
  WriterSettings,
} from '../traffic/protocol.ts'
import type { Log } from './log.ts'

const THREAD = new URL('../traffic/writer.thread.ts', import.meta.url)
const RESTART_MS = 500
/** What Node gives a worker that has ended for its number: its `exit` will not come again. */
const EXITED = -1

export interface WriterOptions {
  readonly data: WriterData
  readonly log: Log
  /** A new writer is there: the proxy threads need channels to it. */
  readonly onReplaced: () => void
  /** Starts a worker; a test may keep hold of it. */
  readonly spawn?: (file: URL, options: WorkerOptions) => Worker
}

export class TrafficWriter {
  readonly #options: WriterOptions
  #data: WriterData
  #worker: Worker
  #stopping = false
  /** Totals since the start of this writer, as it last told. */
  records = 0
  /** What people must look at, or null where all is well. */
  alarm: string | null = null

  constructor(options: WriterOptions) {
    this.#options = options
    this.#data = options.data
    this.#worker = this.#start()
  }

  attach(source: Source, port: MessagePort): void {
    this.#worker.postMessage({ kind: 'port', source, port } satisfies ToWriter, [port])
  }

  configure(settings: WriterSettings): void {
    this.#data = { ...this.#data, ...settings }
    this.#worker.postMessage({ kind: 'configure', ...settings } satisfies ToWriter)
  }

  /** Resolves when all that was received is on disk and the files are closed. */
  stop(): Promise<void> {
    this.#stopping = true
    return new Promise((resolve) => {
      this.#worker.once('exit', () => resolve())
      if (this.#worker.threadId === EXITED) resolve()
      this.#worker.postMessage({ kind: 'stop' } satisfies ToWriter)
    })
  }

  #start(): Worker {
    const { spawn = (file, options) => new Worker(file, options) } = this.#options
    const worker = spawn(THREAD, { workerData: this.#data, name: 'writer' })
    worker.on('message', (message: FromWriter) => this.#hear(message))
    worker.on('error', (error) => {
      this.#options.log.error({ error: String(error) }, 'the writer of the traffic log failed')
    })
    worker.once('exit', () => this.#died())
    return worker
  }

  #hear(message: FromWriter): void {
    const { log } = this.#options
    switch (message.kind) {
      case 'alarm':
        this.alarm = message.what
        log.error({ hint: message.hint }, message.what)
        break
      case 'recovered':
        this.alarm = null
        log.warn('the traffic log is being written again')
        break
      case 'purged':
        log.info({ day: message.day, records: message.records }, 'a day of the log was removed')
        break
      case 'progress':
        this.records = message.records
        break
    }
  }

  #died(): void {
    if (this.#stopping) return
    this.alarm = 'the writer of the traffic log died'
    this.#options.log.error('the writer of the traffic log died; starting another')
    setTimeout(() => {
      if (this.#stopping) return
      this.#worker = this.#start()
      this.alarm = null
      this.#options.onReplaced()
    }, RESTART_MS)
  }
}
