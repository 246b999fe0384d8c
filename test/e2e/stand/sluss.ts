/**
 * Owns: a real Sluss in a process of its own for a test: its files, its clock, its answers.
 * Never: reaches into the process; what it knows it asks as a user would.
 */
import { type ChildProcess, fork, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { callService } from '../../../src/cli/control.ts'
import type { Status } from '../../../src/service/status.ts'
import { logRows } from './files.ts'

const ENTRY = fileURLToPath(new URL('clocked.ts', import.meta.url))
export const LAUNCHER = fileURLToPath(new URL('../../../sluss', import.meta.url))

/** What a test says of its Sluss; files are written beside the settings. */
export interface SlussOptions {
  /** YAML of sluss.yaml; `state` and `listen` are added where it has none. */
  readonly settings: string
  readonly files?: Readonly<Record<string, string>>
  /** What the clock shows at the start; real time where it is left out. */
  readonly atMs?: number
  readonly threads?: number
  /** Started by `./sluss start`, as people do it; then its clock cannot be moved. */
  readonly launcher?: boolean
}

export interface StartOptions extends Pick<SlussOptions, 'atMs' | 'threads' | 'launcher'> {
  readonly env?: Readonly<Record<string, string>>
}

/** How an editor saves: into the file, by renaming a new one over it, by deleting it and making it anew. */
export type Writing = 'in place' | 'renamed over' | 'recreated'

/** A line of the log, as the `traffic` view of the day's file shows it. */
export type TrafficLine = Readonly<Record<string, string | number | null>>

export class Sluss {
  readonly folder: string
  readonly config: string
  readonly state: string
  #process: ChildProcess | null = null
  /** `host:port` of the proxy. */
  proxy = ''
  port = 0
  portal = ''
  /** Everything it said on stderr. */
  errors = ''

  constructor(options: SlussOptions) {
    this.folder = mkdtempSync(join(tmpdir(), 'sluss-'))
    this.config = join(this.folder, 'config', 'sluss.yaml')
    this.state = join(this.folder, 'state')
    for (const [name, text] of Object.entries(options.files ?? {})) this.write(name, text)
    this.write('sluss.yaml', options.settings)
  }

  /** Where a file of the configuration lies. */
  path(name: string): string {
    return join(this.folder, 'config', name)
  }

  /** Writes a file of the configuration, in the way that some editor does. */
  write(name: string, text: string | Buffer, how: Writing = 'in place'): void {
    const file = this.path(name)
    mkdirSync(dirname(file), { recursive: true })
    if (how === 'recreated') rmSync(file)
    writeFileSync(how === 'renamed over' ? `${file}~` : file, text)
    if (how === 'renamed over') renameSync(`${file}~`, file)
  }

  /** Starts it and waits for its ready line. */
  async start(options: StartOptions = {}): Promise<void> {
    const { atMs, threads = 2, launcher = false } = options
    const env = {
      ...process.env,
      ...options.env,
      SLUSS_TEST_AT_MS: atMs === undefined ? '' : String(atMs),
    }
    const args = ['start', '--config', this.config, '--state', this.state]
    args.push('--set', `threads=${threads}`)
    const child = launcher
      ? spawn(LAUNCHER, args, { stdio: ['ignore', 'pipe', 'pipe'], env })
      : fork(ENTRY, args, { stdio: ['ignore', 'pipe', 'pipe', 'ipc'], env })
    this.#process = child
    child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      this.errors += text
    })
    const ready = await new Promise<string>((resolve, reject) => {
      let held = ''
      child.stdout!.setEncoding('utf8').on('data', (text: string) => {
        held += text
        const line = held.split('\n').find((one) => one.startsWith('ready '))
        if (line !== undefined && held.endsWith('\n')) resolve(line)
      })
      child.once('exit', (code) => reject(new Error(`it ended with ${code}: ${this.errors}`)))
    })
    this.proxy = /proxy=(\S+)/.exec(ready)![1]!
    this.port = Number(/:(\d+)$/.exec(this.proxy)![1])
    this.portal = /portal=(\S+)/.exec(ready)?.[1] ?? ''
  }

  get pid(): number {
    return this.#process!.pid!
  }

  /** Moves the clock of the whole process. */
  setTime(atMs: number): Promise<void> {
    const child = this.#process!
    return new Promise((resolve) => {
      child.once('message', () => resolve())
      child.send({ atMs })
    })
  }

  signal(name: NodeJS.Signals): void {
    this.#process!.kill(name)
  }

  /** Resolves with the exit code, or null where a signal ended it. */
  exited(): Promise<number | null> {
    const child = this.#process!
    if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve(child.exitCode)
    return new Promise((resolve) => child.once('exit', (code) => resolve(code)))
  }

  async stop(): Promise<number | null> {
    this.signal('SIGTERM')
    return this.exited()
  }

  /** Ends it, whatever it does, and removes its files. */
  async remove(): Promise<void> {
    if (this.#process !== null) {
      this.#process.kill('SIGKILL')
      await this.exited()
    }
    rmSync(this.folder, { recursive: true, force: true })
  }

  async status(): Promise<Status> {
    const status = await callService<Status>(this.state, { command: 'status' })
    if (status === null) throw new Error('it does not answer')
    return status
  }

  /** Waits until the policy in force on every thread is newer than `version`. */
  async policyAfter(version: number): Promise<void> {
    await until('a new policy is in force', async () => (await this.status()).policy > version)
  }

  /** Runs a command of the launcher on this Sluss's files. */
  async run(...args: readonly string[]): Promise<Output> {
    return runCommand(LAUNCHER, ['--config', this.config, '--state', this.state, ...args])
  }

  /** Every line of the log there is now, over all days. */
  lines(where = '1', ...values: readonly (string | number)[]): TrafficLine[] {
    return logRows(this.state, `SELECT * FROM traffic WHERE ${where}`, values)
  }

  /** The lines of exchanges that have ended: where the machine is slow, any of them may also have an opened one. */
  ended(where: string, ...values: readonly (string | number)[]): TrafficLine[] {
    return this.lines(`(${where}) AND event <> 'opened'`, ...values)
  }

  /**
   * The one line that `where` finds, as soon as it is there: how the exchange ended, or, where it does not
   * end for a while, how it was opened.
   */
  async line(where: string, ...values: readonly (string | number)[]): Promise<TrafficLine> {
    let found: TrafficLine[] = []
    let openedMs = Number.POSITIVE_INFINITY
    await until(`a line with ${where} ${values.join(' ')}`, () => {
      const lines = this.lines(where, ...values)
      const ended = lines.filter(({ event }) => event !== 'opened')
      if (lines.length > 0) openedMs = Math.min(openedMs, performance.now())
      const patient = !where.includes('event') && performance.now() < openedMs + END_MS
      found = ended.length > 0 || patient ? ended : lines
      return found.length > 0
    })
    if (found.length > 1) throw new Error(`${found.length} lines, expected one: ${where}`)
    return found[0]!
  }
}

/** How long an exchange that has been opened is given to end, before it counts as one that stays open. */
const END_MS = 1_500

export interface Output {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Runs a program to its end. */
export function runCommand(
  program: string,
  args: readonly string[],
  input = '',
  env: Readonly<Record<string, string>> = {},
): Promise<Output> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { env: { ...process.env, ...env } })
    let stdout = ''
    let stderr = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text
    })
    child.once('error', reject)
    child.once('close', (code) => resolve({ code, stdout, stderr }))
    // One that has ended already reads nothing.
    child.stdin.on('error', () => {})
    child.stdin.end(input)
  })
}

const PATIENCE_MS = 20_000
const LOOK_MS = 25

/** Looks until `condition` holds; fails with `what` where it does not in good time. */
export async function until(
  what: string,
  condition: () => Promise<boolean> | boolean,
): Promise<void> {
  const endMs = performance.now() + PATIENCE_MS
  while (!(await condition())) {
    if (performance.now() > endMs) throw new Error(`it did not come to pass: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS))
  }
}
