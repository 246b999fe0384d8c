/**
 * Owns: field lines: which are well formed, and which may go on.
 * Never: knows what a field means to a request; head.test.ts and response.test.ts do.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { HOST } from '../../src/proxy/field-names.ts'
import { scan } from '../../src/proxy/field-scan.ts'
import {
  type Fields,
  type FieldsFault,
  forwardable,
  forwardableTrailers,
  keptLines,
  listOf,
  parseFields,
  trimBlanks,
  viaEntry,
} from '../../src/proxy/fields.ts'

describe('parseFields', () => {
  function check(name: string, text: string, expected: Fields | FieldsFault, fieldsMax = 3) {
    it(name, () => expect(parseFields(text, 0, fieldsMax)).toEqual(expected))
  }
  check('none', '', [])
  check('in order, names as they came', 'B: 1\r\na: 2\r\nB: 3\r\n', ['B', '1', 'a', '2', 'B', '3'])
  check('a colon in a value', 'A: b:c\r\n', ['A', 'b:c'])
  check('blanks and tabs around a value', 'A:\t b \t c \t\r\n', ['A', 'b \t c'])
  check('only blanks', 'A: \t \r\n', ['A', ''])
  check('obs-text', 'A: \x80\xff\r\n', ['A', '\x80\xff'])
  check('every mark of a token', "!#$%&'*+-.^_`|~09Zz: x\r\n", ["!#$%&'*+-.^_`|~09Zz", 'x'])
  check('one too many', 'A:\r\nA:\r\nA:\r\nA:\r\n', 'too-many')
  check('malformed, where it would be too many', 'A:\r\nA:\r\nA:\r\nA :\r\n', 'malformed')
  check('too many, then malformed', 'A:\r\nA:\r\nA:\r\nA:\r\nA :\r\n', 'too-many')
  check('no CR LF', 'A: b', 'malformed')
  check('a bare LF', 'A: b\n', 'malformed')
  check('a bare LF within', 'A: b\nC: d\r\n', 'malformed')
  check('a bare CR within', 'A: b\rC: d\r\n', 'malformed')
  check('a folded line', 'A: b\r\n c: d\r\n', 'malformed')
  check('an empty line', '\r\nA: b\r\n', 'malformed')
  check('a colon only in the next line', 'A\r\nB: c\r\n', 'malformed')

  it('begins where it is told', () => {
    expect(parseFields('GET\r\nA: b\r\n', 5, 1)).toEqual(['A', 'b'])
  })

  it('finds no mark outside the grammar in what it takes', () => {
    const line = fc.string({ unit: 'binary-ascii', maxLength: 12 }).map((text) => `${text}\r\n`)
    fc.assert(
      fc.property(fc.array(line, { maxLength: 4 }), (lines) => {
        const fields = parseFields(lines.join(''), 0, 10)
        if (typeof fields === 'string') return
        fields.forEach((text, i) => {
          if (i % 2 === 0) expect(text).toMatch(/^[\w!#$%&'*+.^`|~-]+$/)
          else
            for (const mark of text)
              expect(mark === '\t' || (mark >= ' ' && mark <= '~')).toBe(true)
        })
        expect(parseFields(forwardable(fields, [], []), 0, 10)).not.toBe('malformed')
      }),
      { numRuns: 2_000 },
    )
  })
})

describe('trimBlanks', () => {
  it('is what a plain regular expression does', () => {
    const unit = fc.constantFrom(' ', '\t', 'a', '\u00a0', '\r')
    fc.assert(
      fc.property(fc.string({ unit, maxLength: 8 }), (text) => {
        expect(trimBlanks(text)).toBe(text.replace(/^[\t ]+/, '').replace(/[\t ]+$/, ''))
      }),
    )
  })
})

describe('listOf', () => {
  function check(value: string, expected: string[]) {
    it(`'${value}'`, () => expect(listOf(value)).toEqual(expected))
  }
  check('', [])
  check(' , ,', [])
  check('Close', ['close'])
  check('a ,\tB,,c', ['a', 'b', 'c'])
})

describe('forwardable', () => {
  const fields = (...lines: string[]): Fields =>
    lines.flatMap((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)])
  function check(name: string, given: string[], nominated: string[], expected: string[]) {
    it(name, () => {
      const lines = expected.map((line) => `${line}\r\n`).join('')
      expect(forwardable(fields(...given), nominated, ['host'])).toBe(lines)
    })
  }
  const hopByHop = [
    ...['Connection: close', 'Proxy-Connection: close', 'Keep-Alive: 5', 'TE: trailers'],
    ...['Transfer-Encoding: chunked', 'UPGRADE: h2c', 'Proxy-Authenticate: Basic'],
    ...['proxy-authorization: Basic x', 'Proxy-Authentication-Info: x'],
  ]
  check('keeps names, values and order', ['B: 1', 'a: 2', 'B: 3'], [], ['B: 1', 'a: 2', 'B: 3'])
  check('strips what is for one hop', ['A: 1', ...hopByHop, 'B: 2'], [], ['A: 1', 'B: 2'])
  check(
    'strips what Connection nominates',
    ['X-A: 1', 'x-b: 2', 'X-C: 3'],
    ['x-a', 'x-b'],
    ['X-C: 3'],
  )
  check('leaves out what the caller writes', ['HOST: a.se', 'A: 1'], [], ['A: 1'])
  check(
    'keeps a nominated length',
    ['Content-Length: 5'],
    ['content-length'],
    ['Content-Length: 5'],
  )
  check('passes credentials for the origin', ['Authorization: x'], [], ['Authorization: x'])
  check(
    'passes Via, Trailer and the like',
    ['Via: 1.1 a', 'Trailer: x'],
    [],
    ['Via: 1.1 a', 'Trailer: x'],
  )

  /** Every kind of line, in every spelling that is not as we would write it. */
  const name = fc.constantFrom(
    ...['A', 'X-Hop', 'Content-Length', 'Host', 'Via', 'TE', 'Keep-Alive', 'KEEP-ALIVE', 'upgrade'],
    ...['Connection', 'Proxy-Connection', 'Transfer-Encoding', 'Proxy-Authorization', 'Expect'],
    ...['Proxy-Authenticate', 'Proxy-Authentication-Info', 'User-Agent', 'Accept-Encoding', 'Date'],
  )
  const colon = fc.constantFrom(': ', ': ', ': ', ':', ':  ', ':\t')
  const value = fc.constantFrom('1', '', 'a b', 'a\tb', 'x ', '\xe5')
  const lines = fc.array(fc.tuple(name, colon, value).map((parts) => `${parts.join('')}\r\n`))

  it('says of a list what keptLines says of the text', () => {
    const nominated = fc.array(fc.constantFrom('x-hop', 'a', 'host', 'close', 'te', 'date'))
    fc.assert(
      fc.property(lines, nominated, fc.boolean(), (all, names, withHost) => {
        const text = all.join('')
        const fieldsThere = parseFields(text, 0, all.length) as Fields
        scan.load(text)
        expect(scan.find(0, all.length)).toBe(null)
        expect(keptLines(-1, names, withHost ? 0 : 1 << HOST)).toBe(
          forwardable(fieldsThere, names, withHost ? [] : ['host']),
        )
      }),
      { numRuns: 2_000 },
    )
  })

  it('does not let a nomination strip Host, where the caller does not write it', () => {
    expect(forwardable(['Host', 'a.se'], ['host'], [])).toBe('Host: a.se\r\n')
  })
})

