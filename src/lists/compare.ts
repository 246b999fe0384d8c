/**
 * Owns: what a change of lists comes to: the names, and the hosts of the log, that it would newly
 * catch or free.
 * Never: judges whether that is right; people do, before they accept it.
 */
import { type Labels, noLabels } from '../policy/policy.ts'
import type { NameList, ParsedLines } from './lines.ts'
import { Lookup } from './lookup.ts'

export interface Comparison {
  /** All lists as they are in force. */
  readonly before: SharedArrayBuffer
  /** All lists as they would be. */
  readonly after: SharedArrayBuffer
}

/** The labels that a name or host gains and loses, as bits; never-block apart. */
export interface Change {
  readonly name: string
  readonly caught: Gain
  readonly freed: Gain
}

export interface Gain {
  readonly categories: number
  readonly platforms: number
  readonly neverBlock: boolean
}

export interface NameChanges {
  /** Different names that gain or lose a label. */
  readonly caught: number
  readonly freed: number
  /** The first `kept` of both, in the order of the lists. */
  readonly first: readonly Change[]
}

/**
 * The names of one list, as it is (null: there was none) and as it would be, whose labels change.
 * A name that another list, or a parent of it, labels all the same does not change.
 */
export function compareNames(
  { before, after }: Comparison,
  lists: { readonly before: ParsedLines | null; readonly after: ParsedLines | null },
  kept: number,
): NameChanges {
  const pair = new Pair(before, after)
  const seen = new Set<string>()
  const first: Change[] = []
  let caught = 0
  let freed = 0
  for (const list of [lists.after, lists.before]) {
    for (const names of list === null ? [] : [list, list.exceptions]) {
      forEachName(names, (bytes, start, end) => {
        if (!pair.differs(bytes, start, end)) return
        const name = latin1(bytes, start, end)
        if (seen.has(name)) return
        seen.add(name)
        const change = pair.change(name)
        if (isGain(change.caught)) caught++
        if (isGain(change.freed)) freed++
        if (first.length < kept) first.push(change)
      })
    }
  }
  return { caught, freed, first }
}

/** Of `hosts`, in normal form, those whose labels change. */
export function compareHosts({ before, after }: Comparison, hosts: Iterable<string>): Change[] {
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

  differs(bytes: Uint8Array, start: number, end: number): boolean {
    const [was, is] = [this.#was, this.#is]
    this.#before.matchBytes(bytes, start, end, was)
    this.#after.matchBytes(bytes, start, end, is)
    return (
      was.categories !== is.categories ||
      was.platforms !== is.platforms ||
      was.neverBlock !== is.neverBlock
    )
  }

  change(name: string): Change {
    const [was, is] = [this.#was, this.#is]
    this.#before.match(name, was)
    this.#after.match(name, is)
    return { name, caught: beyond(is, was), freed: beyond(was, is) }
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

function forEachName(
  { names, nameLines }: NameList,
  visit: (bytes: Uint8Array, start: number, end: number) => void,
): void {
  let at = 0
  for (let i = 0; i < nameLines.length; i++) {
    const end = at + 1 + names[at]!
    visit(names, at + 1, end)
    at = end
  }
}

function latin1(bytes: Uint8Array, start: number, end: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString('latin1')
}
