/**
 * The lookup: exactly the listed hosts and their subdomains, by string and by bytes, without
 * garbage.
 */
import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { locate } from '../../src/lists/locate.ts'
import { Lookup } from '../../src/lists/lookup.ts'
import { noLabels } from '../../src/policy/policy.ts'
import type { LabelTarget } from '../../src/policy/source.ts'
import {
  addTarget,
  imageOf,
  isAddress,
  listOf,
  PlainWalk,
  porn,
  suffixesOf,
  type TestList,
} from './images.ts'

const NAME_253 = `${'a'.repeat(62)}.${'b'.repeat(62)}.${'c'.repeat(62)}.${'d'.repeat(62)}.`

/** Few labels, so that random names meet as parent, child, and look-alike. */
const label = fc.constantFrom('a', 'b', 'aa', 'ab', 'com', 'book', 'face', 'facebook', 'x-1', '1a')
const hostName = fc
  .array(label, { minLength: 1, maxLength: 6 })
  .map((labels) => labels.join('.'))
  .filter((name) => !isAddress(name))
const host = fc.oneof(
  { weight: 8, arbitrary: hostName },
  { weight: 1, arbitrary: fc.nat(255).map((n) => `192.0.2.${n}`) },
  { weight: 1, arbitrary: fc.constantFrom('2001:db8::1', '2001:db8::2', '2001:db8::', '1.2.3.4') },
  { weight: 1, arbitrary: fc.constantFrom(`${NAME_253}e`, NAME_253.slice(0, -1), 'd.e') },
)
const target: fc.Arbitrary<LabelTarget> = fc.oneof(
  fc.record({
    kind: fc.constantFrom('category' as const, 'platform' as const, 'background' as const),
    bit: fc.nat(31),
  }),
  fc.constant<LabelTarget>({ kind: 'neverBlock' }),
)
const lists: fc.Arbitrary<TestList[]> = fc
  .array(fc.record({ target, domains: fc.array(host, { maxLength: 30 }) }), { maxLength: 5 })
  .map((made) => made.map((list, i) => ({ ...list, name: `list ${i}` })))

describe('against a plain walk over sets', () => {
  test('the same labels, by string and by bytes', () => {
    fc.assert(
      fc.property(lists, fc.array(host, { minLength: 1, maxLength: 60 }), (made, asked) => {
        const { buffer } = imageOf(...made)
        const plain = new PlainWalk(made)
        const lookup = new Lookup(buffer)
        const listed = made.flatMap(({ domains }) => domains)
        const labels = noLabels()
        const below = listed.map((domain) => `sub.${domain}`).filter(({ length }) => length <= 253)
        for (const name of [...asked, ...listed, ...below]) {
          const expected = plain.labels(name)
          const any = made.some(({ domains }) =>
            suffixesOf(name).some((suffix) => domains.includes(suffix)),
          )
          expect(lookup.match(name, labels), name).toBe(any)
          expect(labels, name).toEqual(expected)
          const bytes = new TextEncoder().encode(`..${name}.com`)
          expect(lookup.matchBytes(bytes, 2, bytes.length - 4, labels), name).toBe(any)
          expect(labels, name).toEqual(expected)
        }
      }),
      { numRuns: 200 },
    )
  })

  test('locate names the lists and lines that the labels come from, and no others', () => {
    fc.assert(
      fc.property(lists, host, (made, name) => {
        const { buffer } = imageOf(...made)
        const labels = noLabels()
        const found = new Lookup(buffer).match(name, labels)
        const locations = locate(buffer, name)
        expect(locations.length > 0).toBe(found)
        const together = noLabels()
        for (const location of locations) addTarget(together, location.target)
        expect(together).toEqual(labels)
        const expected = suffixesOf(name).flatMap((domain) =>
          made.flatMap((list) => {
            const line = list.domains.indexOf(domain) + 1
            return line === 0 ? [] : [{ domain, list: list.name, line, target: list.target }]
          }),
        )
        expect(locations).toEqual(expected)
      }),
      { numRuns: 200 },
    )
  })
})

