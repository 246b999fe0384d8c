import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { dayOfNumber, localDay } from '../../src/policy/index.ts'
import { LAUNCHER, type Output, runCommand, until } from './stand/sluss.ts'
import { buildTown, FROM, type Town, USER } from './stand/town.ts'
import { type Reply, sendFrom } from './stand/tunnel.ts'

const STOCKHOLM = { timezone: 'Europe/Stockholm', startsMinute: 0 }

/** What no command may ever print: the trace of a fault, or a character that a terminal obeys. */
const TRACE = /^\s+at |node:internal|\bError:/m
// biome-ignore lint/suspicious/noControlCharactersInRegex: controls are what this looks for
const OBEYED = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e]/

function tidy(output: Output, ...words: readonly string[]): void {
  const all = `${output.stdout}${output.stderr}`
  expect([words, TRACE.exec(all)?.[0]]).toEqual([words, undefined])
  expect([words, OBEYED.exec(all)?.[0]]).toEqual([words, undefined])
}

const json = ({ stdout }: Output) => JSON.parse(stdout) as unknown

describe('the launcher', () => {
  let folder: string
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'sluss-launcher-'))
  })
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  it('works through a link, from any folder', async () => {
    const link = join(folder, 'sluss')
    symlinkSync(LAUNCHER, link)
    symlinkSync('sluss', join(folder, 'gate'))
    const direct = await runCommand(LAUNCHER, ['--version'])
    expect(direct).toMatchObject({ code: 0, stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) })
    for (const path of [link, join(folder, 'gate')]) {
      expect(await runCommand('sh', ['-c', `cd / && exec "${path}" --version`])).toEqual(direct)
    }
  })

  it('says what to do where npm ci has not been run', async () => {
    const bare = join(folder, 'a folder with blanks')
    mkdirSync(bare)
    copyFileSync(LAUNCHER, join(bare, 'sluss'))
    chmodSync(join(bare, 'sluss'), 0o755)
    expect(await runCommand(join(bare, 'sluss'), ['check'])).toEqual({
      code: 2,
      stdout: '',
      stderr: `sluss: ${bare}/node_modules/.bin/node is missing. Run 'npm ci' in ${bare} first.\n`,
    })
  })
})

describe('the words of a command', () => {
  it.each<[string, string[], number, RegExp]>([
    ['no command', [], 2, /^Usage: sluss/],
    ['help', ['help'], 0, /^Usage: sluss/],
    ['--help', ['--help'], 0, /^Usage: sluss/],
    ['help of a command', ['help', 'explain'], 0, /^Usage: sluss explain/],
    ['help of a subcommand', ['quota', 'give', '--help'], 0, /^Usage: sluss quota give/],
    ['an unknown command', ['strat'], 2, /unknown command 'strat'\n\(Did you mean start\?\)/],
    ['an unknown subcommand', ['log', 'serach'], 2, /Did you mean search\?/],
    ['an unknown option', ['explain', 'a.se', '--usr', 'x'], 2, /Did you mean --user\?/],
    ['an option without its value', ['--config'], 2, /argument missing/],
    ['an argument too few', ['explain'], 2, /missing required argument 'host'/],
    ['an argument too many', ['check', 'this'], 2, /too many arguments/],
    ['a control character', ['\x1b[31mred'], 2, /unknown command '\\u001b\[31mred'/],
  ])('%s', async (_name, words, code, expected) => {
    const output = await runCommand(LAUNCHER, words)
    tidy(output, ...words)
    expect([output.code, `${output.stdout}${output.stderr}`]).toEqual([
      code,
      expect.stringMatching(expected),
    ])
    // Answers go to one place, complaints to the other.
    expect(code === 0 ? output.stderr : output.stdout).toBe('')
  })

  it('that end in a pipe nobody reads end quietly', async () => {
    const pipe = `"${LAUNCHER}" help | true; "${LAUNCHER}" check --help | true`
    expect(await runCommand('sh', ['-c', pipe])).toMatchObject({ code: 0, stderr: '' })
  })
})

