/** Networks made flat: intervals in order, and what holds in each is what the networks say. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { IPV4_BYTES_MAX, readAddress, writeIpv4 } from '../../src/lists/address-bytes.ts'
import { reportOf } from '../../src/lists/image-report.ts'
import { openImage } from '../../src/lists/layout.ts'
import { locate } from '../../src/lists/locate.ts'
import { Lookup } from '../../src/lists/lookup.ts'
import { intervalFault } from '../../src/lists/networks.ts'
import { formatAddress, ipv4OfWord, parseAddress, type Words } from '../../src/policy/address.ts'
import { noLabels } from '../../src/policy/policy.ts'
import { imageOf, listOf, type TestList } from './images.ts'

/** What an image of one list says of the addresses. */
function check(
  what: string,
  list: Partial<TestList>,
  expected: Record<string, boolean>,
  intervals: number,
) {
  test(what, () => {
    const { buffer } = imageOf({ ...listOf(), ...list })
    const image = openImage(buffer)
    if (typeof image === 'string') throw new Error(image)
    expect(intervalFault(image.intervals, 99)).toBeNull()
    expect(image.intervals.length / 5).toBe(intervals)
    const lookup = new Lookup(buffer)
    for (const [host, listed] of Object.entries(expected)) {
      expect(lookup.match(host, noLabels()), host).toBe(listed)
    }
  })
}

describe('intervals', () => {
  check('none', {}, { '10.0.0.1': false, '::': false }, 1)
  check(
    'one network, to its edges',
    { networks: ['10.0.0.0/8'] },
    { '9.255.255.255': false, '10.0.0.0': true, '10.255.255.255': true, '11.0.0.0': false },
    3,
  )
  check('everything', { networks: ['::/0'] }, { '::': true, '1.2.3.4': true }, 1)
  check(
    'the last address there is',
    { networks: ['ff00::/8'] },
    {
      'feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff': false,
      'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff': true,
    },
    2,
  )
  check(
    'neighbours are one interval, and so is what is named twice',
    { networks: ['10.0.0.0/25', '10.0.0.128/25', '10.0.0.0/25', '10.0.0.64/26'] },
    { '10.0.0.127': true, '10.0.0.128': true, '10.0.1.0': false },
    3,
  )
  check(
    'a hole, and something in the hole',
    { networks: ['10.0.0.0/8', '10.1.2.0/24'], freedNetworks: ['10.1.0.0/16'] },
    {
      '10.0.255.255': true,
      '10.1.0.0': false,
      '10.1.2.0': true,
      '10.1.3.0': false,
      '10.2.0.0': true,
    },
    7,
  )
  check(
    'an exception of the same network wins',
    { networks: ['10.0.0.0/8'], freedNetworks: ['10.0.0.0/8'] },
    { '10.0.0.0': false },
    1,
  )
  check(
    'a network of one address is that address',
    { networks: ['10.0.0.0/24', '192.0.2.1/32'], freedNetworks: ['10.0.0.7/32'] },
    { '10.0.0.6': true, '10.0.0.7': false, '192.0.2.1': true },
    3,
  )
  check(
    'what only looks like an address is none',
    { networks: ['::/0'], domains: ['a.com'] },
    {
      '1.2.3': false,
      '1.2.3.256': false,
      '1:2': false,
      ':::': false,
      '12345::': false,
      'b.com': false,
    },
    1,
  )
})

