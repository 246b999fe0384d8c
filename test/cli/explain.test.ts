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
    ['169.254.169.254', '--set', 'tunnels.addressLiterals=allow'],
    ['http://10.0.0.1/'],
    ['intra.se', '--set', 'dns.hosts={intra.se: [10.1.2.3, 10.1.2.4]}'],
  ])('%s is refused', (...words) => expect(answer(...words)).toBe(REFUSED))

  it.each([
    ['http://10.0.0.1/', '--set', 'addresses.allow=10.0.0.1:80'],
    ['intra.se', '--set', 'dns.hosts={intra.se: [10.1.2.3, 192.0.34.43]}'],
    ['constructor'],
  ])('%s is not', (...words) => expect(answer(...words)).toMatch(/^ALLOW/))
})

describe('the gate itself', () => {
  it.each([
    ['http://sluss.internal/', 'ALLOW: Allowed  portal, by portal'],
    ['http://127.0.0.1:3128/', 'ALLOW: Allowed  portal, by portal'],
    ['http://127.0.0.1:3129/', 'REFUSE: The port is not allowed  port-forbidden, by ports.http'],
    ['http://sluss.internal:8080/', 'ALLOW: Allowed  default, by default'],
    ['https://sluss.internal/', 'ALLOW: Allowed  default, by default'],
  ])('%s', (host, expected) => expect(answer(host)).toBe(expected))

  it('has no portal where none is set', () => {
    expect(answer('http://sluss.internal/', '--set', 'listen.portal=[]')).toBe(
      'REFUSE: There is no portal here  portal-absent, by request',
    )
  })
})

describe('a server name in the tunnel', () => {
  it.each([
    [
      ['example.se', 'www.pornhub.com'],
      'BLOCK: This site is refused  category-blocked, by category:porn, for the server name',
    ],
    [
      ['example.se', '', '--set', 'tunnels.noServerName=refuse'],
      'REFUSE: The server name is missing  server-name-missing, by tunnels.noServerName, for the server name',
    ],
    // What was refused already is not asked again.
    [
      ['pornhub.com', 'example.se'],
      'BLOCK: This site is refused  category-blocked, by category:porn',
    ],
    [['http://example.se/', 'example.se'], 'sluss: only a tunnel has a server name'],
  ])('%s', ([host = '', name = '', ...words], expected) => {
    expect(answer(host, '--server-name', name, ...words)).toBe(expected)
  })

  it('is in the table and in JSON', () => {
    const asked = ['explain', '--state', '/nonexistent/state', 'example.se']
    const ask = (...words: string[]) =>
      spawnSync(LAUNCHER, [...asked, ...words], { encoding: 'utf8' }).stdout
    const words = ['--server-name', 'facebook.com']
    expect(ask(...words)).toMatch(
      /server name {2}facebook\.com \(mismatch\)\n +goes on, counted as server-name-mismatch, metered as social\n/,
    )
    expect(JSON.parse(ask(...words, '--json')).hello).toEqual({
      outcome: 'mismatch',
      serverName: 'facebook.com',
      reason: 'server-name-mismatch',
      verdict: null,
      metered: 'social',
    })
    expect(JSON.parse(ask('--json')).hello).toBeNull()
  })
})
