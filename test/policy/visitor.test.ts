import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formatVisitor, readVisitor, type Visitor } from '../../src/policy/visitor.ts'

const KEY = 'Zm9vYmFyYmF6'

const anyVisitor: fc.Arbitrary<Visitor> = fc.record({
  address: fc.constantFrom('10.1.2.3', '2001:db8::a'),
  identity: fc.option(
    fc.record({
      kind: fc.constantFrom('user' as const, 'address' as const, 'network' as const),
      user: fc.string({ unit: 'binary', maxLength: 30 }),
    }),
  ),
  reachedAt: fc.constantFrom('', '10.0.0.1'),
})

describe('the visitor', () => {
  it('is read as it was written, and may stand in a field', () => {
    const property = fc.property(anyVisitor, (visitor) => {
      const value = formatVisitor(KEY, visitor)
      expect(value).toMatch(/^[\x20-\x7e]*$/)
      expect(readVisitor(KEY, value)).toEqual(visitor)
    })
    fc.assert(property)
  })

  it('is nobody without the key', () => {
    const value = formatVisitor(KEY, { address: '10.1.2.3', identity: null, reachedAt: '' })
    const forged = [
      undefined,
      '',
      KEY,
      `${KEY}x ${value.slice(KEY.length + 1)}`,
      value.slice(1),
      value.toLowerCase(),
      `x${value.slice(1)}`,
      `, ${value}`,
      value.slice(KEY.length + 1),
      value.slice(KEY.length),
    ]
    for (const one of forged) expect([one, readVisitor(KEY, one)]).toEqual([one, null])
    expect(readVisitor('', value.slice(KEY.length))).toBe(null)
    fc.assert(fc.property(fc.string(), (text) => readVisitor(KEY, text) === null))
  })
})
