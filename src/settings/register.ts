/**
 * Owns: reading the register of exemptions: from the file to checked rows and to the policy's exemptions.
 * Never: changes the file (register-edit.ts does), or lets a broken register count in part.
 */
import {
  type Calendar,
  dayNumber,
  dayStartMs,
  type Exemption,
  localDay,
  type Platform,
} from '../policy/index.ts'
import type { Problem } from './problems.ts'
import { type RegisterFields, rowReader } from './register-row.ts'
import { type RegisterWarning, warningsOf } from './register-warnings.ts'
import { type RowSource, readRegisterYaml } from './register-yaml.ts'
import { readRegularFile } from './regular-file.ts'
import { sha256Of } from './replace-file.ts'

/** A row of the register, and where it stands. */
export interface RegisterRow extends RegisterFields {
  /** 1-based position in the register. */
  readonly row: number
  /** 1-based line that it starts on. */
  readonly line: number
}

export interface Register {
  readonly ok: true
  readonly rows: readonly RegisterRow[]
  /** In the order of the rows, also those that have expired or have not begun. */
  readonly exemptions: readonly Exemption[]
  readonly warnings: readonly RegisterWarning[]
  /** Of the file's bytes, in hexadecimal: what the history knows a version by. */
  readonly sha256: string
}

export type RegisterReading = Register | { readonly ok: false; readonly problems: Problem[] }

/** What a register is read against. */
export interface RegisterContext {
  /** For the places of problems. */
  readonly file: string
  readonly platforms: readonly Pick<Platform, 'name' | 'bit'>[]
  readonly calendar: Calendar
  /** For the warnings only: whether a row holds is asked at each request. */
  readonly nowMs: number
}

export interface RegisterOptions extends RegisterContext {
  /** Throws as node:fs does; default `readFileSync`. */
  readonly readFile?: (file: string) => Uint8Array
}

/** More than anyone mends in one go. */
const PROBLEMS_MAX = 200

/** Reads and checks the whole register. All problems at once; with any, nothing of it counts. */
export function loadRegister(options: RegisterOptions): RegisterReading {
  const { file, readFile = readRegularFile } = options
  let bytes: Uint8Array
  try {
    bytes = readFile(file)
  } catch (error) {
    return { ok: false, problems: [unreadable(file, error)] }
  }
  return parseRegister(bytes, options)
}

/** `loadRegister` on bytes at hand. */
export function parseRegister(bytes: Uint8Array, context: RegisterContext): RegisterReading {
  const yaml = readRegisterYaml(bytes, context.file)
  if (!yaml.ok) return yaml
  const { rows, problems } = readRows(yaml.rows, context)
  if (problems.length > 0) {
    const byLine = problems.toSorted((a, b) => a.line - b.line)
    return { ok: false, problems: byLine.slice(0, PROBLEMS_MAX) }
  }
  const { file, platforms, calendar, nowMs } = context
  const exemptions = compile(rows, platforms, calendar)
  const warnings = warningsOf(rows, { file, today: localDay(calendar, nowMs).number })
  return { ok: true, rows, exemptions, warnings, sha256: sha256Of(bytes) }
}

/** Whom a row is for. */
export function subjectOf(row: RegisterFields): Exemption['subject'] {
  return row.user === undefined
    ? { kind: 'group', name: row.group ?? '' }
    : { kind: 'user', name: row.user }
}

/** How a verdict names a row: its diary number, or its place where it has none. */
export function referenceOf(row: RegisterRow): string {
  return row.dnr === '' ? `row ${row.row}` : row.dnr
}

function readRows(
  sources: readonly RowSource[],
  { file, platforms }: RegisterContext,
): { rows: RegisterRow[]; problems: Problem[] } {
  const read = rowReader(platforms.map(({ name }) => name))
  const rows: RegisterRow[] = []
  const problems: Problem[] = []
  for (const [i, source] of sources.entries()) {
    const { fields, faults } = read(source.value)
    const row = i + 1
    for (const { at, atKey, ...words } of faults) {
      problems.push({ file, line: source.lineOf(at, atKey), key: keyOf(row, at), ...words })
    }
    if (fields !== null) rows.push({ row, line: source.lineOf([], false), ...fields })
  }
  return { rows, problems }
}

function compile(
  rows: readonly RegisterRow[],
  platforms: RegisterContext['platforms'],
  calendar: Calendar,
): Exemption[] {
  const bits = new Map(platforms.map(({ name, bit }) => [name, 1 << bit]))
  const starts = new Map<number, number>()
  const startOf = (number: number) => {
    const known = starts.get(number) ?? dayStartMs(calendar, number)
    starts.set(number, known)
    return known
  }
  return rows.map((row) => ({
    reference: referenceOf(row),
    subject: subjectOf(row),
    platforms:
      row.platforms === 'all'
        ? 'all'
        : row.platforms.reduce((mask, name) => mask | (bits.get(name) ?? 0), 0),
    fromMs: startOf(dayNumber(row.from)!),
    untilMs: startOf(dayNumber(row.until)! + 1),
    decision: { by: row.decidedBy, dnr: row.dnr, date: '' },
  }))
}

/** `row 4: platforms[1]`: rows are counted as people count. */
function keyOf(row: number, at: readonly (string | number)[]): string {
  const path = at.map((part) => (typeof part === 'number' ? `[${part}]` : part)).join('')
  return path === '' ? `row ${row}` : `row ${row}: ${path}`
}

function unreadable(file: string, error: unknown): Problem {
  const code = error instanceof Error && 'code' in error ? String(error.code) : String(error)
  const words: Record<string, [what: string, hint: string]> = {
    ENOENT: ['there is no such file', 'make it with the text [], or leave out exemptions'],
    EACCES: ['it may not be read', 'let the user that Sluss runs as read it'],
    EISDIR: ['it is a folder', 'name the file in it'],
    ENOTREG: ['it is not a file', 'name a file of rows'],
    EFBIG: ['it is too large to be one', 'name a file of rows'],
  }
  const [what, hint] = words[code] ?? [`it cannot be read (${code})`, 'look at the disk']
  return { file, line: 0, key: '', value: '', what, expected: 'the register', hint }
}
