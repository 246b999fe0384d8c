import fc from 'fast-check'
import { beforeEach, describe, expect, it } from 'vitest'
import { placesOf } from '../../src/proxy/places.ts'
import { ATTEMPT_DELAY_MS, Race, type RaceResult } from '../../src/proxy/race.ts'
import { MovedTimers } from './moved-timers.ts'

const TIMEOUT_MS = 10_000
const ADDRESSES = ['2001:db8::1', '192.0.2.1', '2001:db8::2', '192.0.2.2']

interface Tried {
  readonly text: string
  cancelled: boolean
  cancel(): void
}

let timers: MovedTimers
let tried: Tried[]
let results: RaceResult<Tried>[]

beforeEach(() => {
  timers = new MovedTimers()
  tried = []
  results = []
})

function race(...texts: string[]): Race<Tried> {
  return new Race<Tried>({
    places: placesOf(texts),
    timeoutMs: TIMEOUT_MS,
    open: ({ text }) => {
      const attempt = {
        ...{ text, cancelled: false },
        cancel() {
          attempt.cancelled = true
        },
      }
      tried.push(attempt)
      return attempt
    },
    done: (result) => results.push(result),
    timers,
  })
}

const triedTexts = () => tried.map(({ text }) => text)
const given = () => tried.filter(({ cancelled }) => cancelled).map(({ text }) => text)

describe('one address', () => {
  it('has one timer, and none when it is connected', () => {
    const running = race('192.0.2.1')
    expect([triedTexts(), timers.left]).toEqual([['192.0.2.1'], 1])
    running.connected(tried[0]!)
    expect(results).toEqual([{ ok: true, attempt: tried[0], place: placesOf(['192.0.2.1'])[0] }])
    expect([given(), timers.left]).toEqual([[], 0])
  })

  it('that refuses ends it', () => {
    race('192.0.2.1').failed(tried[0]!, 'ECONNREFUSED')
    expect(results).toEqual([{ ok: false, reason: 'dial-failed', detail: 'ECONNREFUSED' }])
    expect(timers.left).toBe(0)
  })

  it('that the system gives up on is too late', () => {
    race('192.0.2.1').failed(tried[0]!, 'ETIMEDOUT')
    expect(results).toEqual([{ ok: false, reason: 'dial-timeout', detail: 'ETIMEDOUT' }])
  })

  it('that says nothing is given up in time', () => {
    race('192.0.2.1')
    timers.move(TIMEOUT_MS - 1)
    expect([results, given()]).toEqual([[], []])
    timers.move(1)
    const detail = 'the address does not answer'
    expect(results).toEqual([{ ok: false, reason: 'dial-timeout', detail }])
    expect([given(), timers.left]).toEqual([['192.0.2.1'], 0])
  })

  it('is given up when nobody wants it, and nothing is said', () => {
    const running = race('192.0.2.1')
    running.cancel()
    running.cancel()
    running.connected(tried[0]!)
    running.failed(tried[0]!, 'ECANCELED')
    expect([results, given(), timers.left]).toEqual([[], ['192.0.2.1'], 0])
  })
})

describe('several addresses', () => {
  it('are tried one after the other, the first going on', () => {
    race(...ADDRESSES)
    timers.move(ATTEMPT_DELAY_MS - 1)
    expect(triedTexts()).toEqual(ADDRESSES.slice(0, 1))
    timers.move(1)
    expect(triedTexts()).toEqual(ADDRESSES.slice(0, 2))
    timers.move(ATTEMPT_DELAY_MS)
    timers.move(ATTEMPT_DELAY_MS)
    expect(triedTexts()).toEqual(ADDRESSES)
    expect([given(), timers.left]).toEqual([[], 1])
  })

  it('are tried at once when one has failed, and its time begins anew', () => {
    const running = race(...ADDRESSES)
    timers.move(200)
    running.failed(tried[0]!, 'ENETUNREACH')
    expect(tried.length).toBe(2)
    timers.move(ATTEMPT_DELAY_MS - 1)
    expect(tried.length).toBe(2)
    timers.move(1)
    expect(tried.length).toBe(3)
  })

  it('are given up when one has won', () => {
    const running = race(...ADDRESSES)
    timers.move(2 * ATTEMPT_DELAY_MS)
    running.connected(tried[1]!)
    expect(results).toMatchObject([{ ok: true, place: { text: ADDRESSES[1] } }])
    expect([given(), timers.left]).toEqual([[ADDRESSES[0], ADDRESSES[2]], 0])
    running.connected(tried[0]!)
    running.failed(tried[2]!, 'ECANCELED')
    timers.move(TIMEOUT_MS)
    expect([results.length, tried.length]).toEqual([1, 3])
  })

  it('may be won by the first, late', () => {
    const running = race(...ADDRESSES)
    timers.move(2 * ATTEMPT_DELAY_MS)
    running.connected(tried[0]!)
    expect(results).toMatchObject([{ ok: true, place: { text: ADDRESSES[0] } }])
    expect(given()).toEqual([ADDRESSES[1], ADDRESSES[2]])
  })

  it('have failed when the last has, by what tells most', () => {
    const running = race(...ADDRESSES.slice(0, 3))
    running.failed(tried[0]!, 'ENETUNREACH')
    running.failed(tried[1]!, 'ECONNREFUSED')
    running.failed(tried[2]!, 'ENETUNREACH')
    expect(results).toEqual([{ ok: false, reason: 'dial-failed', detail: 'ECONNREFUSED' }])
    expect(timers.left).toBe(0)
  })

  it('are waited for together', () => {
    const running = race(...ADDRESSES.slice(0, 2))
    timers.move(ATTEMPT_DELAY_MS)
    running.failed(tried[1]!, 'ECONNREFUSED')
    expect(results).toEqual([])
    timers.move(TIMEOUT_MS - ATTEMPT_DELAY_MS)
    expect(results).toEqual([{ ok: false, reason: 'dial-timeout', detail: 'ECONNREFUSED' }])
    expect(given()).toEqual([ADDRESSES[0]])
  })
})

describe('any race', () => {
  const step = fc.record({
    byMs: fc.integer({ min: 0, max: 600 }),
    who: fc.nat(ADDRESSES.length - 1),
    what: fc.constantFrom('connected', 'failed', 'nothing', 'cancel'),
  })

  it('ends once, and leaves no attempt and no timer behind', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 4 }), fc.array(step, { maxLength: 30 }), (n, steps) => {
        timers = new MovedTimers()
        tried = []
        results = []
        const over = new Set<Tried>()
        let cancelled = false
        const running = race(...ADDRESSES.slice(0, n))
        for (const { byMs, who, what } of steps) {
          timers.move(byMs)
          const attempt = tried[who]
          if (what === 'cancel') {
            running.cancel()
            cancelled ||= results.length === 0
          }
          // As a wire: it says one thing, once, and nothing when it has been given up.
          if (attempt === undefined || attempt.cancelled || over.has(attempt)) continue
          if (what === 'connected') running.connected(attempt)
          if (what === 'failed') running.failed(attempt, 'ECONNREFUSED')
          if (what === 'connected' || what === 'failed') over.add(attempt)
        }
        timers.move(TIMEOUT_MS)
        expect(results.length).toBe(cancelled ? 0 : 1)
        expect(timers.left).toBe(0)
        const [result] = results
        for (const attempt of tried) {
          expect(attempt.cancelled || over.has(attempt)).toBe(true)
          if (result?.ok && attempt === result.attempt) expect(attempt.cancelled).toBe(false)
        }
        expect(tried.length).toBeLessThanOrEqual(n)
      }),
    )
  })
})
