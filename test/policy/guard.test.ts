/**
 * Owns: which addresses may be dialled and which not, with why: the IANA special-purpose registries row by
 * row, every way to write a private IPv4 address in IPv6, what the settings allow, our own listeners.
 * Never: dials.
 *
 * Source: https://www.iana.org/assignments/iana-ipv4-special-registry and …/iana-ipv6-special-registry.
 */
import fc from 'fast-check'
import ipaddr from 'ipaddr.js'
import { describe, expect, it } from 'vitest'
import { type Address, parseAddress, parseNetwork } from '../../src/policy/address.ts'
import { forbiddenWhy, type Listener } from '../../src/policy/guard.ts'
import type { AllowedAddress } from '../../src/policy/policy.ts'

const address = (text: string): Address => {
  const parsed = parseAddress(text)
  if (parsed === null) throw new Error(`not an address: ${text}`)
  return parsed
}

/** `10.0.0.0/8`, or `10.0.0.0/8 port 443`. */
const allowed = (text: string): AllowedAddress => {
  const [networkText = '', port] = text.split(' port ')
  const network = parseNetwork(networkText)
  if (typeof network === 'string') throw new Error(`${text}: ${network}`)
  return { network, port: port === undefined ? null : Number(port) }
}

/** `0.0.0.0 3128`. */
const listener = (text: string): Listener => {
  const [addressText = '', port] = text.split(' ')
  return { address: address(addressText), port: Number(port) }
}

interface Facts {
  readonly to: string
  readonly port?: number
  readonly allow?: readonly string[]
  readonly listeners?: readonly string[]
}

const why = ({ to, port = 443, allow = [], listeners = [] }: Facts) =>
  forbiddenWhy(address(to), port, allow.map(allowed), listeners.map(listener))

/** `expected` is why not; null: it may be dialled. */
function check(name: string, facts: Facts, expected: string | null) {
  const { to, port = 443 } = facts
  it(`${name}: ${to} port ${port}`, () => expect(why(facts)).toBe(expected))
}

/** The first and the last address of a range. */
function checkRange(range: string, expected: string | null) {
  const family = range.includes(':') ? ipaddr.IPv6 : ipaddr.IPv4
  check(`${range}, first`, { to: family.networkAddressFromCIDR(range).toString() }, expected)
  check(`${range}, last`, { to: family.broadcastAddressFromCIDR(range).toString() }, expected)
}

describe('the IANA registry of special IPv4 addresses', () => {
  checkRange('0.0.0.0/8', 'this host')
  checkRange('0.0.0.0/32', 'this host')
  checkRange('10.0.0.0/8', 'private')
  checkRange('100.64.0.0/10', 'carrier-grade NAT')
  checkRange('127.0.0.0/8', 'loopback')
  checkRange('169.254.0.0/16', 'link-local, cloud metadata')
  checkRange('172.16.0.0/12', 'private')
  checkRange('192.0.0.0/24', 'IETF protocol assignments')
  checkRange('192.0.0.0/29', 'IETF protocol assignments')
  checkRange('192.0.0.8/32', 'IETF protocol assignments')
  checkRange('192.0.0.9/32', 'IETF protocol assignments')
  checkRange('192.0.0.10/32', 'IETF protocol assignments')
  checkRange('192.0.0.170/31', 'IETF protocol assignments')
  checkRange('192.0.2.0/24', 'documentation')
  checkRange('192.88.99.0/24', '6to4 relay')
  checkRange('192.168.0.0/16', 'private')
  checkRange('198.18.0.0/15', 'benchmarking')
  checkRange('198.51.100.0/24', 'documentation')
  checkRange('203.0.113.0/24', 'documentation')
  checkRange('224.0.0.0/4', 'multicast')
  checkRange('240.0.0.0/4', 'reserved, broadcast')
  checkRange('255.255.255.255/32', 'reserved, broadcast')
  // Globally reachable, says the registry.
  checkRange('192.31.196.0/24', null)
  checkRange('192.52.193.0/24', null)
  checkRange('192.175.48.0/24', null)
})

