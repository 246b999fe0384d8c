/**
 * Owns: from parsed lists to an image and the report on it.
 * Never: reads a file; compile.ts does.
 */

import { formatAddress } from '../policy/address.ts'
import type { ListSource } from '../policy/source.ts'
import { assemble } from './assemble.ts'
import { caughtCanaries } from './canaries.ts'
import { reportOf } from './image-report.ts'
import { IMAGE_BYTES_MAX, LISTS_MAX, MASKS_MAX } from './layout.ts'
import type { ListedNetwork, ParsedLines } from './lines.ts'
import { labelsOfTarget, lists as listsAny, Masks, type SourceKind } from './masks.ts'
import { ADDRESS_BITS, intervalsOf, type KindNetwork, NETWORKS_MAX } from './networks.ts'
import { type KindNames, type NameBuffer, NONE, Nodes } from './nodes.ts'
import { Overruled } from './overruled.ts'
import type { BuildReport, ListReport } from './report.ts'

export interface ParsedList {
  readonly source: Pick<ListSource, 'name' | 'file' | 'target' | 'provenance'>
  readonly parsed: ParsedLines
}

export interface BuildOptions {
  /** How long ago the work began, for the report. */
  readonly elapsedMs: () => number
  /** What the lists were made of: 64 hex digits, or empty. image-file.ts asks for it at the next start. */
  readonly key?: string
  /** Told now and then how many of the names are done. */
  readonly onProgress?: (done: number, total: number) => void
}

/** Why no image was made. `list` is empty where it is not the fault of one. */
export interface BuildProblem {
  readonly list: string
  readonly file: string | null
  readonly line: number | null
  readonly what: string
  readonly hint: string
}

export interface Built {
  readonly kind: 'built'
  readonly buffer: SharedArrayBuffer
  readonly report: BuildReport
}

export interface BuildFailure {
  readonly kind: 'failed'
  readonly problems: readonly BuildProblem[]
}

export type BuildResult = Built | BuildFailure

/** Names between two words of progress. */
const PROGRESS_NAMES = 100_000

/** Builds the image of the lists, in their order. */
export function buildImage(lists: readonly ParsedList[], options: BuildOptions): BuildResult {
  if (lists.length > LISTS_MAX) {
    return failed(`${lists.length} lists, and at most ${LISTS_MAX} fit`, 'Join some of them.')
  }
  const sorted = sort(lists)
  const { kinds } = sorted
  if (sorted.networks.length > NETWORKS_MAX) {
    return failed(
      `${sorted.networks.length} networks of addresses, and at most ${NETWORKS_MAX} fit`,
      'Use fewer or shorter lists.',
    )
  }
  const masks = new Masks(
    kinds.map(({ list, frees }) => labelsOfTarget(lists[list]!.source.target, frees)),
  )
  const targets = lists.map(({ source }) => source.target)
  const fetched = lists.map(({ source }) => source.provenance.fetchedMs !== null)
  const inputs = [...sorted.inputs]
  const nodes = new Nodes(inputs, (mask, kind) => masks.join(mask, kind))
  const progress = progressOf(inputs, options)
  const duplicates = new Array<number>(inputs.length).fill(0)
  const add = (frees: boolean, prepare: (input: KindNames) => KindNames) => {
    for (const [i, input] of inputs.entries()) {
      if (kinds[input.kind]!.frees !== frees) continue
      inputs[i] = prepare(input)
      duplicates[i] = nodes.addInput(i, progress.added)
    }
  }
  add(false, (input) => input)
  const overruled = new Overruled({ nodes, kinds, targets, fetched, networks: sorted.networks })
  add(true, (input) => overruled.namesThatHold(input))
  const networks = overruled.networksThatHold()
  const intervals = intervalsOf(networks, masks)
  if (masks.overflowed) {
    return failed(
      `the lists overlap in more than ${MASKS_MAX - 1} different combinations of labels`,
      'Use fewer categories and platforms, or lists that overlap less.',
    )
  }
  const reports = reportLists(lists, { kinds, inputs, nodes, duplicates, overruled })
  const caught = caughtCanaries({ nodes, masks, kinds, targets, networks }, (list) => {
    return lists[list]!.source.name
  })
  const buffer = assemble({
    nodes,
    masks,
    kinds,
    intervals,
    networks,
    report: { lists: reports, caught },
    key: options.key ?? '',
    domains: countListed(nodes, masks),
    elapsedMs: options.elapsedMs,
    onNodes: progress.laidOut,
  })
  if (buffer === null) {
    return failed(
      `the lists need an image of more than ${IMAGE_BYTES_MAX} bytes`,
      'Use fewer or shorter lists.',
    )
  }
  return { kind: 'built', buffer, report: reportOf(buffer) }
}

function failed(what: string, hint: string): BuildFailure {
  return { kind: 'failed', problems: [{ list: '', file: null, line: null, what, hint }] }
}

/** Half of the work is to add the names, the other half to lay out their nodes. */
function progressOf(inputs: readonly KindNames[], { onProgress }: BuildOptions) {
  const total = inputs.reduce((sum, { nameLines }) => sum + nameLines.length, 0)
  let added = 0
  let told = 0
  const tell = (done: number) => {
    if (done - told < PROGRESS_NAMES && done < total) return
    told = done
    onProgress?.(done, total)
  }
  return {
    added: (names: number) => {
      added += names
      tell(Math.floor(added / 2))
    },
    laidOut: (share: number) => tell(Math.round((total * (1 + share)) / 2)),
  }
}

