/**
 * The benches run small here, so that they cannot rot; what they assert holds, how fast they are
 * does not.
 */
import { describe, expect, test } from 'vitest'
import { compare, median, randomOf, zipfOf } from '../bench/measure.ts'
import { type Plot, svgOf } from '../bench/plot.ts'
import { markdownOf } from '../bench/report.ts'
import { benchNames, loadBench } from '../bench/run.ts'
import { judge, type Listed } from '../bench/stand/judge.ts'

describe('every bench runs small', () => {
  test('there are some', () => expect(benchNames()).toContain('matcher'))

  test.each(benchNames())('%s', async (name) => {
    const { question, run } = await loadBench(name)
    expect(question).toMatch(/\?$/)
    const result = await run({ small: true })
    expect(result.comparisons.length + (result.tables ?? []).length).toBeGreaterThan(0)
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
    for (const { title, header, rows } of result.tables ?? []) {
      expect(markdown).toContain(`## ${title}`)
      for (const row of rows) expect(row).toHaveLength(header.length)
    }
    for (const plot of result.plots ?? []) {
      expect(markdown).toContain(`](${name}-${plot.name}.svg)`)
      expect(svgOf(plot)).not.toMatch(/NaN|Infinity|undefined/)
    }
  })
})

describe('plots', () => {
  const plot: Plot = {
    name: 'growth',
    title: 'More & more',
    x: { label: 'domains', scale: 'log' },
    y: { label: 'ns', scale: 'linear' },
    lines: [
      {
        name: 'Set',
        group: 'a',
        points: [
          [10, 0],
          [1_000, 300],
        ],
      },
      { name: 'image', group: 'b', points: [[1_000, 300]] },
    ],
    spans: [],
  }

  test('lie within their axes, from the first tick to the last', () => {
    // 84 to 710 across, 478 up to 56: see the margins in bench/plot.ts.
    expect(svgOf(plot)).toContain('d="M84 478L710 56"')
  })

  test('have ticks at round numbers, as one says them', () => {
    const ticks = [...svgOf(plot).matchAll(/fill="#444">([^<]*)</g)].map((match) => match[1])
    expect(ticks).toEqual('0 50 100 150 200 250 300 10 20 50 100 200 500 1 k'.split(/ (?!k)/))
  })

  test('have names that do not lie on one another, and are escaped', () => {
    const svg = svgOf(plot)
    const heights = [...svg.matchAll(/x="748" y="([\d.]+)"/g)].map((match) => Number(match[1]))
    expect(Math.abs(heights[0]! - heights[1]!)).toBeGreaterThanOrEqual(18)
    expect(svg).toContain('More &#38; more')
  })

  test('nothing at all is not drawn', () => {
    expect(() => svgOf({ ...plot, lines: [] })).toThrow('nothing to draw')
  })
})

describe('answers under a swap are judged', () => {
  const swaps = [{ to: 'second', beganMs: 100, inForceMs: 200 }] as const
  const LISTED: readonly Listed[] = ['neither', 'both', 'first', 'second']
  const ask = (listed: Listed, sentMs: number, status: number) => {
    const host = LISTED.indexOf(listed)
    return { dueMs: sentMs, madeMs: sentMs, sentMs, doneMs: sentMs + 1, host, status }
  }
  const check = (samples: readonly ReturnType<typeof ask>[]) => () => judge(samples, swaps, LISTED)

  test('before, between and after', () => {
    const right = [
      ...[ask('neither', 50, 200), ask('both', 50, 403)],
      ...[ask('first', 50, 403), ask('second', 50, 200)],
      ...[ask('first', 150, 403), ask('second', 160, 403), ask('first', 170, 200)],
      ...[ask('first', 250, 200), ask('second', 250, 403), ask('both', 150, 403)],
    ]
    expect(check(right)).not.toThrow()
  })

  test.each([
    ['too early', [ask('first', 50, 200)]],
    ['too late', [ask('second', 250, 200)]],
    ['a host of both lists', [ask('both', 150, 200)]],
    ['a host of neither', [ask('neither', 150, 403)]],
    ['the old answer after a new one', [ask('second', 150, 403), ask('first', 160, 403)]],
  ])('%s is wrong', (_, samples) => {
    expect(check(samples)).toThrow('1 requests were wrongly decided')
  })

  test('an answer that did not come has failed, and no answers prove nothing', () => {
    expect(check([ask('both', 150, 0)])).toThrow('1 of 1 requests failed')
    expect(check([])).toThrow('nothing was asked')
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