describe('by name', () => {
  const check = (domains: string[], name: string, expected: boolean) =>
    test(`${name.slice(0, 40)} ${expected ? 'is' : 'is not'} in ${domains.join().slice(0, 40)}`, () => {
      const lookup = new Lookup(imageOf(listOf(...domains)).buffer)
      const labels = noLabels()
      expect(lookup.match(name, labels)).toBe(expected)
      expect(labels.categories).toBe(expected ? 1 : 0)
    })
  check(['facebook.com'], 'facebook.com', true)
  check(['facebook.com'], 'www.facebook.com', true)
  check(['facebook.com'], 'a.b.c.d.e.facebook.com', true)
  check(['facebook.com'], 'notfacebook.com', false)
  check(['facebook.com'], 'facebook.com.evil.example', false)
  check(['facebook.com'], 'facebook.co', false)
  check(['facebook.com'], 'com', false)
  check(['facebook.com'], 'FACEBOOK.com', false)
  check(['www.example.co.uk'], 'example.co.uk', false)
  check(['www.example.co.uk'], 'www.example.co.uk', true)
  check(['www.example.co.uk'], 'co.uk', false)
  check(['xxx'], 'any.thing.xxx', true)
  check(['xxx'], 'xxx', true)
  check(['xxx'], 'xxx.com', false)
  check(['192.0.2.1'], '192.0.2.1', true)
  check(['192.0.2.1'], '2.192.0.2.1', false)
  check(['192.0.2.1'], '0.2.1', false)
  check(['2001:db8::1'], '2001:db8::1', true)
  check([`${NAME_253}e`], `${NAME_253}e`, true)
  check([`${NAME_253}e`], `a${NAME_253}e`, false)
  check(['d.e'], `${'x.'.repeat(125)}d.e`, true)
  check(['d.e'], `${'x.'.repeat(126)}d.e`, false)
  check([], 'example.com', false)
  check(['example.com'], '', false)
  check(['example.com'], '.', false)
  check(['example.com'], 'example.com.', false)
  // Cut to one byte each, these would read `example.com`.
  check(
    ['example.com'],
    [...'example.com'].map((c) => String.fromCharCode(c.charCodeAt(0) + 256)).join(''),
    false,
  )
  check(['example.com'], `${String.fromCharCode(0x178)}.example.com`, false)
})

test('labels of an earlier host do not stay', () => {
  const lookup = new Lookup(imageOf(listOf('listed.example')).buffer)
  const labels = { categories: -1, platforms: -1, background: -1, neverBlock: true }
  expect(lookup.match('other.example', labels)).toBe(false)
  expect(labels).toEqual(noLabels())
  expect(lookup.match('listed.example', labels)).toBe(true)
  expect(labels).toEqual({ ...noLabels(), categories: 1 })
})

test('labels of parents and children are joined', () => {
  const lookup = new Lookup(
    imageOf(
      { name: 'a', target: porn, domains: ['example.com'] },
      { name: 'b', target: { kind: 'category', bit: 31 }, domains: ['www.example.com'] },
      { name: 'c', target: { kind: 'background', bit: 3 }, domains: ['example.com'] },
    ).buffer,
  )
  const labels = noLabels()
  lookup.match('www.example.com', labels)
  expect(labels).toEqual({
    categories: 1 | (1 << 31),
    platforms: 8,
    background: 8,
    neverBlock: false,
  })
})

test('random junk is no host, and no harm', () => {
  const { buffer } = imageOf(listOf('a.b', 'c', '192.0.2.1', 'example.com'))
  const lookup = new Lookup(buffer)
  const labels = noLabels()
  fc.assert(
    fc.property(fc.uint16Array(), fc.uint8Array(), (units, bytes) => {
      lookup.match(String.fromCharCode(...units), labels)
      lookup.matchBytes(bytes, 0, bytes.length, labels)
      expect(lookup.matchBytes(bytes, bytes.length, 0, labels)).toBe(false)
    }),
  )
})

test('no allocation', () => {
  const script = fileURLToPath(new URL('allocation.ts', import.meta.url))
  const measured = JSON.parse(execFileSync(process.execPath, [script], { encoding: 'utf8' }))
  expect(Object.keys(measured)).toHaveLength(16)
  // The smallest object has 16 bytes. Asking how much heap is used leaves a little behind by itself.
  for (const [what, bytes] of Object.entries(measured)) expect(bytes, what).toBeLessThan(1)
})
