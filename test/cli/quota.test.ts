/**
 * Owns: `./sluss quota` as typed: what is printed and with which exit code, with a service and without.
 * Never: starts a whole service; its control socket, ledger and store are enough.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Command } from 'commander'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { register } from '../../src/cli/quota.ts'
import { quotaCommands } from '../../src/ledger/commands.ts'
import { Ledger } from '../../src/ledger/ledger.ts'
import type { QuotaRow } from '../../src/ledger/report.ts'
import { LEDGER_FILE, openLedgerStore } from '../../src/ledger/store.ts'
import { ledgerKey } from '../../src/policy/index.ts'
import { ControlSocket } from '../../src/service/control.ts'
import { policyWith } from '../ledger/policy-fixture.ts'

/** 2026-11-21 */
const DAY = 20_778
const clock = () => Date.parse('2026-11-21T10:00:00Z')

const SETTINGS = `
version: 1
state: var
zones:
  - { name: office, networks: [10.0.0.0/8], identify: basic }
identity: { basic: { users: users.txt } }
categories:
  social: { action: quota, minutes: 60, lists: [social.txt] }
`

let folder = ''
let state = ''
const closers: (() => void)[] = []
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sluss-quota-'))
  state = join(folder, 'var')
  writeFileSync(join(folder, 'sluss.yaml'), SETTINGS)
  for (const name of ['users.txt', 'social.txt']) writeFileSync(join(folder, name), '')
})
afterEach(() => {
  for (const close of closers.splice(0)) close()
  vi.restoreAllMocks()
  rmSync(folder, { recursive: true })
})

interface Said {
  readonly out: string
  readonly err: string
  readonly code: number
}

/** A command's end by process.exit, or by an error that main.ts would print with 2. */
class Exit extends Error {}

async function sluss(...words: string[]): Promise<Said> {
  const said = { out: '', err: '' }
  const into = (key: 'out' | 'err') => (text: string | Uint8Array) => {
    said[key] += String(text)
    return true
  }
  vi.spyOn(process.stdout, 'write').mockImplementation(into('out'))
  vi.spyOn(process.stderr, 'write').mockImplementation(into('err'))
  vi.spyOn(process, 'exit').mockImplementation((code) => {
    throw new Exit(String(code))
  })
  const program = new Command('sluss').option('--config <file>').option('--json').exitOverride()
  register(program)
  process.exitCode = 0
  try {
    await program.parseAsync(['--config', join(folder, 'sluss.yaml'), ...words], { from: 'user' })
    return { ...said, code: Number(process.exitCode) }
  } catch (error) {
    if (!(error instanceof Error)) throw error
    const err = error instanceof Exit ? said.err : `${said.err}${error.message}`
    return { ...said, err, code: 2 }
  } finally {
    process.exitCode = 0
    vi.restoreAllMocks()
  }
}

function storeHere() {
  mkdirSync(state, { recursive: true })
  const opened = openLedgerStore({ file: join(state, LEDGER_FILE), purpose: 'serve', clock })
  if (!opened.ok) throw new Error(opened.problem.what)
  return opened.store
}

function charge(ledger: Ledger, user: string, minutes: number[]): void {
  const slot = ledger.claim(ledgerKey({ zone: 'office', user, category: 'social' }))
  for (const minute of minutes) ledger.addBytes(slot, DAY, minute, 1, 1)
}

/** A service's side of the socket, on 2026-11-21. */
async function service(): Promise<Ledger> {
  const store = storeHere()
  const ledger = new Ledger(Ledger.allocate(16))
  const policy = policyWith({})
  const commands = quotaCommands({ ledger, store, policy: () => policy, clock })
  const socket = new ControlSocket(state, { ...commands })
  await socket.listen()
  closers.push(
    () => socket.close(),
    () => store.close(),
  )
  return ledger
}

const MORNING = [492, 493, 494, 495, 496, 497, 498, 499, 500, 605]

