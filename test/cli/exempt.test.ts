/**
 * Owns: `./sluss exempt` as people and scripts meet it: words, JSON, exit codes, the file afterwards.
 * Never: touches the real register.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { register } from '../../src/cli/exempt.ts'
import { runCommand } from './run-command.ts'

const SETTINGS = `version: 1
state: var
listen: { proxy: 127.0.0.1:3128 }
zones:
  - { name: local, networks: [127.0.0.0/8], identify: address }
categories:
  social: { action: quota, platforms: all }
platforms: platforms.yaml
exemptions: exemptions.yaml
`

const PLATFORMS = `facebook: { title: Facebook, domains: [facebook.com] }
youtube: { title: YouTube, domains: [youtube.com] }
`

const REGISTER = `# The register.
- user: anna
  platforms: [facebook, youtube]
  purpose: Sidan
  department: KLK
  decidedBy: Chefen
  dnr: KS 2026/1
  from: 2026-01-01
  until: 2026-12-31

- group: press      # all of them
  platforms: all
  purpose: Nyheter
  department: Press
  decidedBy: Presschefen
  dnr: KS 2026/2
  from: 2026-01-01
  until: 2026-12-31

- user: bo
  platforms: [youtube]
  purpose: Filmer
  department: Skolan
  decidedBy: Rektorn
  dnr: ""
  from: 2025-01-01
  until: 2025-12-31

- user: bo
  platforms: [youtube]
  purpose: Filmer
  department: Skolan
  decidedBy: Rektorn
  dnr: BUN 2026/9
  from: 2026-09-01
  until: 2026-12-31
`

let folder = ''
let file = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sluss-exempt-'))
  file = join(folder, 'exemptions.yaml')
  writeFileSync(join(folder, 'sluss.yaml'), SETTINGS)
  writeFileSync(join(folder, 'platforms.yaml'), PLATFORMS)
  writeFileSync(file, REGISTER)
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const NOON = Date.parse('2026-06-15T12:00:00+02:00')

const exempt = (...args: string[]) =>
  runCommand(
    (program) => register(program, () => NOON),
    ['--config', join(folder, 'sluss.yaml'), 'exempt', ...args],
  )
const exemptJson = async (...args: string[]) => {
  const { stdout, code } = await exempt(...args, '--json')
  return { code, value: JSON.parse(stdout) }
}
const text = () => readFileSync(file, 'utf8')
const whose = (rows: { user?: string; group?: string }[]) => {
  return rows.map(({ user, group }) => user ?? `group ${group}`)
}

const ADD = [
  ...['add', '--user', 'eva', '--platforms', 'facebook,youtube', '--purpose', 'Sidan: vår'],
  ...['--department', 'KLK', '--decided-by', 'Chefen', '--dnr', 'KS 2026/7'],
]

describe('exempt list', () => {
  it('shows what is in force', async () => {
    const { code, stdout } = await exempt('list')
    expect(code).toBe(0)
    expect(stdout).toBe(
      `row  subject      platforms          from        until       dnr        department  decided by   purpose
1    anna         facebook, youtube  2026-01-01  2026-12-31  KS 2026/1  KLK         Chefen       Sidan
2    group press  all                2026-01-01  2026-12-31  KS 2026/2  Press       Presschefen  Nyheter
`,
    )
  })

  it('shows all, and which are in force', async () => {
    const { stdout } = await exempt('list', '--all')
    const states = stdout.split('\n').map((line) => line.slice(5, 15).trim())
    expect(states).toEqual(['state', 'in force', 'in force', 'over', 'not begun', ''])
  })

  it('gives rows as JSON, with their place, reference and state', async () => {
    const { value } = await exemptJson('list', '--all')
    expect(value).toHaveLength(4)
    expect(value[2]).toEqual({
      row: 3,
      line: 20,
      user: 'bo',
      platforms: ['youtube'],
      purpose: 'Filmer',
      department: 'Skolan',
      decidedBy: 'Rektorn',
      dnr: '',
      from: '2025-01-01',
      until: '2025-12-31',
      reference: 'row 3',
      state: 'over',
    })
  })

  it.each([
    [['--user', 'Anna'], 0, ['anna']],
    [['--user', 'bo'], 1, []],
    [['--user', 'bo', '--all'], 0, ['bo', 'bo']],
    [['--platform', 'facebook'], 0, ['anna', 'group press']],
    [['--platform', 'youtube', '--user', 'anna'], 0, ['anna']],
    [['--platform', 'facebook', '--user', 'bo', '--all'], 1, []],
  ])('filters: %j', async (args, code, expected) => {
    const found = await exemptJson('list', ...args)
    expect([found.code, whose(found.value)]).toEqual([code, expected])
  })

  it('says so where there is nothing', async () => {
    writeFileSync(file, '[]\n')
    expect(await exempt('list')).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^No rows/),
    })
    expect(await exempt('list', '--all')).toMatchObject({ code: 0, stdout: 'No rows.\n' })
  })

  it('names the nearest platform', async () => {
    const { code, stderr } = await exempt('list', '--platform', 'facebok')
    expect(code).toBe(2)
    expect(stderr).toMatch(/"facebok": there is no such platform\n {2}did you mean facebook\?/)
  })

  it('says what is wrong with a broken register, and with settings that name none', async () => {
    writeFileSync(file, '- user: anna\n')
    const broken = await exempt('list')
    expect([broken.code, broken.stdout]).toEqual([2, ''])
    expect(broken.stderr).toMatch(/exemptions\.yaml:1: row 1: purpose — expected .*missing\n/)
    const none = await exempt('--set', 'exemptions=null', 'list')
    expect(none).toMatchObject({ code: 2, stderr: expect.stringContaining('name no register') })
  })
})

describe('exempt add', () => {
  it('adds a row from today, and keeps all that stood there', async () => {
    const { code, stdout, stderr } = await exempt(...ADD, '--until', '2027-01-31')
    expect([code, stderr]).toEqual([0, ''])
    expect(stdout).toMatch(/^Added, in force:\n\nrow {2}subject .*\n5 {4}eva {6}facebook, youtube/)
    expect(text()).toBe(`${REGISTER}
- user: eva
  platforms: [facebook, youtube]
  purpose: "Sidan: vår"
  department: KLK
  decidedBy: Chefen
  dnr: KS 2026/7
  from: 2026-06-15
  until: 2027-01-31
`)
  })

  it('gives the row as JSON, with what deserves a look', async () => {
    const args = [...ADD, '--from', '2026-07-01', '--until', '2026-07-10', '--dnr', '']
    const { code, value } = await exemptJson(...args)
    expect(code).toBe(0)
    expect(value).toMatchObject({
      row: { row: 5, user: 'eva', from: '2026-07-01' },
      before: null,
      warnings: [{ kind: 'expires-soon' }, { kind: 'dnr-missing' }],
    })
  })

  it('adds for a group, and all platforms', async () => {
    const { code } = await exempt(
      ...['add', '--group', 'IT', '--platforms', 'all', '--purpose', 'Test', '--department', 'IT'],
      ...['--decided-by', 'IT-chefen', '--dnr', '1', '--until', '2026-12-31'],
    )
    expect(code).toBe(0)
    expect(text()).toMatch(/\n- group: it\n {2}platforms: all\n/)
  })

  it('names every option that is missing or wrong', async () => {
    const { code, stderr } = await exempt(
      ...['add', '--platforms', 'facebok, youtube', '--from', '15/6', '--purpose', ' '],
    )
    expect(code).toBe(2)
    expect(stderr.trimEnd().split('\n')).toEqual([
      expect.stringMatching(/^--platforms: "facebok" — expected .*did you mean facebook\?$/),
      expect.stringMatching(/^--purpose: " " — expected .*it is empty$/),
      expect.stringMatching(/^--department: expected .*it is missing$/),
      expect.stringMatching(/^--decided-by: expected .*it is missing$/),
      expect.stringMatching(/^--dnr: expected .*it is missing$/),
      expect.stringMatching(/^--from: "15\/6" — expected .*no such date$/),
      expect.stringMatching(/^--until: expected .*it is missing$/),
      expect.stringMatching(/^--user, --group: expected exactly one .*neither/),
    ])
    expect(text()).toBe(REGISTER)
  })

  it('warns where the person has such a row already', async () => {
    const args = ADD.map((word) => (word === 'eva' ? 'anna' : word))
    const { code, stderr } = await exempt(...args, '--until', '2026-12-31')
    expect(code).toBe(0)
    expect(stderr).toMatch(
      /^warning: .*row 5: platforms: user anna — row 1 \(line 2\) has the same/,
    )
  })
})

describe('exempt end', () => {
  it('ends a row yesterday, and keeps it', async () => {
    const { code, stdout, stderr } = await exempt('end', '--user', 'ANNA')
    expect([code, stderr]).toEqual([0, ''])
    expect(stdout).toMatch(/^Ended: the last day is 2026-06-14, it was 2026-12-31\./)
    expect(text()).toBe(REGISTER.replace('until: 2026-12-31', 'until: 2026-06-14'))
  })

  it('ends a row of a group on another day', async () => {
    const { value } = await exemptJson('end', '--group', 'press', '--date', '2026-06-30')
    expect(value).toMatchObject({ row: { until: '2026-06-30' }, before: { until: '2026-12-31' } })
    expect(text()).toContain('- group: press      # all of them\n')
  })

  it('asks which where several may be meant', async () => {
    await exempt(...ADD.map((word) => (word === 'eva' ? 'anna' : word)), '--until', '2026-12-31')
    const asked = await exempt('end', '--user', 'anna')
    expect(asked.code).toBe(2)
    expect(asked.stderr).toMatch(
      /\n1 {4}anna .*\n5 {4}anna [\s\S]*several rows.*\n {2}say which with --dnr/,
    )
    const { value } = await exemptJson('end', '--user', 'anna', '--dnr', 'KS 2026/1')
    expect(value.row).toMatchObject({ row: 1, until: '2026-06-14' })
  })

  it('asks for the row where the diary number is the same', async () => {
    for (const until of ['2026-10-31', '2026-12-31']) await exempt(...ADD, '--until', until)
    const asked = await exempt('end', '--user', 'eva', '--dnr', 'KS 2026/7', '--date', '2026-06-20')
    expect(asked.stderr).toMatch(/say which with --row/)
    const { value } = await exemptJson('end', '--user', 'eva', '--row', '6', '--date', '2026-06-20')
    expect(value.row).toMatchObject({ row: 6, until: '2026-06-20' })
  })

  it.each([
    [['--user', 'nobody'], 1, /no row of nobody goes on after 2026-06-14/],
    [['--user', 'anna', '--dnr', 'KS 1'], 1, /no row of anna \(KS 1\) goes on/],
    [['--group', 'press', '--row', '1'], 1, /no row of group press \(row 1\) goes on/],
    [['--user', 'anna', '--date', '2027-01-01'], 1, /no row of anna goes on after 2027-01-01/],
    [['--user', 'anna', '--date', '2026-02-30'], 2, /"2026-02-30" — expected a date/],
    [['--user', 'bo'], 2, /starts on 2026-09-01; give --date 2026-09-01/],
    [['--user', ''], 2, /--user "" is no name/],
    [[], 2, /one of --user and --group/],
    [['--user', 'anna', '--group', 'press'], 2, /one of --user and --group/],
  ])('refuses %j', async (args, code, expected) => {
    const ended = await exempt('end', ...args)
    expect(ended.code).toBe(code)
    expect(ended.stderr).toMatch(expected)
    expect(text()).toBe(REGISTER)
  })
})

describe('exempt history', () => {
  it('tells who changed what, and when', async () => {
    await exempt('end', '--user', 'anna')
    await exempt(...ADD, '--until', '2026-12-31')
    const { code, stdout } = await exempt('history')
    expect(code).toBe(0)
    const lines = stdout.trimEnd().split('\n')
    const who = process.env.SUDO_USER ?? userInfo().username
    expect(lines).toHaveLength(1 + 4 + 1 + 1)
    expect(lines[1]).toMatch(/2026-06-15T12:00:00\+02:00 .* editor .* added .* anna /)
    expect(lines[5]).toContain(`${who}  command  changed  anna`)
    expect(lines[5]).toContain('until 2026-12-31 → 2026-06-14')
    expect(lines[6]).toMatch(
      /command {2}added .* eva .* facebook, youtube, 2026-06-15 to 2026-12-31, KS/,
    )
  })

  it('gives entries as JSON, those of one user where asked', async () => {
    await exempt('end', '--user', 'anna')
    await exempt('end', '--group', 'press')
    const { code, value } = await exemptJson('history', '--user', 'Anna')
    expect(code).toBe(0)
    expect(
      value.map((entry: { changes: { kind: string }[] }) => entry.changes.map(({ kind }) => kind)),
    ).toEqual([['added'], ['changed']])
    expect(await exempt('history', '--user', 'nobody')).toMatchObject({ code: 1 })
  })

  it('says so where there is none yet, or an edit waits to be entered', async () => {
    expect(await exempt('history')).toMatchObject({
      code: 0,
      stdout: 'No changes are entered.\n',
      stderr: '',
    })
    await exempt('end', '--user', 'anna')
    expect((await exempt('history')).stderr).toBe('')
    writeFileSync(file, `${text()}\n# A word.\n`)
    expect((await exempt('history')).stderr).toMatch(/^warning: the register has changed since/)
    await exempt('end', '--group', 'press')
    expect((await exempt('history')).stdout).toContain('no row; comments or blanks')
  })

  it('warns of lines that a crash cut short', async () => {
    await exempt('end', '--user', 'anna')
    const history = join(folder, 'var', 'exemptions.history.jsonl')
    writeFileSync(history, readFileSync(history, 'utf8').slice(0, -9))
    const { code, stderr } = await exempt('history')
    expect(code).toBe(0)
    expect(stderr).toMatch(/^warning: line 2 of the history was cut short/)
  })
})