let town: Town
const today = dayOfNumber(STOCKHOLM, localDay(STOCKHOLM, Date.now()).number).date
const EXEMPTIONS = `- user: anna.andersson
  platforms: [face]
  purpose: Kommunens sida
  department: Kommunledningskontoret
  decidedBy: Förvaltningschef
  dnr: KS 2026/7
  from: 2026-06-01
  until: 2026-06-30
- group: kommunikatorer
  platforms: [gram]
  purpose: Bilder
  department: Kommunledningskontoret
  decidedBy: Förvaltningschef
  dnr: KS 2026/8
  from: 2026-01-01
  until: 2099-12-31
`

async function run(...words: readonly string[]): Promise<Output> {
  const output = await town.sluss.run(...words)
  tidy(output, ...words)
  return output
}

/** As `run`, of a command that does what it is asked. */
async function done(...words: readonly string[]): Promise<Output> {
  const output = await run(...words)
  expect(output).toMatchObject({ code: 0, stderr: '' })
  return output
}

const withoutService = () =>
  beforeAll(async () => {
    town = await buildTown({ start: false, exemptions: EXEMPTIONS })
    return () => town.close()
  })

describe('check', () => {
  withoutService()

  it('says that good settings are good, and what there is', async () => {
    const { stdout } = await done('check')
    expect(stdout).toBe(
      `${town.sluss.config}: good (3 zones, 4 categories, 2 platforms, 4 lists)\n`,
    )
    expect(json(await done('check', '--json'))).toMatchObject({ ok: true, problems: [] })
  })

  it('names all that is wrong with its place, and the nearest key', async () => {
    const { sluss } = town
    const broken = join(sluss.folder, 'config', 'broken.yaml')
    writeFileSync(broken, 'version: 1\nzone: []\nzones: []\nquota: { grace: 5 }\n')
    const output = await run('--config', broken, 'check')
    expect(output.code).toBe(2)
    const lines = output.stdout.trim().split('\n')
    expect(lines).toContainEqual(expect.stringMatching(`^${broken}:2: zone .*did you mean zones`))
    expect(lines).toContainEqual(expect.stringMatching(`^${broken}:4: quota\\.grace: 5 `))
    expect(lines.at(-1)).toBe(`${broken}: ${lines.length - 1} errors`)
    const told = await run('--config', broken, 'check', '--json')
    expect(told.code).toBe(2)
    expect(json(told)).toMatchObject({ ok: false })
  })

  it.each<[string, () => string[], RegExp]>([
    ['a file that is not there', () => ['--config', '/none/sluss.yaml'], /there is no such file/],
    ['a folder for a file', () => ['--config', town.sluss.folder], /it is a folder/],
    ['no file', () => ['--config', ''], /it is a folder/],
    ['a device', () => ['--config', '/dev/null'], /not a file|version/],
    ['a setting that is none', () => ['--set', 'quota.grase=5s'], /did you mean/],
    ['no value', () => ['--set', 'quota.grace'], /=/],
    ['a huge number', () => ['--set', `threads=${'9'.repeat(400)}`], /whole number/],
    ['a control character', () => ['--set', 'state=\x1b[31m'], /\\u001b/],
    ['nothing at all', () => ['--set', ''], /=/],
  ])('has an answer to %s', async (_name, words, expected) => {
    const output = await run(...words(), 'check')
    expect([output.code, output.stdout]).toEqual([2, expect.stringMatching(expected)])
  })
})

interface Explained {
  readonly host: string
  readonly user: string | null
  readonly groups: readonly string[]
  readonly zone: string | null
  readonly verdict: {
    readonly action: string
    readonly reason: string
    readonly rule: string
    readonly status: number
    readonly decision: { readonly dnr: string } | null
  }
  readonly rules: readonly { readonly rule: string; readonly wins: boolean }[]
  readonly lists: readonly {
    readonly domain: string
    readonly list: string
    readonly line: number
  }[]
}

