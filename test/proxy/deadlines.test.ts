import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Deadlines, STEP_MS } from '../../src/proxy/deadlines.ts'

let nowMs: number
let deadlines: Deadlines
let run: string[]
beforeEach(() => {
  vi.useFakeTimers()
  nowMs = 1_000
  run = []
  deadlines = new Deadlines(() => nowMs)
})
afterEach(() => {
  vi.useRealTimers()
})

const note = (name: string) => void run.push(name)

function move(ms: number): void {
  nowMs += ms
  deadlines.step()
}

describe('deadlines', () => {
  it('run once, when they are due, with what they were set for', () => {
    deadlines.set(note, 100, 'a')
    deadlines.set(note, 50, 'b')
    move(49)
    expect(run).toEqual([])
    move(1)
    expect(run).toEqual(['b'])
    move(50)
    move(1_000)
    expect(run).toEqual(['b', 'a'])
  })

  it('do not run when they were taken back, also by one that runs in the same step', () => {
    const first = deadlines.set(note, 10, 'first')
    deadlines.set(() => deadlines.clear(second), 10, '')
    const second = deadlines.set(note, 10, 'second')
    deadlines.clear(first)
    deadlines.clear(first)
    move(10)
    move(10)
    expect(run).toEqual([])
    deadlines.clear(second)
  })

  it('that are set by one that runs wait for the next step', () => {
    const again = () => {
      note('again')
      if (run.length < 3) deadlines.set(again, 0, '')
    }
    deadlines.set(again, 0, '')
    for (const times of [1, 2, 3, 3]) {
      move(0)
      expect(run.length).toBe(times)
    }
  })

  it('all run, though one fails', () => {
    const fail = () => {
      throw new Error('of the owner')
    }
    deadlines.set(note, 10, 'a')
    deadlines.set(fail, 10, '')
    deadlines.set(note, 10, 'b')
    deadlines.set(note, 30, 'c')
    expect(() => move(10)).toThrow('of the owner')
    move(0)
    move(20)
    expect(run).toEqual(['a', 'b', 'c'])
  })

  it('are looked at by one interval, which goes when there are none for long', () => {
    expect(vi.getTimerCount()).toBe(0)
    deadlines.set(note, 100, 'a')
    deadlines.set(note, 100, 'b')
    expect(vi.getTimerCount()).toBe(1)
    nowMs += 100
    vi.advanceTimersByTime(STEP_MS)
    expect(run).toEqual(['a', 'b'])
    vi.advanceTimersByTime(250 * STEP_MS)
    expect(vi.getTimerCount()).toBe(1)
    vi.advanceTimersByTime(10 * STEP_MS)
    expect(vi.getTimerCount()).toBe(0)
    deadlines.set(note, 0, 'c')
    vi.advanceTimersByTime(STEP_MS)
    expect(run).toEqual(['a', 'b', 'c'])
  })

  it('behave as a plain list of them does', () => {
    const step = fc.oneof(
      fc.record({ set: fc.integer({ min: 0, max: 200 }) }),
      fc.record({ clear: fc.nat(30) }),
      fc.record({ move: fc.nat(90) }),
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const tested = new Deadlines(() => nowMs)
        const plain: { atMs: number; over: boolean }[] = []
        const timers: unknown[] = []
        const ran: number[] = []
        const expected: number[] = []
        for (const one of steps) {
          if ('set' in one) {
            const number = plain.push({ atMs: nowMs + one.set, over: false }) - 1
            timers.push(tested.set((of: number) => void ran.push(of), one.set, number))
          } else if ('clear' in one) {
            const at = one.clear % Math.max(1, plain.length)
            if (plain[at] === undefined) continue
            plain[at].over = true
            tested.clear(timers[at])
          } else {
            nowMs += one.move
            tested.step()
            for (const [number, each] of plain.entries()) {
              if (each.over || each.atMs > nowMs) continue
              each.over = true
              expected.push(number)
            }
          }
        }
        expect(ran).toEqual(expected)
      }),
    )
  })
})