it('agrees with ipaddr.js on every IPv4 address', () => {
  // Anycast services that the registry calls globally reachable.
  const reachable = ['unicast', 'as112', 'amt']
  const special = fc.constantFrom(0, 10, 100, 127, 169, 172, 192, 198, 203, 223, 224, 239, 240, 255)
  const second = fc.oneof(fc.nat(255), fc.constantFrom(0, 16, 18, 31, 51, 64, 88, 127, 168, 254))
  const third = fc.oneof(fc.nat(255), fc.constantFrom(0, 2, 48, 99, 100, 113, 193, 196))
  const octet = fc.nat(255)
  const first = fc.oneof(octet, special)
  const property = fc.property(first, second, third, octet, (a, b, c, d) => {
    const to = `${a}.${b}.${c}.${d}`
    expect(why({ to }) === null).toBe(reachable.includes(ipaddr.IPv4.parse(to).range()))
  })
  fc.assert(property, { numRuns: 10_000 })
})

describe('the IANA registry of special IPv6 addresses', () => {
  checkRange('::/128', 'unspecified, loopback, IPv4-compatible')
  checkRange('::1/128', 'unspecified, loopback, IPv4-compatible')
  checkRange('64:ff9b:1::/48', 'local NAT64')
  checkRange('100::/64', 'discard')
  checkRange('100:0:0:1::/64', 'dummy prefix')
  checkRange('2001::/23', 'IETF protocol assignments, Teredo')
  checkRange('2001::/32', 'IETF protocol assignments, Teredo')
  checkRange('2001:1::1/128', 'IETF protocol assignments, Teredo')
  checkRange('2001:2::/48', 'IETF protocol assignments, Teredo')
  checkRange('2001:3::/32', 'IETF protocol assignments, Teredo')
  checkRange('2001:4:112::/48', 'IETF protocol assignments, Teredo')
  checkRange('2001:10::/28', 'IETF protocol assignments, Teredo')
  checkRange('2001:20::/28', 'IETF protocol assignments, Teredo')
  checkRange('2001:30::/28', 'IETF protocol assignments, Teredo')
  checkRange('2001:db8::/32', 'documentation')
  checkRange('3fff::/20', 'documentation')
  checkRange('5f00::/16', 'segment routing')
  checkRange('fc00::/7', 'private, cloud metadata')
  checkRange('fe80::/10', 'link-local')
  checkRange('fec0::/10', 'site-local')
  checkRange('ff00::/8', 'multicast')
  checkRange('2620:4f:8000::/48', null)
})

describe('the neighbours of the ranges, which are public', () => {
  check('after 0/8', { to: '1.0.0.0' }, null)
  check('before 10/8', { to: '9.255.255.255' }, null)
  check('after 10/8', { to: '11.0.0.0' }, null)
  check('before 100.64/10', { to: '100.63.255.255' }, null)
  check('after 100.64/10', { to: '100.128.0.0' }, null)
  check('before 127/8', { to: '126.255.255.255' }, null)
  check('after 127/8', { to: '128.0.0.0' }, null)
  check('before 169.254/16', { to: '169.253.255.255' }, null)
  check('after 169.254/16', { to: '169.255.0.0' }, null)
  check('before 172.16/12', { to: '172.15.255.255' }, null)
  check('after 172.16/12', { to: '172.32.0.0' }, null)
  check('after 192.0.0/24', { to: '192.0.1.0' }, null)
  check('before 192.168/16', { to: '192.167.255.255' }, null)
  check('after 192.168/16', { to: '192.169.0.0' }, null)
  check('before 198.18/15', { to: '198.17.255.255' }, null)
  check('after 198.18/15', { to: '198.20.0.0' }, null)
  check('before 224/4', { to: '223.255.255.255' }, null)
  check('after 2001::/23', { to: '2001:200::' }, null)
  check('after 2001:db8::/32', { to: '2001:db9::' }, null)
  check('after 3fff::/20', { to: '3fff:1000::' }, null)
  check('a resolver', { to: '9.9.9.9' }, null)
  check('a resolver, IPv6', { to: '2620:fe::fe' }, null)
})

const METADATA = 'link-local, cloud metadata'

describe('cloud metadata', () => {
  check('AWS, Azure, Google, OpenStack', { to: '169.254.169.254', port: 80 }, METADATA)
  check('AWS containers', { to: '169.254.170.2', port: 80 }, METADATA)
  check('AWS, IPv6', { to: 'fd00:ec2::254', port: 80 }, 'private, cloud metadata')
  check('Alibaba', { to: '100.100.100.200', port: 80 }, 'carrier-grade NAT')
  check('Oracle', { to: '192.0.0.192', port: 80 }, 'IETF protocol assignments')
  check('mapped', { to: '::ffff:169.254.169.254', port: 80 }, METADATA)
  check('NAT64', { to: '64:ff9b::a9fe:a9fe', port: 80 }, `embeds an IPv4 address: ${METADATA}`)
})