interface Sorted {
  readonly kinds: readonly SourceKind[]
  readonly inputs: readonly KindNames[]
  readonly networks: readonly KindNetwork[]
}

/** By kind, what the lists hold; a network of one address is its name, so that one rule serves both. */
function sort(lists: readonly ParsedList[]): Sorted {
  const kinds: SourceKind[] = []
  const inputs: KindNames[] = []
  const networks: KindNetwork[] = []
  for (const [list, { source, parsed }] of lists.entries()) {
    const { target } = source
    for (const exception of [false, true]) {
      const names = exception ? parsed.exceptions : parsed
      const own = parsed.networks.filter((one) => one.exception === exception)
      // A list that never blocks cannot free from that.
      if (exception && target.kind === 'neverBlock') continue
      if (exception && names.nameLines.length === 0 && own.length === 0) continue
      const kind = kinds.length
      kinds.push({ list, frees: exception || target.kind === 'exception' })
      inputs.push({ ...names, kind })
      const lone = own.filter(({ network }) => network.prefix === ADDRESS_BITS)
      if (lone.length > 0) inputs.push({ ...namesOf(lone), kind })
      for (const { network, line } of own) {
        if (network.prefix < ADDRESS_BITS) networks.push({ network, kind, line })
      }
    }
  }
  return { kinds, inputs, networks }
}

function namesOf(networks: readonly ListedNetwork[]): NameBuffer {
  const texts = networks.map(({ network }) => formatAddress(network))
  const names = texts.flatMap((text) => [text.length, ...new TextEncoder().encode(text)])
  return {
    names: Uint8Array.from(names),
    nameLines: Uint32Array.from(networks, ({ line }) => line),
    nodesMax: texts.length,
  }
}

interface Counted {
  readonly kinds: readonly SourceKind[]
  readonly inputs: readonly KindNames[]
  readonly nodes: Nodes
  /** Of each input. */
  readonly duplicates: readonly number[]
  readonly overruled: Overruled
}

function reportLists(lists: readonly ParsedList[], counted: Counted): ListReport[] {
  const { kinds, inputs, nodes, duplicates, overruled } = counted
  const covered = countCovered(nodes, kinds)
  return lists.map(({ source, parsed }, list): ListReport => {
    const used = parsed.nameLines.length
    const own = inputs.findIndex(({ kind }) => kinds[kind]!.list === list)
    const freed = inputs.findIndex(
      ({ kind }) => kinds[kind]!.list === list && kind !== inputs[own]!.kind,
    )
    const domains = used - duplicates[own]!
    const networks = countNetworks(parsed.networks, false)
    const held = parsed.networks.filter(({ network }) => !overruled.networks.has(network))
    const lost = overruled.rejectionsOf(list)
    const exceptions =
      countNetworks(held, true) +
      (freed < 0 ? 0 : inputs[freed]!.nameLines.length - duplicates[freed]!)
    const { name, target, file, provenance } = source
    return {
      name,
      target,
      file,
      provenance,
      format: parsed.format,
      sha256: parsed.sha256,
      bytes: parsed.bytes,
      lines: parsed.lines,
      used,
      domains,
      duplicates: duplicates[own]!,
      covered: covered[list]!,
      exceptions: target.kind === 'exception' ? exceptions + domains + networks : exceptions,
      networks,
      rejected: lost.reduce((sum, { count }) => sum + count, parsed.rejectedCount),
      rejections: [...parsed.rejected, ...lost],
    }
  })
}

/** Different ones. */
function countNetworks(networks: readonly ListedNetwork[], exception: boolean): number {
  const names = networks
    .filter((one) => one.exception === exception)
    .map(({ network }) => `${network.words.join()}/${network.prefix}`)
  return new Set(names).size
}

/** Per list: how many of its domains have a parent in the same list. */
function countCovered(nodes: Nodes, kinds: readonly SourceKind[]): Uint32Array {
  const covered = new Uint32Array(kinds.length)
  for (let node = 1; node <= nodes.count; node++) {
    if (nodes.parentOf(node) === NONE) continue
    for (let source = nodes.sourceOf(node); source !== NONE; source = nodes.nextOf(source)) {
      const kind = nodes.kindOf(source)
      if (hasParentIn(nodes, node, kind)) covered[kind]!++
    }
  }
  const byList = new Uint32Array(kinds.length)
  for (const [kind, { list }] of kinds.entries()) {
    // The first kind of a list is what it lists.
    if (kinds[kind - 1]?.list !== list) byList[list] = covered[kind]!
  }
  return byList
}

function hasParentIn(nodes: Nodes, node: number, kind: number): boolean {
  for (let up = nodes.parentOf(node); up !== NONE; up = nodes.parentOf(up)) {
    for (let source = nodes.sourceOf(up); source !== NONE; source = nodes.nextOf(source)) {
      if (nodes.kindOf(source) === kind) return true
    }
  }
  return false
}

/** Hosts that are listed, not only freed. */
function countListed(nodes: Nodes, masks: Masks): number {
  const listed = Array.from({ length: masks.count }, (_, id) => listsAny(masks.labelsOf(id)))
  let count = 0
  for (let node = 1; node <= nodes.count; node++) if (listed[nodes.maskOf(node)]!) count++
  return count
}
