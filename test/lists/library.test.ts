/** The folder of fetched lists: what is in it, whoever wrote it, and who may change it. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, describe, expect, test } from 'vitest'
import { Library, type ListVersion, NO_ATTEMPTS } from '../../src/lists/library.ts'
import { readAttempts, readCurrent, readPending } from '../../src/lists/library-json.ts'
import type { RemoteList } from '../../src/lists/remote.ts'
import { takeUpdateLock } from '../../src/lists/update-lock.ts'

const root = mkdtempSync(join(tmpdir(), 'sluss-library-'))
afterAll(() => rmSync(root, { recursive: true }))

let count = 0
function newLibrary() {
  const folder = join(root, `${count++}`, 'lists', 'sources')
  return { folder, library: new Library(folder) }
}

const TEXT = 'example.com\n'
const version = (digit: string): ListVersion => ({
  how: 'fetched',
  sha256: digit.repeat(64),
  bytes: TEXT.length,
  url: 'https://lists.test/porn',
  file: null,
  etag: '"1"',
  lastModified: null,
  fetchedMs: 1_000,
})
const current = (digit: string) => ({
  ...version(digit),
  ...{ checkedMs: 2_000, entries: 1, caught: ['1177.se'], accepted: null },
})
const pending = (digit: string) => ({
  ...version(digit),
  verdict: 'refused' as const,
  refusals: [{ code: 'fall' as const, what: 'it falls', hint: 'Look.' }],
})
const remote: RemoteList = {
  ...{ name: 'porn', url: 'https://lists.test/porn', checksum: null, sha256: null },
  ...{ everyMs: 1, target: { kind: 'category', bit: 0 }, format: 'hosts', member: 'adult' },
  ...{ rejectedShareMax: 0.1, licence: 'CC0', fallShare: 0.3, growthShare: 1 },
}

function keep(library: Library, digit: string): void {
  const part = library.newPart('porn')
  writeFileSync(part, TEXT, { mode: 0o600 })
  library.keep('porn', part, version(digit))
}

describe('what is written', () => {
  test('is read again, and is nobody else’s to read', () => {
    const { folder, library } = newLibrary()
    expect(library.read('porn')).toEqual({
      ...{ current: null, pending: null, attempts: null, problems: [] },
    })
    keep(library, 'a')
    keep(library, 'b')
    const accepted = { by: 'anna', atMs: 5, refusals: ['canary' as const] }
    library.writeCurrent('porn', { ...current('a'), accepted })
    library.writePending('porn', pending('b'))
    library.writeAttempts('porn', { ...NO_ATTEMPTS, lastAttemptMs: 7, failures: 2 })
    expect(library.read('porn')).toEqual({
      current: { ...current('a'), accepted },
      pending: pending('b'),
      attempts: { ...NO_ATTEMPTS, lastAttemptMs: 7, failures: 2 },
      problems: [],
    })
    const modeOf = (path: string) => (statSync(path).mode & 0o777).toString(8)
    const files = readdirSync(join(folder, 'porn'))
    expect(files.length).toBe(5)
    for (const file of files) expect(modeOf(join(folder, 'porn', file))).toBe('600')
    expect([modeOf(folder), modeOf(join(folder, 'porn'))]).toEqual(['700', '700'])
    library.writePending('porn', null)
    expect(library.read('porn').pending).toBeNull()
  })

  test.skipIf(process.getuid?.() !== 0)('what root makes belongs to the owner of the state', () => {
    const { folder, library } = newLibrary()
    const state = join(folder, '..', '..')
    mkdirSync(state, { recursive: true })
    chownSync(state, 12_345, 12_346)
    const lock = library.lock(0)
    keep(library, 'a')
    library.writeCurrent('porn', current('a'))
    if ('release' in lock) lock.release()
    const made = readdirSync(state, { recursive: true, encoding: 'utf8' })
    expect(made).toEqual(expect.arrayContaining(['lists', 'lists/sources/porn/current.json']))
    expect(made.length).toBe(6)
    for (const path of made) {
      const { uid, gid } = statSync(join(state, path))
      expect({ path, uid, gid }).toEqual({ path, uid: 12_345, gid: 12_346 })
    }
  })

  test('old versions go, those that are named stay, and so do other files', () => {
    const { folder, library } = newLibrary()
    for (const digit of 'abc') keep(library, digit)
    library.writeCurrent('porn', current('b'))
    writeFileSync(library.newPart('porn'), 'interrupted')
    writeFileSync(join(folder, 'porn', 'note.txt'), 'by a person')
    library.sweep('porn', [version('b'), version('c')])
    expect(readdirSync(join(folder, 'porn')).sort()).toEqual(
      [`${'b'.repeat(64)}.list`, `${'c'.repeat(64)}.list`, 'current.json', 'note.txt'].sort(),
    )
  })

  test('a name that leads out of the folder is no name', () => {
    const { library } = newLibrary()
    for (const name of ['..', '.', '', 'a/b', '/etc', 'A']) {
      expect(() => library.folderOf(name)).toThrow('no name of a fetched list')
    }
  })
})

describe('sources', () => {
  test('of a list: its version in force, with where it is from', () => {
    const { folder, library } = newLibrary()
    keep(library, 'a')
    library.writeCurrent('porn', current('a'))
    expect(library.sourcesOf([remote])).toEqual({
      sources: [
        {
          name: 'porn',
          target: remote.target,
          file: join(folder, 'porn', `${'a'.repeat(64)}.list`),
          entries: null,
          format: 'hosts',
          member: 'adult',
          rejectedShareMax: 0.1,
          provenance: { source: remote.url, fetchedMs: 1_000, licence: 'CC0' },
        },
      ],
      unfetched: [],
      problems: [],
    })
    const imported = { ...version('b'), how: 'imported' as const, url: null, file: '/mnt/usb/porn' }
    const { sources } = library.sourcesOf([remote], new Map([['porn', imported]]))
    expect(sources[0]).toMatchObject({
      file: join(folder, 'porn', `${'b'.repeat(64)}.list`),
      provenance: { source: '/mnt/usb/porn' },
    })
  })

  test('a list that never came is not the same as one that was lost', () => {
    const { folder, library } = newLibrary()
    expect(library.sourcesOf([remote])).toEqual({ sources: [], unfetched: ['porn'], problems: [] })
    mkdirSync(join(folder, 'porn'), { recursive: true })
    writeFileSync(join(folder, 'porn', 'current.json'), '{}')
    expect(library.sourcesOf([remote])).toMatchObject({
      ...{ sources: [], unfetched: [] },
      problems: [{ list: 'porn', what: expect.stringContaining('current.json is broken') }],
    })
  })
})

describe('what is broken', () => {
  const broken = (name: string, hurt: (folder: string) => void, what: string) =>
    test(name, () => {
      const { folder, library } = newLibrary()
      keep(library, 'a')
      library.writeCurrent('porn', current('a'))
      hurt(join(folder, 'porn'))
      const { current: read, problems } = library.read('porn')
      expect(read).toBeNull()
      expect(problems).toEqual([
        {
          list: 'porn',
          file: expect.stringContaining(folder),
          what: expect.stringContaining(what),
          hint: expect.stringMatching(/\.$/),
        },
      ])
    })
  const list = `${'a'.repeat(64)}.list`
  const write = (text: string) => (folder: string) =>
    writeFileSync(join(folder, 'current.json'), text)
  broken('cut', write('{ "how": "fet'), 'current.json is broken')
  broken('empty', write(''), 'current.json is broken')
  broken('of somebody else', write('{ "name": "app" }'), 'current.json is broken')
  const traversal = JSON.stringify({ ...current('a'), sha256: '../../../../etc/passwd' })
  broken('leading out of the folder', write(traversal), 'current.json is broken')
  broken('a list that is gone', (folder) => rmSync(join(folder, list)), 'is missing')
  broken('a list that is cut', (folder) => truncateSync(join(folder, list), 3), 'has 3 bytes, not')
  broken(
    'a folder in its place',
    (folder) => {
      rmSync(join(folder, 'current.json'))
      mkdirSync(join(folder, 'current.json'))
    },
    'it is a folder',
  )

  test('nothing that stands in a file is an exception, and what passes is whole', () => {
    const readers = [readCurrent, readPending, readAttempts]
    const whole = [current('a'), pending('b'), { ...NO_ATTEMPTS, lastAttemptMs: 1 }]
    fc.assert(
      fc.property(fc.json(), fc.nat(2), (text, i) => {
        expect(readers[i]!(text)).toBeNull()
      }),
    )
    for (const [i, value] of whole.entries()) {
      expect(readers[i]!(JSON.stringify(value))).toEqual(value)
      for (const key of Object.keys(value)) {
        const without = Object.fromEntries(Object.entries(value).filter(([name]) => name !== key))
        expect(readers[i]!(JSON.stringify(without))).toBeNull()
        expect(readers[i]!(JSON.stringify({ ...value, [key]: { x: 1 } }))).toBeNull()
      }
    }
  })
})

describe('the lock', () => {
  test('is held once, and then free again', () => {
    const { library } = newLibrary()
    for (let round = 0; round < 3; round++) {
      const lock = library.lock(1_000 + round)
      if (!('release' in lock)) throw new Error('it is free')
      expect(library.lock(5_000)).toMatchObject({ pid: process.pid, sinceMs: 1_000 + round })
      lock.release()
    }
  })

  test('leaves one file, and no more with time', () => {
    const { folder, library } = newLibrary()
    for (let round = 0; round < 4; round++) {
      const lock = library.lock(0)
      if ('release' in lock) lock.release()
    }
    expect(readdirSync(folder)).toEqual(['free.4'])
  })

  test('of a process that is no more is taken over; of one that lives it is not', async () => {
    const { folder, library } = newLibrary()
    mkdirSync(folder, { recursive: true })
    const script = `
      import { Library } from ${JSON.stringify(join(import.meta.dirname, '../../src/lists/library.ts'))}
      new Library(${JSON.stringify(folder)}).lock(7)
      console.log('held')
      setInterval(() => {}, 1000)`
    const child = spawn(process.execPath, ['--input-type=module-typescript', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    await once(child.stdout, 'data')
    expect(library.lock(1)).toMatchObject({ pid: child.pid, sinceMs: 7 })
    child.kill('SIGKILL')
    await once(child, 'exit')
    expect(library.lock(2)).toHaveProperty('release')
    expect(existsSync(join(folder, 'lock.1'))).toBe(false)
  })

  test('another process of the same id is another', () => {
    const { folder, library } = newLibrary()
    mkdirSync(folder, { recursive: true })
    const before = { pid: process.pid, started: 'another boot 1', sinceMs: 1 }
    writeFileSync(join(folder, 'lock.41'), JSON.stringify(before))
    expect(library.lock(2)).toHaveProperty('release')
    expect(JSON.parse(readFileSync(join(folder, 'lock.42'), 'utf8')).sinceMs).toBe(2)
  })

  test('others who go on while we look have it', () => {
    const { folder, library } = newLibrary()
    mkdirSync(folder, { recursive: true })
    const at = (name: string) => join(folder, name)
    writeFileSync(at('lock.1'), JSON.stringify({ pid: 0, started: '', sinceMs: 0 }))
    let overtaken = false
    // We have read lock.1 of somebody dead, and are about to make lock.2; that is long past.
    const held = takeUpdateLock(folder, 0, () => {
      if (overtaken) return
      overtaken = true
      rmSync(at('lock.1'))
      writeFileSync(at('free.2'), '')
      const other = library.lock(9)
      expect(other).toHaveProperty('release')
      rmSync(at('free.2'), { force: true })
    })
    expect(held).toMatchObject({ pid: process.pid, sinceMs: 9 })
    expect(readdirSync(folder)).toEqual(['lock.3'])
  })
})
