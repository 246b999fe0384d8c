/**
 * Owns: what is said of a host by the files of the system, as the proxy reads them.
 * Never: asks DNS.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { parseAsked } from '../../src/cli/asked-host.ts'
import { closedOf } from '../../src/cli/explain-dial.ts'

const folder = mkdtempSync(join(tmpdir(), 'sluss-explain-'))
afterAll(() => rmSync(folder, { recursive: true }))

const hosts = join(folder, 'hosts')
writeFileSync(hosts, '10.1.2.3 intra intra.se\n192.0.34.43 open.se\n10.1.2.3 open.se\n::1 six.se\n')
const files = { hosts, resolv: join(folder, 'absent') }
const dns = { hosts: {}, servers: [], shortestMs: 1_000, longestMs: 1_000, negativeMs: 1_000 }
const listen = { proxy: [], portal: [] }

function closed(text: string, fixed: Record<string, string[]> = {}) {
  const alarms: string[] = []
  const found = closedOf(parseAsked(text), {
    settings: { dns: { ...dns, hosts: fixed }, listen },
    policy: { allowedAddresses: [] },
    alarm: (what) => alarms.push(what),
    files,
  })
  expect(alarms).toEqual([])
  return found
}

const refused = (address: string, why: string) => ({
  reason: 'address-forbidden',
  why: `${address} is refused (${why}); addresses.allow does not name it`,
})

describe('a host in the hosts file', () => {
  it.each([
    ['intra', refused('10.1.2.3', 'private')],
    ['http://INTRA.se/', refused('10.1.2.3', 'private')],
    ['six.se', refused('::1', 'unspecified, loopback, IPv4-compatible')],
    ['localhost', refused('127.0.0.1', 'loopback')],
    ['open.se', null],
    ['unknown.se', null],
  ])('%s', (text, expected) => expect(closed(text)).toEqual(expected))

  it('is overruled by dns.hosts', () => {
    expect(closed('intra.se', { 'intra.se': ['192.0.34.43'] })).toBeNull()
  })
})
