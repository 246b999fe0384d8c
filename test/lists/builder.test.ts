/** A build in its thread: from files to an image, and every way in which it can fail. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import type { BuildProblem } from '../../src/lists/build.ts'
import { buildInThread } from '../../src/lists/builder.ts'
import { compileLists } from '../../src/lists/compile.ts'
import { locate } from '../../src/lists/locate.ts'
import { Lookup } from '../../src/lists/lookup.ts'
import type { BuildProgress } from '../../src/lists/report.ts'
import { verifyImage } from '../../src/lists/verify.ts'
import { noLabels } from '../../src/policy/policy.ts'
import { type ListSource, plainSource } from '../../src/policy/source.ts'
import { porn } from './images.ts'

const folder = mkdtempSync(join(tmpdir(), 'sluss-lists-'))
afterAll(() => rmSync(folder, { recursive: true }))

function fileOf(name: string, content: string | Uint8Array): ListSource {
  const file = join(folder, name)
  writeFileSync(file, content)
  return plainSource({ name: `lists/${name}`, target: porn, file, entries: null })
}

const good = fileOf('good.txt', '# good\nexample.com\nexample.org\n')
const platform = plainSource({
  name: 'platforms.yaml: facebook',
  target: { kind: 'platform', bit: 2 },
  file: null,
  entries: [{ text: 'facebook.com', line: 7 }],
})

describe('in a thread', () => {
  test('files and entries become one image in shared memory', async () => {
    const result = await buildInThread([good, platform])
    if (result.kind === 'failed') throw new Error(JSON.stringify(result.problems))
    expect(result.buffer).toBeInstanceOf(SharedArrayBuffer)
    expect(verifyImage(result.buffer)).toEqual([])
    const labels = noLabels()
    expect(new Lookup(result.buffer).match('www.facebook.com', labels)).toBe(true)
    expect(labels.platforms).toBe(4)
    expect(locate(result.buffer, 'example.org')).toMatchObject([
      { domain: 'example.org', list: 'lists/good.txt', line: 3, target: porn },
    ])
    expect(result.report).toMatchObject({ domains: 3, nodes: 3 })
    expect(result.report.buildMs).toBeGreaterThan(0)
  })

  test('problems come back as they are', async () => {
    const missing = { ...good, name: 'lists/missing.txt', file: join(folder, 'missing.txt') }
    expect(await buildInThread([good, missing])).toEqual(await compileLists([good, missing]))
  })

  test('a stopped build is a failure, before and while it runs', async () => {
    expect(await buildInThread([good], { signal: AbortSignal.abort() })).toMatchObject({
      kind: 'failed',
      problems: [{ what: 'the build was stopped before it was done' }],
    })
    const controller = new AbortController()
    const building = buildInThread([good], { signal: controller.signal, thread: endless })
    controller.abort()
    expect(await building).toMatchObject({ kind: 'failed' })
  })

  test('it says how far it has come', async () => {
    const names = Array.from({ length: 200_000 }, (_, i) => `name-number-${i}.example`)
    const many = fileOf('progress.txt', names.join('\n'))
    const words: BuildProgress[] = []
    const result = await buildInThread([good, many], {
      key: 'f'.repeat(64),
      onProgress: (progress) => words.push(progress),
    })
    expect(result.kind).toBe('built')
    const read = words.filter(({ phase }) => phase === 'read')
    expect(read[0]).toMatchObject({ list: 'lists/good.txt', done: 31 })
    expect(read.at(-1)).toMatchObject({ list: 'lists/progress.txt' })
    expect(read.at(-1)!.done).toBe(read.at(-1)!.total)
    expect(words.at(-1)).toMatchObject({ phase: 'build', done: 200_002, total: 200_002 })
    const shares = words.map(({ phase, done }) => (phase === 'read' ? done : 1e9 + done))
    expect(shares).toEqual(shares.toSorted((a, b) => a - b))
  })

  test('a build without end is ended', async () => {
    const result = await buildInThread([good], { thread: endless, timeoutMs: 50 })
    expect(result).toMatchObject({
      kind: 'failed',
      problems: [{ what: 'the build took more than 0.05 s and was ended' }],
    })
  })

  const check = (name: string, thread: URL, expected: string) =>
    test(`${name} is a failure and nothing worse`, async () => {
      const result = await buildInThread([good], { thread })
      expect(result).toMatchObject({ kind: 'failed' })
      if (result.kind === 'failed') expect(result.problems[0]!.what).toContain(expected)
    })
  const code = (text: string) => new URL(`data:text/javascript,${encodeURIComponent(text)}`)
  const endless = code('setInterval(() => {}, 1000)')
  check('a thread that throws', code('throw new Error("out of luck")'), 'out of luck')
  check('a thread that ends without a word', code('process.exit(3)'), 'code 3')
  check('a thread that cannot start', new URL('file:///no/such/thread.ts'), 'no/such/thread')
})

describe('what fails a build', () => {
  const check = (
    name: string,
    sources: readonly ListSource[],
    ...expected: (Partial<BuildProblem> & { what: string })[]
  ) =>
    test(name, async () => {
      const result = await compileLists(sources)
      if (result.kind === 'built') throw new Error('it was built')
      expect(result.problems).toEqual(
        expected.map(({ what, ...rest }) => ({
          list: expect.any(String),
          file: expect.any(String),
          line: null,
          hint: expect.stringMatching(/^[A-Z].+\.$/),
          ...rest,
          what: expect.stringContaining(what),
        })),
      )
    })
  const missing = { ...good, name: 'missing', file: join(folder, 'missing.txt') }
  const directory = join(folder, 'directory')
  mkdirSync(directory)

  check('a missing file, named', [good, missing], {
    list: 'missing',
    file: missing.file,
    what: 'there is no such file',
  })
  check('a folder with no list in it', [{ ...good, file: directory }], {
    what: 'no file domains in it',
  })
  check(
    'a list of another kind of file',
    [fileOf('page.html', '\n<p>Not found</p>\n<p>No list</p>\n')],
    {
      line: 2,
      what: 'no line can be used, of 2. The most common fault: more than one word',
    },
  )
  check(
    'a list saved as UTF-16',
    [fileOf('utf16.txt', Buffer.from('\ufeffa.com\nb.com\n', 'utf16le'))],
    {
      line: 1,
      what: 'not UTF-8',
      hint: 'Save the file as UTF-8.',
    },
  )
  check('entries of which none is a host', [{ ...platform, entries: [{ text: 'f b', line: 9 }] }], {
    list: 'platforms.yaml: facebook',
    file: null,
    line: 9,
    what: '"f b"',
  })
  check(
    'all of them at once',
    [missing, good, fileOf('junk.txt', 'com\n')],
    { what: 'no such file' },
    { line: 1, what: 'top-level domain' },
  )
})

describe('what does not', () => {
  const hosts = async (source: ListSource) => {
    const result = await compileLists([source])
    return result.kind === 'built' ? result.report.domains : result.problems
  }
  test('an empty file, or one of comments: an empty list is a list', async () => {
    expect(await hosts(fileOf('empty.txt', ''))).toBe(0)
    expect(await hosts(fileOf('comments.txt', '# nothing yet\n\n'))).toBe(0)
  })
  test('a file larger than is read at a time, with lines across the border', async () => {
    const names = Array.from({ length: 60_000 }, (_, i) => `name-number-${i}.example`)
    expect(await hosts(fileOf('many.txt', names.join('\r\n')))).toBe(60_000)
  })
  test('a line longer than is read at a time', async () => {
    expect(await hosts(fileOf('line.txt', `${'x'.repeat(3_000_000)}\nexample.com`))).toBe(1)
  })
})
