/**
 * Owns: platforms.yaml: the named services that quota categories are made of, and the domains of each.
 * Never: reads the file itself, or asks whether a domain exists.
 */
import { z } from 'zod'
import { type ListEntry, PLATFORMS_MAX, type Platform, parseHost } from '../policy/index.ts'
import { group, line, list, NAME_LENGTH_MAX, written } from './fields.ts'
import type { KeyPath } from './key-path.ts'
import { HOST_FAULTS } from './network-fields.ts'
import { type SchemaNode, stepInto } from './outline.ts'
import { byPlace, type Complaint, type Problem } from './problems.ts'
import { misread, read } from './reading.ts'
import { complaintsOf, valueAt } from './validation.ts'
import { readYaml } from './yaml-source.ts'

/** A platform as the file has it. Its bit is its place in the file. */
export interface PlatformDefinition extends Platform {
  /** True: `platforms: all` does not mean it; a category has to name it. */
  readonly optional: boolean
  readonly domains: readonly ListEntry[]
  /** Hosts of its buttons and widgets on other people's pages; they never cost a minute. */
  readonly background: readonly ListEntry[]
}

export interface LoadedPlatforms {
  /** In the order of the file; empty where there are problems. */
  readonly platforms: readonly PlatformDefinition[]
  /** The names that can be read, also where there are problems elsewhere in the file. */
  readonly names: readonly string[]
  readonly problems: readonly Problem[]
}

const NAME = /^[a-z0-9-]+$/

const platformName = written(
  { kind: 'name', sample: 'facebook', pattern: NAME.source },
  `a name of at most ${NAME_LENGTH_MAX} small letters a to z, digits and hyphens`,
  (text) => (NAME.test(text) && text.length <= NAME_LENGTH_MAX ? read(text) : misread('')),
)

const domain = written(
  { kind: 'domain', sample: 'facebook.com' },
  'a domain such as facebook.com',
  (text) => {
    const parsed = parseHost(text)
    if (typeof parsed === 'string') return misread(HOST_FAULTS[parsed], domainHint(text))
    if (parsed.address === null && !parsed.host.includes('.')) {
      return misread('it is a whole top-level domain')
    }
    return read(text)
  },
)

function domainHint(text: string): string {
  if (text.startsWith('*.')) return 'write it without *. because subdomains are always included'
  return /[/:]/.test(text) ? 'write the host alone, with no scheme, port or path' : ''
}

const platformsSchema = z.record(
  platformName,
  group({
    title: line('Facebook'),
    domains: list(domain, 'domains', 1),
    background: list(domain, 'domains').prefault([]),
    optional: z.boolean({ error: 'true or false' }).prefault(false),
  }),
  { error: 'a group of platforms by name' },
)

/** Reads `text`, the content of `file` (an absolute path). */
export function readPlatforms(file: string, text: string): LoadedPlatforms {
  const yaml = readYaml(file, text)
  if (!yaml.whole) return { platforms: [], names: [], problems: yaml.problems }
  const found = [...complaintsOf(platformsSchema, yaml.value, guide), ...judge(yaml.value)]
  const problems = [...yaml.problems, ...found.map(yaml.locate)].toSorted(byPlace)
  const names = typeof yaml.value === 'object' ? Object.keys(yaml.value ?? {}) : []
  if (problems.length > 0) return { platforms: [], names, problems }
  const entries = (texts: readonly string[], path: KeyPath) =>
    texts.map((text, i): ListEntry => ({ text, line: yaml.lineOf([...path, i]) }))
  const parsed = Object.entries(platformsSchema.parse(yaml.value))
  const platforms = parsed.map(([name, { title, domains, background, optional }], bit) => ({
    name,
    title,
    bit,
    optional,
    domains: entries(domains, [name, 'domains']),
    background: entries(background, [name, 'background']),
  }))
  return { platforms, names, problems }
}

let root: SchemaNode | null = null

function guide(path: KeyPath): SchemaNode | null {
  root ??= z.toJSONSchema(platformsSchema, { io: 'input', target: 'draft-7' }) as SchemaNode
  return path.reduce<SchemaNode | null>((node, part) => node && stepInto(node, part), root)
}

function judge(raw: unknown): Complaint[] {
  const names = typeof raw === 'object' && raw !== null ? Object.keys(raw) : []
  const errors = names.flatMap((name) => twiceErrors(raw, name))
  if (names.length <= PLATFORMS_MAX || Array.isArray(raw)) return errors
  const words = { value: undefined, what: `there are ${names.length}`, hint: '' }
  const expected = `at most ${PLATFORMS_MAX} platforms`
  return [...errors, { path: [names[PLATFORMS_MAX]!], at: 'key', expected, ...words }]
}

/** A domain that stands twice in a platform: once too often, or for and against at the same time. */
function twiceErrors(raw: unknown, name: string): Complaint[] {
  const seen = new Map<string, string>()
  return ['domains', 'background'].flatMap((key) => {
    const texts = valueAt(raw, [name, key])
    if (!Array.isArray(texts)) return []
    return texts.flatMap((text: unknown, i): Complaint[] => {
      const parsed = typeof text === 'string' ? parseHost(text) : 'host-empty'
      if (typeof parsed === 'string') return []
      const first = seen.get(parsed.host)
      seen.set(parsed.host, first ?? key)
      if (first === undefined) return []
      const path = [name, key, i]
      const what = `it stands in ${name}.${first} already`
      return [{ path, value: text, what, expected: '', hint: 'keep one of them' }]
    })
  })
}
