/**
 * Owns: that marks are found again, that none is found that was not put in, and what a full row does.
 * Never: starts a thread: two sets over one memory are as good here.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Marks, WAYS, WORDS_OF_MARK } from '../../src/proxy/marks.ts'

function setUp(rows: number) {
  const words = new Int32Array(new SharedArrayBuffer(4 * rows * WAYS * WORDS_OF_MARK))
  return { words, one: new Marks(words), other: new Marks(words) }
}

const markOf = (...words: number[]): Uint8Array =>
  new Uint8Array(Int32Array.from({ length: 8 }, (_, i) => words[i] ?? 7).buffer)

describe('marks', () => {
  it('are found by all, and told as new to one', () => {
    const { one, other } = setUp(4)
    const mark = markOf(1, 2, 3)
    expect(other.has(mark)).toBe(false)
    expect([one.add(mark), other.add(mark), one.add(mark)]).toEqual([true, false, false])
    expect(other.has(mark)).toBe(true)
  })

  it('are told apart by the row and by each bit that is kept', () => {
    const { one } = setUp(4)
    const mark = Uint8Array.from({ length: 32 }, (_, i) => 200 + i)
    one.add(mark)
    for (let bit = 0; bit < 96; bit++) {
      const near = Uint8Array.from(mark)
      near[bit >>> 3]! ^= 1 << (bit & 7)
      if (bit < 2 || bit >= 32) expect([bit, one.has(near)]).toEqual([bit, false])
    }
  })

  it('of which the kept words are 0 are marks like any other, and none is there at the start', () => {
    const { one } = setUp(4)
    const mark = markOf(0, 0, 0)
    expect(one.has(mark)).toBe(false)
    expect(one.add(mark)).toBe(true)
    expect(one.has(mark)).toBe(true)
  })

  it('fill a row, and then take the place of one', () => {
    const { one } = setUp(1)
    const all = Array.from({ length: WAYS + 1 }, (_, i) => markOf(0, 10 + i, 20 + i))
    expect(all.map((mark) => one.add(mark))).toEqual(Array(WAYS + 1).fill(true))
    expect(all.filter((mark) => one.has(mark))).toHaveLength(WAYS)
    expect(one.has(all[WAYS]!)).toBe(true)
  })

  it('of which another thread has written a half are not new, and not yet there', () => {
    const { words, one } = setUp(1)
    words[0] = 2
    expect(one.add(markOf(0, 2, 3))).toBe(false)
    expect(one.has(markOf(0, 2, 3))).toBe(false)
    expect(one.add(markOf(0, 4, 5))).toBe(true)
  })

  it('are as many as were put in, while there is room', () => {
    // 0 is kept as 1.
    const mark = fc.tuple(fc.nat(3), fc.integer({ min: 2 }), fc.integer({ min: 2 }))
    fc.assert(
      fc.property(fc.uniqueArray(mark, { maxLength: WAYS, selector: String }), (marks) => {
        const { one } = setUp(4)
        for (const words of marks) expect(one.add(markOf(...words))).toBe(true)
        for (const words of marks) expect(one.has(markOf(...words))).toBe(true)
      }),
    )
  })
})
