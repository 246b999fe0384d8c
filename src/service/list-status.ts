/**
 * Owns: what the service says of its lists: to `sluss status`, `sluss lists status`, /health.
 * Never: a host that anybody asked for.
 */
import { entriesOf } from '../lists/guard-rails.ts'
import type { Holding } from '../lists/library.ts'
import type { BuildReport, CaughtCanary, ListReport } from '../lists/report.ts'
import type { LabelTarget, Policy } from '../policy/index.ts'
import { printable } from '../settings/problems.ts'
import type { Configuration } from './configuration.ts'
import type { BuiltImage } from './image-store.ts'
import type { LocalRefusal } from './local-lists.ts'
import { libraryIn } from './remote-lists.ts'

/** Fetching that failed so often in a row is no passing trouble. */
export const FAILURES_ALARM = 3
/** Never-block hosts in lists that are told; the rest are counted. */
const CAUGHT_TOLD_MAX = 20

export interface ListsStatus {
  /** All, those of the platforms too. */
  readonly lists: number
  readonly domains: number
  readonly networks: number
  /** Of the image. */
  readonly bytes: number
  /** Whether the image was built, or loaded as it was saved; and how long that took. */
  readonly source: 'built' | 'loaded'
  readonly tookMs: number
  /** Local time with offset: since then the image is in force. */
  readonly since: string
  /** Lists that lie in files, in force or not. */
  readonly each: readonly ListStatus[]
}

export interface PendingStatus {
  /** In hex. */
  readonly sha256: string
  /** Null: not known before it is built. */
  readonly entries: number | null
  /** Why it is not in force, and what to do. */
  readonly why: readonly string[]
}

export interface ListStatus {
  readonly name: string
  /** `porn`; `neverBlock`. */
  readonly category: string
  /** It frees from the category. */
  readonly exceptions: boolean
  /** A URL, or a path as the settings have it. */
  readonly source: string
  readonly licence: string
  readonly format: string | null
  /** Of the version in force, in hex; null: none is. */
  readonly sha256: string | null
  /** Unix milliseconds; null: it is edited where it lies, or was never fetched. */
  readonly fetchedMs: number | null
  /** When its server last said that there is no newer. */
  readonly checkedMs: number | null
  readonly entries: number
  readonly networks: number
  readonly rejected: number
  readonly state: 'in force' | 'pending' | 'failed' | 'never fetched'
  /** Why it is not simply in force; empty where it is. */
  readonly why: string
  readonly pending: PendingStatus | null
  /** When it is fetched next, in Unix milliseconds; null: it is not. */
  readonly nextMs: number | null
}

export interface ListsView {
  /** Of the image in force, or, where nothing runs, of the saved one; null: there is none. */
  readonly report: BuildReport | null
  /** Lists that lie here and are not taken as they are now. */
  readonly refused: readonly LocalRefusal[]
  /** By name, lists that cannot be read as they are now, and why. */
  readonly broken: ReadonlyMap<string, string>
  /** Why the lists of an earlier run are in force. */
  readonly stale: readonly string[]
  readonly configuration: Configuration
  readonly policy: Policy
  /** The state folder. */
  readonly state: string
  /** When each fetched list is looked at next. */
  readonly due: ReadonlyMap<string, number>
}

/** What there is to say where no service runs. */
export function offlineView(
  configuration: Configuration,
  report: BuildReport | null,
  state: string,
): ListsView {
  const policy = configuration.policyOf(1)
  const nothing = { refused: [], broken: new Map<string, string>(), stale: [] }
  return { report, ...nothing, configuration, policy, state, due: new Map() }
}

export function totalsOf({ report, origin, tookMs, image }: BuiltImage) {
  return {
    lists: report.lists.length,
    domains: report.domains,
    networks: report.lists.reduce((sum, { networks }) => sum + networks, 0),
    bytes: image.byteLength,
    source: origin,
    tookMs: Math.round(tookMs),
  }
}

/** Each list that lies in a file, in the order of the image; then those that are not in it. */
export function eachList(view: ListsView): ListStatus[] {
  const { report, configuration } = view
  const library = libraryIn(view.state)
  const remotes = new Map(configuration.remotes.map((remote) => [remote.name, remote]))
  const held = (name: string) => (remotes.has(name) ? library.read(name) : null)
  const lists = report?.lists ?? []
  const names = new Set(lists.map(({ name }) => name))
  const present = lists
    .filter(({ file }) => file !== null)
    .map((list) => statusOf(list, held(list.name), view))
  const unfetched = configuration.remotes
    .filter(({ name }) => !names.has(name))
    .map(({ name, target, url, licence }) => {
      const known = { name, source: url, licence, ...targetWords(target, view.policy) }
      return { ...known, ...NOTHING, ...standing(name, held(name), view, false) }
    })
  const unbuilt = configuration.sources
    .filter(({ name, file }) => file !== null && !names.has(name) && !remotes.has(name))
    .map(({ name, target, provenance: { source, licence } }): ListStatus => {
      const known = { name, source, licence, ...targetWords(target, view.policy) }
      const why = 'it is in no image yet: the next start builds one'
      const waiting = { state: 'pending' as const, why, pending: null }
      return { ...known, ...NOTHING, ...waiting, checkedMs: null, nextMs: null }
    })
  return [...present, ...unfetched, ...unbuilt]
}

