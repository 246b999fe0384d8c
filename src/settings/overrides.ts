/**
 * Owns: `--set key.path=value`: which setting it means, and putting the value there.
 * Never: judges the value; it goes the same way as one from the file.
 */
import { formatKeyPath, type KeyPath, parseKeyPath } from './key-path.ts'
import { keysOf, listNode, type SchemaNode, schemaRoot, stepInto } from './outline.ts'
import {
  type Complaint,
  cut,
  meantHint,
  type Problem,
  printable,
  quoteValue,
  withoutPasswords,
} from './problems.ts'
import { unknownKey, valueAt } from './validation.ts'
import { readYaml } from './yaml-source.ts'

/** More than this is not a command line that anyone wrote. */
export const OVERRIDES_MAX = 100

export interface Overridden {
  /** A copy of the settings as written, with the overrides in it. */
  readonly value: unknown
  readonly problems: readonly Problem[]
  /** The problem, if an override wrote what it is about; else null. */
  readonly locate: (complaint: Complaint) => Problem | null
}

interface Override {
  /** `--set quota.grace=5s` */
  readonly file: string
  readonly path: KeyPath
  readonly value: unknown
}

type Parsed = { readonly ok: true; readonly override: Override } | Failure
interface Failure {
  readonly ok: false
  readonly problems: readonly Problem[]
}

export function applyOverrides(raw: unknown, texts: readonly string[]): Overridden {
  const problems: Problem[] = []
  const done: Override[] = []
  let value = raw
  if (texts.length > OVERRIDES_MAX) {
    const what = `there are ${texts.length}`
    problems.push(problem('--set', { what, expected: `at most ${OVERRIDES_MAX}` }))
  }
  for (const text of texts.slice(0, OVERRIDES_MAX)) {
    const parsed = parseOverride(text)
    if (!parsed.ok) {
      problems.push(...parsed.problems)
      continue
    }
    const { override } = parsed
    const result = put(value, override)
    if ('complaint' in result) problems.push(ofComplaint(override.file, result.complaint))
    else {
      value = result.value
      done.push(override)
    }
  }
  const locate = (complaint: Complaint): Problem | null => {
    const { path } = complaint
    const around = path.slice(0, -1)
    // What an override had to make, it answers for: a new zone that lacks its networks.
    const made = around.length > 0 && valueAt(raw, around) === undefined
    const author = done.findLast(
      (override) => isWithin(path, override.path) || (made && isWithin(override.path, around)),
    )
    return author === undefined ? null : ofComplaint(author.file, complaint)
  }
  return { value, problems, locate }
}

function isWithin(path: KeyPath, around: KeyPath): boolean {
  return around.every((part, i) => path[i] === part)
}

/** An IPv6 endpoint would be a YAML list followed by rubbish, and is always meant as text. */
const BRACKETED_ENDPOINT = /^\[[0-9a-f:.]*\]:\d+$/i

function parseOverride(text: string): Parsed {
  const file = `--set ${printable(cut(withoutPasswords(text)))}`
  const equals = text.indexOf('=')
  if (equals === -1) {
    const words = { what: 'the equals sign is missing', expected: 'key.path=value' }
    return { ok: false, problems: [problem(file, words)] }
  }
  const path = parseKeyPath(text.slice(0, equals).trim())
  if (!path.ok) {
    const expected = 'a key such as quota.grace or zones[0].quota'
    return { ok: false, problems: [problem(file, { what: path.what, expected })] }
  }
  const resolved = resolve(path.value)
  if ('complaint' in resolved) {
    return { ok: false, problems: [ofComplaint(file, resolved.complaint)] }
  }
  const written = text.slice(equals + 1).trim()
  if (BRACKETED_ENDPOINT.test(written)) {
    return { ok: true, override: { file, path: resolved.path, value: written } }
  }
  const yaml = readYaml(file, written)
  if (yaml.problems.length > 0) {
    const key = formatKeyPath(resolved.path)
    return {
      ok: false,
      problems: yaml.problems.map(({ what, expected, hint }) =>
        problem(file, { key, what, expected, hint }),
      ),
    }
  }
  return { ok: true, override: { file, path: resolved.path, value: yaml.value } }
}

