/**
 * Owns: what `./sluss check` answers, in words, in JSON and by its exit code.
 * Never: tests what is wrong with settings (test/settings).
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Command } from 'commander'
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest'
import { check, register } from '../../src/cli/check.ts'

const HOME = join(import.meta.dirname, '../..')
const SHIPPED = join(HOME, 'config/sluss.yaml')
const NOON = Date.parse('2026-06-01T12:00:00Z')

const folder = mkdtempSync(join(tmpdir(), 'sluss-check-'))
afterAll(() => rmSync(folder, { recursive: true }))
afterEach(() => {
  process.exitCode = 0
})

/** Writes settings with `more` in them, and files beside them; gives the path. */
function settingsWith(more: string, files: Record<string, string> = {}): string {
  const file = join(folder, 'sluss.yaml')
  const zone = 'zones: [{ name: a, networks: 10.0.0.0/8, identify: address }]'
  writeFileSync(file, `version: 1\n${zone}\n${more}\n`)
  for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content)
  return file
}

const ROW = `- user: anna
  platforms: all
  purpose: Sidan
  department: Kommunledningskontoret
  decidedBy: Chefen
  dnr: KS 1
  from: 2026-01-01
  until: 2026-12-31
`

describe('check', () => {
  it('counts what is in good settings', async () => {
    const result = await check({ file: SHIPPED, overrides: [], nowMs: NOON })
    expect(result).toMatchObject({ ok: true, problems: [], warnings: [] })
    expect(result.summary).toMatch(
      /sluss\.yaml: good \(3 zones, 5 categories, \d+ platforms, 5 lists\)$/,
    )
  })

  it('counts errors and warnings', async () => {
    const file = settingsWith('threads: 0\nstat: x\ncategories: { porn: { action: block } }')
    const result = await check({ file, overrides: ['quota.grace=x'], nowMs: NOON })
    expect(result.ok).toBe(false)
    expect(result.summary).toBe(`${file}: 3 errors, 1 warning`)
  })

  it('reads the register against the platforms', async () => {
    const platforms = 'facebook: { title: F, domains: [facebook.com] }\n'
    const named = 'platforms: platforms.yaml\nexemptions: exemptions.yaml'
    const good = settingsWith(named, { 'platforms.yaml': platforms, 'exemptions.yaml': ROW })
    expect(await check({ file: good, overrides: [], nowMs: NOON })).toMatchObject({ ok: true })
    const bad = settingsWith(named, { 'exemptions.yaml': ROW.replace('all', '[facebok]') })
    const { problems, summary } = await check({ file: bad, overrides: [], nowMs: NOON })
    expect(problems).toEqual([
      expect.objectContaining({ file: join(folder, 'exemptions.yaml'), line: 2 }),
    ])
    expect(summary).toBe(`${bad}: 1 error`)
  })

  it('warns of rows that are over, by the clock it is given', async () => {
    const file = settingsWith('exemptions: exemptions.yaml', { 'exemptions.yaml': ROW })
    const later = await check({ file, overrides: [], nowMs: Date.parse('2027-06-01T12:00:00Z') })
    expect(later.ok).toBe(true)
    expect(later.warnings).toHaveLength(1)
    expect(later.summary).toMatch(/good \(.*\), 1 warning$/)
  })

  it('warns of lines of the users file that do not count', async () => {
    const bo = `bo:$scrypt$ln=15,r=8,p=1$${'A'.repeat(22)}$${'A'.repeat(43)}:`
    const file = settingsWith('identity: { basic: { users: users.txt } }', {
      'users.txt': `${bo}\nanna:password\n`,
    })
    const { ok, warnings } = await check({ file, overrides: [], nowMs: NOON })
    expect(ok).toBe(true)
    expect(warnings).toEqual([
      expect.objectContaining({ file: join(folder, 'users.txt'), line: 2 }),
    ])
    expect(JSON.stringify(warnings)).not.toContain('password:')
  })

  it('does not take a file that names nobody for a users file', async () => {
    const file = settingsWith('identity: { basic: { users: users.txt } }', {
      'users.txt': '# nobody\nanna:password\n',
    })
    const { ok, problems } = await check({ file, overrides: [], nowMs: NOON })
    expect(ok).toBe(false)
    expect(problems).toEqual([
      expect.objectContaining({ file: join(folder, 'users.txt'), line: 2 }),
    ])
  })
})

