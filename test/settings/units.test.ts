/**
 * Owns: what durations and sizes may look like, and that writing and reading them are each other's reverse.
 * Never: asks which setting takes them.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Reading } from '../../src/settings/reading.ts'
import {
  DURATION_PATTERN,
  formatDuration,
  formatSize,
  parseDuration,
  parseSize,
  SIZE_PATTERN,
} from '../../src/settings/units.ts'

/** `expected` is the number, or a part of what is said to be wrong. */
function check(parse: (text: string) => Reading<number>, text: string, expected: number | string) {
  it(`${JSON.stringify(text)} is ${expected}`, () => {
    const reading = parse(text)
    if (reading.ok) expect(reading.value).toBe(expected)
    else expect(`${reading.what}; ${reading.hint}`).toContain(expected)
  })
}

describe('durations', () => {
  check(parseDuration, '500ms', 500)
  check(parseDuration, '30s', 30_000)
  check(parseDuration, '60m', 3_600_000)
  check(parseDuration, '24h', 86_400_000)
  check(parseDuration, '90d', 7_776_000_000)
  check(parseDuration, '0s', 0)
  check(parseDuration, '007s', 7_000)
  check(parseDuration, '30', 'the unit is missing')
  check(parseDuration, '60min', 'min is not a unit here; the units are ms, s, m, h, d')
  check(parseDuration, '30S', 'S is not a unit here')
  check(parseDuration, '1.5h', 'only whole numbers')
  check(parseDuration, '1,5h', 'only whole numbers')
  check(parseDuration, '-5s', 'negative')
  check(parseDuration, '30 s', 'blank')
  check(parseDuration, '', 'not a number with a unit')
  check(parseDuration, '1h30m', 'not a number with a unit')
  check(parseDuration, '٣s', 'not a number with a unit')
  check(parseDuration, '999999999999d', 'too large')
})

describe('sizes', () => {
  check(parseSize, '512B', 512)
  check(parseSize, '16KiB', 16_384)
  check(parseSize, '1MiB', 1_048_576)
  check(parseSize, '2GiB', 2_147_483_648)
  check(parseSize, '16KB', 'KB is not a unit here; the units are B, KiB, MiB, GiB')
  check(parseSize, '16384', 'the unit is missing')
})

describe('there and back', () => {
  const pairs = [
    ['durations', parseDuration, formatDuration, DURATION_PATTERN],
    ['sizes', parseSize, formatSize, SIZE_PATTERN],
  ] as const
  for (const [name, parse, format, pattern] of pairs) {
    it(`reads what it writes: ${name}`, () => {
      fc.assert(
        fc.property(fc.maxSafeNat(), (n) => {
          expect(parse(format(n))).toEqual({ ok: true, value: n })
        }),
      )
    })

    it(`writes the shortest form, which editors accept: ${name}`, () => {
      fc.assert(
        fc.property(fc.nat(999_999_999_999), (n) => {
          const text = format(n)
          expect(text).toMatch(new RegExp(pattern))
          expect(Number.parseInt(text, 10)).toBeLessThanOrEqual(n)
        }),
      )
    })

    it(`says what is wrong, or reads a number, for any text: ${name}`, () => {
      fc.assert(
        fc.property(fc.string({ unit: 'binary' }), (text) => {
          const reading = parse(text)
          expect(reading.ok ? Number.isSafeInteger(reading.value) : reading.what !== '').toBe(true)
        }),
      )
    })
  }
})
