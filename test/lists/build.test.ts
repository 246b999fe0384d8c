/** The report on a build, and what it refuses. */
import { describe, expect, test } from 'vitest'
import { buildImage, type ParsedList } from '../../src/lists/build.ts'
import { reportOf } from '../../src/lists/image-report.ts'
import { LISTS_MAX } from '../../src/lists/layout.ts'
import { parseLines } from '../../src/lists/lines.ts'
import { Lookup } from '../../src/lists/lookup.ts'
import { CAUGHT_MAX } from '../../src/lists/report.ts'
import { noLabels } from '../../src/policy/policy.ts'
import type { LabelTarget } from '../../src/policy/source.ts'
import { imageOf, listOf, parsedList, porn, provenance, type TestList } from './images.ts'

test('used, duplicate and covered names are counted by list, and in all', () => {
  const { report } = imageOf(
    {
      name: 'one',
      target: porn,
      domains: ['a.com', 'www.a.com', 'a.com', 'x.y.b.com', 'b.com', '192.0.2.1'],
    },
    { name: 'two', target: { kind: 'neverBlock' }, domains: ['a.com', 'only.www.a.com'] },
  )
  const [one, two] = report.lists
  expect(one).toMatchObject({
    lines: 6,
    used: 6,
    domains: 5,
    duplicates: 1,
    covered: 2,
    rejected: 0,
  })
  expect(two).toMatchObject({ lines: 2, used: 2, domains: 2, duplicates: 0, covered: 1 })
  // a.com www.a.com only.www.a.com b.com y.b.com x.y.b.com and the address; y.b.com is only a parent.
  expect(report).toMatchObject({ domains: 6, nodes: 7, buildMs: 0 })
})

test('the report has the size of the image and the time it was told', () => {
  const result = buildImage([parsedList(listOf('a.com'))], { elapsedMs: () => 42 })
  if (result.kind === 'failed') throw new Error('not built')
  expect(result.report.bytes).toBe(result.buffer.byteLength)
  expect(result.report.buildMs).toBe(42)
})

test('rejected lines reach the report', () => {
  const parsed = parseLines(new TextEncoder().encode('a.com\nb..com\nc com\nd..com\n'))
  const source = { name: 'list', target: porn, file: '/lists/list.txt', provenance }
  const result = buildImage([{ source, parsed }], { elapsedMs: () => 0 })
  if (result.kind === 'failed') throw new Error('not built')
  expect(result.report.lists[0]).toMatchObject({
    name: 'list',
    file: '/lists/list.txt',
    lines: 4,
    used: 1,
    rejected: 3,
    rejections: [
      { reason: 'host-label-empty', count: 2, first: [{ line: 2 }, { line: 4 }] },
      { reason: 'several-words', count: 1, first: [{ line: 3, text: 'c com' }] },
    ],
  })
})

test('the image itself says what lists it was made of', () => {
  const list = {
    name: 'räv.txt',
    target: porn,
    domains: ['a.com', 'a.com'],
    exceptions: ['b.a.com'],
  }
  const { buffer, report } = imageOf(list)
  expect(reportOf(buffer)).toEqual(report)
  expect(report.bytes).toBe(buffer.byteLength)
  expect(report.lists).toMatchObject([
    {
      name: 'räv.txt',
      target: porn,
      lines: 2,
      domains: 1,
      duplicates: 1,
      exceptions: 1,
      rejected: 0,
    },
  ])
})

test('exceptions and networks are counted, each once', () => {
  const domains = ['a.com']
  const exceptions = ['b.a.com', 'b.a.com', 'c.a.com']
  const networks = ['10.0.0.0/8', '10.0.0.0/8', '192.0.2.1/32']
  const freedNetworks = ['10.1.0.0/16']
  const all = { domains, exceptions, networks, freedNetworks }
  const { report } = imageOf(
    { name: 'category', target: porn, ...all },
    { name: 'exception', target: { kind: 'exception', bit: 0, platforms: 0 }, ...all },
  )
  expect(report.lists[0]).toMatchObject({ domains: 1, exceptions: 3, networks: 2 })
  expect(report.lists[1]).toMatchObject({ domains: 1, exceptions: 6, networks: 2 })
  // a.com, and the network of one address; what is only freed is not listed.
  expect(report).toMatchObject({ domains: 2, nodes: 4 })
})

test('progress is told, up to the whole', () => {
  const names = Array.from({ length: 250_000 }, (_, i) => `n${i}.com`)
  const parsed = parseLines(new TextEncoder().encode(names.join('\n')))
  const source = { name: 'list', target: porn, file: null, provenance }
  const told: [number, number][] = []
  buildImage([{ source, parsed }], {
    elapsedMs: () => 0,
    onProgress: (done, total) => told.push([done, total]),
  })
  expect(told.length).toBeGreaterThanOrEqual(2)
  expect(told.length).toBeLessThan(10)
  expect(told.at(-1)).toEqual([250_000, 250_000])
  expect(told.map(([done]) => done)).toEqual(told.map(([done]) => done).sort((a, b) => a - b))
  expect(told.every(([, total]) => total === 250_000)).toBe(true)
})

