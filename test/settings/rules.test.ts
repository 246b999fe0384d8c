/**
 * Owns: what must hold between settings.
 * Never: tests a single value (schema.test.ts).
 */
import { describe, expect, it } from 'vitest'
import { CATEGORIES_MAX } from '../../src/policy/index.ts'
import { lines, load, PLATFORMS } from './memory.ts'

const FILES = { 'platforms.yaml': PLATFORMS, 'users.txt': '', 'list.txt': '' }

/** `expected`: a part of each line of problems and warnings, in order; none where everything holds. */
function check(name: string, text: string, expected: string[]) {
  it(name, () => {
    const said = lines(load(`version: 1\n${text}\n`, FILES))
    expect(said).toEqual(expected.map((part) => expect.stringContaining(part)))
  })
}

const LOCAL = 'zones: [{ name: local, networks: 127.0.0.0/8, identify: address }]'

describe('listen', () => {
  const listen = (proxy: string, portal: string) =>
    `${LOCAL}\nlisten: { proxy: ${proxy}, portal: ${portal} }`
  check('two ports of one address', listen('127.0.0.1:1', '127.0.0.1:2'), [])
  check('one port of two addresses', listen('127.0.0.1:1', '"[::1]:1"'), [])
  check('port 0 twice', listen('[127.0.0.1:0, 127.0.0.1:0]', '127.0.0.1:0'), [])
  check('the same endpoint', listen('127.0.0.1:1', '127.0.0.1:1'), ['listen.portal: "127.0.0.1:1"'])
  check('the same in another spelling', listen('"[::ffff:7f00:1]:1"', '127.0.0.1:1'), [
    'listen.proxy already listens there',
  ])
  check('every address and one', listen('[127.0.0.1:1, 0.0.0.0:1]', '[]'), ['listen.proxy[1]'])
  check('the default counts too', `${LOCAL}\nlisten: { portal: 127.0.0.1:3128 }`, ['listen.portal'])
})

describe('zones', () => {
  const zones = (...rows: string[]) => `zones:\n${rows.map((row) => `  - { ${row} }`).join('\n')}`
  const a = 'name: a, networks: 10.0.0.0/8, identify: address'
  check(
    'the narrower before the wider',
    zones('name: b, networks: 10.1.0.0/16, identify: network', a),
    [],
  )
  check(
    'the wider before the narrower',
    zones(a, 'name: b, networks: [10.1.0.0/16, 11.0.0.0/8], identify: network'),
    [
      'warning: sluss.yaml:4: zones[1].networks[0]: "10.1.0.0/16" — it never matches: zones[0] already holds 10.0.0.0/8',
    ],
  )
  check(
    'the same twice in one zone',
    zones('name: a, networks: [10.0.0.0/8, 10.0.0.0/8], identify: network'),
    ['warning: sluss.yaml:3: zones[0].networks[1]'],
  )
  check(
    'all of IPv6 holds IPv4 too',
    zones('name: a, networks: "::/0", identify: network', a.replace('name: a', 'name: b')),
    ['zones[0] already holds ::/0'],
  )
  check('a name twice', zones(a, a.replace('10.0', '11.0')), [
    'sluss.yaml:4: zones[1].name: "a" — expected a name of its own; zones[0] has it already',
  ])
  check('basic without users', zones(a.replace('address', 'basic')), [
    'sluss.yaml:3: zones[0].identify: "basic" — identity.basic.users is not set',
  ])
  check(
    'basic with users',
    `${zones(a.replace('address', '[basic, address]'))}\nidentity: { basic: { users: users.txt } }`,
    [],
  )
  check(
    'what is never asked',
    `${zones(a.replace('address', '[network, basic]'))}\nidentity: { basic: { users: users.txt } }`,
    [
      'warning: sluss.yaml:3: zones[0].identify — what stands after network is never asked; put network last',
    ],
  )
  check(
    'a mistake in one does not hide another',
    zones('name: A, networks: 10.0.0.0/8, identify: basic', 'name: b'),
    [
      'zones[0].name',
      'zones[0].identify: "basic"',
      'zones[1].networks — expected CIDR networks, one or a list; it is missing',
      'zones[1].identify',
    ],
  )
  check('none', 'zones: []', [
    'sluss.yaml:2: zones: a list — expected a list of zones, at least one',
  ])
})

