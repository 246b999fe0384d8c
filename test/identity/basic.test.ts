/**
 * Owns: what is read as Basic credentials, and that nothing a client sends can throw.
 * Never: judges a password.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  CREDENTIALS_LENGTH_MAX,
  formatBasic,
  isBasic,
  isPassword,
  PASSWORD_LENGTH_MAX,
  parseBasic,
} from '../../src/identity/basic.ts'
import { parseUserName, USER_NAME_LENGTH_MAX } from '../../src/policy/user.ts'

const encode = (bytes: string | Uint8Array) => Buffer.from(bytes).toString('base64')

function check(name: string, header: string, expected: [string, string] | null) {
  it(name, () => {
    const found = parseBasic(header)
    expect(found === null ? null : [found.user, found.password]).toEqual(expected)
  })
}

describe('read', () => {
  check('plain', 'Basic YW5uYTpoZW1saWd0', ['anna', 'hemligt'])
  check('the scheme in any case', 'bASIC YW5uYTpoZW1saWd0', ['anna', 'hemligt'])
  check('several spaces', 'Basic   YW5uYTpoZW1saWd0', ['anna', 'hemligt'])
  check('the name in lower case', `Basic ${encode('Anna.Andersson:X')}`, ['anna.andersson', 'X'])
  check('UTF-8', `Basic ${encode('åsa:löpsedel')}`, ['åsa', 'löpsedel'])
  check('colons in the password', `Basic ${encode('anna:a:b:')}`, ['anna', 'a:b:'])
  check('spaces in the password', `Basic ${encode('anna: x ')}`, ['anna', ' x '])
  check(
    'the longest there is',
    formatBasic('å'.repeat(USER_NAME_LENGTH_MAX), 'ö'.repeat(PASSWORD_LENGTH_MAX)),
    ['å'.repeat(USER_NAME_LENGTH_MAX), 'ö'.repeat(PASSWORD_LENGTH_MAX)],
  )
})

describe('refused', () => {
  check('nothing', '', null)
  check('the scheme alone', 'Basic', null)
  check('another scheme', 'Bearer YW5uYTpoZW1saWd0', null)
  check('no space', 'BasicYW5uYTpoZW1saWd0', null)
  check('no colon', `Basic ${encode('anna')}`, null)
  check('no name', `Basic ${encode(':hemligt')}`, null)
  check('a name of blanks', `Basic ${encode('  :hemligt')}`, null)
  check('no password', `Basic ${encode('anna:')}`, null)
  check('base64 without its padding', 'Basic YW5uYTp4eHg', null)
  check('base64 with loose bits', 'Basic YW5uYTp4eHi=', null)
  check('base64url', 'Basic YW5uYTp-_w==', null)
  check('two tokens', 'Basic YW5u YTpoZW1saWd0', null)
  check('Latin-1', `Basic ${encode(Buffer.from('anna:lösen', 'latin1'))}`, null)
  check('a control in the name', `Basic ${encode('an\u0000na:x')}`, null)
  check('a control in the password', `Basic ${encode('anna:x\n')}`, null)
  check('an overlong name', formatBasic('a'.repeat(USER_NAME_LENGTH_MAX + 1), 'x'), null)
  check('an overlong password', formatBasic('a', 'x'.repeat(PASSWORD_LENGTH_MAX + 1)), null)
  check('an overlong field', `Basic ${'A'.repeat(CREDENTIALS_LENGTH_MAX)}`, null)
})

describe('any input', () => {
  it('never throws', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.string({ unit: 'binary' })), (text) => {
        expect(() => parseBasic(text)).not.toThrow()
        expect(() => parseBasic(`Basic ${text}`)).not.toThrow()
      }),
    )
  })

  it('never throws on any bytes in base64', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
        const found = parseBasic(`Basic ${encode(bytes)}`)
        if (found !== null) expect(parseUserName(found.user)).toBe(found.user)
      }),
    )
  })

  it('is what formatBasic wrote', () => {
    const name = fc.string({ unit: 'grapheme', maxLength: 60 }).filter((text) => {
      return !text.includes(':') && parseUserName(text) !== null
    })
    const password = fc.string({ unit: 'grapheme', maxLength: 60 }).filter(isPassword)
    fc.assert(
      fc.property(name, password, (user, secret) => {
        const expected = { user: parseUserName(user), password: secret }
        expect(parseBasic(formatBasic(user, secret))).toEqual(expected)
      }),
    )
  })
})

describe('isBasic', () => {
  it.each([
    ['Basic abc', true],
    ['basic', true],
    ['BASIC !', true],
    ['Basically abc', false],
    ['Negotiate abc', false],
    ['', false],
  ])('%j: %s', (header, expected) => expect(isBasic(header)).toBe(expected))
})
