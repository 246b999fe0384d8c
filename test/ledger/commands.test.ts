/**
 * Owns: what is answered to questions about minutes and to gifts, in the service and without one.
 * Never: opens a control socket; test/cli does.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type QuotaCommands, quotaCommands } from '../../src/ledger/commands.ts'
import { Ledger } from '../../src/ledger/ledger.ts'
import { LEDGER_FILE, type LedgerStore, openLedgerStore } from '../../src/ledger/store.ts'
import { type LedgerOwner, ledgerKey, type Policy } from '../../src/policy/index.ts'
import { policyWith, zoneWith } from './policy-fixture.ts'

/** 2026-11-21 */
const DAY = 20_778
const clock = () => Date.parse('2026-11-21T10:00:00Z')

let folder = ''
let store: LedgerStore
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sluss-commands-'))
  const opened = openLedgerStore({ file: join(folder, LEDGER_FILE), purpose: 'serve', clock })
  if (!opened.ok) throw new Error(opened.problem.what)
  store = opened.store
})
afterEach(() => {
  store.close()
  rmSync(folder, { recursive: true })
})

const ownerOf = (user: string, zone = 'office', category = 'social'): LedgerOwner => {
  return { zone, user, category }
}

function charge(ledger: Ledger, owner: LedgerOwner, minutes: number[], day = DAY): number {
  const slot = ledger.claim(ledgerKey(owner))
  for (const minute of minutes) ledger.addBytes(slot, day, minute, 1, 1)
  return slot
}

function service(policy: Policy = policyWith({}), users = 16) {
  const ledger = new Ledger(Ledger.allocate(users))
  return { ledger, commands: quotaCommands({ ledger, store, policy: () => policy, clock }) }
}

function files(): QuotaCommands {
  const policy = policyWith({})
  return quotaCommands({ ledger: null, store, policy: () => policy, clock })
}

const usersOf = (commands: QuotaCommands, request: object) =>
  commands['quota.list'](request).rows.map(({ zone, user, used }) => `${zone} ${user} ${used}`)

describe('quota.list', () => {
  it('lists today from the ledgers, in order, without those in which nothing stands', () => {
    const { ledger, commands } = service()
    charge(ledger, ownerOf('cecilia'), [1, 2])
    charge(ledger, ownerOf('anna', 'local'), [1])
    charge(ledger, ownerOf('bertil'), [])
    charge(ledger, ownerOf('anna'), [1, 2, 3])
    charge(ledger, ownerOf('david'), [5], DAY - 1)
    expect(usersOf(commands, {})).toEqual(['local anna 1', 'office anna 3', 'office cecilia 2'])
    expect(usersOf(commands, { zone: 'local' })).toEqual(['local anna 1'])
    expect(usersOf(commands, { user: ' ANNA ' })).toEqual(['local anna 1', 'office anna 3'])
    expect(usersOf(commands, { user: 'anna', zone: 'office' })).toEqual(['office anna 3'])
    expect(usersOf(commands, { user: 'bertil' })).toEqual([])
  })

  it('lists another day from the store', () => {
    const { ledger, commands } = service()
    charge(ledger, ownerOf('anna'), [1, 2], DAY - 1)
    store.saveDirty(ledger, DAY - 1)
    charge(ledger, ownerOf('anna'), [1], DAY)
    expect(usersOf(commands, { day: '2026-11-20' })).toEqual(['office anna 2'])
    expect(usersOf(commands, { day: '2026-11-21' })).toEqual(['office anna 1'])
    expect(usersOf(commands, { day: '2026-11-19' })).toEqual([])
  })

  it('finds an address in any spelling', () => {
    const { ledger, commands } = service()
    charge(ledger, ownerOf('2001:db8::1', 'local'), [1])
    expect(usersOf(commands, { user: '2001:DB8:0::0:1' })).toEqual(['local 2001:db8::1 1'])
  })

  it('answers from the files where no service runs, and with nothing where there are none', () => {
    const { ledger } = service()
    charge(ledger, ownerOf('anna'), [1, 2])
    store.saveDirty(ledger, DAY)
    expect(usersOf(files(), {})).toEqual(['office anna 2'])
    const policy = policyWith({})
    const none = quotaCommands({ ledger: null, store: null, policy: () => policy, clock })
    expect(usersOf(none, {})).toEqual([])
  })

  const check = (name: string, request: unknown, expected: string) =>
    it(`refuses ${name}`, () => {
      expect(() => service().commands['quota.list'](request)).toThrow(expected)
    })
  check('no request', null, 'the request does not hold')
  check('a user that is none', { user: '' }, 'user "": expected 1 to 100 characters')
  check('a user that is no text', { user: 5 }, 'user: ')
  check('a zone that is none', { zone: 'moon' }, 'one of the zones schools, office, library, local')
  check('a day that is none', { day: '2026-02-30' }, 'expected a date such as 2026-11-21')
})

