/**
 * Owns: where a body ends, however it is cut on its way: the readers against a plain decoder of the whole.
 * Never: opens a socket.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Fields } from '../../src/proxy/fields.ts'
import {
  bodyReader,
  CHUNK_END,
  chunkLine,
  type Framing,
  lastChunk,
  parseLength,
  readTogether,
} from '../../src/proxy/framing.ts'
import { plainChunks } from '../fuzz/plain.ts'

interface Outcome {
  readonly end: 'done' | 'fault' | 'more'
  readonly content: string
  /** After `done`: what was left for the next message. */
  readonly rest: string
  readonly trailers: Fields
}

/** Reads `pieces` as they would come from a socket. */
function read(framing: Framing, pieces: readonly Buffer[]): Outcome {
  const reader = bodyReader(framing)
  const content: Buffer[] = []
  const rest: Buffer[] = []
  for (const piece of pieces) {
    const used = reader.read(piece, 0, (part) => {
      expect(part.length).toBeGreaterThan(0)
      content.push(Buffer.from(part))
    })
    if (!reader.done && !reader.fault) expect(used).toBe(piece.length)
    rest.push(piece.subarray(used))
  }
  return {
    end: reader.done ? 'done' : reader.fault ? 'fault' : 'more',
    content: Buffer.concat(content).toString('latin1'),
    rest: reader.done ? Buffer.concat(rest).toString('latin1') : '',
    trailers: reader.trailers,
  }
}

const latin1 = (text: string) => Buffer.from(text, 'latin1')

/** `wire`, in two pieces, cut at every place, and byte by byte: always the same as the plain decoder. */
function everySplit(wire: string): Outcome {
  const whole = latin1(wire)
  const expected = plainChunks(wire)
  for (let cut = 0; cut <= whole.length; cut++) {
    expect(read({ kind: 'chunked' }, [whole.subarray(0, cut), whole.subarray(cut)])).toEqual(
      expected,
    )
  }
  const bytes = [...whole].map((byte) => Buffer.from([byte]))
  expect(read({ kind: 'chunked' }, bytes)).toEqual(expected)
  return expected
}

describe('chunks', () => {
  function check(name: string, wire: string, expected: Partial<Outcome>) {
    it(name, () => expect(everySplit(wire)).toMatchObject(expected))
  }
  const done = (content: string, rest = '') => ({ end: 'done', content, rest }) as const
  const fault = (content = '') => ({ end: 'fault', content }) as const

  check('one', '5\r\nhello\r\n0\r\n\r\n', done('hello'))
  check('several', '1\r\na\r\n2\r\nbc\r\n0\r\n\r\n', done('abc'))
  check('none', '0\r\n\r\n', done(''))
  check(
    'hex in both cases',
    'a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n',
    done('01234567890123456789'),
  )
  check('zeros before a size', '0005\r\nhello\r\n000\r\n\r\n', done('hello'))
  check('content that looks like a chunk', '5\r\n0\r\n\r\n\r\n0\r\n\r\n', done('0\r\n\r\n'))
  check('the next message after it', '1\r\na\r\n0\r\n\r\nGET /', done('a', 'GET /'))
  check('the next message after trailers', '0\r\nA: b\r\n\r\n0\r\n\r\n', done('', '0\r\n\r\n'))
  check('extensions', '1;a\r\nx\r\n1;a=b;b="c; \\"\xe5"\r\ny\r\n0;z\r\n\r\n', done('xy'))
  check('trailers', '0\r\nA: b\r\nC:\t d \r\n\r\n', { end: 'done', trailers: ['A', 'b', 'C', 'd'] })
  check('cut in content', '5\r\nhel', { end: 'more', content: 'hel' })
  check('cut before the CR LF', '5\r\nhello\r', { end: 'more', content: 'hello' })
  check('cut in trailers', '0\r\nA: b\r\n', { end: 'more', trailers: [] })

  check('no size', '\r\n', fault())
  check('only an extension', ';a\r\n', fault())
  check('a size with a sign', '+5\r\nhello\r\n', fault())
  check('a size with 0x', '0x5\r\nhello\r\n', fault())
  check('a size of another base', 'g\r\n', fault())
  check('a blank before a size', ' 5\r\nhello\r\n', fault())
  check('a blank after a size', '5 \r\nhello\r\n', fault())
  check('two sizes', '5 5\r\nhello\r\n', fault())
  check('a size of nine digits', '000000005\r\nhello\r\n', fault())
  check('a bare LF after a size', '5\nhello\r\n', fault())
  check('a bare CR in an extension', '5;\rx\r\nhello\r\n', fault())
  for (const odd of [
    ' ;a',
    '; a',
    ';a =b',
    ';a= b',
    ';a ',
    ';',
    ';a=',
    ';"a"',
    ';a="b',
    ';a="b"c',
    ';a=b,c',
  ]) {
    check(`an extension '${odd}'`, `5${odd}\r\nhello\r\n`, fault())
  }
  check('NUL in an extension', '5;\0\r\nhello\r\n', fault())
  check('content longer than its size', '5\r\nhellox\r\n0\r\n\r\n', fault('hello'))
  check('content shorter than its size', '5\r\nhell\r\n0\r\n\r\n', fault('hell\r'))
  check('content without its CR LF', '5\r\nhello0\r\n\r\n', fault('hello'))
  check('a bare LF after content', '5\r\nhello\n0\r\n\r\n', fault('hello'))
  check('a bare CR after content', '5\r\nhello\rx', { end: 'more', content: 'hello' })
  check('a bare LF after a trailer', '0\r\nA: b\n\r\n', fault())
  check('a bare LF for the last line', '0\r\n\n', fault())
  check('a folded trailer', '0\r\nA: b\r\n c\r\n\r\n', fault())
  check('a trailer without a colon', '0\r\nA\r\n\r\n', fault())
  check('a blank before the colon of a trailer', '0\r\nA : b\r\n\r\n', fault())
  check('NUL in a trailer', '0\r\nA: \0\r\n\r\n', fault())
})

