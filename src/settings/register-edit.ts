/**
 * Owns: adding a row to the register and ending one: checked first, entered in the history, then written.
 * Never: removes a row, writes a register that does not read, or overwrites what someone else just saved.
 */
import { dayNumber } from '../policy/index.ts'
import type { FileFault } from './file-lock.ts'
import { type Problem, quoteValue } from './problems.ts'
import { parseRegister, type Register, type RegisterContext, type RegisterRow } from './register.ts'
import { diffRows } from './register-changes.ts'
import { ownerOf, recordAndMake } from './register-history.ts'
import { fieldsOf, type RegisterFields, type RowFault, rowReader } from './register-row.ts'
import { withRow, withUntil } from './register-text.ts'
import type { RegisterWarning } from './register-warnings.ts'
import { type FileBefore, replaceFile } from './replace-file.ts'

export interface EditOptions extends RegisterContext {
  /** Every change is entered here before it is made; see register-history.ts. */
  readonly historyFile: string
  /** The person, for the history. */
  readonly who: string
  /** Of the register that the person looked at; where it is another by now, nothing is changed. */
  readonly expectedSha256?: string
}

export type Edited =
  | {
      readonly ok: true
      /** The row as it is now, and as it was; null where it is new. */
      readonly row: RegisterRow
      readonly before: RegisterRow | null
      /** Those of this row. */
      readonly warnings: readonly RegisterWarning[]
      readonly sha256: string
    }
  | { readonly ok: false; readonly problems: readonly Problem[] }

/** Adds a row at the end of the register. A register that is not there yet is made. */
export function addRow(options: EditOptions & { readonly fields: unknown }): Promise<Edited> {
  const read = rowReader(options.platforms.map(({ name }) => name))
  const { fields, faults } = read(options.fields)
  if (fields === null) return refused(...faults.map((fault) => ofCommand(options.file, fault)))
  return edit(options, ({ rows }) => {
    const change = (text: string) => withRow(text, fields)
    return { change, row: rows.length + 1, after: [...rows.map(fieldsOf), fields] }
  })
}

/**
 * Sets the last day of the row at position `row`. `until` lies before the row's present last day, and
 * not before its first.
 */
export function endRow(
  options: EditOptions & { readonly row: number; readonly until: string },
): Promise<Edited> {
  const { file, row: position, until } = options
  return edit(options, ({ rows }) => {
    const row = rows[position - 1]
    const problem = row === undefined ? noRow(file, position) : endProblem(file, row, until)
    if (problem !== null) return { problem }
    const change = (text: string) => withUntil(text, position, until)
    const after = rows.map((other) => {
      return other.row === position ? { ...fieldsOf(other), until } : fieldsOf(other)
    })
    return { change, row: position, after }
  })
}

/** What an edit does to the text, the row it is about, and what the rows must be afterwards. */
type Plan =
  | {
      readonly change: (text: string) => string
      readonly row: number
      readonly after: readonly RegisterFields[]
    }
  | { readonly problem: Problem }

async function edit(options: EditOptions, plan: (register: Register) => Plan): Promise<Edited> {
  const { file, historyFile, who, nowMs } = options
  /** Set by `change`, under the lock, for `commit`. */
  let before: Register | null = null
  let after: Register | null = null
  const replaced = await replaceFile<Edited>({
    file,
    change: (found) => {
      const reading = parseRegister(found?.bytes ?? Buffer.alloc(0), options)
      if (!reading.ok) return { refused: reading }
      const changed = changeOf(options, found, reading, plan(reading))
      if (!changed.ok) return { refused: changed }
      before = found === null ? null : reading
      after = changed.register
      return { text: changed.text, value: changed.edited }
    },
    commit: async (rename) => {
      // An edit in an editor that no running service has seen is not this person's.
      const earlier = before && { ...before, who: ownerOf(file), how: 'editor' as const }
      const later = { ...after!, who, how: 'command' as const }
      const versions = { before: earlier, after: later }
      return recordAndMake({ file: historyFile, nowMs, ...versions, make: rename })
    },
  })
  return replaced.ok ? replaced.value : refused(ofFault(file, replaced.fault))
}

/** The new text and what it reads as, or why not. */
function changeOf(
  options: EditOptions,
  found: FileBefore | null,
  reading: Register,
  plan: Plan,
):
  | { ok: true; text: string; register: Register; edited: Edited }
  | { ok: false; problems: Problem[] } {
  const { file, expectedSha256 } = options
  const no = (problem: Problem) => ({ ok: false as const, problems: [problem] })
  if (expectedSha256 !== undefined && found?.sha256 !== expectedSha256)
    return no(changedSince(file))
  if ('problem' in plan) return no(plan.problem)
  const written = Buffer.from(found?.bytes ?? []).toString('utf8')
  const mark = written.startsWith('\ufeff') ? '\ufeff' : ''
  const text = mark + plan.change(written.slice(mark.length))
  const register = parseRegister(Buffer.from(text), options)
  if (!register.ok || !same(register.rows, plan.after)) return no(notSo(file))
  const row = register.rows[plan.row - 1]!
  const edited: Edited = {
    ok: true,
    row,
    before: reading.rows[plan.row - 1] ?? null,
    warnings: register.warnings.filter((warning) => warning.row === row.row),
    sha256: register.sha256,
  }
  return { ok: true, text, register, edited }
}

/** Sets of rows that are the same, in the same order. */
function same(a: readonly RegisterFields[], b: readonly RegisterFields[]): boolean {
  return a.length === b.length && a.every((row, i) => diffRows([row], [b[i]!]).length === 0)
}

function noRow(file: string, position: number): Problem {
  const what = `there is no row ${position}`
  return { file, line: 0, key: '', value: '', what, expected: '', hint: LOOK }
}

function endProblem(file: string, row: RegisterRow, until: string): Problem | null {
  const about = { file, line: row.line, key: `row ${row.row}: until`, value: quoteValue(until) }
  if (dayNumber(until) === null) {
    const what = 'there is no such date'
    return { ...about, what, expected: 'a date such as 2026-12-31', hint: '' }
  }
  if (until < row.from) {
    const what = `the row starts on ${row.from}`
    const hint = `give --date ${row.from} to end it that day, or take the row away in an editor`
    return { ...about, what, expected: 'a day not before its first', hint }
  }
  if (until < row.until) return null
  const what = `the row ends on ${row.until} already`
  return { ...about, what, expected: 'an earlier day', hint: 'add a new row to go on for longer' }
}

const LOOK = 'look at ./sluss exempt list --all'

function changedSince(file: string): Problem {
  const what = 'it has been changed since you looked, and nothing was written'
  return { file, line: 0, key: '', value: '', what, expected: '', hint: LOOK }
}

/** The text does not read as it should after the change: an unusual layout. */
function notSo(file: string): Problem {
  const what = 'its layout is such that the change cannot be made safely; nothing was written'
  const hint = 'make the change in an editor'
  return { file, line: 0, key: '', value: '', what, expected: '', hint }
}

function ofFault(file: string, { what, hint }: FileFault): Problem {
  return { file, line: 0, key: '', value: '', what, expected: '', hint }
}

function ofCommand(file: string, fault: RowFault): Problem {
  const { at, atKey: _atKey, ...words } = fault
  return { file, line: 0, key: at.join('.'), ...words }
}

function refused(...problems: readonly Problem[]): Promise<Edited> {
  return Promise.resolve({ ok: false, problems })
}
