/**
 * Owns: the ledgers of the running service: their memory, restoring at start, saving each second, weeding.
 * Never: charges a minute; proxy threads do.
 */
import { statSync } from 'node:fs'
import { join } from 'node:path'
import type { Clock } from '../ledger/clock.ts'
import { Ledger } from '../ledger/ledger.ts'
import { LEDGER_FILE, type LedgerStore, openLedgerStore } from '../ledger/store.ts'
import type { StoreProblem } from '../ledger/store-file.ts'
import { type Calendar, localDay } from '../policy/index.ts'
import type { Settings } from '../settings/schema.ts'
import type { Log } from './log.ts'

/** DESIGN section 5 asks for 5 s at most; a kill then costs the second that was under way. */
export const SAVE_MS = 1_000

export class Ledgers {
  readonly buffer: SharedArrayBuffer
  readonly ledger: Ledger
  readonly store: LedgerStore
  readonly #clock: Clock
  readonly #log: Log
  readonly #file: string
  /** Which file it is, however it is called: the one that is open. */
  readonly #inode: number | undefined
  #retentionMs: number
  #calendar: Calendar
  #day: number
  #timer: NodeJS.Timeout | null = null
  /** What people must look at, or null. */
  alarm: string | null = null

  private constructor(store: LedgerStore, settings: Settings, clock: Clock, log: Log) {
    this.buffer = Ledger.allocate(settings.quota.users)
    this.ledger = new Ledger(this.buffer)
    this.store = store
    this.#clock = clock
    this.#log = log
    this.#file = join(settings.state, LEDGER_FILE)
    this.#inode = inodeOf(this.#file)
    this.#calendar = settings.day
    this.#retentionMs = settings.quota.retentionMs
    this.#day = localDay(this.#calendar, clock()).number
  }

  /** Opens the store and restores today, or says why it cannot. */
  static open(settings: Settings, clock: Clock, log: Log): Ledgers | string {
    const file = join(settings.state, LEDGER_FILE)
    const opening = openLedgerStore({ file, purpose: 'serve', clock })
    if (!opening.ok) return `${opening.problem.what}; ${opening.problem.hint}`
    if (opening.movedTo !== null) {
      const movedTo = opening.movedTo
      log.error({ movedTo }, 'the ledgers were corrupt: moved aside, and today starts empty')
    }
    const ledgers = new Ledgers(opening.store, settings, clock, log)
    ledgers.#restore()
    ledgers.#weed()
    return ledgers
  }

  configure({ day, quota }: Settings): void {
    this.#calendar = day
    this.#retentionMs = quota.retentionMs
  }

  start(): void {
    this.#timer = setInterval(() => this.save(), SAVE_MS)
  }

  save(): void {
    const day = localDay(this.#calendar, this.#clock()).number
    const { problem: unsaved } = this.store.saveDirty(this.ledger, day)
    const problem = unsaved ?? this.#removed()
    if (problem !== null && this.alarm === null) {
      this.#log.error({ hint: problem.hint }, problem.what)
    }
    if (problem === null && this.alarm !== null) this.#log.warn('the ledgers are saved again')
    this.alarm = problem === null ? null : problem.what
    if (day === this.#day) return
    this.#day = day
    // Minutes given for a day before it began.
    this.#restore()
    this.#weed()
  }

  /** SQLite goes on writing to a file that has no name any more, and nobody would ever read it. */
  #removed(): Pick<StoreProblem, 'what' | 'hint'> | null {
    if (inodeOf(this.#file) === this.#inode) return null
    const what = `${this.#file} was removed or replaced: minutes are kept in memory only`
    return { what, hint: 'put it back, or start Sluss again: the minutes of today then begin anew' }
  }

  /** Saves what there is, and closes. */
  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer)
    this.save()
    this.store.close()
  }

  #restore(): void {
    const { ledgers, minutesGiven, refused, problem } = this.store.restore(this.ledger, this.#day)
    if (problem !== null) this.#log.error({ hint: problem.hint }, problem.what)
    if (refused > 0) {
      this.#log.error({ refused }, 'ledgers do not fit: raise quota.users and start again')
    }
    if (ledgers > 0)
      this.#log.info({ ledgers, minutesGiven }, 'the ledgers of the day are restored')
  }

  #weed(): void {
    const before = localDay(this.#calendar, this.#clock() - this.#retentionMs).number
    const { rows, problem } = this.store.purge(before)
    if (problem !== null) this.#log.error({ hint: problem.hint }, problem.what)
    if (rows > 0) this.#log.info({ rows }, 'old ledgers are weeded')
  }
}

function inodeOf(file: string): number | undefined {
  try {
    return statSync(file).ino
  } catch {
    return undefined
  }
}
