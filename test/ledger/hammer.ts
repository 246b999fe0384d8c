/**
 * Owns: what each thread of threads.test.ts does to the shared ledgers, all at the same time.
 * Never: judges; it posts what its calls returned.
 */
import { parentPort, workerData } from 'node:worker_threads'
import { Ledger } from '../../src/ledger/ledger.ts'
import {
  CHURN_CLAIMS,
  CHURN_KEYS,
  CHURN_ROUNDS,
  CLAIM_KEYS,
  DAY,
  type HammerData,
  MINUTE_ROUNDS,
  ROUND_MINUTES,
  SHARED_MINUTES,
  THRESHOLD_BYTES,
  TURN_USERS,
} from './hammer-scenarios.ts'

const SCENARIOS = { claim, minutes, threshold, turn, churn }

/** So many looks before a thread sleeps: long enough that threads with a core of their own set out together. */
const SPINS = 2_000

/** Waits until all threads are here. */
function meet({ gate, threads }: HammerData): void {
  const words = new Int32Array(gate)
  const round = Atomics.load(words, 1)
  if (Atomics.add(words, 0, 1) === threads - 1) {
    Atomics.store(words, 0, 0)
    Atomics.add(words, 1, 1)
    Atomics.notify(words, 1)
    return
  }
  for (let spin = 0; Atomics.load(words, 1) === round; spin++) {
    if (spin >= SPINS) Atomics.wait(words, 1, round, 1_000)
  }
}

/** Numbers below `below`, the same for the same seed (mulberry32). */
function randomOf(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below
  }
}

/** All claim the same keys, each from another place on. Posts the slots by key. */
function claim(ledger: Ledger, data: HammerData): number[] {
  const slots: number[] = []
  meet(data)
  for (let i = 0; i < CLAIM_KEYS; i++) {
    // Neighbours in pairs, so that threads do meet at the same key.
    const number = (i + data.thread * (data.thread % 2 === 0 ? 0 : 1)) % CLAIM_KEYS
    slots[number] = ledger.claim(`key ${number}`)
  }
  return slots
}

/** Minutes of one user, a new day each round: each its own, or all the same. Posts how many it set. */
function minutes(ledger: Ledger, data: HammerData): { own: number; shared: number } {
  const said = { own: 0, shared: 0 }
  const own = ledger.claim('own')
  const shared = ledger.claim('shared')
  const add = (slot: number, day: number, minute: number) =>
    ledger.addBytes(slot, day, minute, THRESHOLD_BYTES, THRESHOLD_BYTES)
  for (let round = 0; round < MINUTE_ROUNDS; round++) {
    meet(data)
    for (let minute = 0; minute < ROUND_MINUTES; minute++) {
      if (minute % data.threads === data.thread && add(own, DAY + round, minute)) said.own++
      if (add(shared, DAY + round, minute)) said.shared++
    }
    meet(data)
    // One thread looks while the others wait at the next round's gate.
    if (data.thread !== 0) continue
    if (ledger.used(own, DAY + round) !== ROUND_MINUTES) said.own = Number.NaN
    if (ledger.used(shared, DAY + round) !== ROUND_MINUTES) said.shared = Number.NaN
  }
  return said
}

/** Each moves its share of the threshold in each minute. Posts the minutes that its calls set. */
function threshold(ledger: Ledger, data: HammerData): number[] {
  const slot = ledger.claim('anna')
  const pieces = 1_024
  const bytes = THRESHOLD_BYTES / data.threads / pieces
  const set: number[] = []
  for (let minute = 0; minute < SHARED_MINUTES; minute++) {
    meet(data)
    for (let piece = 0; piece < pieces; piece++) {
      if (ledger.addBytes(slot, DAY, minute, bytes, THRESHOLD_BYTES)) set.push(minute)
    }
  }
  return set
}

/**
 * Each user's first touch of a new day, by all threads at once; one of them is still in yesterday.
 * Posts how many minutes it set.
 */
function turn(ledger: Ledger, data: HammerData): number {
  let set = 0
  for (let user = 0; user < TURN_USERS; user++) {
    const slot = ledger.claim(`user ${user}`)
    const stale = data.thread === user % data.threads
    const day = stale ? DAY : DAY + 1
    meet(data)
    for (let minute = data.thread; minute < 40; minute += data.threads) {
      if (ledger.addBytes(slot, day, minute, THRESHOLD_BYTES, THRESHOLD_BYTES) && !stale) set++
    }
  }
  return set
}

/** Far more keys than ledgers, and a new day after each round: ledgers change hands. Posts mix-ups. */
function churn(ledger: Ledger, data: HammerData): { mixed: number; claimed: number } {
  const random = randomOf(data.thread)
  let mixed = 0
  let claimed = 0
  for (let round = 0; round < CHURN_ROUNDS; round++) {
    meet(data)
    const day = DAY + round
    for (let i = 0; i < CHURN_CLAIMS; i++) {
      const user = `user ${random(CHURN_KEYS)}`
      const slot = ledger.claim(`zone\0${user}\0social`)
      if (slot < 0) continue
      claimed++
      ledger.addBytes(slot, day, random(1_500), THRESHOLD_BYTES, THRESHOLD_BYTES)
      if (ledger.owner(slot)?.user !== user || ledger.used(slot, day) === 0) mixed++
    }
  }
  return { mixed, claimed }
}

const data = workerData as HammerData
const ledger = new Ledger(data.buffer)
parentPort?.postMessage(SCENARIOS[data.scenario](ledger, data))
