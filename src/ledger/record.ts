/**
 * Owns: what may happen to one record: its day moves on, a minute is set, bytes and given minutes add up.
 * Never: knows whose record it is; directory.ts does.
 *
 * No thread ever waits for another. A new day clears nothing: each word of minutes names its day
 * (layout.ts), and a word of another day counts as empty. So there is no half-cleared ledger for a
 * thread to die in, and a thread whose clock is a moment behind cannot mark the new day.
 */
import { MINUTES_MAX } from '../policy/index.ts'
import {
  BYTES_BITS,
  BYTES_MAX,
  DEAD,
  Field,
  Header,
  MINUTES_END,
  MINUTES_PER_WORD,
  TAG_SHIFT,
  tagOf,
  VALUE_MASK,
  type Words,
} from './layout.ts'

/**
 * Makes `day` the record's day. False where that may not be: the record is dead, or it already counts
 * the day after (this thread's clock reading is a moment old). A day further back means that the clock
 * was set back, and is accepted; minutes that it still remembers of that day stand.
 */
export function moveDay(words: Words, base: number, day: number): boolean {
  for (;;) {
    // The bytes are read before the day: where the day is still an earlier one, so are the bytes, and
    // they can be cleared by comparison without touching what another thread adds to the new day.
    const even = Atomics.load(words, base + Field.bytesEven)
    const odd = Atomics.load(words, base + Field.bytesOdd)
    const current = Atomics.load(words, base + Field.day)
    if (current === day) return true
    if (current === DEAD || current === day + 1) return false
    if (Atomics.compareExchange(words, base + Field.bytesEven, even, 0) !== even) continue
    if (Atomics.compareExchange(words, base + Field.bytesOdd, odd, 0) !== odd) continue
    if (Atomics.compareExchange(words, base + Field.day, current, day) !== current) continue
    Atomics.store(words, Header.latestDay, day)
    return true
  }
}

/**
 * Adds `bytes` to what the record moved in `minute`, and returns the sum, at most BYTES_MAX. Even and
 * odd minutes have a word each, so threads on both sides of a minute's end do not undo each other.
 */
export function addToMinute(words: Words, base: number, minute: number, bytes: number): number {
  const at = base + ((minute & 1) === 0 ? Field.bytesEven : Field.bytesOdd)
  for (;;) {
    const old = Atomics.load(words, at)
    const before = old >>> BYTES_BITS === minute ? old & BYTES_MAX : 0
    const sum = Math.min(BYTES_MAX, before + bytes)
    if (Atomics.compareExchange(words, at, old, (minute << BYTES_BITS) | sum) === old) return sum
  }
}

/** Sets the bit of `minute`, and says whether this call set it: of many that try, exactly one did. */
export function setMinute(words: Words, base: number, day: number, minute: number): boolean {
  const at = base + Field.minutes + Math.floor(minute / MINUTES_PER_WORD)
  const bit = 1 << (minute % MINUTES_PER_WORD)
  const tag = tagOf(day)
  const tomorrow = tagOf(day + 1)
  for (;;) {
    const old = Atomics.load(words, at)
    const set = old & VALUE_MASK
    if (old >>> TAG_SHIFT === tag) {
      if ((set & bit) !== 0) return false
    } else if (old >>> TAG_SHIFT === tomorrow && set !== 0) {
      return false
    }
    const kept = old >>> TAG_SHIFT === tag ? set : 0
    const next = (tag << TAG_SHIFT) | kept | bit
    if (Atomics.compareExchange(words, at, old, next) === old) return true
  }
}

export function hasMinute(words: Words, base: number, day: number, minute: number): boolean {
  const word = Atomics.load(words, base + Field.minutes + Math.floor(minute / MINUTES_PER_WORD))
  return word >>> TAG_SHIFT === tagOf(day) && (word & (1 << (minute % MINUTES_PER_WORD))) !== 0
}

/**
 * How many minutes of `day` are set. Read without Atomics, which cost ten times as much here: a word is
 * never torn, callers have just read the record's day with Atomics, and a minute that is being set at this
 * moment may be seen or not either way.
 */
export function countMinutes(words: Words, base: number, day: number): number {
  const tag = tagOf(day)
  let count = 0
  for (let at = base + Field.minutes; at < base + MINUTES_END; at++) {
    const word = words[at]!
    if (word >>> TAG_SHIFT === tag) count += bitsSet(word & VALUE_MASK)
  }
  return count
}

/** Sets in `bitmap` (bit m % 32 of word m / 32) the minutes of `day`. Read as in countMinutes. */
export function copyMinutes(words: Words, base: number, day: number, bitmap: Uint32Array): void {
  const tag = tagOf(day)
  for (let at = Field.minutes; at < MINUTES_END; at++) {
    const word = words[base + at]!
    const set = word & VALUE_MASK
    if (set === 0 || word >>> TAG_SHIFT !== tag) continue
    const first = (at - Field.minutes) * MINUTES_PER_WORD
    const shift = first & 31
    bitmap[first >>> 5]! |= set << shift
    if (shift + MINUTES_PER_WORD > 32) bitmap[(first >>> 5) + 1]! |= set >>> (32 - shift)
  }
}

/** Adds to the minutes given on `day`, up to the 20 bits there are, and returns their sum. */
export function addGiven(words: Words, base: number, day: number, minutes: number): number {
  for (;;) {
    const old = Atomics.load(words, base + Field.given)
    const sum = Math.min(VALUE_MASK, givenIn(old, day) + minutes)
    const next = (tagOf(day) << TAG_SHIFT) | sum
    if (Atomics.compareExchange(words, base + Field.given, old, next) === old) return sum
  }
}

export function givenOf(words: Words, base: number, day: number): number {
  return givenIn(Atomics.load(words, base + Field.given), day)
}

function givenIn(word: number, day: number): number {
  return word >>> TAG_SHIFT === tagOf(day) ? word & VALUE_MASK : 0
}

/** Which of a ledger's minutes there can be at all: what lies outside is never written. */
export function isMinute(minute: number): boolean {
  return minute >= 0 && minute < MINUTES_MAX
}

/** The number of bits set in 32 (Hacker's Delight, section 5-1). */
function bitsSet(word: number): number {
  const pairs = word - ((word >>> 1) & 0x55555555)
  const nibbles = (pairs & 0x33333333) + ((pairs >>> 2) & 0x33333333)
  return Math.imul((nibbles + (nibbles >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24
}
