/**
 * Owns: when each fetched list is looked at next.
 * Never: fetches; reads a clock that it was not given.
 */
import type { Attempts, CurrentVersion } from './library.ts'
import type { RemoteList } from './remote.ts'

/** Spread over so long at a first start, so that not all machines ask in one second. */
export const FIRST_SPREAD_MS = 10_000
/** Of `everyMs`: chance adds up to this share, so that those who began together drift apart. */
export const JITTER_SHARE = 0.1
/** After a first failure; it doubles with each, up to `everyMs`. */
export const RETRY_FIRST_MS = 5 * 60_000
/** A server that asks for more peace than this (Retry-After) is asked all the same. */
export const RETRY_AFTER_MAX_MS = 7 * 86_400_000
/** Between two updates, whatever is due: an update that could not run must not run in a circle. */
export const PAUSE_MIN_MS = 60_000
/** A timer is never longer: a clock that was set is noticed. */
export const LOOK_MAX_MS = 3_600_000

type Scheduled = Pick<RemoteList, 'name' | 'url' | 'everyMs'>

/**
 * When to look for a new version, in Unix milliseconds; a little after 0 where that was never done.
 * Every call throws the dice again.
 */
export function dueAt(
  { everyMs }: Pick<RemoteList, 'everyMs'>,
  attempts: Attempts | null,
  current: Pick<CurrentVersion, 'checkedMs'> | null,
  random: () => number,
): number {
  const lastMs = Math.max(attempts?.lastAttemptMs ?? 0, current?.checkedMs ?? 0)
  if (lastMs === 0) return random() * FIRST_SPREAD_MS
  if (attempts === null || attempts.failures === 0) {
    return lastMs + everyMs * (1 + JITTER_SHARE * random())
  }
  const backoffMs = Math.min(everyMs, RETRY_FIRST_MS * 2 ** (attempts.failures - 1))
  const askedMs = Math.min(attempts.notBeforeMs ?? 0, lastMs + RETRY_AFTER_MAX_MS)
  return Math.max(attempts.lastAttemptMs + backoffMs * (1 + JITTER_SHARE * random()), askedMs)
}

export interface ScheduleOptions {
  readonly nowMs: () => number
  /** From 0 up to 1. */
  readonly random: () => number
  /** What is known of a list: `Library.read`. */
  readonly read: (name: string) => {
    readonly attempts: Attempts | null
    readonly current: Pick<CurrentVersion, 'checkedMs' | 'url'> | null
    readonly pending: Pick<CurrentVersion, 'url'> | null
    readonly problems: readonly unknown[]
  }
  /** Updates these lists; never rejects. One at a time. */
  readonly update: (names: readonly string[]) => Promise<void>
  /** Calls `wake` once after `ms` unless what it gives is called first. */
  readonly timer: (wake: () => void, ms: number) => () => void
}

/** Calls `update` with the lists that are due. */
export class Schedule {
  readonly #options: ScheduleOptions
  #lists: readonly Scheduled[] = []
  #due = new Map<string, number>()
  #cancel: (() => void) | null = null
  #updating: Promise<void> | null = null
  #notBeforeMs = 0
  #running = false

  constructor(options: ScheduleOptions) {
    this.#options = options
  }

  /** From now on these lists; those that were known keep their time unless they have changed: another url is asked soon. */
  start(lists: readonly Scheduled[]): void {
    this.#running = true
    const known = new Map(this.#lists.map((list) => [list.name, list]))
    const due = new Map<string, number>()
    for (const list of lists) {
      const before = known.get(list.name)
      if (before !== undefined && before.url !== list.url) due.set(list.name, this.#soon())
      else {
        const keeps = before?.everyMs === list.everyMs ? this.#due.get(list.name) : undefined
        due.set(list.name, keeps ?? this.#next(list))
      }
    }
    this.#lists = lists
    this.#due = due
    this.#arm()
  }

  /** Settles when no update is under way any more; stopping that is for its owner. */
  async stop(): Promise<void> {
    this.#running = false
    this.#disarm()
    await this.#updating
  }

  /** The lists were updated by somebody else (`./sluss lists update`): their times are new. */
  refresh(names: readonly string[]): void {
    for (const list of this.#lists) {
      if (names.includes(list.name)) this.#due.set(list.name, this.#next(list))
    }
    this.#arm()
  }

  /** When each list is due, in Unix milliseconds, the first first. */
  due(): readonly { readonly name: string; readonly dueMs: number }[] {
    return [...this.#due]
      .map(([name, dueMs]) => ({ name, dueMs }))
      .sort((a, b) => a.dueMs - b.dueMs)
  }

  #soon(): number {
    return this.#options.nowMs() + this.#options.random() * FIRST_SPREAD_MS
  }

  #next(list: Scheduled): number {
    const { nowMs, random, read } = this.#options
    const { attempts, current, pending, problems } = read(list.name)
    // What is here came from another URL than the settings have: they were changed while nothing ran.
    const came = current?.url ?? null
    const moved = came !== null && came !== list.url && pending?.url !== list.url
    if (moved && attempts !== null && attempts.failures === 0)
      return Math.max(this.#soon(), attempts.lastAttemptMs + RETRY_FIRST_MS)
    // What is broken is not left so until tomorrow.
    const broken = problems.length > 0
    const everyMs = broken ? Math.min(list.everyMs, RETRY_FIRST_MS) : list.everyMs
    const dueMs = dueAt({ everyMs }, attempts, current, random)
    const now = nowMs()
    if (attempts === null && current === null) return now + dueMs
    // A clock that was set back must not put an update off for years.
    const lateMs = now + Math.max(list.everyMs * (1 + JITTER_SHARE), RETRY_AFTER_MAX_MS)
    return Math.min(dueMs, lateMs)
  }

  #arm(): void {
    this.#disarm()
    const [first] = this.due()
    if (!this.#running || this.#updating !== null || first === undefined) return
    const { nowMs, timer } = this.#options
    const waitMs = Math.max(first.dueMs, this.#notBeforeMs) - nowMs()
    this.#cancel = timer(() => this.#wake(), Math.min(LOOK_MAX_MS, Math.max(0, waitMs)))
  }

  #disarm(): void {
    this.#cancel?.()
    this.#cancel = null
  }

  #wake(): void {
    this.#cancel = null
    const { nowMs, update } = this.#options
    const now = nowMs()
    const names = this.due()
      .filter(({ dueMs }) => dueMs <= now)
      .map(({ name }) => name)
    if (names.length === 0 || now < this.#notBeforeMs) {
      this.#arm()
      return
    }
    this.#updating = update(names).finally(() => {
      this.#updating = null
      this.#notBeforeMs = nowMs() + PAUSE_MIN_MS
      this.refresh(names)
    })
  }
}
