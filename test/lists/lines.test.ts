/** The fast reading of lines: equal to the slow one, unmoved by junk, the same in pieces. */
import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { LineJoiner } from '../../src/lists/chunks.ts'
import { lineReader } from '../../src/lists/formats.ts'
import { LINE_BYTES_MAX, LineParser, parseEntries, parseLines } from '../../src/lists/lines.ts'
import { REJECTED_LINES_KEPT, REJECTED_TEXT_LENGTH_MAX } from '../../src/lists/rejection.ts'
import { formatNetwork } from '../../src/policy/address.ts'
import { LIST_FORMATS, type ListFormat } from '../../src/policy/source.ts'
import { bytesOf, dumpOf, hostsOf, namesOf, readingText } from './list-text.ts'

const FIXTURES = new URL('fixtures/', import.meta.url)

/** Text that is often nearly a list, so that both readings have something to disagree on. */
const listLine = fc.oneof(
  { weight: 4, arbitrary: fc.domain() },
  {
    weight: 6,
    arbitrary: fc
      .tuple(
        fc.constantFrom('', '0.0.0.0 ', '127.0.0.1\t', '*.', '||', '@@||', 'address=/', 'local=/'),
        fc.oneof(fc.domain(), fc.stringMatching(/^[a-z0-9._-]{1,30}$/)),
        fc.constantFrom(
          '',
          '^',
          '^$all',
          '^$popup',
          '/',
          '/#',
          '/0.0.0.0',
          '/x',
          ' CNAME .',
          ' b.c',
        ),
      )
      .map((parts) => parts.join('')),
  },
  { weight: 2, arbitrary: fc.stringMatching(/^[a-zA-Z0-9.*:/#; \t_^|@$-]{0,30}$/) },
  { weight: 1, arbitrary: fc.ipV4().map((address) => `${address}/24`) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(...['localhost.localdomain', 'a.local', 'b.1', 'c.1a', '.a.b']),
  },
  { weight: 1, arbitrary: fc.stringMatching(/^(a{61,65}\.){1,5}b{0,2}$/) },
  { weight: 1, arbitrary: fc.string({ unit: 'grapheme', maxLength: 20 }) },
)
const listText = fc
  .array(listLine)
  .chain((lines) => fc.constantFrom('\n', '\r\n', ' # why\n', '\t\n').map((end) => lines.join(end)))
  .map((text) => text.replace(/\u2028|\u2029/g, ''))
const format = fc.constantFrom(...LIST_FORMATS)

/** What formats.ts says of the same text, line by line. */
function slowly(text: string, how: ListFormat) {
  const reader = lineReader(how)
  const found = { listed: [] as string[], freed: [] as string[], networks: [] as string[] }
  let rejected = 0
  const readings = text
    .split('\n')
    .flatMap((line, i) => reader.read(line).map((reading) => ({ reading, line: i + 1 })))
  for (const { reading, line } of readings) {
    if ('reason' in reading) rejected++
    else if ('network' in reading) found.networks.push(`${line} ${readingText(reading)}`)
    else if (reading.exception) found.freed.push(`${line} ${reading.host}`)
    else found.listed.push(`${line} ${reading.host}`)
  }
  return { ...found, rejected: rejected + reader.finish().length }
}

test('fast and slow readings agree, in every format', () => {
  fc.assert(
    fc.property(listText, format, (text, how) => {
      const parsed = parseLines(bytesOf(text), how)
      const rows = (list: typeof parsed.exceptions) =>
        namesOf(list).map(({ line, host }) => `${line} ${host}`)
      expect({
        listed: rows(parsed),
        freed: rows(parsed.exceptions),
        networks: parsed.networks.map(
          ({ line, network, exception }) =>
            `${line} ${exception ? '@@ ' : ''}${formatNetwork(network)}`,
        ),
        rejected: parsed.rejectedCount,
      }).toEqual(slowly(text, how))
    }),
    { numRuns: 3_000 },
  )
})

test('parsing never throws, in any format, and accounts for every line', () => {
  fc.assert(
    fc.property(
      fc.oneof(fc.uint8Array({ maxLength: 400 }), listText.map(bytesOf)),
      fc.option(format, { nil: undefined }),
      (bytes, how) => {
        const parsed = parseLines(bytes, how)
        const lists = [...namesOf(parsed), ...namesOf(parsed.exceptions), ...parsed.networks]
        const used = new Set(lists.map(({ line }) => line)).size
        expect(used + parsed.rejectedCount).toBeGreaterThanOrEqual(parsed.contentLines)
        expect(parsed.rejected.reduce((sum, { count }) => sum + count, 0)).toBe(
          parsed.rejectedCount,
        )
        for (const host of [...hostsOf(parsed), ...hostsOf(parsed.exceptions)]) {
          expect(host).toMatch(/^[a-z0-9_.:-]{1,253}$/)
        }
      },
    ),
    { numRuns: 2_000 },
  )
})

test('another line takes no host away', () => {
  // A zone is read as a whole: an open parenthesis or an origin is meant for what follows.
  const byLines = fc.constantFrom(...LIST_FORMATS.filter((how) => how !== 'rpz'))
  fc.assert(
    fc.property(fc.array(listLine), listLine, fc.nat(), byLines, (lines, added, seed, how) => {
      const at = seed % (lines.length + 1)
      const before = parseLines(bytesOf(lines.join('\n')), how)
      const after = parseLines(bytesOf(lines.toSpliced(at, 0, added).join('\n')), how)
      const hosts = new Set(hostsOf(after))
      expect(hostsOf(before).filter((host) => !hosts.has(host))).toEqual([])
      const frees = hostsOf(after.exceptions).length > hostsOf(before.exceptions).length
      if (frees) expect(added).toMatch(/@@|#/)
    }),
    { numRuns: 2_000 },
  )
})

test('no line makes another format of a list of domains', () => {
  fc.assert(
    fc.property(
      fc.array(fc.domain(), { minLength: 1 }),
      listLine,
      fc.nat(),
      (lines, added, seed) => {
        const at = seed % (lines.length + 1)
        const hosts = new Set(
          hostsOf(parseLines(bytesOf(lines.toSpliced(at, 0, added).join('\n')))),
        )
        expect(lines.filter((line) => !hosts.has(line.toLowerCase()))).toEqual([])
      },
    ),
    { numRuns: 2_000 },
  )
})

test('a list read in pieces is the same list', () => {
  fc.assert(
    fc.property(listText, format, fc.array(fc.nat({ max: 60 })), (text, how, sizes) => {
      const bytes = bytesOf(text)
      const parser = new LineParser(0, how)
      const joiner = new LineJoiner((piece, end) => parser.read(piece, 0, end))
      let at = 0
      for (const size of sizes) {
        joiner.add(bytes.subarray(at, at + size))
        at += size
      }
      joiner.add(bytes.subarray(at))
      joiner.finish()
      expect(parser.finish()).toEqual(parseLines(bytes, how))
    }),
  )
})

/** The fixtures show bytes as escapes, so that an editor cannot mend what must stay broken. */
function fixtureBytes(name: string): Uint8Array {
  const text = readFileSync(new URL(name, FIXTURES), 'utf8')
  const bytes: number[] = []
  for (const [match, hex] of text.matchAll(/\\x([0-9a-f]{2})|[\s\S]/gu)) {
    if (hex === undefined) bytes.push(...bytesOf(match))
    else bytes.push(Number.parseInt(hex, 16))
  }
  return Uint8Array.from(bytes)
}

describe('a list of each format, with every junk, is read as its dump says', () => {
  const golden = LIST_FORMATS.filter((how) => how !== 'ut1')
  test.each(golden)('%s', async (how) => {
    const bytes = fixtureBytes(`${how}.txt`)
    await expect(dumpOf(parseLines(bytes, how))).toMatchFileSnapshot(`fixtures/${how}.dump.txt`)
  })
})

test('of each reason the first lines are kept, cut and fit for a terminal', () => {
  const long = `${'x'.repeat(200)}\u001b[31m y`
  const parsed = parseLines(bytesOf(`\u001b[2J a\n${`${long}\n`.repeat(9)}`))
  const [rejection] = parsed.rejected
  expect(rejection).toMatchObject({ reason: 'several-words', count: 10 })
  expect(rejection!.first.map(({ line }) => line)).toEqual([1, 2, 3, 4, 5])
  expect(rejection!.first).toHaveLength(REJECTED_LINES_KEPT)
  expect(rejection!.first[0]!.text).toBe('\ufffd[2J a')
  expect(rejection!.first[1]!.text).toBe(`${'x'.repeat(REJECTED_TEXT_LENGTH_MAX)}…`)
})

test('a line without end is one rejected line, and a long comment is a comment', () => {
  const parsed = parseLines(
    bytesOf(`${'a.b'.repeat(LINE_BYTES_MAX)}\n# ${'x'.repeat(LINE_BYTES_MAX)}\nexample.com`),
  )
  expect(parsed.rejected).toMatchObject([
    { reason: 'line-too-long', count: 1, first: [{ line: 1 }] },
  ])
  expect(namesOf(parsed)).toEqual([{ line: 3, host: 'example.com' }])
  expect(parsed.contentLines).toBe(2)
})

test('what lies in the buffer behind the last line is no part of it', () => {
  const parser = new LineParser(0, 'adblock')
  parser.read(bytesOf('||example.com^'), 0, '||example.com'.length)
  parser.read(bytesOf('@@||example.org^'), 0, 2)
  expect(hostsOf(parser.finish())).toEqual(['example.com'])
})

test('many names that grow by being read do not overflow their buffer', () => {
  const hosts = Array.from({ length: 2_000 }, (_, i) => `ä${i}.se`)
  const parsed = parseLines(bytesOf(hosts.join('\n')))
  const expected = hosts.map((host, i) => ({
    line: i + 1,
    host: URL.parse(`http://${host}`)!.hostname,
  }))
  expect(namesOf(parsed)).toEqual(expected)
})

test('entries keep the lines of the file that they stand in', () => {
  const parsed = parseEntries([
    { text: 'facebook.com', line: 12 },
    { text: ' *.fbcdn.net ', line: 14 },
    { text: 'not a host', line: 15 },
    { text: '192.0.2.0/24', line: 16 },
  ])
  expect(namesOf(parsed)).toEqual([
    { line: 12, host: 'facebook.com' },
    { line: 14, host: 'fbcdn.net' },
  ])
  expect(parsed.networks).toMatchObject([{ line: 16, exception: false }])
  expect(parsed.rejected).toMatchObject([{ reason: 'host-character', first: [{ line: 15 }] }])
  expect(parsed).toMatchObject({ lines: 4, contentLines: 4, sha256: '' })
})
