/**
 * Owns: from parsed lists to an image and the report on it.
 * Never: reads a file; compile.ts does.
 */
import type { LabelTarget, ListSource } from '../policy/source.ts'
import { assemble } from './assemble.ts'
import {
  FLAG_NEVER_BLOCK,
  IMAGE_BYTES_MAX,
  LISTS_MAX,
  type ListRow,
  MASK_BACKGROUND,
  MASK_CATEGORIES,
  MASK_FLAGS,
  MASK_PLATFORMS,
  MASK_WORDS,
  MASKS_MAX,
} from './layout.ts'
import type { ParsedLines } from './lines.ts'
import { NONE, Nodes } from './nodes.ts'
import type { Rejection } from './rejection.ts'

export interface ParsedList {
  readonly source: Pick<ListSource, 'name' | 'file' | 'target'>
  readonly parsed: ParsedLines
}

export interface ListReport extends ListRow {
  readonly file: string | null
  /** Names read and usable, duplicates among them. */
  readonly used: number
  /**
   * Of its domains: those whose work a parent of two labels or more in the same list does already.
   */
  readonly covered: number
  readonly rejections: readonly Rejection[]
}

export interface BuildReport {
  readonly lists: readonly ListReport[]
  /** Different hosts that are listed, in all lists together. */
  readonly domains: number
  /** Those and their parents. */
  readonly nodes: number
  readonly bytes: number
  readonly buildMs: number
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

/** Builds the image. `elapsedMs` says how long ago the work began, for the report. */
export function buildImage(lists: readonly ParsedList[], elapsedMs: () => number): BuildResult {
  if (lists.length > LISTS_MAX) {
    return failed(`${lists.length} lists, and at most ${LISTS_MAX} fit`, 'Join some of them.')
  }
  const masks = new Masks(lists.map(({ source }) => source.target))
  const nodes = new Nodes(
    lists.map(({ parsed }) => parsed),
    (mask, list) => masks.join(mask, list),
  )
  const duplicates = lists.map((_, list) => nodes.addList(list))
  if (masks.overflowed) {
    return failed(
      `the lists overlap in more than ${MASKS_MAX - 1} different combinations of labels`,
      'Use fewer categories and platforms, or lists that overlap less.',
    )
  }
  const covered = countCovered(nodes, lists.length)
  const reports = lists.map(({ source, parsed }, list): ListReport => {
    const used = parsed.nameLines.length
    return {
      name: source.name,
      target: source.target,
      file: source.file,
      lines: parsed.lines,
      used,
      domains: used - duplicates[list]!,
      duplicates: duplicates[list]!,
      covered: covered[list]!,
      rejected: parsed.rejectedCount,
      rejections: parsed.rejected,
    }
  })
  const buffer = assemble(nodes, masks.words(), reports.map(rowOf))
  if (buffer === null) {
    return failed(
      `the lists need an image of more than ${IMAGE_BYTES_MAX} bytes`,
      'Use fewer or shorter lists.',
    )
  }
  const report: BuildReport = {
    lists: reports,
    domains: nodes.listed,
    nodes: nodes.count,
    bytes: buffer.byteLength,
    buildMs: elapsedMs(),
  }
  return { kind: 'built', buffer, report }
}

function failed(what: string, hint: string): BuildFailure {
  return { kind: 'failed', problems: [{ list: '', file: null, line: null, what, hint }] }
}

/** What of a report stays in the image. */
function rowOf({ name, target, lines, domains, duplicates, rejected }: ListReport): ListRow {
  return { name, target, lines, domains, duplicates, rejected }
}

/** Per list: how many of its domains have a parent in the same list. */
function countCovered(nodes: Nodes, lists: number): Uint32Array {
  const covered = new Uint32Array(lists)
  for (let node = 1; node <= nodes.count; node++) {
    if (nodes.parent[node] === NONE) continue
    for (let source = nodes.source[node]!; source !== NONE; source = nodes.sourceNext[source]!) {
      const list = nodes.sourceList[source]!
      if (hasParentIn(nodes, node, list)) covered[list]!++
    }
  }
  return covered
}

function hasParentIn(nodes: Nodes, node: number, list: number): boolean {
  for (let up = nodes.parent[node]!; up !== NONE; up = nodes.parent[up]!) {
    for (let source = nodes.source[up]!; source !== NONE; source = nodes.sourceNext[source]!) {
      if (nodes.sourceList[source] === list) return true
    }
  }
  return false
}

/** The different combinations of labels, each with an id; id 0 is the empty one. */
class Masks {
  readonly #words: number[] = [0, 0, 0, 0]
  readonly #ids = new Map<string, number>([['0,0,0,0', 0]])
  readonly #labels: readonly (readonly number[])[]
  /** Of each mask and list together: the id, so that a name costs one look-up and no arithmetic. */
  readonly #joined = new Map<number, number>()
  overflowed = false

  constructor(targets: readonly LabelTarget[]) {
    this.#labels = targets.map(labelWords)
  }

  join(mask: number, list: number): number {
    const key = mask * this.#labels.length + list
    const known = this.#joined.get(key)
    if (known !== undefined) return known
    const words = this.#labels[list]!.map((word, i) => word | this.#words[mask * MASK_WORDS + i]!)
    const name = words.join()
    let id = this.#ids.get(name) ?? this.#ids.size
    if (id >= MASKS_MAX) {
      this.overflowed = true
      id = 0
    } else if (id === this.#ids.size) {
      this.#ids.set(name, id)
      this.#words.push(...words)
    }
    this.#joined.set(key, id)
    return id
  }

  words(): Int32Array {
    return Int32Array.from(this.#words)
  }
}

function labelWords(target: LabelTarget): number[] {
  const words = new Array<number>(MASK_WORDS).fill(0)
  if (target.kind === 'neverBlock') words[MASK_FLAGS] = FLAG_NEVER_BLOCK
  else if (target.kind === 'category') words[MASK_CATEGORIES] = 1 << target.bit
  else {
    words[MASK_PLATFORMS] = 1 << target.bit
    if (target.kind === 'background') words[MASK_BACKGROUND] = 1 << target.bit
  }
  return words
}
