/**
 * Owns: what `./sluss log search` answers: the three formats, its notes, and what it says to bad
 * questions.
 * Never: tests which rows match (test/traffic/search.test.ts).
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Command } from 'commander'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { register } from '../../src/cli/log.ts'
import type { TrafficRecord } from '../../src/policy/index.ts'
import { CSV_HEADER } from '../../src/traffic/print.ts'
import { TRAFFIC_COLUMNS, type TrafficRow } from '../../src/traffic/schema.ts'
import { batch, NOON_MS, record, SOURCE, temporaryFolder, writerIn } from '../traffic/records.ts'

const HOME = join(import.meta.dirname, '../..')

let folder: string
let remove: () => void

beforeEach(() => {
  process.exitCode = 0
  const temporary = temporaryFolder()
  folder = temporary.path
  remove = temporary.remove
  const zone = 'zones: [{ name: office, networks: 10.0.0.0/8, identify: address }]'
  const categories = 'categories: { social: { action: allow, lists: social.txt } }'
  writeFileSync(join(folder, 'sluss.yaml'), `version: 1\nstate: state\n${zone}\n${categories}\n`)
  writeFileSync(join(folder, 'social.txt'), 'facebook.com\n')
})
afterEach(() => {
  process.exitCode = 0
  remove()
})

function write(...records: TrafficRecord[]): void {
  const writer = writerIn(join(folder, 'state'), { identities: 'pseudonym' })
  writer.write(SOURCE, batch(1, ...records))
  writer.close()
}

class Ended extends Error {}

/** What the command prints, and its exit code. */
async function run(...words: string[]): Promise<{ out: string; err: string; code: unknown }> {
  const program = new Command()
    .option('--config <file>')
    .option('--state <dir>')
    .option('--set <text>', '', (text: string, all: string[] = []) => [...all, text])
    .option('--json')
  register(program)
  const printed = { out: '', err: '' }
  const into = (name: 'out' | 'err') => (text: string | Uint8Array) => {
    printed[name] += text
    return true
  }
  const spies = [
    vi.spyOn(process.stdout, 'write').mockImplementation(into('out')),
    vi.spyOn(process.stderr, 'write').mockImplementation(into('err')),
    vi.spyOn(process, 'exit').mockImplementation((code) => {
      process.exitCode = code ?? 0
      throw new Ended()
    }),
  ]
  try {
    const config = join(folder, 'sluss.yaml')
    await program.parseAsync(['log', 'search', '--config', config, ...words], { from: 'user' })
  } catch (error) {
    if (!(error instanceof Ended)) throw error
  } finally {
    for (const spy of spies) spy.mockRestore()
  }
  return { ...printed, code: process.exitCode }
}

const two = () =>
  write(
    record({
      flow: 1,
      user: 'anna',
      host: 'facebook.com',
      verdict: 'spent',
      reason: 'minutes-spent',
    }),
    record({
      flow: 2,
      user: 'bo',
      host: 'www.example.se',
      timeMs: NOON_MS + 1_000,
      hello: 'mismatch',
      serverName: 'www.other.se',
    }),
  )
const rows = async (...words: string[]) =>
  JSON.parse((await run('--json', ...words)).out) as TrafficRow[]
const flows = async (...words: string[]) => (await rows(...words)).map(({ flow }) => flow)

