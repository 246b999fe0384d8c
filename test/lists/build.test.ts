/** The report on a build, and what it refuses. */
import { expect, test } from 'vitest'
import { buildImage, type ParsedList } from '../../src/lists/build.ts'
import { LISTS_MAX } from '../../src/lists/layout.ts'
import { parseLines } from '../../src/lists/lines.ts'
import { listRows } from '../../src/lists/locate.ts'
import { Lookup } from '../../src/lists/lookup.ts'
import { noLabels } from '../../src/policy/policy.ts'
import type { LabelTarget } from '../../src/policy/source.ts'
import { imageOf, listOf, parsedList, porn } from './images.ts'

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
  const result = buildImage([parsedList(listOf('a.com'))], () => 42)
  if (result.kind === 'failed') throw new Error('not built')
  expect(result.report.bytes).toBe(result.buffer.byteLength)
  expect(result.report.buildMs).toBe(42)
})

test('rejected lines reach the report', () => {
  const parsed = parseLines(new TextEncoder().encode('a.com\nb..com\nc com\nd..com\n'))
  const source = { name: 'list', target: porn, file: '/lists/list.txt' }
  const result = buildImage([{ source, parsed }], () => 0)
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
  const { buffer } = imageOf({ name: 'räv.txt', target: porn, domains: ['a.com', 'a.com'] })
  expect(listRows(buffer)).toEqual([
    { name: 'räv.txt', target: porn, lines: 2, domains: 1, duplicates: 1, rejected: 0 },
  ])
})

test('no lists at all make an image in which nothing is listed', () => {
  const { buffer, report } = imageOf()
  expect(new Lookup(buffer).match('example.com', noLabels())).toBe(false)
  expect(report).toMatchObject({ lists: [], domains: 0, nodes: 0 })
})

test('more lists than the image can name are refused', () => {
  const list = parsedList(listOf('a.com'))
  const result = buildImage(Array(LISTS_MAX + 1).fill(list), () => 0)
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
    const source = { name: `${bit}`, target: { kind: 'category', bit } as const, file: null }
    return { source, parsed: parseLines(new TextEncoder().encode(names.join('\n'))) }
  })
  expect(buildImage(lists.slice(0, 15), () => 0)).toMatchObject({ kind: 'built' })
  expect(buildImage(lists, () => 0)).toMatchObject({
    kind: 'failed',
    problems: [{ what: expect.stringContaining('32767 different combinations') }],
  })
})
