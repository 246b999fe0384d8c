/**
 * Owns: addresses and networks as text and as bits; node:net and ipaddr.js are the independent references.
 * Never: opens a socket.
 */
import { BlockList, isIP } from 'node:net'
import fc from 'fast-check'
import ipaddr from 'ipaddr.js'
import { describe, expect, it } from 'vitest'
import type { Address, Words } from '../../src/policy/address.ts'
import {
  contains,
  formatAddress,
  formatNetwork,
  ipv4,
  isIpv4,
  parseAddress,
  parseNetwork,
  sameAddress,
} from '../../src/policy/address.ts'

/** `expected` is the canonical text; null where it is no address. */
function check(name: string, text: string, expected: string | null) {
  it(`${name}: ${JSON.stringify(text).slice(0, 60)}`, () => {
    const address = parseAddress(text)
    expect(address === null ? null : formatAddress(address)).toBe(expected)
  })
}

/** `expected` is the canonical text of the network, or the named error. */
function checkNetwork(name: string, text: string, expected: string) {
  it(`${name}: ${JSON.stringify(text).slice(0, 60)}`, () => {
    const network = parseNetwork(text)
    expect(typeof network === 'string' ? network : formatNetwork(network)).toBe(expected)
  })
}

describe('parseAddress', () => {
  check('IPv4', '192.0.2.1', '192.0.2.1')
  check('the last IPv4', '255.255.255.255', '255.255.255.255')
  check('three parts', '127.0.1', null)
  check('five parts', '1.2.3.4.5', null)
  check('a byte too large', '1.2.3.256', null)
  check('a leading zero', '01.2.3.4', null)
  check('a trailing dot', '1.2.3.4.', null)
  check('hexadecimal', '0x7f.0.0.1', null)
  check('a blank', ' 1.2.3.4', null)
  check('nothing', '', null)
  check('IPv6, shortest', '::', '::')
  check('IPv6, upper case and in full', '2001:0DB8:0000:0000:0000:0000:0000:0001', '2001:db8::1')
  check('one zero group is not left out', '2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1')
  check('the first of two equal runs', '2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1')
  check('the longer of two runs', '1:0:0:2:0:0:0:3', '1:0:0:2::3')
  check('a run first', '0:0:1:2:3:4:5:6', '::1:2:3:4:5:6')
  check('a run last', '1:2:3:4:5:6:0:0', '1:2:3:4:5:6::')
  check('a run of one group, written short', '1:2:3:4:5:6:7::', '1:2:3:4:5:6:7:0')
  check('mapped IPv4', '::ffff:192.0.2.1', '192.0.2.1')
  check('mapped IPv4, hexadecimal', '::FFFF:c000:201', '192.0.2.1')
  check('compatible IPv4', '::192.0.2.1', '::c000:201')
  check('translated IPv4', '::ffff:0:192.0.2.1', '::ffff:0:c000:201')
  check('no group for the run', '1:2:3:4::5:6:7:8', null)
  check('two runs', '1::2::3', null)
  check('nine groups', '1:2:3:4:5:6:7:8:9', null)
  check('a lone colon', ':', null)
  check('three colons', ':::', null)
  check('a colon first', ':1::2', null)
  check('a colon last', '1::2:', null)
  check('IPv4 within', '::1.2.3.4:5', null)
  check('a zone', 'fe80::1%eth0', null)
  check('brackets', '[::1]', null)
  check('without end', ':1'.repeat(100_000), null)
})

/** Texts that are addresses, nearly so, or not at all. */
const texts = fc.oneof(
  fc.ipV4(),
  fc.ipV4Extended(),
  fc.ipV6(),
  fc.ipV4().map((text) => `::ffff:${text}`),
  fc
    .array(
      fc.constantFrom('0', '1', 'ffff', '00001', 'A', 'g', ':', '::', '.', '255', '256', '01'),
      {
        maxLength: 16,
      },
    )
    .map((pieces) => pieces.join('')),
)
const word = fc.oneof(
  fc.nat(0xffffffff),
  fc.constantFrom(0, 1, 0xffff, 0x10000, 0x7fffffff, 0x80000000, 0xffffffff),
)
const words: fc.Arbitrary<Words> = fc.tuple(word, word, word, word)
const words4: fc.Arbitrary<Words> = word.map((last) => [0, 0, 0xffff, last])
const anyAddress: fc.Arbitrary<Address> = fc.oneof(words, words4).map((words) => ({ words }))

