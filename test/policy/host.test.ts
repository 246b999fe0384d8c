/**
 * Owns: every spelling of a host that we have thought of, and what it becomes; Node's URL parser is the
 * independent reference, since browsers read the same text by the same standard.
 * Never: resolves a name.
 */
import { isIP } from 'node:net'
import fc from 'fast-check'
import ipaddr from 'ipaddr.js'
import { describe, expect, it } from 'vitest'
import type { Address } from '../../src/policy/address.ts'
import { parseAddress } from '../../src/policy/address.ts'
import type { HostError } from '../../src/policy/host.ts'
import {
  formatAuthority,
  HOST_LENGTH_MAX,
  HOST_TEXT_LENGTH_MAX,
  hostOfAddress,
  LABEL_LENGTH_MAX,
  parseHost,
} from '../../src/policy/host.ts'

/** `expected` is the host, and an address where it reads as one; or the named error. */
function check(name: string, text: string, expected: string) {
  it(`${name}: ${JSON.stringify(text).slice(0, 60)}`, () => {
    const parsed = parseHost(text)
    if (typeof parsed === 'string') {
      expect(parsed).toBe(expected)
      return
    }
    expect(parsed.host).toBe(expected)
    expect(parsed.address).toEqual(isIP(expected) === 0 ? null : parseAddress(expected))
  })
}

const ERRORS: Record<HostError, true> = {
  'host-empty': true,
  'host-too-long': true,
  'host-character': true,
  'host-label-empty': true,
  'host-label-too-long': true,
  'host-idn': true,
  'host-address': true,
  'host-zone': true,
}

describe('names', () => {
  check('normal form', 'facebook.com', 'facebook.com')
  check('upper case', 'FACEBOOK.COM', 'facebook.com')
  check('mixed case and a trailing dot', 'WWW.Facebook.COM.', 'www.facebook.com')
  check('a look-alike is another host', 'notfacebook.com', 'notfacebook.com')
  check('one label', 'localhost', 'localhost')
  check('one label, trailing dot', 'intranet.', 'intranet')
  check('an underscore first', '_dmarc.example.com', '_dmarc.example.com')
  check('an underscore within', 'my_blog.example.com', 'my_blog.example.com')
  check('hyphens in the third and fourth place', 'ab--cd.example', 'ab--cd.example')
  check('many hyphens', 'r3---sn-4g5e.googlevideo.com', 'r3---sn-4g5e.googlevideo.com')
  check('a label that ends in a hyphen', 'a-.example', 'a-.example')
  check('a label within that begins with one', 'a.-b.example', 'a.-b.example')
  check('a hyphen first', '-a.example', 'host-character')
  check('a hyphen last', 'example-', 'host-character')
  check('a hyphen last, trailing dot', 'example-.', 'host-character')
  check('only a hyphen', '-', 'host-character')
  check('digits within', '1177.se', '1177.se')
  check('a very long number within', '99999999999999999999.se', '99999999999999999999.se')
})

describe('dots', () => {
  check('nothing', '', 'host-empty')
  check('only a dot', '.', 'host-label-empty')
  check('only dots', '..', 'host-label-empty')
  check('a dot first', '.example.com', 'host-label-empty')
  check('two dots within', 'www..example.com', 'host-label-empty')
  check('two dots last', 'example.com..', 'host-label-empty')
  check('two dots, one encoded', 'www.%2eexample.com', 'host-label-empty')
  check('an ideographic dot', 'facebook\u3002com', 'facebook.com')
  check('a full-width dot', 'facebook\uff0ecom', 'facebook.com')
  check('a half-width ideographic dot', 'facebook\uff61com', 'facebook.com')
  check('an encoded ideographic dot', 'facebook%E3%80%82com', 'facebook.com')
})

