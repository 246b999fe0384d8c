/**
 * Owns: the service: starting everything in order, reloading it under load, stopping it with nothing lost.
 * Never: decides or carries a request.
 */
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { type Clock, sharedClock } from '../ledger/clock.ts'
import { quotaCommands } from '../ledger/commands.ts'
import type { Policy } from '../policy/index.ts'
import { Portal } from '../portal/portal.ts'
import type { World } from '../proxy/world.ts'
import { formatProblem, type Problem } from '../settings/problems.ts'
import type { Settings } from '../settings/schema.ts'
import {
  type BrokenConfiguration,
  type Configuration,
  emptiedFiles,
  readConfiguration,
} from './configuration.ts'
import { ControlSocket, isRunning } from './control.ts'
import { enterHistory } from './history.ts'
import type { BuiltImage } from './image-store.ts'
import { Ledgers } from './ledgers.ts'
import { caughtWarnings } from './list-status.ts'
import { endpointText, ListenError, listenFault } from './listen-fault.ts'
import { Lists } from './lists.ts'
import { acceptedFile } from './local-lists.ts'
import type { Log } from './log.ts'
import { currentFileOf } from './remote-lists.ts'
import { needRestart } from './restart.ts'
import { makeStateFolder } from './state-folder.ts'
import { type Status, statusOf } from './status.ts'
import { ProxyThreads } from './threads.ts'
import { Updates } from './updates.ts'
import { Watch } from './watch.ts'
import { whoAmI } from './whoami.ts'
import { worldOf } from './world.ts'
import { TrafficWriter } from './writer.ts'

export interface ServiceOptions {
  readonly file: string
  readonly overrides: readonly string[]
  /** Memory of the offset of a clock that a test moves; null is the system's clock. */
  readonly clock: SharedArrayBuffer | null
  readonly log: Log
}

export type Started =
  | { readonly ok: true; readonly service: Service }
  /** What the files say wrong, or, where they are right, why it could not start. */
  | { readonly ok: false; readonly problems: readonly Problem[]; readonly why: string }

interface Parts {
  readonly options: ServiceOptions
  readonly clock: Clock
  readonly run: string
  readonly configuration: Configuration
  readonly lists: Lists
  readonly stopping: AbortController
  readonly ledgers: Ledgers
  readonly watch: Watch
}

/** Starts everything; resolves when it serves. */
export async function startService(options: ServiceOptions): Promise<Started> {
  const { file, overrides, log } = options
  const clock = sharedClock(options.clock, Date.now)
  const read = () => readConfiguration({ file, overrides, nowMs: clock(), lists: 'tell' })
  // Read once to know the files, and once more under watch: no change after that goes unseen.
  const named = read()
  const watch = new Watch([
    ...named.files,
    ...(named.ok ? [acceptedFile(named.settings.state)] : []),
  ])
  const configuration = read()
  if (!configuration.ok) return { ok: false, problems: configuration.problems, why: '' }
  const { settings } = configuration
  const failed = (why: string): Started => ({ ok: false, problems: [], why })
  const folderFault = makeStateFolder(settings.state)
  if (folderFault !== null) return failed(folderFault)
  if (await isRunning(settings.state)) {
    return failed(alreadyRuns(settings.state))
  }
  const stopping = new AbortController()
  const lists = new Lists({ state: settings.state, log, signal: stopping.signal })
  const begun = await lists.begin(configuration)
  if (!begun.ok) return { ok: false, problems: begun.problems, why: '' }
  const ledgers = Ledgers.open(settings, clock, log)
  if (typeof ledgers === 'string') return failed(ledgers)
  const run = randomBytes(6).toString('hex')
  const parts = { options, clock, run, configuration, lists, stopping, ledgers, watch }
  const service = new Service(parts)
  try {
    await service.start()
    return { ok: true, service }
  } catch (error) {
    await service.stop()
    return failed(error instanceof Error ? error.message : String(error))
  }
}

export class Service {
  readonly #options: ServiceOptions
  readonly #clock: Clock
  readonly #run: string
  readonly #ledgers: Ledgers
  readonly #threads: ProxyThreads
  readonly #writer: TrafficWriter
  readonly #control: ControlSocket
  readonly #portal: Portal
  readonly #sinceMs: number
  readonly #watch: Watch
  /** Where our files lie in this run, whatever the settings say since. */
  readonly #state: string
  readonly #lists: Lists
  readonly #updates: Updates
  /** Ends a build that is under way. */
  readonly #ending: AbortController
  #configuration: Configuration
  /** When the image in force came. */
  #imageSinceMs: number
  #policy: Policy
  #reloading: Promise<void> | null = null
  /** Why a reload is wanted that has not begun; null: none is. */
  #wanted: string | null = null
  #stopping: Promise<void> | null = null
  #loaded: { atMs: number; problems: readonly string[] }

