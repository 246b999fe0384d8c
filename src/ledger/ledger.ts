/**
 * Owns: the minutes of all users today, in one piece of shared memory that all threads use at once.
 * Never: reads a clock, waits for another thread, or writes to disk.
 *
 * A ledger is known by its slot: a positive number that `find` and `claim` give. A slot of a ledger that
 * was freed (directory.ts), or NONE, is no error: reads give 0 and writes are dropped, in the user's favour.
 *
 * `day` is always the number of a local day (policy/day.ts, from 1). Of a ledger that counts today,
 * yesterday reads as 0 and is not written: it is the word of a thread whose clock is a moment behind.
 */
import { getRandomValues } from 'node:crypto'
import { type LedgerOwner, ledgerOwner, MINUTES_MAX } from '../policy/index.ts'
import { Directory, NONE } from './directory.ts'
import {
  baseOf,
  DEAD,
  Field,
  generationOf,
  Header,
  MAGIC,
  type Regions,
  recordOf,
  regionsOf,
  slotOf,
  USERS_MAX,
  type Words,
} from './layout.ts'
import {
  addGiven,
  addToMinute,
  copyMinutes,
  countMinutes,
  givenOf,
  hasMinute,
  isMinute,
  moveDay,
  setMinute,
} from './record.ts'

export { NONE } from './directory.ts'

/**
 * A day's minutes as they are saved and merged: bit m % 32 of word m / 32 is minute m. 47 words.
 * The union of two is their OR, whatever node, thread or run they come from.
 */
export type Bitmap = Uint32Array<ArrayBuffer>

export const BITMAP_WORDS = Math.ceil(MINUTES_MAX / 32)

export interface LedgerCounters {
  /** Ledgers in use, and the most there can be (`quota.users`). */
  readonly ledgers: number
  readonly limit: number
  /** Claims refused because all ledgers were in use, and because a key was too long. */
  readonly refusedFull: number
  readonly refusedKey: number
}

export class Ledger {
  readonly #words: Words
  readonly #regions: Regions
  readonly #directory: Directory

  /**
   * Shared memory for the ledgers of `users` owners (1 to 200,000), about 1 KiB each, of which the system
   * provides what is used. `seed` spreads the keys; random unless a test says otherwise.
   */
  static allocate(users: number, seed = getRandomValues(new Int32Array(1))[0]!): SharedArrayBuffer {
    if (!Number.isInteger(users) || users < 1 || users > USERS_MAX) {
      throw new RangeError(`ledgers for ${users} users: expected 1 to ${USERS_MAX}`)
    }
    const buffer = new SharedArrayBuffer(regionsOf(users).words * Int32Array.BYTES_PER_ELEMENT)
    const words = new Int32Array(buffer)
    words[Header.users] = users
    words[Header.seed] = seed
    words[Header.magic] = MAGIC
    return buffer
  }