describe('letters beyond ASCII', () => {
  check('U-label', 'bücher.example', 'xn--bcher-kva.example')
  check('U-label, upper case', 'BÜCHER.Example', 'xn--bcher-kva.example')
  check('U-label, decomposed', 'bu\u0308cher.example', 'xn--bcher-kva.example')
  check('U-label, UTF-8 encoded', 'b%C3%BCcher.example', 'xn--bcher-kva.example')
  check('A-label', 'xn--bcher-kva.example', 'xn--bcher-kva.example')
  check('A-label, upper case', 'XN--BCHER-KVA.example', 'xn--bcher-kva.example')
  check('Swedish', 'räksmörgås.se', 'xn--rksmrgs-5wao1o.se')
  check('ß stays ß', 'straße.example', 'xn--strae-oqa.example')
  check('full-width letters', '\uff46\uff41cebook.com', 'facebook.com')
  check('the Kelvin sign is a k', 'faceboo\u212a.com', 'facebook.com')
  check('the long s is an s', '\u017fvt.se', 'svt.se')
  check('a ligature is two letters', '\ufb01lm.se', 'film.se')
  check('a soft hyphen is nothing', 'face\u00adbook.com', 'facebook.com')
  check('a zero-width space is nothing', 'face\u200bbook.com', 'facebook.com')
  check('a byte order mark is nothing', '\ufefffacebook.com', 'facebook.com')
  check('only a soft hyphen', '\u00ad', 'host-idn')
  check('a zero-width joiner', 'face\u200dbook.com', 'host-idn')
  check('a zero-width non-joiner', 'face\u200cbook.com', 'host-idn')
  check('a joiner where the script has it', 'क\u094d\u200d.example', 'xn--11b6iy14e.example')
  check('right-to-left override', '\u202emoc.example', 'host-idn')
  check('mixed directions', '1\u0627.example', 'host-idn')
  check('a Cyrillic a is another host', '\u0430pple.com', 'xn--pple-43d.com')
  check('emoji', '💩.la', 'xn--ls8h.la')
  check('emoji, A-label', 'xn--ls8h.la', 'xn--ls8h.la')
  check('half a surrogate pair', 'a\ud800b.com', 'host-idn')
  check('a C1 control', 'a\u0080b.com', 'host-idn')
  check('a full-width solidus', 'facebook.com\uff0fa', 'host-idn')
  check('a full-width colon', 'facebook.com\uff1a80', 'host-idn')
  check('a full-width at sign', 'a\uff20facebook.com', 'host-idn')
  check('a full-width percent sign', '\uff0566acebook.com', 'host-idn')
  check('account of', '\u2100.example', 'host-idn')
})

describe('percent signs', () => {
  check('a letter', '%66acebook.com', 'facebook.com')
  check('an upper-case letter', '%46acebook.com', 'facebook.com')
  check('a dot', 'facebook%2ecom', 'facebook.com')
  check('all of it', '%66%61%63%65%62%6f%6f%6b%2e%63%6f%6d', 'facebook.com')
  check('a digit of an address', '%31%32%37.0.0.1', '127.0.0.1')
  check('encoded twice', '%2566acebook.com', 'host-character')
  check('NUL', 'facebook.com%00.example', 'host-character')
  check('a slash', 'facebook.com%2f.example', 'host-character')
  check('a backslash', 'facebook.com%5c.example', 'host-character')
  check('a question mark', 'facebook.com%3f.example', 'host-character')
  check('a number sign', 'facebook.com%23.example', 'host-character')
  check('an at sign', 'a%40facebook.com', 'host-character')
  check('a colon', 'facebook.com%3a80', 'host-character')
  check('a blank', 'facebook.com%20', 'host-character')
  check('a line end', 'facebook.com%0d%0a', 'host-character')
  check('a bracket', '%5bfacebook.com%5d', 'host-character')
  check('no digits', 'facebook%zz.com', 'host-character')
  check('alone', '%', 'host-character')
  check('not UTF-8', 'a%ff.com', 'host-character')
})