describe('the limits of chunks', () => {
  const outcome = (wire: string) => {
    const whole = read({ kind: 'chunked' }, [latin1(wire)])
    expect(whole).toEqual(plainChunks(wire))
    return whole.end
  }
  function check(name: string, wire: string, expected: Outcome['end']) {
    it(name, () => expect(outcome(wire)).toBe(expected))
  }
  const line = (length: number) => `1;${'x'.repeat(length - 4)}\r\n`
  const fields = (count: number) => `0\r\n${'A: b\r\n'.repeat(count)}\r\n`

  check('a size line of 4,096 bytes', `${line(4_096)}x\r\n0\r\n\r\n`, 'done')
  check('a size line of 4,097 bytes', `${line(4_097)}x\r\n0\r\n\r\n`, 'fault')
  check('a size line without an end', '1'.repeat(4_097), 'fault')
  check('a size that never was', 'ffffffff\r\nx', 'more')
  check('64 trailers', fields(64), 'done')
  check('65 trailers', fields(65), 'fault')
  check('trailers of 16,384 bytes', `0\r\nA: ${'x'.repeat(16_377)}\r\n\r\n`, 'done')
  check('trailers of 16,385 bytes', `0\r\nA: ${'x'.repeat(16_378)}\r\n\r\n`, 'fault')
  check('trailers without an end', `0\r\n${'x'.repeat(16_385)}`, 'fault')
})

/** `whole`, cut at places, each in thousandths of its length. */
function pieces(whole: Buffer, cuts: readonly number[]): Buffer[] {
  const ends = cuts.map((cut) => Math.floor((cut * whole.length) / 1_000)).sort((a, b) => a - b)
  return [0, ...ends].map((from, i) => whole.subarray(from, ends[i] ?? whole.length))
}

const places = fc.array(fc.nat(1_000), { maxLength: 40 })

/** A chunked body as we write it. */
function encode(contents: readonly Uint8Array[], trailerLines: string): Buffer {
  const parts = contents.flatMap((content) => [chunkLine(content.length), content, CHUNK_END])
  return Buffer.concat([...parts, lastChunk(trailerLines)].map((part) => Buffer.from(part)))
}

