/**
 * Owns: what happens where the writer falls behind: nothing is lost that is not counted.
 * Never: writes to disk.
 */
import fc from 'fast-check'
import { beforeEach, describe, expect, it } from 'vitest'
import type { TrafficRecord } from '../../src/policy/index.ts'
import type { Flow } from '../../src/proxy/flow.ts'
import type { LogRules } from '../../src/proxy/world.ts'
import { Recording, RULES, rowsOf, START_MS } from './recording.ts'

const CONTINUE: LogRules = { ...RULES, onFailure: 'continue' }

let log = new Recording(RULES)

beforeEach(() => {
  log = new Recording(RULES).connect()
})

describe('at the bound, refuse', () => {
  it('is ready up to the bound, and again when there is room', () => {
    log.pass(99)
    expect(log.recorder.ready).toBe(true)
    log.pass(1)
    expect(log.recorder.ready).toBe(false)
    log.flush()
    expect(log.recorder.ready).toBe(false)
    log.writer.acknowledge(1)
    expect(log.recorder.ready).toBe(true)
    expect(log.alarms).toEqual([])
  })

  it('keeps all that the bound lets in', () => {
    log.pass(100)
    log.flush()
    expect(log.writer.rows).toHaveLength(100)
    expect(log.recorder.lostTotal).toBe(0)
  })

  it('counts its refusals instead of filling the memory with them', () => {
    log.pass(100)
    log.pass(1_000)
    expect(log.recorder.unacknowledged).toBe(100)
    expect(log.alarms).toEqual(['requests are refused for want of a log'])
    log.flush()
    log.writer.acknowledge(1)
    log.nowMs += 5_000
    log.flush()
    expect(log.writer.rows.slice(100)).toEqual(['gap of 1000'])
    expect(log.writer.batches[1]!.records[0]).toMatchObject({
      verdict: 'refuse',
      reason: 'log-unavailable',
      timeMs: START_MS,
      durationMs: 5_000,
    })
  })

  it('keeps the ends of log.flows that were open', () => {
    const open = [log.begin(), log.begin()]
    log.flushAfter(500)
    log.pass(98)
    for (const flow of open) flow.end('complete', log.nowMs)
    log.flush()
    expect(log.writer.rows.slice(-2)).toEqual(['whole 99', 'whole 100'])
    expect(log.writer.rows).toContain('closed 1')
    expect(log.writer.rows).toContain('closed 2')
    expect(log.recorder.lostTotal).toBe(0)
  })
})

describe('at the bound, continue', () => {
  beforeEach(() => {
    log = new Recording(CONTINUE).connect()
  })

  it('is always ready', () => {
    log.pass(101)
    expect(log.recorder.ready).toBe(true)
  })

  it('loses nothing that the bound lets in', () => {
    log.pass(100)
    log.flush()
    expect(log.writer.rows).toHaveLength(100)
    expect(log.recorder.lostTotal).toBe(0)
  })

  it('counts what is lost in one gap record, and raises the alarm once', () => {
    log.pass(100)
    log.nowMs += 10
    log.pass(7)
    log.flush()
    log.pass(3)
    expect(log.alarms).toEqual(['records are being lost'])
    expect(log.recorder.lostTotal).toBe(10)
    log.flush()
    expect(log.writer.rows).toHaveLength(100)
    log.writer.acknowledge(1)
    log.pass(1)
    log.flushAfter(990)
    expect(log.writer.rows.slice(100)).toEqual(['whole 111', 'gap of 10'])
    expect(log.writer.batches[1]!.records[1]).toMatchObject({
      event: 'gap',
      flow: 0,
      verdict: 'allow',
      timeMs: START_MS + 10,
      durationMs: 990,
      count: 10,
    })
  })

  it('is not settled while a loss is not noted', () => {
    log.pass(101)
    log.flush()
    log.writer.acknowledge(1)
    expect(log.recorder.unacknowledged).toBe(0)
    expect(log.recorder.settled).toBe(false)
    log.flush()
    log.writer.acknowledge(2)
    expect(log.recorder.settled).toBe(true)
  })

  it('counts the lost end of a flow that was open', () => {
    const flow = log.begin()
    log.flushAfter(500)
    log.pass(99)
    flow.end('complete', log.nowMs)
    log.flush()
    log.writer.acknowledge(2)
    log.flush()
    expect(log.writer.rows).toContain('opened 1')
    expect(log.writer.rows.at(-1)).toBe('gap of 1')
  })

  it('raises the alarm again at the next loss', () => {
    log.pass(101)
    log.flush()
    log.writer.acknowledge(1)
    log.flush()
    log.pass(101)
    expect(log.alarms).toHaveLength(2)
  })

  it('goes by new rules at once', () => {
    log.recorder.configure({ ...RULES, unacknowledged: 10 })
    log.pass(10)
    expect(log.recorder.ready).toBe(false)
  })
})

