/**
 * Owns: what each thread of tally-threads.test.ts does to one tally, all at the same time.
 * Never: judges; it posts what it counted.
 */
import { parentPort, workerData } from 'node:worker_threads'
import { parseUserName } from '../../src/policy/index.ts'
import { FailedLogins } from '../../src/proxy/failed-logins.ts'
import { Tally } from '../../src/proxy/tally.ts'

export interface HammerData {
  readonly buffer: SharedArrayBuffer
  /** One word: how many threads are here. */
  readonly gate: SharedArrayBuffer
  readonly thread: number
  readonly threads: number
}

export interface HammerResult {
  /** The most that this thread saw held; above the limit while another takes back what it may not have. */
  readonly seenMost: number
  readonly held: number
  readonly failures: number
}

export const LIMIT = 50
export const ROUNDS = 20_000
export const KEY = 4_711
export const FAILED_LIMIT = 3_000

const { buffer, gate, thread, threads } = workerData as HammerData
const tally = new Tally(buffer, thread)
const limits = { failedLogins: FAILED_LIMIT, failedLoginsWithinMs: 86_400_000 }
const logins = new FailedLogins({ tally, limits, nowMs: () => 1_000 })

const words = new Int32Array(gate)
Atomics.add(words, 0, 1)
Atomics.notify(words, 0)
for (let here = 0; here < threads; here = Atomics.load(words, 0)) Atomics.wait(words, 0, here, 100)

let held = 0
let seenMost = 0
for (let round = 0; round < ROUNDS; round++) {
  if (tally.take('address', KEY, LIMIT)) held++
  seenMost = Math.max(seenMost, tally.held('address', KEY))
  // Each lets go often enough that all of them meet at the limit.
  if (held > 0 && round % 3 === thread) {
    tally.give('address', KEY)
    held--
  }
}
while (tally.take('address', KEY, LIMIT)) held++
let failures = 0
const name = parseUserName('anna')!
for (; !logins.isBarred(KEY, name); failures++) logins.failed(KEY, name)
parentPort?.postMessage({ seenMost, held, failures } satisfies HammerResult)
