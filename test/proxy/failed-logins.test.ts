/**
 * Owns: how many wrong passwords an address may send, over all threads and as time passes.
 * Never: verifies a password, or waits.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ipv4, parseAddress } from '../../src/policy/index.ts'
import { FailedLogins, type LoginLimits } from '../../src/proxy/failed-logins.ts'
import { Tally } from '../../src/proxy/tally.ts'
import { allocateTally } from '../../src/proxy/tally-memory.ts'

const LIMITS: LoginLimits = { failedLogins: 30, failedLoginsWithinMs: 300_000 }

/** The failed logins of two threads, with one clock. */
function setUp(limits = LIMITS, startMs = 1_000_000) {
  const clock = { nowMs: startMs }
  const buffer = allocateTally(2)
  const nowMs = () => clock.nowMs
  const [one, other] = [0, 1].map(
    (thread) => new FailedLogins({ tally: new Tally(buffer, thread), limits, nowMs }),
  ) as [FailedLogins, FailedLogins]
  return { clock, one, other, source: one.sourceOf(ipv4(10, 0, 0, 1)) }
}

/** Fails until it is barred; how often. */
function failUntilBarred(logins: FailedLogins, source: number): number {
  let failures = 0
  for (; !logins.isBarred(source); failures++) logins.failed(source)
  return failures
}

describe('failed logins', () => {
  it('bar an address at the limit, whichever thread they came to', () => {
    const { one, other, source } = setUp()
    for (let i = 0; i < 30; i++) {
      expect(one.isBarred(source)).toBe(false)
      ;(i % 2 ? one : other).failed(source)
    }
    expect(one.isBarred(source)).toBe(true)
    expect(other.isBarred(source)).toBe(true)
    expect(one.isBarred(one.sourceOf(ipv4(10, 0, 0, 2)))).toBe(false)
  })

  it('bar an IPv6 address with its whole /64', () => {
    const { one } = setUp({ failedLogins: 1, failedLoginsWithinMs: 10_000 })
    one.failed(one.sourceOf(parseAddress('2001:db8::1')!))
    expect(one.isBarred(one.sourceOf(parseAddress('2001:db8::2')!))).toBe(true)
    expect(one.isBarred(one.sourceOf(parseAddress('2001:db8:0:1::1')!))).toBe(false)
  })

  it('are forgotten one by one, and all of them after the whole time', () => {
    const { clock, one, source } = setUp()
    failUntilBarred(one, source)
    clock.nowMs += 9_999
    expect(one.isBarred(source)).toBe(true)
    clock.nowMs += 1
    expect(failUntilBarred(one, source)).toBe(1)
    clock.nowMs += 100_000
    expect(failUntilBarred(one, source)).toBe(10)
    clock.nowMs += 300_000
    expect(failUntilBarred(one, source)).toBe(30)
  })

  it('that come while an address is barred do not bar it for longer', () => {
    const { clock, one, source } = setUp()
    failUntilBarred(one, source)
    for (let i = 0; i < 1_000; i++) one.failed(source)
    clock.nowMs += 10_000
    expect(one.isBarred(source)).toBe(false)
  })

  it('take a new limit at once', () => {
    const { one, source } = setUp()
    for (let i = 0; i < 10; i++) one.failed(source)
    one.configure({ failedLogins: 10, failedLoginsWithinMs: 100_000 })
    expect(one.isBarred(source)).toBe(true)
    one.configure({ failedLogins: 100, failedLoginsWithinMs: 300_000 })
    expect(one.isBarred(source)).toBe(false)
    one.configure({ failedLogins: 10, failedLoginsWithinMs: 10_000 })
    expect(one.isBarred(source)).toBe(false)
  })

  it('bar nobody who never failed, whatever the machine’s clock says', () => {
    const moments = [0, 1, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 32 - 150_000, 2 ** 41]
    for (const startMs of moments) {
      const { one, source } = setUp(LIMITS, startMs)
      expect(one.isBarred(source)).toBe(false)
      expect(failUntilBarred(one, source)).toBe(30)
    }
  })

  it('count on as the machine’s milliseconds pass 31 and 32 bits', () => {
    for (const edge of [2 ** 31, 2 ** 32]) {
      const { clock, one, source } = setUp(LIMITS, edge - 5_000)
      expect(failUntilBarred(one, source)).toBe(30)
      clock.nowMs += 10_000
      expect(failUntilBarred(one, source)).toBe(1)
    }
  })

  it('are never more than the limit at once, nor than twice the limit within the time', () => {
    const pause = fc.integer({ min: 0, max: 40_000 })
    const limits = fc.record({
      failedLogins: fc.integer({ min: 1, max: 50 }),
      failedLoginsWithinMs: fc.integer({ min: 10_000, max: 200_000 }),
    })
    fc.assert(
      fc.property(
        limits,
        fc.array(pause, { maxLength: 30 }),
        fc.nat(2 ** 33),
        (set, pauses, at) => {
          const { clock, one, other, source } = setUp(set, at)
          const failures: number[] = []
          for (const ms of [0, ...pauses]) {
            clock.nowMs += ms
            const before = failures.length
            for (let i = 0; !one.isBarred(source) && i < 200; i++) {
              ;(i % 2 ? one : other).failed(source)
              failures.push(clock.nowMs)
            }
            expect(failures.length - before).toBeLessThanOrEqual(set.failedLogins)
          }
          for (const last of failures) {
            const from = last - set.failedLoginsWithinMs
            const within = failures.filter((ms) => ms > from && ms <= last).length
            expect(within).toBeLessThanOrEqual(2 * set.failedLogins)
          }
        },
      ),
      { numRuns: 60 },
    )
  })

  it('have a clock that all threads share, where none is given', () => {
    const tally = new Tally(allocateTally(1), 0)
    const logins = new FailedLogins({ tally, limits: LIMITS })
    expect(failUntilBarred(logins, 1)).toBe(30)
  })
})

describe('who has signed in', () => {
  it('is known on every thread, and no other digest is', () => {
    const { one, other } = setUp()
    const digest = Uint8Array.from({ length: 32 }, (_, i) => 200 + i)
    expect(other.hasSignedIn(digest)).toBe(false)
    one.signedIn(digest)
    expect(other.hasSignedIn(digest)).toBe(true)
    for (let bit = 0; bit < 64; bit++) {
      const near = Uint8Array.from(digest)
      near[bit >>> 3]! ^= 1 << (bit & 7)
      // The lowest bits of the first word choose no other place than its highest do.
      if (bit >= 18 || bit >>> 3 >= 4) expect([bit, other.hasSignedIn(near)]).toEqual([bit, false])
    }
  })

  it('is nobody at the start, not even whose digest is all zeros', () => {
    const { one } = setUp()
    const zeros = new Uint8Array(32)
    expect(one.hasSignedIn(zeros)).toBe(false)
    one.signedIn(zeros)
    expect(one.hasSignedIn(zeros)).toBe(true)
  })

  it('shares the key of digests over the threads of a run, and with no other run', () => {
    const { one, other } = setUp()
    expect(one.digestKey).toHaveLength(32)
    expect(other.digestKey).toEqual(one.digestKey)
    expect(setUp().one.digestKey).not.toEqual(one.digestKey)
  })
})
