/** The fast reading of lines: equal to the slow one, unmoved by junk, the same in pieces. */
import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { readLine } from '../../src/lists/formats.ts'
import {
  LINE_BYTES_MAX,
  LineParser,
  type ParsedLines,
  parseEntries,
  parseLines,
} from '../../src/lists/lines.ts'
import { REJECTED_LINES_KEPT, REJECTED_TEXT_LENGTH_MAX } from '../../src/lists/rejection.ts'

const FIXTURES = new URL('fixtures/', import.meta.url)
const bytesOf = (text: string) => new TextEncoder().encode(text)

interface Used {
  readonly line: number
  readonly host: string
}

function namesOf({ names, nameLines }: ParsedLines): Used[] {
  const used: Used[] = []
  let at = 0
  for (const line of nameLines) {
    const end = at + 1 + names[at]!
    used.push({ line, host: new TextDecoder().decode(names.subarray(at + 1, end)) })
    at = end
  }
  expect(at).toBe(names.length)
  return used
}

/** What formats.ts says of the same text, line by line. */
function slowly(text: string): { used: Used[]; rejected: number } {
  const used: Used[] = []
  let rejected = 0
  for (const [i, line] of text.split('\n').entries()) {
    for (const reading of readLine(line)) {
      if ('host' in reading) used.push({ line: i + 1, host: reading.host })
      else rejected++
    }
  }
  return { used, rejected }
}

/** Text that is often nearly a list, so that both readings have something to disagree on. */
const listText = fc
  .array(
    fc.oneof(
      { weight: 4, arbitrary: fc.domain() },
      {
        weight: 4,
        arbitrary: fc.stringMatching(/^(0\.0\.0\.0 |127\.0\.0\.1 )?[a-z0-9._-]{1,30}$/),
      },
      { weight: 2, arbitrary: fc.stringMatching(/^[a-zA-Z0-9.*:/#; \t_-]{0,30}$/) },
      {
        weight: 1,
        arbitrary: fc.constantFrom(...['localhost.localdomain', 'a.local', 'b.1', 'c.1a']),
      },
      { weight: 1, arbitrary: fc.stringMatching(/^(a{61,65}\.){1,5}b{0,2}$/) },
      { weight: 1, arbitrary: fc.string({ unit: 'grapheme', maxLength: 20 }) },
    ),
  )
  .chain((lines) => fc.constantFrom('\n', '\r\n', ' # why\n', '\t\n').map((end) => lines.join(end)))
  .map((text) => text.replace(/\u2028|\u2029/g, ''))

test('fast and slow readings agree', () => {
  fc.assert(
    fc.property(listText, (text) => {
      const parsed = parseLines(bytesOf(text))
      const { used, rejected } = slowly(text)
      expect(namesOf(parsed)).toEqual(used)
      expect(parsed.rejectedCount).toBe(rejected)
    }),
    { numRuns: 2_000 },
  )
})

test('parsing never throws, and accounts for every line', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
      const parsed = parseLines(bytes)
      const used = new Set(namesOf(parsed).map(({ line }) => line)).size
      expect(used + parsed.rejectedCount).toBeGreaterThanOrEqual(parsed.contentLines)
      expect(parsed.rejected.reduce((sum, { count }) => sum + count, 0)).toBe(parsed.rejectedCount)
      for (const { host } of namesOf(parsed)) expect(host).toMatch(/^[a-z0-9_.:-]{1,253}$/)
    }),
    { numRuns: 2_000 },
  )
})

test('a list read in pieces is the same list', () => {
  fc.assert(
    fc.property(listText, fc.nat(), (text, seed) => {
      const bytes = bytesOf(text)
      const cut = bytes.lastIndexOf(10, bytes.length === 0 ? 0 : seed % bytes.length) + 1
      const parser = new LineParser(0)
      parser.read(bytes, 0, cut)
      parser.read(bytes, cut, bytes.length)
      expect(parser.finish()).toEqual(parseLines(bytes))
    }),
  )
})

/** The fixture shows bytes as escapes, so that an editor cannot mend what must stay broken. */
function fixtureBytes(): Uint8Array {
  const text = readFileSync(new URL('junk.txt', FIXTURES), 'utf8')
  const bytes: number[] = []
  for (const [match, hex] of text.matchAll(/\\x([0-9a-f]{2})|[\s\S]/g)) {
    if (hex === undefined) bytes.push(...bytesOf(match))
    else bytes.push(Number.parseInt(hex, 16))
  }
  return Uint8Array.from(bytes)
}

test('junk is read as the dump says', async () => {
  const parsed = parseLines(fixtureBytes())
  const dump = [
    `${parsed.lines} lines, ${parsed.contentLines} with content, ${parsed.nameLines.length} names used, ${parsed.rejectedCount} rejected`,
    '',
    ...namesOf(parsed).map(({ line, host }) => `line ${line}: ${host}`),
    '',
    ...parsed.rejected.flatMap(({ reason, count, first }) => [
      `${reason}: ${count}`,
      ...first.map(({ line, text }) => `  line ${line}: ${text}`),
    ]),
  ]
  await expect(`${dump.join('\n')}\n`).toMatchFileSnapshot('fixtures/junk.dump.txt')
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
  ])
  expect(namesOf(parsed)).toEqual([
    { line: 12, host: 'facebook.com' },
    { line: 14, host: 'fbcdn.net' },
  ])
  expect(parsed.rejected).toMatchObject([{ reason: 'host-character', first: [{ line: 15 }] }])
  expect(parsed).toMatchObject({ lines: 3, contentLines: 3 })
})