describe('categories', () => {
  const one = (keys: string, platforms = 'platforms: platforms.yaml') =>
    `${LOCAL}\n${platforms}\ncategories: { x: { ${keys} } }`
  check('a quota of platforms', one('action: quota, platforms: [facebook, youtube]'), [])
  check('a quota of lists', one('action: quota, lists: list.txt'), [])
  check('a quota of nothing', one('action: quota'), ['sluss.yaml:4: categories.x — it has neither'])
  check('a quota of platforms: none', one('action: quota, platforms: none'), ['it has neither'])
  check('a quota of an unknown platform', one('action: quota, platforms: [facebok]'), [
    'categories.x.platforms[0]: "facebok" — expected a platform of platforms.yaml; there is no such platform; did you mean facebook?',
  ])
  check('platforms without their file', one('action: quota, platforms: all', ''), [
    'categories.x.platforms: "all" — no file of platforms is set',
  ])
  check(
    'minutes and platforms of a block',
    one('action: block, lists: list.txt, minutes: 1, platforms: all'),
    [
      'categories.x.minutes: 1 — the action is block',
      'categories.x.platforms: "all" — the action is block',
    ],
  )
  check('a block of nothing', one('action: block'), [
    'warning: sluss.yaml:4: categories.x — it has no lists',
  ])
  check('no action', one('lists: list.txt'), [
    'categories.x.action — expected block, quota or allow; it is missing',
  ])
  const many = (n: number) =>
    `${LOCAL}\ncategories:\n${Array.from({ length: n }, (_, i) => `  c${i}: { action: allow, lists: list.txt }`).join('\n')}`
  check('as many as there is room for', many(CATEGORIES_MAX), [])
  check('one more', many(CATEGORIES_MAX + 1), [
    `sluss.yaml:${3 + CATEGORIES_MAX + 1}: categories.c32 — expected at most 32 categories; there are 33`,
  ])
})

describe('lists', () => {
  const lists = (...rows: string[]) =>
    `${LOCAL}\ncategories: { porn: { action: block } }\nlists:\n${rows.map((row) => `  - { ${row} }`).join('\n')}`
  const UT1 = 'url: "https://ut1.test/adult.tar.gz", category: porn'
  check('the only one of a category', lists(UT1), [])
  check('of a quota', lists(UT1).replace('action: block', 'action: quota'), [])
  check('exceptions alone give a category nothing', lists(`${UT1}, exceptions: true`), [
    'warning: sluss.yaml:3: categories.porn — it has no lists',
  ])
  check('of neverBlock', lists(UT1, 'file: list.txt, category: neverBlock'), [])
  check('neither url nor file', lists(`${UT1}`, 'category: porn'), [
    'sluss.yaml:6: lists[1] — expected url or file; it comes from nowhere',
  ])
  check('url and file', lists(`${UT1}, file: list.txt`), [
    'sluss.yaml:5: lists[0].file — expected url or file, not both',
  ])
  check('keys of url for a file', lists('file: list.txt, category: porn, every: 1h'), [
    'lists[0].every: "1h" — the list is a file; every belongs to url; remove it',
  ])
  check('a file that is not there', lists('file: lost.txt, category: porn'), [
    'lists[0].file: "lost.txt" — expected a file or folder of domains; there is no such file',
  ])
  check('an unknown category', lists(UT1, 'file: list.txt, category: prn'), [
    'lists[1].category: "prn" — expected one of porn, neverBlock; there is no such category; did you mean porn?',
  ])
  check('no category', lists(UT1, 'file: list.txt'), [
    'lists[1].category — expected the name of a category, or neverBlock; it is missing',
  ])
  check(
    'exceptions of neverBlock',
    lists(UT1, 'file: list.txt, category: neverBlock, exceptions: true'),
    ['lists[1].exceptions: true — what is in neverBlock is never blocked'],
  )
  check('a name twice', lists(`${UT1}, name: a`, 'file: list.txt, category: porn, name: a'), [
    'lists[1].name: "a" — expected a name of its own; lists[0] has it already',
  ])
  check(
    'a name twice that nobody wrote',
    lists(UT1, 'file: list.txt, category: porn, name: adult'),
    ['lists[1].name: "adult" — expected a name of its own; lists[0] has it already'],
  )
  check('one URL twice', lists(UT1, UT1), [
    'lists[1].url — expected a name of its own; its name would be adult, as lists[0] has; write name: … for one of them',
  ])
  check('two members of one archive', lists(`${UT1}, member: a`, `${UT1}, member: b`), [])
  check(
    'the name of a plain path',
    `${lists('file: list.txt, category: porn, name: list')}\nneverBlock: [./list]`.replace(
      './list',
      'list',
    ),
    [
      'neverBlock[0]',
      'lists[0].name: "list" — expected a name of its own; neverBlock has it already',
    ].toReversed(),
  )
  check(
    'no name to be made',
    lists('file: "...", category: porn'),
    [
      'lists[0].file: "..."',
      'lists[0].file — no name can be made of it; write name: …',
    ].toReversed(),
  )
})

