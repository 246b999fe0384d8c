/**
 * The benches run small here, so that they cannot rot; what they assert holds, how fast they are
 * does not.
 */
import { describe, expect, test } from 'vitest'
import { compare, median, randomOf, zipfOf } from '../bench/measure.ts'
import { markdownOf } from '../bench/report.ts'
import { benchNames, loadBench } from '../bench/run.ts'

describe('every bench runs small', () => {
  test('there are some', () => expect(benchNames()).toContain('matcher'))

  test.each(benchNames())('%s', async (name) => {
    const { question, run } = await loadBench(name)
    expect(question).toMatch(/\?$/)
    const result = await run({ small: true })
    expect(result.comparisons.length).toBeGreaterThan(0)
    const machine = { processor: 'a processor', cores: 2, node: 'v24' }
    const markdown = markdownOf({
      name,
      question,
      date: '2026-01-01',
      machine,
      loadBefore: 0,
      result,
    })
    for (const { title, rows } of result.comparisons) {
      expect(markdown).toContain(`## ${title}`)
      for (const row of rows) expect(markdown).toContain(row.name)
    }
  })
})

describe('measuring', () => {
  test('contenders take turns, and warming up does not count', async () => {
    const order: string[] = []
    const contender = (name: string, figures: number[]) => ({
      name,
      round: () => {
        order.push(name)
        return figures.shift()!
      },
    })
    const { rows } = await compare({
      title: 'turns',
      unit: 'things',
      better: 'higher',
      rounds: 3,
      warmUpRounds: 1,
      contenders: [contender('a', [99, 10, 20, 30]), contender('b', [99, 40, 40, 40])],
    })
    expect(order.join('')).toBe('abbaabba')
    expect(rows[0]).toMatchObject({ name: 'a', median: 20, min: 10, max: 30, spread: 1, ratio: 1 })
    expect(rows[1]).toMatchObject({ median: 40, ratio: 2, ratioMin: 40 / 30, ratioMax: 4 })
  })

  test('where lower is better, half is twice as good', async () => {
    const { rows } = await compare({
      title: 'lower',
      unit: 'µs',
      better: 'lower',
      rounds: 1,
      warmUpRounds: 0,
      contenders: [
        { name: 'a', round: () => 10 },
        { name: 'b', round: () => Promise.resolve(5) },
      ],
    })
    expect(rows.map(({ ratio }) => ratio)).toEqual([1, 2])
  })

  test('a figure that is none fails the bench', async () => {
    const broken = { name: 'broken', round: () => Number.NaN }
    const options = { title: 't', unit: 'u', better: 'lower', rounds: 1, warmUpRounds: 0 } as const
    await expect(compare({ ...options, contenders: [broken] })).rejects.toThrow('broken gave NaN')
  })

  test('the median of an even number is the mean of the middle two', () => {
    expect(median([3, 1, 2])).toBe(2)
    expect(median([4, 1, 2, 3])).toBe(2.5)
  })

  test('a seed gives the same numbers always', () => {
    const random = randomOf(1)
    const rank = zipfOf(random, 100)
    const counts = new Array<number>(100).fill(0)
    for (let i = 0; i < 10_000; i++) counts[rank()]!++
    expect(counts.reduce((a, b) => a + b)).toBe(10_000)
    // 1 / (1 + 1/2 + … + 1/100) of them, and half of that.
    expect(counts[0]! / 10_000).toBeCloseTo(0.193, 1)
    expect(counts[1]! / counts[0]!).toBeCloseTo(0.5, 1)
    const again = randomOf(1)
    expect(Array.from({ length: 5 }, again)).toEqual(Array.from({ length: 5 }, randomOf(1)))
    expect(randomOf(2)()).not.toBe(randomOf(1)())
  })
})
