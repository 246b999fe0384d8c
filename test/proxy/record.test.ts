/**
 * Owns: the rows that a flow gets, and the way of batches to the writer and of its answers back.
 * Never: reaches the bound; record-bound.test.ts does. Nothing is written to disk.
 */
import { beforeEach, describe, expect, it } from 'vitest'
import { FLUSH_MS } from '../../src/proxy/record.ts'
import { Recording, RULES, START_MS } from './recording.ts'

let log = new Recording(RULES)

beforeEach(() => {
  log = new Recording(RULES).connect()
})

describe('rows', () => {
  it('a flow that ends within the half second is one row, whole', () => {
    const flow = log.begin()
    log.nowMs += 100
    flow.bytesDown = 5
    flow.end('complete', log.nowMs)
    log.flushAfter(FLUSH_MS)
    expect(log.writer.rows).toEqual(['whole 1'])
    expect(log.writer.batches[0]!.records[0]).toMatchObject({
      timeMs: START_MS,
      durationMs: 100,
      bytesDown: 5,
      ending: 'complete',
      count: 1,
    })
  })

  it('a longer one is two: opened after the half second, closed at its end', () => {
    const flow = log.begin()
    log.flushAfter(499)
    expect(log.writer.rows).toEqual([])
    log.flushAfter(1)
    expect(log.writer.rows).toEqual(['opened 1'])
    expect(log.writer.batches[0]!.records[0]).toMatchObject({ ending: 'open', durationMs: 500 })
    log.flushAfter(60_000)
    flow.end('complete', log.nowMs)
    log.flushAfter(FLUSH_MS)
    expect(log.writer.rows).toEqual(['opened 1', 'closed 1'])
    expect(log.writer.batches[1]!.records[0]).toMatchObject({
      timeMs: START_MS,
      durationMs: 60_500,
    })
  })

  it('are sent within the second of the decision, whenever it falls between flushes', () => {
    for (let offset = 0; offset < FLUSH_MS; offset += 20) {
      log = new Recording(RULES).connect()
      log.nowMs += offset
      log.begin()
      for (let at = FLUSH_MS; at <= 800; at += FLUSH_MS) {
        log.nowMs = START_MS + at
        log.flush()
      }
      expect(log.writer.rows).toEqual(['opened 1'])
    }
  })

  it('do not wait for a clock that is set back', () => {
    log.begin()
    log.flushAfter(-3_600_000)
    expect(log.writer.rows).toEqual(['opened 1'])
  })

  it('of all that is open are made at once, where the thread ends', () => {
    log.begin()
    log.begin().end('complete', log.nowMs)
    log.recorder.flush(true)
    expect(log.writer.rows).toEqual(['opened 1', 'whole 2'])
  })

  it('keep the order of the decisions', () => {
    const first = log.begin()
    log.pass(1)
    first.end('complete', log.nowMs)
    log.begin()
    log.flushAfter(500)
    expect(log.writer.rows).toEqual(['whole 1', 'whole 2', 'opened 3'])
  })
})

describe('batches', () => {
  it('are numbered from 1, one a flush, and none is empty', () => {
    log.pass(2)
    log.flushAfter(FLUSH_MS)
    log.flushAfter(FLUSH_MS)
    log.pass(1)
    log.flushAfter(FLUSH_MS)
    expect(log.writer.numbers).toEqual([1, 2])
    expect(log.writer.batches.map(({ records }) => records.length)).toEqual([2, 1])
  })

  it('hold 2,000 records at most', () => {
    log = new Recording({ ...RULES, unacknowledged: 10_000 }).connect()
    log.pass(4_500)
    log.flush()
    expect(log.writer.batches.map(({ records }) => records.length)).toEqual([2_000, 2_000, 500])
    expect(log.writer.numbers).toEqual([1, 2, 3])
  })

  it('wait for the first writer', () => {
    log = new Recording(RULES)
    log.pass(2)
    log.flush()
    expect(log.recorder.unacknowledged).toBe(2)
    log.connect().flush()
    expect(log.writer.rows).toEqual(['whole 1', 'whole 2'])
  })
})

