/**
 * Owns: from the networks of all lists to intervals of addresses that do not overlap, each with all
 * that holds there.
 * Never: looks an address up; lookup.ts does.
 */
import type { Network, Words } from '../policy/address.ts'
import { ADDRESS_WORDS, INTERVAL_MASK, INTERVAL_WORDS, NETWORK_WORDS } from './layout.ts'
import { type MaskLabels, type Masks, NO_MASK_LABELS, resolved } from './masks.ts'

/** Networks in an image: all countries' together are about 300,000. */
export const NETWORKS_MAX = 1_000_000

export const ADDRESS_BITS = 128

export interface KindNetwork {
  readonly network: Network
  /** Number of its SourceKind. */
  readonly kind: number
  readonly line: number
}

/** A network together with what all sources say of just that one. */
interface Block {
  readonly start: bigint
  /** The first address after it. */
  readonly end: bigint
  mask: number
}

interface Enclosing {
  readonly end: bigint
  readonly labels: MaskLabels
}

interface Edge {
  readonly start: bigint
  readonly labels: MaskLabels
}

/**
 * The intervals section: from the first address on, each interval to the next. A network within
 * another adds its labels to the other's, then takes away what it excepts.
 */
export function intervalsOf(networks: readonly KindNetwork[], masks: Masks): Int32Array {
  const edges: Edge[] = [{ start: 0n, labels: NO_MASK_LABELS }]
  const enclosing: Enclosing[] = []
  const labels = () => enclosing.at(-1)?.labels ?? NO_MASK_LABELS
  const closeBefore = (start: bigint) => {
    for (let last = enclosing.at(-1); last !== undefined && last.end <= start; ) {
      enclosing.pop()
      addEdge(edges, { start: last.end, labels: labels() })
      last = enclosing.at(-1)
    }
  }
  for (const { start, end, mask } of blocksOf(networks, masks)) {
    closeBefore(start)
    const own = resolved(labels(), masks.labelsOf(mask))
    addEdge(edges, { start, labels: own })
    enclosing.push({ end, labels: own })
  }
  const last = 1n << BigInt(ADDRESS_BITS)
  closeBefore(last)
  const words: number[] = []
  for (const edge of edges) {
    if (edge.start < last) words.push(...wordsOf(edge.start), masks.idOf(edge.labels))
  }
  return Int32Array.from(words)
}

/** The networks section, in an order that is the same for the same lists. */
export function networkWords(networks: readonly KindNetwork[]): Int32Array {
  const words = new Int32Array(networks.length * NETWORK_WORDS)
  for (const [i, { network, kind, line }] of networks.entries()) {
    words.set([...network.words, network.prefix, kind, line], i * NETWORK_WORDS)
  }
  return words
}

/** The interval's first address, as four unsigned words. */
export function intervalStart(intervals: Int32Array, index: number): Words {
  const at = index * INTERVAL_WORDS
  const word = (i: number) => intervals[at + i]! >>> 0
  return [word(0), word(1), word(2), word(3)]
}

/** What is wrong with an intervals section of so many masks, by the interval; null where nothing is. */
export function intervalFault(intervals: Int32Array, masks: number): string | null {
  const count = intervals.length / INTERVAL_WORDS
  let before = -1n
  for (let i = 0; i < count; i++) {
    const start = numberOf(intervalStart(intervals, i))
    if (i === 0 && start !== 0n) return 'interval 0 does not begin at the first address'
    if (start <= before) return `interval ${i} does not begin after the one before it`
    const mask = intervals[i * INTERVAL_WORDS + INTERVAL_MASK]!
    if (mask < 0 || mask >= masks) return `interval ${i} has mask ${mask}, of ${masks}`
    before = start
  }
  return count === 0 ? 'there is no interval' : null
}

/** In the order of their addresses, the larger of two that begin alike first. */
function blocksOf(networks: readonly KindNetwork[], masks: Masks): Block[] {
  const blocks = new Map<string, Block>()
  for (const { network, kind } of networks) {
    const name = `${network.words.join()}/${network.prefix}`
    const start = numberOf(network.words)
    const end = start + (1n << BigInt(ADDRESS_BITS - network.prefix))
    const known = blocks.get(name) ?? { start, end, mask: 0 }
    known.mask = masks.join(known.mask, kind)
    blocks.set(name, known)
  }
  const order = (a: bigint, b: bigint) => (a < b ? -1 : a > b ? 1 : 0)
  return [...blocks.values()].sort((a, b) => order(a.start, b.start) || order(b.end, a.end))
}

/** One that begins where the last does replaces it; one that changes nothing is left out. */
function addEdge(edges: Edge[], edge: Edge): void {
  if (edges.at(-1)?.start === edge.start) edges.pop()
  if (edges.at(-1)?.labels.join() !== edge.labels.join()) edges.push(edge)
}

function numberOf(words: Words): bigint {
  return words.reduce((sum, word) => (sum << 32n) | BigInt(word), 0n)
}

function wordsOf(address: bigint): number[] {
  return Array.from({ length: ADDRESS_WORDS }, (_, i) =>
    Number(BigInt.asIntN(32, address >> BigInt(32 * (ADDRESS_WORDS - 1 - i)))),
  )
}
