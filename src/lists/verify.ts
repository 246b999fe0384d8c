/**
 * Owns: the full check of an image: that it is whole, as it was built, and that its parts agree.
 * Never: repairs one, and never throws for what it holds.
 */
import { crcHolds, sha256Holds } from './checksum.ts'
import { readReport } from './image-report.ts'
import {
  ARENA_FIRST_BUCKET,
  bucketShift,
  DOT,
  endingBytes,
  filterBits,
  HEADER,
  hashName,
  IMAGE_FAULTS,
  type ImageFault,
  type ImageView,
  isLiteral,
  MASK_WORDS,
  maskOf,
  NAME_BYTES_MAX,
  NETWORK_KIND,
  NETWORK_PREFIX,
  NETWORK_WORDS,
  NODE_CHILD_BIT,
  NODE_ENDING_BYTE,
  NODE_MASK_BITS,
  NODE_NAME_BYTE,
  nodeEnd,
  openImage,
  WORD_BYTES,
} from './layout.ts'
import { type NodeSource, sourcesOf } from './locate.ts'
import { findNode } from './lookup.ts'
import { lists as listsAny, type SourceKind } from './masks.ts'
import { ADDRESS_BITS, intervalFault } from './networks.ts'
import type { ListReport } from './report.ts'

/** Faults that are told; an image that has more is no better known by them. */
export const VERIFY_FAULTS_MAX = 100

export interface VerifyFault {
  readonly fault: ImageFault
  /** For people: what contradicts what. */
  readonly what: string
  /** `bucket 17, node at 4711`; empty where it is the whole image. */
  readonly place: string
}

/**
 * What is wrong with the image, the first VERIFY_FAULTS_MAX; empty where nothing is. Reads every
 * byte and looks every node up: some seconds for five million.
 */
export function verifyImage(buffer: SharedArrayBuffer): VerifyFault[] {
  const image = openImage(buffer)
  if (typeof image === 'string') return [{ fault: image, what: IMAGE_FAULTS[image], place: '' }]
  const checksum = (place: string): VerifyFault => {
    return { fault: 'image-checksum', what: IMAGE_FAULTS['image-checksum'], place }
  }
  // What a changed image says means nothing.
  if (!sha256Holds(buffer)) return [checksum('SHA-256')]
  if (!crcHolds(buffer)) return [checksum('CRC-32')]
  return verifyStructure(image)
}

/** The same without the checksums: whether the parts of the image agree. */
function verifyStructure(image: ImageView): VerifyFault[] {
  const check = new Check(image)
  check.tables()
  // Without these nothing below can be read.
  if (check.faults.length === 0) check.allNodes()
  return check.faults
}

class Check {
  readonly faults: VerifyFault[] = []
  readonly #image: ImageView
  #kinds: readonly SourceKind[] = []
  /** Listed names, and hosts freed, of each kind. */
  #named: Uint32Array = new Uint32Array(0)
  #lists: readonly ListReport[] = []
  #nodes = 0
  #domains = 0
  #oneLabelNames = 0
  /** Of each node that has children: where it begins in the arena. */
  readonly #parents = new Set<number>()
  /** The same of each node that the image says has some. */
  readonly #saidParents = new Set<number>()
  readonly #name = new Uint8Array(NAME_BYTES_MAX)

  constructor(image: ImageView) {
    this.#image = image
  }