describe('whatever happens', () => {
  const KINDS = ['pass', 'open', 'end', 'flush', 'acknowledge', 'fail', 'connect', 'time'] as const
  const step = fc.record({
    kind: fc.constantFrom(...KINDS),
    amount: fc.integer({ min: 1, max: 8 }),
  })
  type Step = typeof step extends fc.Arbitrary<infer S> ? S : never
  /** What writers have acknowledged, each batch once. */
  let disk = new Map<number, readonly TrafficRecord[]>()

  function acknowledge(count: number): void {
    for (const { number, records } of log.writer.batches) {
      if (disk.has(number)) continue
      if (count-- === 0) return
      disk.set(number, records)
      log.writer.acknowledge(number)
    }
  }

  function take({ kind, amount }: Step, open: Flow[]): void {
    if (kind === 'pass') log.pass(amount)
    else if (kind === 'open') open.push(log.begin())
    else if (kind === 'end') open.shift()?.end('complete', log.nowMs)
    else if (kind === 'flush') log.flush()
    else if (kind === 'acknowledge') acknowledge(1)
    else if (kind === 'fail') log.writer.fail(log.writer.numbers.at(-amount) ?? 0)
    else if (kind === 'connect') log.connect()
    else log.nowMs += (amount - 3) * 200
  }

  /** All records that reach the disk, where in the end the writer works. */
  function run(rules: LogRules, steps: readonly Step[]): TrafficRecord[] {
    log = new Recording(rules).connect()
    disk = new Map()
    const open: Flow[] = []
    for (const one of steps) take(one, open)
    for (const flow of open) flow.end('complete', log.nowMs)
    for (let i = 0; i < steps.length + 5 && !log.recorder.settled; i++) {
      log.nowMs += 1_000
      log.recorder.flush(true)
      acknowledge(Number.POSITIVE_INFINITY)
    }
    return [...disk].sort(([a], [b]) => a - b).flatMap(([, records]) => records)
  }

  for (const onFailure of ['refuse', 'continue'] as const) {
    it(`every flow has its rows or is counted in a gap (${onFailure})`, () => {
      const rules = { ...RULES, onFailure, unacknowledged: 10 }
      fc.assert(
        fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
          const records = run(rules, steps)
          expect(log.recorder.settled).toBe(true)
          const gaps = records.filter(({ event }) => event === 'gap')
          const rows = rowsOf(records.filter(({ event }) => event !== 'gap'))
          expect(new Set(rows).size).toBe(rows.length)
          const missing = gaps.reduce((sum, { count }) => sum + count, 0)
          expect(missing).toBe(log.recorder.lostTotal)
          expect(log.recorder.made).toBe(records.length + missing)
          expect(log.recorder.acknowledged).toBe(records.length)
          // A flow is whole, or opened and closed; what is not there has been counted.
          let counted = 0
          for (let flow = 1; flow <= log.flows; flow++) {
            const has = (event: string) => rows.includes(`${event} ${flow}`)
            if (has('whole')) expect(has('opened') || has('closed')).toBe(false)
            else if (!has('opened') || !has('closed')) counted++
            if (has('closed')) expect(has('opened')).toBe(true)
          }
          expect(counted).toBe(missing)
        }),
        { numRuns: 1_000 },
      )
    })
  }
})