  constructor({ options, clock, run, configuration, lists, stopping, ledgers, watch }: Parts) {
    const { settings } = configuration
    const { log } = options
    this.#options = options
    this.#clock = clock
    this.#run = run
    this.#configuration = configuration
    this.#lists = lists
    this.#ending = stopping
    this.#ledgers = ledgers
    this.#watch = watch
    this.#state = settings.state
    this.#sinceMs = clock()
    this.#imageSinceMs = clock()
    this.#loaded = { atMs: clock(), problems: lists.stale }
    this.#portal = new Portal({
      health: () => this.status(),
      whoAmI: (visitor) => whoAmI(visitor, this.#policy, ledgers.ledger, clock()),
      proxies: () => this.#threads.endpoints,
    })
    const { key } = this.#portal
    const portal = { endpoints: settings.listen.portal, key }
    const world = worldOf(configuration, lists.inForce, 1, portal)
    this.#policy = world.policy
    this.#writer = new TrafficWriter({
      data: {
        ...this.#writerSettings(settings),
        ...writerFiles(settings.state),
        clock: options.clock,
      },
      log,
      onReplaced: () => this.#threads.reattach(),
    })
    this.#threads = new ProxyThreads({
      count: settings.threads,
      run,
      world,
      ledger: ledgers.buffer,
      clock: options.clock,
      log,
      attach: (thread, port) => this.#writer.attach({ run, thread }, port),
    })
    this.#control = new ControlSocket(settings.state, this.#commands())
    this.#updates = new Updates({
      lists,
      state: settings.state,
      configuration: () => this.#configuration,
      clock,
      log,
      done: () => this.#updated(),
    })
  }

  async start(): Promise<void> {
    const { settings, warnings } = this.#configuration
    // First, because only one service can have it. The portal before the threads, who send people there.
    if (!(await this.#control.listen())) throw new Error(alreadyRuns(this.#state))
    for (const at of settings.listen.portal) {
      const why = await listenFault(at)
      if (why !== null) throw new ListenError(at, why, 'listen.portal')
    }
    await this.#portal.listen(settings.listen.portal)
    await this.#threads.start()
    const { inForce } = this.#lists
    this.#threads.replace(this.#world(this.#configuration, inForce, this.#policy.version))
    this.#ledgers.start()
    this.#watch.set(this.#watched(this.#configuration))
    this.#watch.start(() => void this.reload('a file has changed'))
    for (const warning of warnings) this.#options.log.warn(formatProblem(warning))
    this.#tellCaught()
    this.#updates.start()
    await this.#enterHistory()
  }

  #watched({ files }: Pick<Configuration, 'files'>): string[] {
    return [...files, acceptedFile(this.#state)]
  }

  #tellCaught(): void {
    const { caught } = this.#lists.inForce.report
    for (const line of caughtWarnings(caught)) this.#options.log.warn(line)
  }

  /** For the threads: the portal, which they never dial, is where it listens, not where a reload wants it. */
  #world(configuration: Configuration, built: BuiltImage, version: number): World {
    return worldOf(configuration, built, version, this.#portal)
  }

  get #settings(): Settings {
    return this.#configuration.settings
  }

  get readyLine(): string {
    const { endpoints, count } = this.#threads
    const portal = this.#portal.endpoints.map(endpointText).join(',')
    const { domains } = this.#lists.inForce.report
    return [
      'ready',
      `proxy=${endpoints.map(endpointText).join(',')}`,
      ...(portal === '' ? [] : [`portal=${portal}`]),
      `threads=${count}`,
      `domains=${domains}`,
    ].join(' ')
  }

  /** Reads all files again. What is broken changes nothing and says so. Resolves when it is in force. */
  reload(why: string): Promise<void> {
    this.#wanted = why
    this.#reloading ??= this.#reloadAll()
    return this.#reloading
  }

  async #reloadAll(): Promise<void> {
    while (this.#wanted !== null && this.#stopping === null) {
      const why = this.#wanted
      this.#wanted = null
      try {
        await this.#reloadOnce(why)
      } catch (error) {
        const hint = 'please report it'
        this.#options.log.error(
          { error: String(error), hint },
          'a reload failed by a fault of ours',
        )
      }
    }
    this.#reloading = null
  }

  /** What the files say, and they are watched from before it was read. */
  #read(): Configuration | BrokenConfiguration {
    const { file, overrides } = this.#options
    for (;;) {
      const state = this.#state
      const read = readConfiguration({ file, overrides, nowMs: this.#clock(), state })
      const files = [...this.#configuration.files, ...read.files]
      if (!this.#watch.set(this.#watched({ files }))) return read
    }
  }

  async #reloadOnce(why: string): Promise<void> {
    const { file, log } = this.#options
    const read = this.#read()
    if (!read.ok) return this.#refuse(read.problems)
    const emptied = emptiedFiles(read, this.#configuration)
    if (emptied.length > 0) return this.#refuse(emptied)
    const image = await this.#lists.next(read)
    if (this.#stopping !== null) return
    if (!image.ok) return this.#refuse(image.problems)
    const occupied = await this.#threads.check(read.settings.listen.proxy)
    if (occupied !== null) return this.#refuse([listenProblem(file, occupied)])
    const before = this.#settings
    const anew = image.built.image !== this.#lists.inForce.image
    this.#configuration = read
    const world = this.#world(read, image.built, this.#policy.version + 1)
    this.#policy = world.policy
    this.#threads.replace(world)
    this.#lists.put(image.built, () => this.#threads.acknowledged())
    if (anew) this.#imageSinceMs = this.#clock()
    this.#writer.configure(this.#writerSettings(read.settings))
    this.#ledgers.configure(read.settings)
    this.#watch.set(this.#watched(read))
    this.#updates.start()
    this.#loaded = { atMs: this.#clock(), problems: [] }
    for (const warning of read.warnings) log.warn(formatProblem(warning))
    if (anew) this.#tellCaught()
    for (const key of needRestart(before, read.settings)) {
      log.warn({ key }, 'this setting takes effect at the next start')
    }
    log.info({ why, policy: world.policy.version, domains: image.built.report.domains }, 'reloaded')
    await this.#enterHistory()
  }

  /** What an update has put in the library is put in force; its traces are no news to the watch. */
  async #updated(): Promise<void> {
    const { remotes, sourcesWith } = this.#configuration
    this.#watch.seen(remotes.map(({ name }) => currentFileOf(this.#state, name)))
    if (this.#lists.isOther(sourcesWith(new Map()))) await this.reload('lists were updated')
  }

  /** Nothing is changed; what is wrong is told. */
  #refuse(problems: readonly Problem[]): void {
    const lines = problems.map((problem) => formatProblem(problem))
    this.#loaded = { atMs: this.#clock(), problems: lines }
    for (const line of lines) this.#options.log.error(line)
    this.#options.log.error('not reloaded: what was in force before still is')
  }

  async #enterHistory(): Promise<void> {
    const { exemptions } = this.#settings
    if (exemptions === null) return
    const fault = await enterHistory(exemptions, this.#state, this.#configuration, this.#clock())
    if (fault !== null) this.#options.log.error(fault)
  }

  #writerSettings({ day, log }: Settings) {
    return { calendar: day, identities: log.identities, retentionMs: log.retentionMs }
  }

  #commands() {
    const { ledger, store } = this.#ledgers
    const quota = quotaCommands({ ledger, store, policy: () => this.#policy, clock: this.#clock })
    return {
      ...quota,
      status: () => this.status(),
      reload: async () => {
        await this.reload('asked on the control socket')
        return this.status()
      },
    }
  }

  status(): Status {
    return statusOf({
      run: this.#run,
      sinceMs: this.#sinceMs,
      alarms: [this.#writer.alarm, this.#ledgers.alarm].filter((alarm) => alarm !== null),
      threads: this.#threads,
      portal: this.#portal.endpoints,
      loaded: this.#loaded,
      imageSinceMs: this.#imageSinceMs,
      built: this.#lists.inForce,
      view: {
        report: this.#lists.inForce.report,
        refused: this.#lists.refused,
        broken: this.#lists.broken,
        stale: this.#lists.stale,
        configuration: this.#configuration,
        policy: this.#policy,
        state: this.#state,
        due: this.#updates.due(),
      },
    })
  }

  /** Drains, saves and ends everything. Nothing that was decided is lost. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop()
    return this.#stopping
  }

  /** What a stop still waits for is cut now; nothing that was decided is lost even so. */
  hurry(): void {
    void this.#threads.drain(0)
  }

  async #stop(): Promise<void> {
    this.#watch.close()
    this.#ending.abort()
    const updated = this.#updates.stop()
    this.#portal.close()
    await this.#threads.drain(this.#settings.limits.drainMs)
    await this.#writer.stop()
    await this.#threads.terminate()
    this.#ledgers.stop()
    await updated
    await this.#lists.settled()
    this.#control.close()
  }
}

function writerFiles(state: string) {
  return { folder: join(state, 'traffic'), keyFile: join(state, 'keys', 'pseudonym.key') }
}

function alreadyRuns(state: string): string {
  return `a service runs already with its state in ${state}; stop it first, or choose another with --state DIR`
}

function listenProblem(file: string, { key, where, what, hint }: ListenError): Problem {
  return { file, line: 0, key, value: where, what, expected: '', hint }
}
