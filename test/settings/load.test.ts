/**
 * Owns: settings as a whole: the shipped file holds, a broken one is told all that is wrong with it, and no
 * text makes the loader throw.
 * Never: tests what a single setting takes (schema.test.ts) or the rules between them (rules.test.ts).
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, describe, expect, it } from 'vitest'
import { parseDocument, stringify } from 'yaml'
import { loadSettings } from '../../src/settings/load.ts'
import { formatProblem } from '../../src/settings/problems.ts'
import { FOLDER, good, LEAST, lines, load, PLATFORMS } from './memory.ts'

const CONFIG = join(import.meta.dirname, '../../config')
const FIXTURES = join(import.meta.dirname, 'fixtures')
const shipped = readFileSync(join(CONFIG, 'sluss.yaml'), 'utf8')

describe('the shipped settings', () => {
  const loaded = loadSettings({ file: join(CONFIG, 'sluss.yaml') })

  it('hold, with nothing to warn of', () => {
    expect(lines(loaded)).toEqual([])
    expect(loaded.ok).toBe(true)
  })

  it('work on this machine at once, and say what a municipality decides', () => {
    if (!loaded.ok) return expect.unreachable()
    const { settings } = loaded
    expect(settings.listen).toEqual({
      proxy: [{ address: '127.0.0.1', port: 3128 }],
      portal: [{ address: '127.0.0.1', port: 3180 }],
    })
    expect(settings.state).toBe(join(CONFIG, '../var'))
    expect(settings.zones.map(({ name, identify, quota }) => [name, ...identify, quota])).toEqual([
      ['schools', 'network', 'none'],
      ['office', 'basic', 'minutes'],
      ['local', 'address', 'minutes'],
    ])
    expect(Object.entries(settings.categories).map(([name, { action }]) => [name, action])).toEqual(
      [
        ['porn', 'block'],
        ['racism', 'block'],
        ['gambling', 'block'],
        ['evasion', 'block'],
        ['social', 'quota'],
      ],
    )
    expect(settings.categories.social).toMatchObject({ minutes: 60, platforms: 'all' })
  })

  it('invents nobody: no decision, no user, no exemption', () => {
    if (!loaded.ok) return expect.unreachable()
    for (const { decision } of Object.values(loaded.settings.categories)) {
      expect(decision).toBe(null)
    }
    const users = readFileSync(join(CONFIG, 'users.txt'), 'utf8').split('\n')
    expect(users.filter((line) => line !== '' && !line.startsWith('#'))).toEqual([])
  })

  it('name the schema for editors, and every file to watch', () => {
    expect(shipped.split('\n', 1)[0]).toBe('# yaml-language-server: $schema=./sluss.schema.json')
    expect(loaded.files.map((file) => file.slice(CONFIG.length + 1)).toSorted()).toEqual([
      'exemptions.yaml',
      'lists/evasion.txt',
      'lists/gambling.txt',
      'lists/never-block.txt',
      'lists/porn.txt',
      'lists/racism.txt',
      'platforms.yaml',
      'sluss.yaml',
      'users.txt',
    ])
  })
})

describe('a broken file', () => {
  it('is told everything at once, with file, line, value, expectation and remedy', () => {
    const loaded = loadSettings({ file: join(FIXTURES, 'broken.yaml') })
    const problems = loaded.ok ? [] : loaded.problems
    const said = [...problems, ...loaded.warnings].map((problem) =>
      formatProblem(problem, FIXTURES).replaceAll(FIXTURES, '.'),
    )
    expect(said).toEqual(readFileSync(join(FIXTURES, 'broken.txt'), 'utf8').trimEnd().split('\n'))
  })

  it('that is empty, or is no group, is told so', () => {
    for (const text of ['', '# nothing yet\n', '[]', 'hello']) {
      const said = lines(load(text))
      expect(said).toHaveLength(1)
      expect(said[0]).toMatch(/^sluss\.yaml:1: .*expected a group with the keys version, /)
    }
  })

  it('that is missing names the option', () => {
    const loaded = loadSettings({ file: join(FIXTURES, 'nowhere.yaml') })
    expect(
      loaded.ok ? [] : loaded.problems.map((problem) => formatProblem(problem, FIXTURES)),
    ).toEqual([
      'nowhere.yaml: there is no such file; give the path of the settings with --config FILE',
    ])
  })

  it('that is not UTF-8 names the line', () => {
    const latin1 = Buffer.from('version: 1\n# fr\u00e5n\n', 'latin1')
    const loaded = loadSettings({ file: `${FOLDER}/sluss.yaml`, readFile: () => latin1 })
    expect(lines(loaded)).toEqual([
      'sluss.yaml:2: a character is not UTF-8; save the file as UTF-8; å, ä and ö are often what is wrong',
    ])
  })

  it('may start with a byte order mark', () => {
    expect(good(`\ufeff${LEAST}`).version).toBe(1)
  })

  it('keeps its files to watch, so that a correction is seen', () => {
    const loaded = load(`${LEAST}neverBlock: missing.txt\nplatforms: platforms.yaml\nthreads: 0\n`)
    expect(loaded.ok).toBe(false)
    expect(loaded.files).toEqual(
      ['sluss.yaml', 'platforms.yaml', 'missing.txt'].map((name) => `${FOLDER}/${name}`),
    )
  })
})

describe('files that settings name', () => {
  const folder = mkdtempSync(join(tmpdir(), 'sluss-load-'))
  afterAll(() => rmSync(folder, { recursive: true }))

  it('are sought beside the settings, and must be readable files', () => {
    const file = join(folder, 'sluss.yaml')
    const users = 'identity: { basic: { users: . } }'
    writeFileSync(
      file,
      `${LEAST}neverBlock: [good.txt, missing.txt, ., good.txt/deeper]\n${users}\n`,
    )
    writeFileSync(join(folder, 'good.txt'), 'example.com\n')
    const loaded = loadSettings({ file })
    const said = loaded.ok ? [] : loaded.problems.map(({ key, value, what }) => [key, value, what])
    expect(said).toEqual([
      ['neverBlock[1]', '"missing.txt"', 'there is no such file'],
      // A list may be a folder.
      ['neverBlock[3]', '"good.txt/deeper"', 'there is no such file'],
      ['identity.basic.users', '"."', 'it is a folder'],
    ])
  })

  it('a list that cannot be read is told beside settings that hold, where that is asked for', () => {
    const file = join(folder, 'lists.yaml')
    writeFileSync(file, `${LEAST}neverBlock: [good.txt, missing.txt]\n`)
    const loaded = loadSettings({ file, lists: 'tell' })
    if (!loaded.ok) return expect.unreachable()
    const told = loaded.unreadable.map(({ line, key, what }) => [line, key, what])
    expect(told).toEqual([[4, 'neverBlock[1]', 'there is no such file']])
    expect(loaded.sources.map(({ name }) => name)).toEqual(['good.txt', 'missing.txt'])
    expect(loadSettings({ file }).ok).toBe(false)
    // Nothing else is let pass.
    writeFileSync(file, `${LEAST}neverBlock: missing.txt\nplatforms: missing.yaml\n`)
    expect(loadSettings({ file, lists: 'tell' }).ok).toBe(false)
  })

  it('may be closed to this user, who is told so', () => {
    const closed = Object.assign(new Error('permission denied'), { code: 'EACCES' })
    const loaded = loadSettings({
      file: `${FOLDER}/sluss.yaml`,
      readFile: () => {
        throw closed
      },
    })
    expect(lines(loaded)).toEqual([
      'sluss.yaml: it may not be read by this user; give the path of the settings with --config FILE',
    ])
  })

  it('a missing platforms file is told once, without guesses about names', () => {
    const text = `${LEAST}platforms: nowhere.yaml
categories: { social: { action: quota, platforms: [facebook] } }\n`
    expect(lines(load(text, {}))).toEqual([
      `sluss.yaml:4: platforms: "nowhere.yaml" — expected a file of platforms; there is no such file; it was sought at ${FOLDER}/nowhere.yaml`,
    ])
  })

  it('a broken platforms file is told by its own lines', () => {
    const text = `${LEAST}platforms: platforms.yaml\n`
    expect(lines(load(text, { 'platforms.yaml': 'a:\n\tb: 1\n' }))).toEqual([
      'platforms.yaml:2: expected YAML; a tab stands in the indentation; indent with blanks',
    ])
  })

  it('are absolute once loaded', () => {
    const text = `${LEAST}state: ../state
identity: { basic: { users: u.txt } }
platforms: platforms.yaml
exemptions: e.yaml
neverBlock: /srv/never.txt
categories: { porn: { action: block, lists: lists/porn.txt } }\n`
    const loaded = loadSettings({
      file: `${FOLDER}/sluss.yaml`,
      readFile: (file) => Buffer.from(file.endsWith('sluss.yaml') ? text : PLATFORMS),
      probeFile: () => null,
    })
    if (!loaded.ok) return expect.unreachable()
    const { state, identity, platforms, exemptions, neverBlock, categories } = loaded.settings
    expect([
      state,
      identity.basic.users,
      platforms,
      exemptions,
      neverBlock,
      categories.porn?.lists,
    ]).toEqual([
      '/etc/state',
      '/etc/sluss/u.txt',
      '/etc/sluss/platforms.yaml',
      '/etc/sluss/e.yaml',
      ['/srv/never.txt'],
      ['/etc/sluss/lists/porn.txt'],
    ])
  })
})

describe('the digest', () => {
  const digest = (text: string, platforms = PLATFORMS) => {
    const loaded = load(text, { 'platforms.yaml': platforms })
    return loaded.ok ? loaded.digest : expect.unreachable()
  }
  const text = `${LEAST}platforms: platforms.yaml\n`

  it('is the same where only comments and forms differ', () => {
    expect(digest(text)).toMatch(/^[0-9a-f]{64}$/)
    expect(digest(`# new\n${text.replace('127.0.0.0/8', '[127.0.0.0/8]')}`)).toBe(digest(text))
  })

  it('is another where a setting or a platform is', () => {
    expect(digest(`${text}threads: 2\n`)).not.toBe(digest(text))
    expect(digest(text, PLATFORMS.replace('fbcdn.net', 'fbcdn.com'))).not.toBe(digest(text))
  })
})

describe('any text', () => {
  /** What zod says by itself: our own words stand everywhere, or this shows. */
  const notOurs =
    /Invalid|Unrecognized|Too (big|small)|expected (string|object|number)|undefined|NaN/

  function survives(text: string, overrides: readonly string[] = []): void {
    const loaded = load(text, { 'platforms.yaml': text }, overrides)
    for (const line of lines(loaded)) {
      expect(line).not.toMatch(/[\p{Cc}]/u)
      if (!text.match(notOurs)) expect(line.replaceAll(/"[^"]*"/g, '')).not.toMatch(notOurs)
    }
    if (!loaded.ok) expect(loaded.problems.length).toBeGreaterThan(0)
  }

  it('cut and spliced from the shipped file is judged, never thrown over', () => {
    const place = fc.nat(shipped.length)
    const patch = fc.oneof(fc.string(), fc.constantFrom('\t', '[', '}', ': ', '\n- ', '&a ', '*a'))
    fc.assert(
      fc.property(place, fc.nat(60), patch, (at, removed, added) => {
        survives(shipped.slice(0, at) + added + shipped.slice(at + removed))
      }),
      { numRuns: 150 },
    )
  })

  it('of the right keys with any values is judged, never thrown over', () => {
    const keys = Object.keys(parseDocument(shipped).toJS())
    const inner = ['name', 'networks', 'identify', 'action', 'lists', 'platforms', 'hosts', 'allow']
    const value = fc.letrec((tie) => ({
      any: fc.oneof(
        { maxDepth: 4 },
        fc.string({ unit: 'binary' }),
        fc.integer(),
        fc.double(),
        fc.boolean(),
        fc.constantFrom(null, 'all', 'basic', 'quota', 'block', '10.0.0.0/8', '30s', '127.0.0.1:1'),
        fc.array(tie('any'), { maxLength: 4 }),
        fc.dictionary(fc.oneof(fc.constantFrom(...inner), fc.string()), tie('any'), { maxKeys: 5 }),
      ),
    })).any
    fc.assert(
      fc.property(fc.dictionary(fc.constantFrom(...keys), value, { maxKeys: 9 }), (settings) => {
        survives(stringify({ version: 1, ...settings }))
      }),
      { numRuns: 300 },
    )
  })

  it('in an override is judged, never thrown over', () => {
    const key = fc.constantFrom('zones', 'zones[0]', 'zones[0].quota', 'dns.hosts', 'categories.a')
    const more = fc.constantFrom('', '.', '[0]', '["x"]', '.a.b')
    fc.assert(
      fc.property(fc.oneof(key, fc.string()), more, fc.string(), (path, rest, text) => {
        survives(LEAST, [`${path}${rest}=${text}`, `${path}${rest}${text}`])
      }),
      { numRuns: 300 },
    )
  })
})
