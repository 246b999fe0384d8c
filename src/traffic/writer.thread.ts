/**
 * Owns: the writer thread: ports in, replies out, the timer that turns the day.
 * Never: ends because of what it receives, or holds a record back: what has come is written at
 * once.
 *
 * Started by URL, with `WriterData`; protocol.ts says what it hears and says.
 */
import { type MessagePort, parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads'
import type { RecordBatch } from '../policy/index.ts'
import type { Failure } from './failure.ts'
import type { FromWriter, Source, ToWriter, WriterData } from './protocol.ts'
import { sourceKey } from './segment.ts'
import { type RecordReply, type SourcedBatch, Writer } from './writer.ts'

/** How often totals are told, and the clock is looked at. */
const TICK_MS = 1_000
const RUN_LENGTH_MAX = 100
const BUG = 'This is a bug in Sluss: report it. Nothing was acknowledged that is not on disk.'

interface Received extends SourcedBatch {
  readonly port: MessagePort
}

const data = workerData as WriterData
const parent = parentPort!
const offset = data.clock == null ? null : new BigInt64Array(data.clock)
const now = () => Date.now() + (offset === null ? 0 : Number(Atomics.load(offset, 0)))
const writer = new Writer({ ...data, now })
/** The ports that are open; null: what comes from there is refused. */
const ports = new Map<MessagePort, Source | null>()
/**
 * Every source there has been: a number that is used again would pass for batches already written.
 */
const taken = new Set<string>()
let waiting: Received[] = []
let told = { records: 0, batches: 0, mended: 0 }
let alarmed: string | null = null
/** When the day ends that was turned last; 0: none yet. */
let dayEndsMs = 0

function tell(message: FromWriter): void {
  parent.postMessage(message)
}

function alarm({ what, hint }: Failure): void {
  tell({ kind: 'alarm', what, hint })
}

/** Nothing that comes from outside may end the thread; what goes wrong on the way is told. */
function guarded<T>(work: (argument: T) => void): (argument: T) => void {
  return (argument) => {
    try {
      work(argument)
    } catch (error) {
      const what = `the writer met a bug: ${error instanceof Error ? error.message : String(error)}`
      alarm({ what, hint: BUG })
    }
  }
}

function isBatch(message: unknown): message is RecordBatch {
  const { kind, number, records } = (message ?? {}) as Partial<RecordBatch>
  return (
    kind === 'batch' &&
    Number.isSafeInteger(number) &&
    number! > 0 &&
    Array.isArray(records) &&
    records.every((record) => typeof record === 'object' && record !== null)
  )
}

function receive(port: MessagePort, source: Source, message: unknown): void {
  if (!isBatch(message)) {
    alarm({ what: `thread ${source.thread} sent what is not a batch`, hint: BUG })
    return
  }
  if (waiting.length === 0) setImmediate(guarded(flush))
  waiting.push({ port, source, batch: message })
}

/** Writes all that has come, and replies. A batch that gets no reply would never be sent again. */
function flush(): void {
  const received = waiting
  waiting = []
  if (received.length === 0) return
  let replies: RecordReply[] = []
  try {
    replies = writer.writeAll(received)
  } finally {
    for (const [i, { port, batch }] of received.entries()) {
      port.postMessage(replies[i] ?? { kind: 'failed', number: batch.number, why: BUG })
    }
  }
  const { failure } = writer
  if (failure !== null && failure.what !== alarmed) alarm(failure)
  if (failure === null && alarmed !== null) tell({ kind: 'recovered' })
  alarmed = failure?.what ?? null
}

function connect(port: MessagePort, source: Source): void {
  const why = objection(source)
  if (why !== null) {
    alarm({
      what: why,
      hint: 'Its records are not written: each thread needs a number of its own.',
    })
    const refuse = (message: unknown) => {
      if (isBatch(message)) port.postMessage({ kind: 'failed', number: message.number, why })
    }
    ports.set(port, null)
    port.on('message', guarded(refuse))
    return
  }
  taken.add(sourceKey(source))
  ports.set(port, source)
  const take = (message: unknown) => receive(port, source, message)
  port.on('message', guarded(take))
  port.on('messageerror', guarded(take))
  port.on('close', () => {
    ports.delete(port)
    // Its last batches may be waiting still; they are written first.
    setImmediate(() => writer.forget(source))
  })
}

/** What speaks against a source, or null. */
function objection({ run, thread }: Source): string | null {
  if (typeof run !== 'string' || run.length > RUN_LENGTH_MAX || !Number.isSafeInteger(thread)) {
    return `thread ${thread} of run ${run} is no source`
  }
  return taken.has(sourceKey({ run, thread })) ? `thread ${thread} has had a port before` : null
}

/** Totals to the parent, and at the start and where the day has changed, the purge. */
function tick(): void {
  const { records, batches, mended } = writer
  if (records !== told.records || batches !== told.batches) {
    tell({ kind: 'progress', records, batches })
  }
  if (mended > told.mended) {
    const what = `${mended - told.mended} fields of records had no valid value; the records were kept`
    alarm({ what, hint: BUG })
  }
  told = { records, batches, mended }
  const nowMs = now()
  if (nowMs < dayEndsMs) return
  const { purged, failures, endMs } = writer.turn(nowMs)
  dayEndsMs = endMs
  for (const day of purged) tell({ kind: 'purged', ...day })
  for (const failure of failures) alarm(failure)
}

/** Takes what is still on its way in the ports, writes it, and ends. */
function stop(): void {
  clearInterval(timer)
  for (const [port, source] of ports) {
    while (source !== null) {
      const next = receiveMessageOnPort(port)
      if (next === undefined) break
      guarded(() => receive(port, source, next.message))(undefined)
    }
  }
  guarded(flush)(undefined)
  writer.close()
  guarded(tick)(undefined)
  for (const port of ports.keys()) port.close()
  tell({ kind: 'stopped' })
  parent.close()
}

function hear(message: ToWriter): void {
  if (message.kind === 'port') connect(message.port, message.source)
  else if (message.kind === 'stop') stop()
  else if (message.kind === 'configure') {
    writer.configure(message)
    dayEndsMs = 0
    tick()
  } else {
    throw new Error(`unknown message ${String((message as { kind?: unknown }).kind)}`)
  }
}

const timer = setInterval(guarded(tick), TICK_MS)
parent.on('message', guarded(hear))
guarded(tick)(undefined)
