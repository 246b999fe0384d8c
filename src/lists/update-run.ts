/**
 * Owns: what an update is given, and what it says of each list.
 * Never: does anything; update.ts, stage.ts and settle.ts do.
 */
import type { ListSource } from '../policy/source.ts'
import type { BuildResult, Built } from './build.ts'
import type { Resolve } from './fetch-route.ts'
import type { Refusal } from './guard-rails.ts'
import type { Acceptance, Holding, Library, ListVersion } from './library.ts'
import type { RemoteList, UpdateRules } from './remote.ts'
import type { BuildProgress, BuildReport } from './report.ts'
import type { Trouble } from './trouble.ts'

export type UpdateEvent =
  | {
      readonly kind: 'fetch'
      readonly list: string
      /** Bytes. */
      readonly done: number
      /** Null: the server does not say. */
      readonly total: number | null
    }
  | ({ readonly kind: 'build' } & BuildProgress)

export interface UpdateContext {
  readonly library: Library
  readonly rules: UpdateRules
  /** Of Sluss; servers are told. */
  readonly version: string
  /** On the image in force, or null where there is none. */
  readonly inForce: BuildReport | null
  /**
   * All lists there are, local ones too, those of the map in the versions that it says:
   * `library.sourcesOf(remotes, versions)` gives the remote ones.
   */
  readonly sources: (versions: ReadonlyMap<string, ListVersion>) => readonly ListSource[]
  readonly build: (
    sources: readonly ListSource[],
    onProgress: (progress: BuildProgress) => void,
  ) => Promise<BuildResult>
  /**
   * Given the image of all lists as they are about to be, once nothing speaks against it: it may be
   * saved before anybody sees that versions have changed. Where it rejects, none has.
   */
  readonly beforeCommit?: (image: Built) => Promise<void>
  /** Fetch and judge, and put nothing in force. */
  readonly hold?: boolean
  readonly signal?: AbortSignal
  readonly onProgress?: (event: UpdateEvent) => void
  readonly resolve?: Resolve
  readonly nowMs?: () => number
  /** From 0 up to 1. */
  readonly random?: () => number
  readonly sleep?: (ms: number, signal: AbortSignal) => Promise<void>
}

/** What became of one list. */
export interface ListOutcome {
  readonly list: string
  /**
   * `failed`: it could not be fetched, or not be built with the others; `refused` and `held`: the new
   * version is pending. In all cases but `accepted` what was in force still is.
   */
  readonly status: 'unchanged' | 'accepted' | 'refused' | 'held' | 'failed'
  /** Of a failure. */
  readonly trouble: Trouble | null
  readonly refusals: readonly Refusal[]
  /** The version that it is about, or null where none came. */
  readonly version: ListVersion | null
  readonly entriesBefore: number | null
  /** Of the new version, where it was built. */
  readonly entriesAfter: number | null
  readonly used: number | null
  readonly rejected: number | null
  /** From the first byte asked to the verdict. */
  readonly durationMs: number
}

/** A version that waits for its verdict. */
export interface Candidate {
  readonly list: string
  /** By the guard rails of its list, or already by somebody who has seen what speaks against it. */
  readonly judged: RemoteList | Acceptance
  readonly version: ListVersion
  readonly holding: Holding
  readonly beganMs: number
}

export type Staged = Candidate | ListOutcome

export function isCandidate(staged: Staged): staged is Candidate {
  return 'holding' in staged
}

export const nowOf = ({ nowMs = Date.now }: UpdateContext) => nowMs()

/** An outcome without a build. */
export function outcomeOf(
  list: string,
  status: ListOutcome['status'],
  rest: Partial<ListOutcome> & Pick<ListOutcome, 'durationMs'>,
): ListOutcome {
  const nothing = { trouble: null, refusals: [], version: null, entriesBefore: null }
  const noCounts = { entriesAfter: null, used: null, rejected: null }
  return { list, status, ...nothing, ...noCounts, ...rest }
}
