/**
 * Owns: how rows of the register, and changes of them, are shown in a terminal.
 * Never: reads or changes the register.
 */
import { formatTime } from '../policy/index.ts'
import type { RegisterRow } from '../settings/register.ts'
import type { Change } from '../settings/register-changes.ts'
import type { HistoryEntry } from '../settings/register-history.ts'
import { FIELD_NAMES, type RegisterFields } from '../settings/register-row.ts'
import { table } from './context.ts'

export type State = 'in-force' | 'not-begun' | 'over'

/** Of a row on `day`, a local date. */
export function stateOf({ from, until }: RegisterFields, day: string): State {
  if (until < day) return 'over'
  return from > day ? 'not-begun' : 'in-force'
}

const HEADER = [
  'row',
  'subject',
  'platforms',
  'from',
  'until',
  'dnr',
  'department',
  'decided by',
  'purpose',
]

/** Rows under a header; with `states`, also whether each is in force. */
export function rowTable(
  rows: readonly (RegisterRow & { state?: State })[],
  states = false,
): string {
  const cells = rows.map((row) => {
    const { from, until, dnr, department, decidedBy, purpose, state } = row
    const facts = [from, until, dnr, department, decidedBy, purpose]
    const start = states ? [String(row.row), wordsOf(state)] : [String(row.row)]
    return [...start, subjectOf(row), platformsOf(row), ...facts]
  })
  const [first = '', ...rest] = HEADER
  return table([states ? [first, 'state', ...rest] : HEADER, ...cells])
}

/** `not begun`. */
export function wordsOf(state: State | undefined): string {
  return state?.replace('-', ' ') ?? ''
}

function subjectOf({ user, group }: RegisterFields): string {
  return user ?? `group ${group}`
}

function platformsOf({ platforms }: RegisterFields): string {
  return platforms === 'all' ? 'all' : platforms.join(', ')
}

/** Entries under a header, a line for each change; times in `timezone`. */
export function historyTable(entries: readonly HistoryEntry[], timezone: string): string {
  const rows = entries.flatMap(({ time, who, how, changes }) => {
    const start = [formatTime(timezone, Date.parse(time)), who, how]
    if (changes.length === 0) return [[...start, '', '', 'no row; comments or blanks']]
    return changes.map((change) => [...start, ...changeCells(change)])
  })
  return table([['time', 'who', 'how', 'change', 'subject', 'what'], ...rows])
}

function changeCells(change: Change): string[] {
  const { kind, before, after } = change
  const row = after ?? before
  if (kind !== 'changed') {
    const { from, until, dnr } = row
    return [kind, subjectOf(row), `${platformsOf(row)}, ${from} to ${until}, ${dnr || 'no dnr'}`]
  }
  const differences = FIELD_NAMES.flatMap((name) => {
    const [was, is] = [shown(before[name]), shown(after[name])]
    return was === is ? [] : [`${name} ${was} → ${is}`]
  })
  return [kind, subjectOf(row), differences.join('; ')]
}

function shown(value: RegisterFields[keyof RegisterFields]): string {
  if (value === undefined || value === '') return '–'
  return typeof value === 'string' ? value : value.join(', ')
}
