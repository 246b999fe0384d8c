/**
 * Owns: the history of the register: who changed what and when, each change a line that is only ever added.
 * Never: changes or removes a line, or stops at one that a crash cut short.
 */
import {
  chownSync,
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  statSync,
  writeSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { z } from 'zod'
import { codeOf, type FileFault, faultOf, withLock } from './file-lock.ts'
import { type Change, changeSchema, diffRows, rowsAfter } from './register-changes.ts'
import { fieldsOf, type RegisterFields } from './register-row.ts'
import { sha256Of } from './replace-file.ts'

export interface HistoryEntry {
  /** UTC, `2026-01-01T08:00:00.000Z`. */
  readonly time: string
  /** The person at the command line, or the owner of a file that was edited. */
  readonly who: string
  readonly how: 'command' | 'editor'
  /** Of the register after the change. */
  readonly sha256: string
  /** Empty where only comments or blanks changed. */
  readonly changes: readonly Change[]
}

export interface History {
  readonly entries: readonly HistoryEntry[]
  /** Lines that cannot be read, in words; an entry may be lost with each. */
  readonly notes: readonly string[]
}

const FILE_MODE = 0o600
const FOLDER_MODE = 0o700

/** Where the history of a state folder lies. */
export function historyFileIn(stateFolder: string): string {
  return join(stateFolder, 'exemptions.history.jsonl')
}

/** Reads the history; none yet is an empty one. */
export function readHistory(
  file: string,
): { ok: true; history: History } | { ok: false; fault: FileFault } {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return { ok: true, history: { entries: [], notes: [] } }
    const { hint } = faultOf(error, file)
    return { ok: false, fault: { what: `the history ${file} cannot be read`, hint } }
  }
  return { ok: true, history: parseHistory(text) }
}

export function parseHistory(text: string): History {
  const entries: HistoryEntry[] = []
  const notes: string[] = []
  const lines = text.split('\n')
  for (const [i, line] of lines.entries()) {
    if (line === '') continue
    const entry = readEntry(line)
    if (entry !== null) entries.push(entry)
    else {
      const torn = i === lines.length - 1
      const why = torn ? 'was cut short, as by a crash' : 'cannot be read'
      notes.push(`line ${i + 1} of the history ${why}; the next entry says what is missing`)
    }
  }
  return { entries, notes }
}

/** A version of the register, and whose work it is. */
export interface RegisterVersion {
  readonly sha256: string
  /** More than their fields may come with them; only those are kept. */
  readonly rows: readonly RegisterFields[]
  readonly who: string
  readonly how: HistoryEntry['how']
}

export interface HistoryRecord extends RegisterVersion {
  readonly file: string
  readonly nowMs: number
  /**
   * The register. Where given, nothing is entered if it is another version by now: a command that has
   * entered its change and is about to make it must not be taken for an editor that undid it.
   */
  readonly registerFile?: string
}

export type Recorded =
  | { readonly ok: true; readonly entry: HistoryEntry | null }
  | { readonly ok: false; readonly fault: FileFault }

/**
 * Enters what has changed since the last entry, and makes sure that it is on disk. Null where the last
 * entry already knows this version. The first entry ever holds the whole register.
 */
export async function recordHistory(record: HistoryRecord): Promise<Recorded> {
  const { file, nowMs, registerFile } = record
  const locked = await withHistory(file, (): Recorded => {
    const current = registerFile === undefined || isVersion(registerFile, record.sha256)
    return current ? enter(file, record, nowMs) : { ok: true, entry: null }
  })
  return locked.ok ? locked.value : locked
}

export interface HistoryChange {
  readonly file: string
  readonly nowMs: number
  /** The register as it is; null where there is none. Entered first, if the history does not know it. */
  readonly before: RegisterVersion | null
  readonly after: RegisterVersion
  /** Makes the change, or says why it cannot. */
  readonly make: () => FileFault | null
}

/**
 * Enters a change and makes it, with nothing entered in between: no change is made that is not entered.
 * One that is entered and then cannot be made is taken back by an entry more.
 */