describe('more than a host', () => {
  check('a user', 'user@facebook.com', 'host-character')
  check('a user and a password', 'user:password@facebook.com', 'host-address')
  check('a port', 'facebook.com:443', 'host-address')
  check('a port left out', 'facebook.com:', 'host-address')
  check('a scheme', 'http://facebook.com', 'host-address')
  check('a path', 'facebook.com/', 'host-character')
  check('a backslash', 'example.com\\.facebook.com', 'host-character')
  check('a query', 'facebook.com?a', 'host-character')
  check('a fragment', 'facebook.com#a', 'host-character')
  check('a blank within', 'face book.com', 'host-character')
  check('a blank last', 'facebook.com ', 'host-character')
  check('a tab, which URLs drop', 'face\tbook.com', 'host-character')
  check('a line feed, which URLs drop', 'face\nbook.com', 'host-character')
  check('NUL', 'facebook.com\0', 'host-character')
  check('DEL', 'face\u007fbook.com', 'host-character')
  check('a star', '*.facebook.com', 'host-character')
  check('an exclamation mark', 'a!b.com', 'host-character')
  check('a comma', 'a.com,b.com', 'host-character')
  check('a tilde', '~a.com', 'host-character')
  check('a quotation mark', '"a.com"', 'host-character')
  check('a bracket within', 'a[b.com', 'host-character')
})

describe('IPv4', () => {
  check('dotted decimal', '192.0.2.1', '192.0.2.1')
  check('trailing dot', '1.2.3.4.', '1.2.3.4')
  check('decimal', '2130706433', '127.0.0.1')
  check('hexadecimal', '0x7f000001', '127.0.0.1')
  check('hexadecimal, upper case, trailing dot', '0X7F000001.', '127.0.0.1')
  check('hexadecimal, two parts', '0x7f.1', '127.0.0.1')
  check('octal', '0177.0.0.1', '127.0.0.1')
  check('octal, one part', '017700000001', '127.0.0.1')
  check('two parts', '127.1', '127.0.0.1')
  check('three parts', '192.168.257', '192.168.1.1')
  check('leading zeros are octal', '010.0.0.1', '8.0.0.1')
  check('all kinds together', '0xa9.0376.43518', '169.254.169.254')
  check('zero', '0', '0.0.0.0')
  check('an x and no digits', '0x', '0.0.0.0')
  check('the last', '4294967295', '255.255.255.255')
  check('full-width digits', '\uff11\uff12\uff17.0.0.1', '127.0.0.1')
  check('ideographic dots', '127\u30020\u30020\u30021', '127.0.0.1')
  check('a byte too large', '256.1.1.1', 'host-address')
  check('a last part too large', '1.2.3.256', 'host-address')
  check('five parts', '1.2.3.4.5', 'host-address')
  check('33 bits, decimal', '4294967296', 'host-address')
  check('33 bits, hexadecimal', '0x100000000', 'host-address')
  check('octal with an 8', '1.2.3.08', 'host-address')
  check('two dots last', '1.2.3.4..', 'host-label-empty')
  check('two dots within', '1..2', 'host-label-empty')
  check('a name that ends in a number', 'example.1', 'host-address')
  check('a name that ends in a number, trailing dot', 'example.1.', 'host-address')
  check('a name that ends in hexadecimal', 'example.0xff', 'host-address')
  check('ends in a letter after digits', '1.2.3.4a', '1.2.3.4a')
  check('ends in what is no hexadecimal', 'example.0xg', 'example.0xg')
  check('an exponent is a name', '1e3', '1e3')
  check('a sign is no number', '1.2.3.-4', '1.2.3.-4')
  check('in brackets', '[1.2.3.4]', 'host-address')
})

