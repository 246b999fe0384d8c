/**
 * Owns: ledgers on disk: saved, restored, weeded, whatever happened to the process or the file.
 * Never: needs a service.
 */
import {
  chmodSync,
  copyFileSync,
  existsSync,
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
import Database from 'better-sqlite3'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Ledger, minutesIn } from '../../src/ledger/ledger.ts'
import {
  type Gift,
  LEDGER_FILE,
  type LedgerStore,
  openLedgerStore,
  type Purpose,
} from '../../src/ledger/store.ts'
import { type LedgerOwner, ledgerKey } from '../../src/policy/index.ts'

/** 2026-11-21 */
const DAY = 20_778
const NOW_MS = Date.parse('2026-11-21T10:00:00Z')
const clock = () => NOW_MS

let folder = ''
let file = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sluss-ledger-'))
  file = join(folder, LEDGER_FILE)
})
afterEach(() => rmSync(folder, { recursive: true }))

function open(purpose: Purpose = 'serve', path = file): LedgerStore {
  const opened = openLedgerStore({ file: path, purpose, clock })
  if (!opened.ok) throw new Error(`${opened.problem.code}: ${opened.problem.what}`)
  return opened.store
}

function problemOf(purpose: Purpose, path = file): string {
  const opened = openLedgerStore({ file: path, purpose, clock })
  return opened.ok ? 'none' : opened.problem.code
}

const ownerOf = (user: string): LedgerOwner => ({ zone: 'office', user, category: 'social' })
const newLedger = () => new Ledger(Ledger.allocate(64))

function charge(ledger: Ledger, user: string, day: number, minutes: readonly number[]): void {
  const slot = ledger.claim(ledgerKey(ownerOf(user)))
  for (const minute of minutes) ledger.addBytes(slot, day, minute, 1, 1)
}

function minutesOf(ledger: Ledger, user: string, day = DAY): number[] {
  return ledger.minutes(ledger.find(ledgerKey(ownerOf(user))), day)
}

function givenTo(user: string, minutes: number, day = DAY): Gift {
  return { timeMs: NOW_MS, day, owner: ownerOf(user), minutes, why: 'fullmäktige', givenBy: 'it' }
}

/** What a process finds that starts after this one was killed: the files as they are now. */
function afterCrash(): string {
  const copy = mkdtempSync(join(folder, 'copy-'))
  for (const name of readdirSync(folder)) {
    if (name.startsWith(LEDGER_FILE)) copyFileSync(join(folder, name), join(copy, name))
  }
  return join(copy, LEDGER_FILE)
}