describe('forwardableTrailers', () => {
  const going = (name: string, nominated: string[] = []) =>
    forwardableTrailers([name, 'x'], nominated) === `${name}: x\r\n`
  function check(names: string[], expected: boolean) {
    for (const name of names) {
      it(`${expected ? 'passes' : 'drops'} ${name}`, () => expect(going(name)).toBe(expected))
    }
  }
  check(['X-Checksum', 'Digest', 'ETag', 'Server-Timing', 'grpc-status'], true)
  check(['Content-Length', 'transfer-encoding', 'HOST', 'Connection', 'Trailer', 'Upgrade'], false)
  check(['Authorization', 'Proxy-Authorization', 'WWW-Authenticate', 'Cookie', 'Set-Cookie'], false)
  check(['Cache-Control', 'Expect', 'Max-Forwards', 'Range', 'TE', 'If-Match', 'Via'], false)
  check(['Age', 'Date', 'Expires', 'Location', 'Retry-After', 'Vary'], false)
  check(['Content-Encoding', 'Content-Type', 'Content-Range'], false)

  it('drops what Connection nominated in the head', () => {
    expect(going('X-Hop', ['x-hop'])).toBe(false)
  })
})

it('viaEntry', () => {
  expect(viaEntry(0, 'sluss-1')).toBe('1.0 sluss-1')
})