describe('check, of lists', () => {
  const settings = (list: string) =>
    settingsWith('categories: { porn: { action: block, lists: porn.txt } }', { 'porn.txt': list })
  const checked = (list: string) => {
    const state = `state=${join(folder, 'state')}`
    return check({ file: settings(list), overrides: [state], nowMs: NOON })
  }

  it('tells one that a start would refuse, with its line and why', async () => {
    const { ok, problems, summary } = await checked('# porn\na b c\nd e f\n')
    expect([ok, summary]).toEqual([false, expect.stringMatching(/: 1 error$/)])
    const what = expect.stringContaining('more than one word on the line')
    expect(problems).toEqual([
      expect.objectContaining({ file: join(folder, 'porn.txt'), line: 2, what }),
    ])
    expect(await checked('<!doctype html><html>')).toMatchObject({
      problems: [{ what: 'a web page, not a list' }],
    })
  })

  it('finds nothing in one that is good', async () => {
    expect(await checked('site.test\n')).toMatchObject({ ok: true, problems: [] })
  })
})

describe('./sluss check', () => {
  /** What the command prints and its exit code. */
  async function run(...words: string[]): Promise<{ out: string; code: unknown }> {
    const program = new Command()
      .option('--config <file>')
      .option('--state <dir>')
      .option('--set <text>', '', (text: string, all: string[] = []) => [...all, text])
      .option('--json')
    register(program)
    let out = ''
    const write = vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
      out += text
      return true
    })
    try {
      await program.parseAsync(['check', ...words], { from: 'user' })
    } finally {
      write.mockRestore()
    }
    return { out, code: process.exitCode }
  }

  it('prints one line and ends with 0 where all is good', async () => {
    const { out, code } = await run('--config', SHIPPED)
    expect(out.trimEnd().split('\n')).toHaveLength(1)
    expect(code).toBe(0)
  })

  it('prints each problem, each warning, the summary, and ends with 2', async () => {
    const file = settingsWith('threads: 0\ncategories: { porn: { action: block } }')
    const { out, code } = await run(
      '--config',
      file,
      '--set',
      'quota.grace=x',
      '--set',
      'day.starts=1',
    )
    expect(out.trimEnd().split('\n')).toEqual([
      expect.stringMatching(/^--set quota\.grace=x: quota\.grace: "x" — expected a duration/),
      expect.stringMatching(/^--set day\.starts=1: day\.starts: 1 — expected a time of day/),
      `${file}:3: threads: 0 — expected a whole number from 1 to 64`,
      expect.stringMatching(/^warning: .*sluss\.yaml:4: categories\.porn — it has no lists/),
      `${file}: 3 errors, 1 warning`,
    ])
    expect(code).toBe(2)
  })

  it('takes a folder of state whatever it is called', async () => {
    expect((await run('--config', SHIPPED, '--state', join(folder, 'a: [b] #c'))).code).toBe(0)
  })

  it('--json gives one value with all of it', async () => {
    const { out, code } = await run('--config', settingsWith('threads: 0'), '--json')
    expect(JSON.parse(out)).toEqual({
      ok: false,
      problems: [expect.objectContaining({ line: 3, key: 'threads', value: '0' })],
      warnings: [],
      summary: expect.stringMatching(/: 1 error$/),
    })
    expect(code).toBe(2)
  })
})

describe('node src/cli/docs.ts', () => {
  it('--check says nothing where nothing is stale', () => {
    const script = join(HOME, 'src/cli/docs.ts')
    expect(execFileSync(process.execPath, [script, '--check'], { encoding: 'utf8' })).toBe('')
  })
})
