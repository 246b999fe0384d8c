/**
 * Owns: that the history tells every change, in order, and survives what crashes do to files.
 * Never: writes outside a folder of its own.
 */
import {
  appendFileSync,
  chmodSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { rowsAfter } from '../../src/settings/register-changes.ts'
import {
  type HistoryEntry,
  historyFileIn,
  ownerOf,
  parseHistory,
  readHistory,
  recordAndMake,
  recordHistory,
} from '../../src/settings/register-history.ts'
import type { RegisterFields } from '../../src/settings/register-row.ts'
import { sha256Of } from '../../src/settings/replace-file.ts'

const row = (changes: Partial<RegisterFields> = {}): RegisterFields => ({
  user: 'anna',
  platforms: ['facebook'],
  purpose: 'Sidan',
  department: 'KLK',
  decidedBy: 'Chefen',
  dnr: 'KS 2026/1',
  from: '2026-01-01',
  until: '2026-12-31',
  ...changes,
})

/** `+anna` added, `-anna` removed, `anna` changed. */
const sketch = (changes: HistoryEntry['changes']) =>
  changes.map(({ kind, before, after }) => {
    const mark = { added: '+', removed: '-', changed: '' }[kind]
    return `${mark}${(after ?? before)?.user}`
  })

describe('recordHistory', () => {
  let folder = ''
  let file = ''
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'sluss-history-'))
    file = historyFileIn(join(folder, 'var'))
  })
  afterEach(() => rmSync(folder, { recursive: true, force: true }))

  const record = (sha256: string, rows: RegisterFields[], who = 'root') =>
    recordHistory({
      file,
      sha256,
      rows,
      who,
      how: 'editor',
      nowMs: Date.parse('2026-06-15T12:00:00Z'),
    })
  const history = () => {
    const read = readHistory(file)
    return read.ok ? read.history : { entries: [], notes: [read.fault.what] }
  }

  const rowsNow = () => rowsAfter(history().entries.flatMap(({ changes }) => changes))

  it('starts with the whole register, for the eyes of its owner alone', async () => {
    expect(history()).toEqual({ entries: [], notes: [] })
    const recorded = await record('s1', [row(), row({ user: 'bo' })])
    expect(recorded).toEqual({
      ok: true,
      entry: {
        time: '2026-06-15T12:00:00.000Z',
        who: 'root',
        how: 'editor',
        sha256: 's1',
        changes: [
          { kind: 'added', before: null, after: row() },
          { kind: 'added', before: null, after: row({ user: 'bo' }) },
        ],
      },
    })
    expect(statSync(file).mode & 0o777).toBe(0o600)
    expect(statSync(join(folder, 'var')).mode & 0o777).toBe(0o700)
    expect(history().entries).toEqual([recorded.ok && recorded.entry])
  })

  it('enters each version once, and only what changed', async () => {
    await record('s1', [row()])
    expect(await record('s1', [row()])).toEqual({ ok: true, entry: null })
    await record('s2', [row({ until: '2026-06-14' }), row({ user: 'bo' })])
    // Only a comment changed.
    await record('s3', [row({ until: '2026-06-14' }), row({ user: 'bo' })])
    // And back again.
    await record('s1', [row()])
    expect(history().entries.map(({ sha256, changes }) => [sha256, sketch(changes)])).toEqual([
      ['s1', ['+anna']],
      ['s2', ['anna', '+bo']],
      ['s3', []],
      ['s1', ['anna', '-bo']],
    ])
  })

  it('keeps the fields of a row, and not its place in the file', async () => {
    await record('s1', [{ ...row(), row: 1, line: 3 } as RegisterFields])
    expect(rowsNow()).toEqual([row()])
    expect(readFileSync(file, 'utf8')).not.toContain('"line"')
    // The same row on another line: nothing that counts has changed.
    await record('s2', [{ ...row(), row: 2, line: 12 } as RegisterFields])
    expect(history().entries[1]?.changes).toEqual([])
  })

  it('never changes what it has written', async () => {
    await record('s1', [row()])
    const first = readFileSync(file, 'utf8')
    await record('s2', [])
    expect(readFileSync(file, 'utf8').startsWith(first)).toBe(true)
  })

  it('goes on after a line that a crash cut short, and says so', async () => {
    await record('s1', [row()])
    await record('s2', [row(), row({ user: 'bo' })])
    const text = readFileSync(file, 'utf8')
    writeFileSync(file, text.slice(0, -40))
    expect(history()).toMatchObject({
      entries: [{ sha256: 's1' }],
      notes: [expect.stringMatching(/^line 2 of the history was cut short/)],
    })
    await record('s2', [row(), row({ user: 'bo' })])
    const { entries, notes } = history()
    expect(entries.map(({ sha256, changes }) => [sha256, sketch(changes)])).toEqual([
      ['s1', ['+anna']],
      ['s2', ['+bo']],
    ])
    expect(notes).toEqual([expect.stringMatching(/^line 2 of the history cannot be read/)])
  })

  it('reads a last line that lacks only its end', async () => {
    await record('s1', [row()])
    writeFileSync(file, readFileSync(file, 'utf8').trimEnd())
    await record('s2', [])
    expect(history()).toMatchObject({ entries: [{ sha256: 's1' }, { sha256: 's2' }], notes: [] })
  })

  it('notes lines that are no entries', () => {
    const { entries, notes } = parseHistory('{}\nnull\n{"time":"x"}\n[]\n')
    expect([entries, notes.length]).toEqual([[], 4])
  })

  it('says what keeps it from being written or read', async () => {
    writeFileSync(join(folder, 'var'), '')
    const recorded = await record('s1', [row()])
    expect(recorded).toMatchObject({ ok: false, fault: { what: expect.stringContaining(folder) } })
    const read = readHistory(folder)
    expect(read).toMatchObject({ ok: false, fault: { what: expect.stringContaining(folder) } })
  })

  it('loses nothing where many write at once', async () => {
    const users = Array.from({ length: 12 }, (_, i) => `u${i}`)
    await Promise.all(users.map((user) => record(user, [row({ user })])))
    const { entries } = history()
    expect(entries.map(({ sha256 }) => sha256).toSorted()).toEqual(users.toSorted())
    expect(rowsNow()).toEqual([row({ user: entries[entries.length - 1]!.sha256 })])
  })

  it('leaves a version that is already another alone', async () => {
    const registerFile = join(folder, 'exemptions.yaml')
    writeFileSync(registerFile, 'new')
    const record = (sha256: string) =>
      recordHistory({ file, registerFile, sha256, rows: [], who: 'x', how: 'editor', nowMs: 0 })
    expect(await record(sha256Of('old'))).toEqual({ ok: true, entry: null })
    expect(history().entries).toEqual([])
    expect(await record(sha256Of('new'))).toMatchObject({ ok: true, entry: { how: 'editor' } })
  })

  it('enters a change before it is made, and takes it back where it cannot be', async () => {
    const before = { sha256: 's1', rows: [row()], who: 'root', how: 'editor' } as const
    const after = { sha256: 's2', rows: [], who: 'registrar', how: 'command' } as const
    const seen: unknown[] = []
    const fault = { what: 'the disk is full', hint: '' }
    const made = await recordAndMake({
      ...{ file, nowMs: 0, before, after },
      make: () => {
        seen.push(...history().entries.map(({ sha256 }) => sha256))
        return fault
      },
    })
    expect([made, seen]).toEqual([fault, ['s1', 's2']])
    expect(history().entries.map(({ who, changes }) => [who, sketch(changes)])).toEqual([
      ['root', ['+anna']],
      ['registrar', ['-anna']],
      ['registrar', ['+anna']],
    ])
    expect(await recordAndMake({ file, nowMs: 0, before, after, make: () => null })).toBeNull()
    expect(history().entries.map(({ sha256 }) => sha256)).toEqual(['s1', 's2', 's1', 's2'])
  })

  it('does not stop at rights that are wider than ours', async () => {
    await record('s1', [row()])
    chmodSync(file, 0o640)
    appendFileSync(file, '')
    await record('s2', [])
    expect(statSync(file).mode & 0o777).toBe(0o640)
  })
})

describe('ownerOf', () => {
  it('knows the owner by name, or by number where the system does not', () => {
    const folder = mkdtempSync(join(tmpdir(), 'sluss-owner-'))
    const file = join(folder, 'x')
    writeFileSync(file, '')
    expect(ownerOf(file)).toBe(userInfo().username)
    expect(ownerOf(file, join(folder, 'none'))).toBe(`uid ${userInfo().uid}`)
    rmSync(folder, { recursive: true })
    expect(ownerOf(file)).toBe('unknown')
  })
})