describe('saving', () => {
  it('survives the death of the process, with what was given', () => {
    const store = open()
    const ledger = newLedger()
    charge(ledger, 'anna', DAY, [0, 31, 32, 720, 1_499])
    charge(ledger, 'bertil', DAY, [5])
    expect(store.give(givenTo('anna', 30))).toBe(null)
    expect(store.give(givenTo('anna', 15))).toBe(null)
    expect(store.give(givenTo('cecilia', 10))).toBe(null)
    expect(store.saveDirty(ledger, DAY)).toEqual({ rows: 2, problem: null })

    const again = newLedger()
    const survivor = open('serve', afterCrash())
    const restored = { ledgers: 3, minutesGiven: 55, refused: 0, problem: null }
    expect(survivor.restore(again, DAY)).toEqual(restored)
    expect(minutesOf(again, 'anna')).toEqual([0, 31, 32, 720, 1_499])
    expect(minutesOf(again, 'bertil')).toEqual([5])
    const given = ['anna', 'bertil', 'cecilia'].map((user) =>
      again.given(again.find(ledgerKey(ownerOf(user))), DAY),
    )
    expect(given).toEqual([45, 0, 10])
    expect(again.takeDirty()).toEqual([])
    survivor.close()
    store.close()
  })

  it('loses only what came after the last save', () => {
    const store = open()
    const ledger = newLedger()
    charge(ledger, 'anna', DAY, [1, 2])
    store.saveDirty(ledger, DAY)
    charge(ledger, 'anna', DAY, [3])
    const again = newLedger()
    const survivor = open('serve', afterCrash())
    survivor.restore(again, DAY)
    expect(minutesOf(again, 'anna')).toEqual([1, 2])
    survivor.close()
    store.close()
  })

  it('writes only what changed', () => {
    const store = open()
    const ledger = newLedger()
    expect(store.saveDirty(ledger, DAY).rows).toBe(0)
    charge(ledger, 'anna', DAY, [1])
    charge(ledger, 'bertil', DAY, [1])
    expect(store.saveDirty(ledger, DAY).rows).toBe(2)
    expect(store.saveDirty(ledger, DAY).rows).toBe(0)
    charge(ledger, 'bertil', DAY, [2])
    expect(store.saveDirty(ledger, DAY).rows).toBe(1)
    store.close()
  })

  it('never shrinks a row: runs that know nothing of each other add up', () => {
    const minutes = fc.array(fc.integer({ min: 0, max: 1_499 }), { maxLength: 50 })
    fc.assert(
      fc.property(fc.array(minutes, { minLength: 1, maxLength: 4 }), (runs) => {
        rmSync(file, { force: true })
        const store = open()
        for (const run of [...runs, ...runs]) {
          const ledger = newLedger()
          charge(ledger, 'anna', DAY, run)
          store.saveDirty(ledger, DAY)
        }
        const saved = store.ledgers(DAY).flatMap(({ bitmap }) => minutesIn(bitmap))
        expect(saved).toEqual([...new Set(runs.flat())].toSorted((a, b) => a - b))
        store.close()
      }),
      { numRuns: 15 },
    )
  })

  it('saves the last minute of a day at the first save of the next', () => {
    const store = open()
    const ledger = newLedger()
    charge(ledger, 'anna', DAY, [600])
    store.saveDirty(ledger, DAY)
    charge(ledger, 'anna', DAY, [1_439])
    charge(ledger, 'anna', DAY + 1, [0])
    expect(store.saveDirty(ledger, DAY + 1).rows).toBe(2)
    const saved = (day: number) => store.ledgers(day).map(({ bitmap }) => minutesIn(bitmap))
    expect(saved(DAY)).toEqual([[600, 1_439]])
    expect(saved(DAY + 1)).toEqual([[0]])
    store.close()
  })

  it('that fails is a value, and is made up for by the next', () => {
    const store = open()
    const ledger = newLedger()
    charge(ledger, 'anna', DAY, [1])
    const other = new Database(file)
    other.exec('BEGIN IMMEDIATE')
    const saved = store.saveDirty(ledger, DAY)
    expect([saved.rows, saved.problem?.code]).toEqual([0, 'unavailable'])
    expect(saved.problem?.what).toContain('locked')
    other.exec('ROLLBACK')
    other.close()
    expect(store.saveDirty(ledger, DAY).rows).toBe(1)
    store.close()
  })
})

describe('restoring', () => {
  it('may be done twice, and beside minutes that are already there', () => {
    const store = open()
    const ledger = newLedger()
    charge(ledger, 'anna', DAY, [1, 2])
    store.saveDirty(ledger, DAY)
    store.give(givenTo('anna', 30))
    charge(ledger, 'anna', DAY, [3])
    store.restore(ledger, DAY)
    store.restore(ledger, DAY)
    expect(minutesOf(ledger, 'anna')).toEqual([1, 2, 3])
    expect(ledger.given(ledger.find(ledgerKey(ownerOf('anna'))), DAY)).toBe(30)
    store.close()
  })

  it('brings back one day and no other', () => {
    const store = open()
    const ledger = newLedger()
    charge(ledger, 'anna', DAY - 1, [1, 2])
    store.saveDirty(ledger, DAY - 1)
    store.give(givenTo('anna', 30, DAY - 1))
    const today = newLedger()
    expect(store.restore(today, DAY).ledgers).toBe(0)
    expect(minutesOf(today, 'anna')).toEqual([])
    store.close()
  })

  it('says for whom there was no room', () => {
    const store = open()
    const ledger = newLedger()
    for (const user of ['a', 'b', 'c']) charge(ledger, user, DAY, [1])
    store.saveDirty(ledger, DAY)
    const small = new Ledger(Ledger.allocate(2))
    expect(store.restore(small, DAY)).toMatchObject({ ledgers: 2, refused: 1 })
    store.close()
  })

  it('takes a row that is too short or too long for what it is', () => {
    open().close()
    const db = new Database(file)
    const insert = db.prepare("INSERT INTO ledgers VALUES ('2026-11-21','office',?,'social',?,0)")
    insert.run('short', Buffer.from([0b101]))
    insert.run('long', Buffer.alloc(500, 0xff))
    db.close()
    const store = open()
    const ledger = newLedger()
    store.restore(ledger, DAY)
    expect(minutesOf(ledger, 'short')).toEqual([0, 2])
    expect(minutesOf(ledger, 'long').length).toBe(1_500)
    store.close()
  })
})

