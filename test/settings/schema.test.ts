/**
 * Owns: what each kind of setting takes, and what it becomes.
 * Never: tests the file around it (load.test.ts).
 */
import { describe, expect, it } from 'vitest'
import { formatNetwork } from '../../src/policy/index.ts'
import { settingEntries } from '../../src/settings/outline.ts'
import { good, LEAST, lines, load } from './memory.ts'

/** `text` is added to the least settings that hold; `pick` says what to look at. */
function check(
  text: string,
  pick: (settings: ReturnType<typeof good>) => unknown,
  expected: unknown,
) {
  it(text, () => expect(pick(good(`${LEAST}${text}\n`))).toEqual(expected))
}

/** `expected`: a part of the one problem there is, on line 4 (the first after the least settings). */
function refuse(text: string, expected: string) {
  it(text, () => {
    const said = lines(load(`${LEAST}${text}\n`)).filter((line) => !line.startsWith('warning'))
    expect(said).toHaveLength(1)
    expect(said[0]).toMatch(/^sluss\.yaml:4: /)
    expect(said[0]).toContain(expected)
  })
}

describe('defaults', () => {
  it('are those of the documentation', () => {
    expect(good(LEAST)).toEqual({
      version: 1,
      state: '/etc/var',
      listen: { proxy: [{ address: '127.0.0.1', port: 3128 }], portal: [] },
      threads: 'auto',
      zones: [
        {
          name: 'local',
          networks: [{ words: [0, 0, 0xffff, 0x7f000000], prefix: 104 }],
          identify: ['address'],
          quota: 'minutes',
        },
      ],
      identity: { basic: { users: null } },
      categories: {},
      platforms: null,
      neverBlock: [],
      lists: [],
      updates: {
        proxy: null,
        certificates: null,
        timeoutMs: 900_000,
        idleMs: 30_000,
        bytesMax: 512 * 1_048_576,
        retries: 3,
        hold: false,
      },
      exemptions: null,
      quota: {
        thresholdBytes: 16_384,
        graceMs: 30_000,
        users: 20_000,
        retentionMs: 31 * 86_400_000,
      },
      day: { timezone: 'Europe/Stockholm', startsMinute: 0 },
      ports: { connect: [443], http: [80, 8080] },
      addresses: { allow: [] },
      tunnels: {
        addressLiterals: 'refuse',
        mismatch: 'log',
        noServerName: 'log',
        encryptedHello: 'log',
        notTls: 'refuse',
      },
      dns: { servers: [], shortestMs: 1_000, longestMs: 3_600_000, negativeMs: 10_000, hosts: {} },
      log: {
        retentionMs: 90 * 86_400_000,
        identities: 'pseudonym',
        paths: 'never',
        onFailure: 'refuse',
        unacknowledged: 50_000,
      },
      limits: {
        headBytes: 65_536,
        requestLineBytes: 16_384,
        headFields: 200,
        headTimeoutMs: 15_000,
        idleTimeoutMs: 120_000,
        tunnelIdleMs: 3_600_000,
        tunnelLifetimeMs: 24 * 3_600_000,
        dialTimeoutMs: 10_000,
        originTimeoutMs: 120_000,
        connections: 20_000,
        connectionsPerAddress: 2_000,
        connectionsPerUser: 500,
        tunnels: 20_000,
        failedLogins: 30,
        failedLoginsWithinMs: 300_000,
        slowestBytesPerSecond: 100,
        slowestOverMs: 300_000,
        poolPerOrigin: 256,
        poolTotal: 4_096,
        poolIdleMs: 30_000,
        drainMs: 10_000,
      },
    })
  })

  it('hold for a key with nothing after its colon', () => {
    const empty = settingEntries()
      .filter(({ key, required }) => !required && !/[.[]/.test(key))
      .map(({ key }) => `${key}:`)
    expect(empty.length).toBeGreaterThan(10)
    expect(good(`${LEAST}${empty.join('\n')}\n`)).toEqual(good(LEAST))
  })
})

describe('endpoints', () => {
  check('listen: { proxy: 0.0.0.0:8080 }', ({ listen }) => listen.proxy, [
    { address: '0.0.0.0', port: 8080 },
  ])
  check('listen: { proxy: ["[::1]:3128", 127.0.0.1:0] }', ({ listen }) => listen.proxy, [
    { address: '::1', port: 3128 },
    { address: '127.0.0.1', port: 0 },
  ])
  check('listen: { proxy: "[::FFFF:7f00:1]:80" }', ({ listen }) => listen.proxy, [
    { address: '127.0.0.1', port: 80 },
  ])
  refuse('listen: { proxy: localhost:3128 }', 'localhost is not an IP address')
  refuse('listen: { proxy: "*:3128" }', 'all addresses are 0.0.0.0 and [::]')
  refuse('listen: { proxy: ":3128" }', 'all addresses are 0.0.0.0 and [::]')
  refuse('listen: { proxy: "3128" }', 'write 127.0.0.1:3128')
  refuse('listen: { proxy: 127.0.0.1 }', 'the port is missing')
  refuse('listen: { proxy: "::1" }', 'the port is missing')
  refuse('listen: { proxy: 127.0.0.1:65536 }', 'the port is at most 65535')
  refuse('listen: { proxy: "[127.0.0.1]:80" }', '127.0.0.1 is not an IP address')
  refuse('listen: { proxy: [] }', 'a list of endpoints, at least one')
  refuse('listen: { proxy: 3128 }', 'listen.proxy: 3128 — expected endpoints')
})

describe('networks and addresses', () => {
  const allowed = (settings: ReturnType<typeof good>) =>
    settings.addresses.allow.map(({ network, port }) => `${formatNetwork(network)} ${port}`)
  check('addresses: { allow: 10.1.0.0/16 }', allowed, ['10.1.0.0/16 null'])
  check('addresses: { allow: [10.1.2.3, "10.1.2.3:443"] }', allowed, [
    '10.1.2.3/32 null',
    '10.1.2.3/32 443',
  ])
  check('addresses: { allow: ["::1", "[::1]", "[::1]:80", "fd00::/8"] }', allowed, [
    '::1/128 null',
    '::1/128 null',
    '::1/128 80',
    'fd00::/8 null',
  ])
  check('addresses: { allow: ["10.0.0.0/8:443", "[fd00::/8]:443"] }', allowed, [
    '10.0.0.0/8 443',
    'fd00::/8 443',
  ])
  refuse('addresses: { allow: "10.1.2.3:0" }', 'the port is from 1 to 65535')
  refuse('addresses: { allow: fd00::/129 }', 'the prefix is at most 128')
  refuse('addresses: { allow: fd12::/8 }', 'did you mean fd00::/8?')
  refuse('addresses: { allow: intranet }', 'it is not an address with a prefix')
  refuse('addresses: { allow: {} }', 'a group of keys — expected addresses or networks')
})

describe('hosts', () => {
  const hosts = (settings: ReturnType<typeof good>) => settings.dns.hosts
  check('dns: { hosts: { Intranet.Kommun.SE.: 10.1.2.3 } }', hosts, {
    'intranet.kommun.se': ['10.1.2.3'],
  })
  check('dns: { hosts: { räksmörgås.se: ["::ffff:10.0.0.1", "[fd00::0:1]"] } }', hosts, {
    'xn--rksmrgs-5wao1o.se': ['10.0.0.1', 'fd00::1'],
  })
  refuse('dns: { hosts: { a.test: b.test } }', 'an IP address, such as 10.1.2.3')
  refuse('dns: { hosts: { a..test: 1.1.1.1 } }', 'nothing stands before or between its dots')
  refuse('dns: { hosts: { 10.1: 1.1.1.1 } }', 'it is an address')
  refuse('dns: { hosts: { a.test: [] } }', 'a list of IP addresses, at least one')
})

describe('DNS servers', () => {
  const servers = (settings: ReturnType<typeof good>) => settings.dns.servers
  check('dns: { servers: 10.1.2.3 }', servers, [{ address: '10.1.2.3', port: 53 }])
  check('dns: { servers: ["10.1.2.3:5353", "fd00:0::1", "[::1]", "[::1]:54"] }', servers, [
    { address: '10.1.2.3', port: 5353 },
    { address: 'fd00::1', port: 53 },
    { address: '::1', port: 53 },
    { address: '::1', port: 54 },
  ])
  check('dns: { servers: [] }', servers, [])
  refuse('dns: { servers: dns.kommun.se }', 'it is not address:port')
  refuse('dns: { servers: "10.1.2.3:0" }', 'there is no port 0')
  refuse('dns: { servers: "10.1.2.3:65536" }', 'the port is at most 65535')
  refuse('dns: { servers: "dns.kommun.se:53" }', 'dns.kommun.se is not an IP address')
})

describe('times', () => {
  check('day: { starts: "04:30" }', ({ day }) => day.startsMinute, 270)
  check('day: { starts: 23:59 }', ({ day }) => day.startsMinute, 1_439)
  check('day: { timezone: Europe/Helsinki }', ({ day }) => day.timezone, 'Europe/Helsinki')
  refuse('day: { starts: 4:30 }', 'a time of day')
  refuse('day: { starts: "24:00" }', 'a time of day')
  refuse('day: { timezone: Stockholm }', 'there is no such zone')
  refuse('log: { retention: 1h }', 'the least is 1d')
  refuse('log: { retention: 90 }', 'log.retention: 90 — expected a duration from 1d to 3650d')
})

describe('numbers and words', () => {
  check('threads: 4', ({ threads }) => threads, 4)
  check('ports: { http: 8080, connect: [] }', ({ ports }) => ports, { http: [8080], connect: [] })
  check(
    'limits: { head: 1KiB, poolPerOrigin: 0 }',
    ({ limits }) => [limits.headBytes, limits.poolPerOrigin],
    [1024, 0],
  )
  refuse('threads: many', 'auto or a whole number from 1 to 64')
  refuse('threads: 1.5', 'auto or a whole number from 1 to 64')
  refuse('threads: "4"', 'write it without quotes')
  refuse('quota: { users: 15 }', 'a whole number from 16 to 200000')
  refuse('log: { paths: sometimes }', 'expected never, refused or always')
  refuse('log: { identities: names }', 'did you mean name?')
  refuse('state: ""', 'it is empty')
  refuse('state: "a\\0b"', 'control characters')
  refuse('neverBlock: [true]', 'a path, such as lists/never-block.txt')
  refuse('retention: 5d', 'did you mean quota.retention or log.retention?')
})

describe('categories', () => {
  const quota = '{ action: quota, platforms: [facebook] }'
  check(
    `platforms: platforms.yaml\ncategories: { b: ${quota}, a: { action: allow, decision: { by: Chefen } } }`,
    ({ categories }) => Object.entries(categories),
    [
      ['b', { action: 'quota', lists: [], minutes: 60, platforms: ['facebook'], decision: null }],
      ['a', { action: 'allow', lists: [], decision: { by: 'Chefen', dnr: '', date: '' } }],
    ],
  )
  refuse('categories: { 7: { action: allow, lists: [] } }', 'it does not start with a small letter')
  refuse('categories: [porn]', 'expected a group of categories by name')
  refuse('categories: { porn: block }', 'expected a group with the keys action, lists')
})

describe('lists', () => {
  const porn = 'categories: { porn: { action: block } }'
  const one = (keys: string) => `lists: [{ category: porn, ${keys} }]\n${porn}`
  const first = ({ lists }: ReturnType<typeof good>) => lists[0]
  const name = (settings: ReturnType<typeof good>) => first(settings)?.name
  const URL = 'url: "https://Lists.Test/a/Adult.tar.gz"'
  check(one(URL), first, {
    name: 'adult',
    url: 'https://lists.test/a/Adult.tar.gz',
    file: null,
    category: 'porn',
    format: 'auto',
    member: null,
    everyMs: 86_400_000,
    checksum: null,
    sha256: null,
    licence: '',
    rejectedShareMax: 0.05,
    fallShare: 0.3,
    growthShare: 1,
    exceptions: false,
  })
  check(one(`${URL}, member: mixed_adult`), name, 'adult-mixed_adult')
  check(one(`${URL}, name: a-b_1`), name, 'a-b_1')
  check(one('url: "https://lists.test/"'), name, 'lists-test')
  check(one('url: "https://lists.test/hosts?porn=1"'), name, 'hosts')
  check(one(`sha256: ${'AB'.repeat(32)}, ${URL}`), (s) => first(s)?.sha256, 'ab'.repeat(32))
  check(
    one(`${URL}, every: 1h, rejected: 0.5%, fall: 0%, growth: 250%, exceptions: true`),
    (settings) => {
      const { everyMs, rejectedShareMax, fallShare, growthShare, exceptions } = first(settings)!
      return [everyMs, rejectedShareMax, fallShare, growthShare, exceptions]
    },
    [3_600_000, 0.005, 0, 2.5, true],
  )
  refuse(one('url: "http://lists.test/a"'), 'over http anyone on the way could change the list')
  refuse(one('url: "ftp://lists.test/a"'), 'ftp: is not https:')
  refuse(one('url: "https://u:secret@lists.test/a"'), '"https://u:…@lists.test/a" — expected an')
  refuse(one('url: lists.test/a'), 'it is not a URL')
  refuse(one('url: "https://lists.test/a#b"'), 'remove that part')
  refuse(one('file: "https://lists.test/a"'), 'it is a URL')
  refuse(one(`${URL}, every: 1m`), 'the least is 5m')
  refuse(one(`${URL}, fall: 30`), 'a percentage from 0% to 100%, such as 30%')
  refuse(one(`${URL}, fall: "30"`), 'the % is missing; write 30%')
  refuse(one(`${URL}, fall: 101%`), 'the most is 100%')
  refuse(one(`${URL}, rejected: "0,5%"`), 'write a point')
  refuse(one(`${URL}, rejected: -1%`), 'it is negative')
  refuse(one(`${URL}, sha256: abc`), 'it has 3')
  refuse(one(`${URL}, member: ../adult`), 'it is no name of a file or folder')
  refuse(one(`${URL}, name: Adult`), 'it has other characters')
  refuse(one(`${URL}, name: a/b`), 'it has other characters')
  refuse(one(`${URL}, format: host`), 'did you mean hosts?')
  refuse(one(`${URL}, exceptions: ja`), 'expected true or false')
  refuse('lists: lists/porn.txt', 'a list of lists')
})

describe('updates', () => {
  check(
    'updates: { proxy: "http://anna:s3cret@proxy.test:8080", hold: true, size: 1GiB, timeout: 1h }',
    ({ updates }) => [updates.proxy, updates.hold, updates.bytesMax, updates.timeoutMs],
    ['http://anna:s3cret@proxy.test:8080/', true, 1_073_741_824, 3_600_000],
  )
  refuse('updates: { proxy: "socks://anna:s3cret@proxy.test" }', 'socks: is not http:')
  refuse('updates: { proxy: "http://proxy.test/x" }', 'something stands after the port')
  refuse('updates: { retries: 11 }', 'a whole number from 0 to 10')

  it.each([
    'socks://anna:s3cret@proxy.test',
    'http://anna:s3cret@proxy.test/x',
    'http://anna:s3/cret@proxy.test',
    'http://anna:s3@cret@proxy.test/x',
    'anna:s3cret@proxy.test',
    `http://anna:s3cret${'x'.repeat(500)}@proxy.test/x`,
  ])('never say the password of %s', (proxy) => {
    const written = lines(load(`${LEAST}updates: { proxy: ${JSON.stringify(proxy)} }\n`))
    const overridden = lines(load(LEAST, {}, [`updates.proxy=${JSON.stringify(proxy)}`]))
    expect([written.length, overridden.length]).toEqual([1, 1])
    expect([...written, ...overridden].join()).not.toMatch(/s3|cret/)
  })
})

it('an older or newer version is refused', () => {
  const said = lines(load(LEAST.replace('version: 1', 'version: "1"')))
  expect(said).toEqual([
    'sluss.yaml:1: version: "1" — expected 1, the only version there is; write it without quotes',
  ])
})
