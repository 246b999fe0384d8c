/**
 * Owns: the text form of a password hash and its bounds; one real derivation against RFC 7914's own.
 * Never: asserts how long a derivation takes.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { ScryptHash } from '../../src/identity/scrypt.ts'
import {
  COST,
  decoyScrypt,
  deriveScrypt,
  formatScrypt,
  hashPassword,
  LN_MAX,
  LN_MIN,
  matchesScrypt,
  P_MAX,
  parseScrypt,
} from '../../src/identity/scrypt.ts'

const SALT = 'A'.repeat(22)
const HASH = 'A'.repeat(43)

describe('parseScrypt', () => {
  it('reads what is written', () => {
    const found = parseScrypt(`$scrypt$ln=15,r=8,p=1$${SALT}$${HASH}`)
    expect(found?.cost).toEqual({ ln: 15, r: 8, p: 1 })
    expect([found?.salt.length, found?.hash.length]).toEqual([16, 32])
  })

  it.each([
    ['nothing', ''],
    ['another function', `$argon2id$ln=15,r=8,p=1$${SALT}$${HASH}`],
    ['another order', `$scrypt$r=8,ln=15,p=1$${SALT}$${HASH}`],
    ['too cheap', `$scrypt$ln=${LN_MIN - 1},r=8,p=1$${SALT}$${HASH}`],
    ['too dear', `$scrypt$ln=${LN_MAX + 1},r=8,p=1$${SALT}$${HASH}`],
    ['too much memory', `$scrypt$ln=17,r=32,p=1$${SALT}$${HASH}`],
    ['no blocks', `$scrypt$ln=15,r=0,p=1$${SALT}$${HASH}`],
    ['too many times', `$scrypt$ln=15,r=8,p=${P_MAX + 1}$${SALT}$${HASH}`],
    ['padding', `$scrypt$ln=15,r=8,p=1$${SALT}==$${HASH}`],
    ['loose bits', `$scrypt$ln=15,r=8,p=1$${SALT.slice(1)}B$${HASH}`],
    ['a short salt', `$scrypt$ln=15,r=8,p=1$AAAA$${HASH}`],
    ['a long hash', `$scrypt$ln=15,r=8,p=1$${SALT}$${'A'.repeat(88)}`],
    ['something after', `$scrypt$ln=15,r=8,p=1$${SALT}$${HASH}$`],
    ['a line break', `$scrypt$ln=15,r=8,p=1$${SALT}$${HASH}\n`],
  ])('refuses %s', (_name, text) => expect(parseScrypt(text)).toBeNull())

  it('never throws, and reads back what formatScrypt wrote', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(parseScrypt(text)).toBeNull()
      }),
    )
    const hashes: fc.Arbitrary<ScryptHash> = fc.record({
      cost: fc.record({
        ln: fc.integer({ min: LN_MIN, max: LN_MAX }),
        r: fc.integer({ min: 1, max: 8 }),
        p: fc.integer({ min: 1, max: P_MAX }),
      }),
      salt: fc.uint8Array({ minLength: 16, maxLength: 64 }),
      hash: fc.uint8Array({ minLength: 16, maxLength: 64 }),
    })
    fc.assert(
      fc.property(hashes, (kept) => {
        const found = parseScrypt(formatScrypt(kept))!
        expect(found.cost).toEqual(kept.cost)
        expect([...found.salt]).toEqual([...kept.salt])
        expect([...found.hash]).toEqual([...kept.hash])
      }),
    )
  })
})

describe('real derivations', () => {
  it('equals the third vector of RFC 7914 section 12', async () => {
    const salt = Buffer.from('SodiumChloride')
    const found = await deriveScrypt('pleaseletmein', salt, 64, { ln: 14, r: 8, p: 1 })
    expect(Buffer.from(found).toString('hex')).toBe(
      '7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2' +
        'd5432955613f0fcf62d49705242a9af9e61e85dc0d651e40dfcf017b45575887',
    )
  })

  it('keeps a password, tells it from others, and salts it anew each time', async () => {
    const text = await hashPassword('rätt häst')
    const kept = parseScrypt(text)!
    expect(kept.cost).toEqual(COST)
    expect(await matchesScrypt('rätt häst', kept)).toBe(true)
    // The same letters, as a Mac may send them.
    expect(await matchesScrypt('rätt häst'.normalize('NFD'), kept)).toBe(true)
    expect(await matchesScrypt('rätt häst ', kept)).toBe(false)
    expect(await hashPassword('rätt häst')).not.toBe(text)
  })

  it('has decoys that nothing matches', async () => {
    const decoy = decoyScrypt({ ln: 10, r: 8, p: 1 })
    expect(await matchesScrypt('', decoy)).toBe(false)
    expect(parseScrypt(formatScrypt(decoy))).not.toBeNull()
  })
})