describe('IPv6', () => {
  check('in brackets', '[::1]', '::1')
  check('without', '::1', '::1')
  check('unspecified', '[::]', '::')
  check('in full', '[2001:0DB8:0:0:0:0:0:1]', '2001:db8::1')
  check('RFC 5952, the longest run', '1:0:0:2:0:0:0:3', '1:0:0:2::3')
  check('mapped IPv4', '[::ffff:127.0.0.1]', '127.0.0.1')
  check('mapped IPv4, hexadecimal', '::ffff:7f00:1', '127.0.0.1')
  check('mapped IPv4, in full', '[0:0:0:0:0:FFFF:7F00:0001]', '127.0.0.1')
  check('compatible IPv4 is not IPv4', '[::127.0.0.1]', '::7f00:1')
  check('NAT64', '[64:ff9b::127.0.0.1]', '64:ff9b::7f00:1')
  check('embedded IPv4 of three parts', '[::1.2.3]', 'host-address')
  check('embedded IPv4 with a leading zero', '[::01.2.3.4]', 'host-address')
  check('embedded IPv4 first', '[1.2.3.4::]', 'host-address')
  check('nine groups', '1:2:3:4:5:6:7:8:9', 'host-address')
  check('seven groups', '1:2:3:4:5:6:7', 'host-address')
  check('two runs', '[1::2::3]', 'host-address')
  check('three colons', '[1:::2]', 'host-address')
  check('a group too long', '[::00001]', 'host-address')
  check('no hexadecimal', '[::g]', 'host-address')
  check('no end bracket', '[::1', 'host-address')
  check('no start bracket', '::1]', 'host-address')
  check('two brackets', '[[::1]]', 'host-address')
  check('empty brackets', '[]', 'host-address')
  check('brackets and a port', '[::1]:443', 'host-address')
  check('brackets and a dot', '[::1].', 'host-address')
  check('a name in brackets', '[facebook.com]', 'host-address')
  check('a future address', '[v1.a:b]', 'host-address')
  check('a zone', '[fe80::1%eth0]', 'host-zone')
  check('a zone, encoded', '[fe80::1%25eth0]', 'host-zone')
  check('a zone without brackets', 'fe80::1%1', 'host-zone')
  check('a trailing blank', '::1 ', 'host-address')
})

const label = 'a'.repeat(LABEL_LENGTH_MAX)
const name253 = `${`${label}.`.repeat(3)}${'b'.repeat(HOST_LENGTH_MAX - 3 * 64)}`

describe('lengths', () => {
  check('a label of 63', `${label}.se`, `${label}.se`)
  check('a label of 64', `${label}a.se`, 'host-label-too-long')
  check('a last label of 64', `a.${label}a`, 'host-label-too-long')
  check('a label of 64 as an A-label', `${'ü'.repeat(64)}.se`, 'host-label-too-long')
  check('a name of 253', name253, name253)
  check('a name of 253 and a trailing dot', `${name253}.`, name253)
  check('a name of 254', `${name253}b`, 'host-too-long')
  check('a name of 254, upper case', `${name253}B`, 'host-too-long')
  check('a long spelling of a short host', '%61'.repeat(40), 'a'.repeat(40))
  check('as long as a spelling may be', '\u00ad'.repeat(HOST_TEXT_LENGTH_MAX - 1).concat('a'), 'a')
  check('one longer', '\u00ad'.repeat(HOST_TEXT_LENGTH_MAX).concat('a'), 'host-too-long')
  check('without end', '1'.repeat(1_000_000), 'host-too-long')
})

/** What the pieces of hostile hosts are made of: all that some parser treats as special. */
const PIECES = [
  ...['a', 'B', 'com', 'facebook', 'www', 'xn--', 'XN--', 'bcher-kva', '-', '_', '.', '..', '0'],
  ...['1', '08', '256', '127', '0x', '0X7f', '0177', '4294967296', '%', '%2', '%2e', '%66', '%00'],
  ...['%2f', '%3A', '%40', '%25', '%C3%BC', '%ff', '[', ']', ':', '::', 'ffff', 'fe80', '/', '\\'],
  ...['@', '?', '#', ' ', '\t', '\n', '\0', '!', '*', ',', '~', 'ß', 'ü', 'İ', 'ı', '\u0307', '٣'],
  ...['\u00ad', '\u200b', '\u200c', '\u200d', '\u202e', '\u3002', '\uff0e', '\uff0f', '\uff1a'],
  ...['\uff11', '\u2460', '\u212a', '\u2100', '\ufeff', '\ufb01', '\ud800', '\udc00', '💩', 'क'],
  ...['\u094d', '\u0627', '\u0430'],
]
const hostile = fc.oneof(
  fc.array(fc.constantFrom(...PIECES), { maxLength: 12 }).map((pieces) => pieces.join('')),
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.domain(),
  fc.ipV4Extended(),
  fc.ipV6(),
  fc.ipV6().map((text) => `[${text}]`),
)

