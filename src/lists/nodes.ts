/**
 * Owns: the nodes of an image while it is built: every listed host, every parent of it that has two
 * labels or more, and the sources of each, in typed arrays.
 * Never: lays out bytes; assemble.ts does.
 */
import {
  bucketOf,
  DOT,
  HASH_SEED,
  hashStep,
  isLiteral,
  mix,
  NODE_CHILD_BIT,
  NODE_MASK_BITS,
} from './layout.ts'

/** Where the names of a list lie: a length byte, then the name. */
export interface NameBuffer {
  readonly names: Uint8Array
  readonly nameLines: Uint32Array
  readonly nodesMax: number
}

/** No node, no source: both are counted from 1. */
export const NONE = 0

/** The table of a build: a slot is mixed hash and node, three quarters are full at most. */
const SLOT_WORDS = 2
const SLOTS_PER_NODE = 4 / 3

/** Gives the id of a mask together with the labels of one more list. */
export type MaskJoin = (mask: number, list: number) => number

export class Nodes {
  readonly #buffers: readonly NameBuffer[]
  readonly #join: MaskJoin
  readonly #table: Int32Array
  readonly #slots: number
  /** The mask of a node that only the present list names. */
  #firstMask = 0

  /**
   * Of each node: whose buffer its name lies in, where, how long; its mixed hash; mask id and child
   * bit; its parent or NONE.
   */
  readonly list: Uint16Array
  readonly start: Uint32Array
  readonly length: Uint8Array
  readonly mixed: Int32Array
  readonly mask: Uint16Array
  readonly parent: Uint32Array
  /** Its latest source, or NONE. */
  readonly source: Uint32Array

  /** Of each source: its list, its line, and the source of the same node before it, or NONE. */
  readonly sourceList: Uint16Array
  readonly sourceLine: Uint32Array
  readonly sourceNext: Uint32Array

  count = 0
  sources = 0
  /** Nodes with a source. */
  listed = 0
  oneLabelNames = 0

  /**
   * The arrays are as large as the names could ever need; pages that stay untouched cost nothing.
   */
  constructor(buffers: readonly NameBuffer[], join: MaskJoin) {
    this.#buffers = buffers
    this.#join = join
    const names = buffers.reduce((sum, { nameLines }) => sum + nameLines.length, 0)
    const nodes = buffers.reduce((sum, { nodesMax }) => sum + nodesMax, 0)
    this.#slots = Math.ceil((nodes + 1) * SLOTS_PER_NODE)
    this.#table = new Int32Array(this.#slots * SLOT_WORDS)
    this.list = new Uint16Array(nodes + 1)
    this.start = new Uint32Array(nodes + 1)
    this.length = new Uint8Array(nodes + 1)
    this.mixed = new Int32Array(nodes + 1)
    this.mask = new Uint16Array(nodes + 1)
    this.parent = new Uint32Array(nodes + 1)
    this.source = new Uint32Array(nodes + 1)
    this.sourceList = new Uint16Array(names + 1)
    this.sourceLine = new Uint32Array(names + 1)
    this.sourceNext = new Uint32Array(names + 1)
  }

  /** Adds all names of list `list`; returns how many of them it had named before. */
  addList(list: number): number {
    const { names, nameLines } = this.#buffers[list]!
    let duplicates = 0
    this.#firstMask = this.#join(0, list)
    let at = 0
    for (let name = 0; name < nameLines.length; name++) {
      const start = at + 1
      at = start + names[at]!
      const node = this.#addName(list, start, at)
      if (!this.#addSource(node, list, nameLines[name]!)) duplicates++
    }
    return duplicates
  }

  /** The buffer that holds the node's name. */
  namesOf(node: number): Uint8Array {
    return this.#buffers[this.list[node]!]!.names
  }

  /** The node of the name and, above it, of its parents. */
  #addName(list: number, start: number, end: number): number {
    const { names } = this.#buffers[list]!
    const literal = isLiteral(names, start, end)
    let hash = HASH_SEED
    let labels = 1
    let node = NONE
    for (let at = end - 1; at >= start; at--) {
      const byte = names[at]!
      if (byte === DOT && !literal) {
        // The top-level domain alone is a node only where it is listed itself.
        if (labels > 1) node = this.#find(list, at + 1, end, mix(hash), node)
        labels++
      }
      hash = hashStep(hash, byte)
    }
    const before = this.count
    node = this.#find(list, start, end, mix(hash), node)
    if (labels === 1 && !literal && this.count > before) this.oneLabelNames++
    return node
  }

  /** The node of that name, made where there is none. */
  #find(list: number, start: number, end: number, mixed: number, parent: number): number {
    const table = this.#table
    const last = table.length
    let word = bucketOf(mixed, this.#slots) * SLOT_WORDS
    for (;;) {
      const node = table[word + 1]!
      if (node === NONE) break
      if (table[word] === mixed && this.#isNamed(node, list, start, end)) return node
      word += SLOT_WORDS
      if (word === last) word = 0
    }
    const node = ++this.count
    table[word] = mixed
    table[word + 1] = node
    this.mixed[node] = mixed
    this.list[node] = list
    this.start[node] = start
    this.length[node] = end - start
    this.parent[node] = parent
    if (parent !== NONE) this.mask[parent] = this.mask[parent]! | NODE_CHILD_BIT
    return node
  }

  #isNamed(node: number, list: number, start: number, end: number): boolean {
    if (this.length[node] !== end - start) return false
    const wanted = this.#buffers[list]!.names
    const names = this.namesOf(node)
    let other = this.start[node]!
    for (let at = start; at < end; at++) if (names[other++] !== wanted[at]) return false
    return true
  }

  /** False where the list had named the node before; its first line is the one that is kept. */
  #addSource(node: number, list: number, line: number): boolean {
    const latest = this.source[node]!
    // Lists are added one after the other, so only the latest source can be of this one.
    if (latest !== NONE && this.sourceList[latest] === list) return false
    if (latest === NONE) this.listed++
    const source = ++this.sources
    this.sourceList[source] = list
    this.sourceLine[source] = line
    this.sourceNext[source] = latest
    this.source[node] = source
    const mask = this.mask[node]!
    const id = mask & NODE_MASK_BITS
    const joined = id === 0 ? this.#firstMask : this.#join(id, list)
    this.mask[node] = joined | (mask & NODE_CHILD_BIT)
    return true
  }
}
