/**
 * Owns: in which order those who wait are served, and who is sent away.
 * Never: hashes.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type After, Turns, type TurnsOptions } from '../../src/identity/turns.ts'

const OPTIONS = { workingMax: 1, waitingMax: 100, waitingPerSourceMax: 50, waitMaxMs: 5_000 }

/** Turns with one at work already, and a book of who came next: `source`, or `-source` where it may not. */
async function setUp(over: Partial<TurnsOptions> = {}) {
  const timers = new Set<() => void>()
  const waits: number[] = []
  const after: After = (ms, then) => {
    waits.push(ms)
    timers.add(then)
    return () => void timers.delete(then)
  }
  const turns = new Turns({ ...OPTIONS, after, ...over })
  expect(await turns.take(99)).toBe(true)
  const book: number[] = []
  const ask = (source: number, rankOf?: () => number) =>
    turns.take(source, rankOf).then((mayGo) => void book.push(mayGo ? source : -source))
  /** Ends the work under way so many times. */
  const serve = async (times: number) => {
    for (let i = 0; i < times; i++) {
      turns.done()
      await settle()
    }
  }
  return { turns, book, ask, serve, timers, waits }
}

const settle = () => new Promise<void>((resolve) => setImmediate(resolve))

describe('turns', () => {
  it('serves each source in turn, however many the others have waiting', async () => {
    const { book, ask, serve } = await setUp()
    for (const source of [1, 1, 1, 1, 2, 2, 3]) void ask(source)
    await serve(7)
    expect(book).toEqual([1, 2, 3, 1, 2, 1, 1])
  })

  it('lets no more work at a time than may', async () => {
    const turns = new Turns({ ...OPTIONS, workingMax: 2 })
    expect(await turns.take(1)).toBe(true)
    expect(await turns.take(1)).toBe(true)
    let third = false
    void turns.take(2).then(() => {
      third = true
    })
    await settle()
    expect(third).toBe(false)
    turns.done()
    await settle()
    expect(third).toBe(true)
  })

  it('sends away above what one source may have waiting', async () => {
    const { book, ask, serve } = await setUp({ waitingPerSourceMax: 2 })
    for (const source of [1, 1, 1, 2]) void ask(source)
    await settle()
    expect(book).toEqual([-1])
    await serve(3)
    expect(book).toEqual([-1, 1, 2, 1])
  })

  it('makes room for a newcomer by the last of the longest queue', async () => {
    const { book, ask, serve } = await setUp({ waitingMax: 4 })
    for (const source of [1, 1, 1, 2]) void ask(source)
    void ask(3)
    await settle()
    expect(book).toEqual([-1])
    await serve(4)
    expect(book).toEqual([-1, 1, 2, 3, 1])
  })

  it('sends the newcomer away where nobody has more waiting', async () => {
    const { book, ask, serve } = await setUp({ waitingMax: 3 })
    for (const source of [1, 2, 3]) void ask(source)
    void ask(1)
    void ask(4)
    await settle()
    expect(book).toEqual([-1, -4])
    await serve(3)
    expect(book).toEqual([-1, -4, 1, 2, 3])
  })

  it('sends away who has waited for too long, and no other', async () => {
    const { book, ask, serve, timers, waits } = await setUp()
    for (const source of [1, 1, 2]) void ask(source)
    expect(waits).toEqual([5_000, 5_000, 5_000])
    await serve(1)
    expect(timers.size).toBe(2)
    for (const then of [...timers].slice(0, 1)) then()
    await settle()
    expect(book).toEqual([1, -1])
    await serve(2)
    expect(book).toEqual([1, -1, 2])
  })

  it('serves the least suspect first, and every fourth turn the most suspect', async () => {
    const { book, ask, serve } = await setUp()
    for (const source of [30, 31, 10, 11, 12, 13, 14, 0]) {
      void ask(source, () => Math.floor(source / 10))
    }
    await serve(8)
    expect(book).toEqual([0, 10, 11, 30, 12, 13, 14, 31])
  })

  it('asks again at one’s turn how suspect one is', async () => {
    const { book, ask, serve } = await setUp()
    let failed = false
    for (const source of [1, 2, 3]) void ask(source, () => (failed ? 2 : 0))
    void ask(4, () => 1)
    failed = true
    await serve(4)
    expect(book).toEqual([4, 1, 2, 3])
  })

  it('makes room for the less suspect by the most suspect, not the other way', async () => {
    const { book, ask, serve } = await setUp({ waitingMax: 3 })
    for (const source of [1, 2, 3]) void ask(source, () => source)
    void ask(0, () => 0)
    await settle()
    expect(book).toEqual([-3])
    void ask(9, () => 3)
    await settle()
    expect(book).toEqual([-3, -9])
    await serve(3)
    expect(book).toEqual([-3, -9, 0, 1, 2])
  })

  it('answers everybody once, and is empty at the end, whoever comes when', async () => {
    const step = fc.oneof(fc.integer({ min: 1, max: 6 }), fc.constant('done' as const))
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        const options = { ...OPTIONS, workingMax: 2, waitingMax: 7, waitingPerSourceMax: 3 }
        const turns = new Turns(options)
        const ranks = [0, 0, 1, 1, 2, 3, 3]
        const asked: Promise<boolean>[] = []
        let working = 0
        let answered = 0
        for (const next of steps) {
          if (next !== 'done') {
            const answer = turns
              .take(next, () => ranks[next]!)
              .then((mayGo) => {
                answered++
                if (mayGo) working++
                return mayGo
              })
            asked.push(answer)
          } else if (working > 0) {
            working--
            turns.done()
          }
          await settle()
          expect(working).toBeLessThanOrEqual(options.workingMax)
          expect(asked.length - answered).toBeLessThanOrEqual(options.waitingMax)
        }
        while (working > 0) {
          working--
          turns.done()
          await settle()
        }
        expect(answered).toBe(asked.length)
        expect(await turns.take(1)).toBe(true)
      }),
      { numRuns: 50 },
    )
  })
})
