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
import { formatAddress } from '../../src/policy/address.ts'
import { noLabels } from '../../src/policy/policy.ts'
import type { LabelTarget } from '../../src/policy/source.ts'
import {
  addTarget,
  free,
  imageOf,
  isAddress,
  listOf,
  networkOf,
  PlainWalk,
  porn,
  provenance,
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
  fc.record({ kind: fc.constant('exception' as const), bit: fc.nat(3), platforms: fc.nat(15) }),
)
/** Few bits, so that lists and exceptions meet. */
const network = fc.oneof(
  fc
    .tuple(fc.constantFrom(8, 16, 23, 24, 27, 30, 31, 32), fc.nat(255))
    .map(([prefix, last]) => `192.0.${prefix > 16 ? 2 : 0}.${cut(last, prefix)}/${prefix}`),
  fc
    .tuple(fc.constantFrom(0, 1, 32, 96, 112, 126, 127, 128), fc.nat(3))
    .map(([prefix, last]) =>
      prefix < 32 ? `::/${prefix}` : `2001:db8::${last & cut(3, prefix - 96)}/${prefix}`,
    ),
)
/** Without the bits of the last byte that lie beyond the prefix. */
function cut(last: number, prefix: number): number {
  return prefix < 24 ? 0 : last & (0xff << Math.max(0, 32 - prefix))
}
const lists: fc.Arbitrary<TestList[]> = fc
  .array(
    fc.record({
      target,
      domains: fc.array(host, { maxLength: 30 }),
      exceptions: fc.array(host, { maxLength: 6 }),
      networks: fc.array(network, { maxLength: 6 }),
      freedNetworks: fc.array(network, { maxLength: 3 }),
    }),
    { maxLength: 5 },
  )
  .map((made) => made.map((list, i) => ({ ...list, name: `list ${i}` })))

/** Nothing lies below an IPv6 address, nor is longer than a name can be. */
const isHost = (name: string) => name.length <= 253 && !name.includes(':')

