import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'

const CONTROL = fileURLToPath(new URL('../../src/cli/control.ts', import.meta.url))
const NOBODY = 65_534

// Root may enter every folder, so another user asks; who is not root is another user already.
it('a folder that is closed to whoever asks is told of, with what to do', () => {
  const folder = mkdtempSync(join(tmpdir(), 'sluss-closed-'))
  const state = join(folder, 'state')
  try {
    chmodSync(folder, 0o755)
    mkdirSync(state, { mode: 0 })
    const script = `const { callService } = await import(${JSON.stringify(CONTROL)})
      if (process.getuid() === 0) process.setuid(${NOBODY})
      await callService(${JSON.stringify(state)}, { command: 'status' }).catch((error) => console.log(error.message))`
    const options = { encoding: 'utf8' } as const
    const said = execFileSync(process.execPath, ['--input-type=module', '-e', script], options)
    expect(said).toBe(
      `${state} is closed to you: ask as the user that the service runs as, or with sudo\n`,
    )
  } finally {
    rmSync(folder, { recursive: true })
  }
})
