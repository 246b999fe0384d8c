/**
 * Owns: adding and ending rows in a real file: what is refused, what is kept, what the history says.
 * Never: writes outside a folder of its own.
 */
import {
  copyFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { formatProblem } from '../../src/settings/problems.ts'
import { addRow, type Edited, endRow } from '../../src/settings/register-edit.ts'
import { historyFileIn, readHistory } from '../../src/settings/register-history.ts'
import type { RegisterFields } from '../../src/settings/register-row.ts'
import { sha256Of } from '../../src/settings/replace-file.ts'

const SHIPPED = fileURLToPath(new URL('../../config/exemptions.yaml', import.meta.url))

let folder = ''
let file = ''
let historyFile = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sluss-register-'))
  file = join(folder, 'exemptions.yaml')
  historyFile = historyFileIn(join(folder, 'var'))
  copyFileSync(SHIPPED, file)
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const options = () => ({
  file,
  historyFile,
  platforms: [{ name: 'facebook', bit: 0 }],
  calendar: { timezone: 'Europe/Stockholm', startsMinute: 0 },
  nowMs: Date.parse('2026-06-15T12:00:00Z'),
  who: 'registrar',
})

const FIELDS: RegisterFields = {
  user: 'anna',
  platforms: ['facebook'],
  purpose: 'Sidan',
  department: 'KLK',
  decidedBy: 'Chefen',
  dnr: 'KS 2026/1',
  from: '2026-01-01',
  until: '2026-12-31',
}

const add = (changes: object = {}) => addRow({ ...options(), fields: { ...FIELDS, ...changes } })
const end = (row: number, until: string) => endRow({ ...options(), row, until })
const text = () => readFileSync(file, 'utf8')
const problems = (edited: Edited) => {
  return edited.ok ? [] : edited.problems.map((problem) => formatProblem(problem, folder))
}
const history = () => {
  const read = readHistory(historyFile)
  const entries = read.ok ? read.history.entries : []
  return entries.map(({ who, how, changes }) => {
    return `${who} ${how} ${changes.map(({ kind, after }) => `${kind} ${after?.until}`)}`
  })
}

describe('addRow', () => {
  it('adds a row to the register that ships, and keeps every comment', async () => {
    const shipped = text()
    const edited = await add()
    expect(edited).toMatchObject({
      ok: true,
      before: null,
      row: { ...FIELDS, row: 1 },
      warnings: [],
    })
    expect(edited.ok && edited.sha256).toBe(sha256Of(text()))
    expect(text().startsWith(shipped.replace('[]\n', ''))).toBe(true)
    expect(history()).toEqual([
      `${userInfo().username} editor `,
      'registrar command added 2026-12-31',
    ])
  })

  it('makes a register that is not there', async () => {
    rmSync(file)
    expect(await add()).toMatchObject({ ok: true, row: { row: 1 } })
    expect(text()).toMatch(/^- user: anna\n/)
    expect(history()).toEqual(['registrar command added 2026-12-31'])
  })

  it('writes the names as they are compared', async () => {
    await add({ user: ' ANNA.Å ' })
    expect(text()).toContain('- user: anna.å\n')
  })

  it('warns of its own row only', async () => {
    await add({ dnr: '' })
    const edited = await add({ until: '2026-06-20' })
    expect(edited.ok && edited.warnings.map(({ kind }) => kind)).toEqual([
      'expires-soon',
      'overlap',
    ])
  })

  it('refuses a row with faults, all of them named', async () => {
    const before = text()
    const edited = await add({ user: '', platforms: ['icq'], until: '2025-01-01', foo: 1 })
    expect(problems(edited)).toEqual([
      expect.stringMatching(/^exemptions\.yaml: user: "" — .*1 to 100/),
      expect.stringMatching(/^exemptions\.yaml: platforms\.0: "icq" — .*no such platform/),
      expect.stringMatching(/^exemptions\.yaml: foo — there is no such key/),
      expect.stringMatching(/^exemptions\.yaml: until: "2025-01-01" — expected a day not before/),
    ])
    expect([text(), history()]).toEqual([before, []])
  })

  it('refuses to touch a register that is broken', async () => {
    writeFileSync(file, '- user: anna\n')
    expect(problems(await add())[0]).toMatch(/^exemptions\.yaml:1: row 1: platforms — expected/)
    expect([text(), history()]).toEqual(['- user: anna\n', []])
  })

  it('refuses where the person looked at another version', async () => {
    const seen = sha256Of(text())
    await add()
    const fields = { ...FIELDS, user: 'bo' }
    const edited = await addRow({ ...options(), fields, expectedSha256: seen })
    expect(problems(edited)).toEqual([expect.stringContaining('changed since you looked')])
    const now = sha256Of(text())
    expect(await addRow({ ...options(), fields, expectedSha256: now })).toMatchObject({ ok: true })
  })

  it('changes nothing that it cannot enter in the history', async () => {
    const before = text()
    writeFileSync(join(folder, 'var'), 'not a folder')
    expect(problems(await add())).toEqual([
      expect.stringMatching(/cannot be entered in the history, so it is not made/),
    ])
    expect(text()).toBe(before)
    expect(readdirSync(folder).toSorted()).toEqual(['exemptions.yaml', 'var'])
  })

  it('enters an edit made in an editor as the work of the owner, before its own', async () => {
    await add()
    writeFileSync(file, text().replace(/^ {2}until: .*$/m, '  until: 2026-09-30'))
    await add({ user: 'bo' })
    expect(history().slice(2)).toEqual([
      `${userInfo().username} editor changed 2026-09-30`,
      'registrar command added 2026-12-31',
    ])
  })

  it('loses none of many at once', async () => {
    const users = Array.from({ length: 8 }, (_, i) => `user${i}`)
    const edited = await Promise.all(users.map((user) => add({ user })))
    expect(edited.map(({ ok }) => ok)).toEqual(users.map(() => true))
    expect([...text().matchAll(/^- user: (.*)$/gm)].map(([, name]) => name).toSorted()).toEqual(
      users,
    )
    expect(history()).toHaveLength(9)
  })
})

describe('endRow', () => {
  it('moves the end of one row, and keeps the row', async () => {
    await add()
    await add({ user: 'bo' })
    const before = text()
    const edited = await end(2, '2026-06-14')
    expect(edited).toMatchObject({
      ok: true,
      row: { user: 'bo', until: '2026-06-14' },
      before: { user: 'bo', until: '2026-12-31' },
    })
    expect(text()).toBe(before.replace(/2026-12-31\n$/, '2026-06-14\n'))
    expect(history().at(-1)).toBe('registrar command changed 2026-06-14')
  })

  it.each([
    ['a row that is not there', 2, '2026-06-14', /there is no row 2/],
    ['a day that is not', 1, '2026-06-31', /until: "2026-06-31" — expected a date/],
    ['a day before the first', 1, '2025-12-31', /starts on 2026-01-01; give --date 2026-01-01/],
    ['a day not before the last', 1, '2026-12-31', /ends on 2026-12-31 already/],
    ['a later day', 1, '2027-12-31', /expected an earlier day; .*add a new row/],
  ])('refuses %s', async (_name, row, until, expected) => {
    await add()
    const before = text()
    expect(problems(await end(row, until))).toEqual([expect.stringMatching(expected)])
    expect([text(), history().length]).toEqual([before, 2])
  })
})
