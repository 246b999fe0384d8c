/**
 * Owns: that a file is replaced whole or not at all, and that nothing anyone else wrote is lost.
 * Never: writes outside a folder of its own.
 */
import {
  chmodSync,
  chownSync,
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { LOCK_STALE_MS, withLock } from '../../src/settings/file-lock.ts'
import { replaceFile, sha256Of } from '../../src/settings/replace-file.ts'

let folder = ''
let file = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sluss-replace-'))
  file = join(folder, 'exemptions.yaml')
  writeFileSync(file, 'old\n')
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const change = (text: string) => () => ({ text, value: 'done' })
const text = () => readFileSync(file, 'utf8')
const isRoot = process.getuid?.() === 0

describe('replaceFile', () => {
  it('shows the old text, writes the new one, and leaves nothing else behind', async () => {
    const seen: unknown[] = []
    const replaced = await replaceFile({
      file,
      change: (before) => {
        seen.push(Buffer.from(before!.bytes).toString(), before!.sha256)
        return { text: 'new\n', value: 'done' }
      },
    })
    expect(replaced).toEqual({ ok: true, value: 'done' })
    expect(seen).toEqual(['old\n', sha256Of('old\n')])
    expect(text()).toBe('new\n')
    expect(readdirSync(folder)).toEqual(['exemptions.yaml'])
  })

  it('makes a file that is not there, with the mode asked for', async () => {
    const made = join(folder, 'users.txt')
    const permit = () => ({ mode: 0o600, owner: null })
    expect(await replaceFile({ file: made, permit, change: change('new\n') })).toMatchObject({
      ok: true,
    })
    expect(statSync(made).mode & 0o777).toBe(0o600)
  })

  it('keeps the mode', async () => {
    chmodSync(file, 0o640)
    await replaceFile({ file, change: change('new\n') })
    expect(statSync(file).mode & 0o777).toBe(0o640)
  })

  it.skipIf(!isRoot)('keeps the owner', async () => {
    chownSync(file, 12_345, 23_456)
    await replaceFile({ file, change: change('new\n') })
    expect([statSync(file).uid, statSync(file).gid]).toEqual([12_345, 23_456])
  })

  it('follows a link and leaves it a link', async () => {
    const link = join(folder, 'link.yaml')
    symlinkSync('exemptions.yaml', link)
    await replaceFile({ file: link, change: change('new\n') })
    expect(lstatSync(link).isSymbolicLink()).toBe(true)
    expect(text()).toBe('new\n')
  })

  it('does nothing where the change is refused', async () => {
    const { ino } = statSync(file)
    const replaced = await replaceFile({ file, change: () => ({ refused: 'no' }) })
    expect(replaced).toEqual({ ok: true, value: 'no' })
    expect([text(), statSync(file).ino]).toEqual(['old\n', ino])
  })

  it.each([
    ['while the new text was made', 'change'],
    ['while it was being committed', 'commit'],
  ])('never overwrites what someone saved %s', async (_name, when) => {
    const replaced = await replaceFile({
      file,
      change: () => {
        if (when === 'change') writeFileSync(file, 'theirs\n')
        return { text: 'ours\n', value: 'done' }
      },
      commit: async (rename) => {
        expect(when).toBe('commit')
        writeFileSync(file, 'theirs\n')
        return rename()
      },
    })
    expect(replaced).toMatchObject({
      ok: false,
      fault: { what: expect.stringContaining('changed by someone else') },
    })
    expect(text()).toBe('theirs\n')
    expect(readdirSync(folder)).toEqual(['exemptions.yaml'])
  })

  it('stops where the commit does', async () => {
    const fault = { what: 'no history', hint: '' }
    const commit = async () => fault
    expect(await replaceFile({ file, change: change('new\n'), commit })).toEqual({
      ok: false,
      fault,
    })
    expect([text(), readdirSync(folder)]).toEqual(['old\n', ['exemptions.yaml']])
  })

  it('is done one at a time', async () => {
    const letters = [...'abcdefghij']
    const add = (letter: string) =>
      replaceFile({
        file,
        change: (before) => ({ text: `${Buffer.from(before!.bytes)}${letter}`, value: letter }),
      })
    await Promise.all(letters.map(add))
    expect([...text().slice('old\n'.length)].toSorted()).toEqual(letters)
  })

  it('says what keeps it from being written', async () => {
    const lost = join(folder, 'none', 'exemptions.yaml')
    expect(await replaceFile({ file: lost, change: change('') })).toMatchObject({
      ok: false,
      fault: { what: expect.stringContaining('is missing') },
    })
    expect(await replaceFile({ file: folder, change: change('') })).toMatchObject({
      ok: false,
      fault: { what: expect.stringContaining('is a folder') },
    })
  })

  it('lets a bug be seen', async () => {
    const broken = () => {
      throw new TypeError('a bug')
    }
    await expect(replaceFile({ file, change: broken })).rejects.toThrow('a bug')
    expect(readdirSync(folder)).toEqual(['exemptions.yaml'])
  })
})

describe('withLock', () => {
  it('gives up where another holds on, and says what to do', async () => {
    const lock = join(folder, '.lock')
    writeFileSync(lock, '')
    const taken = await withLock(lock, () => 'ours', { waitMs: 0 })
    expect(taken).toMatchObject({
      ok: false,
      fault: { what: 'another change of it is under way', hint: expect.stringContaining(lock) },
    })
    expect(readdirSync(folder)).toContain('.lock')
  })

  it('takes over what a crash left behind', async () => {
    const lock = join(folder, '.lock')
    writeFileSync(lock, '')
    const left = (Date.now() - LOCK_STALE_MS - 1_000) / 1_000
    utimesSync(lock, left, left)
    expect(await withLock(lock, () => 'ours')).toEqual({ ok: true, value: 'ours' })
    expect(readdirSync(folder)).toEqual(['exemptions.yaml'])
  })

  it('lets go when the change throws', async () => {
    const lock = join(folder, '.lock')
    const broken = () => Promise.reject(new TypeError('a bug'))
    await expect(withLock(lock, broken)).rejects.toThrow('a bug')
    expect(readdirSync(folder)).toEqual(['exemptions.yaml'])
  })
})
