/**
 * Owns: what the service says of itself, to `sluss status`, the portal's /health and tests.
 * Never: a name, a host or an address of anyone's traffic.
 */
import { formatTime } from '../policy/index.ts'
import type { Counters, Endpoint } from '../proxy/world.ts'
import { formatProblem } from '../settings/problems.ts'
import type { BuiltImage } from './image-store.ts'
import {
  caughtWarnings,
  eachList,
  type ListsStatus,
  type ListsView,
  listAlarms,
  totalsOf,
} from './list-status.ts'
import type { ProxyThreads } from './threads.ts'

export interface Status {
  readonly healthy: boolean
  readonly alarms: readonly string[]
  /** Local time with offset. */
  readonly since: string
  readonly run: string
  readonly proxy: readonly Endpoint[]
  readonly portal: readonly Endpoint[]
  readonly threads: number
  /** Number of the policy in force on every thread: counts up with each change. */
  readonly policy: number
  readonly loaded: {
    /** Local time with offset of the last reading of the files. */
    readonly at: string
    readonly outcome: 'in force' | 'refused'
    readonly problems: readonly string[]
    readonly warnings: readonly string[]
  }
  readonly lists: ListsStatus
  readonly counters: Counters
}

export interface StatusParts {
  readonly run: string
  readonly sinceMs: number
  /** Of the log and the ledgers. */
  readonly alarms: readonly string[]
  readonly threads: Pick<ProxyThreads, 'endpoints' | 'count' | 'version' | 'counters'>
  readonly portal: readonly Endpoint[]
  readonly loaded: { readonly atMs: number; readonly problems: readonly string[] }
  readonly imageSinceMs: number
  readonly built: BuiltImage
  readonly view: ListsView
}

export function statusOf(parts: StatusParts): Status {
  const { run, sinceMs, threads, portal, loaded, imageSinceMs, built, view } = parts
  const { configuration } = view
  const { timezone } = configuration.settings.day
  const each = eachList(view)
  const alarms = [...parts.alarms, ...listAlarms(view, each)]
  const warnings = configuration.warnings.map((warning) => formatProblem(warning))
  return {
    healthy: alarms.length === 0,
    alarms,
    since: formatTime(timezone, sinceMs),
    run,
    proxy: threads.endpoints,
    portal,
    threads: threads.count,
    policy: threads.version,
    loaded: {
      at: formatTime(timezone, loaded.atMs),
      outcome: loaded.problems.length === 0 ? 'in force' : 'refused',
      problems: loaded.problems,
      warnings: [...warnings, ...caughtWarnings(built.report.caught)],
    },
    lists: { ...totalsOf(built), since: formatTime(timezone, imageSinceMs), each },
    counters: threads.counters,
  }
}
