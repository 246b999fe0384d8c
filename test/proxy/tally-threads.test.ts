/**
 * Owns: that real threads, all at once, neither pass a limit nor lose a count.
 * Never: judges how keys are told apart (tally.test.ts does).
 */
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { describe, expect, it } from 'vitest'
import { Tally } from '../../src/proxy/tally.ts'
import { allocateTally, buryThread } from '../../src/proxy/tally-memory.ts'
import type { HammerData, HammerResult } from './tally-hammer.ts'

const THREADS = 3
const LIMIT = 50
const KEY = 4_711
const FAILED_LIMIT = 3_000
const HAMMER = new URL('./tally-hammer.ts', import.meta.url)

describe('threads that take and give at once', () => {
  it('hold no more than the limit, and each what it says it holds', async () => {
    const buffer = allocateTally(THREADS)
    const gate = new SharedArrayBuffer(4)
    const results = await Promise.all(
      Array.from({ length: THREADS }, async (_, thread): Promise<HammerResult> => {
        const workerData: HammerData = { buffer, gate, thread, threads: THREADS }
        const [result] = await once(new Worker(HAMMER, { workerData }), 'message')
        return result
      }),
    )
    const tally = new Tally(buffer, 0)
    const held = results.map((result) => result.held)
    const sum = held.reduce((a, b) => a + b, 0)
    expect(tally.held('address', KEY)).toBe(sum)
    expect(sum).toBeLessThanOrEqual(LIMIT)
    expect(sum).toBeGreaterThan(LIMIT - THREADS)
    // Each counts itself in before it looks: at most one too many for each other thread, and only for a moment.
    for (const { seenMost } of results) expect(seenMost).toBeLessThanOrEqual(LIMIT + THREADS - 1)
    const failures = results.reduce((total, result) => total + result.failures, 0)
    expect(failures).toBeGreaterThanOrEqual(FAILED_LIMIT)
    expect(failures).toBeLessThan(FAILED_LIMIT + THREADS)
    buryThread(buffer, 1)
    expect(tally.held('address', KEY)).toBe(sum - held[1]!)
  })
})
