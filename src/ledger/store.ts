/**
 * Owns: the ledgers on disk: saving them, restoring the day, gifts of minutes, weeding.
 * Never: lets a saved minute vanish within its day: what is saved is OR-merged into its row.
 *
 * Everything may be done twice with the same result, except giving.
 */
import { type LedgerOwner, ledgerKey } from '../policy/index.ts'
import type { Clock } from './clock.ts'
import { BITMAP_WORDS, type Bitmap, type Ledger } from './ledger.ts'
import {
  type Connection,
  openFile,
  type Purpose,
  problemOf,
  type StoreProblem,
} from './store-file.ts'

export type { Purpose, StoreProblem } from './store-file.ts'

/** Of one owner, what a day holds. `day` is the number of a local day. */
export interface DayLedger {
  readonly owner: LedgerOwner
  readonly bitmap: Bitmap
  /** Minutes given beyond the category's own. */
  readonly given: number
}

/** Minutes given by a person to a person. */
export interface Gift {
  readonly timeMs: number
  readonly day: number
  readonly owner: LedgerOwner
  readonly minutes: number
  readonly why: string
  readonly givenBy: string
}

export interface StoreOptions {
  /** LEDGER_FILE in the state folder, which must exist. */
  readonly file: string
  readonly purpose: Purpose
  readonly clock: Clock
}

export type StoreOpening =
  | {
      readonly ok: true
      readonly store: LedgerStore
      /** Where a corrupt file was moved; the store then starts empty. Null: it was whole. */
      readonly movedTo: string | null
    }
  | { readonly ok: false; readonly problem: StoreProblem }

export interface Saved {
  /** Rows written. */
  readonly rows: number
  /** Why nothing was saved; the ledgers are saved with the next call instead. */
  readonly problem: StoreProblem | null
}

export interface Restored {
  readonly ledgers: number
  readonly minutesGiven: number
  /** Owners for whom there was no room (`quota.users`). */
  readonly refused: number
  /** Why nothing could be read. */
  readonly problem: StoreProblem | null
}

export interface Purged {
  /** Rows deleted. */
  readonly rows: number
  readonly problem: StoreProblem | null
}

/** Its name in the state folder. */
export const LEDGER_FILE = 'ledger.sqlite'

export function openLedgerStore({ file, purpose, clock }: StoreOptions): StoreOpening {
  const opened = openFile(file, purpose, clock())
  if (!opened.ok) return opened
  return { ok: true, store: new LedgerStore(opened.connection, clock), movedTo: opened.movedTo }
}

interface OwnerRow {
  readonly zone: string
  readonly user: string
  readonly category: string
}

type LedgerRow = OwnerRow & { readonly minutes: Buffer }
type GivenRow = OwnerRow & { readonly minutes: number }
type GiftRow = GivenRow & { readonly time: number; readonly why: string; readonly given_by: string }

const SAVE = `
  INSERT INTO ledgers (day, zone, user, category, minutes, updated) VALUES (?, ?, ?, ?, ?, ?)
  ON CONFLICT DO UPDATE SET minutes = bits_or(minutes, excluded.minutes), updated = excluded.updated`

const GIVEN = `
  SELECT zone, user, category, sum(minutes) AS minutes FROM given WHERE day = ?
  GROUP BY zone, user, category`

export class LedgerStore {
  readonly #db: Connection
  readonly #clock: Clock
  /** The day of the last save. */
  #day = 0

  constructor(connection: Connection, clock: Clock) {
    this.#db = connection
    this.#clock = clock
    this.#db.function('bits_or', { deterministic: true }, bitsOr)
  }

  /**
   * Saves the ledgers that got a minute since the last call, in one transaction; call it every second.
   * At the first call of a new day, the last minutes of the day before are saved too.
   */
  saveDirty(ledger: Ledger, day: number): Saved {
    const days = this.#day === 0 || this.#day === day ? [day] : [this.#day, day]
    const slots = ledger.takeDirty()
    if (slots.length === 0) {
      this.#day = day
      return { rows: 0, problem: null }
    }
    try {
      const rows = this.#db.transaction(() => this.#save(ledger, slots, days)).immediate()
      this.#day = day
      return { rows, problem: null }
    } catch (error) {
      ledger.markDirty(slots)
      return { rows: 0, problem: this.problemOf(error) }
    }
  }

