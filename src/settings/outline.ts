/**
 * Owns: what can be asked of the schema without a file: which keys there are, the JSON Schema for editors.
 * Never: adds a fact of its own; all of it is in schema.ts.
 */
import { z } from 'zod'
import type { KeyPath } from './key-path.ts'
import { settingsSchema } from './schema.ts'

/** A node of the JSON Schema (draft 7) that zod makes, with what `meta` added. */
export interface SchemaNode {
  readonly type?: string
  readonly const?: unknown
  readonly enum?: readonly unknown[]
  readonly default?: unknown
  readonly description?: string
  readonly kind?: string
  readonly sample?: unknown
  readonly fallback?: unknown
  readonly properties?: Readonly<Record<string, SchemaNode>>
  readonly required?: readonly string[]
  readonly additionalProperties?: SchemaNode | false
  readonly items?: SchemaNode
  readonly anyOf?: readonly SchemaNode[]
}

/** One key of the settings, as the documentation tells it. */
export interface SettingEntry {
  /** `quota.threshold`, `zones[].name`, `categories.NAME.action`. */
  readonly key: string
  readonly about: string
  /** `duration, 0s to 10m`, `minutes or none`; empty for a group. */
  readonly kind: string
  readonly required: boolean
  /** Undefined: nothing holds where it is not written, or it must be. */
  readonly defaultValue: unknown
  readonly sample: unknown
  /** A group of other keys, which follow. */
  readonly group: boolean
}

/** What stands for a name that people choose, in the keys of `SettingEntry`. */
export const ANY_NAME = 'NAME'

let root: SchemaNode | null = null

/** The schema of what people write: the input side. Made once. */
export function schemaRoot(): SchemaNode {
  root ??= z.toJSONSchema(settingsSchema, { io: 'input', target: 'draft-7' }) as SchemaNode
  return root
}

/** The node at `path`, with the schema of any entry for positions and chosen names; null: no such key. */
export function schemaAt(path: KeyPath): SchemaNode | null {
  let node: SchemaNode | null = schemaRoot()
  for (const part of path) {
    node = stepInto(node, part)
    if (node === null) return null
  }
  return node
}

export function stepInto(node: SchemaNode, part: string | number): SchemaNode | null {
  if (typeof part === 'number') return listNode(node)?.items ?? null
  if (node.properties !== undefined && Object.hasOwn(node.properties, part)) {
    return node.properties[part]!
  }
  return node.additionalProperties ? node.additionalProperties : null
}

/** The list that `node` is or may be. */
export function listNode(node: SchemaNode): SchemaNode | null {
  if (node.items !== undefined) return node
  return node.anyOf?.find(({ items }) => items !== undefined) ?? null
}

/** The keys that may stand in the group `node`; empty where people choose them. */
export function keysOf(node: SchemaNode | null): string[] {
  return Object.keys(node?.properties ?? {})
}

/** All settings, in the order of the schema, groups before what they hold. */
export function settingEntries(): SettingEntry[] {
  return entriesIn(schemaRoot(), '')
}

function entriesIn(node: SchemaNode, prefix: string): SettingEntry[] {
  return Object.entries(node.properties ?? {}).flatMap(([name, child]) => {
    const key = prefix === '' ? name : `${prefix}.${name}`
    const [inner, innerKey] = innerGroup(child, key)
    const own: SettingEntry = {
      key,
      about: child.description ?? '',
      kind: inner === null ? kindOf(child) : '',
      required: node.required?.includes(name) ?? false,
      defaultValue: inner === null ? (child.default ?? child.fallback) : undefined,
      sample: child.sample,
      group: inner !== null,
    }
    return inner === null ? [own] : [own, ...entriesIn(inner, innerKey)]
  })
}

/** The group of keys that `node` is, or is a list or a table of. */
function innerGroup(node: SchemaNode, key: string): [SchemaNode | null, string] {
  if (node.properties) return [node, key]
  if (node.items?.properties) return [node.items, `${key}[]`]
  const entry = node.additionalProperties || undefined
  return entry?.properties ? [entry, `${key}.${ANY_NAME}`] : [null, key]
}

/** What kind of value `node` takes, in words. */
export function kindOf(node: SchemaNode): string {
  if (node.enum !== undefined) return node.enum.map(String).join(' · ')
  if (node.kind !== undefined) return node.kind
  const list = listNode(node)
  if (list?.items !== undefined) {
    const item = kindOf(list.items)
    return list === node ? `list of: ${item}` : `one or a list of: ${item}`
  }
  const branches = (node.anyOf ?? []).filter(
    ({ const: only, type }) => only !== '' && type !== 'null',
  )
  return branches.map(kindOf).join(' or ')
}

/** The JSON Schema as editors take it: our own words for its words, and no defaults of whole groups. */
export function editorSchema(): object {
  return { title: 'Sluss settings', ...(forEditors(schemaRoot()) as object) }
}

function forEditors(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(forEditors)
  if (typeof node !== 'object' || node === null) return node
  const out: Record<string, unknown> = {}
  for (const [key, value] of Object.entries(node)) {
    if (key === 'properties') {
      const entries = Object.entries(value as object)
      out[key] = Object.fromEntries(entries.map(([name, child]) => [name, forEditors(child)]))
    } else if (key === 'sample') out.examples = [value]
    else if (key === 'fallback') out.default = value
    else if (key === 'default') {
      if (!('properties' in node || 'additionalProperties' in node)) out[key] = value
    } else if (key !== 'kind') out[key] = forEditors(value)
  }
  return out
}
