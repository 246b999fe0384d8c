/**
 * Owns: from the settings file and what it names to settings that hold, or all that is wrong with them.
 * Never: reads a list, a user or a row of the register; it only sees that the files are there.
 */
import { createHash } from 'node:crypto'
import { accessSync, constants, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import type { ListSource } from '../policy/index.ts'
import { listSources } from './compile.ts'
import type { KeyPath } from './key-path.ts'
import { applyOverrides } from './overrides.ts'
import { type PlatformDefinition, readPlatforms } from './platforms.ts'
import { byPlace, type Complaint, type Problem, printable } from './problems.ts'
import { readRegularFile } from './regular-file.ts'
import { judge, platformNameErrors } from './rules.ts'
import { type Settings, settingsSchema } from './schema.ts'
import { complaintsOf, valueAt } from './validation.ts'
import { readYaml, type YamlSource } from './yaml-source.ts'

export type Loaded =
  | {
      readonly ok: true
      readonly settings: Settings
      readonly platforms: readonly PlatformDefinition[]
      readonly sources: readonly ListSource[]
      /** Absolute paths of every file that the settings rest on: what to watch. */
      readonly files: readonly string[]
      readonly warnings: readonly Problem[]
      /** Lists that cannot be read; none but where `lists: 'tell'` was asked for. */
      readonly unreadable: readonly Problem[]
      /** SHA-256, in hex, of settings and platforms: the same where nothing that matters has changed. */
      readonly digest: string
    }
  | {
      readonly ok: false
      readonly problems: readonly Problem[]
      readonly warnings: readonly Problem[]
      readonly files: readonly string[]
    }

export interface LoadOptions {
  /** Path of the settings file; the paths in it are relative to its folder. */
  readonly file: string
  /** `key.path=value`, in the order they are applied. */
  readonly overrides?: readonly string[]
  /**
   * `tell`: a list that cannot be read does not break the settings; it is told beside them, for whoever
   * can do without it for a while. Unless told otherwise, it breaks them.
   */
  readonly lists?: 'tell'
  /** Throws an error with a `code` of node:fs where it cannot. The disk, unless told otherwise. */
  readonly readFile?: (file: string) => Uint8Array
  /** What stands in the way of reading `file`, or null. The disk, unless told otherwise. */
  readonly probeFile?: (file: string, orFolder: boolean) => string | null
}

/** Reads and judges everything; never throws for what stands in a file. */
export function loadSettings(options: LoadOptions): Loaded {
  const file = resolve(options.file)
  const text = readText(file, options.readFile)
  if ('fault' in text) {
    const hint = text.hint || 'give the path of the settings with --config FILE'
    return {
      ok: false,
      problems: [faultProblem(file, { ...text, hint })],
      warnings: [],
      files: [file],
    }
  }
  const yaml = readYaml(file, text.value)
  if (!yaml.whole) return { ok: false, problems: yaml.problems, warnings: [], files: [file] }
  return judgeAll({ file, yaml, options })
}

interface SettingsText {
  readonly file: string
  readonly yaml: YamlSource
  readonly options: LoadOptions
}

function judgeAll({ file, yaml, options }: SettingsText): Loaded {
  const folder = dirname(file)
  const changed = applyOverrides(yaml.value, options.overrides ?? [])
  const raw = changed.value
  const locate = (complaint: Complaint) => changed.locate(complaint) ?? yaml.locate(complaint)
  const { errors, warnings } = judge(raw)
  const named = namedFiles(raw, folder)
  const platforms = loadPlatforms(named, options)
  const lost = fileErrors(named, options.probeFile ?? probeDisk)
  const told = lost.filter(({ kind }) => kind === 'list' && options.lists === 'tell')
  const complaints = [
    ...complaintsOf(settingsSchema, raw),
    ...errors,
    ...lost.filter((one) => !told.includes(one)).map(({ complaint }) => complaint),
    ...platforms.complaints,
    ...(platforms.names === null ? [] : platformNameErrors(raw, platforms.names)),
  ]
  const problems = [
    ...changed.problems,
    ...[...yaml.problems, ...complaints.map(locate)].toSorted(byPlace),
    ...platforms.problems,
  ]
  const files = [...new Set([file, ...named.map((one) => one.file)])]
  const warned = warnings.map(locate).toSorted(byPlace)
  if (problems.length > 0) return { ok: false, problems, warnings: warned, files }
  const settings = inFolder(settingsSchema.parse(raw), folder)
  const sources = listSources(settings, platforms.platforms, folder)
  const digest = createHash('sha256')
    .update(JSON.stringify([settings, platforms.platforms]))
    .digest('hex')
  return {
    ok: true,
    settings,
    platforms: platforms.platforms,
    sources,
    files,
    warnings: warned,
    unreadable: told.map(({ complaint }) => locate(complaint)).toSorted(byPlace),
    digest,
  }
}

interface NamedFile {
  readonly kind: 'list' | 'platforms' | 'users' | 'register' | 'certificates'
  readonly path: KeyPath
  /** As written. */
  readonly text: string
  /** Absolute. */
  readonly file: string
}

/** Every file that the settings name, also where other settings are wrong. */
function namedFiles(raw: unknown, folder: string): NamedFile[] {
  const named: NamedFile[] = []
  const add = (kind: NamedFile['kind'], path: KeyPath): void => {
    const value = valueAt(raw, path)
    const texts = Array.isArray(value) ? value : [value]
    for (const [i, text] of texts.entries()) {
      // What the schema refuses as a path is reported already.
      if (!settingsSchema.shape.state.safeParse(text).success || text === undefined) continue
      const at = Array.isArray(value) ? [...path, i] : path
      named.push({ kind, path: at, text, file: resolve(folder, text) })
    }
  }
  const categories = valueAt(raw, ['categories'])
  const names = typeof categories === 'object' && categories ? Object.keys(categories) : []
  add('users', ['identity', 'basic', 'users'])
  for (const name of names) add('list', ['categories', name, 'lists'])
  add('platforms', ['platforms'])
  add('list', ['neverBlock'])
  const lists = valueAt(raw, ['lists'])
  for (const i of Array.isArray(lists) ? lists.keys() : []) add('list', ['lists', i, 'file'])
  add('certificates', ['updates', 'certificates'])
  add('register', ['exemptions'])
  return named
}

const FILE_WORDS = {
  list: 'a file or folder of domains',
  platforms: 'a file of platforms',
  users: 'a file of users',
  register: 'a file of exemptions',
  certificates: 'a file of certificates (PEM)',
} as const

interface FileError {
  readonly kind: NamedFile['kind']
  readonly complaint: Complaint
}

/** The platforms are read, not probed; the register may be missing, and says so itself. */
function fileErrors(
  named: readonly NamedFile[],
  probe: (file: string, orFolder: boolean) => string | null,
): FileError[] {
  return named.flatMap((one) => {
    if (one.kind === 'platforms' || one.kind === 'register') return []
    const fault = probe(one.file, one.kind === 'list')
    return fault === null ? [] : [{ kind: one.kind, complaint: fileError(one, fault) }]
  })
}

function fileError({ kind, path, text, file }: NamedFile, fault: string): Complaint {
  const hint = `it was sought at ${printable(file)}`
  return { path, value: text, what: fault, expected: FILE_WORDS[kind], hint }
}

interface PlatformsFound {
  readonly platforms: readonly PlatformDefinition[]
  /** Null where no file could be read: then no name can be judged. */
  readonly names: readonly string[] | null
  readonly problems: readonly Problem[]
  readonly complaints: readonly Complaint[]
}

function loadPlatforms(named: readonly NamedFile[], options: LoadOptions): PlatformsFound {
  const none = { platforms: [], names: null, problems: [], complaints: [] }
  const one = named.find(({ kind }) => kind === 'platforms')
  if (one === undefined) return none
  const text = readText(one.file, options.readFile)
  if ('fault' in text) {
    if (text.line > 0) return { ...none, problems: [faultProblem(one.file, text)] }
    return { ...none, complaints: [fileError(one, text.fault)] }
  }
  const loaded = readPlatforms(one.file, text.value)
  const names = loaded.names.length === 0 ? null : loaded.names
  return { ...none, ...loaded, names }
}

/** The settings with every path absolute. */
function inFolder(settings: Settings, folder: string): Settings {
  const absolute = (path: string) => resolve(folder, path)
  const file = (path: string | null) => (path === null ? null : absolute(path))
  const categories = Object.entries(settings.categories).map(
    ([name, category]) => [name, { ...category, lists: category.lists.map(absolute) }] as const,
  )
  return {
    ...settings,
    state: absolute(settings.state),
    identity: { basic: { users: file(settings.identity.basic.users) } },
    categories: Object.fromEntries(categories),
    platforms: file(settings.platforms),
    neverBlock: settings.neverBlock.map(absolute),
    lists: settings.lists.map((list) => ({ ...list, file: file(list.file) })),
    updates: { ...settings.updates, certificates: file(settings.updates.certificates) },
    exemptions: file(settings.exemptions),
  }
}

function faultProblem(file: string, { fault, line, hint }: Fault): Problem {
  return { file, line, key: '', value: '', what: fault, expected: '', hint }
}

type Text = { readonly value: string } | Fault

interface Fault {
  readonly fault: string
  /** 1-based; 0 where the file as a whole is meant. */
  readonly line: number
  readonly hint: string
}

function readText(file: string, readFile: LoadOptions['readFile'] = readRegularFile): Text {
  let bytes: Uint8Array
  try {
    bytes = readFile(file)
  } catch (error) {
    return { fault: faultOf(error), line: 0, hint: '' }
  }
  try {
    return { value: new TextDecoder('utf-8', { fatal: true }).decode(bytes) }
  } catch {
    const good = new TextDecoder('utf-8').decode(bytes).split('\ufffd', 1)[0]!
    const hint = 'save the file as UTF-8; å, ä and ö are often what is wrong'
    return { fault: 'a character is not UTF-8', line: good.split('\n').length, hint }
  }
}

/** What keeps us from reading `file` on this machine, or null. */
function probeDisk(file: string, orFolder: boolean): string | null {
  try {
    const found = statSync(file)
    const folder = found.isDirectory()
    if (folder && !orFolder) return 'it is a folder'
    if (!folder && !found.isFile()) return 'it is not a file'
    accessSync(file, folder ? constants.R_OK | constants.X_OK : constants.R_OK)
    return null
  } catch (error) {
    return faultOf(error)
  }
}

const FAULTS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  ENOTDIR: 'there is no such file',
  EISDIR: 'it is a folder',
  ENOTREG: 'it is not a file',
  EFBIG: 'it is too large to be one',
  EACCES: 'it may not be read by this user',
  EPERM: 'it may not be read by this user',
}

function faultOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  if (code === '') throw error
  return FAULTS[code] ?? `it cannot be read (${code})`
}