/** The same address as ipaddr.js reads it. */
function reference({ words }: Address): ipaddr.IPv4 | ipaddr.IPv6 {
  const bytes = words.flatMap((part) => [24, 16, 8, 0].map((shift) => (part >>> shift) & 255))
  const whole = new ipaddr.IPv6(bytes)
  return whole.isIPv4MappedAddress() ? whole.toIPv4Address() : whole
}

describe('against node:net and ipaddr.js', () => {
  it('reads exactly what node:net takes for an address', () => {
    const property = fc.property(texts, (text) => {
      expect(parseAddress(text) !== null).toBe(isIP(text) !== 0)
    })
    fc.assert(property, { numRuns: 10_000 })
  })

  it('reads the address that ipaddr.js reads', () => {
    // ipaddr.js takes ::1.2.3.4 for mapped; RFC 4291 section 2.5.5.1 says it is another address.
    const agreed = texts.filter((text) => !/^::\d+\./.test(text))
    const property = fc.property(agreed, (text) => {
      const address = parseAddress(text)
      if (address === null) return
      expect(reference(address).toNormalizedString()).toBe(
        ipaddr.process(text).toNormalizedString(),
      )
    })
    fc.assert(property, { numRuns: 10_000 })
  })

  it('writes the text that ipaddr.js writes, and reads it back', () => {
    const property = fc.property(anyAddress, (address) => {
      const known = reference(address)
      const expected = known instanceof ipaddr.IPv6 ? known.toRFC5952String() : known.toString()
      const text = formatAddress(address)
      expect(text).toBe(expected)
      expect(parseAddress(text)).toEqual(address)
      expect(isIpv4(address)).toBe(isIP(text) === 4)
    })
    fc.assert(property, { numRuns: 10_000 })
  })

  it('holds every word unsigned', () => {
    const property = fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), (text) => {
      for (const part of parseAddress(text)!.words) {
        expect(Number.isInteger(part) && part >= 0 && part <= 0xffffffff).toBe(true)
      }
    })
    fc.assert(property)
  })

  it('makes an IPv4 address of four bytes', () => {
    const byte = fc.nat(255)
    const property = fc.property(byte, byte, byte, byte, (a, b, c, d) => {
      expect(ipv4(a, b, c, d)).toEqual(parseAddress(`${a}.${b}.${c}.${d}`))
    })
    fc.assert(property)
  })

  it('tells addresses apart by every bit', () => {
    const property = fc.property(anyAddress, fc.nat(127), (address, bit) => {
      expect(sameAddress(address, { words: [...address.words] })).toBe(true)
      expect(sameAddress(address, flipped(address, bit))).toBe(false)
    })
    fc.assert(property)
  })
})

describe('parseNetwork', () => {
  checkNetwork('IPv4', '10.0.0.0/8', '10.0.0.0/8')
  checkNetwork('a lone IPv4 address', '10.1.2.3', '10.1.2.3/32')
  checkNetwork('a lone IPv6 address', '2001:db8::1', '2001:db8::1/128')
  checkNetwork('all of IPv4', '0.0.0.0/0', '0.0.0.0/0')
  checkNetwork('all of both', '::/0', '::/0')
  checkNetwork('IPv6', '2001:DB8::/32', '2001:db8::/32')
  checkNetwork('a prefix within a word', '100.64.0.0/10', '100.64.0.0/10')
  checkNetwork('a prefix within the second word', '2001:db8:8000::/33', '2001:db8:8000::/33')
  checkNetwork('mapped IPv4', '::ffff:10.0.0.0/104', '10.0.0.0/8')
  checkNetwork('a mapped lone address', '::ffff:10.1.2.3', '10.1.2.3/32')
  checkNetwork('all mapped IPv4', '::ffff:0:0/96', '0.0.0.0/0')
  checkNetwork('host bits', '10.1.2.3/8', 'network-host-bits')
  checkNetwork('the last host bit', '10.0.0.1/31', 'network-host-bits')
  checkNetwork('host bits in the first word', '192.0.0.0/1', 'network-host-bits')
  checkNetwork('the first host bit of all', '128.0.0.0/0', 'network-host-bits')
  checkNetwork('host bits of IPv6', '2001:db8::1/64', 'network-host-bits')
  checkNetwork('host bits of a mapped address', '::ffff:10.0.0.0/8', 'network-host-bits')
  checkNetwork('host bits of everything', '::1/0', 'network-host-bits')
  checkNetwork('a prefix of 33', '10.0.0.0/33', 'network-prefix')
  checkNetwork('a prefix of 129', '::/129', 'network-prefix')
  checkNetwork('a prefix of 999', '::/999', 'network-prefix')
  checkNetwork('a prefix of four digits', '::/0128', 'network-malformed')
  checkNetwork('a netmask', '10.0.0.0/255.0.0.0', 'network-malformed')
  checkNetwork('a negative prefix', '10.0.0.0/-1', 'network-malformed')
  checkNetwork('no prefix after the slash', '10.0.0.0/', 'network-malformed')
  checkNetwork('no address', '/8', 'network-malformed')
  checkNetwork('two prefixes', '10.0.0.0/8/8', 'network-malformed')
  checkNetwork('a short address', '10/8', 'network-malformed')
  checkNetwork('a name', 'skola.kommun.se', 'network-malformed')
  checkNetwork('a range', '10.0.0.0-10.0.0.255', 'network-malformed')
  checkNetwork('a blank', '10.0.0.0 /8', 'network-malformed')
  checkNetwork('brackets', '[::1]/128', 'network-malformed')
  checkNetwork('nothing', '', 'network-malformed')
})