  /** What does not depend on nodes. */
  tables(): void {
    const { header, endings, masks, networks, intervals } = this.#image
    try {
      const { kinds, report } = readReport(this.#image)
      this.#kinds = kinds
      this.#lists = report.lists
      this.#named = new Uint32Array(kinds.length)
      for (const { list } of kinds) if (report.lists[list] === undefined) throw new Error('list')
      if (report.lists.length > kinds.length) throw new Error('kinds')
    } catch {
      this.#fault('report', 'what it says of the lists cannot be read')
      return
    }
    if (this.#kinds.length !== header[HEADER.kinds]) {
      this.#fault(
        'header',
        `${header[HEADER.kinds]} kinds of sources, and the report has ${this.#kinds.length}`,
      )
    }
    if (masks.subarray(0, MASK_WORDS).some((word) => word !== 0))
      this.#fault('mask 0', 'it is not empty')
    if (masks.length === 0) this.#fault('masks', 'there is none')
    if (endings[0] !== 0) this.#fault('endings', 'the first is not empty')
    const interval = intervalFault(intervals, masks.length / MASK_WORDS)
    if (interval !== null) this.#fault('intervals', interval)
    for (let at = 0; at < networks.length; at += NETWORK_WORDS) {
      const kind = networks[at + NETWORK_KIND]!
      const prefix = networks[at + NETWORK_PREFIX]!
      const place = `network ${at / NETWORK_WORDS}`
      if (this.#kinds[kind] === undefined)
        this.#fault(place, `it is of list kind ${kind}, which there is not`)
      if (prefix < 0 || prefix >= ADDRESS_BITS)
        this.#fault(place, `it has a prefix of ${prefix} bits`)
    }
  }

  allNodes(): void {
    const { buckets, arena, header } = this.#image
    let end = ARENA_FIRST_BUCKET
    for (let bucket = 0; bucket < buckets.length; bucket++) {
      if (this.faults.length >= VERIFY_FAULTS_MAX) return
      const start = buckets[bucket]!
      if (start !== end) {
        this.#fault(
          `bucket ${bucket}`,
          `it begins at ${start}, and the one before it ends at ${end}`,
        )
        return
      }
      const found = sourcesOf(this.#image, bucket)
      if (found === null) {
        this.#fault(`bucket ${bucket}`, 'its nodes and sources do not end')
        return
      }
      for (const [node, sources] of found.sources) this.#node(bucket, node, sources)
      end = found.end
    }
    if (end !== arena.length)
      this.#fault('arena', `it ends at ${end} and has ${arena.length} bytes`)
    const counts = [
      [HEADER.nodes, this.#nodes, 'nodes'],
      [HEADER.domains, this.#domains, 'listed hosts'],
      [HEADER.oneLabelNames, this.#oneLabelNames, 'names of one label'],
    ] as const
    for (const [field, count, what] of counts) {
      if (header[field] !== count)
        this.#fault('header', `${header[field]} ${what}, and there are ${count}`)
    }
    for (const node of this.#parents) {
      if (!this.#saidParents.has(node))
        this.#fault(`node at ${node}`, 'it has children and says that it has none')
    }
    for (const node of this.#saidParents) {
      if (!this.#parents.has(node))
        this.#fault(`node at ${node}`, 'it says that it has children and has none')
    }
    this.#counts()
  }

  #node(bucket: number, node: number, sources: readonly NodeSource[]): void {
    const image = this.#image
    const { filter, arena, masks, endings } = image
    const place = `bucket ${bucket}, node at ${node}`
    this.#nodes++
    const length = arena[node]!
    if (length > NAME_BYTES_MAX) {
      this.#fault(place, `its name has ${length} bytes`)
      return
    }
    const ending = arena[node + NODE_ENDING_BYTE]!
    if (ending >= endings.length || endingBytes(ending) > length) {
      this.#fault(place, 'it has an ending that there is not, or that is longer than itself')
      return
    }
    const name = this.#name
    name.set(arena.subarray(node + NODE_NAME_BYTE, nodeEnd(image, node)))
    for (let i = 0; i < endingBytes(ending); i++) {
      name[length - WORD_BYTES + i] = endings[ending]! >>> (i * 8)
    }
    const mixed = hashName(name, 0, length)
    if (mixed >>> bucketShift(filter.length) !== bucket) {
      this.#fault(place, 'it belongs in another bucket')
      return
    }
    const bits = filterBits(mixed)
    if ((filter[bucket]! & bits) !== bits) this.#fault(place, 'the filter does not let it pass')
    else if (this.#find(name, 0, length) !== node) this.#fault(place, 'it is there twice')
    const said = maskOf(image, node)
    const mask = said & NODE_MASK_BITS
    if (mask >= masks.length / MASK_WORDS) {
      this.#fault(place, `it has mask ${mask}, which there is not`)
      return
    }
    if ((said & NODE_CHILD_BIT) !== 0) this.#saidParents.add(node)
    if (listsAny([...masks.subarray(mask * MASK_WORDS, (mask + 1) * MASK_WORDS)])) this.#domains++
    for (const { kind } of sources) {
      if (this.#kinds[kind] === undefined)
        this.#fault(place, `it is of list kind ${kind}, which there is not`)
      else this.#named[kind]!++
    }
    this.#parentOf(name, length, place)
  }

  #find(name: Uint8Array, start: number, end: number): number {
    return findNode(this.#image, name, start, end, hashName(name, start, end))
  }

  /** A name of three labels or more has a parent, a node too, which says that it has children. */
  #parentOf(name: Uint8Array, length: number, place: string): void {
    if (isLiteral(name, 0, length)) return
    const dot = name.subarray(0, length).indexOf(DOT)
    if (dot < 0) this.#oneLabelNames++
    if (dot < 0 || !name.subarray(dot + 1, length).includes(DOT)) return
    const parent = this.#find(name, dot + 1, length)
    if (parent === 0) this.#fault(place, 'its parent is not there')
    else this.#parents.add(parent)
  }

  /** What the report says a list holds, and what the nodes name of it. */
  #counts(): void {
    for (const [kind, { list }] of this.#kinds.entries()) {
      if (this.#kinds[kind - 1]?.list === list) continue
      const { name, domains } = this.#lists[list]!
      // A network of one address is a name too.
      if (this.#named[kind]! < domains) {
        this.#fault(
          `list ${name}`,
          `${domains} hosts by the report, and ${this.#named[kind]} are there`,
        )
      }
    }
  }

  #fault(place: string, what: string): void {
    if (this.faults.length < VERIFY_FAULTS_MAX)
      this.faults.push({ fault: 'image-structure', what, place })
  }
}