const NOTHING = {
  ...{ format: null, sha256: null, fetchedMs: null },
  ...{ entries: 0, networks: 0, rejected: 0 },
}

function statusOf(list: ListReport, holding: Holding | null, view: ListsView): ListStatus {
  const { name, target, provenance, format, sha256, networks, rejected } = list
  return {
    name,
    ...targetWords(target, view.policy),
    source: provenance.source,
    licence: provenance.licence,
    format,
    sha256,
    fetchedMs: provenance.fetchedMs,
    entries: entriesOf(list),
    networks,
    rejected,
    ...standing(name, holding, view, true),
  }
}

function targetWords(target: LabelTarget, { categories }: Policy) {
  const exceptions = target.kind === 'exception'
  if (target.kind === 'category' || target.kind === 'exception') {
    const category = categories.find(({ bit }) => bit === target.bit)?.name ?? ''
    return { category, exceptions }
  }
  return { category: target.kind, exceptions }
}

type Standing = Pick<ListStatus, 'state' | 'why' | 'pending' | 'nextMs' | 'checkedMs'>

function standing(
  name: string,
  holding: Holding | null,
  { refused, broken, due }: ListsView,
  present: boolean,
): Standing {
  const times = { nextMs: due.get(name) ?? null, checkedMs: holding?.current?.checkedMs ?? null }
  const local = refused.find((refusal) => refusal.name === name)
  const pending = local === undefined ? pendingOf(name, holding) : pendingOfLocal(local)
  const failed = holding?.attempts?.problem ?? null
  const failures = holding?.attempts?.failures ?? 0
  const fault = broken.get(name)
  if (fault !== undefined) return { ...times, state: 'failed', why: fault, pending }
  // One that has only just come is looked at in this moment, or by the next update.
  if (pending !== null && holding?.pending?.verdict !== 'unjudged') {
    return { ...times, state: 'pending', why: pending.why.join('; '), pending }
  }
  if (failed !== null && failures > 0) {
    const why = `${failed.what}. ${failed.hint}`
    return { ...times, state: present ? 'failed' : 'never fetched', why, pending }
  }
  if (present) return { ...times, state: 'in force', why: '', pending }
  return { ...times, state: 'never fetched', why: 'it has never been fetched', pending }
}

function pendingOfLocal({ sha256, entries, refusals }: LocalRefusal): PendingStatus {
  return { sha256, entries, why: refusals.map(({ what, hint }) => `${what}. ${hint}`) }
}

function pendingOf(name: string, holding: Holding | null): PendingStatus | null {
  const pending = holding?.pending ?? null
  if (pending === null) return null
  const { sha256, verdict, refusals } = pending
  if (verdict === 'refused') {
    return { sha256, entries: null, why: refusals.map(({ what, hint }) => `${what}. ${hint}`) }
  }
  const why =
    verdict === 'held'
      ? `it waits for somebody to take it: ./sluss lists accept ${name}`
      : 'it has come, and was not looked at to the end; the next update does'
  return { sha256, entries: null, why: [why] }
}

/** What people must look at. */
export function listAlarms(view: ListsView, each: readonly ListStatus[]): string[] {
  const { configuration } = view
  const library = libraryIn(view.state)
  const stale = view.stale.map(
    (why) => `all lists are in force as they were at an earlier run: ${why}`,
  )
  const named = each.flatMap(({ name, state, why, category, sha256 }): string[] => {
    const remote = configuration.remotes.some((one) => one.name === name)
    if (!remote) {
      const isTaken = state !== 'failed' && state !== 'pending'
      return isTaken || stale.length > 0
        ? []
        : [`list ${name}: what lies here is not taken: ${why}`]
    }
    if (state === 'never fetched') {
      const told = `list ${name} has never been fetched: what it lists is not in force for ${category}`
      return [why === '' ? told : `${told}; ${why}`]
    }
    if (sha256 === null) return [`list ${name}: nothing of it is in force for ${category}: ${why}`]
    const holding = library.read(name)
    if (state === 'pending' && holding.pending?.verdict === 'refused') {
      return [`list ${name}: the new version is refused: ${why}`]
    }
    const failures = holding.attempts?.failures ?? 0
    if (state !== 'failed' || failures < FAILURES_ALARM) return []
    return [`list ${name} could not be fetched ${failures} times in a row: ${why}`]
  })
  return [...stale, ...named]
}

/** Never-block hosts that lists would catch, were they not never blocked. */
export function caughtWarnings(caught: readonly CaughtCanary[]): string[] {
  const told = caught.slice(0, CAUGHT_TOLD_MAX).map(({ host, list, domain, line }) => {
    const by = domain === host ? '' : ` (by ${domain})`
    return printable(
      `${list}:${line}: it lists ${host}${by}, which is never blocked; the list is in force without it`,
    )
  })
  const rest = caught.length - told.length
  return rest > 0 ? [...told, `and ${rest} more hosts that are never blocked`] : told
}
