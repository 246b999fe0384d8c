/**
 * Owns: the nodes of an image while it is built: every listed or excepted host, every parent of it
 * that has two labels or more, and the sources of each, in typed arrays.
 * Never: lays out bytes; assemble.ts does.
 */
import {
  bucketOf,
  bucketShift,
  DOT,
  HASH_SEED,
  hashName,
  hashStep,
  isLiteral,
  mix,
  NAME_BYTES_MAX,
  NODE_CHILD_BIT,
  NODE_MASK_BITS,
  restAt,
  WORD_BYTES,
  wordAt,
} from './layout.ts'

/** Where the names of a list lie: a length byte, then the name. */
export interface NameBuffer {
  readonly names: Uint8Array
  readonly nameLines: Uint32Array
  readonly nodesMax: number
}

/** Names of one kind of source (masks.ts SourceKind). All of one kind follow one another. */
export interface KindNames extends NameBuffer {
  readonly kind: number
}

/** No node, no source: both are counted from 1. */
export const NONE = 0

/**
 * A node's words in `Nodes.words`; they lie together because one node is mostly asked for all of
 * them, and each other place in memory costs a wait.
 */
export const NODE_WORDS = 8
/** Where its name begins in its buffer. */
export const NODE_START = 0
/** The length of its name, and from bit 8 on the number of its buffer. */
export const NODE_LENGTH = 1
export const NODE_BUFFER_SHIFT = 8
export const NODE_MIXED = 2
/** Mask id and child bit. */
export const NODE_MASK = 3
/** The node of its longest parent that is one, or NONE. */
export const NODE_PARENT = 4
/** Its latest source, or NONE. */
export const NODE_SOURCE = 5
/** The number of its ending; endings.ts fills it in. */
export const NODE_ENDING = 6

/** The same of a source; the fourth is not used, so that none lies on two lines of the cache. */
const SOURCE_WORDS = 4
const SOURCE_KIND = 0
const SOURCE_LINE = 1
const SOURCE_NEXT = 2

/** Slots of two words, mixed hash and node; three quarters are full at most. */
const SLOTS_PER_NODE = 4 / 3
/**
 * Names whose places in the table are fetched together before they are used: the processor then
 * waits for many at once, not for each in turn.
 */
const BATCH_NAMES = 64
/** A name of 253 bytes has at most 127 labels; a batch ends early where it has no room for that. */
const NAME_SUFFIXES_MAX = 128
const BATCH_SUFFIXES = 4 * BATCH_NAMES + NAME_SUFFIXES_MAX

/** Nodes in the order of their buckets. */
export interface NodeOrder {
  readonly nodes: Uint32Array
  /** Of each bucket: the end of its nodes in `nodes`. */
  readonly ends: Uint32Array
}

/** Gives the id of a mask together with the labels of one more kind. */
export type MaskJoin = (mask: number, kind: number) => number

export class Nodes {
  readonly #inputs: readonly KindNames[]
  readonly #join: MaskJoin
  readonly #table: Int32Array
  readonly #shift: number
  /** The mask of a node that only the present kind names. */
  #firstMask = 0

  /** NODE_WORDS of each node. */
  readonly words: Int32Array

  /** SOURCE_WORDS of each source: its kind, its line, and the source of the same node before it. */
  readonly #sources: Int32Array

  count = 0
  sources = 0
  oneLabelNames = 0

  readonly #batchStart = new Int32Array(BATCH_SUFFIXES)
  readonly #batchMixed = new Int32Array(BATCH_SUFFIXES)
  readonly #batchSuffixes = new Int32Array(BATCH_NAMES)
  readonly #batchEnd = new Int32Array(BATCH_NAMES)
  /** What was read ahead; it means nothing, but reading that nobody asks for is left out. */
  touched = 0

  /**
   * The arrays are as large as the names could ever need; pages that stay untouched cost nothing.
   */
  constructor(inputs: readonly KindNames[], join: MaskJoin) {
    this.#inputs = inputs
    this.#join = join
    const names = inputs.reduce((sum, { nameLines }) => sum + nameLines.length, 0)
    const nodes = inputs.reduce((sum, { nodesMax }) => sum + nodesMax, 0)
    const slotBits = Math.max(1, Math.ceil(Math.log2((nodes + 1) * SLOTS_PER_NODE)))
    this.#shift = 32 - slotBits
    this.#table = new Int32Array(2 ** slotBits * 2)
    this.words = new Int32Array((nodes + 1) * NODE_WORDS)
    this.#sources = new Int32Array((names + 1) * SOURCE_WORDS)
  }

