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
/** Batches that failed are tried again after this. */
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
  /** When the writer said that it could not keep a batch; null where it keeps all. */
  #failedAtMs: number | null = null
  /** Records lost since the last gap record, and when that began. */
  #lost = 0
  #lostSinceMs = 0
  /** Totals for the counters. What is made has been acknowledged, is on its way, or is lost. */
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
    return !this.#full || this.#rules.onFailure === 'continue'
  }

  /** True once everything is on disk, and what was lost is noted there. */
  get settled(): boolean {
    return this.unacknowledged === 0 && this.#lost === 0
  }

  get #full(): boolean {
    return this.unacknowledged >= this.#rules.unacknowledged
  }

  /** Speaks to this writer from now on, and sends it again what the last one did not acknowledge. */
  connect(port: WriterPort): void {
    this.#port?.close()
    this.#port = port
    this.#failedAtMs = null
    port.on('message', (message: RecordAcknowledgement | RecordFailure) => this.#receive(message))
    for (const batch of this.#sent.values()) port.postMessage(batch)
  }

  /**
   * A flow has been decided: it will have a record. At the bound a gap record counts it instead, in both
   * modes: where `refuse` goes on answering, its refusals must not fill the memory.
   */
  begin(flow: Flow): void {
    if (this.#full) this.#lose()
    else this.#young.push(flow)
  }

  /** A flow that was recorded as opened has ended. */
  close(flow: Flow): void {
    // Where `refuse` lets nothing begin, no more can end than is open: these are kept all the same.
    if (this.#full && this.#rules.onFailure === 'continue') this.#lose()
    else this.#add(flow.record('closed', this.#now()))
  }

  /** Sends what there is to send. Call every FLUSH_MS; `all` also records what is still young. */
  flush(all = false): void {
    const nowMs = this.#now()
    this.#ripen(nowMs, all)
    this.#noteLoss(nowMs)
    this.#retry(nowMs)
    // The writer takes no batch before the one that failed: more of them would fail too.
    while (this.#queue.length > 0 && this.#port !== null && this.#failedAtMs === null) {
      this.#send(this.#queue.splice(0, BATCH_RECORDS_MAX), this.#port)
    }
  }

  #retry(nowMs: number): void {
    // A clock that is set back must not make the retry wait for it.
    if (this.#failedAtMs === null || Math.abs(nowMs - this.#failedAtMs) < RETRY_MS) return
    this.#failedAtMs = null
    for (const batch of this.#sent.values()) this.#port?.postMessage(batch)
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
    this.#queue.push(record)
  }

  /** There is no room for a record: it is counted, for a gap record, and the first raises the alarm. */
  #lose(): void {
    this.made++
    this.lostTotal++
    this.#lost++
    if (this.#lost > 1) return
    this.#lostSinceMs = this.#now()
    const refusing = this.#rules.onFailure === 'refuse'
    const what = refusing ? 'requests are refused for want of a log' : 'records are being lost'
    this.#alarm(what, 'the log cannot be written; see the alarm before this')
  }

  /** Where there is room again, a gap record says how many are missing. */
  #noteLoss(nowMs: number): void {
    if (this.#lost === 0 || this.#full) return
    this.#add(gapRecord(this.#lost, this.#lostSinceMs, nowMs, this.#rules))
    this.#lost = 0
  }

  #send(records: TrafficRecord[], port: WriterPort): void {
    const batch: RecordBatch = { kind: 'batch', number: ++this.#number, records }
    this.#sent.set(batch.number, batch)
    this.#sentRecords += records.length
    port.postMessage(batch)
  }

  #receive(message: RecordAcknowledgement | RecordFailure): void {
    if (message.kind === 'failed') {
      // The first of several counts: a retry that each of them put off might never come.
      if (this.#sent.has(message.number)) this.#failedAtMs ??= this.#now()
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

function gapRecord(
  count: number,
  sinceMs: number,
  nowMs: number,
  { onFailure }: LogRules,
): TrafficRecord {
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
    // What was done with the requests that it counts.
    verdict: onFailure === 'continue' ? 'allow' : 'refuse',
    reason: 'log-unavailable',
    rule: 'log.onFailure',
    decision: '',
    bytesUp: 0,
    bytesDown: 0,
    durationMs: Math.max(0, nowMs - sinceMs),
    status: 0,
    ending: 'complete',
    hello: '',
    serverName: '',
    count,
  }
}
