/**
 * Owns: a set of marks in shared memory: what any thread has put in, all threads find.
 * Never: grows, waits, or holds what was not put in but by a chance of one in 2^64.
 *
 * Of a mark (32 bytes that nobody can guess) the first word chooses a row of eight places, one line of the
 * cache, and the next two are kept. In a full row a new mark takes the place of another: of 20,000 marks in
 * 131,072 places none is lost, of 100,000 one in eighteen.
 */
export const WAYS = 8
export const WORDS_OF_MARK = 2

export class Marks {
  readonly #words: Int32Array
  readonly #rows: number

  /** `words`: WORDS_OF_MARK for each place, a power of two of them; 0 at the start. */
  constructor(words: Int32Array) {
    this.#words = words
    this.#rows = words.length / (WAYS * WORDS_OF_MARK)
  }

  has(mark: Uint8Array): boolean {
    const words = this.#words
    const row = this.#rowOf(mark)
    const low = keptWord(mark, 4)
    const high = keptWord(mark, 8)
    for (let at = row; at < row + WAYS * WORDS_OF_MARK; at += WORDS_OF_MARK) {
      if (Atomics.load(words, at) === low && Atomics.load(words, at + 1) === high) return true
    }
    return false
  }

  /** True where it was not in yet; of threads that add the same one at the same time, one is told so. */
  add(mark: Uint8Array): boolean {
    const words = this.#words
    const row = this.#rowOf(mark)
    const low = keptWord(mark, 4)
    const high = keptWord(mark, 8)
    for (let at = row; at < row + WAYS * WORDS_OF_MARK; at += WORDS_OF_MARK) {
      const before = Atomics.compareExchange(words, at, 0, low)
      if (before === 0) {
        Atomics.store(words, at + 1, high)
        return true
      }
      if (before !== low) continue
      // 0: another thread has just written the first word of the same mark.
      const kept = Atomics.load(words, at + 1)
      if (kept === high || kept === 0) return false
    }
    // Half a mark that another thread reads meanwhile is nobody's.
    const at = row + (high & (WAYS - 1)) * WORDS_OF_MARK
    Atomics.store(words, at, low)
    Atomics.store(words, at + 1, high)
    return true
  }

  /** Where the row of a mark begins, in words. */
  #rowOf(mark: Uint8Array): number {
    return (wordOf(mark, 0) & (this.#rows - 1)) * WAYS * WORDS_OF_MARK
  }
}

/** Never 0, which is no mark. */
function keptWord(mark: Uint8Array, at: number): number {
  return wordOf(mark, at) || 1
}

function wordOf(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)
}