describe('an IPv4 address inside of another', () => {
  const inside = { networks: ['198.51.100.0/24'], domains: ['192.0.2.1'] }
  check(
    'is judged as itself: NAT64, 6to4, mapped',
    inside,
    {
      '198.51.100.7': true,
      '64:ff9b::c633:6407': true,
      '2002:c633:6407::1': true,
      '2002:c633:6407:1:2:3:4:5': true,
      '192.0.2.1': true,
      '64:ff9b::c000:201': true,
      '2002:c000:201::': true,
      '64:ff9b::c000:202': false,
      '2002:c000:202::1': false,
    },
    3,
  )
  check(
    'is none in other prefixes',
    inside,
    {
      '64:ff9b:1::c633:6407': false,
      '64:ff9b::1:c633:6407': false,
      '2003:c633:6407::1': false,
      '::c633:6407': false,
    },
    3,
  )
  check(
    'without any network',
    { domains: ['192.0.2.1', '2002:c000:203::1'] },
    { '64:ff9b::c000:201': true, '2002:c000:203::1': true, '2002:c000:203::2': false },
    1,
  )
  test('has all its labels, and no other address has', () => {
    const never = { ...listOf('192.0.2.1'), target: { kind: 'neverBlock' } as const }
    const lookup = new Lookup(imageOf({ ...listOf(), networks: ['198.51.100.0/24'] }, never).buffer)
    const address = fc.tuple(
      fc.constantFrom('192.0.2', '198.51.100', '203.0.113'),
      fc.constantFrom(0, 1, 9, 10, 99, 100, 255),
    )
    fc.assert(
      fc.property(address, fc.nat(0xffff), ([network, last], rest) => {
        const text = `${network}.${last}`
        const [, , , word] = parseAddress(text)!.words
        const six = [0x2002_0000 | (word >>> 16), (word << 16) | rest, rest, rest].map(
          (w) => w >>> 0,
        )
        const labels = [`64:ff9b::${text}`, formatAddress({ words: six as unknown as Words }), text]
          .map((each) => formatAddress(parseAddress(each)!))
          .map((each) => {
            const found = noLabels()
            lookup.match(each, found)
            return found
          })
        expect(labels[0]).toEqual(labels[2])
        expect(labels[1]).toEqual(labels[2])
      }),
    )
  })

  test('is told by locate, after the address itself', () => {
    const { buffer } = imageOf({
      ...listOf('192.0.2.1'),
      networks: ['192.0.2.0/24', '64:ff9b::/96'],
    })
    const told = (host: string) => locate(buffer, host).map(({ domain }) => domain)
    expect(told('64:ff9b::c000:201')).toEqual(['64:ff9b::/96', '192.0.2.1', '192.0.2.0/24'])
    expect(told('2002:c000:205::1')).toEqual(['192.0.2.0/24'])
    expect(told('2003:c000:205::1')).toEqual([])
  })
})

test('the text of an IPv4 address is as people write it', () => {
  const bytes = new Uint8Array(IPV4_BYTES_MAX)
  fc.assert(
    fc.property(fc.oneof(fc.nat(0xffff_ffff), fc.constantFrom(0, 0xffff_ffff)), (word) => {
      const text = new TextDecoder().decode(bytes.subarray(0, writeIpv4(word, bytes)))
      expect(text).toBe(formatAddress(ipv4OfWord(word)))
    }),
  )
})

test('locate names the networks, the smallest first, and the address before them', () => {
  const { buffer } = imageOf(
    { ...listOf('10.1.2.3'), networks: ['10.0.0.0/8'], freedNetworks: ['10.1.0.0/16'] },
    {
      name: 'other',
      target: { kind: 'category', bit: 3 },
      domains: [],
      networks: ['10.0.0.0/8', '2001:db8::/32'],
    },
  )
  const told = (host: string) =>
    locate(buffer, host).map(
      ({ domain, list, line, frees }) => `${domain} ${list}:${line}${frees ? ' frees' : ''}`,
    )
  expect(told('10.1.2.3')).toEqual([
    '10.1.2.3 test:1',
    '10.1.0.0/16 test:3 frees',
    '10.0.0.0/8 test:2',
    '10.0.0.0/8 other:1',
  ])
  expect(told('2001:db8::9')).toEqual(['2001:db8::/32 other:2'])
  expect(told('11.0.0.1')).toEqual([])
  expect(reportOf(buffer).lists.map(({ networks }) => networks)).toEqual([1, 2])
})

test('an address is read as it is written', () => {
  const address = fc.tuple(
    ...[0, 1, 2, 3].map(() => fc.oneof(fc.nat(0xffff_ffff), fc.constantFrom(0, 1, 0xffff))),
  )
  fc.assert(
    fc.property(address, (words) => {
      const text = formatAddress({ words: words as unknown as Words })
      const bytes = new TextEncoder().encode(`x${text}x`)
      const read = new Int32Array(4)
      expect(readAddress(bytes, 1, bytes.length - 1, read), text).toBe(true)
      expect([...read].map((word) => word >>> 0)).toEqual(words)
    }),
    { numRuns: 1_000 },
  )
})

test('what is no address is not read as one', () => {
  const char = fc.constantFrom(...'0123456789abcdefg:.')
  fc.assert(
    fc.property(fc.string({ unit: char, maxLength: 45 }), (text) => {
      const bytes = new TextEncoder().encode(text)
      const words = new Int32Array(4)
      if (!readAddress(bytes, 0, bytes.length, words)) return
      const expected = parseAddress(text)
      // Nothing in normal form begins with more zeros than it needs.
      if (expected !== null) expect([...words].map((word) => word >>> 0)).toEqual(expected.words)
      else expect(text).toMatch(/(^|\.)0\d/)
    }),
    { numRuns: 5_000 },
  )
})
