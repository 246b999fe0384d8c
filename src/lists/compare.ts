/**
 * Owns: what a change of lists comes to: the names, and the hosts of the log, that it would newly
 * catch or free.
 * Never: judges whether that is right; people do, before they accept it.
 */
import { formatAddress } from '../policy/address.ts'
import { type Labels, noLabels } from '../policy/policy.ts'
import { openedImage } from './image-report.ts'
import {
  hashWords,
  type ImageView,
  maskOf,
  NAME_WORDS_MAX,
  NETWORK_WORDS,
  NODE_MASK_BITS,
  readWords,
} from './layout.ts'

import { findNode, Lookup } from './lookup.ts'
import { forEachName } from './walk.ts'

/** All lists as they are in force, and as they would be. */
export interface ImagePair {
  readonly before: SharedArrayBuffer
  readonly after: SharedArrayBuffer
}

/** Labels as bits: categories and platforms; and never-block. */
export interface Gain {
  readonly categories: number
  readonly platforms: number
  readonly neverBlock: boolean
}

/** The labels that a host gains and loses. */
export interface Change {
  readonly host: string
  readonly caught: Gain
  readonly freed: Gain
}

export interface NameChanges {
  /** Different names that gain, and that lose, a label. A network counts by its first address. */
  readonly caught: number
  readonly freed: number
  /** Some of both, in no order that means anything. */
  readonly first: readonly Change[]
}

export interface CompareOptions {
  /** Names told, of those caught and of those freed; the rest are counted. */
  readonly kept: number
  /** Told now and then: buckets of both images that were gone through, of all. */
  readonly onProgress?: (done: number, total: number) => void
}

/**
 * The names that stand in either image and whose labels change. A name that another list, or a
 * parent of it, labels all the same does not.
 */
export function compareNames(
  { before, after }: ImagePair,
  { kept, onProgress = () => {} }: CompareOptions,
): NameChanges {
  const pair = new Pair(before, after)
  const images = [openedImage(after), openedImage(before)] as const
  const total = images[0].buckets.length + images[1].buckets.length
  const first: Change[] = []
  const told = { caught: 0, freed: 0 }
  const add = (change: Change) => {
    const caught = isGain(change.caught)
    if (caught) told.caught++
    if (isGain(change.freed)) told.freed++
    if ((caught ? told.caught : told.freed) <= kept) first.push(change)
  }
  const words = new Int32Array(NAME_WORDS_MAX)
  let done = 0
  for (const [i, image] of images.entries()) {
    const visit = (bytes: Uint8Array, length: number, node: number) => {
      if (!isNamed(image, node) || !pair.differs(bytes, length)) return
      if (i === 1) {
        // What stands in both images has been counted with the first.
        readWords(bytes, 0, length, words)
        const other = findNode(images[0], words, length, hashWords(words, length))
        if (other !== 0 && isNamed(images[0], other)) return
      }
      add(pair.change(textOf(bytes, length)))
    }
    forEachName(image, { visit, onProgress: (gone) => onProgress(done + gone, total) })
    done += image.buckets.length
  }
  for (const address of new Set(images.flatMap(firstAddresses))) {
    const change = pair.change(address)
    if (isGain(change.caught) || isGain(change.freed)) add(change)
  }
  onProgress(total, total)
  return { ...told, first }
}

/** Of `hosts`, in normal form, those whose labels change. */
export function compareHosts({ before, after }: ImagePair, hosts: Iterable<string>): Change[] {
  const pair = new Pair(before, after)
  const changes: Change[] = []
  for (const host of hosts) {
    const change = pair.change(host)
    if (isGain(change.caught) || isGain(change.freed)) changes.push(change)
  }
  return changes
}

export function isGain({ categories, platforms, neverBlock }: Gain): boolean {
  return neverBlock || (categories | platforms) !== 0
}

/** Both images asked for the same name. */
class Pair {
  readonly #before: Lookup
  readonly #after: Lookup
  readonly #was = noLabels()
  readonly #is = noLabels()

  constructor(before: SharedArrayBuffer, after: SharedArrayBuffer) {
    this.#before = new Lookup(before)
    this.#after = new Lookup(after)
  }

  differs(bytes: Uint8Array, length: number): boolean {
    const was = this.#was
    const is = this.#is
    this.#before.matchBytes(bytes, 0, length, was)
    this.#after.matchBytes(bytes, 0, length, is)
    return (
      was.categories !== is.categories ||
      was.platforms !== is.platforms ||
      was.neverBlock !== is.neverBlock
    )
  }

  change(host: string): Change {
    this.#before.match(host, this.#was)
    this.#after.match(host, this.#is)
    return { host, caught: beyond(this.#is, this.#was), freed: beyond(this.#was, this.#is) }
  }
}

/** What `labels` has and `others` has not. */
function beyond(labels: Labels, others: Labels): Gain {
  return {
    categories: labels.categories & ~others.categories,
    platforms: labels.platforms & ~others.platforms,
    neverBlock: labels.neverBlock && !others.neverBlock,
  }
}

/** False for a node that is there for its children alone. */
function isNamed(image: ImageView, node: number): boolean {
  return (maskOf(image, node) & NODE_MASK_BITS) !== 0
}

/** Of each network, as text. */
function firstAddresses({ networks }: ImageView): string[] {
  const addresses: string[] = []
  for (let at = 0; at < networks.length; at += NETWORK_WORDS) {
    const word = (i: number) => networks[at + i]! >>> 0
    addresses.push(formatAddress({ words: [word(0), word(1), word(2), word(3)] }))
  }
  return addresses
}

function textOf(bytes: Uint8Array, length: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, length).toString('latin1')
}
