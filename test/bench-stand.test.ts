/**
 * What the benches lean on: a wrong answer must be seen, a promise that is not kept must be said, and
 * a run with other numbers must not be kept for a whole one.
 */
import { createServer } from 'node:http'
import { type AddressInfo, createServer as createTcpServer } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Comparison } from '../bench/measure.ts'
import { atLeast, atMost, costBeside, tableOfPromises } from '../bench/promises.ts'
import { isPart, optionsOf } from '../bench/run.ts'
import { AnswerReader } from '../bench/stand/answers.ts'
import { Histogram } from '../bench/stand/honest.ts'
import { openConnects, openGets } from '../bench/stand/load.ts'

describe('answers', () => {
  const bytes = Buffer.from('HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello')

  test('are read wherever they are cut', () => {
    for (let cut = 1; cut < bytes.length; cut++) {
      const reader = new AnswerReader()
      expect(reader.take(bytes.subarray(0, cut))).toBe(false)
      expect(reader.take(bytes.subarray(cut))).toBe(true)
      expect([reader.status, reader.bodyBytes]).toEqual([200, 5])
    }
  })

  test('of one after another', () => {
    const reader = new AnswerReader()
    expect(reader.take(bytes)).toBe(true)
    expect(reader.take(Buffer.from('HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n'))).toBe(true)
    expect([reader.status, reader.bodyBytes]).toEqual([403, 0])
  })

  test('to a CONNECT have no body where it is opened, and one where it is not', () => {
    const reader = new AnswerReader()
    expect(reader.take(Buffer.from('HTTP/1.1 200 Connection established\r\n\r\n'), true)).toBe(true)
    const refused = 'HTTP/1.1 403 No\r\nSluss-Reason: default; x\r\nContent-Length: 2\r\n\r\nno'
    expect(reader.take(Buffer.from(refused), true)).toBe(true)
    expect(reader.told).toBe('an answer of 403 with 2 bytes default; x')
  })

  test('with bytes after them, or without a length, are wrong', () => {
    const more = Buffer.concat([bytes, Buffer.from('!')])
    expect(() => new AnswerReader().take(more)).toThrow('bytes after an answer')
    const endless = Buffer.from('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n')
    expect(() => new AnswerReader().take(endless)).toThrow('without a length')
  })
})

describe('load', () => {
  /** Answers as a proxy would, but for one byte of the body. */
  const short = createServer((_request, response) => response.end(Buffer.alloc(1_023)))
  short.on('connect', (_request, socket) => {
    socket.on('error', () => {})
    socket.end('HTTP/1.1 200 Connection established\r\n\r\n')
  })
  const closing = createTcpServer((socket) => {
    socket.on('error', () => {})
    socket.destroy()
  })
  const targetOf = (server: { address(): unknown }) => {
    const proxyPort = (server.address() as AddressInfo).port
    return { proxyPort, originPort: 80, hosts: ['a.test'], logins: [] }
  }
  beforeAll(async () => {
    await Promise.all(
      [short, closing].map((server) => {
        return new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
      }),
    )
  })
  afterAll(() => {
    short.closeAllConnections()
    short.close()
    closing.close()
  })

  test('fails at an answer of another length', async () => {
    const load = await openGets(targetOf(short), 2)
    await expect(load.run(10_000)).rejects.toThrow('an answer of 200 with 1023 bytes')
    load.close()
  })

  test('fails at a tunnel that is closed before its answer', async () => {
    const load = await openConnects(targetOf(short), 1)
    await expect(load.run(10_000)).rejects.toThrow('closed before its get was done')
  })

  test('fails at a connection that is closed', async () => {
    const load = await openConnects(targetOf(closing), 1)
    await expect(load.run(10_000)).rejects.toThrow()
  })
})

describe('promises', () => {
  const row = (name: string, median: number, ratios: readonly [number, number, number]) => {
    const [ratio, ratioMin, ratioMax] = ratios
    return { name, median, min: median, max: median, spread: 0, ratio, ratioMin, ratioMax }
  }
  const comparison: Comparison = {
    ...{ title: 'cost', unit: 'µs', better: 'lower', rounds: 3 },
    rows: [row('Squid', 100, [1, 1, 1]), row('Sluss', 80, [1.25, 1, 2])],
  }

  test('are ours to theirs, round by round', () => {
    expect(costBeside(comparison, 'a thing', 0.85, 0.5)).toMatchObject({
      ...{ ours: '80 µs', theirs: '100 µs', ratio: 0.8, ratioMin: 0.5, ratioMax: 1 },
    })
  })

  test('are none without Squid', () => {
    const alone = { ...comparison, rows: comparison.rows.toReversed() }
    expect(costBeside(alone, 'a thing', 0.85, 0.5)).toBeNull()
  })

  test('are met, or not, to the letter', () => {
    const kept = { what: 'a thing', ours: '', theirs: '', ratioMin: 0, ratioMax: 9 }
    const verdicts = tableOfPromises([
      { ...kept, ratio: 0.86, must: atMost(0.85), aim: atMost(0.5) },
      { ...kept, ratio: 0.85, must: atMost(0.85), aim: atMost(0.5) },
      { ...kept, ratio: 0.5, must: atMost(0.85), aim: atMost(0.5) },
      { ...kept, ratio: 1.69, must: atLeast(1.7), aim: null },
      { ...kept, ratio: 1.7, must: atLeast(1.7), aim: null },
    ]).rows.map((cells) => cells.at(-1))
    expect(verdicts).toEqual(['NOT MET', 'met, not the aim', 'met, and the aim', 'NOT MET', 'met'])
  })
})

test('a histogram gives the tenth of a millisecond above', () => {
  const histogram = new Histogram()
  for (let i = 1; i <= 100; i++) histogram.add(i)
  expect(histogram.quantileMs(0.5)).toBe(51.1)
  expect(histogram.quantileMs(0.99)).toBe(100.1)
  expect([histogram.count, histogram.maxMs]).toEqual([100, 100])
  expect(new Histogram().quantileMs(0.99)).toBe(0)
})

describe('options of a run', () => {
  test('are numbers above 0, and names', () => {
    const given = { small: false, only: 'get,connect', rounds: '3', domains: '1e5' }
    expect(optionsOf(given)).toEqual({
      ...{ small: false, only: ['get', 'connect'], rounds: 3, domains: 100_000 },
    })
    expect(() => optionsOf({ small: false, rounds: 'many' })).toThrow('--rounds takes a number')
  })

  test('only a whole run is kept, however long it lasted', () => {
    expect(isPart({ small: false })).toBe(false)
    expect(isPart({ small: false, minutes: 60 })).toBe(false)
    expect(isPart({ small: true })).toBe(true)
    expect(isPart({ small: false, only: ['get'] })).toBe(true)
    expect(isPart({ small: false, domains: 5 })).toBe(true)
  })
})
