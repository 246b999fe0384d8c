/**
 * Owns: how many wrong passwords an address may send, over all threads and as time passes.
 * Never: verifies a password, or waits.
 */
import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ipv4, parseAddress, parseUserName } from '../../src/policy/index.ts'
import { FailedLogins, type LoginLimits } from '../../src/proxy/failed-logins.ts'
import { Tally } from '../../src/proxy/tally.ts'
import { allocateTally } from '../../src/proxy/tally-memory.ts'

const LIMITS: LoginLimits = { failedLogins: 30, failedLoginsWithinMs: 300_000 }

const ANNA = parseUserName('anna')!
const BO = parseUserName('bo')!

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
  for (; !logins.isBarred(source, ANNA); failures++) logins.failed(source, ANNA)
  return failures
}

describe('failed logins', () => {
  it('bar an address at the limit, whichever thread they came to', () => {
    const { one, other, source } = setUp()
    for (let i = 0; i < 30; i++) {
      expect(one.isBarred(source, ANNA)).toBe(false)
      ;(i % 2 ? one : other).failed(source, ANNA)
    }
    expect(one.isBarred(source, ANNA)).toBe(true)
    expect(other.isBarred(source, ANNA)).toBe(true)
    expect(one.isBarred(one.sourceOf(ipv4(10, 0, 0, 2)), ANNA)).toBe(false)
  })

  it('bar an IPv6 address with its whole /64', () => {
    const { one } = setUp({ failedLogins: 1, failedLoginsWithinMs: 10_000 })
    one.failed(one.sourceOf(parseAddress('2001:db8::1')!), ANNA)
    expect(one.isBarred(one.sourceOf(parseAddress('2001:db8::2')!), ANNA)).toBe(true)
    expect(one.isBarred(one.sourceOf(parseAddress('2001:db8:0:1::1')!), ANNA)).toBe(false)
  })

  it('are forgotten one by one, and all of them after the whole time', () => {
    const { clock, one, source } = setUp()
    failUntilBarred(one, source)
    clock.nowMs += 9_999
    expect(one.isBarred(source, ANNA)).toBe(true)
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
    for (let i = 0; i < 1_000; i++) one.failed(source, ANNA)
    clock.nowMs += 10_000
    expect(one.isBarred(source, ANNA)).toBe(false)
  })

  it('take a new limit at once', () => {
    const { one, source } = setUp()
    for (let i = 0; i < 10; i++) one.failed(source, ANNA)
    one.configure({ failedLogins: 10, failedLoginsWithinMs: 100_000 })
    // The name's failure would be remembered for longer than that, and is forgotten; the address is full.
    expect(one.isBarred(source, ANNA)).toBe(false)
    one.failed(source, ANNA)
    expect(one.isBarred(source, ANNA)).toBe(true)
    one.configure({ failedLogins: 100, failedLoginsWithinMs: 300_000 })
    expect(one.isBarred(source, ANNA)).toBe(false)
    one.configure({ failedLogins: 10, failedLoginsWithinMs: 10_000 })
    expect(one.isBarred(source, ANNA)).toBe(false)
  })

  it('bar nobody who never failed, whatever the machine’s clock says', () => {
    const moments = [0, 1, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 32 - 150_000, 2 ** 41]
    for (const startMs of moments) {
      const { one, source } = setUp(LIMITS, startMs)
      expect(one.isBarred(source, ANNA)).toBe(false)
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
            for (let i = 0; !one.isBarred(source, ANNA) && i < 200; i++) {
              ;(i % 2 ? one : other).failed(source, ANNA)
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

describe('an address that is barred', () => {
  it('lets a name that has not failed there try once, on any thread', () => {
    const { one, other, source } = setUp()
    failUntilBarred(one, source)
    expect(other.isBarred(source, BO)).toBe(false)
    other.failed(source, BO)
    expect(one.isBarred(source, BO)).toBe(true)
    // Of another address nothing is held against it.
    expect(one.isBarred(one.sourceOf(ipv4(10, 0, 0, 2)), BO)).toBe(false)
  })

  it('lets no more than twice the limit fail, however many names are tried', () => {
    const { clock, one, other, source } = setUp()
    const spray = (round: number) => {
      let failures = 0
      for (let i = 0; i < 500; i++) {
        const name = parseUserName(`name ${round} ${i}`)!
        const thread = i % 2 ? one : other
        if (thread.isBarred(source, name)) continue
        thread.failed(source, name)
        failures++
      }
      return failures
    }
    expect(spray(1)).toBe(60)
    clock.nowMs += 10_000
    expect(spray(2)).toBe(2)
  })

  it('lets a name try again when its failure there is forgotten', () => {
    const { clock, one, source } = setUp()
    one.failed(source, BO)
    clock.nowMs += 299_999
    for (let i = 0; i < 30; i++) one.failed(source, ANNA)
    expect(one.isBarred(source, BO)).toBe(true)
    clock.nowMs += 1
    expect([one.isBarred(source, BO), one.isBarred(source, ANNA)]).toEqual([false, true])
  })
})

describe('suspicion', () => {
  it('is of the address and of the name, and passes with the failures', () => {
    const { clock, one, other, source } = setUp()
    const elsewhere = one.sourceOf(ipv4(10, 0, 0, 2))
    const all = () =>
      [source, elsewhere].flatMap((from) => [ANNA, BO].map((name) => other.suspicionOf(from, name)))
    expect(all()).toEqual([0, 0, 0, 0])
    one.failed(source, ANNA)
    expect(all()).toEqual([2, 1, 1, 0])
    clock.nowMs += 300_000
    expect(all()).toEqual([0, 0, 0, 0])
  })
})

describe('what was right, and what was wrong', () => {
  it('is known on every thread, each for itself', () => {
    const { one, other } = setUp()
    const mark = Uint8Array.from({ length: 32 }, (_, i) => 200 + i)
    one.signedIn(mark)
    expect([other.hasSignedIn(mark), other.wasWrong(mark)]).toEqual([true, false])
    const guess = mark.map((byte) => byte ^ 1)
    expect([one.foundWrong(guess), other.foundWrong(guess)]).toEqual([true, false])
    expect([other.hasSignedIn(guess), other.wasWrong(guess)]).toEqual([false, true])
  })

  it('shares the key of digests over the threads of a run, and with no other run', () => {
    const { one, other } = setUp()
    expect(one.digestKey).toHaveLength(32)
    expect(other.digestKey).toEqual(one.digestKey)
    expect(setUp().one.digestKey).not.toEqual(one.digestKey)
  })

  it('is kept of 20,000 people, and of each at once', () => {
    const { one, other } = setUp()
    const marks = Array.from({ length: 20_000 }, (_, i) => {
      return createHash('sha256').update(`mark ${i}`).digest()
    })
    for (const mark of marks) one.signedIn(mark)
    const lost = marks.filter((mark) => !other.hasSignedIn(mark)).length
    expect(lost).toBeLessThanOrEqual(2)
  })
})
