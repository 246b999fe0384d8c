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
import { FIELD_NAMES, fieldsOf, type RegisterFields } from './register-row.ts'

export type Change =
  | { readonly kind: 'added'; readonly before: null; readonly after: RegisterFields }
  | { readonly kind: 'changed'; readonly before: RegisterFields; readonly after: RegisterFields }
  | { readonly kind: 'removed'; readonly before: RegisterFields; readonly after: null }

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

/** The rows that the register had after the last entry, in no order. */
export function rowsAfter(entries: readonly HistoryEntry[]): RegisterFields[] {
  const rows = new Map<string, RegisterFields[]>()
  for (const { before, after } of entries.flatMap(({ changes }) => changes)) {
    if (before !== null) rows.get(whole(before))?.pop()
    if (after !== null) put(rows, whole(after), after)
  }
  return [...rows.values()].flat()
}

/**
 * What leads from `before` to `after`. Order and place do not count. A row is changed, not removed and
 * added, where the same person keeps the diary number, or the first day.
 */
export function diffRows(
  before: readonly RegisterFields[],
  after: readonly RegisterFields[],
): Change[] {
  let removed = [...before]
  let added = [...after]
  const changes: Change[] = []
  for (const keyOf of PAIRINGS) {
    const waiting = new Map<string, RegisterFields[]>()
    for (const row of removed) put(waiting, keyOf(row), row)
    const unmatched: RegisterFields[] = []
    const matched = new Set<RegisterFields>()
    for (const row of added) {
      const partner = waiting.get(keyOf(row))?.shift()
      if (partner === undefined) unmatched.push(row)
      else {
        matched.add(partner)
        if (keyOf !== whole) changes.push({ kind: 'changed', before: partner, after: row })
      }
    }
    removed = removed.filter((row) => !matched.has(row))
    added = unmatched
  }
  for (const row of removed) changes.push({ kind: 'removed', before: row, after: null })
  for (const row of added) changes.push({ kind: 'added', before: null, after: row })
  return changes
}

export interface HistoryRecord {
  readonly file: string
  /** The register as it is now, or will be in a moment. */
  readonly sha256: string
  /** More than their fields may come with them; only those are kept. */
  readonly rows: readonly RegisterFields[]
  readonly who: string
  readonly how: HistoryEntry['how']
  readonly nowMs: number
}

/**
 * Enters what has changed since the last entry, and makes sure that it is on disk. Null where the last
 * entry already knows this version. The first entry ever holds the whole register.
 */
export async function recordHistory(
  record: HistoryRecord,
): Promise<{ ok: true; entry: HistoryEntry | null } | { ok: false; fault: FileFault }> {
  const { file, sha256, rows, who, how, nowMs } = record
  try {
    makeFolder(dirname(file))
  } catch (error) {
    return { ok: false, fault: faultOf(error, dirname(file)) }
  }
  const locked = await withLock(`${file}.lock`, () => {
    const read = readHistory(file)
    if (!read.ok) return read
    const { entries } = read.history
    if (entries[entries.length - 1]?.sha256 === sha256) return { ok: true, entry: null } as const
    const changes = diffRows(rowsAfter(entries), rows.map(fieldsOf))
    const entry = { time: new Date(nowMs).toISOString(), who, how, sha256, changes }
    try {
      append(file, JSON.stringify(entry))
    } catch (error) {
      return { ok: false, fault: faultOf(error, file) } as const
    }
    return { ok: true, entry } as const
  })
  return locked.ok ? locked.value : locked
}

/** Who owns a file, by name where the system's own table knows it: the likeliest hand behind an edit. */
export function ownerOf(file: string, passwd = '/etc/passwd'): string {
  const uid = statSync(file).uid
  const table = existsSync(passwd) ? readFileSync(passwd, 'utf8') : ''
  for (const line of table.split('\n')) {
    const [name, , id] = line.split(':')
    if (name !== undefined && name !== '' && id === String(uid)) return name
  }
  return `uid ${uid}`
}

const name = (row: RegisterFields) =>
  `${row.user === undefined ? 'group' : 'user'} ${row.user ?? row.group}`
const whole = (row: RegisterFields) => JSON.stringify(FIELD_NAMES.map((key) => row[key] ?? null))

/** By what a row before and a row after are taken for one, the surest first. */
const PAIRINGS: readonly ((row: RegisterFields) => string)[] = [
  whole,
  (row) => JSON.stringify([name(row), row.dnr, row.from]),
  (row) => JSON.stringify([name(row), row.dnr]),
  (row) => JSON.stringify([name(row), row.from]),
]

function put(rows: Map<string, RegisterFields[]>, key: string, row: RegisterFields): void {
  const same = rows.get(key)
  if (same === undefined) rows.set(key, [row])
  else same.push(row)
}

const fields = z.object({
  user: z.string().optional(),
  group: z.string().optional(),
  platforms: z.union([z.literal('all'), z.array(z.string())]),
  purpose: z.string(),
  department: z.string(),
  decidedBy: z.string(),
  dnr: z.string(),
  from: z.string(),
  until: z.string(),
})

const entrySchema = z.object({
  time: z.iso.datetime(),
  who: z.string(),
  how: z.enum(['command', 'editor']),
  sha256: z.string(),
  changes: z.array(
    z.discriminatedUnion('kind', [
      z.object({ kind: z.literal('added'), before: z.null(), after: fields }),
      z.object({ kind: z.literal('changed'), before: fields, after: fields }),
      z.object({ kind: z.literal('removed'), before: fields, after: z.null() }),
    ]),
  ),
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

function makeFolder(folder: string): void {
  mkdirSync(folder, { recursive: true, mode: FOLDER_MODE })
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
