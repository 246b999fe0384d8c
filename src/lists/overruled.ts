/**
 * Owns: which exceptions of fetched lists do not hold: those of what another list of the same category
 * lists. Whoever publishes a list may take back his own entries, and nobody else's.
 * Never: judges the exceptions of lists that lie here, or of lists that are set to be exceptions: those are
 * the administrator's own.
 */
import { formatNetwork, type Network, parseAddress } from '../policy/address.ts'
import type { LabelTarget } from '../policy/source.ts'
import { DOT, isLiteral } from './layout.ts'
import type { SourceKind } from './masks.ts'
import { ADDRESS_BITS, type KindNetwork } from './networks.ts'
import { type KindNames, NONE, type Nodes } from './nodes.ts'
import { type Rejection, Rejections } from './rejection.ts'

const WORD_BITS = 32

export interface Listed {
  /** With all that lists list, and nothing that they free. */
  readonly nodes: Nodes
  readonly kinds: readonly SourceKind[]
  /** Of each list. */
  readonly targets: readonly LabelTarget[]
  /** Of each list: it was fetched. */
  readonly fetched: readonly boolean[]
  readonly networks: readonly KindNetwork[]
}

export class Overruled {
  readonly #listed: Listed
  /** Kinds that list the network of that name. */
  readonly #networks = new Map<string, number[]>()
  readonly #prefixes = new Set<number>()
  readonly #rejections = new Map<number, Rejections>()
  /** Of those that are not freed. */
  readonly networks = new Set<Network>()

  constructor(listed: Listed) {
    this.#listed = listed
    for (const { network, kind } of listed.networks) {
      if (listed.kinds[kind]!.frees) continue
      const name = nameOf(network.words, network.prefix)
      const known = this.#networks.get(name)
      if (known === undefined) this.#networks.set(name, [kind])
      else if (!known.includes(kind)) known.push(kind)
      this.#prefixes.add(network.prefix)
    }
  }

  /** Those of the names that are freed; the input itself where its exceptions are not judged. */
  namesThatHold(input: KindNames): KindNames {
    if (!this.#isJudged(input.kind)) return input
    const { names, nameLines, kind } = input
    const kept = new Uint8Array(names.length)
    const lines = new Uint32Array(nameLines.length)
    let used = 0
    let count = 0
    let at = 0
    for (const line of nameLines) {
      const end = at + 1 + names[at]!
      const name = names.subarray(at + 1, end)
      if (this.#isListed(name, kind)) this.#add(kind, line, textOf(name))
      else {
        kept.set(names.subarray(at, end), used)
        used += end - at
        lines[count++] = line
      }
      at = end
    }
    return { ...input, names: kept.subarray(0, used), nameLines: lines.subarray(0, count) }
  }

  /** All networks that are listed, and those that are freed. */
  networksThatHold(): KindNetwork[] {
    return this.#listed.networks.filter(({ network, kind, line }) => {
      const isHolding = !this.#isJudged(kind) || !this.#isNetworkListed(network, kind)
      if (!isHolding) {
        this.#add(kind, line, formatNetwork(network))
        this.networks.add(network)
      }
      return isHolding
    })
  }

  /** What does not hold, of list `list`. */
  rejectionsOf(list: number): readonly Rejection[] {
    return this.#rejections.get(list)?.summary() ?? []
  }

  #isJudged(kind: number): boolean {
    const { kinds, targets, fetched } = this.#listed
    const { list, frees } = kinds[kind]!
    return frees && targets[list]!.kind === 'category' && fetched[list]!
  }

  #add(kind: number, line: number, text: string): void {
    const { list } = this.#listed.kinds[kind]!
    const rejections = this.#rejections.get(list) ?? new Rejections()
    rejections.add('overruled', line, text)
    this.#rejections.set(list, rejections)
  }

  /** The name, or a parent of it, or a network that holds it. */
  #isListed(name: Uint8Array, kind: number): boolean {
    const { nodes } = this.#listed
    const literal = isLiteral(name, 0, name.length)
    for (let start = 0; ; ) {
      const node = nodes.find(name.subarray(start))
      for (let source = node === NONE ? NONE : nodes.sourceOf(node); source !== NONE; ) {
        if (this.#isOther(kind, nodes.kindOf(source))) return true
        source = nodes.nextOf(source)
      }
      const dot = literal ? -1 : name.indexOf(DOT, start)
      if (dot < 0) break
      start = dot + 1
    }
    const address = literal ? parseAddress(textOf(name)) : null
    if (address === null) return false
    return this.#isNetworkListed({ words: address.words, prefix: ADDRESS_BITS }, kind)
  }

  #isNetworkListed({ words, prefix: own }: Network, kind: number): boolean {
    for (const prefix of this.#prefixes) {
      if (prefix > own) continue
      const kinds = this.#networks.get(nameOf(words, prefix)) ?? []
      if (kinds.some((other) => this.#isOther(kind, other))) return true
    }
    return false
  }

  /** True where `other` lists, for another list, in the category that `kind` frees from. */
  #isOther(kind: number, other: number): boolean {
    const { kinds, targets } = this.#listed
    const own = kinds[kind]!.list
    const { list, frees } = kinds[other]!
    if (frees || list === own) return false
    const [freed, listed] = [targets[own]!, targets[list]!]
    return freed.kind === 'category' && listed.kind === 'category' && freed.bit === listed.bit
  }
}

/** Of the network of that length that holds the address. */
function nameOf(words: Network['words'], prefix: number): string {
  const bits = words.map((word, i) => {
    const own = Math.min(WORD_BITS, Math.max(0, prefix - i * WORD_BITS))
    return own === 0 ? 0 : (word & (-1 << (WORD_BITS - own))) >>> 0
  })
  return `${bits.join()}/${prefix}`
}

function textOf(name: Uint8Array): string {
  return Buffer.from(name).toString('latin1')
}
