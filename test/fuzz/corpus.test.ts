/**
 * Owns: that every text the fuzzer has kept still keeps every promise, and that the fuzzer finds what it should.
 * Never: runs long: `npm run fuzz` does.
 */
import { describe, expect, it } from 'vitest'
import { readCorpus } from './corpus.ts'
import { fuzz, type Target } from './fuzz.ts'
import { hidden } from './hidden.ts'
import { TARGETS } from './targets.ts'

const CORPUS_BYTES_MAX = 64 * 1_024

describe('the corpus', () => {
  for (const target of TARGETS) {
    it(`of ${target.name} keeps every promise, and has many ways to end`, () => {
      const texts = readCorpus(target.name)
      const ends = new Set([...target.seeds, ...texts].map((text) => target.run(text)))
      expect(texts.length).toBeGreaterThan(target.seeds.length)
      expect(ends.size).toBeGreaterThan(5)
      expect(texts.join('').length).toBeLessThan(CORPUS_BYTES_MAX)
    })

    it(`of ${target.name} is more than its seeds run`, () => {
      const seeds = fuzz(target, 0, 1)
      const all = fuzz({ ...target, seeds: [...target.seeds, ...readCorpus(target.name)] }, 0, 1)
      expect(all.broken).toBe(null)
      expect(all.covered).toBeGreaterThan(seeds.covered)
    })
  }
})

describe('the fuzzer', () => {
  const target: Target = {
    name: 'hidden',
    seeds: [''],
    dictionary: [],
    covers: /\/test\/fuzz\/hidden\.ts/,
    run: hidden,
  }

  it('finds by coverage what lies behind three letters, and makes it small', () => {
    const { broken, corpus } = fuzz(target, 100_000, 1)
    expect(broken?.text).toBe('FUZ')
    expect(corpus).toContain('FU')
  })

  it('finds the same with the same seed', () => {
    const again = () => fuzz(target, 3_000, 7).corpus
    expect(again()).toEqual(again())
  })
})
