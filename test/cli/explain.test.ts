import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { parseAsked } from '../../src/cli/asked-host.ts'

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
    ['localhost'],
    ['http://www.localhost/'],
  ])('%s is refused', (...words) => expect(answer(...words)).toBe(REFUSED))

  it.each([
    ['http://10.0.0.1/', '--set', 'addresses.allow=10.0.0.1:80'],
    ['intra.se', '--set', 'dns.hosts={intra.se: [10.1.2.3, 192.0.34.43]}'],
    ['constructor'],
    ['localhost', '--set', 'dns.hosts={localhost: [192.0.34.43]}'],
  ])('%s is not', (...words) => expect(answer(...words)).toMatch(/^ALLOW/))
})

describe('a name that is never asked for', () => {
  it.each(['shop.onion', 'https://x.invalid/'])('%s is not found', (host) =>
    expect(answer(host)).toBe(
      'FAIL: The site cannot be found  name-not-found, though the rules allow it',
    ),
  )
})

describe('a URL from a browser', () => {
  it.each([
    ['http://example.se?x=/@y', 'example.se', 'http', 80],
    ['https://example.se#f:1', 'example.se', 'connect', 443],
    ['http://example.se:80?x', 'example.se', 'http', 80],
    ['https://anna:x@example.se/a?b#c', 'example.se', 'connect', 443],
    ['ws://example.se/chat', 'example.se', 'connect', 80],
    ['WSS://example.se', 'example.se', 'connect', 443],
    ['ws://[2001:db8::1]?x', '2001:db8::1', 'connect', 80],
  ])('%s', (text, host, carriage, port) => {
    const asked = parseAsked(text)
    expect([asked.name.host, asked.carriage, asked.port]).toEqual([host, carriage, port])
  })

  it('of a WebSocket without TLS is a tunnel to a port that is not open', () => {
    expect(answer('ws://example.se/')).toBe(
      'REFUSE: The port is not allowed  port-forbidden, by ports.connect',
    )
  })
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
    [
      ['example.se', '*.pornhub.com'],
      'BLOCK: This site is refused  category-blocked, by category:porn, for the server name',
    ],
    [
      ['example.se', 'a b'],
      'REFUSE: The server name is another  server-name-mismatch, by tunnels, for the server name',
    ],
    // The record says so too.
    [
      ['example.se', 'facebook.com'],
      'ALLOW: Allowed  minutes-left, by category:social, for the server name',
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
    expect(ask(...words)).toMatch(/^minutes {5,}0 used, of 60 a day$/m)
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
