import { describe, expect, it } from 'vitest'
import { Pace } from '../../src/proxy/pace.ts'

const LIMITS = { slowestBytesPerSecond: 100, slowestOverMs: 10_000 }

/** What is said of a client at each second, of whom we wait where `waiting`; bytes moved in that second. */
function check(
  name: string,
  seconds: readonly { readonly waiting: boolean; readonly bytes: number }[],
  expected: readonly number[],
  limits = LIMITS,
) {
  it(name, () => {
    const pace = new Pace()
    let moved = 5_000
    const slow = seconds.flatMap(({ waiting, bytes }, second) => {
      moved += bytes
      return pace.isTooSlow(limits, 77_000 + second * 1_000, waiting, moved) ? [second] : []
    })
    expect(slow).toEqual(expected)
  })
}

const seconds = (count: number, bytes: number, waiting = true) =>
  Array.from({ length: count }, () => ({ waiting, bytes }))

describe('a client that we wait for', () => {
  check('and that moves nothing is too slow after a whole window', seconds(11, 0), [10])
  check('and that moves a byte less than the rate is too slow', seconds(11, 99), [10])
  check('and that keeps the rate is not', seconds(60, 100), [])
  const lump = [...seconds(10, 0), { waiting: true, bytes: 1_000 }]
  check('may do it all in the last second', lump, [])
  check('and begin anew then', [...lump, ...seconds(10, 0)], [20])
  check('and that goes on to be too slow is so in each window', seconds(31, 0), [10, 20, 30])
})

describe('a client that we do not wait for', () => {
  check('may move nothing for ever', seconds(100, 0, false), [])
  const paused = [...seconds(9, 0), ...seconds(1, 0, false), ...seconds(10, 0)]
  check('begins a new window when we wait again', paused, [])
  check('has it from then', [...paused, ...seconds(1, 0)], [20])
})

describe('no limit', () => {
  check('0 bytes', seconds(100, 0), [], { ...LIMITS, slowestBytesPerSecond: 0 })
})
