/**
 * Owns: which last four bytes of names an image writes as one: the most frequent, for most names end
 * in one of few.
 * Never: compares names; lookup.ts does.
 */
import { ENDINGS_MAX, WORD_BYTES, wordAt } from './layout.ts'
import { NODE_ENDING, NODE_LENGTH, NODE_START, NODE_WORDS, type Nodes } from './nodes.ts'

/** One node in so many is asked, so that five million cost no time: the frequent ones are found. */
const SAMPLE_STEP = 7
/** An ending that fewer of the nodes asked have saves less than its own word. */
const SAMPLE_COUNT_MIN = 2

/** Places of the table that finds an ending's number: with 255 of them, mostly at once. */
const SLOTS = 1_024

/**
 * Chooses the endings and notes in each node which one is its own. Gives the section of an image
 * that says what they mean: the first is none.
 */
export function findEndings(nodes: Nodes): Int32Array {
  const endings = Int32Array.of(0, ...mostFrequent(nodes))
  const slots = new Uint8Array(SLOTS)
  for (let ending = 1; ending < endings.length; ending++) {
    slots[slotOf(slots, endings, endings[ending]!)] = ending
  }
  for (let node = 1; node <= nodes.count; node++) {
    const word = lastWord(nodes, node)
    const ending = word === 0 ? 0 : slots[slotOf(slots, endings, word)]!
    nodes.words[node * NODE_WORDS + NODE_ENDING] = ending
  }
  return endings
}

/** Where that ending is or would be. */
function slotOf(slots: Uint8Array, endings: Int32Array, word: number): number {
  let slot = Math.imul(word, 0x9e3779b1) >>> 22
  for (;;) {
    const ending = slots[slot]!
    if (ending === 0 || endings[ending] === word) return slot
    slot = (slot + 1) & (SLOTS - 1)
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
