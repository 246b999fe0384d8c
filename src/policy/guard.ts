/**
 * Owns: which addresses may be dialled. The second decision, made after DNS on the address itself.
 * Never: resolves or connects.
 *
 * Source: IANA special-purpose address registries (RFC 6890 and its updates), RFC 6052 (NAT64),
 * RFC 3056 (6to4), RFC 4380 (Teredo).
 */
import {
  type Address,
  contains,
  embeddedIpv4,
  ipv4OfWord,
  isIpv4,
  type Network,
  parseNetwork,
  sameAddress,
} from './address.ts'
import type { AllowedAddress } from './policy.ts'

const network = (text: string): Network => {
  const parsed = parseNetwork(text)
  if (typeof parsed === 'string') throw new Error(`${text}: ${parsed}`)
  return parsed
}

/** What is never public, and what to call it in `explain`. */
const FORBIDDEN: readonly (readonly [Network, string])[] = (
  [
    ['0.0.0.0/8', 'this host'],
    ['10.0.0.0/8', 'private'],
    ['100.64.0.0/10', 'carrier-grade NAT'],
    ['127.0.0.0/8', 'loopback'],
    ['168.63.129.16/32', 'cloud metadata'],
    ['169.254.0.0/16', 'link-local, cloud metadata'],
    ['172.16.0.0/12', 'private'],
    ['192.0.0.0/24', 'IETF protocol assignments'],
    ['192.0.2.0/24', 'documentation'],
    ['192.88.99.0/24', '6to4 relay'],
    ['192.168.0.0/16', 'private'],
    ['198.18.0.0/15', 'benchmarking'],
    ['198.51.100.0/24', 'documentation'],
    ['203.0.113.0/24', 'documentation'],
    ['224.0.0.0/4', 'multicast'],
    ['240.0.0.0/4', 'reserved, broadcast'],
    ['::/96', 'unspecified, loopback, IPv4-compatible'],
    ['64:ff9b:1::/48', 'local NAT64'],
    ['100::/64', 'discard'],
    ['100:0:0:1::/64', 'dummy prefix'],
    ['2001::/23', 'IETF protocol assignments, Teredo'],
    ['2001:db8::/32', 'documentation'],
    ['3fff::/20', 'documentation'],
    ['5f00::/16', 'segment routing'],
    ['fc00::/7', 'private, cloud metadata'],
    ['fe80::/10', 'link-local'],
    ['fec0::/10', 'site-local'],
    ['ff00::/8', 'multicast'],
  ] as const
).map(([text, what]) => [network(text), what] as const)

/** All that is handed out of IPv6; what lies outside it and has no name above is refused as well. */
const GLOBAL_UNICAST = network('2000::/3')

/** An address and port that we listen on ourselves. */
export interface Listener {
  readonly address: Address
  readonly port: number
}

/**
 * Why `address` may not be dialled on `port`, or null where it may. `listeners` are our own: dialling
 * them would be a circle, so only an entry of `allowed` with that very port opens them.
 */
export function forbiddenWhy(
  address: Address,
  port: number,
  allowed: readonly AllowedAddress[],
  listeners: readonly Listener[],
): string | null {
  const own = isOwnListener(address, port, listeners)
  for (const entry of allowed) {
    if (entry.port === null ? own : entry.port !== port) continue
    if (contains(entry.network, address)) return null
  }
  return own ? "the proxy's own listener" : rangeOf(address)
}

/** True where who connects to `address` and `port` on this machine meets one of `listeners`. */
export function isOwnListener(
  address: Address,
  port: number,
  listeners: readonly Listener[],
): boolean {
  return listeners.some((listener) => listener.port === port && reaches(address, listener.address))
}

/** True where dialling `address` arrives at a listener on `listener`; any-addresses mean loopback too. */
function reaches(address: Address, listener: Address): boolean {
  if (sameAddress(address, listener)) return true
  const here = (one: Address) => isAny(one) || isLoopback(one)
  return here(address) && here(listener) && (isAny(address) || isAny(listener))
}

function rangeOf(address: Address): string | null {
  const [w0, w1, w2, w3] = address.words
  const embedded = embeddedIpv4(w0, w1, w2, w3)
  if (embedded >= 0) {
    const inner = rangeOf(ipv4OfWord(embedded))
    return inner === null ? null : `embeds an IPv4 address: ${inner}`
  }
  for (const [range, what] of FORBIDDEN) if (contains(range, address)) return what
  return isIpv4(address) || contains(GLOBAL_UNICAST, address) ? null : 'not global unicast'
}

function isAny(address: Address): boolean {
  const [w0, w1, w2, w3] = address.words
  return w0 === 0 && w1 === 0 && w3 === 0 && (w2 === 0 || w2 === 0xffff)
}

function isLoopback(address: Address): boolean {
  const { words } = address
  if (isIpv4(address)) return words[3] >>> 24 === 127
  return words.every((word, i) => word === (i === 3 ? 1 : 0))
}
