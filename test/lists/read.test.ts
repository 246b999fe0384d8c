/** From files, packings, archives and folders to what a list holds; and what is wrong with each. */
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { constants, gzipSync, zstdCompressSync } from 'node:zlib'
import fc from 'fast-check'
import { type Header, pack } from 'tar-stream'
import { afterAll, describe, expect, test } from 'vitest'
import { MEMBER_PATH_LENGTH_MAX, MEMBERS_MAX } from '../../src/lists/archive.ts'
import { LIST_BYTES_MAX } from '../../src/lists/chunks.ts'
import { JUNK_LINES_FREE } from '../../src/lists/judge.ts'
import type { ParsedLines } from '../../src/lists/lines.ts'
import { readList } from '../../src/lists/read.ts'
import type { Trouble } from '../../src/lists/trouble.ts'
import { type ListSource, plainSource } from '../../src/policy/source.ts'
import { porn } from './images.ts'
import { dumpOf, hostsOf, namesOf } from './list-text.ts'

const folder = mkdtempSync(join(tmpdir(), 'sluss-read-'))
afterAll(() => rmSync(folder, { recursive: true }))
const UT1 = new URL('fixtures/ut1', import.meta.url).pathname

type Settings = Partial<Pick<ListSource, 'format' | 'member' | 'rejectedShareMax'>>

const readPath = (file: string, settings: Settings = {}) =>
  readList(
    { ...plainSource({ name: 'list', target: porn, file, entries: null }), ...settings },
    () => {},
  )

let files = 0
function readBytes(content: string | Uint8Array, settings: Settings = {}) {
  const file = join(folder, `${files++}`)
  writeFileSync(file, content)
  return readPath(file, settings)
}

function good(result: ParsedLines | Trouble): ParsedLines {
  if ('what' in result) throw new Error(JSON.stringify(result))
  return result
}

async function expectTrouble(
  result: Promise<ParsedLines | Trouble>,
  what: string | RegExp,
  hint: string | RegExp = '',
): Promise<void> {
  const trouble = await result
  if (!('what' in trouble)) throw new Error(`${trouble.nameLines.length} names were read`)
  expect(trouble.what).toMatch(what)
  expect(trouble.hint).toMatch(hint)
}

type Member = readonly [path: string, content: string | Uint8Array | Partial<Header>]