describe('IPv4 within IPv6', () => {
  check('mapped, private', { to: '::ffff:10.1.2.3' }, 'private')
  check('mapped, loopback', { to: '::ffff:127.0.0.1' }, 'loopback')
  check('mapped, loopback, hexadecimal', { to: '::ffff:7f00:1' }, 'loopback')
  check('mapped, unspecified', { to: '::ffff:0.0.0.0' }, 'this host')
  check('mapped, public', { to: '::ffff:9.9.9.9' }, null)
  check('NAT64, private', { to: '64:ff9b::10.1.2.3' }, 'embeds an IPv4 address: private')
  check('NAT64, loopback', { to: '64:ff9b::127.0.0.1' }, 'embeds an IPv4 address: loopback')
  check('NAT64, multicast', { to: '64:ff9b::224.0.0.1' }, 'embeds an IPv4 address: multicast')
  check('NAT64, public', { to: '64:ff9b::9.9.9.9' }, null)
  check('local NAT64, public', { to: '64:ff9b:1::9.9.9.9' }, 'local NAT64')
  check('beside NAT64', { to: '64:ff9b::1:9.9.9.9' }, 'not global unicast')
  check('6to4, private', { to: '2002:a01:203::1' }, 'embeds an IPv4 address: private')
  check('6to4, 192.168', { to: '2002:c0a8:101:1::1' }, 'embeds an IPv4 address: private')
  check('6to4, loopback', { to: '2002:7f00:1::' }, 'embeds an IPv4 address: loopback')
  check('6to4, this host', { to: '2002::1' }, 'embeds an IPv4 address: this host')
  check(
    '6to4, documentation',
    { to: '2002:c000:201:9::1' },
    'embeds an IPv4 address: documentation',
  )
  check('6to4, the network after it', { to: '2002:c000:300:9::1' }, null)
  check('6to4, public', { to: '2002:909:909::1' }, null)
  check('Teredo', { to: '2001:0:909:909::1' }, 'IETF protocol assignments, Teredo')
  // RFC 6145 section 2: the IPv4-translated addresses of a stateless translator.
  check('translated', { to: '::ffff:0:127.0.0.1' }, 'not global unicast')
  check('compatible, private', { to: '::10.1.2.3' }, 'unspecified, loopback, IPv4-compatible')
  check('compatible, public', { to: '::9.9.9.9' }, 'unspecified, loopback, IPv4-compatible')

  const octet = fc.nat(255)
  it('are as forbidden as the IPv4 address itself', () => {
    const property = fc.property(octet, octet, octet, octet, (a, b, c, d) => {
      const plain = why({ to: `${a}.${b}.${c}.${d}` })
      const within = plain === null ? null : `embeds an IPv4 address: ${plain}`
      const hex = [a, b, c, d].map((byte) => byte.toString(16).padStart(2, '0'))
      expect(why({ to: `::ffff:${a}.${b}.${c}.${d}` })).toBe(plain)
      expect(why({ to: `64:ff9b::${a}.${b}.${c}.${d}` })).toBe(within)
      expect(why({ to: `2002:${hex[0]}${hex[1]}:${hex[2]}${hex[3]}:1::1` })).toBe(within)
    })
    fc.assert(property, { numRuns: 2_000 })
  })
})