describe('never-block hosts that a list of a category would catch', () => {
  const never = { name: 'never', target: { kind: 'neverBlock' } as const }
  const check = (
    what: string,
    made: readonly Partial<TestList>[],
    canaries: readonly string[],
    expected: readonly string[],
  ) =>
    test(what, () => {
      const named = made.map((list, i) => ({ ...listOf(), name: `list ${i}`, ...list }))
      const { report } = imageOf({ ...never, domains: canaries }, ...named)
      const told = report.caught.map(
        ({ host, domain, list, line }) => `${host}: ${domain}, ${list}:${line}`,
      )
      expect(told).toEqual(expected)
    })
  check('none', [{ domains: ['a.com', 'x.b.com', 'notc.com'] }], ['b.com', 'c.com'], [])
  check('the host itself', [{ domains: ['x.com', 'a.com'] }], ['a.com'], ['a.com: a.com, list 0:2'])
  check(
    'a parent, in two lists',
    [{ domains: ['a.com'] }, { domains: ['b.a.com'], target: { kind: 'category', bit: 4 } }],
    ['c.b.a.com', 'z.com'],
    ['c.b.a.com: b.a.com, list 1:1', 'c.b.a.com: a.com, list 0:1'],
  )
  check('a top-level domain', [{ domains: ['com'] }], ['a.com'], ['a.com: com, list 0:1'])
  check(
    'what is excepted is not caught',
    [{ domains: ['a.com'], exceptions: ['b.a.com'] }],
    ['c.b.a.com'],
    [],
  )
  check(
    'what is listed again below an exception is',
    [{ domains: ['a.com', 'c.b.a.com'], exceptions: ['b.a.com'] }],
    ['c.b.a.com'],
    ['c.b.a.com: c.b.a.com, list 0:2'],
  )
  check(
    'a platform catches nothing',
    [{ domains: ['a.com'], target: { kind: 'platform', bit: 0 } }],
    ['a.com'],
    [],
  )
  check(
    'a network',
    [{ networks: ['192.0.2.0/24', '192.0.0.0/16'], freedNetworks: ['192.0.2.0/28'] }],
    ['192.0.2.77', '192.0.2.3'],
    ['192.0.2.77: 192.0.2.0/24, list 0:1', '192.0.2.77: 192.0.0.0/16, list 0:2'],
  )
  test('at most so many', () => {
    const domains = Array.from({ length: CAUGHT_MAX + 1 }, (_, i) => `n${i}.com`)
    const { report } = imageOf({ ...never, domains }, listOf('com'))
    expect(report.caught).toHaveLength(CAUGHT_MAX)
  })
})

test('no lists at all make an image in which nothing is listed', () => {
  const { buffer, report } = imageOf()
  expect(new Lookup(buffer).match('example.com', noLabels())).toBe(false)
  expect(report).toMatchObject({ lists: [], domains: 0, nodes: 0 })
})

test('more lists than the image can name are refused', () => {
  const list = parsedList(listOf('a.com'))
  const result = buildImage(Array(LISTS_MAX + 1).fill(list), { elapsedMs: () => 0 })
  expect(result).toMatchObject({
    kind: 'failed',
    problems: [{ what: expect.stringContaining('4097') }],
  })
})

test('every category, platform and flag has a bit of its own', () => {
  const targets: LabelTarget[] = [{ kind: 'neverBlock' }]
  for (let bit = 0; bit < 32; bit++) {
    targets.push({ kind: 'category', bit }, { kind: 'platform', bit }, { kind: 'background', bit })
  }
  const lists = targets.map((target, i) => ({
    name: `${i}`,
    target,
    domains: [`n${i}.com`, 'all.com'],
  }))
  const lookup = new Lookup(imageOf(...lists).buffer)
  const labels = noLabels()
  for (const [i, target] of targets.entries()) {
    lookup.match(`n${i}.com`, labels)
    const word = target.kind === 'neverBlock' ? 0 : 1 << target.bit
    expect(labels).toEqual({
      categories: target.kind === 'category' ? word : 0,
      platforms: target.kind === 'platform' || target.kind === 'background' ? word : 0,
      background: target.kind === 'background' ? word : 0,
      neverBlock: target.kind === 'neverBlock',
    })
  }
  lookup.match('all.com', labels)
  expect(labels).toEqual({ categories: -1, platforms: -1, background: -1, neverBlock: true })
})

test('more combinations of labels than the image can tell apart are refused', () => {
  // A name for each set of 15 lists makes 32,767 combinations, and one list more makes the rest.
  const sets = Array.from({ length: 2 ** 15 }, (_, set) => set)
  const lists = Array.from({ length: 16 }, (_, bit): ParsedList => {
    const names =
      bit === 15
        ? ['n1.com']
        : sets.filter((set) => (set & (1 << bit)) !== 0).map((set) => `n${set}.com`)
    const source = {
      name: `${bit}`,
      target: { kind: 'category', bit } as const,
      file: null,
      provenance,
    }
    return { source, parsed: parseLines(new TextEncoder().encode(names.join('\n'))) }
  })
  expect(buildImage(lists.slice(0, 15), { elapsedMs: () => 0 })).toMatchObject({ kind: 'built' })
  expect(buildImage(lists, { elapsedMs: () => 0 })).toMatchObject({
    kind: 'failed',
    problems: [{ what: expect.stringContaining('32767 different combinations') }],
  })
})