export async function recordAndMake(change: HistoryChange): Promise<FileFault | null> {
  const { file, nowMs, before, after, make } = change
  const locked = await withHistory(file, () => {
    for (const version of before === null ? [after] : [before, after]) {
      const recorded = enter(file, version, nowMs)
      if (!recorded.ok) return unentered(recorded.fault)
    }
    const fault = make()
    const { who, how } = after
    if (fault !== null) enter(file, { ...(before ?? NO_REGISTER), who, how }, nowMs)
    return fault
  })
  return locked.ok ? locked.value : unentered(locked.fault)
}

const NO_REGISTER = { sha256: '', rows: [] }

function unentered({ what, hint }: FileFault): FileFault {
  return { what: `the change cannot be entered in the history, so it is not made: ${what}`, hint }
}

/** Runs `change` while no other process enters anything. */
async function withHistory<T>(
  file: string,
  change: () => T,
): Promise<{ ok: true; value: T } | { ok: false; fault: FileFault }> {
  try {
    mkdirSync(dirname(file), { recursive: true, mode: FOLDER_MODE })
  } catch (error) {
    return { ok: false, fault: faultOf(error, dirname(file)) }
  }
  return withLock(`${file}.lock`, change)
}

function isVersion(registerFile: string, sha256: string): boolean {
  try {
    return sha256Of(readFileSync(registerFile)) === sha256
  } catch (error) {
    if (codeOf(error) === '') throw error
    return false
  }
}

function enter(file: string, version: RegisterVersion, nowMs: number): Recorded {
  const { sha256, rows, who, how } = version
  const read = readHistory(file)
  if (!read.ok) return read
  const { entries } = read.history
  if (entries[entries.length - 1]?.sha256 === sha256) return { ok: true, entry: null }
  const changes = diffRows(rowsAfter(entries.flatMap((entry) => entry.changes)), rows.map(fieldsOf))
  const entry = { time: new Date(nowMs).toISOString(), who, how, sha256, changes }
  try {
    append(file, JSON.stringify(entry))
  } catch (error) {
    return { ok: false, fault: faultOf(error, file) }
  }
  return { ok: true, entry }
}

/** Who owns a file, by name where the system's own table knows it: the likeliest hand behind an edit. */
export function ownerOf(file: string, passwd = '/etc/passwd'): string {
  const uid = statSync(file, { throwIfNoEntry: false })?.uid
  if (uid === undefined) return 'unknown'
  const table = existsSync(passwd) ? readFileSync(passwd, 'utf8') : ''
  for (const line of table.split('\n')) {
    const [name, , id] = line.split(':')
    if (name !== undefined && name !== '' && id === String(uid)) return name
  }
  return `uid ${uid}`
}

const entrySchema = z.object({
  time: z.iso.datetime(),
  who: z.string(),
  how: z.enum(['command', 'editor']),
  sha256: z.string(),
  changes: z.array(changeSchema),
})

function readEntry(line: string): HistoryEntry | null {
  let json: unknown
  try {
    json = JSON.parse(line)
  } catch {
    return null
  }
  const { success, data } = entrySchema.safeParse(json)
  return success ? (data as HistoryEntry) : null
}

/** One write for one line. What a crash cut short is ended first, so that it spoils no other line. */
function append(file: string, line: string): void {
  const isNew = !existsSync(file)
  const cut = isNew || /(^|\n)$/.test(readFileSync(file, 'utf8')) ? '' : '\n'
  const handle = openSync(file, 'a', FILE_MODE)
  try {
    writeSync(handle, `${cut}${line}\n`)
    fsyncSync(handle)
  } finally {
    closeSync(handle)
  }
  if (isNew) giveToOwnerOf(dirname(file), file)
}

/** The service, which owns the state folder, must be able to go on with what root began. */
function giveToOwnerOf(folder: string, file: string): void {
  const { uid, gid } = statSync(folder)
  const own = statSync(file)
  if (process.getuid?.() === 0 && (own.uid !== uid || own.gid !== gid)) chownSync(file, uid, gid)
}
