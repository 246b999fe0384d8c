/**
 * Owns: what a change of lists comes to: the names, and the hosts of the log, that it would newly
 * catch or free.
 * Never: judges whether that is right; people do, before they accept it.
 */
import { noLabels } from '../policy/policy.ts'
import { compareNetworks } from './compare-networks.ts'
import { beyond, type Gain, isGain, isSame } from './gain.ts'
import { openedImage } from './image-report.ts'
import { hashName, type ImageView, maskOf, NODE_MASK_BITS } from './layout.ts'
import { findNode, Lookup } from './lookup.ts'
import { forEachName } from './walk.ts'

/** All lists as they are in force, and as they would be. */
export interface ImagePair {
  readonly before: SharedArrayBuffer
  readonly after: SharedArrayBuffer
}

/** The labels that a host gains and loses. */
export interface Change {
  /** Or a network. */
  readonly host: string
  /** What to look it up by: the host, or an address in the network that changes. */
  readonly asked: string
  readonly caught: Gain
  readonly freed: Gain
  /** Then it is on the never-block list. */
  readonly neverBlock: boolean
}

export interface NameChanges {
  /** Different names and networks that gain, and that lose, a label. */
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
  let done = 0
  for (const [i, image] of images.entries()) {
    const visit = (bytes: Uint8Array, length: number, node: number) => {
      if (!isNamed(image, node) || !pair.differs(bytes, length)) return
      if (i === 1) {
        // What stands in both images has been counted with the first.
        const other = findNode(images[0], bytes, 0, length, hashName(bytes, 0, length))
        if (other !== 0 && isNamed(images[0], other)) return
      }
      add(pair.change(textOf(bytes, length)))
    }
    forEachName(image, { visit, onProgress: (gone) => onProgress(done + gone, total) })
    done += image.buckets.length
  }
  for (const { network, address, ...labels } of compareNetworks(images[1], images[0])) {
    add({ host: network, asked: address, ...labels })
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
    return !isSame(was, is)
  }

  change(host: string): Change {
    this.#before.match(host, this.#was)
    this.#after.match(host, this.#is)
    const { neverBlock } = this.#is
    return {
      host,
      asked: host,
      caught: beyond(this.#is, this.#was),
      freed: beyond(this.#was, this.#is),
      neverBlock,
    }
  }
}

/** False for a node that is there for its children alone. */
function isNamed(image: ImageView, node: number): boolean {
  return (maskOf(image, node) & NODE_MASK_BITS) !== 0
}

function textOf(bytes: Uint8Array, length: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, length).toString('latin1')
}
