/**
 * Owns: what a change of lists comes to for networks of addresses.
 * Never: compares a single address that is listed; compare.ts does, as it does names.
 */
import { formatAddress, formatNetwork, type Network, type Words } from '../policy/address.ts'
import { beyond, type Gain, isGain } from './gain.ts'
import {
  FLAG_NEVER_BLOCK,
  type ImageView,
  INTERVAL_MASK,
  INTERVAL_WORDS,
  MASK_CATEGORIES,
  MASK_FLAGS,
  MASK_PLATFORMS,
  MASK_WORDS,
  NETWORK_PREFIX,
  NETWORK_WORDS,
} from './layout.ts'
import { ADDRESS_BITS, intervalStart } from './networks.ts'

export interface NetworkChange {
  /** The smallest listed network that holds the addresses that change. */
  readonly network: string
  /** The first address that changes. */
  readonly address: string
  readonly caught: Gain
  readonly freed: Gain
  readonly neverBlock: boolean
}

/** Each network once for each way in which some of its addresses change. */
export function compareNetworks(before: ImageView, after: ImageView): NetworkChange[] {
  const listed = new Set([...namesOf(before), ...namesOf(after)])
  const changes = new Map<string, NetworkChange>()
  for (const { start, was, is } of pieces(before, after)) {
    const caught = beyond(is, was)
    const freed = beyond(was, is)
    if (!isGain(caught) && !isGain(freed)) continue
    const network = formatNetwork(smallestAround(start, listed))
    const key = `${network} ${JSON.stringify([caught, freed])}`
    const change = { network, address: formatAddress({ words: start }), caught, freed }
    if (!changes.has(key)) changes.set(key, { ...change, neverBlock: is.neverBlock })
  }
  return [...changes.values()]
}

interface Piece {
  /** Its first address. */
  readonly start: Words
  readonly was: Gain
  readonly is: Gain
}

/** All addresses, cut where either image says something else than of the address before. */
function* pieces(before: ImageView, after: ImageView): Generator<Piece> {
  const counts = [before, after].map(({ intervals }) => intervals.length / INTERVAL_WORDS)
  // Both have one that begins with the first address.
  for (let i = 0, j = 0; i < counts[0]! || j < counts[1]!; ) {
    const b = i < counts[0]! ? intervalStart(before.intervals, i) : null
    const a = j < counts[1]! ? intervalStart(after.intervals, j) : null
    const order = b === null ? 1 : a === null ? -1 : compareWords(b, a)
    if (order <= 0) i++
    if (order >= 0) j++
    const start = order <= 0 ? b! : a!
    yield { start, was: labelsOf(before, i - 1), is: labelsOf(after, j - 1) }
  }
}

function compareWords(a: Words, b: Words): number {
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return a[i]! - b[i]!
  return 0
}

function labelsOf({ intervals, masks }: ImageView, interval: number): Gain {
  const at = intervals[interval * INTERVAL_WORDS + INTERVAL_MASK]! * MASK_WORDS
  return {
    categories: masks[at + MASK_CATEGORIES]!,
    platforms: masks[at + MASK_PLATFORMS]!,
    neverBlock: (masks[at + MASK_FLAGS]! & FLAG_NEVER_BLOCK) !== 0,
  }
}

function namesOf({ networks }: ImageView): string[] {
  const names: string[] = []
  for (let at = 0; at < networks.length; at += NETWORK_WORDS) {
    const word = (i: number) => networks[at + i]! >>> 0
    names.push(
      nameOf({ words: [word(0), word(1), word(2), word(3)], prefix: word(NETWORK_PREFIX) }),
    )
  }
  return names
}

const nameOf = ({ words, prefix }: Network) => `${words.join()}/${prefix}`

/** What differs lies in a network of one of the images. */
function smallestAround(address: Words, listed: ReadonlySet<string>): Network {
  for (let prefix = ADDRESS_BITS; prefix > 0; prefix--) {
    const words = address.map((word, i) => (word & maskWord(prefix - i * 32)) >>> 0)
    const network = { words: words as unknown as Words, prefix }
    if (listed.has(nameOf(network))) return network
  }
  return { words: [0, 0, 0, 0], prefix: 0 }
}

/** The first `bits` bits of a word. */
function maskWord(bits: number): number {
  return bits <= 0 ? 0 : bits >= 32 ? -1 : -1 << (32 - bits)
}
