/** Owns: that a fetched list frees nothing but its own. */
import { describe, expect, test } from 'vitest'
import { type Built, buildImage, type ParsedList } from '../../src/lists/build.ts'
import { parseLines } from '../../src/lists/lines.ts'
import { locate } from '../../src/lists/locate.ts'
import { Lookup } from '../../src/lists/lookup.ts'
import { verifyImage } from '../../src/lists/verify.ts'
import { noLabels } from '../../src/policy/policy.ts'
import type { LabelTarget } from '../../src/policy/source.ts'

const porn: LabelTarget = { kind: 'category', bit: 0 }
const games: LabelTarget = { kind: 'category', bit: 1 }

interface Given {
  readonly fetched?: boolean
  readonly target?: LabelTarget
  readonly lines: readonly string[]
}

function image(...given: readonly Given[]): Built {
  const lists = given.map(({ fetched = false, target = porn, lines }, i): ParsedList => {
    const provenance = { source: `${i}`, fetchedMs: fetched ? 1 : null, licence: '' }
    const format = lines.some((line) => /^(?:@@|\|\|)/.test(line)) ? 'adblock' : 'domains'
    const parsed = parseLines(new TextEncoder().encode(lines.join('\n')), format)
    return { source: { name: `list-${i}`, file: null, target, provenance }, parsed }
  })
  const built = buildImage(lists, { elapsedMs: () => 0 })
  if (built.kind === 'failed') throw new Error(JSON.stringify(built.problems))
  expect(verifyImage(built.buffer)).toEqual([])
  return built
}

function check(name: string, lists: readonly Given[], expected: Readonly<Record<string, number>>) {
  test(name, () => {
    const { buffer } = image(...lists)
    const lookup = new Lookup(buffer)
    const found = Object.keys(expected).map((host) => {
      const labels = noLabels()
      lookup.match(host, labels)
      return [host, labels.categories]
    })
    expect(Object.fromEntries(found)).toEqual(expected)
  })
}

const ours: Given = { lines: ['bad.test', 'worse.test', '192.0.2.0/24'] }

describe('exceptions of a fetched list', () => {
  check(
    'free what it lists itself',
    [ours, { fetched: true, lines: ['||own.test^', '@@||good.own.test^'] }],
    { 'own.test': 1, 'good.own.test': 0, 'bad.test': 1 },
  )
  check(
    'free nothing that another list lists, nor what lies under it',
    [ours, { fetched: true, lines: ['||own.test^', '@@||bad.test^', '@@||www.worse.test^'] }],
    { 'bad.test': 1, 'worse.test': 1, 'www.worse.test': 1 },
  )
  check(
    'hold where the other list stands later',
    [{ fetched: true, lines: ['||own.test^', '@@||bad.test^'] }, ours],
    { 'bad.test': 1 },
  )
  check(
    'free no address of a network that another lists',
    [ours, { fetched: true, lines: ['||own.test^', '@@||192.0.2.7^', '@@||192.0.2.128/25^'] }],
    { '192.0.2.7': 1, '192.0.2.200': 1 },
  )
  check(
    'are no matter of another category',
    [
      { ...ours, target: games },
      { fetched: true, lines: ['||bad.test^', '@@||www.bad.test^'] },
    ],
    { 'bad.test': 3, 'www.bad.test': 2 },
  )
  check(
    'of a list that lies here free from the category: they are the administrator’s own',
    [ours, { lines: ['||own.test^', '@@||bad.test^'] }],
    { 'bad.test': 0 },
  )
  check(
    'of a list that is set to be exceptions do too, also where it is fetched',
    [
      ours,
      { fetched: true, target: { kind: 'exception', bit: 0, platforms: 0 }, lines: ['bad.test'] },
    ],
    { 'bad.test': 0 },
  )
})

test('those that do not hold are counted and shown, and explained by nothing', () => {
  const lines = ['||own.test^', '@@||bad.test^', '@@||good.own.test^', '@@||worse.test^']
  const { buffer, report } = image(ours, { fetched: true, lines })
  expect(report.lists[1]).toMatchObject({
    exceptions: 1,
    rejected: 2,
    rejections: [
      {
        reason: 'overruled',
        count: 2,
        first: [
          { line: 2, text: 'bad.test' },
          { line: 4, text: 'worse.test' },
        ],
      },
    ],
  })
  expect(locate(buffer, 'bad.test').map(({ list, frees }) => [list, frees])).toEqual([
    ['list-0', false],
  ])
})
