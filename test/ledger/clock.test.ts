/**
 * Owns: a clock that a test may move, for all threads at once.
 * Never: reads the real time.
 */
import { describe, expect, it } from 'vitest'
import { clockBuffer, moveClock, sharedClock } from '../../src/ledger/clock.ts'

describe('the clock', () => {
  it('is the system’s where there is no buffer', () => {
    expect(sharedClock(null, () => 1_234)()).toBe(1_234)
  })

  it('is moved for everybody who has the buffer, either way, and goes on from there', () => {
    let systemMs = 1_000_000
    const buffer = clockBuffer()
    const clocks = [sharedClock(buffer, () => systemMs), sharedClock(buffer, () => systemMs)]
    const read = () => clocks.map((clock) => clock())
    expect(read()).toEqual([1_000_000, 1_000_000])
    moveClock(buffer, 60_000)
    expect(read()).toEqual([1_060_000, 1_060_000])
    systemMs += 5
    moveClock(buffer, -400_000_000_000)
    expect(read()).toEqual([-399_998_999_995, -399_998_999_995])
    moveClock(buffer, 0)
    expect(read()).toEqual([1_000_005, 1_000_005])
  })
})
