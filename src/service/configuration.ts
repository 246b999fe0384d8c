/**
 * Owns: everything that files say, read together: settings, platforms, register, users; and the policy
 * made of it.
 * Never: builds lists (world.ts asks a thread to), or keeps half of a broken configuration.
 */
import { readFileSync } from 'node:fs'
import { parseUsers, type Users } from '../identity/index.ts'
import type { ListVersion } from '../lists/library.ts'
import type { RemoteList } from '../lists/remote.ts'
import type { ListSource, Policy } from '../policy/index.ts'
import { compilePolicy } from '../settings/compile.ts'
import { loadSettings } from '../settings/load.ts'
import type { PlatformDefinition } from '../settings/platforms.ts'
import type { Problem } from '../settings/problems.ts'
import { loadRegister, type RegisterRow } from '../settings/register.ts'
import { sha256Of } from '../settings/replace-file.ts'
import type { Settings } from '../settings/schema.ts'
import { currentFileOf, libraryIn, remoteLists } from './remote-lists.ts'

/** Problems of a users file that are told; more is a file of another kind. */
const PROBLEMS_MAX = 20
const NO_BYTES = sha256Of('')

export interface ConfigurationOptions {
  /** Path of the settings file. */
  readonly file: string
  /** `key.path=value`, in order. */
  readonly overrides: readonly string[]
  readonly nowMs: number
  /**
   * `tell`: a list that cannot be read is told in `unreadable`, for whoever can do without it; unless told
   * otherwise, nothing holds without it.
   */
  readonly lists?: 'tell'
  /** Where what was fetched lies; the state folder of the settings, unless told otherwise. */
  readonly state?: string
}

export interface Configuration {
  readonly ok: true
  readonly settings: Settings
  readonly platforms: readonly PlatformDefinition[]
  /** All lists that can be built: those that lie here, and of those that are fetched what has come. */
  readonly sources: readonly ListSource[]
  /** The same, with fetched lists in the versions given, by name. */
  readonly sourcesWith: (versions: ReadonlyMap<string, ListVersion>) => readonly ListSource[]
  /** The lists that are fetched. */
  readonly remotes: readonly RemoteList[]
  /** Names of those of which no version has ever come. */
  readonly unfetched: readonly string[]
  /** Lists that cannot be read; none but where that was asked for. */
  readonly unreadable: readonly Problem[]
  readonly register: readonly RegisterRow[]
  /** Null: no users file is set. */
  readonly users: Users | null
  /** The policy as number `version` of this run. */
  readonly policyOf: (version: number) => Policy
  readonly warnings: readonly Problem[]
  /** What to watch. */
  readonly files: readonly string[]
  /** Of the register and the users file, those without a single byte. */
  readonly empty: readonly string[]
}

export interface BrokenConfiguration {
  readonly ok: false
  readonly problems: readonly Problem[]
  readonly warnings: readonly Problem[]
  readonly files: readonly string[]
}

/** Reads it all, and reports all that is wrong at once. */
export function readConfiguration(
  options: ConfigurationOptions,
): Configuration | BrokenConfiguration {
  const { file, overrides, nowMs, lists } = options
  const loaded = loadSettings({ file, overrides, ...(lists === 'tell' ? { lists } : {}) })
  if (!loaded.ok) return loaded
  const { settings, platforms } = loaded
  const remotes = remoteLists(settings, platforms)
  const state = options.state ?? settings.state
  const library = libraryIn(state)
  const fetched = library.sourcesOf(remotes)
  const lost = fetched.problems.map((one) => problemOf(one.file, 0, one.what, one.hint))
  const versions = remotes.map(({ name }) => currentFileOf(state, name))
  const files = [...loaded.files, ...versions]
  const register =
    settings.exemptions === null
      ? null
      : loadRegister({ file: settings.exemptions, platforms, calendar: settings.day, nowMs })
  const users = readUsers(settings.identity.basic.users)
  const broken = lists === 'tell' ? [] : lost
  if (register?.ok === false || !users.ok || broken.length > 0) {
    const problems = [
      ...broken,
      ...(register?.ok === false ? register.problems : []),
      ...(users.ok ? [] : users.problems),
    ]
    return { ok: false, problems, warnings: loaded.warnings, files }
  }
  const exemptions = register?.exemptions ?? []
  return {
    ok: true,
    settings,
    platforms,
    sources: [...loaded.sources, ...fetched.sources],
    sourcesWith: (versions) => [...loaded.sources, ...library.sourcesOf(remotes, versions).sources],
    remotes,
    unfetched: fetched.unfetched,
    unreadable: [...loaded.unreadable, ...(lists === 'tell' ? lost : [])],
    register: register?.rows ?? [],
    users: users.users,
    policyOf: (version) => compilePolicy({ settings, platforms, exemptions, version }),
    warnings: [
      ...loaded.warnings,
      ...fetched.unfetched.map((name) => unfetchedProblem(file, name)),
      ...(register?.warnings ?? []),
      ...users.warnings,
    ],
    files,
    empty: [
      ...(register?.sha256 === NO_BYTES ? [settings.exemptions!] : []),
      ...(users.empty ? [settings.identity.basic.users!] : []),
    ],
  }
}

/**
 * Files that named somebody and are now of no length: cut short in the midst of being saved, or by a full
 * disk. One that is meant to be empty can say so.
 */
export function emptiedFiles(now: Configuration, before: Configuration): Problem[] {
  const { exemptions, identity } = before.settings
  const full = [
    ...(before.register.length > 0 ? [exemptions] : []),
    ...((before.users?.size ?? 0) > 0 ? [identity.basic.users] : []),
  ]
  const hint = 'write it again; if it is to be empty, leave a comment in it: # none'
  return now.empty
    .filter((file) => full.includes(file))
    .map((file) => problemOf(file, 0, 'nothing is left in the file', hint))
}

type UsersReading =
  | {
      readonly ok: true
      readonly users: Users | null
      readonly warnings: readonly Problem[]
      readonly empty: boolean
    }
  | { readonly ok: false; readonly problems: readonly Problem[] }

/**
 * A line that cannot be used is told and left out: one slip must not lock everybody out. Nor must a file
 * that has lines and names nobody: that is no users file.
 */
function readUsers(file: string | null): UsersReading {
  if (file === null) return { ok: true, users: null, warnings: [], empty: false }
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error)
    const hint = 'let the user that Sluss runs as read it'
    return { ok: false, problems: [problemOf(file, 0, `the users cannot be read (${code})`, hint)] }
  }
  const { users, problems } = parseUsers(text)
  const told = problems.map(({ line, what, hint }) => problemOf(file, line, what, hint))
  const broken = users.size === 0 && told.length > 0
  return broken
    ? { ok: false, problems: told.slice(0, PROBLEMS_MAX) }
    : { ok: true, users, warnings: told, empty: text === '' }
}

function unfetchedProblem(file: string, name: string): Problem {
  const what = `${name} has never been fetched: what it lists is not in force`
  const hint = 'a running service fetches it at once; or do it now: ./sluss lists update'
  return { ...problemOf(file, 0, what, hint), key: 'lists' }
}

function problemOf(file: string, line: number, what: string, hint: string): Problem {
  return { file, line, key: '', value: '', what, expected: '', hint }
}