describe('addresses.allow', () => {
  const intranet = { to: '10.1.2.3', allow: ['10.1.0.0/16'] }
  check('a network', intranet, null)
  check('a network, any port', { ...intranet, port: 8080 }, null)
  check('a network, another address', { ...intranet, to: '10.2.0.1' }, 'private')
  check('the first of several', { to: '10.1.2.3', allow: ['10.1.2.3', '127.0.0.0/8'] }, null)
  check('the last of several', { to: '127.0.0.1', allow: ['10.1.2.3', '127.0.0.0/8'] }, null)
  check('a port', { to: '10.1.2.3', port: 8443, allow: ['10.1.0.0/16 port 8443'] }, null)
  check('another port', { to: '10.1.2.3', allow: ['10.1.0.0/16 port 8443'] }, 'private')
  check('a port, another address', { to: '10.2.0.1', allow: ['10.1.0.0/16 port 443'] }, 'private')
  check('mapped', { to: '::ffff:10.1.2.3', allow: ['10.1.0.0/16'] }, null)
  check('an allowed mapped network', { to: '10.1.2.3', allow: ['::ffff:10.1.0.0/112'] }, null)
  check('IPv6', { to: 'fd00::1', allow: ['fd00::/8'] }, null)
  check(
    'what is allowed is not allowed within NAT64',
    { to: '64:ff9b::10.1.2.3', allow: ['10.1.0.0/16'] },
    'embeds an IPv4 address: private',
  )
  check('unless it is named', { to: '64:ff9b::10.1.2.3', allow: ['64:ff9b::/96'] }, null)
  check('a public address needs no entry', { to: '9.9.9.9', allow: ['10.1.0.0/16 port 1'] }, null)
})

const OWN = "the proxy's own listener"

describe('our own listeners', () => {
  const own = { to: '192.168.1.10', port: 3128, listeners: ['127.0.0.1 3180', '192.168.1.10 3128'] }
  check('the address and port', own, OWN)
  check('another port of it', { ...own, port: 443 }, 'private')
  check('the port of another listener', { ...own, port: 3180 }, 'private')
  check('the port at another address', { ...own, to: '192.168.1.11' }, 'private')
  check('mapped', { ...own, to: '::ffff:192.168.1.10' }, OWN)
  check('a public listener', { to: '9.9.9.9', port: 3128, listeners: ['9.9.9.9 3128'] }, OWN)
  check('a public listener, port 443', { to: '9.9.9.9', listeners: ['9.9.9.9 3128'] }, null)
  check('an allowed network does not open it', { ...own, allow: ['192.168.0.0/16'] }, OWN)
  check('nor everything', { ...own, allow: ['0.0.0.0/0', '::/0'] }, OWN)
  check('an entry with another port does not', { ...own, allow: ['192.168.0.0/16 port 80'] }, OWN)
  check('an entry with that very port does', { ...own, allow: ['192.168.0.0/16 port 3128'] }, null)

  const everywhere = { port: 3128, listeners: ['0.0.0.0 3128'] }
  check('on 0.0.0.0: loopback', { ...everywhere, to: '127.0.0.1' }, OWN)
  check('on 0.0.0.0: all of loopback', { ...everywhere, to: '127.9.9.9' }, OWN)
  check('on 0.0.0.0: mapped loopback', { ...everywhere, to: '::ffff:127.0.0.1' }, OWN)
  check('on 0.0.0.0: itself', { ...everywhere, to: '0.0.0.0' }, OWN)
  check('on 0.0.0.0: mapped itself', { ...everywhere, to: '::ffff:0.0.0.0' }, OWN)
  check('on 0.0.0.0: another port', { ...everywhere, to: '127.0.0.1', port: 80 }, 'loopback')
  check('on 0.0.0.0: elsewhere', { ...everywhere, to: '9.9.9.9' }, null)
  check('on 0.0.0.0: allowed', { ...everywhere, to: '127.0.0.1', allow: ['127.0.0.0/8'] }, OWN)

  const both = { port: 3128, listeners: [':: 3128'] }
  check('on ::: loopback', { ...both, to: '::1' }, OWN)
  check('on ::: IPv4 loopback', { ...both, to: '127.0.0.1' }, OWN)
  check('on ::: mapped loopback', { ...both, to: '::ffff:127.0.0.1' }, OWN)
  check('on ::: itself', { ...both, to: '::' }, OWN)
  check('on ::: allowed', { ...both, to: '::1', allow: ['::1/128'] }, OWN)

  // Dialling the unspecified address reaches loopback (Linux, and what the BSDs call INADDR_ANY).
  const local = { port: 3128, listeners: ['127.0.0.1 3128'] }
  check('on 127.0.0.1: by 0.0.0.0', { ...local, to: '0.0.0.0', allow: ['0.0.0.0/0'] }, OWN)
  const local6 = { port: 3128, listeners: ['::1 3128'] }
  check('on ::1: by ::', { ...local6, to: '::', allow: ['::/0'] }, OWN)
})
