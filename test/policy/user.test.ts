/**
 * Owns: which spellings of a name are one person, and the key of a ledger.
 * Never: proves who anybody is.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  ledgerKey,
  ledgerOwner,
  parseUserName,
  USER_NAME_LENGTH_MAX,
} from '../../src/policy/user.ts'

/** `expected` is the comparable name; null where the text is none. */
function check(name: string, text: string, expected: string | null) {
  it(`${name}: ${JSON.stringify(text).slice(0, 60)}`, () => {
    expect(parseUserName(text)).toBe(expected)
  })
}

describe('parseUserName', () => {
  check('normal form', 'anna.andersson', 'anna.andersson')
  check('upper case', 'Anna.ANDERSSON', 'anna.andersson')
  check('blanks around', '  anna ', 'anna')
  check('a blank within', 'anna andersson', 'anna andersson')
  check('Swedish letters', 'Åsa.Öberg', 'åsa.öberg')
  check('decomposed letters', 'A\u030asa', 'åsa')
  check('decomposed, composed only in lower case', 'J\u030c', '\u01f0')
  check('a domain', 'KOMMUN\\Anna', 'kommun\\anna')
  check('a principal', 'Anna@KOMMUN.SE', 'anna@kommun.se')
  check('as long as it may be', 'a'.repeat(USER_NAME_LENGTH_MAX), 'a'.repeat(USER_NAME_LENGTH_MAX))
  check('one longer', 'a'.repeat(USER_NAME_LENGTH_MAX + 1), null)
  check('nothing', '', null)
  check('only blanks', ' \t ', null)
  check('NUL', 'anna\0office', null)
  check('a line end within', 'anna\nbengt', null)
  check('DEL', 'anna\u007f', null)
  check('a C1 control', 'anna\u0085bengt', null)
  check('a line separator', 'anna\u2028bengt', null)

  it('reads its own result as the same name', () => {
    const hostile = fc.constantFrom(
      'İ',
      'ß',
      'ẞ',
      'Σ',
      '\u0307',
      '\u030a',
      '\u030c',
      'A',
      'J',
      ' ',
      '\u00a0',
      'ﬁ',
    )
    const text = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.string({ unit: hostile, maxLength: 110 }),
      fc.string({ unit: 'grapheme' }),
    )
    const property = fc.property(text, (text) => {
      const name = parseUserName(text)
      if (name !== null) expect(parseUserName(name)).toBe(name)
    })
    fc.assert(property, { numRuns: 20_000 })
  })
})

describe('the key of a ledger', () => {
  it('gives back its owner, and no other owner has it', () => {
    // Names of people have passed parseUserName; zones and categories are small letters and digits.
    const name = fc.string({ unit: 'grapheme', minLength: 1 }).map(parseUserName)
    const user = name.filter((name) => name !== null)
    const owner = fc.record({ zone: user, user, category: user })
    const property = fc.property(owner, owner, (one, other) => {
      expect(ledgerOwner(ledgerKey(one))).toEqual(one)
      expect(ledgerKey(one) === ledgerKey(other)).toBe(
        one.zone === other.zone && one.user === other.user && one.category === other.category,
      )
    })
    fc.assert(property, { numRuns: 2_000 })
  })
})
