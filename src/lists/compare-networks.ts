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
  for (const { start, end, was, is } of pieces(before, after)) {
    const caught = beyond(is, was)
    const freed = beyond(was, is)
    if (!isGain(caught) && !isGain(freed)) continue
    // Neighbours that change alike are one piece: it may go on where its first network ends.
    for (let from: Words | null = start; from !== null && isBefore(from, end); ) {
      const around = smallestAround(from, listed)
      const network = formatNetwork(around)
      const key = `${network} ${JSON.stringify([caught, freed])}`
      const change = { network, address: formatAddress({ words: from }), caught, freed }
      if (!changes.has(key)) changes.set(key, { ...change, neverBlock: is.neverBlock })
      from = addressAfter(around)
    }
  }
  return [...changes.values()]
}

interface Piece {
  /** Its first address, and the first that is not in it; null: it is the last piece. */
  readonly start: Words
  readonly end: Words | null
  readonly was: Gain
  readonly is: Gain
}

/** All addresses, cut where either image says something else than of the address before. */
function* pieces(before: ImageView, after: ImageView): Generator<Piece> {
  const startOf = ({ intervals }: ImageView, i: number) =>
    i < intervals.length / INTERVAL_WORDS ? intervalStart(intervals, i) : null
  // Both have one that begins with the first address.
  let [start, i, j]: [Words | null, number, number] = [[0, 0, 0, 0], 0, 0]
  while (start !== null) {
    const b = startOf(before, i + 1)
    const a = startOf(after, j + 1)
    const end: Words | null = b !== null && isBefore(b, a) ? b : a
    yield { start, end, was: labelsOf(before, i), is: labelsOf(after, j) }
    if (b !== null && !isBefore(end, b)) i++
    if (a !== null && !isBefore(end, a)) j++
    start = end
  }
}

/** Null comes after all. */
function isBefore(a: Words | null, b: Words | null): boolean {
  if (a === null || b === null) return a !== null
  return compareWords(a, b) < 0
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

/** The first address behind the network; null where there is none. */
function addressAfter({ words, prefix: length }: Network): Words | null {
  const next = [...words]
  let prefix = length
  for (let i = Math.ceil(prefix / 32) - 1; i >= 0; i--) {
    const step = 2 ** (32 - Math.min(32, prefix - i * 32))
    const sum = next[i]! + step
    next[i] = sum % 2 ** 32
    if (sum < 2 ** 32) return next as unknown as Words
    prefix = i * 32
  }
  return null
}

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
