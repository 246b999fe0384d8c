/**
 * Owns: the shared memory of what is counted over all proxy threads: how large it is, and where each count lies.
 * Never: counts; tally.ts, failed-logins.ts and marks.ts do.
 *
 *   header    words   the key of the hash, the key of the digests of credentials, the number of threads
 *   tunnels   a word for each thread
 *   held      address, then user: four rows of 16,384 columns, a word for each thread in each
 *   logins    four rows of 16,384 moments: by address
 *   names     four rows of 16,384 moments: by name, and by address and name
 *   signedIn  131,072 marks (see marks.ts)
 *   wrong     32,768 marks
 *
 * The words of one column lie side by side, so that the sum over all threads reads one line of the cache.
 */
import { randomBytes } from 'node:crypto'
import type { HashKey } from './keyed-hash.ts'
import { WORDS_OF_MARK } from './marks.ts'

/** What is counted by key. */
export type TallyKind = 'address' | 'user'

export const ROWS = 4
export const COLUMNS = 16_384
/** A column is as many bits of a product of 32. */
export const COLUMN_SHIFT = 18

/** Credentials that any thread has found right: several for each user. */
export const SIGNED_IN_MAX = 131_072
/** Credentials that any thread has found wrong. */
export const WRONG_MAX = 32_768

const WORD_BYTES = 4
const HASH_KEY_WORDS = 2
const DIGEST_KEY_WORDS = 8
const HEADER_THREADS = HASH_KEY_WORDS + DIGEST_KEY_WORDS
const HEADER_WORDS = 16
/** Of a line of the cache: the places of one row of marks share one. */
const LINE_WORDS = 16

/** Where the parts of a tally for so many threads begin, in words. */
function partsOf(threads: number) {
  const heldWords = ROWS * COLUMNS * threads
  const address = HEADER_WORDS + threads
  const user = address + heldWords
  const logins = user + heldWords
  const names = logins + ROWS * COLUMNS
  const signedIn = Math.ceil((names + ROWS * COLUMNS) / LINE_WORDS) * LINE_WORDS
  const wrong = signedIn + SIGNED_IN_MAX * WORDS_OF_MARK
  const end = wrong + WRONG_MAX * WORDS_OF_MARK
  return { tunnels: HEADER_WORDS, address, user, logins, names, signedIn, wrong, end }
}

/** Memory for `threads` threads, half a MiB each and 1.8 MiB more, with keys of its own. */
export function allocateTally(threads: number): SharedArrayBuffer {
  const buffer = new SharedArrayBuffer(partsOf(threads).end * WORD_BYTES)
  const words = new Int32Array(buffer)
  const keys = randomBytes(HEADER_THREADS * WORD_BYTES)
  for (let i = 0; i < HEADER_THREADS; i++) words[i] = keys.readInt32LE(i * WORD_BYTES)
  words[HEADER_THREADS] = threads
  return buffer
}

/** A tally's memory, part by part. All counts start at 0. */
export interface TallyMemory {
  readonly threads: number
  readonly hashKey: HashKey
  /** 32 bytes. */
  readonly digestKey: Uint8Array
  /** A count for each thread. */
  readonly tunnels: Int32Array
  /** By row, column, thread. */
  readonly held: Readonly<Record<TallyKind, Int32Array>>
  /** By row, column. */
  readonly logins: Int32Array
  readonly loginNames: Int32Array
  readonly signedIn: Int32Array
  readonly wrong: Int32Array
}

export function openTally(buffer: SharedArrayBuffer): TallyMemory {
  const words = new Int32Array(buffer)
  const threads = words[HEADER_THREADS]!
  const parts = partsOf(threads)
  return {
    threads,
    hashKey: [words[0]!, words[1]!],
    digestKey: new Uint8Array(words.slice(HASH_KEY_WORDS, HEADER_THREADS).buffer),
    tunnels: words.subarray(parts.tunnels, parts.address),
    held: {
      address: words.subarray(parts.address, parts.user),
      user: words.subarray(parts.user, parts.logins),
    },
    logins: words.subarray(parts.logins, parts.names),
    loginNames: words.subarray(parts.names, parts.names + ROWS * COLUMNS),
    signedIn: words.subarray(parts.signedIn, parts.wrong),
    wrong: words.subarray(parts.wrong, parts.end),
  }
}

/** A thread has died: what it held, it holds no more. */
export function buryThread(buffer: SharedArrayBuffer, thread: number): void {
  const { threads, tunnels, held } = openTally(buffer)
  Atomics.store(tunnels, thread, 0)
  for (const counts of [held.address, held.user]) {
    for (let at = thread; at < counts.length; at += threads) Atomics.store(counts, at, 0)
  }
}

/** Odd numbers without a pattern: each row deals keys out in its own way. */
const ROW_FACTORS = [0x9e37_79b1, 0x85eb_ca77, 0xc2b2_ae3d, 0x27d4_eb2f] as const

/** The column of `key` in `row`, counted from the first column of the first row. */
export function columnOf(key: number, row: number): number {
  return row * COLUMNS + (Math.imul(key, ROW_FACTORS[row]!) >>> COLUMN_SHIFT)
}
