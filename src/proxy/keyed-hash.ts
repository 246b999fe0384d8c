/**
 * Owns: a short hash that nobody without its key can aim at: HalfSipHash-2-4 with 32 bits.
 * Never: allocates, or keeps what it hashed.
 *
 * Source: Aumasson, Bernstein: SipHash: a fast short-input PRF, and the reference code of HalfSipHash.
 */

/** Two words, chosen at random for each run. */
export type HashKey = readonly [number, number]

/** Hash of the first `count` words, read as so many little-endian bytes; a signed 32-bit number. */
export function hashWords(key: HashKey, words: Int32Array, count: number): number {
  const [k0, k1] = key
  let v0 = k0
  let v1 = k1
  let v2 = k0 ^ 0x6c79_6765
  let v3 = k1 ^ 0x7465_6462
  // Two rounds a word, two for the length, and four at the end.
  const last = 2 * count + 2
  let word = 0
  for (let round = 0; round < last + 4; round++) {
    if (round === last) {
      v0 ^= word
      v2 ^= 0xff
    } else if (round < last && (round & 1) === 0) {
      // What was mixed in before the two rounds of a word comes once more after them.
      if (round > 0) v0 ^= word
      word = round === last - 2 ? count << 26 : words[round >>> 1]!
      v3 ^= word
    }
    v0 = (v0 + v1) | 0
    v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0
    v0 = (v0 << 16) | (v0 >>> 16)
    v2 = (v2 + v3) | 0
    v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2
    v0 = (v0 + v3) | 0
    v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0
    v2 = (v2 + v1) | 0
    v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2
    v2 = (v2 << 16) | (v2 >>> 16)
  }
  return v1 ^ v3
}
