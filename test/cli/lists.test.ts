/**
 * Owns: what `./sluss lists` answers of lists that lie here, in words, in JSON and by its exit code.
 * Never: fetches one (test/e2e/lists-command.test.ts does), or tests what an image holds (test/lists).
 */
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { register } from '../../src/cli/lists.ts'
import { readConfiguration } from '../../src/service/configuration.ts'
import { build, keyOf } from '../../src/service/image.ts'
import { ImageStore, imageFileOf } from '../../src/service/image-store.ts'
import { type Ran, runCommand } from './run-command.ts'

const folder = mkdtempSync(join(tmpdir(), 'sluss-lists-'))
const config = join(folder, 'sluss.yaml')
const state = join(folder, 'state')
afterAll(() => rmSync(folder, { recursive: true }))

const PORN = 'bad.test\n# a comment\nfreed.test\nno host here\nhttp://page.test/x\nc--\n'
const FILES: Readonly<Record<string, string>> = {
  'porn.txt': PORN,
  'exceptions.txt': 'www.freed.test\n',
  'nets.txt': '192.0.2.0/24\n@@192.0.2.7\nräksmörgås.test\nkind.test\n',
  'never-block.txt': 'kind.test\n',
  'platforms.yaml':
    'face: { title: Face, domains: [face.test, cdn.test], background: [w.face.test] }\n',
  'sluss.yaml': `version: 1
zones: [{ name: a, networks: 10.0.0.0/8, identify: address }]
state: state
categories:
  porn: { action: block, lists: [porn.txt] }
  evasion: { action: block }
  social: { action: quota, minutes: 60, platforms: all }
platforms: platforms.yaml
neverBlock: never-block.txt
lists:
  - { name: freed, file: exceptions.txt, category: porn, exceptions: true }
  - { name: nets, file: nets.txt, category: evasion }
`,
}
const AS_NOBODY = fileURLToPath(new URL('as-nobody.ts', import.meta.url))
const VERSION = createHash('sha256').update(PORN).digest('hex')

function write(name: string, text = FILES[name]!): void {
  writeFileSync(join(folder, name), text)
}

function run(...words: readonly string[]): Promise<Ran> {
  return runCommand(register, ['lists', ...words, '--config', config])
}

async function json(...words: readonly string[]): Promise<Record<string, unknown>> {
  return JSON.parse((await run(...words, '--json')).stdout)
}

/** As a service leaves it: an image of the lists as they are, saved. */
async function save(): Promise<void> {
  const read = readConfiguration({ file: config, overrides: [], nowMs: Date.now() })
  if (!read.ok) throw new Error(JSON.stringify(read.problems))
  const result = await build(read.sources, keyOf(read.sources))
  if (!('ok' in result)) throw new Error(JSON.stringify(result.problems))
  await new ImageStore(state, null).save(result.built)
}

beforeAll(() => {
  for (const name of Object.keys(FILES)) write(name)
})

describe('before anything was built', () => {
  it('status shows the lists that lie here, and that none is in force', async () => {
    const { code, stdout } = await run('status')
    expect(code).toBe(1)
    expect(stdout).toMatch(/^porn\.txt +porn +waits /m)
    expect(stdout).toMatch(/^freed +porn \(exceptions\) +waits /m)
    expect(stdout).toContain('no service runs here')
  })

  it('lookup and stats build it for themselves, and keep nothing', async () => {
    expect((await run('lookup', 'bad.test')).stdout).toContain('bad.test: porn')
    expect((await json('stats')).origin).toBe('built')
    expect((await run('verify')).stdout).toMatch(/^image +absent +there is no image yet$/m)
  })

  it('diff has nothing to compare', async () => {
    const { code, stdout } = await run('diff')
    expect([code, stdout]).toEqual([0, 'nothing waits: the lists are in force as they are\n'])
  })
})

