/**
 * Owns: running one command of the command line inside a test: its words, its exit code.
 * Never: starts a process or touches the real settings.
 */
import { Command } from 'commander'
import { vi } from 'vitest'

export interface Ran {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

class Exit extends Error {
  readonly code: number

  constructor(code: number) {
    super(`exit ${code}`)
    this.code = code
  }
}

/** Runs `args` with the commands that `register` adds, and the options all commands share. */
export async function runCommand(
  register: (program: Command) => void,
  args: readonly string[],
): Promise<Ran> {
  const written = { stdout: '', stderr: '' }
  const spies = (['stdout', 'stderr'] as const).map((name) =>
    vi.spyOn(process[name], 'write').mockImplementation((chunk: string | Uint8Array) => {
      written[name] += String(chunk)
      return true
    }),
  )
  const exit = vi.spyOn(process, 'exit').mockImplementation((code) => {
    throw new Exit(Number(code ?? 0))
  })
  const codeBefore = process.exitCode
  process.exitCode = undefined
  try {
    const program = new Command('sluss')
      .option('--config <file>')
      .option('--state <dir>')
      .option('--set <key.path=value>', '', (value: string, all: string[]) => [...all, value], [])
      .option('--json')
      .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2))
    register(program)
    await program.parseAsync(args, { from: 'user' })
    return { code: Number(process.exitCode ?? 0), ...written }
  } catch (error) {
    if (error instanceof Exit) return { code: error.code, ...written }
    throw error
  } finally {
    process.exitCode = codeBefore
    for (const spy of [...spies, exit]) spy.mockRestore()
  }
}
