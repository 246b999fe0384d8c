/**
 * Owns: updates, for service and command line alike: fetch or import, build, judge, put in force.
 * Never: puts in force what does not build, or changes anything that the guard rails refuse.
 */
import type { Built } from './build.ts'
import { codeOf, diskTrouble } from './fetch-failure.ts'
import { routeOf, systemResolve } from './fetch-route.ts'
import type { RemoteList } from './remote.ts'
import { settle } from './settle.ts'
import { stageFetched, stageFile } from './stage.ts'
import type { Trouble } from './trouble.ts'
import {
  type ListOutcome,
  nowOf,
  outcomeOf,
  type Staged,
  type UpdateContext,
} from './update-run.ts'

export type { ListOutcome, UpdateContext, UpdateEvent } from './update-run.ts'

export interface UpdateDone {
  readonly kind: 'done'
  /** In the order in which they were given. */
  readonly lists: readonly ListOutcome[]
  /** At least one list has another version in force than before. */
  readonly changed: boolean
  /** Of all lists as they now are; null where nothing changed, or where it must be built again. */
  readonly image: Built | null
}

/** Nothing was done. */
export interface UpdateRefused extends Trouble {
  readonly kind: 'busy' | 'failed'
}

export type UpdateResult = UpdateDone | UpdateRefused

/** A file for a list. */
export interface ImportFile {
  readonly remote: RemoteList
  /** Absolute, or relative to where the command was given. */
  readonly file: string
}

/** Fetches each of `remotes`, one after another, and puts in force what may be. */
export function updateLists(
  remotes: readonly RemoteList[],
  context: UpdateContext,
): Promise<UpdateResult> {
  return exclusively(context, async () => {
    const route = routeOf(context.rules, context.resolve ?? systemResolve)
    if ('kind' in route) return { kind: 'failed', what: route.what, hint: route.hint }
    const staged: Staged[] = []
    for (const remote of remotes) {
      staged.push(await staging(remote.name, context, () => stageFetched(remote, route, context)))
    }
    return done(staged, context)
  })
}

/** For a network without the internet: files in the place of what would be fetched. */
export function importFiles(
  files: readonly ImportFile[],
  context: UpdateContext,
): Promise<UpdateResult> {
  return exclusively(context, async () => {
    const staged: Staged[] = []
    for (const { remote, file } of files) {
      staged.push(await staging(remote.name, context, () => stageFile(remote, file, context)))
    }
    return done(staged, context)
  })
}

/** Hex digits of the version that waits which people are told, unless they wrote more. */
const TOLD_DIGITS = 12

/** What to say where the version that waits is not the one that somebody has looked at, or null. */
export function otherVersion(name: string, sha256: string, seen: string | null): Trouble | null {
  if (seen === null || sha256.startsWith(seen)) return null
  const waits = sha256.slice(0, Math.max(TOLD_DIGITS, seen.length))
  const what = `the version of ${name} that waits is ${waits}, not ${seen}`
  return { what, hint: `Look at it first: ./sluss lists diff ${name}` }
}

/**
 * Puts the pending version of `name` in force, in spite of all but that it does not build. `seen`: how
 * its SHA-256 begins, in small hex digits; where another waits by now, nothing is done.
 */
export function acceptPending(
  name: string,
  by: string,
  context: UpdateContext,
  seen: string | null = null,
): Promise<UpdateResult> {
  return exclusively(context, async () => {
    const beganMs = nowOf(context)
    const holding = context.library.read(name)
    const { pending } = holding
    if (pending === null) {
      const what = `no version of ${name} is waiting`
      const trouble = { what, hint: 'See ./sluss lists status for those that are.' }
      return done([outcomeOf(name, 'failed', { trouble, durationMs: 0 })], context)
    }
    const other = otherVersion(name, pending.sha256, seen)
    if (other !== null) return { kind: 'failed', ...other }
    const refusals = pending.refusals.map(({ code }) => code)
    const acceptance = { by, atMs: beganMs, refusals }
    const candidate = { list: name, judged: acceptance, version: pending, holding, beganMs }
    return done([candidate], { ...context, hold: false })
  })
}

async function exclusively(
  context: UpdateContext,
  work: () => Promise<UpdateResult>,
): Promise<UpdateResult> {
  try {
    const lock = context.library.lock(nowOf(context))
    if (!('release' in lock)) {
      const since = new Date(lock.sinceMs).toISOString()
      const what = `another update is under way, in process ${lock.pid} since ${since}`
      return { kind: 'busy', what, hint: 'Wait until it has ended, then try again.' }
    }
    try {
      return await work()
    } finally {
      lock.release()
    }
  } catch (error) {
    if (codeOf(error) === '') throw error
    return { kind: 'failed', ...diskTrouble(error, 'the folder of the lists') }
  }
}

/** A disk that says no is the failure of one list, not of all. */
async function staging(
  list: string,
  context: UpdateContext,
  work: () => Promise<Staged>,
): Promise<Staged> {
  const beganMs = nowOf(context)
  try {
    return await work()
  } catch (error) {
    const trouble = diskTrouble(error, `the folder of list ${list}`)
    const entriesBefore = context.library.read(list).current?.entries ?? null
    return outcomeOf(list, 'failed', {
      trouble,
      entriesBefore,
      durationMs: nowOf(context) - beganMs,
    })
  }
}

async function done(staged: readonly Staged[], context: UpdateContext): Promise<UpdateDone> {
  const { lists, image } = await settle(staged, context)
  const changed = lists.some(({ status }) => status === 'accepted')
  return { kind: 'done', lists, changed, image }
}
