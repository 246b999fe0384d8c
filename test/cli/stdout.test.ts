import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'

const LAUNCHER = fileURLToPath(new URL('../../sluss', import.meta.url))

describe.runIf(existsSync('/dev/full'))('an answer that cannot be written', () => {
  it.each([['check'], ['exempt list'], ['log search']])('of %s is told in one line', (command) => {
    const shell = `"${LAUNCHER}" ${command} --state /nonexistent/state --json > /dev/full`
    const { status, stderr } = spawnSync('sh', ['-c', shell], { encoding: 'utf8' })
    expect(status).toBe(2)
    expect(stderr.split('\n')[0]).toMatch(/^sluss: the answer cannot be written: ENOSPC/)
  })
})