/** Checks the path against the schema; the rest of a path into a table of hosts is the host. */
function resolve(path: KeyPath): { path: KeyPath } | { complaint: Complaint } {
  let node: SchemaNode = schemaRoot()
  for (const [i, part] of path.entries()) {
    const table = node.additionalProperties
    if (table && !table.properties) {
      const rest = path.slice(i)
      const names = rest.every((name) => typeof name === 'string')
      return names ? { path: [...path.slice(0, i), rest.join('.')] } : { path }
    }
    const next = stepInto(node, part)
    if (next === null) return { complaint: strayKey(node, path.slice(0, i), part) }
    node = next
  }
  return { path }
}

function strayKey(node: SchemaNode, around: KeyPath, part: string | number): Complaint {
  if (typeof part === 'string' && keysOf(node).length > 0) return unknownKey(around, part)
  const key = formatKeyPath(around) || 'the file'
  const what =
    typeof part === 'number'
      ? `${key} is not a list`
      : listNode(node)
        ? `${key} is a list; write ${key}[0]`
        : `${key} holds no keys`
  return { path: [...around, part], value: undefined, what, expected: '', hint: '' }
}

type Put = { readonly value: unknown } | { readonly complaint: Complaint }

/** A copy of `raw` with the override's value in it; only what lies on its path is copied. */
function put(raw: unknown, { path, value }: Override, depth = 0): Put {
  if (depth === path.length) return { value }
  const part = path[depth]!
  const here = path.slice(0, depth)
  if (typeof part === 'number') {
    const items = Array.isArray(raw) ? raw : raw === undefined ? [] : [raw]
    if (part > items.length) return { complaint: noEntry(here, part, items.length) }
    const inner = put(items[part], { file: '', path, value }, depth + 1)
    return 'complaint' in inner ? inner : { value: items.toSpliced(part, 1, inner.value) }
  }
  if (raw !== undefined && (typeof raw !== 'object' || raw === null || Array.isArray(raw))) {
    const what = `${formatKeyPath(here) || 'the whole'} is ${quoteValue(raw)} in the file`
    return {
      complaint: { path: here, value: undefined, what, expected: 'a group of keys', hint: '' },
    }
  }
  const missing = depth + 1 < path.length && isTable(here) && valueAt(raw, [part]) === undefined
  if (missing) return { complaint: noName(here, part, Object.keys(raw ?? {})) }
  const inner = put(valueAt(raw, [part]), { file: '', path, value }, depth + 1)
  return 'complaint' in inner ? inner : { value: { ...raw, [part]: inner.value } }
}

/** True where people choose the names of the keys. */
function isTable(path: KeyPath): boolean {
  let node: SchemaNode | null = schemaRoot()
  for (const part of path) node = node && stepInto(node, part)
  return Boolean(node?.additionalProperties)
}

function noEntry(path: KeyPath, position: number, length: number): Complaint {
  const what = `${formatKeyPath(path)} has ${length} ${length === 1 ? 'entry' : 'entries'}`
  const expected = `a position from 0 to ${length}`
  return { path: [...path, position], value: undefined, what, expected, hint: '' }
}

function noName(path: KeyPath, name: string, names: readonly string[]): Complaint {
  const what = `${formatKeyPath(path)} has no ${name}`
  return {
    path: [...path, name],
    value: undefined,
    what,
    expected: '',
    hint: meantHint(name, names),
  }
}

function ofComplaint(file: string, { path, value, what, expected, hint }: Complaint): Problem {
  const key = formatKeyPath(path)
  return { file, line: 0, key, value: quoteValue(value), what, expected, hint }
}

function problem(file: string, words: Partial<Problem>): Problem {
  return { file, line: 0, key: '', value: '', what: '', expected: '', hint: '', ...words }
}
