/**
 * Owns: what one entry means, in whatever format it stands: a host, a network, or the reason why it
 * is neither.
 * Never: sees the line around it; the formats do.
 *
 *   example.com            the host and all its subdomains; so www.example.com covers no more than
 *                          it says
 *   *.example.com          the same, and so is .example.com: a list cannot name subdomains alone
 *   *.example              a whole top-level domain; without the star it is refused as a slip
 *   http://example.com/    the host, where the address names no page; ports 80 and 443 mean
 *                          nothing more
 *   192.0.2.1              that address and no other
 *   192.0.2.0/24           the network; one that does not begin there is a slip, not rounded
 */
import { contains, isIpv4, type Network, parseAddress, parseNetwork } from '../policy/address.ts'
import { hostOfAddress, parseHost } from '../policy/host.ts'
import type { RejectReason } from './rejection.ts'

/** An entry that can be used, or one that cannot and its own text. */
export type Reading =
  | { readonly host: string; readonly exception?: true }
  | { readonly network: Network; readonly exception?: true }
  | { readonly reason: RejectReason; readonly text: string }

/** How the format at hand names hosts. */
export interface EntryRules {
  /**
   * Of a word without a dot: a whole top-level domain where the format is sure to mean one
   * (`||zip^`), a computer nearby in a hosts file, else most likely a slip.
   */
  readonly oneLabel: 'domain' | 'nearby' | 'slip'
}

const SLIP: EntryRules = { oneLabel: 'slip' }
export const NEARBY: EntryRules = { oneLabel: 'nearby' }
export const DOMAIN: EntryRules = { oneLabel: 'domain' }

/** Ports that are a site's own, so that naming one narrows nothing. */
const OWN_PORTS = ['', '80', '443']

/** Addresses that mean the reader's own machine, or every machine near it, and are no site. */
const OWN_ADDRESS = /^(?:0\.0\.0\.0|127\..*|255\.255\.255\.255|::1?)$/
/** Names of the same, as the hosts files of Linux, macOS and Windows have them. */
const OWN_NAME = /^(?:ip6-[a-z]+|broadcasthost|local|localhost[46]?(?:\.localdomain[46]?)?)$/

/**
 * Networks that are no site's (RFC 6890): lists of bogus sources name them, and what may be dialled
 * is decided elsewhere.
 */
const OWN_NETWORKS = [
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.168.0.0/16',
  '224.0.0.0/3',
  'fc00::/7',
  'fe80::/10',
  'ff00::/8',
].map(knownNetwork)
const IPV4 = knownNetwork('::ffff:0:0/96')

/** A network wider than these is a slip, or would take a good part of the internet with it. */
export const IPV4_PREFIX_MIN = 8
export const IPV6_PREFIX_MIN = 16

const NETWORK = /^[\d.:a-f]+\/\d{1,3}$/i

/** One name, address or network. */
export function readEntry(text: string, rules: EntryRules = SLIP): Reading {
  if (NETWORK.test(text)) return readNetwork(text)
  const host = hostOf(text, rules)
  return typeof host === 'string' ? { host } : { reason: host.reason, text }
}

/** The same entry, freed instead of listed. */
export function exceptionOf(reading: Reading): Reading {
  return 'reason' in reading ? reading : { ...reading, exception: true }
}

/** True for an address that stands for "nowhere", as hosts files have it. */
export function isOwnAddress(text: string): boolean {
  return OWN_ADDRESS.test(text)
}

/** A network of one address is that host. */
export function readNetwork(text: string): Reading {
  const network = parseNetwork(text)
  if (network === 'network-host-bits') return { reason: 'network-host-bits', text }
  if (typeof network === 'string') return { reason: 'network', text }
  if (network.prefix === 128) return readEntry(hostOfAddress(network))
  if (OWN_NETWORKS.some((own) => own.prefix <= network.prefix && contains(own, network))) {
    return { reason: 'not-a-site', text }
  }
  return isTooWide(network) ? { reason: 'network-too-wide', text } : { network }
}

function isTooWide(network: Network): boolean {
  if (isIpv4(network) && network.prefix >= IPV4.prefix) {
    return network.prefix - IPV4.prefix < IPV4_PREFIX_MIN
  }
  // All of IPv4 lies in ::ffff:0:0/96, so that ::/64 would be everything.
  return network.prefix < IPV6_PREFIX_MIN || contains(network, IPV4)
}

/** What has neither scheme, port, path nor star needs no look for them. */
const PLAIN_NAME = /^[a-z0-9_-]+(?:\.[a-z0-9_-]+)*$/i

function hostOf(text: string, rules: EntryRules): string | { reason: RejectReason } {
  if (PLAIN_NAME.test(text)) return judgeName(text, text, rules)
  const authority = text.replace(/^https?:\/\//i, '').replace(/\/$/, '')
  if (/[/?@]/.test(authority)) return { reason: 'url' }
  const [, name = '', port = ''] = /^(\[.*\]|[^:]*)(?::(\d*))?$/.exec(authority) ?? ['', authority]
  if (!OWN_PORTS.includes(port)) return { reason: 'port' }
  const bare = name.replace(/^(?:\*\.|\.)/, '')
  return bare.includes('*') ? { reason: 'wildcard' } : judgeName(bare, name, rules)
}

/** `bare` is the name without what says that its subdomains are meant. */
function judgeName(
  bare: string,
  name: string,
  { oneLabel }: EntryRules,
): string | { reason: RejectReason } {
  const parsed = parseHost(bare)
  if (typeof parsed === 'string') return { reason: parsed }
  const { host, address } = parsed
  if (address !== null) {
    if (bare !== name) return { reason: 'wildcard' }
    // Browsers read 404 as 0.0.1.148; in a list it is more likely a slip.
    if (parseAddress(bare.replace(/^\[|\]$/g, '')) === null) return { reason: 'host-address' }
    return isOwnAddress(host) ? { reason: 'not-a-site' } : host
  }
  if (OWN_NAME.test(host)) return { reason: 'not-a-site' }
  if (host.includes('.') || bare !== name || oneLabel === 'domain') return host
  return { reason: oneLabel === 'nearby' ? 'not-a-site' : 'one-label' }
}

function knownNetwork(text: string): Network {
  const network = parseNetwork(text)
  if (typeof network === 'string') throw new Error(`${text}: ${network}`)
  return network
}