describe('explain', () => {
  withoutService()

  async function explain(...words: readonly string[]): Promise<Explained> {
    const port = `--set=ports.connect=443`
    return json(await done(port, 'explain', ...words, '--json')) as Explained
  }

  const anna = ['--user', USER.name]
  const at = (time: string) => ['--at', time]
  const from = (zone: keyof typeof FROM) => ['--address', FROM[zone]]

  it.each<[string, string[], string]>([
    ['an allowed host', ['news.test'], 'allow default default 0'],
    ['a listed host', ['bad.test'], 'block category-blocked category:porn 403'],
    ['its subdomain', ['a.bad.test'], 'block category-blocked category:porn 403'],
    ['its look-alike', ['notbad.test'], 'allow default default 0'],
    ['a host never blocked', ['help.test'], 'allow never-block neverBlock 0'],
    ['a platform', ['face.test'], 'allow minutes-left category:social 0'],
    ['its background', ['widget.face.test'], 'allow background category:social 0'],
    ['the schools', ['face.test', ...from('schools')], 'allow zone-unmetered zone:schools 0'],
    ['an unknown computer', ['news.test', ...from('none')], 'refuse zone-unknown zones 403'],
    [
      'nobody in the office',
      ['news.test', ...from('office')],
      'challenge credentials-missing zone:office 407',
    ],
    ['a forbidden port', ['news.test:22'], 'refuse port-forbidden ports.connect 403'],
    [
      'the first day of a leave',
      ['face.test', ...anna, ...at('2026-06-01')],
      'allow exempt exemption:KS 2026/7 0',
    ],
    [
      'its last minute',
      ['face.test', ...anna, ...at('2026-06-30 23:59')],
      'allow exempt exemption:KS 2026/7 0',
    ],
    [
      'the day before',
      ['face.test', ...anna, ...at('2026-05-31 23:59')],
      'allow minutes-left category:social 0',
    ],
    [
      'the day after',
      ['face.test', ...anna, ...at('2026-07-01')],
      'allow minutes-left category:social 0',
    ],
    [
      'a leave of the group',
      ['gram.test', ...anna, ...at('2026-07-01')],
      'allow exempt exemption:KS 2026/8 0',
    ],
    [
      'somebody of no group',
      ['gram.test', '--user', 'bo', ...at('2026-07-01')],
      'allow minutes-left category:social 0',
    ],
  ])('%s', async (_name, words, expected) => {
    const { verdict, rules } = await explain(...words)
    const { action, reason, rule, status } = verdict
    expect(`${action} ${reason} ${rule} ${status}`).toBe(expected)
    expect(rules.filter(({ wins }) => wins)).toHaveLength(1)
  })

  it('spent, where a category gives no minutes', async () => {
    const { verdict } = await explain('face.test', '--set', 'categories.social.minutes=0')
    expect(verdict).toMatchObject({ action: 'spent', reason: 'minutes-spent', status: 403 })
  })

  it.each([
    'BAD.Test.',
    'https://bad.test/page?x=1',
    'bad.test:443',
    '%62ad.test',
    'ｂａｄ.test',
    'user@bad.test',
  ])('knows bad.test as %s', async (spelling) => {
    const { host, verdict } = await explain(spelling)
    expect([host, verdict.rule]).toEqual(['bad.test', 'category:porn'])
  })

  it('knows addresses in every spelling', async () => {
    for (const spelling of ['127.0.0.1', '2130706433', '0x7f.1', '0177.0.0.1', '127.1']) {
      expect([spelling, (await explain(spelling)).host]).toEqual([spelling, '127.0.0.1'])
    }
    expect((await explain('[0:0:0:0:0:0:0:1]')).host).toBe('::1')
  })

  it('tells the whole of it: who, where, which list and line, whose decision', async () => {
    const found = await explain('a.bad.test', ...anna)
    expect(found).toMatchObject({
      asked: 'a.bad.test',
      host: 'a.bad.test',
      port: 443,
      carriage: 'connect',
      zone: 'office',
      user: USER.name,
      groups: [USER.groups],
      verdict: { decision: { by: 'Kommunstyrelsen', dnr: 'KS 2026/17', date: '2026-02-03' } },
      lists: [{ domain: 'bad.test', list: 'lists/porn.txt', line: 2 }],
    })
    expect(found.rules.map(({ rule }) => rule)).toEqual([
      ...['request', 'zone', 'identity', 'neverBlock', 'category', 'quota', 'default'],
    ])
    const { stdout } = await done('explain', 'a.bad.test', ...anna)
    expect(stdout).toMatch(/^BLOCK: This site is refused {2}category-blocked, by category:porn$/m)
    expect(stdout).toMatch(/^listed +bad\.test in lists\/porn\.txt, line 2$/m)
    expect(stdout).toMatch(
      /^→ +category +block: .*\(decision: Kommunstyrelsen, KS 2026\/17, 2026-02-03\)$/m,
    )
  })

  it.each<[string, string[], RegExp]>([
    ['an empty host', [''], /"" is no host/],
    ['a host with a blank', ['a b'], /is no host/],
    ['a control character', ['a\x07b.se'], /"a\\u0007b\.se" is no host/],
    ['an endless host', ['a'.repeat(5_000)], /is no host \(host-/],
    ['a port beyond all ports', ['news.test:65536'], /has no port that there is/],
    ['port 0', ['news.test:0'], /has no port that there is/],
    [
      'an address that is none',
      ['news.test', '--address', '10.1.2'],
      /"10\.1\.2" is no IP address/,
    ],
    [
      'a turned address',
      ['news.test', '--address', '\u202e1.2.3.4'],
      /"\\u202e1\.2\.3\.4" is no IP/,
    ],
    ['no address', ['news.test', '--address', ''], /"" is no IP address/],
    ['a time that is none', ['news.test', '--at', '2026-02-30'], /"2026-02-30" is no time/],
    ['an hour that is left out', ['news.test', '--at', '2026-03-29 02:30'], /is no time|^$/],
    ['no user', ['news.test', '--user', ''], /"" is no user name/],
  ])('has an answer to %s', async (_name, words, expected) => {
    const { code, stderr } = await run('explain', ...words)
    expect(stderr).toMatch(expected)
    expect(code).toBe(stderr === '' ? 0 : 2)
  })
})

describe('a command that needs a service, where none runs', () => {
  withoutService()

  it('says so', async () => {
    const { sluss } = town
    expect(await run('status')).toEqual({
      code: 2,
      stdout: '',
      stderr: `sluss: no service runs with its state in ${sluss.state}\n  start one: ./sluss start\n`,
    })
    expect((await run('--state', `/${'x'.repeat(200)}`, 'status')).code).toBe(2)
  })

  it('works on the files where it can: minutes are given, and in force at the next start', async () => {
    const { sluss } = town
    expect((await done('quota')).stdout).toContain('No minutes are used or given.')
    const given = await done(
      'quota',
      'give',
      FROM.local,
      '15',
      '--why',
      'krisinformation',
      '--json',
    )
    expect(json(given)).toMatchObject({ user: FROM.local, zone: 'local', given: 15, left: 75 })
    await sluss.start({ launcher: true })
    expect(json(await done('quota', FROM.local, '--json'))).toMatchObject([{ given: 15, left: 75 }])
    expect(await sluss.stop()).toBe(0)
  })

  it('finds no log, and says so', async () => {
    const none = await run('log', 'search', '--json')
    expect([json(none), none.stderr]).toEqual([[], 'sluss: no rows match\n'])
  })
})

function get(host: string, from: string, fields = ''): Promise<Reply> {
  const { sluss, http } = town
  const authority = `${host}:${http.port}`
  const text = `GET http://${authority}/hello HTTP/1.1\r\nHost: ${authority}\r\n${fields}\r\n`
  return sendFrom(from, { host: '127.0.0.1', port: sluss.port }, text)
}

const signIn = (user: string, password: string) =>
  `Proxy-Authorization: Basic ${Buffer.from(`${user}:${password}`).toString('base64')}\r\n`

describe('commands beside a service', () => {
  beforeAll(async () => {
    town = await buildTown({ launcher: true })
    return () => town.close()
  })

  it('status: in words and as JSON', async () => {
    const { sluss } = town
    const { stdout } = await done('status')
    expect(stdout).toMatch(/^state +well$/m)
    expect(stdout).toContain(sluss.proxy)
    expect(json(await done('status', '--json'))).toMatchObject({ healthy: true, threads: 2 })
    const nowhere = await run('--state', join(sluss.folder, 'nowhere'), 'status')
    expect(nowhere.code).toBe(2)
  })

  it('exempt: a row is in force at once, and no longer when it is ended', async () => {
    const { sluss } = town
    const rowOf = async () => (await get('face.test', FROM.local)).status
    await rowOf()
    await sluss.line("host = 'face.test' AND reason = 'minutes-left'")
    const { policy } = await sluss.status()
    const words = ['--platforms', 'face', '--purpose', 'Sidan', '--department', 'Kultur']
    words.push('--decided-by', 'Chefen', '--dnr', 'KUN 2026/5', '--until', '2099-12-31')
    const added = await done('exempt', 'add', '--user', FROM.local, ...words, '--json')
    expect(json(added)).toMatchObject({ row: { user: FROM.local, from: today }, before: null })
    await sluss.policyAfter(policy)
    await rowOf()
    expect(await sluss.line("host = 'face.test' AND reason = 'exempt'")).toMatchObject({
      rule: 'exemption:KUN 2026/5',
    })
    expect(json(await done('exempt', 'list', '--json'))).toMatchObject([{ state: 'in-force' }])
    expect((await done('exempt', 'list')).stdout).toContain('KUN 2026/5')
    const inForce = (await sluss.status()).policy
    expect(json(await done('exempt', 'end', '--user', FROM.local, '--json'))).toMatchObject({
      row: { dnr: 'KUN 2026/5' },
      before: { until: '2099-12-31' },
    })
    await sluss.policyAfter(inForce)
    await rowOf()
    await until('it counts again', () => {
      return sluss.lines("host = 'face.test' AND reason = 'minutes-left'").length === 2
    })
    const history = json(await done('exempt', 'history', '--json')) as { how: string }[]
    expect(history.filter(({ how }) => how === 'command')).toHaveLength(2)
    expect((await done('exempt', 'history', '--user', FROM.local)).stdout).toContain('KUN 2026/5')
    expect(json(await done('exempt', 'list', '--json'))).toEqual([])
  })

  it('quota give: takes what it may, with a reason', async () => {
    const given = await done('quota', 'give', FROM.local, '10', '--why', 'krisinformation')
    expect(given.stdout).toContain('10 minutes given.')
    const rows = json(await done('quota', FROM.local, '--json')) as { gifts: object[] }[]
    expect(rows).toMatchObject([{ given: 10, limit: 70 }])
    expect(rows[0]!.gifts).toMatchObject([{ minutes: 10, why: 'krisinformation' }])
    expect((await done('quota')).stdout).toContain(FROM.local)
    expect((await run('quota', 'nobody.here')).code).toBe(1)
    expect(json(await run('quota', 'nobody.here', '--json'))).toEqual([])
    for (const [words, expected] of [
      [['10.9.9.9', '5', '--why', 'x'], /no zone that counts minutes knows such a user/],
      [[FROM.local, '0', '--why', 'x'], /MINUTES "0" cannot be given/],
      [[FROM.local, '601', '--why', 'x'], /MINUTES "601" cannot be given/],
      [[FROM.local, '1e2', '--why', 'x'], /MINUTES "1e2" cannot be given/],
      [[FROM.local, '9'.repeat(400), '--why', 'x'], /cannot be given/],
      [[FROM.local, '', '--why', 'x'], /MINUTES "" cannot be given/],
      [[FROM.local, '5', '--why', ''], /why ""/],
      [[FROM.local, '5', '--why', 'a\nb'], /on one line/],
      [[FROM.local, '5', '--why', 'x', '--zone', 'moon'], /zone "moon" is not in the settings/],
      [[FROM.local, '5', '--why', 'x', '--zone', 'schools'], /no minutes are counted there/],
      [[FROM.local, '5', '--why', 'x', '--category', 'porn'], /category "porn"/],
      [['', '5', '--why', 'x'], /user ""/],
      [[FROM.local, '5'], /--why/],
    ] as const) {
      const { code, stderr } = await run('quota', 'give', ...words)
      expect([words, code, stderr]).toEqual([words, 2, expect.stringMatching(expected)])
    }
    expect(json(await done('quota', FROM.local, '--json'))).toMatchObject([{ given: 10 }])
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
    expect(json(await done('user', 'list', '--json'))).toMatchObject([
      { user: USER.name },
      { user: 'eva.ek', groups: ['press'] },
    ])
    await edit(['passwd', 'eva.ek', '--password-stdin'], 'Vinter-i-parken-2027\n')
    expect([await status(password), await status('Vinter-i-parken-2027')]).toEqual([407, 200])
    const removed = await edit(['remove', 'eva.ek', '--json'])
    expect(json(removed)).toEqual({ user: 'eva.ek', done: 'removed' })
    expect(await status('Vinter-i-parken-2027')).toBe(407)
    expect((await run('user', 'remove', 'eva.ek')).code).toBe(1)
    expect((await run('user', 'add', 'a:b', '--password-stdin')).code).toBe(2)
    expect((await run('user', 'add', 'kim', '--password-stdin')).stderr).toContain('too short')
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
      const rows = json(await done('log', 'search', ...words, '--json')) as { host: string }[]
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
    expect(await hosts(...here, '--to', today, '--from', today)).toHaveLength(3)
    const last = await run('log', 'search', ...here, '--limit', '1', '--format', 'csv', '--utc')
    expect(last.code).toBe(0)
    expect(last.stderr).toContain('only the newest 1 rows are shown')
    const [header, row, end] = last.stdout.split('\r\n')
    expect(header).toMatch(/^time,epoch_ms,zone,user,/)
    expect(row).toMatch(
      /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(Z|\+00:00),\d+,schools,schools,network,127\.0\.5\.1,GET,www\.news\.test,/,
    )
    expect(end).toBe('')
    const table = await done('log', 'search', ...here, '--verdict', 'block')
    expect(table.stdout).toMatch(/^TIME +USER +ADDRESS +METHOD +HOST/)
    expect(table.stdout).toMatch(
      new RegExp(`schools +127\\.0\\.5\\.1 +GET +bad\\.test:${http.port} +porn +block`),
    )
    const none = await run('log', 'search', '--host', 'nowhere.test', '--json')
    expect([none.code, json(none), none.stderr]).toEqual([0, [], 'sluss: no rows match\n'])
    for (const [words, expected] of [
      [['--verdict', 'blok'], /--verdict "blok" is unknown/],
      [['--format', 'xml'], /--format "xml" is unknown/],
      [['--limit', '0'], /--limit "0"/],
      [['--limit', '9'.repeat(400)], /--limit/],
      [['--from', 'tomorrow'], /--from "tomorrow" is not a time/],
      [['--from', '2026-06-02', '--to', '2026-06-01'], /is not before/],
      [['--address', 'nowhere'], /--address "nowhere" is not an IP address/],
      [['--host', 'a b'], /is not a host/],
      [['--host', ''], /is not a host/],
    ] as const) {
      const output = await run('log', 'search', ...words)
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
      const output = await run(...words)
      expect([words, output.code]).toEqual([words, 2])
      expect(output.stderr).toContain(`${sluss.config}:2: zones`)
    }
    const { stdout } = await done('status')
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
    expect(dirname(sluss.config)).toBe(join(sluss.folder, 'config'))
    sluss.write('sluss.yaml', good)
  })
})
