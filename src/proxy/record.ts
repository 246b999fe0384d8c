/**
 * Owns: the way of a record from its decision to the writer: batches, acknowledgements, the bound.
 * Never: writes to disk, waits for the writer, or loses a record without a gap record and an alarm.
 *
 * A record is sent within FLUSH_MS of the end of its exchange; one that is still open OPENED_MS after
 * its decision is sent as `opened` then, and as `closed` later (DESIGN section 6).
 */
import type { MessagePort } from 'node:worker_threads'
import type {
  RecordAcknowledgement,
  RecordBatch,
  RecordFailure,
  TrafficRecord,
} from '../policy/index.ts'
import type { Flow } from './flow.ts'
import type { LogRules } from './world.ts'

/** How often the owner must call `flush`. */
export const FLUSH_MS = 200
const OPENED_MS = 500
/** A batch that failed is tried again after this. */
const RETRY_MS = 1_000
const BATCH_RECORDS_MAX = 2_000

/** A port to the writer, or anything that behaves like one. */
export type WriterPort = Pick<MessagePort, 'postMessage' | 'on' | 'close'>

export interface RecorderOptions {
  readonly rules: LogRules
  readonly now: () => number
  readonly alarm: (what: string, hint: string) => void
}

export class Recorder {
  #rules: LogRules
  readonly #now: () => number
  readonly #alarm: RecorderOptions['alarm']
  #port: WriterPort | null = null
  #number = 0
  /** Records to be sent, in order. */
  #queue: TrafficRecord[] = []
  /** Sent and not acknowledged, by number, in order. */
  readonly #sent = new Map<number, RecordBatch>()
  #sentRecords = 0
  /** Flows decided less than OPENED_MS ago, in order of decision. */
  #young: Flow[] = []
  #retryAtMs = 0
  #lost = 0
  #lostSinceMs = 0
  /** Totals for the counters. */
  made = 0
  acknowledged = 0
  lostTotal = 0

  constructor(options: RecorderOptions) {
    this.#rules = options.rules
    this.#now = options.now
    this.#alarm = options.alarm
  }

  configure(rules: LogRules): void {
    this.#rules = rules
  }

  /** Records that the writer does not have yet. */
  get unacknowledged(): number {
    return this.#queue.length + this.#sentRecords + this.#young.length
  }

  /** False where one more record would pass the bound and `log.onFailure` is `refuse`. */
  get ready(): boolean {
    return this.unacknowledged < this.#rules.unacknowledged || this.#rules.onFailure === 'continue'
  }

  /** True once everything is on disk. */
  get settled(): boolean {
    return this.unacknowledged === 0
  }

  /** Speaks to this writer from now on, and sends it again what the last one did not acknowledge. */
  connect(port: WriterPort): void {
    this.#port?.close()
    this.#port = port
    port.on('message', (message: RecordAcknowledgement | RecordFailure) => this.#receive(message))
    for (const batch of this.#sent.values()) port.postMessage(batch)
  }

  /** A flow has been decided: it will have a record. */
  begin(flow: Flow): void {
    this.#young.push(flow)
  }

  /** A flow that was recorded as opened has ended. */
  close(flow: Flow): void {
    this.#add(flow.record('closed', this.#now()))
  }

  /** Sends what there is to send. Call every FLUSH_MS; `all` also records what is still young. */
  flush(all = false): void {
    const nowMs = this.#now()
    this.#ripen(nowMs, all)
    this.#noteLoss(nowMs)
    while (this.#queue.length > 0 && this.#port !== null) {
      this.#send(this.#queue.splice(0, BATCH_RECORDS_MAX))
    }
    if (this.#retryAtMs !== 0 && nowMs >= this.#retryAtMs) {
      this.#retryAtMs = 0
      for (const batch of this.#sent.values()) this.#port?.postMessage(batch)
    }
  }

  #ripen(nowMs: number, all: boolean): void {
    const still: Flow[] = []
    for (const flow of this.#young) {
      if (flow.ended) {
        this.#add(flow.record('whole', nowMs))
      } else if (all || Math.abs(nowMs - flow.timeMs) >= OPENED_MS) {
        flow.recordedOpen = true
        this.#add(flow.record('opened', nowMs))
      } else {
        still.push(flow)
      }
    }
    this.#young = still
  }

  #add(record: TrafficRecord): void {
    this.made++
    // At the bound, `refuse` has stopped new requests already; what was begun before is still kept.
    const over = this.unacknowledged >= this.#rules.unacknowledged
    if (over && this.#rules.onFailure === 'continue') {
      if (this.#lost === 0) {
        this.#lostSinceMs = record.timeMs
        this.#alarm(
          'records are being lost',
          'the log cannot be written; see the alarm before this',
        )
      }
      this.#lost++
      this.lostTotal++
      return
    }
    this.#queue.push(record)
  }

  /** Where there is room again, a gap record says how many are missing. */
  #noteLoss(nowMs: number): void {
    if (this.#lost === 0 || this.unacknowledged >= this.#rules.unacknowledged) return
    this.#queue.push(gapRecord(this.#lost, this.#lostSinceMs, nowMs))
    this.#lost = 0
  }

  #send(records: TrafficRecord[]): void {
    const batch: RecordBatch = { kind: 'batch', number: ++this.#number, records }
    this.#sent.set(batch.number, batch)
    this.#sentRecords += records.length
    this.#port?.postMessage(batch)
  }

  #receive(message: RecordAcknowledgement | RecordFailure): void {
    if (message.kind === 'failed') {
      this.#retryAtMs = this.#now() + RETRY_MS
      return
    }
    for (const [number, batch] of this.#sent) {
      if (number > message.number) break
      this.#sent.delete(number)
      this.#sentRecords -= batch.records.length
      this.acknowledged += batch.records.length
    }
  }
}

function gapRecord(count: number, sinceMs: number, nowMs: number): TrafficRecord {
  return {
    event: 'gap',
    flow: 0,
    timeMs: sinceMs,
    zone: '',
    user: '',
    identity: '',
    address: '',
    method: '',
    host: '',
    port: 0,
    path: '',
    categories: '',
    platforms: '',
    verdict: 'allow',
    reason: 'log-unavailable',
    rule: 'log.onFailure',
    decision: '',
    bytesUp: 0,
    bytesDown: 0,
    durationMs: nowMs - sinceMs,
    status: 0,
    ending: 'complete',
    count,
  }
}
