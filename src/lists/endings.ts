/**
 * Owns: which last four bytes of names an image writes as one: the most frequent, for most names end
 * in one of few.
 * Never: compares names; lookup.ts does.
 */
import { ENDINGS_MAX, WORD_BYTES, wordAt } from './layout.ts'
import { NODE_LENGTH, NODE_START, NODE_WORDS, type Nodes } from './nodes.ts'

/** One node in so many is asked, so that five million cost no time: the frequent ones are found. */
const SAMPLE_STEP = 7
/** An ending that fewer of the nodes asked have saves less than its own word. */
const SAMPLE_COUNT_MIN = 2

/** Places of the table that finds an ending's number: with 255 of them, mostly at once. */
const SLOTS = 1_024

/** The number of each node's ending, and the section of an image that says what they mean. */
export class Endings {
  /** The first is none. */
  readonly words: Int32Array
  readonly #slots = new Uint8Array(SLOTS)
  readonly #ofNodes: Uint8Array

  constructor(nodes: Nodes) {
    this.words = Int32Array.of(0, ...mostFrequent(nodes))
    for (let ending = 1; ending < this.words.length; ending++) {
      this.#slots[this.#slotOf(this.words[ending]!)] = ending
    }
    this.#ofNodes = new Uint8Array(nodes.count + 1)
    for (let node = 1; node <= nodes.count; node++) {
      const word = lastWord(nodes, node)
      if (word !== 0) this.#ofNodes[node] = this.#slots[this.#slotOf(word)]!
    }
  }

  /** The number of the node's ending, 0 for none. */
  of(node: number): number {
    return this.#ofNodes[node]!
  }

  /** Where that ending is or would be. */
  #slotOf(word: number): number {
    let slot = Math.imul(word, 0x9e3779b1) >>> 22
    for (;;) {
      const ending = this.#slots[slot]!
      if (ending === 0 || this.words[ending] === word) return slot
      slot = (slot + 1) & (SLOTS - 1)
    }
  }
}

/** The same for the same nodes. */
function mostFrequent(nodes: Nodes): number[] {
  const counts = new Map<number, number>()
  for (let node = 1; node <= nodes.count; node += SAMPLE_STEP) {
    const word = lastWord(nodes, node)
    if (word !== 0) counts.set(word, (counts.get(word) ?? 0) + 1)
  }
  return [...counts]
    .filter(([, count]) => count >= SAMPLE_COUNT_MIN)
    .sort(([word, count], [otherWord, otherCount]) => otherCount - count || word - otherWord)
    .slice(0, ENDINGS_MAX - 1)
    .map(([word]) => word)
}

/** The last four bytes of the node's name; 0 where it has fewer. */
function lastWord(nodes: Nodes, node: number): number {
  const word = node * NODE_WORDS
  const length = nodes.words[word + NODE_LENGTH]! & 0xff
  if (length < WORD_BYTES) return 0
  return wordAt(nodes.namesOf(node), nodes.words[word + NODE_START]! + length - WORD_BYTES)
}
