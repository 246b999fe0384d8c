/**
 * Owns: keeping fetched lists new while the service runs: when, one run at a time, and a line on each outcome.
 * Never: puts an image in force; what has come is told, and the service does.
 */
import { readFileSync } from 'node:fs'
import type { Clock } from '../ledger/clock.ts'
import { Schedule } from '../lists/schedule.ts'
import { type ListOutcome, type UpdateResult, updateLists } from '../lists/update.ts'
import type { Configuration } from './configuration.ts'
import type { Lists } from './lists.ts'
import type { Log } from './log.ts'
import { libraryIn, updateRules } from './remote-lists.ts'

const { version: VERSION } = JSON.parse(
  readFileSync(new URL('../../package.json', import.meta.url), 'utf8'),
) as { version: string }

/** So often the clock is looked at: one that was set, or a machine that slept, is noticed. */
const LOOK_MS = 1_000
/** As people see a version. */
export const VERSION_DIGITS = 12

export interface UpdatesOptions {
  readonly lists: Lists
  /** The state folder. */
  readonly state: string
  /** What is in force now. */
  readonly configuration: () => Configuration
  readonly clock: Clock
  readonly log: Log
  /** After a run: what it changed lies in the library. */
  readonly done: () => Promise<void>
}

export class Updates {
  readonly #options: UpdatesOptions
  readonly #schedule: Schedule
  readonly #stopping = new AbortController()

  constructor(options: UpdatesOptions) {
    this.#options = options
    const { clock, state } = options
    const library = libraryIn(state)
    this.#schedule = new Schedule({
      nowMs: clock,
      random: Math.random,
      read: (name) => library.read(name),
      update: (names) => this.#update(names),
      timer: timerBy(clock),
    })
  }

  /** From now on by the settings that are in force; called again when they have changed. */
  start(): void {
    if (this.#stopping.signal.aborted) return
    this.#schedule.start(this.#options.configuration().remotes)
  }

  /** When each list is looked at next, in Unix milliseconds. */
  due(): ReadonlyMap<string, number> {
    return new Map(this.#schedule.due().map(({ name, dueMs }) => [name, dueMs]))
  }

  /** Ends what is under way; nothing of it is in force. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#schedule.stop()
  }

  async #update(names: readonly string[]): Promise<void> {
    const { lists, configuration, log, done } = this.#options
    const making = lists.updating()
    try {
      const result = await this.#run(names, configuration(), making.build)
      if (this.#stopping.signal.aborted) return
      if (result.kind === 'done') for (const outcome of result.lists) tell(outcome, log)
      else log.warn({ hint: result.hint }, `the lists were not updated: ${result.what}`)
    } catch (error) {
      log.error({ error: String(error), hint: 'please report it' }, 'an update of lists failed')
    } finally {
      making.ended()
    }
    await done()
    // What was built and refused is in force for nobody.
    lists.drop()
  }

  #run(
    names: readonly string[],
    { settings, remotes, sourcesWith }: Configuration,
    build: ReturnType<Lists['updating']>['build'],
  ): Promise<UpdateResult> {
    const { lists, state, clock } = this.#options
    const due = remotes.filter(({ name }) => names.includes(name))
    return updateLists(due, {
      library: libraryIn(state),
      rules: updateRules(settings),
      version: VERSION,
      inForce: lists.inForce.report,
      sources: sourcesWith,
      build,
      hold: settings.updates.hold,
      signal: this.#stopping.signal,
      nowMs: clock,
    })
  }
}

/** Wakes by a clock that may be set, or moved by a test. */
function timerBy(clock: Clock): (wake: () => void, ms: number) => () => void {
  return (wake, ms) => {
    const atMs = clock() + ms
    const wait = (leftMs: number) => setTimeout(look, Math.min(LOOK_MS, leftMs)).unref()
    const look = () => {
      const leftMs = atMs - clock()
      if (leftMs <= 0) wake()
      else timer = wait(leftMs)
    }
    let timer = wait(ms)
    return () => clearTimeout(timer)
  }
}

/** One line on what became of a list. */
function tell(outcome: ListOutcome, log: Log): void {
  const { list, status, version, entriesBefore, entriesAfter, rejected, trouble } = outcome
  const change = (entriesAfter ?? 0) - (entriesBefore ?? 0)
  const facts = {
    list,
    ...(version === null ? {} : { version: version.sha256.slice(0, VERSION_DIGITS) }),
    ...(entriesAfter === null ? {} : { entries: entriesAfter, change: signed(change) }),
    ...(rejected === null ? {} : { rejected }),
  }
  switch (status) {
    case 'accepted':
      log.info(facts, `list ${list}: a new version is in force`)
      break
    case 'unchanged':
      log.info(facts, `list ${list}: no new version`)
      break
    case 'held':
      log.warn(facts, `list ${list}: a new version waits: ./sluss lists accept ${list}`)
      break
    case 'refused': {
      const whys = outcome.refusals.map(({ what }) => what).join('; ')
      const hint = outcome.refusals[0]?.hint ?? ''
      log.error({ ...facts, hint }, `list ${list}: the new version is refused: ${whys}`)
      break
    }
    case 'failed':
      log.warn({ ...facts, hint: trouble?.hint ?? '' }, `list ${list}: ${trouble?.what ?? ''}`)
      break
  }
}

function signed(count: number): string {
  return count > 0 ? `+${count}` : String(count)
}
