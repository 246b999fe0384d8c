import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Reason } from '../../src/policy/index.ts'
import { faultOfPart, hasBareLineFeed } from '../../src/proxy/partial-head.ts'

const LIMITS = { headBytes: 200, headFields: 6, requestLineBytes: 50 }
const unlooked = () => ({ to: 0, lines: 0 })

function check(name: string, text: string, expected: Reason | null, start = 0) {
  it(name, () => {
    expect(faultOfPart(Buffer.from(text, 'latin1'), start, LIMITS, unlooked())).toBe(expected)
  })
}

describe('what may yet become a head', () => {
  check('a letter', 'G', null)
  check('a line', 'GET http://a.test/ HTTP/1.1\r\n', null)
  check('a line and half its end', 'GET http://a.test/ HTTP/1.1\r', null)
  check('after empty lines', `\r\n\r\n${'x'.repeat(50)}`, null, 4)
  check('a line of just the limit', 'x'.repeat(50), null)
  check('a line of just the limit, ended', `${'x'.repeat(50)}\r\nA: b`, null)
  check('fields up to the limit', `${'x'.repeat(48)}\r\n${'y'.repeat(150)}`, null)
})

describe('what is wrong for certain', () => {
  check('a line over the limit', 'x'.repeat(51), 'request-line-too-long')
  check('a line over the limit, ended', `${'x'.repeat(51)}\r\n`, 'request-line-too-long')
  check(
    'a line over the limit after empty ones',
    `\r\n${'x'.repeat(51)}`,
    'request-line-too-long',
    2,
  )
  check('fields over the limit', `${'x'.repeat(48)}\r\n${'y'.repeat(151)}`, 'head-too-large')
  check('fields beyond their number', `G H I\r\n${'a:\r\n'.repeat(7)}`, 'head-too-large')
  check('TLS', '\x16\x03\x01', 'request-line')
  check('a byte over ASCII', '\xe5', 'request-line')
  check('a blank', ' GET', 'request-line')
  check('a bare LF after empty lines', '\r\n\n', 'request-line', 2)
  check('a bare LF', 'GET http://a.test/ HTTP/1.1\nHost', 'header-malformed')
  check('a bare LF later', 'GET http://a.test/ HTTP/1.1\r\nA: b\n', 'header-malformed')
})

it('nothing is wrong with the beginning of what is right', () => {
  const name = fc.stringMatching(/^[A-Za-z-]{1,8}$/)
  const value = fc.stringMatching(/^[!-~]{0,10}$/)
  const fields = fc.array(fc.tuple(name, value), { maxLength: 6 })
  fc.assert(
    fc.property(fields, fc.nat(300), (all, cut) => {
      const lines = ['GET http://a.test/ HTTP/1.1', ...all.map(([n, v]) => `${n}: ${v}`), '', '']
      const whole = lines.join('\r\n')
      const part = Buffer.from(whole.slice(0, Math.max(1, cut % whole.length)), 'latin1')
      expect(faultOfPart(part, 0, LIMITS, unlooked())).toBeNull()
    }),
  )
})

it('a head that comes byte by byte is looked at once, and judged as one that comes at once', () => {
  const text = fc.string({
    unit: fc.constantFrom('\r', '\n', '\r\n', 'A', ': ', 'b'),
    minLength: 1,
    maxLength: 240,
  })
  fc.assert(
    fc.property(text, (all) => {
      const bytes = Buffer.from(all, 'latin1')
      const looked = unlooked()
      let byByte: Reason | null = null
      for (let end = 1; end <= bytes.length && byByte === null; end++) {
        byByte = faultOfPart(bytes.subarray(0, end), 0, LIMITS, looked)
        if (byByte === null) expect(looked.to).toBe(end)
      }
      // What is wrong first is found first; at once, lines are judged after sizes.
      expect(byByte === null).toBe(faultOfPart(bytes, 0, LIMITS, unlooked()) === null)
    }),
  )
})

it('a bare line feed is found wherever it is, and not looked for where it was looked before', () => {
  expect(hasBareLineFeed(Buffer.from('HTTP/1.1 200 OK\r\nA: b\r\n'), 0)).toBe(false)
  expect(hasBareLineFeed(Buffer.from('HTTP/1.1 200 OK\nA: b'), 0)).toBe(true)
  expect(hasBareLineFeed(Buffer.from('HTTP/1.1 200 OK\r\nA: b\n'), 17)).toBe(true)
  expect(hasBareLineFeed(Buffer.from('HTTP/1.1 200 OK\nA: b'), 16)).toBe(false)
})