describe('gifts', () => {
  it('are kept in order, and are not changed afterwards', () => {
    const store = open()
    const gifts = [givenTo('anna', 30), givenTo('bertil', 600), givenTo('anna', 1)]
    for (const gift of gifts) store.give(gift)
    store.give(givenTo('anna', 7, DAY + 1))
    expect(store.gifts(DAY)).toEqual(gifts)
    store.close()
    const db = new Database(file)
    expect(() => db.exec('UPDATE given SET minutes = 1')).toThrow('not changed afterwards')
    db.close()
  })
})

describe('weeding', () => {
  it('takes the days before, ledgers and gifts, and nothing else', () => {
    const store = open()
    for (const day of [DAY - 2, DAY - 1, DAY]) {
      const ledger = newLedger()
      charge(ledger, 'anna', day, [1])
      store.saveDirty(ledger, day)
      store.give(givenTo('anna', 5, day))
    }
    expect(store.purge(DAY - 1)).toEqual({ rows: 2, problem: null })
    const left = [DAY - 2, DAY - 1, DAY].map((day) => store.ledgers(day).length)
    expect(left).toEqual([0, 1, 1])
    expect(store.gifts(DAY - 2)).toEqual([])
    store.close()
  })
})

describe('the file', () => {
  const wreck = (how: string) => {
    if (how === 'text')
      writeFileSync(file, 'these are not the minutes you are looking for\n'.repeat(99))
    if (how === 'cut off') truncateSync(file, 9_000)
    if (how === 'overwritten') {
      const bytes = readFileSync(file)
      writeFileSync(file, bytes.fill(0x5a, 4_096))
    }
  }

  it.each(['text', 'cut off', 'overwritten'])('is moved aside where it is %s', (how) => {
    const store = open()
    const ledger = newLedger()
    charge(ledger, 'anna', DAY, [1])
    store.saveDirty(ledger, DAY)
    store.close()
    wreck(how)
    const wrecked = readFileSync(file)

    const opened = openLedgerStore({ file, purpose: 'serve', clock })
    if (!opened.ok) throw new Error(opened.problem.what)
    expect(opened.movedTo).toBe(`${file}.corrupt-2026-11-21T10-00-00.000Z`)
    expect(readFileSync(opened.movedTo!)).toEqual(wrecked)
    expect(opened.store.ledgers(DAY)).toEqual([])
    charge(ledger, 'anna', DAY, [2])
    expect(opened.store.saveDirty(ledger, DAY).rows).toBe(1)
    opened.store.close()
  })

  it('is not moved by a command, which says what is wrong', () => {
    wreck('text')
    expect([problemOf('read'), problemOf('write')]).toEqual(['corrupt', 'corrupt'])
    expect(readdirSync(folder)).toEqual([LEDGER_FILE])
  })

  it('of a later version is left alone', () => {
    open().close()
    const db = new Database(file)
    db.exec('UPDATE schema_version SET version = 2')
    db.close()
    const before = readFileSync(file)
    expect(problemOf('serve')).toBe('newer')
    expect(readFileSync(file)).toEqual(before)
  })

  it('is not made by reading', () => {
    expect(problemOf('read')).toBe('missing')
    expect(existsSync(file)).toBe(false)
    writeFileSync(file, '')
    expect(problemOf('read')).toBe('missing')
  })

  it('in a folder that is not there is a value', () => {
    expect(problemOf('serve', join(folder, 'none', LEDGER_FILE))).toBe('unavailable')
  })

  it('is its owner’s alone, with its log', () => {
    writeFileSync(file, '')
    chmodSync(file, 0o644)
    const store = open()
    store.give(givenTo('anna', 1))
    const modes = readdirSync(folder).map((name) => statSync(join(folder, name)).mode & 0o777)
    expect(modes).toEqual([0o600, 0o600, 0o600])
    store.close()
  })

  it('is read by a command while the service writes', () => {
    const store = open()
    const ledger = newLedger()
    charge(ledger, 'anna', DAY, [1])
    store.saveDirty(ledger, DAY)
    const reader = open('read')
    expect(reader.ledgers(DAY).map(({ owner }) => owner.user)).toEqual(['anna'])
    charge(ledger, 'bertil', DAY, [1])
    expect(store.saveDirty(ledger, DAY).rows).toBe(1)
    expect(reader.ledgers(DAY).map(({ owner }) => owner.user)).toEqual(['anna', 'bertil'])
    reader.close()
    store.close()
  })
})