/** Three batches of one, two and three records, sent. */
function sendThree(): void {
  for (const count of [1, 2, 3]) {
    log.pass(count)
    log.flush()
  }
}

describe('acknowledgements', () => {
  it('cover every batch up to their number', () => {
    sendThree()
    expect(log.recorder.unacknowledged).toBe(6)
    log.writer.acknowledge(2)
    expect(log.recorder.unacknowledged).toBe(3)
    expect(log.recorder.acknowledged).toBe(3)
    log.writer.acknowledge(3)
    expect(log.recorder.settled).toBe(true)
  })

  it('count once, however often they come', () => {
    sendThree()
    for (const number of [2, 1, 2, 3, 3]) log.writer.acknowledge(number)
    expect(log.recorder.acknowledged).toBe(6)
    expect(log.recorder.unacknowledged).toBe(0)
  })

  it('are needed for each: a flow, a queued and a sent record are all unsettled', () => {
    expect(log.recorder.settled).toBe(true)
    log.begin()
    expect(log.recorder.settled).toBe(false)
    log.recorder.flush(true)
    expect(log.recorder.settled).toBe(false)
    log.writer.acknowledge(1)
    expect(log.recorder.settled).toBe(true)
  })
})

describe('a new writer', () => {
  it('gets what the last one did not acknowledge, with the same numbers, and then the rest', () => {
    sendThree()
    log.writer.acknowledge(1)
    const last = log.writer
    const next = log.connect().writer
    expect(last.closed).toBe(true)
    expect(next.batches).toEqual(last.batches.slice(1))
    log.pass(1)
    log.flush()
    expect(next.numbers).toEqual([2, 3, 4])
    next.acknowledge(4)
    expect(log.recorder.settled).toBe(true)
    expect(log.recorder.acknowledged).toBe(7)
  })

  it('is not held back by the failure of the last one', () => {
    sendThree()
    log.writer.fail(1)
    const next = log.connect().writer
    log.pass(1)
    log.flush()
    expect(next.numbers).toEqual([1, 2, 3, 4])
  })
})

describe('a batch that fails', () => {
  it('is sent again after a second, with those after it', () => {
    sendThree()
    log.writer.acknowledge(1)
    log.writer.fail(2)
    log.writer.fail(3)
    log.flushAfter(999)
    expect(log.writer.numbers).toEqual([1, 2, 3])
    log.flushAfter(1)
    expect(log.writer.numbers).toEqual([1, 2, 3, 2, 3])
    expect(log.writer.batches[3]).toBe(log.writer.batches[1])
    log.flushAfter(5_000)
    expect(log.writer.numbers).toHaveLength(5)
  })

  it('holds back what is new: the writer takes nothing before it', () => {
    sendThree()
    log.writer.fail(1)
    for (let i = 0; i < 4; i++) {
      log.pass(1)
      log.flushAfter(FLUSH_MS)
    }
    expect(log.writer.numbers).toEqual([1, 2, 3])
    log.flushAfter(FLUSH_MS)
    expect(log.writer.numbers).toEqual([1, 2, 3, 1, 2, 3, 4])
    expect(log.writer.batches.at(-1)!.records).toHaveLength(4)
  })

  it('is sent again, however many failures come meanwhile', () => {
    sendThree()
    for (let i = 0; i < 5; i++) {
      log.writer.fail(1 + (i % 3))
      log.flushAfter(FLUSH_MS)
    }
    expect(log.writer.numbers).toEqual([1, 2, 3, 1, 2, 3])
  })

  it('is sent again though the clock is set back', () => {
    sendThree()
    log.writer.fail(1)
    log.flushAfter(-3_600_000)
    expect(log.writer.numbers).toEqual([1, 2, 3, 1, 2, 3])
  })

  it('no longer counts once it is acknowledged', () => {
    sendThree()
    log.writer.acknowledge(3)
    log.writer.fail(2)
    log.pass(1)
    log.flush()
    expect(log.writer.numbers).toEqual([1, 2, 3, 4])
  })
})
