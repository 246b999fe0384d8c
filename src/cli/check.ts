/**
 * Owns: `./sluss check`: everything that is wrong with the settings and the files they name, at once.
 * Never: starts, changes or asks a service.
 */
import { relative, resolve } from 'node:path'
import type { Command } from 'commander'
import { readList } from '../lists/read.ts'
import { type Configuration, readConfiguration } from '../service/configuration.ts'
import { keyOf } from '../service/image.ts'
import { ImageStore } from '../service/image-store.ts'
import { settingsHelp } from '../settings/document.ts'
import { formatProblem, type Problem, printable } from '../settings/problems.ts'
import { globalOptions, overridesOf, print, printJson } from './context.ts'

const EXIT_BROKEN = 2

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

/**
 * Reads everything as a start would, and tells. The register and what stands in the lists are read where
 * the settings hold.
 */
export async function check(options: CheckOptions): Promise<CheckResult> {
  const read = readConfiguration(options)
  const problems = read.ok ? await listProblems(read) : read.problems
  const { warnings } = read
  const near = relative(process.cwd(), resolve(options.file))
  const shown = near.startsWith('..') ? resolve(options.file) : near
  const counts = [
    read.ok && problems.length === 0 ? `good (${extent(read)})` : count(problems.length, 'error'),
    ...(warnings.length > 0 ? [count(warnings.length, 'warning')] : []),
  ]
  const ok = problems.length === 0
  return { ok, problems, warnings, summary: printable(`${shown}: ${counts.join(', ')}`) }
}

/** What keeps lists from being built. Lists that the saved image was built from are known to be good. */
async function listProblems({ sources, settings }: Configuration): Promise<Problem[]> {
  if (new ImageStore(settings.state, null).load(keyOf(sources)) !== null) return []
  const problems: Problem[] = []
  for (const source of sources) {
    if (source.file === null) continue
    const parsed = await readList(source, () => {})
    if (!('what' in parsed)) continue
    const { line = 0, what, hint } = parsed
    problems.push({ file: source.file, line, key: '', value: '', what, expected: '', hint })
  }
  return problems
}

/** How much there is: a list that has vanished from the settings shows here. */
function extent({ settings, platforms, sources }: Configuration): string {
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
    .action(async (_options: object, command: Command) => {
      const options = globalOptions(command)
      const { config: file, json } = options
      const result = await check({ file, overrides: overridesOf(options), nowMs: Date.now() })
      if (json) printJson(result)
      else print(textOf(result))
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
