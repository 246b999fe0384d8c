/**
 * Owns: what a row of the register is: its schema, and the words for what is wrong with one.
 * Never: reads a file, or compares rows with each other.
 */
import { z } from 'zod'
import { dayNumber, parseUserName, USER_NAME_LENGTH_MAX } from '../policy/index.ts'
import { meantHint, quoteValue } from './problems.ts'

/** A row as it is written, checked: names in their comparable form, blanks trimmed. */
export interface RegisterFields {
  /** Exactly one of `user` and `group`. */
  readonly user?: string
  readonly group?: string
  readonly platforms: readonly string[] | 'all'
  readonly purpose: string
  readonly department: string
  readonly decidedBy: string
  /** Diary number; may be empty, with a warning. */
  readonly dnr: string
  /** First and last local day, `2026-01-01`; both inclusive. */
  readonly from: string
  readonly until: string
}

/** In the order they are written. */
export const FIELD_NAMES = [
  'user',
  'group',
  'platforms',
  'purpose',
  'department',
  'decidedBy',
  'dnr',
  'from',
  'until',
] as const

export type FieldName = (typeof FIELD_NAMES)[number]

/** A row without its place, keys in their order: what is compared, written and kept in the history. */
export function fieldsOf(row: RegisterFields): RegisterFields {
  const { user, group, platforms, purpose, department, decidedBy, dnr, from, until } = row
  const rest = { platforms, purpose, department, decidedBy, dnr, from, until }
  return user === undefined ? { group: group ?? '', ...rest } : { user, ...rest }
}

/** What is wrong with a row, and at which of its keys; `at` is empty where the row itself is meant. */
export interface RowFault {
  readonly at: readonly (string | number)[]
  /** The key's name is at fault, not what stands at it. */
  readonly atKey: boolean
  readonly value: string
  readonly what: string
  readonly expected: string
  readonly hint: string
}

export const REGISTER_TEXT_LENGTH_MAX = 500
/** Outside these years a date is a slip of the keys. */
export const DATE_MIN = '2000-01-01'
export const DATE_MAX = '2999-12-31'