describe('any body', () => {
  const contents = fc.array(fc.uint8Array({ minLength: 1, maxLength: 3_000 }), { maxLength: 30 })

  it('that we encode is decoded, however it is cut, and what follows is left', () => {
    fc.assert(
      fc.property(contents, places, fc.string({ unit: 'binary-ascii' }), (chunks, cuts, next) => {
        const wire = Buffer.concat([encode(chunks, 'X: y\r\n'), latin1(next)])
        expect(read({ kind: 'chunked' }, pieces(wire, cuts))).toEqual({
          end: 'done',
          content: Buffer.concat(chunks).toString('latin1'),
          rest: next,
          trailers: ['X', 'y'],
        })
      }),
      { numRuns: 200 },
    )
  })

  const scraps = ['0', '1', 'a', '5\r\nhello\r\n', '1;e=f\r\nx\r\n', '0\r\n', '\r\n', '\r', '\n']
  const scrap = fc.constantFrom(...scraps, ';', ' ', ':', 'A: b\r\n', '\0', '\x7f', '\xff', 'x')

  it('that is made of scraps is read as the plain decoder reads it', () => {
    fc.assert(
      fc.property(fc.array(scrap, { maxLength: 12 }), places, (parts, cuts) => {
        const wire = parts.join('')
        expect(read({ kind: 'chunked' }, pieces(latin1(wire), cuts))).toEqual(plainChunks(wire))
      }),
      { numRuns: 5_000 },
    )
  })

  it('of a length ends there, however it is cut', () => {
    fc.assert(
      fc.property(
        fc.nat(2_000),
        fc.uint8Array({ maxLength: 2_000 }),
        places,
        (length, all, cuts) => {
          const text = Buffer.from(all).toString('latin1')
          expect(read({ kind: 'length', length }, pieces(Buffer.from(all), cuts))).toEqual({
            end: all.length >= length ? 'done' : 'more',
            content: text.slice(0, length),
            rest: all.length >= length ? text.slice(length) : '',
            trailers: [],
          })
        },
      ),
    )
  })
})

describe('other framings', () => {
  function check(name: string, framing: Framing, parts: string[], expected: Partial<Outcome>) {
    it(name, () => expect(read(framing, parts.map(latin1))).toMatchObject(expected))
  }
  check('none', { kind: 'none' }, ['GET /'], { end: 'done', content: '', rest: 'GET /' })
  check('none, of nothing', { kind: 'none' }, [], { end: 'done', content: '' })
  check('a length of 0', { kind: 'length', length: 0 }, ['x'], { end: 'done', rest: 'x' })
  check('a length, not all there', { kind: 'length', length: 3 }, ['ab'], { end: 'more' })
  check('a length, just there', { kind: 'length', length: 3 }, ['ab', 'c'], {
    end: 'done',
    content: 'abc',
    rest: '',
  })
  check('a length, and more', { kind: 'length', length: 3 }, ['ab', 'cd'], {
    end: 'done',
    content: 'abc',
    rest: 'd',
  })
  check('until the end', { kind: 'close' }, ['ab', '', 'c'], { end: 'more', content: 'abc' })

  it('begin to read where they are told', () => {
    const bytes = latin1('--1\r\na\r\n0\r\n\r\n')
    for (const framing of [
      { kind: 'chunked' },
      { kind: 'length', length: 11 },
      { kind: 'close' },
    ] as const) {
      let content = ''
      const used = bodyReader(framing).read(bytes, 2, (part) => (content += part))
      expect(used).toBe(bytes.length)
      expect(content).toBe(framing.kind === 'chunked' ? 'a' : bytes.toString('latin1', 2))
    }
  })

  it('give together what came together', () => {
    const together = (framing: Framing, text: string, start = 0) => {
      const { used, content } = readTogether(bodyReader(framing), latin1(text), start)
      return [used, content?.toString('latin1') ?? null]
    }
    expect(together({ kind: 'chunked' }, '1\r\na\r\n2\r\nbc\r\n0\r\n\r\nGET')).toEqual([18, 'abc'])
    expect(together({ kind: 'chunked' }, '1\r\na')).toEqual([4, 'a'])
    expect(together({ kind: 'chunked' }, '1\r')).toEqual([2, null])
    expect(together({ kind: 'length', length: 3 }, '-abcd', 1)).toEqual([4, 'abc'])
    expect(together({ kind: 'none' }, '-abcd', 1)).toEqual([1, null])
    expect(together({ kind: 'close' }, '-abcd', 1)).toEqual([5, 'abcd'])
    expect(together({ kind: 'close' }, '', 0)).toEqual([0, null])
  })

  it('hand whole buffers on without a copy', () => {
    const bytes = latin1('abc')
    for (const framing of [{ kind: 'close' }, { kind: 'length', length: 3 }] as const) {
      bodyReader(framing).read(bytes, 0, (content) => expect(content).toBe(bytes))
    }
  })
})

describe('parseLength', () => {
  function check(text: string, expected: number | null) {
    it(`'${text}'`, () => expect(parseLength(text)).toBe(expected))
  }
  check('0', 0)
  check('007', 7)
  check('999999999999999', 999_999_999_999_999)
  check('1000000000000000', null)
  for (const odd of ['', ' 1', '1 ', '+1', '-1', '1.0', '1e3', '0x1', '1,1', '1_0', '\u0661']) {
    check(odd, null)
  }
})
