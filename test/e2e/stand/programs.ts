/**
 * Owns: real clients for the tests: curl, Python, Chromium; and whether this machine has them.
 * Never: skips where everything must be there: .ci/run sets SLUSS_TEST_ALL, and then a missing one fails.
 */
import { accessSync, constants, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { type Output, runCommand } from './sluss.ts'
import type { Town } from './town.ts'

/** True where `program` is on the PATH, or must be. */
export function has(program: string): boolean {
  return process.env.SLUSS_TEST_ALL === '1' || pathOf(program) !== null
}

export function pathOf(program: string): string | null {
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    const path = join(folder, program)
    try {
      accessSync(path, constants.X_OK)
      return path
    } catch {}
  }
  return null
}

/** curl through the town's proxy, trusting the town's certificate. */
export async function curl(
  { sluss, certificate }: Town,
  args: readonly string[],
  input = '',
): Promise<Output> {
  const folder = mkdtempSync(join(tmpdir(), 'sluss-curl-'))
  const cacert = join(folder, 'ca')
  writeFileSync(cacert, certificate.certificate)
  const all = ['--silent', '--show-error', '--noproxy', '', '--proxy', `http://${sluss.proxy}`]
  try {
    return await runCommand(
      'curl',
      [...all, '--cacert', cacert, '--max-time', '60', ...args],
      input,
    )
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