/** Controls, and the marks that turn the direction of text: nobody types them, and they hide what is read. */
const HIDDEN = /[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/u

interface Slip {
  readonly what: string
  readonly hint?: string
}

/** A field read from text. Every issue's message is what was expected; `params` say what was wrong. */
function field(expected: string, read: (text: string) => string | Slip) {
  return z.string({ error: expected }).transform((text, context): string => {
    const found = read(text.replace(/\s+/g, ' ').trim())
    if (typeof found === 'string') return found
    context.addIssue({ code: 'custom', message: expected, params: { ...found } })
    return z.NEVER
  })
}

function subject(expected: string) {
  return field(expected, (text) => {
    const what = `1 to ${USER_NAME_LENGTH_MAX} characters, none hidden`
    return (HIDDEN.test(text) ? null : parseUserName(text)) ?? { what: `a name has ${what}` }
  })
}

function line(expected: string, least: 0 | 1) {
  return field(expected, (text) => {
    if (text.length < least) return { what: 'it is empty' }
    if (HIDDEN.test(text)) return { what: 'it has hidden characters', hint: 'type it anew' }
    const most = REGISTER_TEXT_LENGTH_MAX
    return text.length <= most ? text : { what: `it has more than ${most} characters` }
  })
}

function date(expected: string) {
  return field(expected, (text) => {
    if (dayNumber(text) === null) return { what: 'there is no such date' }
    const what = `dates are from ${DATE_MIN} to ${DATE_MAX}`
    return text < DATE_MIN || text > DATE_MAX ? { what } : text
  })
}

function platformList(known: readonly string[]) {
  const expected = 'a list of platforms such as [facebook, instagram], or all'
  const listed = known.length === 0 ? 'no platforms are set' : `known are ${known.join(', ')}`
  return z
    .union([z.string(), z.array(z.string())], { error: expected })
    .transform((value, context): readonly string[] | 'all' => {
      if (value === 'all') return 'all'
      const complain = (path: number[], what: string, hint: string) => {
        context.addIssue({ code: 'custom', path, message: expected, params: { what, hint } })
      }
      if (typeof value === 'string') {
        const hint = known.includes(value) ? `write [${value}]` : meantHint(value, ['all'])
        complain([], 'it is not a list', hint)
        return z.NEVER
      }
      if (value.length === 0) complain([], 'the list is empty', '')
      for (const [i, name] of value.entries()) {
        if (known.includes(name)) continue
        if (name === 'all') complain([i], 'all stands alone', 'write platforms: all')
        else complain([i], 'there is no such platform', meantHint(name, known) || listed)
      }
      return [...new Set(value)]
    })
}

function rowSchema(platforms: readonly string[]) {
  return z.strictObject(
    {
      user: subject('the name that the user signs in with').optional(),
      group: subject('the name of a group').optional(),
      platforms: platformList(platforms),
      purpose: line('what the platforms are used for', 1),
      department: line('the department that answers for it', 1),
      decidedBy: line('who decided it, such as Förvaltningschef', 1),
      dnr: line('the diary number, such as KS 2026/123', 0),
      from: date('the first day, such as 2026-01-01'),
      until: date('the last day, such as 2026-12-31'),
    },
    { error: 'a row with the keys user or group, platforms, purpose and so on' },
  )
}

/** Checks rows against one set of platforms. */
export function rowReader(
  platforms: readonly string[],
): (raw: unknown) => { fields: RegisterFields | null; faults: RowFault[] } {
  const schema = rowSchema(platforms)
  return (raw) => {
    const result = schema.safeParse(raw)
    const faults = (result.error?.issues ?? []).flatMap((issue) => faultsOf(issue, raw))
    if (isRow(raw)) faults.push(...acrossFields(raw))
    if (!result.success || faults.length > 0) return { fields: null, faults }
    return { fields: fieldsOf(result.data as RegisterFields), faults }
  }
}

function isRow(raw: unknown): raw is Record<string, unknown> {
  return typeof raw === 'object' && raw !== null && !Array.isArray(raw)
}

function faultsOf(issue: z.core.$ZodIssue, raw: unknown): RowFault[] {
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => {
      const hint = meantHint(key, FIELD_NAMES) || `the keys are ${FIELD_NAMES.join(', ')}`
      return { at: [key], atKey: true, value: '', what: 'there is no such key', expected: '', hint }
    })
  }
  const at = issue.path.filter((part) => typeof part !== 'symbol')
  const { what, hint } = wordsOf(issue)
  const value = valueAt(raw, at)
  const absent = at.length === 0 ? 'the row is empty' : 'it is missing'
  const missing = value === undefined ? absent : ''
  const fault = { at, atKey: false, expected: issue.message, hint, what: what || missing }
  return [{ ...fault, value: quoteValue(value) }]
}

function wordsOf(issue: z.core.$ZodIssue): { what: string; hint: string } {
  const params = issue.code === 'custom' ? issue.params : undefined
  const text = (value: unknown) => (typeof value === 'string' ? value : '')
  return { what: text(params?.what), hint: text(params?.hint) }
}

function valueAt(raw: unknown, path: readonly (string | number)[]): unknown {
  let value = raw
  for (const part of path) value = (value as Record<string | number, unknown> | undefined)?.[part]
  return value
}

/** What no field can tell alone. Asked of what is written, so that it is told with all the rest. */
function acrossFields(raw: Record<string, unknown>): RowFault[] {
  const faults: RowFault[] = []
  const blank = { atKey: false, value: '' }
  if ((raw.user === undefined) === (raw.group === undefined)) {
    const both = raw.user !== undefined
    const what = both ? 'it has both user and group' : 'it has neither user nor group'
    const hint = both ? 'write two rows' : ''
    faults.push({ ...blank, at: [], what, expected: 'exactly one of user and group', hint })
  }
  const { from, until } = raw
  const dated = typeof from === 'string' && typeof until === 'string'
  if (dated && dayNumber(from) !== null && (dayNumber(until) ?? Number.NaN) < dayNumber(from)!) {
    const expected = `a day not before from, ${from}`
    faults.push({
      ...blank,
      at: ['until'],
      value: quoteValue(until),
      what: 'it ends before it starts',
      expected,
      hint: '',
    })
  }
  return faults
}