describe('sluss quota, with a service', () => {
  it('lists who used how much today', async () => {
    const ledger = await service()
    charge(ledger, 'bertil', [0])
    charge(ledger, 'anna.andersson', MORNING)
    const { out, code } = await sluss('quota')
    expect(code).toBe(0)
    expect(out).toBe(
      [
        '2026-11-21  2026-11-21T00:00:00+01:00 – 2026-11-22T00:00:00+01:00',
        '',
        'user            zone    category  used  limit  given  left  minutes',
        'anna.andersson  office  social    10    60     0      50    08:12–08:20, 10:05',
        'bertil          office  social    1     60     0      59    00:00',
        '',
      ].join('\n'),
    )
  })

  it('shows one user’s day', async () => {
    charge(await service(), 'anna', MORNING)
    await sluss('quota', 'give', 'anna', '30', '--why', 'Webbsänt fullmäktige')
    const { out, code } = await sluss('quota', 'Anna')
    expect(code).toBe(0)
    expect(out).toContain('anna  office  social    10    60     30     80    08:12–08:20, 10:05')
    const signs = `${'·'.repeat(16)}▃···▁${'·'.repeat(27)}`
    expect(out).toContain(`office, social  00:00 ${signs} 00:00`)
    expect(out).toMatch(/2026-11-21T11:00:00\+01:00 {2}30 given by \S+: Webbsänt fullmäktige/)
  })

  it('gives the same rows as JSON', async () => {
    charge(await service(), 'anna', [600])
    const { out } = await sluss('quota', 'anna', '--json')
    expect(JSON.parse(out)).toEqual([
      {
        day: '2026-11-21',
        user: 'anna',
        zone: 'office',
        category: 'social',
        used: 1,
        limit: 60,
        given: 0,
        left: 59,
        minutes: '10:00',
        runs: [{ first: 600, last: 600 }],
        gifts: [],
      },
    ])
  })

  it('gives minutes, and prints the new balance', async () => {
    const ledger = await service()
    const { out, code } = await sluss(
      'quota',
      'give',
      'anna',
      '30',
      '--why',
      'val',
      '--zone',
      'office',
    )
    expect(code).toBe(0)
    expect(out).toContain('30 minutes given.')
    expect(out).toContain('anna  office  social    0     60     30     90')
    const slot = ledger.find(ledgerKey({ zone: 'office', user: 'anna', category: 'social' }))
    expect(ledger.given(slot, DAY)).toBe(30)
  })

  it('says 1 where there is nothing of the user', async () => {
    await service()
    const { out, code } = await sluss('quota', 'nobody')
    expect([out, code]).toEqual(['nobody: no minutes are used or given on 2026-11-21.\n', 1])
    expect(await sluss('quota', 'nobody', '--json')).toMatchObject({ out: '[]\n', code: 1 })
    expect(await sluss('quota')).toMatchObject({ code: 0 })
  })

  it('passes on what the service has against it', async () => {
    await service()
    const { err, code } = await sluss('quota', 'anna', '--day', 'tomorrow')
    expect([err, code]).toEqual(['day "tomorrow": expected a date such as 2026-11-21', 2])
  })
})

describe('sluss quota, without a service', () => {
  it('reads the files', async () => {
    const store = storeHere()
    const ledger = new Ledger(Ledger.allocate(16))
    charge(ledger, 'anna', MORNING)
    store.saveDirty(ledger, DAY)
    store.close()
    const { out, code } = await sluss('quota', 'anna', '--day', '2026-11-21')
    expect(code).toBe(0)
    expect(out).toContain('anna  office  social    10    60     0      50    08:12–08:20, 10:05')
  })

  it('gives for today, in force when a service starts', async () => {
    const { out, code } = await sluss('quota', 'give', 'anna', '45', '--why', 'val', '--json')
    expect(code).toBe(0)
    const { day } = JSON.parse(out) as QuotaRow
    const listed = await sluss('quota', 'anna', '--day', day, '--json')
    const rows = JSON.parse(listed.out) as QuotaRow[]
    expect(rows).toMatchObject([{ user: 'anna', zone: 'office', given: 45, left: 105 }])
  })

  it('has nothing to say where there never was one', async () => {
    const { out, code } = await sluss('quota', '--day', '2026-11-21')
    expect([out.split('\n').at(-2), code]).toEqual(['No minutes are used or given.', 0])
  })

  it('names a file that is broken, and what happens to it', async () => {
    mkdirSync(state)
    writeFileSync(join(state, LEDGER_FILE), 'no database\n'.repeat(1_000))
    const { err, code } = await sluss('quota')
    expect(code).toBe(2)
    expect(err).toContain(join(state, LEDGER_FILE))
    expect(err).toContain('moves it aside')
  })
})

describe('sluss quota give refuses', () => {
  const check = (name: string, words: string[], expected: string) =>
    it(name, async () => {
      const { err, code } = await sluss('quota', 'give', ...words)
      expect([code, err]).toEqual([2, expect.stringContaining(expected)])
    })
  const why = ['--why', 'val']
  check('no reason', ['anna', '30'], '--why')
  check('an empty reason', ['anna', '30', '--why', ''], 'why "": expected 1 to 200')
  check('no minutes', ['anna', '0', ...why], 'MINUTES "0" cannot be given')
  check('too many', ['anna', '601', ...why], 'from 1 to 600')
  check('half a minute', ['anna', '1.5', ...why], 'from 1 to 600')
  check('no number', ['anna', 'all', ...why], 'from 1 to 600')
  check('another day', ['anna', '5', ...why, '--day', '2026-11-21'], 'for today only')
  check('a zone that is none', ['anna', '5', ...why, '--zone', 'moon'], 'zone "moon"')
  check('a category that is none', ['anna', '5', ...why, '--category', 'moon'], 'category "moon"')
})
