import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { parseHosts, parseSearch, SystemNames } from '../../src/proxy/system-names.ts'

describe('/etc/hosts', () => {
  const check = (name: string, text: string, expected: Readonly<Record<string, string[]>>) =>
    it(name, () => expect(Object.fromEntries(parseHosts(text))).toEqual(expected))
  check('is empty', '', {})
  check('has names, aliases and comments', '# all\n127.0.0.1\tlocalhost web # a.test\n\n', {
    localhost: ['127.0.0.1'],
    web: ['127.0.0.1'],
  })
  check('has several lines for a name', '::1 web\n192.0.2.1 web\n::1 web\n', {
    web: ['::1', '192.0.2.1'],
  })
  check('has names in any spelling', '192.0.2.1 WEB.Test. räv.test\n', {
    'web.test': ['192.0.2.1'],
    'xn--rv-via.test': ['192.0.2.1'],
  })
  check('has lines that are none', 'web 192.0.2.1\n192.0.2 a\nfe80::1%eth0 b\n192.0.2.1\n', {})
  check('has names that are none', '192.0.2.1 192.0.2.2 a..b c/d e\r\n', {
    e: ['192.0.2.1'],
  })
})

describe('search domains', () => {
  const check = (text: string, ...expected: string[]) =>
    it(JSON.stringify(text), () => expect(parseSearch(text)).toEqual(expected))
  check('')
  check('nameserver 192.0.2.53\nsearch a.test b.test\noptions ndots:1\n', 'a.test', 'b.test')
  check('domain A.test.\n', 'a.test')
  check('search a.test\ndomain b.test c.test\n', 'b.test')
  check('domain b.test\n  search\ta.test a.test\n', 'a.test')
  check('search .\n')
  check('search a b c d e f g h\n', 'a', 'b', 'c', 'd', 'e', 'f')
  check('#search a.test\n; search b.test\n')
})

describe('the files', () => {
  let folder: string
  let alarms: string[]
  let system: SystemNames
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'sluss-system-'))
    alarms = []
    const files = { hosts: join(folder, 'hosts'), resolv: join(folder, 'resolv.conf') }
    system = new SystemNames(files, (what) => alarms.push(what))
  })
  afterEach(() => rmSync(folder, { recursive: true }))
  const write = (name: string, text: string) => writeFileSync(join(folder, name), text)

  it('are read when they have changed, and only then', () => {
    write('hosts', '192.0.2.1 web\n')
    expect([system.look(), system.look()]).toEqual([true, false])
    const { hosts } = system
    write('resolv.conf', 'search a.test\n')
    expect([system.look(), system.look()]).toEqual([true, false])
    expect([system.hosts === hosts, system.search]).toEqual([true, ['a.test']])
    write('hosts', '192.0.2.1 other\n')
    expect(system.look()).toBe(true)
    expect([...system.hosts.keys()]).toEqual(['other'])
  })

  it('that go leave nothing', () => {
    write('hosts', '192.0.2.1 web\n')
    system.look()
    rmSync(join(folder, 'hosts'))
    expect([system.look(), system.look()]).toEqual([true, false])
    expect(system.hosts.size).toBe(0)
    expect(alarms).toEqual([])
  })

  it('that are too long, or no files, are told of once, and what was read stays', () => {
    write('hosts', '192.0.2.1 web\n')
    system.look()
    write('hosts', '192.0.2.1 web\n'.repeat(100_000))
    expect([system.look(), system.look()]).toEqual([false, false])
    mkdirSync(join(folder, 'resolv.conf'))
    system.look()
    system.look()
    expect([...system.hosts.keys()]).toEqual(['web'])
    expect(alarms.length).toBe(2)
    expect(alarms[0]).toContain('hosts is not read: it is no file, or too long')
    expect(alarms[1]).toContain('resolv.conf is not read')
  })
})