/** The host that Node's URL parser finds, in the same normal form; null where it finds none. */
function reference(text: string): string | null {
  const bare = text.includes(':') && !text.startsWith('[')
  const url = URL.parse(`http://${bare ? `[${text}]` : text}/`)
  if (url === null) return null
  const { hostname } = url
  if (!hostname.startsWith('[')) return hostname.replace(/\.$/, '')
  const address = ipaddr.IPv6.parse(hostname.slice(1, -1))
  return address.isIPv4MappedAddress()
    ? address.toIPv4Address().toString()
    : address.toRFC5952String()
}

describe('against the URL parser', () => {
  it('gives the host that a browser would go to, or none', () => {
    const property = fc.property(hostile, (text) => {
      const parsed = parseHost(text)
      if (typeof parsed === 'string') expect(ERRORS).toHaveProperty(parsed)
      else expect(parsed.host).toBe(reference(text))
    })
    fc.assert(property, { numRuns: 20_000 })
  })

  it('refuses only what is no DNS name: length, an empty label, a character, a hyphen at an end', () => {
    // What ends a host within a URL would make the reference read less than the whole text.
    const whole = hostile.filter((text) => !/[\s/?#@\\:]/.test(text))
    const property = fc.property(whole, (text) => {
      const host = reference(text)
      const isName =
        host !== null &&
        host.length <= HOST_LENGTH_MAX &&
        /^[a-z0-9_.-]+$/.test(host) &&
        !/^-|-$/.test(host) &&
        host.split('.').every((part) => part !== '' && part.length <= LABEL_LENGTH_MAX)
      expect(typeof parseHost(text) !== 'string').toBe(isName)
    })
    fc.assert(property, { numRuns: 20_000 })
  })

  it('reads its own result as the same host', () => {
    const property = fc.property(hostile, (text) => {
      const parsed = parseHost(text)
      if (typeof parsed !== 'string') expect(parseHost(parsed.host)).toEqual(parsed)
    })
    fc.assert(property, { numRuns: 20_000 })
  })

  it('gives an address exactly where the host is one', () => {
    const property = fc.property(hostile, (text) => {
      const parsed = parseHost(text)
      if (typeof parsed === 'string') return
      expect(parsed.address !== null).toBe(isIP(parsed.host) !== 0)
      if (parsed.address !== null) expect(hostOfAddress(parsed.address)).toBe(parsed.host)
    })
    fc.assert(property, { numRuns: 20_000 })
  })
})

/** How a host is written in a URL or a Host field. */
function checkAuthority(host: string, port: number, plain: number | undefined, expected: string) {
  it(`authority ${expected}`, () => {
    const parsed = parseHost(host)
    if (typeof parsed === 'string') throw new Error(parsed)
    expect(formatAuthority(parsed.host, port, plain)).toBe(expected)
  })
}

checkAuthority('Example.com', 8080, 80, 'example.com:8080')
checkAuthority('example.com', 80, 80, 'example.com')
checkAuthority('example.com', 443, undefined, 'example.com:443')
checkAuthority('::1', 443, undefined, '[::1]:443')
checkAuthority('[::1]', 80, 80, '[::1]')
checkAuthority('127.1', 81, 80, '127.0.0.1:81')

const address = (words: Address['words']): Address => ({ words })

it('gives the host of an address', () => {
  expect(hostOfAddress(address([0, 0, 0xffff, 0x7f000001]))).toBe('127.0.0.1')
  expect(hostOfAddress(address([0, 0, 0, 1]))).toBe('::1')
})
