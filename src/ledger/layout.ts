/**
 * Owns: where everything lies in the ledgers' shared memory, and how words are packed.
 * Never: reads or writes that memory; record.ts, directory.ts and ledger.ts do.
 *
 *   header    16 words
 *   index     one word a position: the slot of a ledger, or 0. At least four positions a ledger
 *   dirty     one bit a record: it has minutes that are not saved yet
 *   records   one record a ledger, 1 KiB: fields, minutes, key
 *
 * All memory is 32-bit words. Every access is an Atomics operation, except where a comment says why not:
 * these are sequentially consistent, so what one thread writes before a word, another sees after reading
 * that word.
 */
import { MINUTES_MAX } from '../policy/index.ts'

export type Words = Int32Array<SharedArrayBuffer>

/** `slus` and the layout's version: a buffer of anything else is not opened. */
export const MAGIC = 0x736c7501

/** The most ledgers: a record's number has 18 bits in a slot. */
export const USERS_MAX = 200_000

/**
 * Records beyond the ledgers there may be: each thread that is about to claim one holds one, and there are
 * at most 64 threads and main.
 */
const SPARE_RECORDS = 128

/** Positions of the header. */
export const Header = {
  magic: 0,
  /** The most ledgers. */
  users: 1,
  /** Random at each start, so that no choice of names crowds the index at every start. */
  seed: 2,
  /** Records that have been in use; those above have never been. */
  allocated: 3,
  /** The stack of freed records: 14 bits that count up (no ABA), 18 bits record + 1, 0 at its end. */
  free: 4,
  /** The day that a ledger last moved to. */
  latestDay: 5,
  /** The day for which idle ledgers were last freed. */
  recycledDay: 6,
  /** Ledgers in use. */
  live: 7,
  /** Claims refused: as many ledgers as there may be, or no position for the key. */
  full: 8,
  /** Claims refused: a key longer than its room. */
  keyTooLong: 9,
} as const

const HEADER_WORDS = 16

/** Minutes in a word beside the tag of their day. */
export const MINUTES_PER_WORD = 20
const MINUTE_WORDS = Math.ceil(MINUTES_MAX / MINUTES_PER_WORD)

/**
 * Room for a key: zone, user and category with two separators, in UTF-8. Names of 64, 100 and 64
 * characters fit in any script (3 bytes each); a longer key is refused and counted.
 */
export const KEY_BYTES_MAX = 688

/** Positions within a record. */
export const Field = {
  /** Counts up each time the record gets a new owner; slots of earlier owners no longer fit. */
  generation: 0,
  /** The day it counts, or DEAD. */
  day: 1,
  /** Bytes of the last even minute and of the last odd one: 11 bits minute, 21 bits bytes. */
  bytesEven: 2,
  bytesOdd: 3,
  /** Minutes given: 12 bits tag of the day, 20 bits minutes. */
  given: 4,
  /** In the stack of freed records: the next one + 1, or 0. */
  nextFree: 5,
  keyHash: 6,
  keyBytes: 7,
  /** 75 words of 12 bits tag of the day and 20 bits: minute m is bit m % 20 of word m / 20. */
  minutes: 8,
  key: 8 + MINUTE_WORDS,
} as const

export const MINUTES_END = Field.minutes + MINUTE_WORDS

const RECORD_WORDS = 256

/** No day: the record is free, or being written. Days are numbers from 1. */
export const DEAD = 0

/** Bytes of a minute saturate here, above the highest threshold (1 MiB). */
export const BYTES_MAX = 2 ** 21 - 1
export const BYTES_BITS = 21

export const TAG_SHIFT = MINUTES_PER_WORD
export const VALUE_MASK = 2 ** TAG_SHIFT - 1

/**
 * What stands before the value in a word of `day`. It returns after 4,096 days: a record that nobody
 * touched for eleven years in one run does not exist.
 */
export function tagOf(day: number): number {
  return day & 0xfff
}

/** A slot is a generation (13 bits, 1 to 8,191) and a record (18 bits); it is never 0. */
const RECORD_BITS = 18
const RECORD_MASK = 2 ** RECORD_BITS - 1
export const GENERATION_MAX = 2 ** 13 - 1

export function slotOf(generation: number, record: number): number {
  return (generation << RECORD_BITS) | record
}

export function recordOf(slot: number): number {
  return slot & RECORD_MASK
}

export function generationOf(slot: number): number {
  return slot >>> RECORD_BITS
}

/** Where a key may stand: in one of so many positions from the one that its hash gives. */
export const PROBES = 64

/** Where the parts begin, in words from the start of the buffer. */
export interface Regions {
  readonly users: number
  readonly recordCount: number
  readonly index: number
  readonly indexMask: number
  readonly dirty: number
  readonly dirtyWords: number
  readonly records: number
  readonly words: number
}

/**
 * The parts of a buffer for `users` ledgers. The index is at most a quarter full: 64 positions in a
 * row that are all taken do not occur (probability below 1e-17 a key).
 */
export function regionsOf(users: number): Regions {
  const positions = Math.max(PROBES, 2 ** Math.ceil(Math.log2(users * 4)))
  const index = HEADER_WORDS
  const dirty = index + positions
  const recordCount = users + SPARE_RECORDS
  const dirtyWords = Math.ceil(recordCount / 32)
  const records = dirty + dirtyWords
  const words = records + recordCount * RECORD_WORDS
  const indexMask = positions - 1
  return { users, recordCount, index, indexMask, dirty, dirtyWords, records, words }
}

/** The first word of a record. */
export function baseOf(regions: Regions, record: number): number {
  return regions.records + record * RECORD_WORDS
}