describe('of the image that is saved', () => {
  beforeAll(save)

  it.each<[string, string[]]>([
    ['bad.test', ['bad.test: porn', 'porn  bad.test in porn.txt, line 1 (version VERSION)']],
    [
      'https://WWW.bad.test:8443/x?y',
      ['www.bad.test (from "https://WWW.bad.test:8443/x?y"): porn'],
    ],
    ['räksmörgås.test', ['xn--rksmrgs-5wao1o.test (from "räksmörgås.test"): evasion', 'line 3']],
    ['192.0.2.5', ['192.0.2.5: evasion', 'evasion  192.0.2.0/24 in nets, line 1']],
    [
      '192.0.2.7',
      ['in no category, by an exception', 'freed by nets, line 2', '/24 in nets, line 1'],
    ],
    [
      'a.www.freed.test',
      ['in no category, by an exception', 'www.freed.test freed by freed, line 1'],
    ],
    ['freed.test', ['freed.test: porn', 'in porn.txt, line 3']],
    ['kind.test', ['kind.test: evasion, never-block', 'never-block  kind.test in never-block.txt']],
    ['w.face.test', ['social, face', 'face  face.test in platforms.yaml: face, line 1']],
  ])('lookup %s', async (host, texts) => {
    const { code, stdout } = await run('lookup', host)
    for (const text of texts)
      expect(stdout).toContain(text.replace('VERSION', VERSION.slice(0, 12)))
    expect(code).toBe(0)
  })

  it('lookup of a host in no list says so by its exit code', async () => {
    expect(await run('lookup', 'notbad.test')).toMatchObject({
      code: 1,
      stdout: 'notbad.test: in no list\n',
    })
    expect(await json('lookup', 'notbad.test')).toMatchObject({ labels: [], lists: [] })
  })

  it('lookup in JSON: host, labels, and for each place list, version, line and what it feeds', async () => {
    expect(await json('lookup', 'www.bad.test')).toEqual({
      asked: 'www.bad.test',
      host: 'www.bad.test',
      labels: ['porn'],
      neverBlock: false,
      lists: [
        {
          ...{ domain: 'bad.test', list: 'porn.txt', line: 1, frees: false, feeds: 'porn' },
          ...{ version: VERSION, target: { kind: 'category', bit: 0 } },
          provenance: { source: 'porn.txt', fetchedMs: null, licence: '' },
        },
      ],
    })
  })

  it.each([
    ['192.0.2.0/24', 'is a network of addresses\n  look up an address in it, such as 192.0.2.0'],
    ['a b', 'is no host: a character that no host name has\n  write it as www.example.se'],
    ['', '"" is no host: no host where one belongs'],
  ])('lookup %o is bad input', async (host, words) => {
    const { code, stderr } = await run('lookup', host)
    expect(code).toBe(2)
    expect(stderr).toContain(words)
  })

  it('status: in force, and the lines that were rejected, by reason, with the first of them', async () => {
    const { code, stdout } = await run('status')
    expect(code).toBe(0)
    expect(stdout).toMatch(
      new RegExp(`^porn\\.txt +porn +in force +2 +3 +${VERSION.slice(0, 12)} `, 'm'),
    )
    expect(stdout).toMatch(/^ +porn\.txt +1 +.*line 6: c--$/m)
    expect(stdout).toMatch(/more than one word on the line +line 4: no host here$/m)
    expect(stdout).toMatch(
      /a page or an account, not a whole site +line 5: http:\/\/page\.test\/x$/m,
    )
  })

  it('status in JSON has the class of each reason', async () => {
    const { running, lists } = (await json('status')) as { running: boolean; lists: object[] }
    expect(running).toBe(false)
    expect(lists[0]).toMatchObject({ name: 'porn.txt', state: 'in force', sha256: VERSION })
    expect(lists[0]).toHaveProperty(
      'rejections',
      expect.arrayContaining([
        {
          ...{ reason: 'url', class: 'unsupported', count: 1 },
          ...{ what: 'a page or an account, not a whole site' },
          first: [{ line: 5, text: 'http://page.test/x' }],
        },
      ]),
    )
  })

  it('stats: a row a list, and one for the platforms', async () => {
    const { code, stdout } = await run('stats')
    expect(code).toBe(0)
    expect(stdout).toMatch(/^porn\.txt +domains +6 +2 +2 +0 +0 +0 +0 +3$/m)
    expect(stdout).toMatch(/^platforms\.yaml +platforms +4 +4 +3 /m)
    expect(stdout).toMatch(/^ +porn +2$/m)
    expect(stdout).toMatch(/^ +evasion \+ never-block +1$/m)
    expect(stdout).toContain('kind.test is never blocked, and nets lists it in line 4')
    expect(stdout).not.toContain('platforms.yaml: face')
  })

  it('stats in JSON: every list of its own', async () => {
    const stats = await json('stats')
    const names = (stats.lists as { name: string }[]).map(({ name }) => name)
    expect(names).toContain('platforms.yaml: face (background)')
    expect(stats).toMatchObject({ origin: 'loaded', domains: expect.any(Number) })
    expect(stats.labels).toContainEqual({ labels: ['social', 'face'], names: 3 })
  })

  it('accept of a list that is in force as it is: the answer is no', async () => {
    const { code, stderr } = await run('accept', 'porn.txt')
    expect([code, stderr]).toEqual([
      1,
      expect.stringContaining('no version of porn.txt is waiting'),
    ])
  })

  it.each([
    [['accept', 'prn.txt'], 'there is no list prn.txt\n  did you mean porn.txt?'],
    [['diff', 'netz'], 'there is no list netz\n  did you mean nets?'],
    [['update'], 'no list of the settings has a url'],
    [['update', 'nets'], 'nets is not fetched: it lies here'],
    [['import', 'x.txt'], 'x.txt could be no list\n  say which list it is: --list NAME'],
    [['import', 'x.txt', '--list', 'nets'], 'nets is not fetched: it lies here'],
  ])('%j is bad input', async (words, said) => {
    const { code, stderr } = await run(...words)
    expect(code).toBe(2)
    expect(stderr).toContain(said)
  })

  it.each(['-1', '1e3', '1.5', 'all'])('a limit of %s is bad input', async (count) => {
    expect((await run('diff', '--limit', count)).code).toBe(2)
  })
})

