/** What changes a stamp, and what does not. */
import {
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeEach, expect, test } from 'vitest'
import { stampOf } from '../../src/lists/stamp.ts'

const root = mkdtempSync(join(tmpdir(), 'sluss-stamp-'))
afterAll(() => rmSync(root, { recursive: true }))

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(root, 'list-'))
  mkdirSync(join(folder, 'adult'))
  writeFileSync(join(folder, 'adult', 'domains'), 'a.example\n')
  writeFileSync(join(folder, 'adult', 'usage'), 'black\n')
  writeFileSync(join(folder, 'hosts.txt'), 'b.example\n')
})

const check = (name: string, path: string, change: () => void, changes = true) =>
  test(name, () => {
    const before = stampOf(join(folder, path))
    expect(stampOf(join(folder, path))).toBe(before)
    change()
    const after = stampOf(join(folder, path))
    if (changes) expect(after).not.toBe(before)
    else expect(after).toBe(before)
  })

const write = (...path: string[]) => writeFileSync(join(folder, ...path), 'other.example\n')

check('a file that is written', 'hosts.txt', () => write('hosts.txt'))
check('a file that takes its place', 'hosts.txt', () => {
  write('new')
  renameSync(join(folder, 'new'), join(folder, 'hosts.txt'))
})
check('a file that goes', 'hosts.txt', () => unlinkSync(join(folder, 'hosts.txt')))
check('a file that comes', 'none.txt', () => write('none.txt'))
check('a folder whose list is written', '', () => write('adult', 'domains'))
check('a folder whose list gets another file', '', () => write('adult', 'urls'))
check('a folder whose list goes', '', () => unlinkSync(join(folder, 'adult', 'domains')))
check('a folder whose file is written', '', () => write('hosts.txt'))
check('a folder that gets another list', '', () => {
  mkdirSync(join(folder, 'games'))
  write('games', 'domains')
})
check('a folder in which something else is written', '', () => write('adult', 'usage'), false)
check(
  'a link in a folder that leads nowhere',
  '',
  () => symlinkSync('none', join(folder, 'x')),
  false,
)
