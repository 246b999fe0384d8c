import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import {
  batch,
  DAY_MS,
  NOON_MS,
  record,
  rowsOf,
  SOURCE,
  STOCKHOLM,
  TODAY,
  temporaryFolder,
  writerIn,
} from './records.ts'
import { WriterThread } from './writer-thread.ts'

let state: string
let remove: () => void
let thread: WriterThread | null = null

beforeEach(() => {
  const folder = temporaryFolder()
  state = folder.path
  remove = folder.remove
})
afterEach(async () => {
  await thread?.worker.terminate()
  thread = null
  remove()
})

function start(over: ConstructorParameters<typeof WriterThread>[1] = {}): WriterThread {
  thread = new WriterThread(state, over)
  return thread
}

const numbered = (number: number) => batch(number, record({ flow: number }))
const flows = () => rowsOf(state, TODAY).map(({ flow }) => flow)

/** A clock of the threads that stands at `nowMs`, give or take the time of the test. */
function clockAt(nowMs: number): SharedArrayBuffer {
  const clock = new SharedArrayBuffer(8)
  Atomics.store(new BigInt64Array(clock), 0, BigInt(nowMs - Date.now()))
  return clock
}

test('what is acknowledged is on disk at that moment, from every port', async () => {
  const writer = start()
  const senders = [0, 1, 2].map((number) => writer.connect({ run: 'run-1', thread: number }))
  for (let number = 1; number <= 20; number++) {
    for (const sender of senders) sender.send(numbered(number))
  }
  for (const sender of senders) {
    const replies = await sender.received(20)
    expect(replies).toEqual(replies.map((_, i) => ({ kind: 'acknowledged', number: i + 1 })))
  }
  expect(rowsOf(state, TODAY)).toHaveLength(60)
  expect(await writer.heard('progress')).toEqual({ kind: 'progress', records: 60, batches: 60 })
})

test('stop: all posted before is written, the files are closed, the thread ends', async () => {
  const writer = start()
  const sender = writer.connect(SOURCE)
  for (let number = 1; number <= 50; number++) sender.send(numbered(number))
  expect(await writer.stop()).toBe(0)
  expect(writer.said.at(-1)).toEqual({ kind: 'stopped' })
  // Nothing is left in a -wal. (A reader makes one anew.)
  expect(readdirSync(join(state, 'traffic'))).toEqual([`${TODAY}.sqlite`])
  expect(flows()).toEqual(Array.from({ length: 50 }, (_, i) => i + 1))
})

test('a failure is told to the sender and once to the parent, and so is the recovery', async () => {
  const writer = start()
  const sender = writer.connect(SOURCE)
  mkdirSync(join(state, 'traffic', `${TODAY}.sqlite`), { recursive: true })
  sender.send(numbered(1))
  await sender.received(1)
  sender.send(numbered(1), numbered(2))
  const failed = await sender.received(3)
  expect(failed.map(({ kind, number }) => [kind, number])).toEqual([
    ['failed', 1],
    ['failed', 1],
    ['failed', 2],
  ])
  const alarm = await writer.heard('alarm')
  expect(alarm.what).toContain(`${TODAY}.sqlite: the file cannot be opened`)
  expect(alarm.hint).toContain(join(state, 'traffic'))
  rmSync(join(state, 'traffic'), { recursive: true })
  sender.send(numbered(1), numbered(2))
  expect((await sender.received(5)).slice(3).map(({ kind }) => kind)).toEqual([
    'acknowledged',
    'acknowledged',
  ])
  await writer.heard('recovered')
  expect(flows()).toEqual([1, 2])
  expect(writer.said.filter(({ kind }) => kind === 'alarm')).toHaveLength(1)
})

test('nothing that is sent ends it', async () => {
  const writer = start({ clock: clockAt(NOON_MS) })
  const sender = writer.connect(SOURCE)
  const nonsense: unknown[] = [
    null,
    17,
    'batch',
    {},
    { kind: 'batch' },
    { kind: 'batch', number: 0, records: [] },
    { kind: 'batch', number: 1.5, records: [] },
    { kind: 'batch', number: 1, records: 'none' },
    { kind: 'batch', number: 1, records: [null] },
  ]
  for (const each of nonsense) sender.port.postMessage(each)
  for (const each of [...nonsense, { kind: 'port' }, { kind: 'configure' }]) {
    writer.worker.postMessage(each)
  }
  sender.port.postMessage({ kind: 'batch', number: 1, records: [{}] })
  expect(await sender.received(1)).toEqual([{ kind: 'acknowledged', number: 1 }])
  writer.tell({ kind: 'configure', calendar: STOCKHOLM, identities: 'name', retentionMs: DAY_MS })
  sender.send(numbered(2))
  expect((await sender.received(2))[1]).toEqual({ kind: 'acknowledged', number: 2 })
  expect(flows()).toEqual([0, 2])
  expect(await writer.stop()).toBe(0)
  const alarms = writer.said.flatMap((message) => (message.kind === 'alarm' ? [message.what] : []))
  expect(alarms.filter((what) => what.includes('is not a batch'))).toHaveLength(nonsense.length)
  expect(alarms.some((what) => what.includes('had no valid value'))).toBe(true)
})

test('a source that comes again is refused: its numbers would pass for written ones', async () => {
  const writer = start()
  const first = writer.connect(SOURCE)
  first.send(numbered(1))
  await first.received(1)
  first.port.close()
  const second = writer.connect(SOURCE)
  second.send(numbered(1))
  expect(await second.received(1)).toEqual([
    { kind: 'failed', number: 1, why: 'thread 0 has had a port before' },
  ])
  expect((await writer.heard('alarm')).what).toBe('thread 0 has had a port before')
  expect(flows()).toEqual([1])
  expect(await writer.stop()).toBe(0)
})

test('the purge is done at the start and when the day changes, and told', async () => {
  const before = writerIn(state)
  for (let i = 0; i < 4; i++)
    before.write(SOURCE, batch(i + 1, record({ timeMs: NOON_MS - i * DAY_MS })))
  before.close()
  const clock = clockAt(NOON_MS)
  const writer = start({ clock, retentionMs: 2 * DAY_MS })
  expect(await writer.heard('purged')).toEqual({ kind: 'purged', day: '2026-11-18', records: 1 })
  writer.said.length = 0
  Atomics.add(new BigInt64Array(clock), 0, BigInt(DAY_MS))
  expect(await writer.heard('purged')).toEqual({ kind: 'purged', day: '2026-11-19', records: 1 })
  expect(existsSync(join(state, 'traffic', '2026-11-20.sqlite'))).toBe(true)
  writer.said.length = 0
  writer.tell({ kind: 'configure', calendar: STOCKHOLM, identities: 'name', retentionMs: DAY_MS })
  expect(await writer.heard('purged')).toEqual({ kind: 'purged', day: '2026-11-20', records: 1 })
})

test('a day that cannot be purged is an alarm, and the thread goes on', async () => {
  mkdirSync(join(state, 'traffic', '2026-01-01.sqlite'), { recursive: true })
  const writer = start({ clock: clockAt(NOON_MS), retentionMs: DAY_MS })
  expect((await writer.heard('alarm')).what).toContain('2026-01-01.sqlite')
  const sender = writer.connect(SOURCE)
  sender.send(numbered(1))
  expect(await sender.received(1)).toEqual([{ kind: 'acknowledged', number: 1 }])
})