async function tarOf(...members: Member[]): Promise<Buffer> {
  const archive = pack()
  for (const [name, content] of members) {
    if (typeof content === 'string') archive.entry({ name }, content)
    else if (content instanceof Uint8Array) archive.entry({ name }, Buffer.from(content))
    else archive.entry({ name, ...content })
  }
  archive.finalize()
  const chunks: Buffer[] = []
  for await (const chunk of archive) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

const TEXT = '# a list\nexample.com\n*.example.org\n192.0.2.0/24\n'
const many = Array.from({ length: 60_000 }, (_, i) => `name-number-${(i * 7_919) % 60_013}.example`)
const MANY = many.join('\r\n')

describe('packed or not, a list is the same list', () => {
  const contentOf = ({ sha256, ...parsed }: ParsedLines) => ({
    ...parsed,
    nameLines: [...parsed.nameLines],
  })
  const check = (name: string, pack: (text: string) => Buffer) =>
    test(name, async () => {
      for (const text of [TEXT, MANY, '']) {
        const packed = pack(text)
        const parsed = good(await readBytes(packed))
        expect(contentOf(parsed)).toEqual(contentOf(good(await readBytes(text))))
        expect(parsed.sha256).toBe(createHash('sha256').update(packed).digest('hex'))
        expect(parsed.bytes).toBe(text.length)
      }
    })
  const half = (text: string) => [text.slice(0, text.length / 2), text.slice(text.length / 2)]
  check('gzip', (text) => gzipSync(text))
  check('gzip in two members', (text) => Buffer.concat(half(text).map((part) => gzipSync(part))))
  check('gzip with zeros behind', (text) => Buffer.concat([gzipSync(text), Buffer.alloc(512)]))
  check('zstd', (text) => zstdCompressSync(text))
  check('zstd with a checksum', (text) =>
    zstdCompressSync(text, { params: { [constants.ZSTD_c_checksumFlag]: 1 } }),
  )
  check('zstd in two frames', (text) =>
    Buffer.concat(half(text).map((part) => zstdCompressSync(part))),
  )
  check('zstd with a frame to skip', (text) =>
    Buffer.concat([Buffer.from('542a4d1803000000616263', 'hex'), zstdCompressSync(text)]),
  )

  test('a text of any lines', async () => {
    const line = fc.oneof(fc.domain(), fc.string({ maxLength: 20 }))
    await fc.assert(
      fc.asyncProperty(fc.array(line), async (lines) => {
        const text = ['a.example', ...lines, 'b.example'].join('\n')
        const plain = await readBytes(text, { rejectedShareMax: 1 })
        for (const packed of [gzipSync(text), zstdCompressSync(text)]) {
          const result = await readBytes(packed, { rejectedShareMax: 1 })
          if ('what' in plain) expect(result).toEqual(plain)
          else expect(contentOf(good(result))).toEqual(contentOf(plain))
        }
      }),
      { numRuns: 50 },
    )
  })

  test('what the system packs', async () => {
    const file = join(folder, 'by-system')
    writeFileSync(file, TEXT)
    const packed = execFileSync('gzip', ['-9', '-c', file])
    expect(hostsOf(good(await readBytes(packed)))).toEqual(['example.com', 'example.org'])
    const archive = execFileSync('tar', ['-cz', '-C', join(UT1, '..'), 'ut1'])
    expect(hostsOf(good(await readBytes(archive)))).toContain('last.example')
  })
})

describe('text', () => {
  test('a byte order mark, and lines that end in CRLF', async () => {
    const parsed = good(await readBytes('\ufeffa.example\r\nb.example\r\n'))
    expect(hostsOf(parsed)).toEqual(['a.example', 'b.example'])
  })
  test('lines that end in a carriage return alone keep their numbers', async () => {
    const parsed = good(await readBytes('# x\ra.example\r\rb.example'))
    expect(namesOf(parsed)).toEqual([
      { line: 2, host: 'a.example' },
      { line: 4, host: 'b.example' },
    ])
  })
  test('a line added by another editor makes no one line of the others', async () => {
    const parsed = good(
      await readBytes('a.example\nb.example\rc.example\r\nd.example\r\r\ne.example'),
    )
    expect(namesOf(parsed).map(({ line, host }) => `${line} ${host}`)).toEqual(
      ['a', 'b', 'c', 'd', 'e'].map((name, i) => `${i + 1} ${name}.example`),
    )
  })
  test('a line end that is divided between two pieces is one', async () => {
    // A piece has 256 KiB.
    for (let before = 262_130; before < 262_145; before++) {
      const comment = `#${'x'.repeat(before - 1)}`
      for (const end of ['\r\n', '\r', '\r\r\n', '\n']) {
        const parsed = good(await readBytes(`${comment}${end}a.example`))
        expect(namesOf(parsed)).toEqual([{ line: 2, host: 'a.example' }])
      }
    }
  })
  test('a line longer than is read at a time is one rejected line', async () => {
    const parsed = good(await readBytes(`${'x'.repeat(3_000_000)}\nexample.com`))
    expect(namesOf(parsed)).toEqual([{ line: 2, host: 'example.com' }])
    expect(parsed).toMatchObject({ bytes: 3_000_012, rejected: [{ reason: 'line-too-long' }] })
  })
  test('a named format is taken at its word', async () => {
    const parsed = good(await readBytes('||a.example^\nb.example\n', { format: 'adblock' }))
    expect(parsed.format).toBe('adblock')
  })
})

describe('what is damaged is never half a list', () => {
  const check = (name: string, content: Uint8Array, what: string | RegExp) =>
    test(name, () => expectTrouble(readBytes(content), what))
  const gzip = gzipSync(MANY)
  const zstd = zstdCompressSync(MANY)
  for (const [name, bytes] of [
    ['gzip', gzip],
    ['zstd', zstd],
  ] as const) {
    for (const length of [20, bytes.length >> 1, bytes.length - 5, bytes.length - 1]) {
      check(`${name} cut at ${length}`, bytes.subarray(0, length), `${name} packing is cut short`)
    }
  }
  check('gzip and something else', Buffer.concat([gzip, Buffer.from('no gzip')]), 'is damaged')
  check('zstd and something else', Buffer.concat([zstd, Buffer.from('hello')]), 'not zstd')
  check('zstd and a part of a frame', Buffer.concat([zstd, zstd.subarray(0, 99)]), 'cut short')
  check('zstd and three bytes', Buffer.concat([zstd, zstd.subarray(0, 3)]), 'cut short')
  check('gzip in gzip', gzipSync(gzip), 'packed twice')
  check('zip', Buffer.from('504b0304140000000800', 'hex'), 'packed with zip')
  check('xz', Buffer.from('fd377a585a0000', 'hex'), 'packed with xz')
  check('bzip2', Buffer.from('BZh91AY&SY'), 'packed with bzip2')

  test('any bit of a packed list: the same list, or trouble', async () => {
    const text = many.slice(0, 300).join('\n')
    for (const packed of [
      gzipSync(text),
      zstdCompressSync(text, { params: { [constants.ZSTD_c_checksumFlag]: 1 } }),
    ]) {
      await fc.assert(
        fc.asyncProperty(fc.nat(packed.length * 8 - 1), async (bit) => {
          const flipped = Buffer.from(packed)
          flipped[bit >> 3]! ^= 1 << (bit & 7)
          const result = await readBytes(flipped)
          if (!('what' in result)) expect(hostsOf(result)).toEqual(many.slice(0, 300))
        }),
        { numRuns: 150 },
      )
    }
  })

  test('a web page', () =>
    expectTrouble(readBytes('<!DOCTYPE html>\n<title>Moved</title>\n'), 'web page', 'address'))
  test('a packed web page', () =>
    expectTrouble(readBytes(gzipSync('<html><p>Moved</p></html>')), 'web page'))
})

describe('limits', () => {
  test('a file without measure', async () => {
    const file = join(folder, 'large')
    writeFileSync(file, '')
    truncateSync(file, LIST_BYTES_MAX + 1)
    await expectTrouble(readPath(file), 'more than 512 MiB', 'Divide')
  })
  test('few bytes that unpack without measure', async () => {
    const zeros = Buffer.alloc(LIST_BYTES_MAX / 16 + 1)
    const bomb = Buffer.concat(Array<Buffer>(16).fill(zstdCompressSync(zeros)))
    expect(bomb.length).toBeLessThan(1_000_000)
    await expectTrouble(readBytes(bomb), 'more than 512 MiB')
    const archive = await tarOf(['a/domains', bomb])
    await expectTrouble(readBytes(archive), 'more than 512 MiB')
  })
  test('an archive of members without measure', async () => {
    const header = await tarOf(['a/usage', ''])
    const one = header.subarray(0, 512)
    const archive = Buffer.concat([
      ...Array<Buffer>(MEMBERS_MAX + 1).fill(one),
      Buffer.alloc(1_024),
    ])
    await expectTrouble(readBytes(gzipSync(archive)), `more than ${MEMBERS_MAX} members`)
  })
  test('a member whose path is no path', async () => {
    const path = `${'x/'.repeat(MEMBER_PATH_LENGTH_MAX)}domains`
    await expectTrouble(readBytes(await tarOf([path, TEXT])), 'path too long')
  })
  test('a header without measure', async () => {
    const archive = await tarOf([`${'x'.repeat(200)}/domains`, TEXT])
    // The first header announces the long path: its size, in octal.
    archive.write('77777777777\0', 124, 'latin1')
    let sum = 0
    archive.write('        ', 148, 'latin1')
    for (const byte of archive.subarray(0, 512)) sum += byte
    archive.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1')
    await expectTrouble(readBytes(archive), 'archive is damaged')
  })
  test('a pipe is not waited for', async () => {
    const path = join(folder, 'pipe')
    execFileSync('mkfifo', [path])
    await expectTrouble(readPath(path), 'neither a file nor a folder')
  })
})

test.skipIf(process.platform !== 'linux')(
  'no file stays open, whatever becomes of it',
  async () => {
    const open = () => readdirSync('/proc/self/fd').length
    const before = open()
    const gzip = gzipSync(MANY)
    for (let i = 0; i < 20; i++) {
      await readBytes(gzip)
      await readBytes(gzipSync(gzip))
      await readBytes(gzip.subarray(0, 9_000))
      await readBytes(MANY, { member: 'x' })
      await readBytes('<html>')
    }
    expect(open()).toBeLessThan(before + 20)
  },
)

describe('the layout of squidGuard', () => {
  const ut1 = async (domains: string, ...more: Member[]) =>
    tarOf(['adult/domains', domains], ['adult/usage', 'black\n'], ...more)

  test('a folder is read as its dump says', async () => {
    await expect(dumpOf(good(await readPath(UT1)))).toMatchFileSnapshot('fixtures/ut1.dump.txt')
  })
  test('an archive of it, plain and packed, holds the same', async () => {
    const { format, lines, rejected } = good(await readPath(UT1))
    for (const option of ['-c', '-cz']) {
      const names = ['./domains', './expressions', './urls', './usage']
      const archive = execFileSync('tar', [option, '-C', UT1, ...names])
      expect(good(await readBytes(archive))).toMatchObject({ format, lines, rejected })
    }
    const packed = zstdCompressSync(execFileSync('tar', ['-c', '-C', join(UT1, '..'), 'ut1']))
    expect(good(await readBytes(packed))).toMatchObject({ format, lines })
  })
  test('lines are those of the file of domains, wherever it stands', async () => {
    const archive = await tarOf(
      ['a/urls', 'x.example/1\ny.example/2\n'],
      ['a/domains', 'b.example\n'],
    )
    const parsed = good(await readBytes(archive))
    expect(namesOf(parsed)).toEqual([{ line: 1, host: 'b.example' }])
    expect(parsed).toMatchObject({ lines: 3, contentLines: 3 })
    expect(parsed.rejected).toEqual([
      {
        reason: 'url',
        count: 2,
        first: [
          { line: 1, text: 'x.example/1', file: 'urls' },
          { line: 2, text: 'y.example/2', file: 'urls' },
        ],
      },
    ])
  })
  test('of several, one is named', async () => {
    const archive = await ut1(
      'a.example\n',
      ['games/domains', 'g.example\n'],
      ['games/urls', 'g.example/x\n'],
    )
    await expectTrouble(readBytes(archive), '2 lists in it: adult, games', 'member')
    expect(hostsOf(good(await readBytes(archive, { member: 'games' })))).toEqual(['g.example'])
    await expectTrouble(readBytes(archive, { member: 'dating' }), 'no list dating', 'adult, games')
  })
  test('of several folders, one is named', async () => {
    const several = join(folder, 'several')
    cpSync(UT1, join(several, 'adult'), { recursive: true })
    cpSync(UT1, join(several, 'games'), { recursive: true })
    symlinkSync('adult', join(several, 'porn'))
    await expectTrouble(readPath(several), '3 lists in it: adult, games, porn')
    const adult = good(await readPath(several, { member: 'adult' }))
    expect(adult.rejectedCount).toBe(good(await readPath(UT1)).rejectedCount)
    expect(hostsOf(good(await readPath(several, { member: 'porn' })))).toEqual(hostsOf(adult))
    await expectTrouble(readPath(several, { member: '../several/adult' }), 'no list')
  })
  test('two folders of one name are told apart by more of the path', async () => {
    const archive = await tarOf(
      ['x/adult/domains', 'x.example\n'],
      ['y/adult/domains', 'y.example\n'],
    )
    await expectTrouble(readBytes(archive, { member: 'adult' }), 'x/adult, y/adult')
    expect(hostsOf(good(await readBytes(archive, { member: 'y/adult' })))).toEqual(['y.example'])
  })
  test('one file of an archive, in its own format', async () => {
    const archive = await tarOf(
      ['README', 'Hello there\n'],
      ['lists/hosts.txt', '0.0.0.0 a.example\n'],
    )
    const parsed = good(await readBytes(archive, { member: 'hosts.txt' }))
    expect(parsed.format).toBe('hosts')
    expect(hostsOf(parsed)).toEqual(['a.example'])
    await expectTrouble(readBytes(archive), 'no file domains', 'member')
    await expectTrouble(
      readBytes(archive, { format: 'hosts' }),
      'README, lists/hosts.txt',
      'member',
    )
  })
  test('a packed file in an archive', async () => {
    const archive = await tarOf(['adult/domains', gzipSync('a.example\n')])
    expect(hostsOf(good(await readBytes(archive)))).toEqual(['a.example'])
  })
  test('paths that lead elsewhere are no list', async () => {
    const archive = await tarOf(
      ['../adult/domains', 'out.example\n'],
      ['/adult/../../domains', 'out.example\n'],
      ['./adult/domains', 'in.example\n'],
    )
    expect(hostsOf(good(await readBytes(archive)))).toEqual(['in.example'])
  })
  test('a link in an archive is not followed, and said', async () => {
    const archive = await ut1(
      'a.example\n',
      ['porn', { type: 'symlink', linkname: 'adult' }],
      ['passwords/domains', { type: 'symlink', linkname: '/etc/passwd' }],
    )
    expect(hostsOf(good(await readBytes(archive)))).toEqual(['a.example'])
    await expectTrouble(readBytes(archive, { member: 'porn' }), 'only a link', 'member: adult')
  })
  test('a file that stands there twice', async () => {
    const archive = await ut1('a.example\n', ['adult/domains', 'b.example\n'])
    await expectTrouble(readBytes(archive), 'adult/domains stands in it twice')
  })
  test('pages without domains', async () => {
    await expectTrouble(readBytes(await tarOf(['a/urls', 'a.example/x\n'])), 'no file a/domains')
  })
  test('an archive that is cut short, anywhere', async () => {
    const archive = await ut1(MANY, ['adult/urls', 'a.example/x\n'])
    for (const share of [0.1, 0.5, 0.9]) {
      const cut = archive.subarray(0, archive.length * share)
      await expectTrouble(readBytes(cut), /archive is (cut short|damaged)/)
    }
    const members = archive.length - 1_024
    await expectTrouble(readBytes(archive.subarray(0, members)), 'cut short')
  })
  test('an archive with a header that is none', async () => {
    const archive = await ut1('a.example\n', ['adult/urls', 'a.example/x\n'])
    archive[archive.indexOf('adult/urls')]! ^= 1
    await expectTrouble(readBytes(archive), 'archive is damaged')
  })
  test('a folder with nothing of the kind', async () => {
    const empty = join(folder, 'empty')
    mkdirSync(empty)
    await expectTrouble(readPath(empty), 'no file domains in it')
  })
  test('a file that is neither folder nor archive', async () => {
    await expectTrouble(readBytes(TEXT, { format: 'ut1' }), 'neither a folder nor a tar')
    await expectTrouble(readBytes(TEXT, { member: 'adult' }), 'one file', 'Leave member out')
  })
  test('the version of a folder is of its files and their names', async () => {
    const copy = join(folder, 'copy')
    cpSync(UT1, copy, { recursive: true })
    const version = async () => good(await readPath(copy)).sha256
    const before = await version()
    expect(before).toBe(good(await readPath(UT1)).sha256)
    writeFileSync(join(copy, 'usage'), 'white\n')
    expect(await version()).toBe(before)
    writeFileSync(join(copy, 'urls'), 'other.example/page\n')
    expect(await version()).not.toBe(before)
  })
})

describe('more junk than is allowed refuses the list', () => {
  const list = (used: number, junk: readonly string[]) =>
    [...many.slice(0, used), ...junk].join('\n')
  const junk = (count: number) => Array<string>(count).fill('two words')

  test('with the most common reason, its first line, and the way out', async () => {
    const trouble = await readBytes(list(100, [...junk(15), '-x.example']))
    expect(trouble).toEqual({
      line: 101,
      what: '16 of 116 lines are malformed, more than 5 %. The most common fault: more than one word on the line ("two words")',
      hint: 'Write one domain on each line; a comment begins with #. To take the list as it is, give it the setting rejected: 14%.',
    })
  })
  test('as much as the settings say', async () => {
    good(await readBytes(list(100, junk(16)), { rejectedShareMax: 0.14 }))
    good(await readBytes(list(1_000, junk(16))))
  })
  test('a few lines refuse no list', async () => {
    good(await readBytes(list(2, junk(JUNK_LINES_FREE))))
    await expectTrouble(readBytes(list(2, junk(JUNK_LINES_FREE + 1))), 'malformed')
  })
  test('what is understood but cannot be used is no junk', async () => {
    good(await readBytes(list(10, Array<string>(90).fill('example.com/page'))))
    good(await readBytes(list(10, Array<string>(90).fill('0.0.0.0 nearby'))))
  })
  test('a format that does not fit says which it looks like', async () => {
    const rules = many
      .slice(0, 50)
      .map((name) => `||${name}^`)
      .join('\n')
    await expectTrouble(readBytes(rules, { format: 'domains' }), 'no line', 'looks like adblock')
    await expectTrouble(readBytes(MANY, { format: 'dnsmasq' }), 'no line', 'looks like domains')
    await expectTrouble(readBytes(MANY, { format: 'rpz' }), 'no line', 'looks like domains')
  })
  test('exceptions or networks alone are a list', async () => {
    expect(good(await readBytes('@@||a.example^\n')).exceptions.nameLines).toHaveLength(1)
    expect(good(await readBytes('198.51.100.0/24\n')).networks).toHaveLength(1)
  })
  test('no lines, or none but comments, are an empty list', async () => {
    expect(hostsOf(good(await readBytes('')))).toEqual([])
    expect(hostsOf(good(await readBytes('# nothing yet\n\n')))).toEqual([])
  })
})
