/**
 * Owns: running commands of the launcher on a town's files, and what must hold of whatever they print.
 * Never: knows a command.
 */
import { expect } from 'vitest'
import type { Output } from './sluss.ts'
import type { Town } from './town.ts'

/** What no command may ever print: the trace of a fault, or a character that a terminal obeys. */
const TRACE = /^\s+at |node:internal|\bError:/m
// biome-ignore lint/suspicious/noControlCharactersInRegex: controls are what this looks for
const OBEYED = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u202a-\u202e]/

/** Fails where a command has printed what none may. */
export function tidy(output: Output, ...words: readonly string[]): void {
  const all = `${output.stdout}${output.stderr}`
  expect([words, TRACE.exec(all)?.[0]]).toEqual([words, undefined])
  expect([words, OBEYED.exec(all)?.[0]]).toEqual([words, undefined])
}

/** What a command has printed with `--json`. */
export const json = ({ stdout }: Output) => JSON.parse(stdout) as unknown

/** Runs a command on the town's files. */
export async function run({ sluss }: Town, ...words: readonly string[]): Promise<Output> {
  const output = await sluss.run(...words)
  tidy(output, ...words)
  return output
}

/** As `run`, of a command that does what it is asked. */
export async function done(town: Town, ...words: readonly string[]): Promise<Output> {
  const output = await run(town, ...words)
  expect(output).toMatchObject({ code: 0, stderr: '' })
  return output
}
