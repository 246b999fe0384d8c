/**
 * Owns: guard rails for the lists that lie here: one that has lost much at once is not taken before somebody
 * says that it is meant.
 * Never: judges a list that is fetched (lists/update.ts does), or a short one that people edit by hand.
 */
import { mkdirSync, readFileSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { entriesOf, judge, type Refusal, type RefusalCode } from '../lists/guard-rails.ts'
import type { BuildReport, ListReport } from '../lists/report.ts'
import { codeOf, type FileFault, faultOf } from '../settings/file-lock.ts'
import type { Problem } from '../settings/problems.ts'
import { replaceFile } from '../settings/replace-file.ts'

/** A list that had fewer entries is edited by people, who may take away what they like. */
export const GUARDED_ENTRIES_MIN = 1_000
/** Unless the settings say otherwise: `fall` of a list that is named there. */
export const FALL_SHARE = 0.3
/** What a list that lies here is refused for; what else speaks against it is a warning. */
const REFUSED: ReadonlySet<RefusalCode> = new Set(['empty', 'fall'])

/** Somebody has said that a version of a list is as it should be. */
export interface LocalAcceptance {
  /** Of the version. */
  readonly sha256: string
  readonly by: string
  readonly atMs: number
}

/** A version of a list that is here and not taken. */
export interface LocalRefusal {
  readonly name: string
  readonly file: string
  /** What `acceptLocal` takes. */
  readonly sha256: string
  readonly entries: number
  readonly refusals: readonly Refusal[]
}

export interface LocalJudging {
  readonly now: BuildReport
  /** What is in force, or was at the last run; null: nothing to compare with. */
  readonly before: BuildReport | null
  /** Names of lists that are fetched: they have been judged. */
  readonly fetched: ReadonlySet<string>
  /** `fall` of the lists that the settings name. */
  readonly fallShares: ReadonlyMap<string, number>
  readonly accepted: ReadonlyMap<string, LocalAcceptance>
}

/** The lists that must not be taken as they are now. */
export function judgeLocal(judging: LocalJudging): LocalRefusal[] {
  const { now, before, fetched, accepted } = judging
  const entries = new Map<string, number>()
  for (const list of before?.lists ?? []) entries.set(list.name, entriesOf(list))
  const refused = new Map<string, LocalRefusal>()
  for (const list of now.lists) {
    const { name, file, sha256 } = list
    const had = entries.get(name) ?? 0
    if (file === null || fetched.has(name) || accepted.get(name)?.sha256 === sha256) continue
    const refusals = had < GUARDED_ENTRIES_MIN ? cutShort(list, had) : shrunk(list, had, judging)
    if (refusals.length === 0) continue
    refused.set(name, { name, file, sha256, entries: entriesOf(list), refusals })
  }
  return [...refused.values()]
}

function shrunk(list: ListReport, had: number, { fallShares }: LocalJudging): Refusal[] {
  const { name } = list
  const rules = { fallShare: fallShares.get(name) ?? FALL_SHARE, growthShare: Infinity }
  const before = { entries: had, caught: [] }
  const after = { entries: entriesOf(list), caught: [] }
  return judge({ name, before, after, rules }).filter(({ code }) => REFUSED.has(code))
}

/**
 * A file of no length that held something: cut short in the midst of being saved, or by a full disk. A list
 * that is meant to be empty can say so in a comment.
 */
function cutShort({ lines }: ListReport, had: number): Refusal[] {
  if (lines > 0 || had === 0) return []
  const hint = 'Write the list again; if it is to be empty, leave a comment in it: # none'
  return [{ code: 'empty', what: 'the list has no lines', hint }]
}

export function problemsOf({ file, refusals }: LocalRefusal): Problem[] {
  return refusals.map(({ what, hint }): Problem => {
    return { file, line: 0, key: '', value: '', what, expected: '', hint }
  })
}

/** What to watch: a version that is accepted is in force within a second. */
export function acceptedFile(state: string): string {
  return join(state, 'lists', 'accepted.json')
}

/** By the name of the list. A file that cannot be read accepts nothing. */
export function readAccepted(state: string): ReadonlyMap<string, LocalAcceptance> {
  try {
    return parseAccepted(readFileSync(acceptedFile(state), 'utf8'))
  } catch (error) {
    if (codeOf(error) === '') throw error
    return new Map()
  }
}

/** Takes version `sha256` of list `name`, whatever speaks against it. */
export async function acceptLocal(
  state: string,
  name: string,
  acceptance: LocalAcceptance,
): Promise<FileFault | null> {
  const file = acceptedFile(state)
  try {
    // As the state folder is: its owner's alone.
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
    const { uid, gid } = statSync(state)
    const replaced = await replaceFile({
      file,
      change: (before) => {
        const accepted = parseAccepted(new TextDecoder().decode(before?.bytes))
        const all = Object.fromEntries([...accepted, [name, acceptance]])
        return { text: `${JSON.stringify(all, null, 2)}\n`, value: null }
      },
      // Where root accepts it, the service must still be able to read it.
      permit: () => ({ mode: 0o600, owner: { uid, gid } }),
    })
    return replaced.ok ? null : replaced.fault
  } catch (error) {
    return faultOf(error, file)
  }
}

function parseAccepted(text: string): Map<string, LocalAcceptance> {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return new Map()
  }
  if (typeof value !== 'object' || value === null) return new Map()
  const found = Object.entries(value).filter((entry): entry is [string, LocalAcceptance] => {
    const { sha256, by, atMs } = (entry[1] ?? {}) as Partial<LocalAcceptance>
    return typeof sha256 === 'string' && typeof by === 'string' && typeof atMs === 'number'
  })
  return new Map(found)
}
