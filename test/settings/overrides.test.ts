/**
 * Owns: what `--set` changes, and what it says when it cannot.
 * Never: tests what a setting takes (schema.test.ts).
 */
import { describe, expect, it } from 'vitest'
import { OVERRIDES_MAX } from '../../src/settings/overrides.ts'
import type { Settings } from '../../src/settings/schema.ts'
import { good, lines, load } from './memory.ts'

const TEXT = `version: 1
zones:
  - { name: a, networks: 10.0.0.0/8, identify: address }
  - { name: b, networks: [11.0.0.0/8], identify: [network] }
categories:
  news: { action: allow, lists: news.txt }
`
const FILES = { 'news.txt': '' }

function check(texts: string | string[], pick: (settings: Settings) => unknown, expected: unknown) {
  const all = [texts].flat()
  it(all.join(' '), () => expect(pick(good(TEXT, FILES, all))).toEqual(expected))
}

function refuse(text: string, ...expected: string[]) {
  it(`${text}: refused`, () => expect(lines(load(TEXT, FILES, [text]))).toEqual(expected))
}

describe('--set', () => {
  check('quota.grace=5s', ({ quota }) => quota.graceMs, 5_000)
  check('zones[0].quota=none', ({ zones }) => zones.map(({ quota }) => quota), ['none', 'minutes'])
  check('listen.proxy=127.0.0.1:0', ({ listen }) => listen.proxy, [
    { address: '127.0.0.1', port: 0 },
  ])
  check('listen.proxy=[::1]:0', ({ listen }) => listen.proxy, [{ address: '::1', port: 0 }])
  check('listen.proxy=["[::1]:0", 127.0.0.1:0]', ({ listen }) => listen.proxy.length, 2)
  check('ports.connect=[443, 8443]', ({ ports }) => ports.connect, [443, 8443])
  check('ports.http[0]=81', ({ ports }) => ports.http, [81])
  check(['ports.http=80', 'ports.http[1]=81'], ({ ports }) => ports.http, [80, 81])
  check('zones[1].networks[1]=12.0.0.0/8', ({ zones }) => zones[1]?.networks.length, 2)
  check('zones[0].networks[1]=12.0.0.0/8', ({ zones }) => zones[0]?.networks.length, 2)
  check(['threads=2', 'threads=3'], ({ threads }) => threads, 3)
  check(['quota.grace=5s', 'quota.grace='], ({ quota }) => quota.graceMs, 30_000)
  check('dns.hosts.www.a.test=127.0.0.1', ({ dns }) => dns.hosts, { 'www.a.test': ['127.0.0.1'] })
  check('dns.hosts["a.test"]=127.0.0.1', ({ dns }) => dns.hosts, { 'a.test': ['127.0.0.1'] })
  check('dns.hosts={ a.test: [127.0.0.1, "::1"] }', ({ dns }) => dns.hosts, {
    'a.test': ['127.0.0.1', '::1'],
  })
  check('categories.news.action=block', ({ categories }) => categories.news?.action, 'block')
  check(
    'categories.more={ action: allow, lists: news.txt }',
    ({ categories }) => Object.keys(categories),
    ['news', 'more'],
  )
  check('state="/tmp/a: b"', ({ state }) => state, '/tmp/a: b')

  it('leaves what it was given as it was', () => {
    const before = good(TEXT, FILES)
    good(TEXT, FILES, ['zones[0].quota=none', 'ports.http[0]=81'])
    expect(good(TEXT, FILES)).toEqual(before)
  })
})

describe('--set, refused', () => {
  refuse(
    'quota.grce=5s',
    '--set quota.grce=5s: quota.grce — expected one of threshold, grace, users, retention; there is no such key; did you mean grace?',
  )
  refuse(
    'quota.grace=5',
    '--set quota.grace=5: quota.grace: 5 — expected a duration from 0s to 10m, such as 30s',
  )
  refuse('quota.grace', '--set quota.grace: expected key.path=value; the equals sign is missing')
  refuse('=5', '--set =5: expected a key such as quota.grace or zones[0].quota; the key is missing')
  refuse(
    'zones[7].quota=none',
    '--set zones[7].quota=none: zones[7] — expected a position from 0 to 2; zones has 2 entries',
  )
  refuse(
    'zones.quota=none',
    '--set zones.quota=none: zones.quota — zones is a list; write zones[0]',
  )
  refuse('quota[0]=1', '--set quota[0]=1: quota[0] — quota is not a list')
  refuse('threads.x=1', '--set threads.x=1: threads.x — threads holds no keys')
  refuse(
    'categories.mews.action=block',
    '--set categories.mews.action=block: categories.mews — categories has no mews; did you mean news?',
  )
  refuse(
    'ports.http={',
    '--set ports.http={: ports.http — expected YAML; Flow map must end with a }',
  )
  refuse(
    'zones[0].networks=10.0.0.1/8',
    '--set zones[0].networks=10.0.0.1/8: zones[0].networks: "10.0.0.1/8" — expected a CIDR network such as 10.0.0.0/8; bits are set beyond the prefix; did you mean 10.0.0.0/8?',
  )
  refuse(
    'zones[2].name=c',
    '--set zones[2].name=c: zones[2].networks — expected CIDR networks, one or a list; it is missing',
    '--set zones[2].name=c: zones[2].identify — expected ways (basic, address or network), one or a list; it is missing',
  )
  refuse(
    'day.starts=\u001b[2J',
    '--set day.starts=\\u001b[2J: day.starts: "\\u001b[2J" — expected a time of day from "00:00" to "23:59"',
  )

  it('into a file where something else stands', () => {
    expect(lines(load(`${TEXT}quota: 5\n`, FILES, ['quota.grace=5s']))).toEqual([
      '--set quota.grace=5s: quota — expected a group of keys; quota is 5 in the file',
      'sluss.yaml:7: quota: 5 — expected a group with the keys threshold, grace, users, retention',
    ])
  })

  it('more than a command line holds', () => {
    const texts = Array(OVERRIDES_MAX + 1).fill('threads=2')
    expect(lines(load(TEXT, FILES, texts))).toEqual([
      `--set: expected at most ${OVERRIDES_MAX}; there are ${OVERRIDES_MAX + 1}`,
    ])
  })
})
