/**
 * Owns: what every command shares: the global options, the settings, and how results and errors are printed.
 * Never: does a command's work.
 */
import { userInfo } from 'node:os'
import { fileURLToPath } from 'node:url'
import type { Command } from 'commander'
import {
  type BrokenConfiguration,
  type Configuration,
  readConfiguration,
} from '../service/configuration.ts'
import { type Loaded, loadSettings } from '../settings/load.ts'
import { formatProblem, type Problem, printable } from '../settings/problems.ts'
import type { Settings } from '../settings/schema.ts'

export interface GlobalOptions {
  readonly config: string
  readonly state?: string
  readonly set: readonly string[]
  readonly json: boolean
}

/** The settings file of this installation. */
export const DEFAULT_CONFIG = fileURLToPath(new URL('../../config/sluss.yaml', import.meta.url))

/** `--config`, `--state`, `--set` and `--json`, wherever on the line they stood. */
export function globalOptions(command: Command): GlobalOptions {
  const { config, state, set, json } = command.optsWithGlobals<Partial<GlobalOptions>>()
  return {
    config: config ?? DEFAULT_CONFIG,
    ...(state === undefined ? {} : { state }),
    set: set ?? [],
    json: json ?? false,
  }
}

/** The overrides that the global options mean. */
export function overridesOf({ state, set }: GlobalOptions): readonly string[] {
  if (state === undefined) return set
  // As YAML, so that no character in a path has a meaning of its own.
  return [...set, `state=${JSON.stringify(fromHere(state))}`]
}

/** A path on the command line is relative to where the command is given, not to the settings file. */
function fromHere(path: string): string {
  return path.startsWith('/') ? path : `${process.cwd()}/${path}`
}

export interface Context {
  readonly settings: Settings
  readonly loaded: Loaded & { readonly ok: true }
  readonly json: boolean
}

/** The settings; where they are broken, prints every problem and ends with 2. */
export function loadContext(command: Command): Context {
  const options = globalOptions(command)
  const loaded = loadSettings({ file: options.config, overrides: overridesOf(options) })
  if (!loaded.ok) return endWithProblems(loaded.problems)
  return { settings: loaded.settings, loaded, json: options.json }
}

/** All that the files say; where anything is broken, prints every problem and ends with 2. */
export function loadConfiguration(command: Command, nowMs: number): Configuration {
  const options = globalOptions(command)
  const read: Configuration | BrokenConfiguration = readConfiguration({
    file: options.config,
    overrides: overridesOf(options),
    nowMs,
  })
  return read.ok ? read : endWithProblems(read.problems)
}

/** Prints each problem on a line of its own, and ends with 2. */
export function endWithProblems(problems: readonly Problem[]): never {
  for (const problem of problems) process.stderr.write(`${formatProblem(problem)}\n`)
  return process.exit(2)
}

/** Ends with 2 after one line of what is wrong, and one of what to do. */
export function fail(message: string, hint = ''): never {
  const lines = [`sluss: ${message}`, ...(hint === '' ? [] : [`  ${hint}`])]
  process.stderr.write(lines.map((line) => `${printable(line)}\n`).join(''))
  return process.exit(2)
}

export function printJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value, null, 2)}\n`)
}

export function print(text: string): void {
  process.stdout.write(`${text}\n`)
}

/** Rows as aligned columns, the last one ragged; columns of numbers, counted from 0, on the right. */
export function table(
  rows: readonly (readonly string[])[],
  numbers: readonly number[] = [],
): string {
  const widths: number[] = []
  for (const row of rows) {
    for (const [i, cell] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, cell.length)
  }
  return rows
    .map((row) =>
      row
        .map((cell, i) =>
          numbers.includes(i) ? cell.padStart(widths[i] ?? 0) : cell.padEnd(widths[i] ?? 0),
        )
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

/** Who gives the command: the person behind sudo where there is one. */
export function actor(): string {
  return process.env.SUDO_USER ?? userInfo().username
}
