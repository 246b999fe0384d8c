/**
 * Owns: that the keyed hash is HalfSipHash.
 * Never: judges what it is used for.
 */
import { describe, expect, it } from 'vitest'
import { hashWords } from '../../src/proxy/keyed-hash.ts'

/** Of the reference code (`vectors_hsip32`): key 00 01 … 07, message 00 01 02 … of so many words. */
const VECTORS = ['a9359f5b', '2a6e4689', 'd0b8848f', '57f0872f', 'd9b5ac84']
const KEY = [0x0302_0100, 0x0706_0504] as const

describe('hashWords', () => {
  for (const [count, hex] of VECTORS.entries()) {
    it(`of ${count} words is as the reference code has it`, () => {
      const bytes = Uint8Array.from({ length: 20 }, (_, i) => i)
      const hash = hashWords(KEY, new Int32Array(bytes.buffer), count)
      expect(hash).toBe(Buffer.from(hex, 'hex').readInt32LE())
    })
  }

  it('is another with another key', () => {
    const words = new Int32Array([1, 2, 3, 4])
    const hashes = [KEY, [KEY[0], KEY[1] ^ 1] as const, [KEY[0] ^ 1, KEY[1]] as const]
    expect(new Set(hashes.map((key) => hashWords(key, words, 4))).size).toBe(3)
  })
})
