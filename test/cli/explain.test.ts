import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'

const LAUNCHER = fileURLToPath(new URL('../../sluss', import.meta.url))

/** The first line of the answer, by the shipped settings. */
function answer(...words: readonly string[]): string {
  const args = ['explain', '--state', '/nonexistent/state', ...words]
  const { stdout, stderr } = spawnSync(LAUNCHER, args, { encoding: 'utf8' })
  return (stdout || stderr).split('\n')[0]!
}

const REFUSED = 'REFUSE: The address is not allowed  address-forbidden, though the rules allow it'

// The proxy refuses these when it connects: whoever asks must hear the same.
describe('an address that the guard closes', () => {
  it.each([
    ['169.254.169.254'],
    ['http://10.0.0.1/'],
    ['intra.se', '--set', 'dns.hosts={intra.se: [10.1.2.3, 10.1.2.4]}'],
  ])('%s is refused', (...words) => expect(answer(...words)).toBe(REFUSED))

  it.each([
    ['http://10.0.0.1/', '--set', 'addresses.allow=10.0.0.1:80'],
    ['intra.se', '--set', 'dns.hosts={intra.se: [10.1.2.3, 192.0.34.43]}'],
    ['constructor'],
  ])('%s is not', (...words) => expect(answer(...words)).toMatch(/^ALLOW/))
})