describe('formats', () => {
  test('json is one array, newest first; --json means the same', async () => {
    two()
    const { out, err, code } = await run('--format', 'json')
    const found = JSON.parse(out) as TrafficRow[]
    expect(found.map(({ flow }) => flow)).toEqual([2, 1])
    expect(Object.keys(found[0]!)).toEqual(TRAFFIC_COLUMNS)
    expect(found[0]!.time).toBe('2026-11-21T12:00:01+01:00')
    expect(err).toBe('')
    expect(code).toBe(0)
    expect((await run('--json')).out).toBe(out)
  })

  test('csv has a header line and CRLF', async () => {
    two()
    const { out } = await run('--format', 'csv', '--host', 'facebook.com')
    expect(out.startsWith(CSV_HEADER)).toBe(true)
    const lines = out.split('\r\n')
    expect(lines).toHaveLength(3)
    expect(lines[1]).toContain(',facebook.com,443,')
    expect(lines[2]).toBe('')
  })

  test('the table has a header line and one line a row', async () => {
    two()
    const { out } = await run()
    const lines = out.trimEnd().split('\n')
    expect(lines).toHaveLength(3)
    expect(lines[0]).toMatch(/^TIME +USER +ADDRESS/)
    expect(lines[2]).toMatch(/facebook\.com:443 .*spent +minutes-spent/)
  })

  test('--utc gives times in UTC', async () => {
    two()
    expect((await rows('--utc')).map(({ time }) => time)).toEqual([
      '2026-11-21T11:00:01+00:00',
      '2026-11-21T11:00:00+00:00',
    ])
  })

  test('hostile texts act in none of them', async () => {
    const hostile = '=cmd()\n\u001b[2J\u0000\u202e"'
    write(record({ host: hostile, method: hostile, rule: hostile, path: 'a'.repeat(65_536) }))
    for (const format of ['table', 'csv', 'json']) {
      const { out } = await run('--format', format)
      // biome-ignore lint/suspicious/noControlCharactersInRegex: controls are what this looks for
      expect(out.replace(/\r?\n/g, ''), format).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u202e]/)
      expect(out.split('\n').filter((line) => line !== '').length, format).toBeLessThanOrEqual(3)
    }
    expect((await rows())[0]!.host).toBe(hostile.replace('\u0000', '\u2400'))
  })
})

describe('questions', () => {
  test('people are found by name, though the log has pseudonyms', async () => {
    two()
    expect(await flows('--user', 'Anna')).toEqual([1])
    expect(await flows('--address', '10.1.2.3')).toEqual([2, 1])
    const [row] = await rows('--user', 'anna')
    expect(row!.user).toMatch(/^u-/)
    expect(await flows('--user', row!.user, '--address', row!.address)).toEqual([1])
  })

  test('by verdict, reason, host, zone, category, hello and server name', async () => {
    two()
    expect(await flows('--verdict', 'spent')).toEqual([1])
    expect(await flows('--reason', 'default')).toEqual([2])
    expect(await flows('--host', 'EXAMPLE.se.')).toEqual([2])
    expect(await flows('--zone', 'office')).toEqual([2, 1])
    expect(await flows('--category', 'social')).toEqual([])
    expect(await flows('--hello', 'mismatch')).toEqual([2])
    expect(await flows('--server-name', 'Other.SE')).toEqual([2])
  })

  test('times are local; a lone date as --to includes that day', async () => {
    two()
    expect(await flows('--from', '2026-11-21 12:00:01')).toEqual([2])
    expect(await flows('--to', '2026-11-21T12:00:01')).toEqual([1])
    expect(await flows('--from', '2026-11-21T11:00:01Z')).toEqual([2])
    expect(await flows('--from', '2026-11-21', '--to', '2026-11-21')).toEqual([2, 1])
    expect(await flows('--to', '2026-11-20')).toEqual([])
    expect(await flows('--from', '2026-11-22')).toEqual([])
  })

  test('a limit that cuts is told, one that does not is not', async () => {
    two()
    const cut = await run('--limit', '1', '--json')
    expect(JSON.parse(cut.out)).toHaveLength(1)
    expect(cut.err).toContain('only the newest 1 rows are shown')
    expect(cut.code).toBe(0)
    expect((await run('--limit', '2')).err).toBe('')
  })

  test('no rows: a note, a whole answer, and 0', async () => {
    two()
    for (const [format, expected] of [
      ['table', ''],
      ['csv', CSV_HEADER],
      ['json', '[]\n'],
    ] as const) {
      const { out, err, code } = await run('--format', format, '--user', 'nobody')
      expect([out, err, code], format).toEqual([expected, 'sluss: no rows match\n', 0])
    }
  })

  test('no log at all is no error', async () => {
    expect(await run('--json')).toEqual({ out: '[]\n', err: 'sluss: no rows match\n', code: 0 })
  })

  test('a zone or category that the settings do not have is searched, with a note', async () => {
    write(record({ zone: 'old', categories: 'gone' }))
    const { out, err } = await run('--json', '--zone', 'old', '--category', 'gone')
    expect(JSON.parse(out)).toHaveLength(1)
    expect(err).toContain('no zone of the settings is called "old" (there are office)')
    expect(err).toContain('no category of the settings is called "gone" (there are social)')
  })
})

