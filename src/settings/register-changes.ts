/**
 * Owns: how one register becomes another: rows added, changed and removed.
 * Never: reads or writes a file, or cares where in it a row stands.
 */
import { z } from 'zod'
import { FIELD_NAMES, type RegisterFields } from './register-row.ts'

export type Change =
  | { readonly kind: 'added'; readonly before: null; readonly after: RegisterFields }
  | { readonly kind: 'changed'; readonly before: RegisterFields; readonly after: RegisterFields }
  | { readonly kind: 'removed'; readonly before: RegisterFields; readonly after: null }

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
    for (const row of added) {
      const partner = waiting.get(keyOf(row))?.shift()
      if (partner === undefined) unmatched.push(row)
      else if (keyOf !== whole) changes.push({ kind: 'changed', before: partner, after: row })
    }
    removed = [...waiting.values()].flat()
    added = unmatched
  }
  for (const row of removed) changes.push({ kind: 'removed', before: row, after: null })
  for (const row of added) changes.push({ kind: 'added', before: null, after: row })
  return changes
}

/** The rows that `changes` lead to from an empty register, in no order. */
export function rowsAfter(changes: readonly Change[]): RegisterFields[] {
  const rows = new Map<string, RegisterFields[]>()
  for (const { before, after } of changes) {
    if (before !== null) rows.get(whole(before))?.pop()
    if (after !== null) put(rows, whole(after), after)
  }
  return [...rows.values()].flat()
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

/** A change as it stands in the history. */
export const changeSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('added'), before: z.null(), after: fields }),
  z.object({ kind: z.literal('changed'), before: fields, after: fields }),
  z.object({ kind: z.literal('removed'), before: fields, after: z.null() }),
])