describe('dns.hosts', () => {
  check(
    'one host in two spellings',
    `${LOCAL}\ndns: { hosts: { a.test: 1.1.1.1, A.TEST.: 2.2.2.2 } }`,
    ['sluss.yaml:3: dns.hosts["A.TEST."] — it is the same host as a.test; keep one of them'],
  )
})

describe('dns', () => {
  const dns = (text: string) => `${LOCAL}\ndns: { ${text} }`
  const more = 'dns.shortest is more than dns.longest; lower the one, or raise the other'
  check('as long at least as at most', dns('shortest: 5s, longest: 5s'), [])
  check('longer at least than at most', dns('shortest: 10s, longest: 5s'), [
    `sluss.yaml:3: dns.shortest: "10s" — ${more}`,
  ])
  check('a mistake is told by itself', dns('shortest: soon, longest: 5s'), ['dns.shortest: "soon"'])
})

describe('limits', () => {
  const limits = (text: string, threads = 'auto') =>
    `${LOCAL}\nthreads: ${threads}\nlimits: { ${text} }`
  check('a request line as long as the head', limits('requestLine: 8KiB, head: 8KiB'), [])
  check('a request line longer than the head', limits('requestLine: 9KiB, head: 8KiB'), [
    'warning: sluss.yaml:4: limits.requestLine: "9KiB" — it is never reached: limits.head is less; lower it, or raise limits.head',
  ])
  check('a head shorter than the request line of the defaults', limits('head: 1KiB'), [])
  check('longer than the head of the defaults', limits('requestLine: 64KiB'), [])
  check('silence that outlives the tunnel', limits('tunnelIdle: 2d'), [
    'limits.tunnelIdle: "2d" — it is never reached: limits.tunnelLifetime is less',
  ])
  check('a pool of one origin above all', limits('poolPerOrigin: 20, poolTotal: 10'), [
    'limits.poolPerOrigin: 20 — it is never reached',
  ])
  check(
    'more of one address than all threads take',
    limits('connections: 100, connectionsPerAddress: 201', '2'),
    ['limits.connections is less for each proxy thread'],
  )
  check(
    'as many of one address as all threads take',
    limits('connections: 100, connectionsPerAddress: 200', '2'),
    [],
  )
  check(
    'as many as the threads of the largest machine take',
    limits('connections: 100, connectionsPerUser: 6400, tunnels: 6400'),
    [],
  )
  check('and more', limits('connections: 100, connectionsPerUser: 6401, tunnels: 6401'), [
    'limits.connectionsPerUser: 6401',
    'limits.tunnels: 6401',
  ])
  check('what cannot be read is told once', limits('requestLine: 9KiB, head: 8'), ['limits.head'])
  check('nothing written', limits('requestLine:'), [])
})