  constructor(buffer: SharedArrayBuffer) {
    this.#words = new Int32Array(buffer)
    if (this.#words[Header.magic] !== MAGIC) throw new TypeError('not a buffer of Ledger.allocate')
    this.#regions = regionsOf(this.#words[Header.users]!)
    this.#directory = new Directory(this.#words, this.#regions)
  }

  /** The slot of a `ledgerKey`, or NONE. */
  find(key: string): number {
    return this.#directory.find(key)
  }

  /** The slot of a `ledgerKey`, made where there is none; NONE where all ledgers are in use. */
  claim(key: string): number {
    return this.#directory.claim(key)
  }

  /** Whose a slot is, or null where it was freed. */
  owner(slot: number): LedgerOwner | null {
    const key = this.#within(slot) ? this.#directory.keyOf(slot) : null
    return key === null ? null : ledgerOwner(key)
  }

  /** The slots of the ledgers that count `day`, in no order. */
  slots(day: number): number[] {
    const slots: number[] = []
    const allocated = Atomics.load(this.#words, Header.allocated)
    for (let record = 0; record < allocated; record++) {
      const base = baseOf(this.#regions, record)
      if (Atomics.load(this.#words, base + Field.day) !== day) continue
      slots.push(slotOf(Atomics.load(this.#words, base + Field.generation), record))
    }
    return slots
  }

  /**
   * Counts `bytes` that a metered connection moved in `minute` of `day`. The minute is set once the
   * owner's connections on all threads together moved `thresholdBytes` (1 B to 1 MiB) in it; true where
   * this call set it.
   */
  addBytes(
    slot: number,
    day: number,
    minute: number,
    bytes: number,
    thresholdBytes: number,
  ): boolean {
    const base = this.#open(slot, day)
    if (base < 0 || bytes <= 0 || !isMinute(minute)) return false
    if (hasMinute(this.#words, base, day, minute)) return false
    if (addToMinute(this.#words, base, minute, bytes) < thresholdBytes) return false
    if (!setMinute(this.#words, base, day, minute)) return false
    this.#markDirty(recordOf(slot))
    return true
  }

  /** Minutes used: how many are set. */
  used(slot: number, day: number): number {
    const base = this.#peek(slot, day)
    return base < 0 ? 0 : countMinutes(this.#words, base, day)
  }

  /** Which minutes are set, from the start of the day, ascending. */
  minutes(slot: number, day: number): number[] {
    return this.#peek(slot, day) < 0 ? [] : minutesIn(this.bitmap(slot, day))
  }

  /** The minutes of `day` that are still remembered, also where the ledger counts the next day now. */
  bitmap(slot: number, day: number): Bitmap {
    const bitmap = new Uint32Array(BITMAP_WORDS)
    if (!this.#within(slot)) return bitmap
    const base = baseOf(this.#regions, recordOf(slot))
    copyMinutes(this.#words, base, day, bitmap)
    return this.#fits(slot, base) ? bitmap : bitmap.fill(0)
  }

  /**
   * Sets the minutes of `bitmap` too, and says how many were new. Not marked for saving: what is merged
   * comes from where it is saved.
   */
  merge(slot: number, day: number, bitmap: Uint32Array): number {
    const base = this.#open(slot, day)
    let added = 0
    if (base < 0) return added
    for (const minute of minutesIn(bitmap)) {
      if (setMinute(this.#words, base, day, minute)) added++
    }
    return added
  }

  /** Minutes given today, beyond the category's own. */
  given(slot: number, day: number): number {
    const base = this.#peek(slot, day)
    return base < 0 ? 0 : givenOf(this.#words, base, day)
  }

  /** Gives `minutes` more on `day`, and returns what is given in all. */
  give(slot: number, day: number, minutes: number): number {
    const base = this.#open(slot, day)
    return base < 0 ? 0 : addGiven(this.#words, base, day, minutes)
  }

  /** The slots with minutes set since the last call, which takes them off the list. */
  takeDirty(): number[] {
    const slots: number[] = []
    const { dirty, dirtyWords } = this.#regions
    for (let i = 0; i < dirtyWords; i++) {
      if (Atomics.load(this.#words, dirty + i) === 0) continue
      // Cleared before the minutes are read: one that is set in between is read now, or marked again.
      let marks = Atomics.exchange(this.#words, dirty + i, 0)
      for (; marks !== 0; marks &= marks - 1) {
        const record = i * 32 + (31 - Math.clz32(marks & -marks))
        const generation = Atomics.load(
          this.#words,
          baseOf(this.#regions, record) + Field.generation,
        )
        slots.push(slotOf(generation, record))
      }
    }
    return slots
  }

  /** Puts slots back on the list, where they could not be saved. */
  markDirty(slots: readonly number[]): void {
    for (const slot of slots) {
      if (!this.#within(slot) || !this.#fits(slot, baseOf(this.#regions, recordOf(slot)))) continue
      this.#markDirty(recordOf(slot))
    }
  }

  counters(): LedgerCounters {
    return {
      ledgers: Atomics.load(this.#words, Header.live),
      limit: this.#regions.users,
      refusedFull: Atomics.load(this.#words, Header.full),
      refusedKey: Atomics.load(this.#words, Header.keyTooLong),
    }
  }

  /** The record of `slot` to write to on `day`, or NONE. */
  #open(slot: number, day: number): number {
    if (!this.#within(slot)) return NONE
    const base = baseOf(this.#regions, recordOf(slot))
    // In this order: a record that counts `day` is not freed today, so it stays the slot's.
    return moveDay(this.#words, base, day) && this.#fits(slot, base) ? base : NONE
  }

  /** The record of `slot` to read where it counts `day`, or NONE. */
  #peek(slot: number, day: number): number {
    if (!this.#within(slot)) return NONE
    const base = baseOf(this.#regions, recordOf(slot))
    if (Atomics.load(this.#words, base + Field.day) !== day) return NONE
    return this.#fits(slot, base) ? base : NONE
  }

  #within(slot: number): boolean {
    return slot > 0 && recordOf(slot) < this.#regions.recordCount
  }

  #fits(slot: number, base: number): boolean {
    if (Atomics.load(this.#words, base + Field.day) === DEAD) return false
    return Atomics.load(this.#words, base + Field.generation) === generationOf(slot)
  }

  #markDirty(record: number): void {
    // After the minute's bit: whoever sees the mark sees the minute.
    Atomics.or(this.#words, this.#regions.dirty + (record >>> 5), 1 << (record & 31))
  }
}

/** The minutes of a bitmap, ascending. Bits beyond the longest day are no minutes. */
export function minutesIn(bitmap: Uint32Array): number[] {
  const minutes: number[] = []
  for (let i = 0; i < Math.min(bitmap.length, BITMAP_WORDS); i++) {
    for (let bits = bitmap[i]!; bits !== 0; bits = (bits & (bits - 1)) >>> 0) {
      const minute = i * 32 + (31 - Math.clz32(bits & -bits))
      if (isMinute(minute)) minutes.push(minute)
    }
  }
  return minutes
}
