/**
 * Owns: the kinds of value in the settings that have to do with the network: endpoints, networks, hosts.
 * Never: resolves a name or listens.
 */
import {
  type AllowedAddress,
  formatAddress,
  HOST_LENGTH_MAX,
  type HostError,
  LABEL_LENGTH_MAX,
  type Network,
  parseAddress,
  parseHost,
  parseNetwork,
} from '../policy/index.ts'
import { integer, written } from './fields.ts'
import { misread, type Reading, read } from './reading.ts'

/** An address of ours and a port; port 0 lets the system pick one. */
export interface Endpoint {
  /** Canonical text; IPv6 without brackets. */
  readonly address: string
  readonly port: number
}

const PORT_MAX = 65_535

export function endpoint(sample: string) {
  const kind = { kind: 'address:port', sample }
  return written(kind, `an address and a port, such as ${sample} or [::1]:3128`, parseEndpoint)
}

export function parseEndpoint(text: string): Reading<Endpoint> {
  const match = /^(?:\[([^\]]*)\]|([^:[\]]*)):(\d{1,5})$/.exec(text)
  if (match === null) {
    if (/^\d{1,5}$/.test(text)) return misread('the address is missing', `write 127.0.0.1:${text}`)
    if (parseAddress(text) !== null) return misread('the port is missing')
    return misread('it is not address:port')
  }
  const [, v6, v4, digits] = match
  const address = parseAddress(v6 ?? v4 ?? '')
  if (address === null || (v6 === undefined) === (v6 ?? v4 ?? '').includes(':')) {
    const every = v4 === '' || v4 === '*' ? 'all addresses are 0.0.0.0 and [::]' : ''
    return misread(`${v6 ?? (v4 || 'what stands there')} is not an IP address`, every)
  }
  const port = Number(digits)
  if (port > PORT_MAX) return misread(`the port is at most ${PORT_MAX}`)
  return read({ address: formatAddress(address), port })
}

const DNS_PORT = 53

/** A DNS server: an address, with a port where it is not the usual one. */
export function dnsServer(sample: string) {
  const kind = { kind: 'address or address:port', sample }
  const expected = `an address or address:port, such as ${sample} or [::1]:5353`
  return written(kind, expected, (text): Reading<Endpoint> => {
    const alone = parseAddress(text.replace(/^\[(.*)\]$/, '$1'))
    if (alone !== null) return read({ address: formatAddress(alone), port: DNS_PORT })
    const parsed = parseEndpoint(text)
    return parsed.ok && parsed.value.port === 0 ? misread('there is no port 0') : parsed
  })
}

export function port() {
  return integer(1, PORT_MAX, 443)
}

const NETWORK_FAULTS = {
  'network-malformed': 'it is not an address with a prefix',
  'network-prefix': 'the prefix is at most 32, or 128 for IPv6',
  'network-host-bits': 'bits are set beyond the prefix',
} as const

export function network(sample: string) {
  const expected = `a CIDR network such as ${sample}`
  return written({ kind: 'CIDR network', sample }, expected, parseNetworkText)
}

function parseNetworkText(text: string): Reading<Network> {
  const parsed = parseNetwork(text)
  if (typeof parsed !== 'string') return read(parsed)
  if (parsed === 'network-prefix') {
    return misread(`the prefix is at most ${text.includes(':') ? 128 : 32}`)
  }
  const hint = parsed === 'network-host-bits' ? wholeNetworkHint(text) : ''
  return misread(NETWORK_FAULTS[parsed], hint)
}

/** For 10.1.2.3/8, the network that was meant: 10.0.0.0/8. */
function wholeNetworkHint(text: string): string {
  const [base = '', prefix = ''] = text.split('/')
  const address = parseAddress(base)
  if (address === null) return ''
  const v4 = !base.includes(':')
  const fixed = Number(prefix) + (v4 ? 96 : 0)
  const words = address.words.map((word, i) => {
    const bits = Math.min(32, Math.max(0, fixed - 32 * i))
    return bits === 0 ? 0 : (word & (0xffffffff << (32 - bits))) >>> 0
  }) as [number, number, number, number]
  return `did you mean ${formatAddress({ words })}/${prefix}?`
}

/** What may be dialled although it is private: a network or address, with or without a port. */
export function allowedAddress(sample: string) {
  const expected = `an address, a network or address:port, such as ${sample} or [::1]:8443`
  return written({ kind: 'address, network or address:port', sample }, expected, parseAllowed)
}

function parseAllowed(text: string): Reading<AllowedAddress> {
  const match = /^(?:\[([^\]]*)\]|([^:[\]]*)):(\d{1,5})$/.exec(text)
  const inner = match === null ? text.replace(/^\[(.*)\]$/, '$1') : (match[1] ?? match[2] ?? '')
  const parsed = parseNetworkText(inner)
  if (!parsed.ok) return parsed
  if (match === null) return read({ network: parsed.value, port: null })
  const port = Number(match[3])
  if (port < 1 || port > PORT_MAX) return misread(`the port is from 1 to ${PORT_MAX}`)
  return read({ network: parsed.value, port })
}

/** An IP address; its canonical text afterwards. */
export function address(sample: string) {
  return written({ kind: 'IP address', sample }, `an IP address, such as ${sample}`, (text) => {
    const parsed = parseAddress(text.replace(/^\[(.*)\]$/, '$1'))
    return parsed === null ? misread('') : read(formatAddress(parsed))
  })
}

/** The errors of policy's `parseHost`, in words. */
export const HOST_FAULTS: Readonly<Record<HostError, string>> = {
  'host-empty': 'it is empty',
  'host-too-long': `it has more than ${HOST_LENGTH_MAX} characters`,
  'host-character': 'it has a character that no host has',
  'host-label-empty': 'nothing stands before or between its dots',
  'host-label-too-long': `a part of it has more than ${LABEL_LENGTH_MAX} characters`,
  'host-idn': 'it is not a valid international name',
  'host-address': 'it has the form of an address, and is none',
  'host-zone': 'it has an IPv6 zone',
}

/** A DNS name; its normal form afterwards (see policy's `parseHost`). */
export function hostName(sample: string) {
  const expected = `a host name, such as ${sample}`
  return written({ kind: 'host name', sample }, expected, (text) => {
    const parsed = parseHost(text)
    if (typeof parsed === 'string') return misread(HOST_FAULTS[parsed])
    return parsed.address === null ? read<string>(parsed.host) : misread('it is an address')
  })
}
