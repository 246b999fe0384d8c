/**
 * Owns: that what is written for people and editors is what the program does, both ways.
 * Never: judges how well it is written.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { generatedFiles, staleFiles } from '../../src/cli/docs.ts'
import { REASONS } from '../../src/policy/index.ts'
import { settingsHelp } from '../../src/settings/document.ts'
import { editorSchema, settingEntries } from '../../src/settings/outline.ts'

const HOME = join(import.meta.dirname, '../..')
const fileOf = (path: string) => readFileSync(join(HOME, path), 'utf8')

/** What stands in the first cell of every row of the tables of a document. */
function firstCells(path: string): string[] {
  return [...fileOf(path).matchAll(/^\| `([^`]+)` \|/gm)].map((match) => match[1]!)
}

describe('generated files', () => {
  it('are what the program makes now (npm run docs)', () => {
    expect(staleFiles().map(({ path }) => path)).toEqual([])
  })

  it('are the same each time they are made', () => {
    expect(generatedFiles()).toEqual(generatedFiles())
  })
})

describe('docs/settings.md', () => {
  const leaves = settingEntries().filter(({ group }) => !group)

  it('tells every setting once, and no other', () => {
    expect(firstCells('docs/settings.md').toSorted()).toEqual(
      leaves.map(({ key }) => key).toSorted(),
    )
  })

  it('has for every setting what it is, what it takes, and an example', () => {
    for (const { key, about, kind, sample } of leaves) {
      expect([key, about !== '', kind !== '', sample !== undefined]).toEqual([
        key,
        true,
        true,
        true,
      ])
    }
  })

  it('says what must be given, and nothing else must', () => {
    const required = leaves.filter((entry) => entry.required).map(({ key }) => key)
    expect(required).toEqual([
      'version',
      'zones[].name',
      'zones[].networks',
      'zones[].identify',
      'categories.NAME.action',
      'lists[].category',
    ])
  })
})

describe('docs/reasons.md', () => {
  it('tells every reason once, and no other, in the order of the table', () => {
    expect(firstCells('docs/reasons.md')).toEqual(Object.keys(REASONS))
  })

  it('has the words that people meet', () => {
    const text = fileOf('docs/reasons.md')
    for (const { sv, en } of Object.values(REASONS)) {
      expect(text).toContain(`| **${sv.title}.** ${sv.body} | **${en.title}.** ${en.body} |`)
    }
  })
})

describe('the help', () => {
  it('has a line for every setting', () => {
    const lines = settingsHelp().split('\n')
    const keys = lines.map((line) => line.trim().split(' ')[0])
    expect(keys).toEqual(settingEntries().flatMap(({ key, group }) => (group ? [] : [key])))
    expect(lines).toContainEqual(expect.stringMatching(/^ {2}quota\.grace .*\[30s\]$/))
  })
})

describe('the JSON Schema for editors', () => {
  interface Node {
    properties?: Record<string, Node>
    additionalProperties?: Node | false
    items?: Node
    anyOf?: Node[]
    type?: string
    pattern?: string
    enum?: unknown[]
    required?: string[]
  }

  /** Where `value` breaks the schema; only the words that our schema uses. */
  function faults(node: Node, value: unknown, path: string): string[] {
    if (node.anyOf) {
      const tries = node.anyOf.map((branch) => faults(branch, value, path))
      return tries.find((found) => found.length === 0) ?? tries[0] ?? []
    }
    if (node.enum && !node.enum.includes(value)) return [`${path}: not one of the words`]
    if (node.type === 'array') {
      if (!Array.isArray(value)) return [`${path}: not a list`]
      return value.flatMap((item, i) => faults(node.items ?? {}, item, `${path}[${i}]`))
    }
    if (node.type === 'object') {
      if (typeof value !== 'object' || value === null) return [`${path}: not a group`]
      const missing = (node.required ?? []).filter((key) => !(key in value))
      return [
        ...missing.map((key) => `${path}.${key}: missing`),
        ...Object.entries(value).flatMap(([key, inner]) => {
          const child = node.properties?.[key] ?? node.additionalProperties
          return child ? faults(child, inner, `${path}.${key}`) : [`${path}.${key}: unknown`]
        }),
      ]
    }
    if (node.pattern && !new RegExp(node.pattern).test(String(value))) return [`${path}: pattern`]
    const type = typeof value === 'number' ? /number|integer/ : new RegExp(typeof value)
    return node.type && !type.test(node.type) ? [`${path}: not a ${node.type}`] : []
  }

  it('takes the shipped settings', () => {
    expect(faults(editorSchema(), parse(fileOf('config/sluss.yaml')), '')).toEqual([])
  })

  it('refuses what the loader refuses', () => {
    const broken = {
      version: 1,
      zones: [{ name: 'A' }],
      qouta: {},
      quota: { grace: 5, users: 'x' },
    }
    expect(faults(editorSchema(), broken, '')).toEqual([
      '.zones[0].networks: missing',
      '.zones[0].identify: missing',
      '.zones[0].name: pattern',
      '.qouta: unknown',
      '.quota.grace: pattern',
      '.quota.users: not a integer',
    ])
  })
})
