/**
 * Owns: which record is whose: finding a key, claiming a record for it, freeing idle ones when all are taken.
 * Never: counts a minute; record.ts does.
 *
 * No thread waits for another here either. A claim writes its key into a record that nobody else can see,
 * and then publishes it with one compare-and-exchange in the index. A thread that dies half-way has lost
 * one unused record.
 *
 * Ledgers are not kept for ever: when there are as many as there may be, those that counted nothing yesterday
 * or today are freed for others (once a day at most). Their old slots then no longer fit: reads give 0, bytes are
 * dropped. So a slot is kept by a connection, which is closed when idle, but not by a user's name.
 */
import {
  baseOf,
  DEAD,
  Field,
  GENERATION_MAX,
  generationOf,
  Header,
  KEY_BYTES_MAX,
  MINUTES_END,
  PROBES,
  type Regions,
  recordOf,
  slotOf,
  type Words,
} from './layout.ts'
import { moveDay } from './record.ts'

/** No such ledger, or no room for one. */
export const NONE = -1

/** Each failed attempt means that another thread got on; so many in a row mean that something is wrong. */
const CLAIM_ATTEMPTS_MAX = 1_000

const FREE_RECORD_BITS = 18
const FREE_RECORD_MASK = 2 ** FREE_RECORD_BITS - 1

export class Directory {
  readonly #words: Words
  readonly #regions: Regions
  readonly #encoder = new TextEncoder()
  readonly #decoder = new TextDecoder()
  /** The key in hand: its bytes, filled up with zeros to whole words. */
  readonly #bytes = new Uint8Array(KEY_BYTES_MAX)
  readonly #key = new Int32Array(this.#bytes.buffer)
  #length = 0
  #hash = 0
  /** Where the last search found room for it, or NONE. */
  #vacant = NONE

  constructor(words: Words, regions: Regions) {
    this.#words = words
    this.#regions = regions
  }

  /** The slot of `key`, or NONE. */
  find(key: string): number {
    return this.#take(key) ? this.#search(0) : NONE
  }

