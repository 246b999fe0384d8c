/** Counts over an image, against counting in the lists themselves. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { buildImage } from '../../src/lists/build.ts'
import { tallyImage } from '../../src/lists/tally.ts'
import { lists, namesIn } from './changes.ts'
import { imageOf, listOf, parsedList, porn, type TestList } from './images.ts'

describe('against counting in the lists', () => {
  test('what each list alone knows', () => {
    fc.assert(
      fc.property(lists, (made) => {
        const { only } = tallyImage(imageOf(...made).buffer)
        const names = made.map((list) => new Set(namesIn([list])))
        const expected = made.map(({ name }, i) => {
          const others = names.filter((_, j) => j !== i)
          const own = [...names[i]!].filter((one) => !others.some((other) => other.has(one)))
          return [name, own.length]
        })
        expect([...only]).toEqual(expected)
      }),
      { numRuns: 200 },
    )
  })

  test('every name has its labels, most names first', () => {
    fc.assert(
      fc.property(lists, (made) => {
        const { overlaps } = tallyImage(imageOf(...made).buffer)
        const counts = overlaps.map(({ names }) => names)
        expect(counts).toEqual(counts.toSorted((a, b) => b - a))
        expect(counts.reduce((sum, n) => sum + n, 0)).toBe(new Set(namesIn(made)).size)
        const kinds = overlaps.map(({ labels }) => JSON.stringify(labels))
        expect(new Set(kinds).size).toBe(kinds.length)
      }),
      { numRuns: 100 },
    )
  })
})

test('labels that go together are told together, whatever is excepted', () => {
  const gambling: TestList = {
    ...{ name: 'gambling', target: { kind: 'category', bit: 1 } },
    domains: ['both.se', 'bets.se', 'more.se'],
  }
  const { overlaps } = tallyImage(imageOf(listOf('both.se'), gambling).buffer)
  const none = { platforms: 0, neverBlock: false }
  expect(overlaps).toEqual([
    { labels: { categories: 2, ...none }, names: 2 },
    { labels: { categories: 3, ...none }, names: 1 },
  ])
})

test('names that only lists without a file of their own have', () => {
  const made = ['in a file', 'entries'].map((name, i) => {
    const domains = i === 0 ? ['a.se', 'both.se'] : ['b.se', 'c.se', 'both.se']
    const { source, parsed } = parsedList({ name, target: porn, domains })
    return { source: { ...source, file: i === 0 ? '/lists/a.txt' : null }, parsed }
  })
  const built = buildImage(made, { elapsedMs: () => 0 })
  if (built.kind === 'failed') throw new Error(JSON.stringify(built.problems))
  expect(tallyImage(built.buffer).onlyEntries).toBe(2)
})

test('progress goes from nothing to all', () => {
  const told: number[][] = []
  tallyImage(imageOf(listOf('a.se')).buffer, (...far) => told.push(far))
  const [, total] = told.at(-1)!
  expect([told[0], told.at(-1)]).toEqual([
    [0, total],
    [total, total],
  ])
})
