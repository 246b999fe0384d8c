/**
 * Owns: that the policy and the sources of lists say what the settings said.
 * Never: tests what the policy decides.
 */
import { describe, expect, it } from 'vitest'
import { decide, type Exemption, noLabels, parseHost } from '../../src/policy/index.ts'
import { compilePolicy, listSources, namedSource } from '../../src/settings/compile.ts'
import { readPlatforms } from '../../src/settings/platforms.ts'
import { FOLDER, good, load, PLATFORMS } from './memory.ts'

const TEXT = `version: 1
zones: [{ name: local, networks: 127.0.0.0/8, identify: address }]
platforms: platforms.yaml
neverBlock: never.txt
categories:
  porn: { action: block, lists: [a.txt, b.txt], decision: { by: Chefen, dnr: "1", date: 2026-01-31 } }
  social: { action: quota, minutes: 45, platforms: all, lists: a.txt }
  video: { action: quota, platforms: [youtube, tiktok] }
  web: { action: allow, lists: b.txt }
addresses: { allow: "127.0.0.1:8443" }
quota: { threshold: 1KiB, grace: 1s, users: 16 }
day: { starts: "04:00" }
`
const FILES = { 'platforms.yaml': PLATFORMS, 'a.txt': '', 'b.txt': '', 'never.txt': '' }
const settings = good(TEXT, FILES)
const { platforms } = readPlatforms('/f', PLATFORMS)
const exemption: Exemption = {
  reference: 'KS 1',
  subject: { kind: 'user', name: 'anna' },
  platforms: 'all',
  fromMs: 0,
  untilMs: 1,
  decision: { by: '', dnr: '', date: '' },
}

describe('the policy', () => {
  const policy = compilePolicy({ settings, platforms, exemptions: [exemption], version: 7 })

  it('has categories in the order of the file, and bits for their platforms', () => {
    expect(policy.categories).toEqual([
      {
        name: 'porn',
        bit: 0,
        action: 'block',
        decision: { by: 'Chefen', dnr: '1', date: '2026-01-31' },
      },
      // All but youtube, which is optional.
      { name: 'social', bit: 1, action: 'quota', minutes: 45, platforms: 0b101, decision: null },
      { name: 'video', bit: 2, action: 'quota', minutes: 60, platforms: 0b110, decision: null },
      { name: 'web', bit: 3, action: 'allow', decision: null },
    ])
  })

  it('has the rest as it was', () => {
    expect(policy).toMatchObject({
      version: 7,
      calendar: { timezone: 'Europe/Stockholm', startsMinute: 240 },
      ports: { connect: [443], http: [80, 8080] },
      quota: { thresholdBytes: 1_024, graceMs: 1_000 },
      exemptions: [exemption],
      allowedAddresses: [{ port: 8443 }],
      platforms: [
        { name: 'facebook', title: 'Facebook', bit: 0 },
        { name: 'youtube', title: 'YouTube', bit: 1 },
        { name: 'tiktok', title: 'TikTok', bit: 2 },
      ],
    })
    expect(policy.zones).toEqual(settings.zones)
  })

  it('can be cloned to a thread, and decides there', () => {
    const clone = structuredClone(policy)
    expect(clone).toEqual(policy)
    const parsed = parseHost('sex.example')
    if (typeof parsed === 'string') return expect.unreachable()
    const verdict = decide(clone, {
      nowMs: 0,
      fault: null,
      carriage: 'connect',
      host: parsed.host,
      port: 443,
      zone: clone.zones[0] ?? null,
      identified: { known: true, identity: { kind: 'address', user: '127.0.0.1', groups: [] } },
      labels: { ...noLabels(), categories: 1 },
      minutesUsed: 0,
      minutesGiven: 0,
    })
    expect(verdict).toMatchObject({ action: 'block', rule: 'category:porn' })
  })

  it('has no platforms in a category of lists alone', () => {
    const text = TEXT.replace('platforms: all, ', '')
    const [, social] = compilePolicy({
      settings: good(text, FILES),
      platforms,
      exemptions: [],
      version: 1,
    }).categories
    expect(social).toMatchObject({ name: 'social', platforms: 0 })
  })
})

describe('the sources of lists', () => {
  it('name the file as people know it, and what it feeds', () => {
    const sources = listSources(settings, platforms, FOLDER).map(({ name, target, entries }) => [
      name,
      target.kind,
      'bit' in target ? target.bit : null,
      entries?.map(({ text }) => text) ?? null,
    ])
    expect(sources).toEqual([
      ['a.txt', 'category', 0, null],
      ['b.txt', 'category', 0, null],
      ['a.txt', 'category', 1, null],
      ['b.txt', 'category', 3, null],
      [
        'platforms.yaml: facebook',
        'platform',
        0,
        ['facebook.com', 'fbcdn.net', 'connect.facebook.net'],
      ],
      ['platforms.yaml: facebook (background)', 'background', 0, ['connect.facebook.net']],
      ['platforms.yaml: youtube', 'platform', 1, ['youtube.com']],
      ['platforms.yaml: tiktok', 'platform', 2, ['tiktok.com']],
      ['never.txt', 'neverBlock', null, null],
    ])
  })

  describe('of the top level', () => {
    const text = `${TEXT}lists:
  - { file: a.txt, name: more, category: porn, format: hosts, member: x, rejected: 1%, licence: MIT }
  - { file: a.txt, name: free, category: social, exceptions: true }
  - { file: b.txt, category: neverBlock }
  - { url: "https://lists.test/adult.txt", category: web, exceptions: true }
`
    const settings = good(text, FILES)

    it('say all that was said of them; what is fetched is not there yet', () => {
      const sources = listSources(settings, platforms, FOLDER).slice(9)
      const file = { file: '/etc/sluss/a.txt', entries: null }
      const plain = { format: 'auto', member: null, rejectedShareMax: 0.05 }
      const provenance = { source: 'a.txt', fetchedMs: null, licence: '' }
      expect(sources).toEqual([
        {
          ...file,
          name: 'more',
          target: { kind: 'category', bit: 0 },
          format: 'hosts',
          member: 'x',
          rejectedShareMax: 0.01,
          provenance: { ...provenance, licence: 'MIT' },
        },
        // Free of the quota is free of its platforms.
        {
          ...{ ...file, ...plain, name: 'free', provenance },
          target: { kind: 'exception', bit: 1, platforms: 0b101 },
        },
        {
          ...{ ...file, ...plain, name: 'b', file: '/etc/sluss/b.txt' },
          target: { kind: 'neverBlock' },
          provenance: { ...provenance, source: 'b.txt' },
        },
      ])
    })

    it('come from where they were fetched', () => {
      const list = settings.lists[3]!
      const fetched = { file: '/var/x.list', source: 'https://lists.test/adult.txt', fetchedMs: 5 }
      expect(namedSource({ settings, platforms, list, ...fetched })).toMatchObject({
        name: 'adult',
        target: { kind: 'exception', bit: 3, platforms: 0 },
        file: '/var/x.list',
        provenance: { source: 'https://lists.test/adult.txt', fetchedMs: 5 },
      })
    })
  })

  it('have the absolute path, also of a file elsewhere', () => {
    const files = listSources(good(TEXT, FILES), [], '/srv').map(({ name, file }) => [name, file])
    expect(files[0]).toEqual(['/etc/sluss/a.txt', '/etc/sluss/a.txt'])
  })

  it('come with loaded settings', () => {
    const loaded = load(TEXT, FILES)
    expect(loaded.ok && loaded.sources).toEqual(listSources(settings, platforms, FOLDER))
  })
})