  /** The slot of `key`, made where there is none; NONE where that cannot be (counted in the header). */
  claim(key: string): number {
    const words = this.#words
    if (!this.#take(key)) {
      Atomics.add(words, Header.keyTooLong, 1)
      return NONE
    }
    for (let attempt = 0; attempt < CLAIM_ATTEMPTS_MAX; attempt++) {
      const found = this.#search(0)
      if (found !== NONE) {
        if (this.#revive(found)) return found
        continue
      }
      if (!this.#hasRoom()) {
        // Another thread may have claimed this very key just before there was no more room.
        if (this.#search(0) === NONE) break
        continue
      }
      const position = this.#vacant
      const record = position === NONE ? NONE : this.#allocate()
      if (record === NONE) break
      const slot = this.#write(record)
      if (Atomics.compareExchange(words, position, 0, slot) !== 0) {
        this.#release(record)
        continue
      }
      Atomics.add(words, Header.live, 1)
      // Threads with the same key choose the same position, and all but one fail above; except where an
      // idle ledger was freed between their looks. Whoever then sees the other withdraws: one may, both
      // may, never none. A third that found the withdrawn one holds a slot that no longer fits.
      if (this.#search(slot) === NONE) return slot
      this.#free(slot, position)
    }
    Atomics.add(words, Header.full, 1)
    return NONE
  }

  /** The key of a slot, or null where the slot no longer fits. */
  keyOf(slot: number): string | null {
    const words = this.#words
    const base = baseOf(this.#regions, recordOf(slot))
    const length = Atomics.load(words, base + Field.keyBytes)
    const key = new Int32Array(Math.ceil(length / 4))
    for (let i = 0; i < key.length; i++) key[i] = Atomics.load(words, base + Field.key + i)
    const text = this.#decoder.decode(new Uint8Array(key.buffer, 0, length))
    return this.#fits(slot, base) ? text : null
  }

  /** Takes a key in hand. False where it is longer than its room. */
  #take(key: string): boolean {
    const { read, written } = this.#encoder.encodeInto(key, this.#bytes)
    if (read < key.length) return false
    this.#bytes.fill(0, written, Math.ceil(written / 4) * 4)
    this.#length = written
    this.#hash = hashOf(this.#key, written, Atomics.load(this.#words, Header.seed))
    return true
  }

  /**
   * The slot, other than `except`, that the key in hand has; or NONE. Notes the first vacant position on the
   * way: in one pass, so that a position that another thread filled with this key is seen filled or vacant,
   * never as neither.
   */
  #search(except: number): number {
    const { index, indexMask } = this.#regions
    this.#vacant = NONE
    for (let i = 0; i < PROBES; i++) {
      const position = index + ((this.#hash + i) & indexMask)
      const slot = Atomics.load(this.#words, position)
      if (slot === 0) {
        if (this.#vacant === NONE) this.#vacant = position
      } else if (slot !== except && this.#holdsKey(slot)) return slot
    }
    return NONE
  }

  #holdsKey(slot: number): boolean {
    const words = this.#words
    const base = baseOf(this.#regions, recordOf(slot))
    if (Atomics.load(words, base + Field.keyHash) !== this.#hash) return false
    if (Atomics.load(words, base + Field.keyBytes) !== this.#length) return false
    for (let i = 0; i * 4 < this.#length; i++) {
      if (Atomics.load(words, base + Field.key + i) !== this.#key[i]) return false
    }
    // A generation counts up before the key is written over: if it is still this slot's, so was the key.
    return this.#fits(slot, base)
  }

  #fits(slot: number, base: number): boolean {
    const words = this.#words
    if (Atomics.load(words, base + Field.day) === DEAD) return false
    return Atomics.load(words, base + Field.generation) === generationOf(slot)
  }

  /** Brings a found ledger to the latest day, so that it is not freed as idle. False: it just was. */
  #revive(slot: number): boolean {
    const base = baseOf(this.#regions, recordOf(slot))
    moveDay(this.#words, base, this.#today())
    return this.#fits(slot, base)
  }

  /** The day that ledgers count now, as far as any of them knows. */
  #today(): number {
    return Math.max(DEAD + 1, Atomics.load(this.#words, Header.latestDay))
  }

  /** Whether there may be one more ledger; where there may not, frees idle ones, once a day. */
  #hasRoom(): boolean {
    const words = this.#words
    const { users } = this.#regions
    if (Atomics.load(words, Header.live) < users) return true
    const today = this.#today()
    if (Atomics.load(words, Header.recycledDay) === today) return false
    this.#recycle(today)
    Atomics.store(words, Header.recycledDay, today)
    return Atomics.load(words, Header.live) < users
  }

  /** A record that is ours alone: a freed one, or one never used. NONE where even the spares are lost. */
  #allocate(): number {
    const record = this.#pop()
    if (record !== NONE) return record
    for (;;) {
      const next = Atomics.load(this.#words, Header.allocated)
      if (next === this.#regions.recordCount) return NONE
      const won = Atomics.compareExchange(this.#words, Header.allocated, next, next + 1) === next
      if (won) return next
    }
  }

  /** Fills our own record with the key in hand, no minutes, and a new generation. */
  #write(record: number): number {
    const words = this.#words
    const base = baseOf(this.#regions, record)
    const generation = (Atomics.load(words, base + Field.generation) % GENERATION_MAX) + 1
    Atomics.store(words, base + Field.generation, generation)
    Atomics.store(words, base + Field.bytesEven, 0)
    Atomics.store(words, base + Field.bytesOdd, 0)
    Atomics.store(words, base + Field.given, 0)
    for (let at = Field.minutes; at < MINUTES_END; at++) Atomics.store(words, base + at, 0)
    Atomics.store(words, base + Field.keyHash, this.#hash)
    Atomics.store(words, base + Field.keyBytes, this.#length)
    for (let i = 0; i * 4 < this.#length; i++) {
      Atomics.store(words, base + Field.key + i, this.#key[i]!)
    }
    // Last: from here on the record is alive to whoever finds it.
    Atomics.store(words, base + Field.day, this.#today())
    return slotOf(generation, record)
  }

  /** Frees the ledgers that counted nothing yesterday or today. */
  #recycle(today: number): void {
    const words = this.#words
    const { index, indexMask } = this.#regions
    for (let position = index; position <= index + indexMask; position++) {
      const slot = Atomics.load(words, position)
      if (slot === 0) continue
      const at = baseOf(this.#regions, recordOf(slot)) + Field.day
      const day = Atomics.load(words, at)
      if (day === DEAD || Math.abs(day - today) <= 1) continue
      // The day decides: whoever touches the ledger at this moment either comes first, and it stays, or
      // finds it dead and claims another.
      if (Atomics.compareExchange(words, at, day, DEAD) === day) this.#free(slot, position)
    }
  }

  /** Takes a published ledger out of the index and frees its record. */
  #free(slot: number, position: number): void {
    Atomics.compareExchange(this.#words, position, slot, 0)
    Atomics.sub(this.#words, Header.live, 1)
    this.#release(recordOf(slot))
  }

  #release(record: number): void {
    const words = this.#words
    const base = baseOf(this.#regions, record)
    Atomics.store(words, base + Field.day, DEAD)
    for (;;) {
      const head = Atomics.load(words, Header.free)
      Atomics.store(words, base + Field.nextFree, head & FREE_RECORD_MASK)
      const next = (((head >>> FREE_RECORD_BITS) + 1) << FREE_RECORD_BITS) | (record + 1)
      if (Atomics.compareExchange(words, Header.free, head, next) === head) return
    }
  }

  #pop(): number {
    const words = this.#words
    for (;;) {
      const head = Atomics.load(words, Header.free)
      const record = (head & FREE_RECORD_MASK) - 1
      if (record < 0) return NONE
      const after = Atomics.load(words, baseOf(this.#regions, record) + Field.nextFree)
      const next = (((head >>> FREE_RECORD_BITS) + 1) << FREE_RECORD_BITS) | after
      if (Atomics.compareExchange(words, Header.free, head, next) === head) return record
    }
  }
}

/** MurmurHash3 (32 bits) of whole words, as a signed integer. */
function hashOf(key: Int32Array, length: number, seed: number): number {
  let hash = seed
  for (let i = 0; i * 4 < length; i++) {
    let word = Math.imul(key[i]!, 0xcc9e2d51)
    word = Math.imul((word << 15) | (word >>> 17), 0x1b873593)
    hash ^= word
    hash = (Math.imul((hash << 13) | (hash >>> 19), 5) + 0xe6546b64) | 0
  }
  hash ^= length
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return hash ^ (hash >>> 16)
}