  /**
   * Adds all names of input `input`; returns how many of them its kind had named before. `onNames`
   * is told how many came, now and then.
   */
  addInput(input: number, onNames: (count: number) => void): number {
    const { names, nameLines, kind } = this.#inputs[input]!
    let duplicates = 0
    this.#firstMask = this.#join(0, kind)
    let at = 0
    let first = 0
    while (first < nameLines.length) {
      let name = 0
      let suffixes = 0
      while (name < BATCH_NAMES && first + name < nameLines.length) {
        if (suffixes + NAME_SUFFIXES_MAX > BATCH_SUFFIXES) break
        const start = at + 1
        at = start + names[at]!
        suffixes = this.#collect(names, start, at, suffixes)
        this.#batchEnd[name] = at
        this.#batchSuffixes[name++] = suffixes
      }
      this.#touch(suffixes)
      duplicates += this.#addBatch(input, first, name)
      first += name
      onNames(name)
    }
    return duplicates
  }

  /** The buffer that holds the node's name. */
  namesOf(node: number): Uint8Array {
    const buffer = this.words[node * NODE_WORDS + NODE_LENGTH]! >>> NODE_BUFFER_SHIFT
    return this.#inputs[buffer]!.names
  }

  parentOf(node: number): number {
    return this.words[node * NODE_WORDS + NODE_PARENT]!
  }

  sourceOf(node: number): number {
    return this.words[node * NODE_WORDS + NODE_SOURCE]!
  }

  kindOf(source: number): number {
    return this.#sources[source * SOURCE_WORDS + SOURCE_KIND]!
  }

  lineOf(source: number): number {
    return this.#sources[source * SOURCE_WORDS + SOURCE_LINE]! >>> 0
  }

  /** The source of the same node before this one, or NONE. */
  nextOf(source: number): number {
    return this.#sources[source * SOURCE_WORDS + SOURCE_NEXT]!
  }

  maskOf(node: number): number {
    return this.words[node * NODE_WORDS + NODE_MASK]! & NODE_MASK_BITS
  }

  nameOf(node: number): Uint8Array {
    const start = this.words[node * NODE_WORDS + NODE_START]!
    const length = this.words[node * NODE_WORDS + NODE_LENGTH]! & 0xff
    return this.namesOf(node).subarray(start, start + length)
  }

  /** The node of that name, or NONE. */
  find(name: Uint8Array): number {
    const mixed = hashName(name, 0, name.length)
    const table = this.#table
    let word = (mixed >>> this.#shift) * 2
    for (;;) {
      const node = table[word + 1]!
      if (node === NONE || (table[word] === mixed && equal(this.nameOf(node), name))) return node
      word = (word + 2) & (table.length - 1)
    }
  }

  /**
   * All nodes by their bucket among `buckets`, and where in that order each bucket ends. The table
   * is by hash as the buckets are, so that both are gone through from one end to the other.
   */
  byBucket(buckets: number): NodeOrder {
    const table = this.#table
    const shift = bucketShift(buckets)
    const ends = new Uint32Array(buckets)
    for (let slot = 0; slot < table.length; slot += 2) {
      if (table[slot + 1] !== NONE) ends[bucketOf(table[slot]!, shift)]!++
    }
    let sum = 0
    for (let bucket = 0; bucket < buckets; bucket++) {
      const count = ends[bucket]!
      ends[bucket] = sum
      sum += count
    }
    const nodes = new Uint32Array(this.count)
    for (let slot = 0; slot < table.length; slot += 2) {
      const node = table[slot + 1]!
      if (node !== NONE) nodes[ends[bucketOf(table[slot]!, shift)]!++] = node
    }
    return { nodes, ends }
  }

  /**
   * Reads ahead what will be asked of `nodes` from `start` to `end`: the processor fetches it all
   * at once, where it would wait for each in turn.
   */
  touch(nodes: Uint32Array, start: number, end: number): void {
    const { words } = this
    let sum = 0
    for (let i = start; i < end; i++) sum ^= words[nodes[i]! * NODE_WORDS]!
    for (let i = start; i < end; i++) {
      const word = nodes[i]! * NODE_WORDS
      const source = words[word + NODE_SOURCE]!
      sum ^= this.#sources[source * SOURCE_WORDS]!
      sum ^= this.namesOf(nodes[i]!)[words[word + NODE_START]!]!
    }
    this.touched ^= sum
  }

  /** Notes where the parents of a name begin, from the top down, and the name itself. */
  #collect(names: Uint8Array, start: number, end: number, suffixes: number): number {
    let next = suffixes
    let hash = HASH_SEED
    let at = end
    // The top-level domain alone is a node only where it is listed itself; a literal has no parent.
    let passed = isLiteral(names, start, end) ? NAME_BYTES_MAX : 1
    for (let first = end - 1; first >= start; first--) {
      if (first > start && (names[first - 1] !== DOT || passed-- > 0)) continue
      while (at - first >= WORD_BYTES) {
        at -= WORD_BYTES
        hash = hashStep(hash, wordAt(names, at))
      }
      this.#batchStart[next] = first
      this.#batchMixed[next++] = mix(hash, restAt(names, first, at))
    }
    return next
  }

