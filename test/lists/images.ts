/** Owns: images of made-up lists, and the plain walk that they are compared with. */
import { type Built, buildImage, type ParsedList } from '../../src/lists/build.ts'
import { parseEntries } from '../../src/lists/lines.ts'
import { type Labels, noLabels } from '../../src/policy/policy.ts'
import type { LabelTarget } from '../../src/policy/source.ts'

export interface TestList {
  readonly name: string
  readonly target: LabelTarget
  /** Domains in normal form; one of a single label is listed as `*.label`. */
  readonly domains: readonly string[]
}

export const porn: LabelTarget = { kind: 'category', bit: 0 }

export function listOf(...domains: string[]): TestList {
  return { name: 'test', target: porn, domains }
}

/** Line n of a list is its n-th domain. */
export function parsedList({ name, target, domains }: TestList): ParsedList {
  const entries = domains.map((domain, i) => ({ text: entryOf(domain), line: i + 1 }))
  return { source: { name, target, file: null }, parsed: parseEntries(entries) }
}

function entryOf(domain: string): string {
  return /^[^.:]+$/.test(domain) ? `*.${domain}` : domain
}

export function imageOf(...lists: TestList[]): Built {
  const result = buildImage(lists.map(parsedList), () => 0)
  if (result.kind === 'failed') throw new Error(JSON.stringify(result.problems))
  return result
}

export function isAddress(host: string): boolean {
  return host.includes(':') || /(^|\.)\d+$/.test(host)
}

/** The host and its parents, the most specific first; an address has none. */
export function suffixesOf(host: string): string[] {
  if (isAddress(host)) return [host]
  const labels = host.split('.')
  return labels.map((_, i) => labels.slice(i).join('.'))
}

/** What Lookup must say, said plainly. */
export class PlainWalk {
  readonly #lists: { set: Set<string>; target: LabelTarget }[]

  constructor(lists: readonly TestList[]) {
    this.#lists = lists.map(({ domains, target }) => ({ set: new Set(domains), target }))
  }

  labels(host: string): Labels {
    const labels = noLabels()
    for (const { set, target } of this.#lists) {
      if (suffixesOf(host).some((suffix) => set.has(suffix))) addTarget(labels, target)
    }
    return labels
  }
}

export function addTarget(labels: Labels, target: LabelTarget): void {
  if (target.kind === 'neverBlock') labels.neverBlock = true
  else if (target.kind === 'category') labels.categories |= 1 << target.bit
  else {
    labels.platforms |= 1 << target.bit
    if (target.kind === 'background') labels.background |= 1 << target.bit
  }
}