describe('quota.give', () => {
  const request = { user: 'anna', minutes: 30, why: 'Webbsänt fullmäktige', givenBy: 'root' }

  it('is in force at once, on record, and adds up', () => {
    const { ledger, commands } = service()
    const slot = charge(ledger, ownerOf('anna'), [1, 2])
    commands['quota.give'](request)
    const { minutes, row } = commands['quota.give']({ ...request, minutes: 5, user: 'Anna' })
    expect([minutes, ledger.given(slot, DAY)]).toEqual([5, 35])
    expect(row).toMatchObject({ zone: 'office', user: 'anna', used: 2, given: 35, left: 93 })
    expect(row.gifts.map(({ minutes }) => minutes)).toEqual([30, 5])
    expect(store.gifts(DAY)[0]).toEqual({
      timeMs: clock(),
      day: DAY,
      owner: ownerOf('anna'),
      minutes: 30,
      why: 'Webbsänt fullmäktige',
      givenBy: 'root',
    })
  })

  it('makes a ledger where there is none yet', () => {
    const { ledger, commands } = service()
    commands['quota.give'](request)
    expect(ledger.given(ledger.find(ledgerKey(ownerOf('anna'))), DAY)).toBe(30)
    expect(usersOf(commands, {})).toEqual(['office anna 0'])
  })

  it('without a service is in force when one starts', () => {
    expect(files()['quota.give'](request).row).toMatchObject({ given: 30, left: 90 })
    const { ledger } = service()
    store.restore(ledger, DAY)
    expect(ledger.given(ledger.find(ledgerKey(ownerOf('anna'))), DAY)).toBe(30)
  })

  it('is not in force where it cannot be on record', () => {
    const { ledger } = service()
    const policy = policyWith({})
    const none = quotaCommands({ ledger, store: null, policy: () => policy, clock })
    expect(() => none['quota.give'](request)).toThrow('no ledger file')
    expect(ledger.counters().ledgers).toBe(0)
  })

  it('is refused where all ledgers are in use, and not on record', () => {
    const { ledger, commands } = service(policyWith({}), 1)
    charge(ledger, ownerOf('bertil'), [1])
    expect(() => commands['quota.give'](request)).toThrow('raise quota.users')
    expect(store.gifts(DAY)).toEqual([])
  })

  describe('finds the zone', () => {
    const check = (name: string, asked: object, expected: string) =>
      it(name, () => {
        const { ledger, commands } = service()
        charge(ledger, ownerOf('bertil', 'local'), [1])
        charge(ledger, ownerOf('cecilia', 'local'), [1])
        charge(ledger, ownerOf('cecilia', 'office'), [1])
        const given = () => commands['quota.give']({ ...request, ...asked })
        let said: string
        try {
          const { row } = given()
          said = [row.zone, row.user, row.category].join(' ')
        } catch (error) {
          said = error instanceof Error ? error.message : ''
        }
        expect(said).toContain(expected)
      })
    check('where people sign in', { user: 'anna' }, 'office anna social')
    check('where the user was seen today', { user: 'bertil' }, 'local bertil social')
    check('asks where there are two', { user: 'cecilia' }, '--zone: office, local')
    check('that is named', { user: 'cecilia', zone: 'office' }, 'office cecilia social')
    check('of an address', { user: '10.9.1.2' }, 'local 10.9.1.2 social')
    check('not of an address elsewhere', { user: '10.8.1.2' }, 'no zone that counts minutes knows')
    check('that is the user', { user: 'library', zone: 'library' }, 'library library social')
    check('that counts none', { zone: 'schools' }, 'no minutes are counted there')
    check('with another category', { category: 'video' }, 'office anna video')
  })

  const check = (name: string, asked: object, expected: string) =>
    it(`refuses ${name}`, () => {
      const { commands } = service()
      expect(() => commands['quota.give']({ ...request, ...asked })).toThrow(expected)
      expect(store.gifts(DAY)).toEqual([])
    })
  check('no minutes', { minutes: 0 }, 'minutes: ')
  check('too many minutes', { minutes: 601 }, 'minutes: ')
  check('half a minute', { minutes: 1.5 }, 'minutes: ')
  check('no reason', { why: ' ' }, 'why " ": expected 1 to 200 characters on one line')
  check('a reason of two lines', { why: 'a\nb' }, 'on one line')
  check('a reason that is too long', { why: 'x'.repeat(201) }, 'expected 1 to 200')
  check('nobody’s gift', { givenBy: '' }, 'the giver ""')
  check('a category that is blocked', { category: 'porn' }, 'action quota: social, video')
  check('a category that is none', { category: 'moon' }, 'category "moon"')

  it('refuses where there is no quota at all', () => {
    const { commands } = service(policyWith({ categories: [] }))
    expect(() => commands['quota.give'](request)).toThrow('no category in the settings')
  })

  it('asks where people may sign in in two zones', () => {
    const zones = [zoneWith('north', {}), zoneWith('south', {})]
    const { commands } = service(policyWith({ zones }))
    expect(() => commands['quota.give'](request)).toThrow('--zone: north, south')
  })
})