describe('against a plain walk over sets', () => {
  test('the same labels, by string and by bytes', () => {
    fc.assert(
      fc.property(lists, fc.array(host, { minLength: 1, maxLength: 60 }), (made, asked) => {
        const { buffer } = imageOf(...made)
        const plain = new PlainWalk(made)
        const lookup = new Lookup(buffer)
        const listed = made.flatMap(({ domains }) => domains)
        const labels = noLabels()
        const below = listed.map((domain) => `sub.${domain}`).filter(isHost)
        for (const name of [...asked, ...listed, ...below]) {
          const expected = plain.labels(name)
          const any = expected.neverBlock || (expected.categories | expected.platforms) !== 0
          expect(lookup.match(name, labels), name).toBe(any)
          expect(labels, name).toEqual(expected)
          const bytes = new TextEncoder().encode(`..${name}.com`)
          expect(lookup.matchBytes(bytes, 2, bytes.length - 4, labels), name).toBe(any)
          expect(labels, name).toEqual(expected)
          const alone = new TextEncoder().encode(name)
          expect(lookup.matchBytes(alone, 0, alone.length, labels), name).toBe(any)
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
        new Lookup(buffer).match(name, labels)
        const locations = locate(buffer, name)
        const together = noLabels()
        // The least specific first; what one name says, all of it, before what the next one says.
        const steps = [...new Set(locations.map(({ domain }) => domain))].reverse()
        for (const step of steps) {
          const here = locations.filter(({ domain }) => domain === step)
          for (const { frees, target } of here) if (!frees) addTarget(together, target)
          for (const { frees, target } of here) if (frees) free(together, target)
        }
        expect(together).toEqual(labels)
        expect(locations.filter(({ domain }) => !domain.includes('/'))).toEqual(
          suffixesOf(name).flatMap((domain) => made.flatMap((list) => expectedOf(list, domain))),
        )
      }),
      { numRuns: 200 },
    )
  })

  test('a line more never frees a host, but by an exception', () => {
    fc.assert(
      fc.property(
        lists,
        fc.array(host, { minLength: 20, maxLength: 40 }),
        fc.nat(),
        (made, asked, at) => {
          const listing = made.filter(({ target: { kind } }) => kind !== 'exception')
          fc.pre(listing.length > 0)
          const grown = listing[at % listing.length]!
          const [added, ...hosts] = asked
          const more = made.map((list) =>
            list === grown ? { ...list, domains: [...list.domains, added!] } : list,
          )
          const [before, after] = [imageOf(...made), imageOf(...more)].map(
            ({ buffer }) => new Lookup(buffer),
          )
          for (const name of [...hosts, added!, ...grown.domains]) {
            const [had, has] = [noLabels(), noLabels()]
            before!.match(name, had)
            after!.match(name, has)
            expect(had.categories & ~has.categories, name).toBe(0)
            expect(had.platforms & ~has.platforms, name).toBe(0)
            expect(had.neverBlock && !has.neverBlock, name).toBe(false)
          }
        },
      ),
      { numRuns: 200 },
    )
  })
})

/** Where the list names `domain`; a network of one address is that address. */
function expectedOf(list: TestList, domain: string) {
  const { name, target, domains, exceptions = [], networks = [], freedNetworks = [] } = list
  const nameOf = (entry: string) =>
    entry.includes('/') && networkOf(entry).prefix === 128 ? formatAddress(networkOf(entry)) : entry
  const before = domains.length + exceptions.length
  const entries = [
    ...domains.map((entry, i) => ({ entry, line: i + 1, at: '' })),
    ...networks.map((entry, i) => ({ entry: nameOf(entry), line: before + i + 1, at: '' })),
    ...exceptions.map((entry, i) => ({ entry, line: domains.length + i + 1, at: '@@' })),
    ...freedNetworks.map((entry, i) => {
      return { entry: nameOf(entry), line: before + networks.length + i + 1, at: '@@' }
    }),
  ]
  const found = ['', '@@'].flatMap(
    (at) => entries.find((one) => one.entry === domain && one.at === at) ?? [],
  )
  return found
    .filter(({ at }) => at === '' || target.kind !== 'neverBlock')
    .map(({ line, at }) => {
      const frees = at !== '' || target.kind === 'exception'
      return { domain, list: name, line, target, frees, version: '', provenance }
    })
}

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
  check(['example.com'], `example.c${String.fromCharCode(0x16f)}m`, false)
  check(['example.com', 'b.example.com'], `${String.fromCharCode(0x162)}.example.com`, true)
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

describe('exceptions', () => {
  const social = { kind: 'category', bit: 1 } as const
  const check = (
    what: string,
    made: readonly Partial<TestList>[],
    expected: Record<string, number>,
  ) =>
    test(what, () => {
      const named = made.map((list, i) => ({ ...listOf(), name: `list ${i}`, ...list }))
      const lookup = new Lookup(imageOf(...named).buffer)
      const labels = noLabels()
      for (const [host, categories] of Object.entries(expected)) {
        expect(lookup.match(host, labels), host).toBe(categories !== 0)
        expect(labels, host).toEqual({ ...noLabels(), categories })
      }
    })
  check(
    'free the name and what lies under it, but not what is listed more specifically',
    [{ domains: ['a.com', 'x.y.b.a.com'], exceptions: ['b.a.com'] }],
    {
      'a.com': 1,
      'c.a.com': 1,
      'b.a.com': 0,
      'y.b.a.com': 0,
      'x.y.b.a.com': 1,
      'z.x.y.b.a.com': 1,
    },
  )
  check('win at the same name', [{ domains: ['a.com'], exceptions: ['a.com'] }], { 'www.a.com': 0 })
  check(
    'free from their own category alone, in whatever list of it the host is',
    [
      { domains: ['a.com'] },
      { domains: ['a.com'], target: social },
      { target: { kind: 'exception', bit: 0, platforms: 0 }, domains: ['www.a.com'] },
    ],
    { 'a.com': 3, 'www.a.com': 2 },
  )
  check(
    'do not depend on the order of the lists',
    [{ exceptions: ['www.a.com'] }, { domains: ['a.com'] }],
    { 'a.com': 1, 'www.a.com': 0 },
  )
  check('of a top-level domain', [{ domains: ['xxx', 'b.xxx'], exceptions: ['a.xxx'] }], {
    xxx: 1,
    'c.xxx': 1,
    'a.xxx': 0,
    'www.a.xxx': 0,
    'b.xxx': 1,
  })
  check(
    'of networks: the longer prefix wins, and the address itself over all',
    [
      {
        networks: ['10.0.0.0/8', '10.1.2.0/24'],
        freedNetworks: ['10.1.0.0/16'],
        domains: ['10.1.3.3'],
      },
      { exceptions: ['10.1.2.3'] },
    ],
    { '10.0.0.1': 1, '10.1.0.0': 0, '10.1.2.4': 1, '10.1.2.3': 0, '10.1.3.3': 1, '11.0.0.0': 0 },
  )
  test('never of what is never blocked', () => {
    const never = { kind: 'neverBlock' } as const
    const { buffer } = imageOf({
      name: 'n',
      target: never,
      domains: ['a.com'],
      exceptions: ['www.a.com'],
    })
    const labels = noLabels()
    expect(new Lookup(buffer).match('www.a.com', labels)).toBe(true)
    expect(labels.neverBlock).toBe(true)
    expect(locate(buffer, 'www.a.com').map(({ domain }) => domain)).toEqual(['a.com'])
  })
  test('of a category free its platforms too, also in the background', () => {
    const { buffer } = imageOf(
      { name: 'p', target: { kind: 'platform', bit: 3 }, domains: ['a.com'] },
      { name: 'b', target: { kind: 'background', bit: 4 }, domains: ['a.com'] },
      { name: 'q', target: { kind: 'platform', bit: 5 }, domains: ['a.com'] },
      {
        name: 'e',
        target: { kind: 'exception', bit: 1, platforms: 0b11000 },
        domains: ['www.a.com'],
      },
    )
    const labels = noLabels()
    expect(new Lookup(buffer).match('www.a.com', labels)).toBe(true)
    expect(labels).toEqual({ ...noLabels(), platforms: 1 << 5 })
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
  expect(Object.keys(measured)).toHaveLength(30)
  // The smallest object has 16 bytes. Asking how much heap is used leaves a little behind by itself.
  for (const [what, bytes] of Object.entries(measured)) expect(bytes, what).toBeLessThan(1)
})
