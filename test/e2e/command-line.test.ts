import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { done, json, run, tidy } from './stand/commands.ts'
import { LAUNCHER, runCommand } from './stand/sluss.ts'
import { buildTown, FROM, type Town, USER } from './stand/town.ts'

describe('the launcher', () => {
  let folder: string
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'sluss-launcher-'))
  })
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  /** The launcher and its runtime's finder in a folder of their own, as before `npm ci`. */
  function install(home: string): void {
    mkdirSync(join(home, 'bin'), { recursive: true })
    for (const name of ['sluss', join('bin', 'node')]) {
      copyFileSync(join(dirname(LAUNCHER), name), join(home, name))
      chmodSync(join(home, name), 0o755)
    }
  }

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

  it('gives names threads enough that a silent name server does not stop the others', async () => {
    const home = join(folder, 'threads')
    const node = join(home, 'bin', 'node')
    install(home)
    writeFileSync(node, '#!/bin/sh\necho "$UV_THREADPOOL_SIZE"\n')
    for (const file of [node, join(home, 'sluss')]) chmodSync(file, 0o755)
    const run = (env: Record<string, string>) => runCommand(join(home, 'sluss'), [], '', env)
    expect(await run({ UV_THREADPOOL_SIZE: '' })).toMatchObject({ stdout: '128\n' })
    expect(await run({ UV_THREADPOOL_SIZE: '8' })).toMatchObject({ stdout: '8\n' })
  })

  it('says what to do where npm ci has not been run', async () => {
    const bare = join(folder, 'a folder with blanks')
    install(bare)
    const node = `${bare}/node_modules/node-linux-${process.arch}/bin/node`
    expect(await runCommand(join(bare, 'sluss'), ['check'])).toEqual({
      code: 2,
      stdout: '',
      stderr: `sluss: ${node} is missing. Run 'npm ci' in ${bare} first.\n`,
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

const withoutService = (exemptions = '[]\n') =>
  beforeAll(async () => {
    town = await buildTown({ start: false, exemptions })
    return () => town.close()
  })

describe('check', () => {
  withoutService()

  it('says that good settings are good, and what there is', async () => {
    const { stdout } = await done(town, 'check')
    expect(stdout).toBe(
      `${town.sluss.config}: good (3 zones, 4 categories, 2 platforms, 4 lists)\n`,
    )
    expect(json(await done(town, 'check', '--json'))).toMatchObject({ ok: true, problems: [] })
  })

  it('names all that is wrong with its place, and the nearest key', async () => {
    const { sluss } = town
    const broken = join(sluss.folder, 'config', 'broken.yaml')
    writeFileSync(broken, 'version: 1\nzone: []\nzones: []\nquota: { grace: 5 }\n')
    const output = await run(town, '--config', broken, 'check')
    expect(output.code).toBe(2)
    const lines = output.stdout.trim().split('\n')
    expect(lines).toContainEqual(expect.stringMatching(`^${broken}:2: zone .*did you mean zones`))
    expect(lines).toContainEqual(expect.stringMatching(`^${broken}:4: quota\\.grace: 5 `))
    expect(lines.at(-1)).toBe(`${broken}: ${lines.length - 1} errors`)
    const told = await run(town, '--config', broken, 'check', '--json')
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
    ['a control character', () => ['--set', '\x1b[31m=5'], /\\u001b/],
    ['nothing at all', () => ['--set', ''], /=/],
  ])('has an answer to %s', async (_name, words, expected) => {
    const output = await run(town, ...words(), 'check')
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
  withoutService(EXEMPTIONS)

  const HTTPS = '--set=ports.connect=443'
  async function explain(...words: readonly string[]): Promise<Explained> {
    return json(await done(town, HTTPS, 'explain', ...words, '--json')) as Explained
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
      ...['request', 'zone', 'portal', 'identity', 'neverBlock', 'category', 'quota', 'default'],
    ])
    const { stdout } = await done(town, HTTPS, 'explain', 'a.bad.test', ...anna)
    expect(stdout).toMatch(/^BLOCK: This site is refused {2}category-blocked, by category:porn$/m)
    expect(stdout).toMatch(
      /^listed +bad\.test in lists\/porn\.txt, line 2 \(version [0-9a-f]{12}\)$/m,
    )
    expect(stdout).toMatch(
      /^→ +category +block: .*\(decision: Kommunstyrelsen, KS 2026\/17, 2026-02-03\)$/m,
    )
  })

  it.each<[string, string[], RegExp]>([
    ['an empty host', [''], /"" is no host/],
    ['a host with a blank', ['a b'], /is no host/],
    ['a control character', ['a\x07b.se'], /"a\\u0007b\.se" is no host/],
    ['an endless host', ['a'.repeat(5_000)], /is no host: longer than a host name can be/],
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
    ['no user', ['news.test', '--user', ''], /"" is no user name/],
  ])('has an answer to %s', async (_name, words, expected) => {
    const { code, stdout, stderr } = await run(town, 'explain', ...words)
    expect([code, stdout, stderr]).toEqual([2, '', expect.stringMatching(expected)])
  })
})

describe('a command that needs a service, where none runs', () => {
  withoutService()

  it('says so', async () => {
    const { sluss } = town
    expect(await run(town, 'status')).toEqual({
      code: 2,
      stdout: '',
      stderr: `sluss: no service runs with its state in ${sluss.state}\n  start one: ./sluss start\n`,
    })
    expect((await run(town, '--state', `/${'x'.repeat(200)}`, 'status')).code).toBe(2)
  })

  it('works on the files where it can: minutes are given, and in force at the next start', async () => {
    const { sluss } = town
    expect((await done(town, 'quota')).stdout).toContain('No minutes are used or given.')
    const given = await done(
      town,
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
    expect(json(await done(town, 'quota', FROM.local, '--json'))).toMatchObject([
      { given: 15, left: 75 },
    ])
    expect(await sluss.stop()).toBe(0)
  })

  it('finds no log, and says so', async () => {
    const none = await run(town, 'log', 'search', '--json')
    expect([json(none), none.stderr]).toEqual([[], 'sluss: no rows match\n'])
  })
})
