/**
 * Owns: which hosts that must never be blocked the lists of categories would catch, while an image
 * is built.
 * Never: decides what becomes of it.
 */
import { contains, formatNetwork, parseAddress } from '../policy/address.ts'
import type { LabelTarget } from '../policy/source.ts'
import { DOT, FLAG_NEVER_BLOCK, isLiteral, MASK_EXCEPTED_CATEGORIES, MASK_FLAGS } from './layout.ts'
import { labelsOfTarget, type Masks, type SourceKind } from './masks.ts'
import type { KindNetwork } from './networks.ts'
import { NONE, type Nodes } from './nodes.ts'
import { CAUGHT_MAX, type CaughtCanary } from './report.ts'

export interface CanaryGround {
  readonly nodes: Nodes
  readonly masks: Masks
  readonly kinds: readonly SourceKind[]
  /** Of each list. */
  readonly targets: readonly LabelTarget[]
  readonly networks: readonly KindNetwork[]
}

/** The first CAUGHT_MAX, in the order of the hosts in their lists. What an exception frees is not caught. */
export function caughtCanaries(
  ground: CanaryGround,
  nameOf: (list: number) => string,
): CaughtCanary[] {
  const { nodes, masks, targets } = ground
  if (!targets.some(({ kind }) => kind === 'neverBlock')) return []
  const isCanary = Array.from({ length: masks.count }, (_, id) => {
    return (masks.labelsOf(id)[MASK_FLAGS]! & FLAG_NEVER_BLOCK) !== 0
  })
  const caught: CaughtCanary[] = []
  for (let node = 1; node <= nodes.count && caught.length < CAUGHT_MAX; node++) {
    if (isCanary[nodes.maskOf(node)]!) catchOne(ground, node, nameOf, caught)
  }
  return caught.slice(0, CAUGHT_MAX)
}

function catchOne(
  ground: CanaryGround,
  canary: number,
  nameOf: (list: number) => string,
  caught: CaughtCanary[],
): void {
  const { nodes, masks, kinds, targets } = ground
  const host = textOf(nodes.nameOf(canary))
  /** Categories that something at least as specific frees. */
  let freed = 0
  const note = (kind: number, domain: string, line: number) => {
    const { list, frees } = kinds[kind]!
    const target = targets[list]!
    if (frees || target.kind !== 'category' || (freed & (1 << target.bit)) !== 0) return
    caught.push({ host, list: nameOf(list), domain, line })
  }
  for (const node of pathUp(nodes, canary)) {
    freed |= masks.labelsOf(nodes.maskOf(node))[MASK_EXCEPTED_CATEGORIES]!
    const sources: number[] = []
    for (let source = nodes.sourceOf(node); source !== NONE; source = nodes.nextOf(source)) {
      sources.unshift(source)
    }
    const domain = textOf(nodes.nameOf(node))
    for (const source of sources) note(nodes.kindOf(source), domain, nodes.lineOf(source))
  }
  for (const networks of networksAround(ground, host)) {
    for (const { kind } of networks) {
      const { list, frees } = kinds[kind]!
      freed |= labelsOfTarget(targets[list]!, frees)[MASK_EXCEPTED_CATEGORIES]!
    }
    for (const { kind, network, line } of networks) note(kind, formatNetwork(network), line)
  }
}

/** The node, its parents, and the top-level domain where it is listed. */
function pathUp(nodes: Nodes, from: number): number[] {
  const path: number[] = []
  for (let node = from; node !== NONE; node = nodes.parentOf(node)) path.push(node)
  const name = nodes.nameOf(from)
  const dot = name.lastIndexOf(DOT)
  const top = dot < 0 || isLiteral(name, 0, name.length) ? NONE : nodes.find(name.subarray(dot + 1))
  return top === NONE ? path : [...path, top]
}

/** The networks that hold the address that `host` is, if it is one; those of one size together, the smallest first. */
function networksAround({ networks }: CanaryGround, host: string): KindNetwork[][] {
  const address = parseAddress(host)
  if (address === null) return []
  const around = networks.filter(({ network }) => contains(network, address))
  const prefixes = [...new Set(around.map(({ network }) => network.prefix))].sort((a, b) => b - a)
  return prefixes.map((prefix) => around.filter(({ network }) => network.prefix === prefix))
}

function textOf(name: Uint8Array): string {
  return Buffer.from(name).toString('latin1')
}
