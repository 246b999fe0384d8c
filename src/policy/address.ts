/**
 * Owns: IP addresses and networks as integers, their text forms, and the order between them.
 * Never: resolves a name, asks the system, or knows which networks mean what.
 *
 * Every address is 128 bits in four unsigned 32-bit words; an IPv4 address is its IPv4-mapped form
 * (::ffff:a.b.c.d, RFC 4291 section 2.5.5.2), so that one comparison serves both families and the
 * mapped spelling of a refused IPv4 address is the same address.
 */

export type Words = readonly [number, number, number, number]

/** One IP address. Plain data: it may be cloned to another thread. */
export interface Address {
  readonly words: Words
}

/** A CIDR block: the first `prefix` bits (0 to 128) of `words` are fixed. */
export interface Network {
  readonly words: Words
  readonly prefix: number
}

export type NetworkError = 'network-malformed' | 'network-prefix' | 'network-host-bits'

const MAPPED = 0xffff

/** The address that four bytes (0 to 255 each, network order) spell. */
export function ipv4(a: number, b: number, c: number, d: number): Address {
  return ipv4OfWord((a << 24) | (b << 16) | (c << 8) | d)
}

/** The address of an IPv4 word. */
export function ipv4OfWord(word: number): Address {
  return { words: [0, 0, MAPPED, word >>> 0] }
}

/** True where the address is IPv4 (or IPv4-mapped IPv6, which is the same thing here). */
export function isIpv4(address: Address): boolean {
  const [w0, w1, w2] = address.words
  return w0 === 0 && w1 === 0 && w2 === MAPPED
}

/**
 * Reads an address in its standard text: dotted decimal, or IPv6 by RFC 4291 section 2.2 (no zone,
 * no brackets). Returns null for anything else: the odd IPv4 spellings of URLs are host.ts's work.
 */
export function parseAddress(text: string): Address | null {
  return text.includes(':') ? parseIpv6(text) : parseIpv4(text)
}

function parseIpv4(text: string): Address | null {
  const parts = text.split('.')
  if (parts.length !== 4) return null
  let word = 0
  for (const part of parts) {
    if (!/^(0|[1-9]\d{0,2})$/.test(part)) return null
    const byte = Number(part)
    if (byte > 255) return null
    word = ((word << 8) | byte) >>> 0
  }
  return { words: [0, 0, MAPPED, word] }
}

function parseIpv6(text: string): Address | null {
  if (text.length > 45) return null
  const halves = text.split('::')
  if (halves.length > 2) return null
  const head = groupsOf(halves[0] ?? '', halves.length === 1)
  const tail = halves.length === 2 ? groupsOf(halves[1] ?? '', true) : []
  if (head === null || tail === null) return null
  const gap = 8 - head.length - tail.length
  if (halves.length === 2 ? gap < 1 : gap !== 0) return null
  const groups = [...head, ...Array<number>(gap).fill(0), ...tail]
  const word = (i: number) => ((groups[i]! << 16) | groups[i + 1]!) >>> 0
  return { words: [word(0), word(2), word(4), word(6)] }
}

/** The 16-bit groups of one side of an IPv6 text; dotted decimal only where `last` allows it. */
function groupsOf(text: string, last: boolean): number[] | null {
  if (text === '') return []
  const groups: number[] = []
  const parts = text.split(':')
  for (const [i, part] of parts.entries()) {
    if (part.includes('.')) {
      if (!last || i !== parts.length - 1) return null
      const embedded = parseIpv4(part)
      if (embedded === null) return null
      groups.push(embedded.words[3] >>> 16, embedded.words[3] & 0xffff)
    } else {
      if (!/^[0-9a-f]{1,4}$/i.test(part)) return null
      groups.push(Number.parseInt(part, 16))
    }
  }
  return groups
}

/** The canonical text: dotted decimal for IPv4, RFC 5952 for IPv6. */
export function formatAddress(address: Address): string {
  const [w0, w1, w2, w3] = address.words
  if (isIpv4(address)) return [w3 >>> 24, (w3 >>> 16) & 255, (w3 >>> 8) & 255, w3 & 255].join('.')
  const groups = [w0, w1, w2, w3].flatMap((word) => [word >>> 16, word & 0xffff])
  const run = longestZeroRun(groups)
  const hex = (from: number, to: number) =>
    groups
      .slice(from, to)
      .map((group) => group.toString(16))
      .join(':')
  if (run.length < 2) return hex(0, 8)
  return `${hex(0, run.start)}::${hex(run.start + run.length, 8)}`
}

function longestZeroRun(groups: readonly number[]): { start: number; length: number } {
  let best = { start: 0, length: 0 }
  let start = 0
  for (let i = 0; i <= groups.length; i++) {
    if (i < groups.length && groups[i] === 0) continue
    if (i - start > best.length) best = { start, length: i - start }
    start = i + 1
  }
  return best
}

const NAT64_WORD = 0x0064_ff9b
const SIX_TO_FOUR_GROUP = 0x2002

/**
 * The IPv4 address inside a NAT64 (RFC 6052, 64:ff9b::/96) or 6to4 address (RFC 3056, 2002::/16) of these
 * four words, as an unsigned word; -1 in any other. What is sent there ends at that address.
 */
export function embeddedIpv4(w0: number, w1: number, w2: number, w3: number): number {
  if (w0 === NAT64_WORD && w1 === 0 && w2 === 0) return w3 >>> 0
  if (w0 >>> 16 !== SIX_TO_FOUR_GROUP) return -1
  return (((w0 & 0xffff) << 16) | (w1 >>> 16)) >>> 0
}

/**
 * Reads `address/prefix` or a lone address (a network of one). Bits set beyond the prefix are an
 * error, not rounded away: `10.1.2.3/8` is more often a slip than a wish.
 */
export function parseNetwork(text: string): Network | NetworkError {
  const [base, prefixText, ...rest] = text.split('/')
  const address = parseAddress(base ?? '')
  if (address === null || rest.length > 0) return 'network-malformed'
  const family4 = isIpv4(address) && !text.includes(':')
  const bits = family4 ? 32 : 128
  if (prefixText !== undefined && !/^\d{1,3}$/.test(prefixText)) return 'network-malformed'
  const prefix = prefixText === undefined ? bits : Number(prefixText)
  if (prefix > bits) return 'network-prefix'
  const network = { words: address.words, prefix: family4 ? prefix + 96 : prefix }
  const hostBits = address.words.some(
    (word, i) => (word & ~maskWord(network.prefix, i)) >>> 0 !== 0,
  )
  return hostBits ? 'network-host-bits' : network
}

/** The mask of word `i` (0 to 3) of a network of `prefix` bits. */
function maskWord(prefix: number, i: number): number {
  const bits = Math.min(32, Math.max(0, prefix - 32 * i))
  return bits === 0 ? 0 : (0xffffffff << (32 - bits)) >>> 0
}

export function formatNetwork(network: Network): string {
  const v4 = isIpv4(network) && network.prefix >= 96
  return `${formatAddress(network)}/${v4 ? network.prefix - 96 : network.prefix}`
}

/** True where `address` lies in `network`. */
export function contains(network: Network, address: Address): boolean {
  const { words, prefix } = network
  for (let i = 0; i < 4; i++) {
    const mask = maskWord(prefix, i)
    if (mask === 0) return true
    if (((words[i]! ^ address.words[i]!) & mask) !== 0) return false
  }
  return true
}

export function sameAddress(a: Address, b: Address): boolean {
  return a.words.every((word, i) => word === b.words[i])
}
