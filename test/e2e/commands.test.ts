import { readFileSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { dayOfNumber, localDay } from '../../src/policy/index.ts'
import { done, json, run, tidy } from './stand/commands.ts'
import { LAUNCHER, runCommand, until } from './stand/sluss.ts'
import { buildTown, FROM, type Town, USER } from './stand/town.ts'
import { type Reply, sendFrom } from './stand/tunnel.ts'

const STOCKHOLM = { timezone: 'Europe/Stockholm', startsMinute: 0 }
const today = dayOfNumber(STOCKHOLM, localDay(STOCKHOLM, Date.now()).number).date

let town: Town

function get(host: string, from: string, fields = ''): Promise<Reply> {
  const { sluss, http } = town
  const authority = `${host}:${http.port}`
  const text = `GET http://${authority}/hello HTTP/1.1\r\nHost: ${authority}\r\n${fields}\r\n`
  return sendFrom(from, { host: '127.0.0.1', port: sluss.port }, text)
}

const signIn = (user: string, password: string) =>
  `Proxy-Authorization: Basic ${Buffer.from(`${user}:${password}`).toString('base64')}\r\n`

/** A command takes its time to start on a machine that is busy, and each of these gives many. */
const PATIENCE = { timeout: 180_000 }

describe('commands beside a service', PATIENCE, () => {
  beforeAll(async () => {
    town = await buildTown({ launcher: true })
    return () => town.close()
  })

  it('status: in words and as JSON', async () => {
    const { sluss } = town
    const { stdout } = await done(town, 'status')
    expect(stdout).toMatch(/^state +well$/m)
    expect(stdout).toContain(sluss.proxy)
    expect(json(await done(town, 'status', '--json'))).toMatchObject({ healthy: true, threads: 2 })
    const nowhere = await run(town, '--state', join(sluss.folder, 'nowhere'), 'status')
    expect(nowhere.code).toBe(2)
  })

  it('exempt: a row is in force at once, and no longer when it is ended', async () => {
    const { sluss } = town
    const rowOf = async () => (await get('face.test', FROM.local)).status
    await rowOf()
    await sluss.line("host = 'face.test' AND reason = 'minutes-left'")
    const { policy } = await sluss.status()
    const words = ['--platforms', 'face', '--purpose', 'Sidan', '--department', 'Kultur']
    words.push('--decided-by', 'Chefen', '--dnr', 'KUN 2026/5')
    words.push('--from', '2026-01-01', '--until', '2099-12-31')
    const added = await done(town, 'exempt', 'add', '--user', FROM.local, ...words, '--json')
    expect(json(added)).toMatchObject({
      row: { user: FROM.local, until: '2099-12-31' },
      before: null,
    })
    await sluss.policyAfter(policy)
    await rowOf()
    expect(await sluss.line("host = 'face.test' AND reason = 'exempt'")).toMatchObject({
      rule: 'exemption:KUN 2026/5',
    })
    expect(json(await done(town, 'exempt', 'list', '--json'))).toMatchObject([
      { state: 'in-force' },
    ])
    expect((await done(town, 'exempt', 'list')).stdout).toContain('KUN 2026/5')
    const inForce = (await sluss.status()).policy
    expect(json(await done(town, 'exempt', 'end', '--user', FROM.local, '--json'))).toMatchObject({
      row: { dnr: 'KUN 2026/5' },
      before: { until: '2099-12-31' },
    })
    await sluss.policyAfter(inForce)
    await rowOf()
    await until('it counts again', () => {
      return sluss.lines("host = 'face.test' AND reason = 'minutes-left'").length === 2
    })
    const history = json(await done(town, 'exempt', 'history', '--json')) as { how: string }[]
    expect(history.filter(({ how }) => how === 'command')).toHaveLength(2)
    expect((await done(town, 'exempt', 'history', '--user', FROM.local)).stdout).toContain(
      'KUN 2026/5',
    )
    expect(json(await done(town, 'exempt', 'list', '--json'))).toEqual([])
  })

  it('quota give: takes what it may, with a reason', async () => {
    const given = await done(town, 'quota', 'give', FROM.local, '10', '--why', 'krisinformation')
    expect(given.stdout).toContain('10 minutes given.')
    const rows = json(await done(town, 'quota', FROM.local, '--json')) as { gifts: object[] }[]
    expect(rows).toMatchObject([{ given: 10, limit: 60, left: 70 }])
    expect(rows[0]!.gifts).toMatchObject([{ minutes: 10, why: 'krisinformation' }])
    expect((await done(town, 'quota')).stdout).toContain(FROM.local)
    expect((await run(town, 'quota', 'nobody.here')).code).toBe(1)
    expect(json(await run(town, 'quota', 'nobody.here', '--json'))).toEqual([])
    for (const [words, expected] of [
      [['10.9.9.9', '5', '--why', 'x'], /no zone that counts minutes knows such a user/],
      [[FROM.local, '0', '--why', 'x'], /MINUTES "0" cannot be given/],
      [[FROM.local, '9'.repeat(400), '--why', 'x'], /cannot be given/],
      [[FROM.local, '5', '--why', 'a\nb'], /on one line/],
      [[FROM.local, '5', '--why', 'x', '--zone', 'schools'], /no minutes are counted there/],
      [[FROM.local, '5', '--why', 'x', '--category', 'porn'], /category "porn"/],
      [['', '5', '--why', 'x'], /user ""/],
    ] as const) {
      const { code, stderr } = await run(town, 'quota', 'give', ...words)
      expect([words, code, stderr]).toEqual([words, 2, expect.stringMatching(expected)])
    }
    expect(json(await done(town, 'quota', FROM.local, '--json'))).toMatchObject([{ given: 10 }])
  })

  it('user: who is added signs in, who is removed does not', async () => {
    const { sluss } = town
    const password = 'Höst-i-parken-2026'
    const edit = async (words: readonly string[], input = '') => {
      const { policy } = await sluss.status()
      const all = ['--config', sluss.config, '--state', sluss.state, 'user', ...words]
      const output = await runCommand(LAUNCHER, all, input)
      tidy(output, ...words)
      expect(output).toMatchObject({ code: 0, stderr: '' })
      await sluss.policyAfter(policy)
      return output
    }
    const status = async (word: string) =>
      (await get('news.test', FROM.office, signIn('eva.ek', word))).status
    expect(await status(password)).toBe(407)
    await edit(['add', 'Eva.Ek', '--groups', 'press', '--password-stdin'], `${password}\n`)
    expect(await status(password)).toBe(200)
    expect(json(await done(town, 'user', 'list', '--json'))).toMatchObject([
      { user: USER.name },
      { user: 'eva.ek', groups: ['press'] },
    ])
    await edit(['passwd', 'eva.ek', '--password-stdin'], 'Vinter-i-parken-2027\n')
    expect([await status(password), await status('Vinter-i-parken-2027')]).toEqual([407, 200])
    const removed = await edit(['remove', 'eva.ek', '--json'])
    expect(json(removed)).toEqual({ user: 'eva.ek', done: 'removed' })
    expect(await status('Vinter-i-parken-2027')).toBe(407)
    expect((await run(town, 'user', 'remove', 'eva.ek')).code).toBe(1)
    expect((await run(town, 'user', 'add', 'a:b', '--password-stdin')).code).toBe(2)
    expect((await run(town, 'user', 'add', 'kim', '--password-stdin')).stderr).toContain(
      'too short',
    )
    expect(await get('news.test', FROM.office, signIn(USER.name, USER.password))).toMatchObject({
      status: 200,
    })
  })

  it('log search: filters, formats, and rows as they were made', async () => {
    const { sluss, http } = town
    await get('bad.test', FROM.schools)
    await get('hate.test', FROM.schools)
    await get('www.news.test', FROM.schools)
    await get('news.test', FROM.none)
    await until('all are there', () => {
      return sluss.lines('address IN (?, ?)', FROM.schools, FROM.none).length === 4
    })
    const hosts = async (...words: readonly string[]) => {
      const rows = json(await done(town, 'log', 'search', ...words, '--json')) as { host: string }[]
      return rows.map(({ host }) => host)
    }
    const here = ['--address', FROM.schools]
    expect(await hosts(...here)).toEqual(['www.news.test', 'hate.test', 'bad.test'])
    expect(await hosts(...here, '--verdict', 'block')).toEqual(['hate.test', 'bad.test'])
    expect(await hosts(...here, '--host', 'news.test')).toEqual(['www.news.test'])
    expect(await hosts(...here, '--category', 'racism')).toEqual(['hate.test'])
    expect(await hosts('--reason', 'zone-unknown')).toEqual(['news.test'])
    expect(await hosts('--zone', 'schools', '--user', 'schools')).toHaveLength(3)
    expect(await hosts(...here, '--from', today)).toHaveLength(3)
    expect(await hosts(...here, '--from', today, '--to', '2099-12-31')).toHaveLength(3)
    const last = await run(
      town,
      'log',
      'search',
      ...here,
      '--limit',
      '1',
      '--format',
      'csv',
      '--utc',
    )
    expect(last.code).toBe(0)
    expect(last.stderr).toContain('only the newest 1 rows are shown')
    const [header, row, end] = last.stdout.split('\r\n')
    expect(header).toMatch(/^time,epoch_ms,zone,user,/)
    expect(row).toMatch(
      /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(Z|\+00:00),\d+,schools,schools,network,127\.0\.5\.1,GET,www\.news\.test,/,
    )
    expect(end).toBe('')
    const table = await done(town, 'log', 'search', ...here, '--verdict', 'block')
    expect(table.stdout).toMatch(/^TIME +USER +ADDRESS +METHOD +HOST/)
    expect(table.stdout).toMatch(
      new RegExp(`schools +127\\.0\\.5\\.1 +GET +bad\\.test:${http.port} +porn +block`),
    )
    const none = await run(town, 'log', 'search', '--host', 'nowhere.test', '--json')
    expect([none.code, json(none), none.stderr]).toEqual([0, [], 'sluss: no rows match\n'])
    for (const [words, expected] of [
      [['--verdict', 'blok'], /--verdict "blok" is unknown/],
      [['--format', 'xml'], /--format "xml" is unknown/],
      [['--limit', '9'.repeat(400)], /--limit/],
      [['--from', 'tomorrow'], /--from "tomorrow" is not a time/],
      [['--address', 'nowhere'], /--address "nowhere" is not an IP address/],
      [['--host', ''], /is not a host/],
    ] as const) {
      const output = await run(town, 'log', 'search', ...words)
      expect([words, output.code, output.stderr]).toEqual([
        words,
        2,
        expect.stringMatching(expected),
      ])
      expect(output.stdout).toBe('')
    }
  })

  it('are told of settings that have been broken since, but for status, which tells of the service', async () => {
    const { sluss } = town
    const good = readFileSync(sluss.config)
    sluss.write('sluss.yaml', 'version: 1\nzones: []\n')
    await until('it is refused', async () => (await sluss.status()).loaded.outcome === 'refused')
    for (const words of [
      ['quota'],
      ['exempt', 'list'],
      ['log', 'search'],
      ['explain', 'a.se'],
      ['user', 'list'],
    ]) {
      const output = await run(town, ...words)
      expect([words, output.code]).toEqual([words, 2])
      expect(output.stderr).toContain(`${sluss.config}:2: zones`)
    }
    const { stdout } = await done(town, 'status')
    expect(stdout).toMatch(/^files read +\S+ \(refused\)$/m)
    expect(stdout).toContain(`${sluss.config}:2: zones`)
    const { policy } = await sluss.status()
    sluss.write('sluss.yaml', good)
    await sluss.policyAfter(policy)
    // The state folder need not be named where it lies where it does by itself: beside config.
    const beside = join(sluss.folder, 'var')
    symlinkSync(sluss.state, beside)
    sluss.write('sluss.yaml', 'version: 1\nzones: []\n')
    const found = await runCommand(LAUNCHER, ['--config', sluss.config, 'status', '--json'])
    expect(json(found)).toMatchObject({ run: (await sluss.status()).run })
    sluss.write('sluss.yaml', good)
  })
})
