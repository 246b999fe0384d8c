/**
 * Owns: a recorder on a fake writer and a fake clock, for the tests of record.ts.
 * Never: expects; the tests do.
 */
import { EventEmitter } from 'node:events'
import type { RecordBatch, TrafficRecord, Verdict } from '../../src/policy/index.ts'
import { Flow } from '../../src/proxy/flow.ts'
import { Recorder, type WriterPort } from '../../src/proxy/record.ts'
import type { LogRules } from '../../src/proxy/world.ts'

export const START_MS = Date.UTC(2026, 2, 29)
/** Few enough that a test can reach the bound. */
export const RULES: LogRules = { paths: 'never', onFailure: 'refuse', unacknowledged: 100 }

const VERDICT: Verdict = {
  action: 'allow',
  reason: 'default',
  rule: 'default',
  decision: null,
  metered: null,
}

/** `event flow` of every record, in order. */
export function rowsOf(records: readonly TrafficRecord[]): string[] {
  return records.map(({ event, flow, count }) =>
    event === 'gap' ? `gap of ${count}` : `${event} ${flow}`,
  )
}

/** Keeps what is posted to it, and answers as it is told. */
export class FakeWriter extends EventEmitter {
  readonly batches: RecordBatch[] = []
  closed = false

  postMessage(batch: RecordBatch): void {
    this.batches.push(batch)
  }

  close(): void {
    this.closed = true
  }

  acknowledge(number: number): void {
    this.emit('message', { kind: 'acknowledged', number })
  }

  fail(number: number): void {
    this.emit('message', { kind: 'failed', number, why: 'disk full' })
  }

  get numbers(): number[] {
    return this.batches.map(({ number }) => number)
  }

  get rows(): string[] {
    return rowsOf(this.batches.flatMap(({ records }) => records))
  }
}

export class Recording {
  readonly recorder: Recorder
  readonly alarms: string[] = []
  nowMs = START_MS
  /** Flows begun so far; they are numbered from 1. */
  flows = 0
  /** The writer that is connected. */
  writer = new FakeWriter()

  constructor(rules: LogRules) {
    const alarm = (what: string) => this.alarms.push(what)
    this.recorder = new Recorder({ rules, now: () => this.nowMs, alarm })
  }

  /** Connects a new writer in place of the last. */
  connect(): this {
    this.writer = new FakeWriter()
    this.recorder.connect(this.writer as unknown as WriterPort)
    return this
  }

  /** A flow that is decided now, as the engine begins and ends it. */
  begin(): Flow {
    const facts = {
      number: ++this.flows,
      timeMs: this.nowMs,
      zone: 'office',
      user: 'anna',
      identity: 'user',
      address: '10.0.0.1',
      method: 'GET',
      host: 'a.se',
      port: 80,
      path: '',
      categories: '',
      platforms: '',
    } as const
    const flow = new Flow(facts, VERDICT, (ended) => {
      if (ended.recordedOpen) this.recorder.close(ended)
    })
    this.recorder.begin(flow)
    return flow
  }

  /** `count` flows that are over at once. */
  pass(count: number): void {
    for (let i = 0; i < count; i++) this.begin().end('complete', this.nowMs)
  }

  flush(): void {
    this.recorder.flush()
  }

  flushAfter(ms: number): void {
    this.nowMs += ms
    this.recorder.flush()
  }
}