  #touch(suffixes: number): void {
    let sum = 0
    for (let i = 0; i < suffixes; i++) {
      sum ^= this.#table[(this.#batchMixed[i]! >>> this.#shift) * 2]!
    }
    this.touched ^= sum
  }

  #addBatch(input: number, firstName: number, count: number): number {
    const { nameLines, kind } = this.#inputs[input]!
    let duplicates = 0
    let suffix = 0
    for (let name = 0; name < count; name++) {
      const end = this.#batchEnd[name]!
      const before = this.count
      const last = this.#batchSuffixes[name]!
      const isBelowTop = last > suffix + 1
      let node = NONE
      for (; suffix < last; suffix++) {
        node = this.#findOrAdd(input, suffix, end, node)
      }
      if (this.count > before && !isBelowTop) this.#countOneLabel(node)
      if (!this.#addSource(node, kind, nameLines[firstName + name]!)) duplicates++
    }
    return duplicates
  }

  /** A new node without a parent: of two labels, a literal, or of one label, which is counted. */
  #countOneLabel(node: number): void {
    const names = this.namesOf(node)
    const start = this.words[node * NODE_WORDS + NODE_START]!
    const end = start + (this.words[node * NODE_WORDS + NODE_LENGTH]! & 0xff)
    for (let at = start; at < end; at++) if (names[at] === DOT) return
    if (!isLiteral(names, start, end)) this.oneLabelNames++
  }

  /** The node of that suffix of the batch, made where there is none. */
  #findOrAdd(input: number, suffix: number, end: number, parent: number): number {
    const table = this.#table
    const mixed = this.#batchMixed[suffix]!
    const start = this.#batchStart[suffix]!
    let slot = (mixed >>> this.#shift) * 2
    for (;;) {
      const node = table[slot + 1]!
      if (node === NONE) break
      if (table[slot] === mixed && this.#isNamed(node, input, start, end)) return node
      slot = (slot + 2) & (table.length - 1)
    }
    const node = ++this.count
    table[slot] = mixed
    table[slot + 1] = node
    const { words } = this
    const word = node * NODE_WORDS
    words[word + NODE_START] = start
    words[word + NODE_LENGTH] = (end - start) | (input << NODE_BUFFER_SHIFT)
    words[word + NODE_MIXED] = mixed
    words[word + NODE_PARENT] = parent
    if (parent !== NONE) words[parent * NODE_WORDS + NODE_MASK]! |= NODE_CHILD_BIT
    return node
  }

  #isNamed(node: number, input: number, start: number, end: number): boolean {
    const word = node * NODE_WORDS
    if ((this.words[word + NODE_LENGTH]! & 0xff) !== end - start) return false
    const wanted = this.#inputs[input]!.names
    const names = this.namesOf(node)
    let other = this.words[word + NODE_START]!
    for (let at = start; at < end; at++) if (names[other++] !== wanted[at]) return false
    return true
  }

  /** False where the kind had named the node before; its first line is the one that is kept. */
  #addSource(node: number, kind: number, line: number): boolean {
    const { words } = this
    const word = node * NODE_WORDS
    const latest = words[word + NODE_SOURCE]!
    // Kinds are added one after the other, so only the latest source can be of this one.
    if (latest !== NONE && this.kindOf(latest) === kind) return false
    const source = ++this.sources
    const sourceWord = source * SOURCE_WORDS
    this.#sources[sourceWord + SOURCE_KIND] = kind
    this.#sources[sourceWord + SOURCE_LINE] = line
    this.#sources[sourceWord + SOURCE_NEXT] = latest
    words[word + NODE_SOURCE] = source
    const mask = words[word + NODE_MASK]!
    const id = mask & NODE_MASK_BITS
    const joined = id === 0 ? this.#firstMask : this.#join(id, kind)
    words[word + NODE_MASK] = joined | (mask & NODE_CHILD_BIT)
    return true
  }
}

function equal(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && one.every((byte, i) => byte === other[i])
}