describe('when a file has changed since', () => {
  beforeAll(async () => {
    await save()
    write('porn.txt', 'freed.test\nkind.test\nnew.test\nnewer.test\n')
  })
  afterAll(() => write('porn.txt'))

  it('diff tells what is newly caught and freed, and by which line', async () => {
    const { code, stdout } = await run('diff')
    expect(code).toBe(0)
    expect(stdout).toMatch(/^porn\.txt +[0-9a-f]{12} → [0-9a-f]{12} +2 → 4 entries$/m)
    expect(stdout).toContain('in the last 30 days, none would change')
    expect(stdout).toContain('in all: 3 names newly caught, 1 freed')
    expect(stdout).toMatch(
      /^ +\+porn +kind\.test \(never blocked\) +kind\.test in porn\.txt, line 2 /m,
    )
    expect(stdout).toMatch(/^ +-porn +bad\.test +bad\.test in porn\.txt, line 1 /m)
    expect(stdout).toMatch(/\nto take it: \.\/sluss lists accept porn\.txt [0-9a-f]{12}\n$/)
  })

  it('diff in JSON', async () => {
    const { lists, names, hosts, days } = await json('diff', '--limit', '1', '--days', '7')
    expect(lists).toEqual([
      {
        ...{ list: 'porn.txt', before: VERSION, after: expect.stringMatching(/^[0-9a-f]{64}$/) },
        ...{ entriesBefore: 2, entriesAfter: 4 },
      },
    ])
    expect(names).toMatchObject({ caught: 3, freed: 1 })
    expect((names as { first: object[] }).first).toHaveLength(2)
    expect((names as { first: object[] }).first).toContainEqual({
      ...{ host: 'bad.test', caught: [], freed: ['porn'], neverBlock: false },
      by: { domain: 'bad.test', list: 'porn.txt', line: 1, version: VERSION, frees: false },
    })
    expect([hosts, days]).toEqual([[], 7])
  })

  it('accept of a version that is no longer the file: the answer is no', async () => {
    const [after] = (await json('diff')).lists as { after: string }[]
    const { code, stdout, stderr } = await run('accept', 'porn.txt', VERSION.slice(0, 8))
    const told = `is ${after!.after.slice(0, 12)}, not ${VERSION.slice(0, 8)}`
    expect([code, stdout, stderr]).toEqual([
      ...[1, ''],
      `sluss: the version of porn.txt that waits ${told}\n  Look at it first: ./sluss lists diff porn.txt\n`,
    ])
    expect(existsSync(join(state, 'lists', 'accepted.json'))).toBe(false)
  })

  it.each(['abcde', 'abcdeg', 'a'.repeat(65)])('accept of version %s is bad input', async (no) => {
    expect((await run('accept', 'porn.txt', no)).code).toBe(2)
  })

  it('accept takes what diff told of, for the next start', async () => {
    const words = /accept (\S+) (\S+)\n$/.exec((await run('diff')).stdout)!.slice(1)
    const { code, stdout } = await run('accept', words[0]!, words[1]!.toUpperCase())
    expect([code, stdout]).toEqual([
      0,
      expect.stringMatching(/^porn\.txt: version [0-9a-f]{12} is accepted\nno service runs here/),
    ])
    const accepted = JSON.parse(readFileSync(join(state, 'lists', 'accepted.json'), 'utf8'))
    expect(accepted).toMatchObject({ 'porn.txt': { by: expect.any(String) } })
  })
})

it('a list that cannot be read is told, and the others are looked at', async () => {
  await save()
  rmSync(join(folder, 'nets.txt'))
  const { code, stdout, stderr } = await run('status')
  expect([code, stderr]).toEqual([1, expect.stringContaining('nets.txt')])
  expect(stdout).toMatch(/^porn\.txt +porn +in force /m)
  expect((await run('lookup', 'bad.test')).stdout).toContain('bad.test: porn')
  write('nets.txt')
})

it('verify finds one bit that has turned', async () => {
  await save()
  expect((await run('verify')).stdout).toMatch(/^image +whole +[\d,]+ bytes: /m)
  const file = imageFileOf(state)
  const bytes = readFileSync(file)
  bytes[bytes.length >> 1]! ^= 1
  writeFileSync(file, bytes)
  const { code, stdout } = await run('verify')
  expect(code).toBe(1)
  expect(stdout).toMatch(/^image +damaged /m)
  expect(stdout).toContain('the next start builds another')
  expect(await json('verify')).toMatchObject({ whole: false, checked: [{ what: 'image' }] })
})

it('a state folder of somebody else is told in one line', async () => {
  await save()
  chmodSync(folder, 0o755)
  chmodSync(state, 0o700)
  const child = spawn(process.execPath, [AS_NOBODY, config, state], { stdio: 'pipe' })
  let stderr = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  child.stdout.resume()
  const [code] = await once(child, 'exit')
  chmodSync(state, 0o700)
  expect([code, stderr]).toEqual([2, expect.stringMatching(/^sluss: .* is closed to you\n.*\n$/)])
})
