/**
 * Owns: what may be asked of the ledgers from outside: the minutes of a day, and giving minutes.
 * Never: trusts a request: whoever may open the control socket may still mistype.
 *
 * The same handlers answer in the service (ledger and store) and in a command while no service runs
 * (store alone): what is given to the store is in force when the service starts.
 */
import { z } from 'zod'
import type { Policy } from '../policy/index.ts'
import { type LedgerOwner, type LocalDay, ledgerKey, localDay } from '../policy/index.ts'
import {
  categoryNamed,
  dayNamed,
  lineOf,
  meteredZoneNamed,
  QuotaRequestError,
  userNamed,
  zoneNamed,
  zoneOfUser,
} from './asked.ts'
import type { Clock } from './clock.ts'
import type { Ledger } from './ledger.ts'
import { type QuotaReport, type QuotaRow, quotaReport } from './report.ts'
import type { DayLedger, Gift, LedgerStore, StoreProblem } from './store.ts'

/** The most minutes of one gift: ten hours. */
export const GIVE_MINUTES_MAX = 600

const listSchema = z.object({
  user: z.string().optional(),
  zone: z.string().optional(),
  /** `2026-11-21`; today where it is not given. */
  day: z.string().optional(),
})

const giveSchema = z.object({
  user: z.string(),
  minutes: z.int().min(1).max(GIVE_MINUTES_MAX),
  why: z.string(),
  zone: z.string().optional(),
  category: z.string().optional(),
  /** Who gives: the operating system's user. */
  givenBy: z.string(),
})

export type QuotaListRequest = { readonly command: 'quota.list' } & z.input<typeof listSchema>
export type QuotaGiveRequest = { readonly command: 'quota.give' } & z.input<typeof giveSchema>

export interface QuotaGiven {
  /** The minutes of this gift; `row` has the new balance, and all gifts of the day. */
  readonly minutes: number
  readonly row: QuotaRow
}

export interface QuotaParts {
  /** Null: no service runs, and the store speaks for today as well. */
  readonly ledger: Ledger | null
  /** Null: there is none yet. */
  readonly store: LedgerStore | null
  readonly policy: () => Policy
  readonly clock: Clock
}

export interface QuotaCommands {
  readonly 'quota.list': (request: unknown) => QuotaReport
  readonly 'quota.give': (request: unknown) => QuotaGiven
}

/** The handlers, by the command that a request names. They throw QuotaRequestError. */
export function quotaCommands(parts: QuotaParts): QuotaCommands {
  return {
    'quota.list': (request) => list(parts, request),
    'quota.give': (request) => give(parts, request),
  }
}

function list(parts: QuotaParts, request: unknown): QuotaReport {
  const asked = parse(listSchema, request)
  const policy = parts.policy()
  const today = localDay(policy.calendar, parts.clock())
  const day = asked.day === undefined ? today : dayNamed(policy, asked.day)
  const zone = asked.zone === undefined ? null : zoneNamed(policy, asked.zone).name
  const user = asked.user === undefined ? null : userNamed(asked.user)
  const ledgers = ledgersOf(parts, day).filter(
    ({ owner }) => (user === null || owner.user === user) && (zone === null || owner.zone === zone),
  )
  return quotaReport({ policy, day, ledgers, gifts: giftsOf(parts, day) })
}

function give(parts: QuotaParts, request: unknown): QuotaGiven {
  const asked = parse(giveSchema, request)
  const { store, ledger, policy: current, clock } = parts
  if (store === null) throw new QuotaRequestError('there is no ledger file to keep the gift in')
  const policy = current()
  const timeMs = clock()
  const day = localDay(policy.calendar, timeMs)
  const owner = ownerNamed(parts, day, asked)
  const why = lineOf(asked.why, 'why')
  const givenBy = lineOf(asked.givenBy, 'the giver')
  const { minutes } = asked
  // Room first, then the disk, then the ledger: what is in force is always on record.
  const slot = ledger?.claim(ledgerKey(owner)) ?? null
  if (slot !== null && slot < 0) {
    throw new QuotaRequestError('all ledgers are in use; raise quota.users and start again')
  }
  const gift: Gift = { timeMs, day: day.number, owner, minutes, why, givenBy }
  const problem = store.give(gift)
  if (problem !== null) throw new QuotaRequestError(explain(problem))
  if (slot !== null) ledger?.give(slot, day.number, minutes)
  const ledgers = ledgersOf(parts, day).filter((one) => ledgerKey(one.owner) === ledgerKey(owner))
  const [row] = quotaReport({ policy, day, ledgers, gifts: giftsOf(parts, day) }).rows
  if (row === undefined) throw new Error('a ledger that was just given to is not there')
  return { minutes, row }
}

type GiveAsked = z.output<typeof giveSchema>

function ownerNamed(parts: QuotaParts, day: LocalDay, asked: GiveAsked): LedgerOwner {
  const policy = parts.policy()
  const user = userNamed(asked.user)
  const category = categoryNamed(policy, asked.category).name
  if (asked.zone !== undefined) {
    return { zone: meteredZoneNamed(policy, asked.zone), user, category }
  }
  const today = ledgersOf(parts, day).filter(({ owner }) => owner.user === user)
  const used = today.map(({ owner }) => owner.zone)
  return { zone: zoneOfUser(policy, user, used), user, category }
}

/** The ledgers of a day in which something stands, by zone, user and category. */
function ledgersOf({ ledger, store, policy, clock }: QuotaParts, day: LocalDay): DayLedger[] {
  const today = localDay(policy().calendar, clock()).number
  if (ledger === null || day.number !== today) {
    return reading(store, (open) => open.ledgers(day.number))
  }
  const found = ledger.slots(today).flatMap((slot): DayLedger[] => {
    const owner = ledger.owner(slot)
    const bitmap = ledger.bitmap(slot, today)
    const given = ledger.given(slot, today)
    const idle = given === 0 && bitmap.every((word) => word === 0)
    return owner === null || idle ? [] : [{ owner, bitmap, given }]
  })
  const order = (one: DayLedger) => ledgerKey(one.owner)
  return found.toSorted((a, b) => (order(a) < order(b) ? -1 : 1))
}

function giftsOf({ store }: QuotaParts, day: LocalDay): Gift[] {
  return reading(store, (open) => open.gifts(day.number))
}

function reading<T>(store: LedgerStore | null, read: (store: LedgerStore) => T[]): T[] {
  if (store === null) return []
  try {
    return read(store)
  } catch (error) {
    throw new QuotaRequestError(explain(store.problemOf(error)))
  }
}

function explain({ file, what, hint }: StoreProblem): string {
  return `${file}: ${what}; ${hint}`
}

function parse<T>(schema: z.ZodType<T>, request: unknown): T {
  const parsed = schema.safeParse(request)
  if (parsed.success) return parsed.data
  const faults = parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`)
  throw new QuotaRequestError(`the request does not hold: ${faults.join('; ')}`)
}
