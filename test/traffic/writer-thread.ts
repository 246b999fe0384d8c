/**
 * Owns: a real writer thread for tests and benches: its channels, and what it has said.
 * Never: asserts anything, or waits on a clock.
 */
import { join } from 'node:path'
import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads'
import type { RecordBatch } from '../../src/policy/index.ts'
import type { FromWriter, Source, ToWriter, WriterData } from '../../src/traffic/protocol.ts'
import type { RecordReply } from '../../src/traffic/writer.ts'
import { DAY_MS, STOCKHOLM } from './records.ts'

const THREAD = new URL('../../src/traffic/writer.thread.ts', import.meta.url)

/** A sender's end of a channel. */
export class Sender {
  readonly port: MessagePort
  readonly replies: RecordReply[] = []
  #wake = () => {}

  constructor(port: MessagePort) {
    this.port = port
    port.on('message', (reply: RecordReply) => {
      this.replies.push(reply)
      this.#wake()
    })
  }

  send(...batches: RecordBatch[]): void {
    for (const batch of batches) this.port.postMessage(batch)
  }

  /** The first `count` replies, once they are there. */
  async received(count: number): Promise<RecordReply[]> {
    while (this.replies.length < count) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
    return this.replies.slice(0, count)
  }
}

export class WriterThread {
  readonly worker: Worker
  readonly said: FromWriter[] = []
  readonly #senders: Sender[] = []
  #wake = () => {}

  constructor(state: string, over: Partial<WriterData> = {}) {
    const workerData: WriterData = {
      folder: join(state, 'traffic'),
      keyFile: join(state, 'keys', 'pseudonym.key'),
      calendar: STOCKHOLM,
      identities: 'name',
      retentionMs: 36_500 * DAY_MS,
      ...over,
    }
    this.worker = new Worker(THREAD, { workerData })
    this.worker.on('message', (message: FromWriter) => {
      this.said.push(message)
      this.#wake()
    })
  }

  tell(message: ToWriter): void {
    this.worker.postMessage(message)
  }

  connect(source: Source): Sender {
    const { port1, port2 } = new MessageChannel()
    this.worker.postMessage({ kind: 'port', source, port: port2 } satisfies ToWriter, [port2])
    const sender = new Sender(port1)
    this.#senders.push(sender)
    return sender
  }

  /** The first message of that kind, once it has been said. */
  async heard<K extends FromWriter['kind']>(kind: K): Promise<Extract<FromWriter, { kind: K }>> {
    for (;;) {
      const found = this.said.find((message) => message.kind === kind)
      if (found !== undefined) return found as Extract<FromWriter, { kind: K }>
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }

  /** Stops it, and gives its exit code. */
  async stop(): Promise<number> {
    const exited = new Promise<number>((resolve) => this.worker.once('exit', resolve))
    this.tell({ kind: 'stop' })
    const code = await exited
    for (const { port } of this.#senders) port.close()
    return code
  }
}
