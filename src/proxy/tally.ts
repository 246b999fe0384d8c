/**
 * Owns: how many connections an address and a user hold, and how many tunnels there are, over all proxy threads.
 * Never: waits for another thread, or lets anybody hold more than a limit.
 *
 * Counts by key are a count-min sketch (Cormode, Muthukrishnan 2005): each key has a column in each of four
 * rows, and its count is the least of the four. A count is never too low. It is too high only where other
 * keys meet it in all four columns, which nobody can bring about: the hash has a key of its own each run.
 * Among 20,000 addresses, some at a limit of 2,000, three in four are counted exactly, and nobody as more than
 * a few too many.
 */
import type { Address } from '../policy/index.ts'
import { isIpv4 } from '../policy/index.ts'
import { hashWords } from './keyed-hash.ts'
import { columnOf, openTally, ROWS, type TallyKind, type TallyMemory } from './tally-memory.ts'

/** Longer texts than a zone and a user's name can be are told apart by their first characters. */
const TEXT_MAX = 256
const LINK_LOCAL = 0xfe80_0000
const LINK_LOCAL_MASK = 0xffc0_0000

export class Tally {
  readonly memory: TallyMemory
  readonly #thread: number
  readonly #scratch = new Int32Array(TEXT_MAX / 2)

  /** Of one thread, from 0; each has its own words to write in. */
  constructor(buffer: SharedArrayBuffer, thread: number) {
    this.memory = openTally(buffer)
    if (thread >= this.memory.threads) throw new Error(`a tally has no thread ${thread}`)
    this.#thread = thread
  }

  /**
   * The key of a client's address: for IPv6 of its /64, which one computer has all to itself; of a
   * link-local one it is the address, since all share one /64. A signed 32-bit number.
   */
  keyOfAddress(address: Address): number {
    const [w0, w1, w2, w3] = address.words
    const scratch = this.#scratch
    const whole = isIpv4(address) || (w0 & LINK_LOCAL_MASK) >>> 0 === LINK_LOCAL
    scratch[0] = w0
    scratch[1] = w1
    scratch[2] = whole ? w2 : 0
    scratch[3] = whole ? w3 : 0
    return hashWords(this.memory.hashKey, scratch, 4)
  }

  /** The key of a user: a name within its zone. Keep it: it is not free. */
  keyOfUser(zone: string, user: string): number {
    const words = this.#scratch
    const length = Math.min(zone.length + 1 + user.length, TEXT_MAX)
    words[(length - 1) >>> 1] = 0
    for (let i = 0; i < length; i++) {
      const from = i - zone.length
      // Between the two a character that is in no name.
      const unit = from < 0 ? zone.charCodeAt(i) : from === 0 ? 0 : user.charCodeAt(from - 1)
      words[i >>> 1] = (i & 1) === 0 ? unit : words[i >>> 1]! | (unit << 16)
    }
    return hashWords(this.memory.hashKey, words, (length + 1) >>> 1)
  }

  /**
   * Takes one of `limit` for `key`, or none where all are held: false. What was taken is given back by
   * `give`, once, on the same thread. Of two threads that ask for the last one at the same time, both may
   * go without.
   */
  take(kind: TallyKind, key: number, limit: number): boolean {
    const counts = this.memory.held[kind]
    const { threads } = this.memory
    let least = Infinity
    for (let row = 0; row < ROWS; row++) {
      const at = columnOf(key, row) * threads
      Atomics.add(counts, at + this.#thread, 1)
      const sum = sumOf(counts, at, threads)
      if (sum < least) least = sum
    }
    if (least <= limit) return true
    this.give(kind, key)
    return false
  }

  give(kind: TallyKind, key: number): void {
    const counts = this.memory.held[kind]
    const { threads } = this.memory
    for (let row = 0; row < ROWS; row++) {
      Atomics.sub(counts, columnOf(key, row) * threads + this.#thread, 1)
    }
  }

  /** How many `key` holds, over all threads; at least that many, to be exact. */
  held(kind: TallyKind, key: number): number {
    const counts = this.memory.held[kind]
    const { threads } = this.memory
    let least = Infinity
    for (let row = 0; row < ROWS; row++) {
      const sum = sumOf(counts, columnOf(key, row) * threads, threads)
      if (sum < least) least = sum
    }
    return least
  }

  /** The same for one of all tunnels: exact. */
  takeTunnel(limit: number): boolean {
    Atomics.add(this.memory.tunnels, this.#thread, 1)
    if (this.tunnels <= limit) return true
    this.giveTunnel()
    return false
  }

  giveTunnel(): void {
    Atomics.sub(this.memory.tunnels, this.#thread, 1)
  }

  /** Tunnels that are open, over all threads. */
  get tunnels(): number {
    return sumOf(this.memory.tunnels, 0, this.memory.threads)
  }
}

function sumOf(counts: Int32Array, at: number, threads: number): number {
  let sum = 0
  for (let i = at; i < at + threads; i++) sum += Atomics.load(counts, i)
  return sum
}
