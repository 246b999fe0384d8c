/**
 * Owns: in which order those who wait are served, and who is sent away.
 * Never: hashes.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Turns, type TurnsOptions } from '../../src/identity/turns.ts'

/** Turns with one at work already, and a book of who came next: `source`, or `-source` where it may not. */
async function setUp(over: Partial<TurnsOptions> = {}) {
  const turns = new Turns({ workingMax: 1, waitingMax: 100, waitingPerSourceMax: 50, ...over })
  expect(await turns.take(99)).toBe(true)
  const book: number[] = []
  const ask = (source: number) =>
    turns.take(source).then((mayGo) => void book.push(mayGo ? source : -source))
  /** Ends the work under way so many times. */
  const serve = async (times: number) => {
    for (let i = 0; i < times; i++) {
      turns.done()
      await settle()
    }
  }
  return { turns, book, ask, serve }
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
    const turns = new Turns({ workingMax: 2, waitingMax: 10, waitingPerSourceMax: 10 })
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

  it('answers everybody once, and is empty at the end, whoever comes when', async () => {
    const step = fc.oneof(fc.integer({ min: 1, max: 6 }), fc.constant('done' as const))
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        const options = { workingMax: 2, waitingMax: 7, waitingPerSourceMax: 3 }
        const turns = new Turns(options)
        const asked: Promise<boolean>[] = []
        let working = 0
        let answered = 0
        for (const next of steps) {
          if (next !== 'done') {
            const answer = turns.take(next).then((mayGo) => {
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
