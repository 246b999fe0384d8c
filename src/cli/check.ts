/**
 * Owns: `./sluss check`: everything that is wrong with the settings and the files they name, at once.
 * Never: starts, changes or asks a service.
 */
import { readFileSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'
import type { Command } from 'commander'
import { parseUsers } from '../identity/index.ts'
import { settingsHelp } from '../settings/document.ts'
import { type Loaded, loadSettings } from '../settings/load.ts'
import { formatProblem, type Problem } from '../settings/problems.ts'
import { loadRegister } from '../settings/register.ts'

const EXIT_BROKEN = 2
const SETTINGS_FILE = join(import.meta.dirname, '../../config/sluss.yaml')

export interface CheckOptions {
  readonly file: string
  readonly overrides: readonly string[]
  /** For the warnings about rows that are over, or nearly. */
  readonly nowMs: number
}

export interface CheckResult {
  readonly ok: boolean
  readonly problems: readonly Problem[]
  readonly warnings: readonly Problem[]
  /** One line: `config/sluss.yaml: 3 errors, 1 warning`. */
  readonly summary: string
}

/** Loads everything as a start would, and tells. */
export function check({ file, overrides, nowMs }: CheckOptions): CheckResult {
  const loaded = loadSettings({ file, overrides })
  const register = loaded.ok ? checkRegister(loaded, nowMs) : NOTHING
  const users = loaded.ok ? checkUsers(loaded) : NOTHING
  const problems = [...(loaded.ok ? [] : loaded.problems), ...register.problems]
  const warnings = [...loaded.warnings, ...users.warnings, ...register.warnings]
  const near = relative(process.cwd(), resolve(file))
  const shown = near.startsWith('..') ? resolve(file) : near
  const counts = [
    ...(problems.length > 0 ? [count(problems.length, 'error')] : []),
    ...(loaded.ok && problems.length === 0 ? [`good (${extent(loaded)})`] : []),
    ...(warnings.length > 0 ? [count(warnings.length, 'warning')] : []),
  ]
  return {
    ok: problems.length === 0,
    problems,
    warnings,
    summary: `${shown}: ${counts.join(', ')}`,
  }
}

type Good = Loaded & { ok: true }
interface Findings {
  readonly problems: readonly Problem[]
  readonly warnings: readonly Problem[]
}

const NOTHING: Findings = { problems: [], warnings: [] }

/** The register is read against the platforms, so only where the settings hold. */
function checkRegister({ settings, platforms }: Good, nowMs: number): Findings {
  if (settings.exemptions === null) return NOTHING
  const context = { file: settings.exemptions, platforms, calendar: settings.day, nowMs }
  const register = loadRegister(context)
  return register.ok
    ? { problems: [], warnings: register.warnings }
    : { problems: register.problems, warnings: [] }
}

/** A bad line keeps one person out and the others in: a warning. */
function checkUsers({ settings }: Good): Findings {
  const file = settings.identity.basic.users
  if (file === null) return NOTHING
  const { problems } = parseUsers(readFileSync(file, 'utf8'))
  const warnings = problems.map((problem) => ({
    file,
    key: '',
    value: '',
    expected: '',
    ...problem,
  }))
  return { problems: [], warnings }
}

/** How much there is: a list that has vanished from the settings shows here. */
function extent({ settings, platforms, sources }: Good): string {
  const lists = new Set(sources.map(({ file }) => file).filter((file) => file !== null))
  return [
    count(settings.zones.length, 'zone'),
    count(Object.keys(settings.categories).length, 'category', 'categories'),
    count(platforms.length, 'platform'),
    count(lists.size, 'list'),
  ].join(', ')
}

function count(n: number, one: string, many = `${one}s`): string {
  return `${n} ${n === 1 ? one : many}`
}

export function register(program: Command): void {
  program
    .command('check')
    .description('say whether the settings hold, and all that is wrong where they do not')
    .addHelpText('after', () => `\nSettings (docs/settings.md tells more):\n${settingsHelp()}`)
    .action((_options: object, command: Command) => {
      const { config, set, state, json } = command.optsWithGlobals<{
        config?: string
        set?: string[]
        state?: string
        json?: boolean
      }>()
      // Quoted, because a path may hold what YAML takes for something else.
      const ofState = state === undefined ? [] : [`state=${JSON.stringify(resolve(state))}`]
      const overrides = [...(set ?? []), ...ofState]
      const result = check({ file: config ?? SETTINGS_FILE, overrides, nowMs: Date.now() })
      process.stdout.write(json ? `${JSON.stringify(result)}\n` : `${textOf(result)}\n`)
      if (!result.ok) process.exitCode = EXIT_BROKEN
    })
}

function textOf({ problems, warnings, summary }: CheckResult): string {
  return [
    ...problems.map((problem) => formatProblem(problem)),
    ...warnings.map((warning) => `warning: ${formatProblem(warning)}`),
    summary,
  ].join('\n')
}