/** The address with one bit (0 is the first) turned over. */
function flipped({ words }: Address, bit: number): Address {
  const at = bit >>> 5
  const [a, b, c, d] = words.map((part, i) =>
    i === at ? (part ^ (1 << (31 - (bit & 31)))) >>> 0 : part,
  )
  return { words: [a!, b!, c!, d!] }
}

/** The network of `prefix` bits (of 128) that `address` lies in. */
function networkOf({ words }: Address, prefix: number) {
  const masked = words.map((part, i) => {
    const bits = Math.min(32, Math.max(0, prefix - 32 * i))
    return Number((BigInt(part) >> BigInt(32 - bits)) << BigInt(32 - bits))
  })
  return { words: [masked[0]!, masked[1]!, masked[2]!, masked[3]!] as Words, prefix }
}

describe('contains', () => {
  it('holds the addresses that differ only after the prefix', () => {
    const property = fc.property(words, fc.nat(128), fc.nat(127), (words, prefix, bit) => {
      const network = networkOf({ words }, prefix)
      expect(contains(network, { words })).toBe(true)
      expect(contains(network, flipped({ words }, bit))).toBe(bit >= prefix)
    })
    fc.assert(property, { numRuns: 5_000 })
  })

  it('agrees with node:net on IPv6', () => {
    const plain = words.filter((words) => !isIpv4({ words }))
    const property = fc.property(plain, plain, fc.integer({ min: 1, max: 128 }), (a, b, prefix) => {
      const network = networkOf({ words: a }, prefix)
      const list = new BlockList()
      list.addSubnet(formatAddress(network), prefix, 'ipv6')
      for (const words of [a, b]) {
        const expected = list.check(formatAddress({ words }), 'ipv6')
        expect(contains(network, { words })).toBe(expected)
      }
    })
    fc.assert(property, { numRuns: 2_000 })
  })

  it('agrees with node:net on IPv4, in its own and its mapped spelling', () => {
    const bit = fc.integer({ min: 96, max: 127 })
    const property = fc.property(words4, fc.nat(32), bit, (words, prefix, bit) => {
      const network = networkOf({ words }, prefix + 96)
      const list = new BlockList()
      list.addSubnet(formatAddress(network), prefix, 'ipv4')
      const other = flipped({ words }, bit)
      const mapped = `::ffff:${formatAddress(other)}`
      const expected = list.check(formatAddress(other), 'ipv4')
      expect(contains(network, other)).toBe(expected)
      expect(contains(network, parseAddress(mapped)!)).toBe(list.check(mapped, 'ipv6'))
    })
    fc.assert(property, { numRuns: 2_000 })
  })

  it('keeps IPv6 out of an IPv4 network, and IPv4 in the whole of IPv6', () => {
    const property = fc.property(words, words4, (six, four) => {
      const all4 = networkOf({ words: four }, 96)
      const all = networkOf({ words: six }, 0)
      expect(contains(all4, { words: six })).toBe(isIpv4({ words: six }))
      expect(contains(all, { words: four })).toBe(true)
    })
    fc.assert(property)
  })

  it('reads back the network that it wrote', () => {
    const property = fc.property(anyAddress, fc.nat(128), (address, prefix) => {
      const network = networkOf(address, prefix)
      expect(parseNetwork(formatNetwork(network))).toEqual(network)
    })
    fc.assert(property, { numRuns: 5_000 })
  })
})