describe('bad questions', () => {
  const check = (words: string[], ...expected: string[]) =>
    test(words.join(' '), async () => {
      two()
      const { out, err, code } = await run(...words)
      for (const text of expected) expect(err).toContain(text)
      expect([out, code]).toEqual(['', 2])
    })

  check(['--verdict', 'allowed'], '--verdict "allowed"', 'allow, block, spent, challenge, refuse')
  check(['--reason', 'spent'], '--reason "spent"', 'minutes-spent')
  check(['--format', 'xml'], '--format "xml"', 'table, csv, json')
  check(['--host', 'a b'], '--host "a b"', 'host-character')
  check(['--server-name', 'a b'], '--server-name "a b"', 'host-character')
  check(['--hello', 'odd'], '--hello "odd"', 'mismatch')
  check(['--address', '10.1.2'], '--address "10.1.2"', '2001:db8::1')
  check(['--from', 'yesterday'], '--from "yesterday"', '2026-11-21 20:15')
  check(['--to', '2026-02-30'], '--to "2026-02-30"', '2026-11-21 20:15')
  check(['--from', '2026-11-22', '--to', '2026-11-21'], 'is not before')
  check(['--limit', '0'], '--limit "0"', 'From 1 to')
  check(['--limit', '1e3'], '--limit "1e3"')
  check(['--verdict', '\u001b[2J'], '"\\u001b[2J"')

  test('a day that cannot be read: the others are shown, and the exit code is 2', async () => {
    two()
    writeFileSync(join(folder, 'state', 'traffic', '2026-11-20.sqlite'), 'damaged '.repeat(1_000))
    const { out, err, code } = await run('--json')
    expect(JSON.parse(out)).toHaveLength(2)
    expect(err).toContain('2026-11-20.sqlite: the file is damaged')
    expect(code).toBe(2)
  })

  test('a key that is none is told before anything is answered', async () => {
    mkdirSync(join(folder, 'state', 'keys'), { recursive: true })
    writeFileSync(join(folder, 'state', 'keys', 'pseudonym.key'), 'short')
    const { out, err, code } = await run('--user', 'anna')
    expect([out, code]).toEqual(['', 2])
    expect(err).toContain('pseudonym.key: is 5 bytes long')
  })
})

test('a reader that has seen enough ends a long answer quietly', async () => {
  const many = Array.from({ length: 3_000 }, (_, flow) =>
    record({ flow, host: `${flow}`.repeat(50) }),
  )
  write(...many)
  const script = `
    import { Command } from 'commander'
    import { register } from ${JSON.stringify(join(HOME, 'src/cli/log.ts'))}
    const program = new Command().option('--config <file>').option('--set <text>').option('--json')
    register(program)
    await program.parseAsync(process.argv.slice(1), { from: 'user' })`
  const words = [
    'log',
    'search',
    '--config',
    join(folder, 'sluss.yaml'),
    '--json',
    '--limit',
    '9999',
  ]
  const child = spawn(process.execPath, ['--input-type=module', '-e', script, '--', ...words], {
    cwd: HOME,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let complaint = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    complaint += text
  })
  await once(child.stdout, 'data')
  child.stdout.destroy()
  const [code] = await once(child, 'exit')
  expect([code, complaint]).toEqual([0, ''])
})