  #save(ledger: Ledger, slots: readonly number[], days: readonly number[]): number {
    const statement = this.#db.prepare(SAVE)
    const updated = this.#clock()
    let rows = 0
    for (const slot of slots) {
      const owner = ledger.owner(slot)
      if (owner === null) continue
      for (const day of days) {
        const bitmap = ledger.bitmap(slot, day)
        if (bitmap.every((word) => word === 0)) continue
        const { zone, user, category } = owner
        statement.run(dateOf(day), zone, user, category, toBytes(bitmap), updated)
        rows++
      }
    }
    return rows
  }

  /** Brings what is saved of `day` into `ledger`. Minutes it already has stay. */
  restore(ledger: Ledger, day: number): Restored {
    let minutesGiven = 0
    let refused = 0
    let ledgers: readonly DayLedger[]
    try {
      ledgers = this.ledgers(day)
    } catch (error) {
      return { ledgers: 0, minutesGiven, refused, problem: this.problemOf(error) }
    }
    for (const { owner, bitmap, given } of ledgers) {
      const slot = ledger.claim(ledgerKey(owner))
      if (slot < 0) {
        refused++
        continue
      }
      ledger.merge(slot, day, bitmap)
      const missing = given - ledger.given(slot, day)
      if (missing > 0) ledger.give(slot, day, missing)
      minutesGiven += given
    }
    return { ledgers: ledgers.length - refused, minutesGiven, refused, problem: null }
  }

  /**
   * Every ledger of `day`, and every owner who was given minutes, by zone, user and category. Throws what
   * `problemOf` explains; so does `gifts`.
   */
  ledgers(day: number): DayLedger[] {
    const date = dateOf(day)
    const found = new Map<string, DayLedger>()
    const rows = this.#db.prepare<[string], LedgerRow>('SELECT * FROM ledgers WHERE day = ?')
    for (const { zone, user, category, minutes } of rows.all(date)) {
      const owner = { zone, user, category }
      found.set(ledgerKey(owner), { owner, bitmap: fromBytes(minutes), given: 0 })
    }
    for (const { minutes, ...owner } of this.#db.prepare<[string], GivenRow>(GIVEN).all(date)) {
      const key = ledgerKey(owner)
      const bitmap = found.get(key)?.bitmap ?? fromBytes(Buffer.alloc(0))
      found.set(key, { owner, bitmap, given: minutes })
    }
    return [...found].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, ledger]) => ledger)
  }

  /** Keeps a gift, on the disk when this returns; the service also gives it to its ledger. */
  give(gift: Gift): StoreProblem | null {
    const { owner, timeMs, minutes, why, givenBy } = gift
    const sql = `INSERT INTO given (time, day, zone, user, category, minutes, why, given_by)
                 VALUES (?, ?, ?, ?, ?, ?, ?, ?)`
    try {
      this.#db.pragma('synchronous = FULL')
      const { zone, user, category } = owner
      const values = [timeMs, dateOf(gift.day), zone, user, category, minutes, why, givenBy]
      this.#db.prepare(sql).run(...values)
      return null
    } catch (error) {
      return this.problemOf(error)
    } finally {
      this.#db.pragma('synchronous = NORMAL')
    }
  }

  /** What was given on `day`, in order. */
  gifts(day: number): Gift[] {
    const sql = 'SELECT * FROM given WHERE day = ? ORDER BY id'
    return this.#db
      .prepare<[string], GiftRow>(sql)
      .all(dateOf(day))
      .map(({ zone, user, category, time, minutes, why, given_by }) => {
        const owner = { zone, user, category }
        return { timeMs: time, day, owner, minutes, why, givenBy: given_by }
      })
  }

  /** Weeds every ledger and gift of a day before `beforeDay`. */
  purge(beforeDay: number): Purged {
    const date = dateOf(beforeDay)
    const weed = (table: 'ledgers' | 'given') =>
      this.#db.prepare(`DELETE FROM ${table} WHERE day < ?`).run(date).changes
    try {
      const rows = this.#db.transaction(() => weed('ledgers') + weed('given')).immediate()
      return { rows, problem: null }
    } catch (error) {
      return { rows: 0, problem: this.problemOf(error) }
    }
  }

  /** What a failed read means to people; a bug is thrown again. */
  problemOf(error: unknown): StoreProblem {
    return problemOf(this.#db.name, error)
  }

  close(): void {
    this.#db.close()
  }
}

const DAY_MS = 86_400_000

/** `2026-11-21`, which sorts as the numbers do (years 0 to 9999). */
function dateOf(day: number): string {
  return new Date(day * DAY_MS).toISOString().slice(0, 10)
}

/** The words of a bitmap are little-endian, as on every machine that Sluss runs on: bytes are bits in order. */
function toBytes(bitmap: Bitmap): Buffer {
  return Buffer.from(bitmap.buffer)
}

/** A row that is too short lacks its last minutes; what is too long is cut off. */
function fromBytes(bytes: Buffer): Bitmap {
  const bitmap = new Uint32Array(BITMAP_WORDS)
  const room = new Uint8Array(bitmap.buffer)
  room.set(bytes.subarray(0, room.length))
  return bitmap
}

function bitsOr(a: Buffer, b: Buffer): Buffer {
  const union = fromBytes(a)
  for (const [i, word] of fromBytes(b).entries()) union[i]! |= word
  return toBytes(union)
}
