/**
 * Owns: from what zod finds to complaints in plain words, each with the value, what was expected and a hint.
 * Never: decides what is valid; the schema does.
 *
 * In this folder the message of an issue is what was expected (see fields.ts).
 */
import type { z } from 'zod'
import type { KeyPath } from './key-path.ts'
import { keysOf, type SchemaNode, schemaAt, settingEntries } from './outline.ts'
import { type Complaint, meantHint } from './problems.ts'

type Issue = z.core.$ZodIssue

/** What a file calls its keys: the node at a path, or null. The settings', unless told otherwise. */
export type KeyGuide = (path: KeyPath) => SchemaNode | null

/** What `schema` has against `value`; `base` is where the value stands. */
export function complaintsOf(
  schema: z.ZodType,
  value: unknown,
  guide: KeyGuide = schemaAt,
): Complaint[] {
  const result = schema.safeParse(value)
  if (result.success) return []
  return result.error.issues.flatMap((issue) => complaintsOfIssue(issue, value, guide))
}

function complaintsOfIssue(issue: Issue, root: unknown, guide: KeyGuide): Complaint[] {
  const path = issue.path as (string | number)[]
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => unknownKey(path, key, guide))
  }
  if (issue.code === 'invalid_key') {
    const inner = issue.issues[0]
    const words = inner === undefined ? { what: '', hint: '' } : wordsOf(inner)
    const expected = inner?.message ?? issue.message
    return [{ path, at: 'key', value: undefined, expected, ...words }]
  }
  if (issue.code === 'invalid_union') {
    // The branch that came further than the type of the value is the one that was meant.
    const meant = issue.errors.find((branch) =>
      branch.some((inner) => inner.path.length > 0 || inner.code === 'custom'),
    )
    if (meant !== undefined) {
      return meant.flatMap((inner) =>
        complaintsOfIssue({ ...inner, path: [...path, ...inner.path] }, root, guide),
      )
    }
  }
  const value = valueAt(root, path)
  const words = issue.code === 'custom' ? wordsOf(issue) : mismatch(issue, value)
  return [{ path, value, expected: issue.message, ...words }]
}

/** What and hint of an issue that fields.ts raised. */
function wordsOf(issue: Issue): { what: string; hint: string } {
  const params = issue.code === 'custom' ? issue.params : undefined
  const text = (word: unknown) => (typeof word === 'string' ? word : '')
  return { what: text(params?.what), hint: text(params?.hint) }
}

function mismatch(issue: Issue, value: unknown): { what: string; hint: string } {
  if (value === undefined) {
    return { what: issue.path.length === 0 ? 'the file is empty' : 'it is missing', hint: '' }
  }
  if (value === null) return { what: 'it is empty', hint: '' }
  if (typeof value !== 'string') return { what: '', hint: '' }
  if (wantsNumber(issue) && /^\d+$/.test(value))
    return { what: '', hint: 'write it without quotes' }
  return { what: '', hint: meantHint(value, choicesIn(issue)) }
}

function wantsNumber(issue: Issue): boolean {
  if (issue.code === 'invalid_union') return issue.errors.flat().some(wantsNumber)
  if (issue.code === 'invalid_value') return issue.values.some((word) => typeof word === 'number')
  return issue.code === 'invalid_type' && /^(number|int)$/.test(issue.expected)
}

/** The words that the issue would have taken. */
function choicesIn(issue: Issue): string[] {
  if (issue.code === 'invalid_value') return issue.values.map(String)
  return issue.code === 'invalid_union' ? issue.errors.flat().flatMap(choicesIn) : []
}

export function unknownKey(path: KeyPath, key: string, guide: KeyGuide = schemaAt): Complaint {
  const keys = keysOf(guide(path))
  return {
    path: [...path, key],
    at: 'key',
    value: undefined,
    what: 'there is no such key',
    expected: keys.length === 1 ? keys[0]! : `one of ${keys.join(', ')}`,
    hint: meantHint(key, keys) || (guide === schemaAt ? elsewhereHint(key) : ''),
  }
}

/** A key in the wrong group is more often an indentation than a misspelling. */
function elsewhereHint(key: string): string {
  const homes = settingEntries().filter((entry) => entry.key.endsWith(`.${key}`))
  return homes.length === 0 ? '' : `did you mean ${homes.map((entry) => entry.key).join(' or ')}?`
}

/** What `schema` makes of `raw`, or undefined where it refuses it (which is reported elsewhere). */
export function readable<T extends z.ZodType>(schema: T, raw: unknown): z.output<T> | undefined {
  const result = schema.safeParse(raw)
  return result.success ? result.data : undefined
}

export function valueAt(root: unknown, path: KeyPath): unknown {
  let value = root
  for (const part of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, part)) return undefined
    value = (value as Record<string | number, unknown>)[part]
  }
  return value
}
