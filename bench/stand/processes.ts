/**
 * Owns: the processes of a bench of the whole proxy: each pinned to a core, its CPU time read from outside.
 * Never: measures itself; load and origins run on another core than what is measured.
 */
import assert from 'node:assert/strict'
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'

/** What is measured runs on the first core, everything else on the last. */
export const MEASURED_CORE = 0
export const LOAD_CORE = availableParallelism() - 1

/** One core, or several as `taskset -c` has them: `0,1`. */
export type Cores = number | string

const TICK_MS = 1_000 / Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }))

export interface Program {
  readonly process: ChildProcess
  /** The line it printed when it was ready. */
  readonly ready: string
  stop(): Promise<void>
}

/** Starts a TypeScript file of ours on `cores`; resolves with the first line that says ready. */
export function startProgram(
  cores: Cores,
  file: string,
  args: readonly string[],
): Promise<Program> {
  const words = ['-c', String(cores), process.execPath, file, ...args]
  const child = spawn('taskset', words, { stdio: ['ignore', 'pipe', 'pipe'] })
  let errors = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors += text
  })
  return new Promise((resolve, reject) => {
    let held = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      held += text
      const ready = held.split('\n').find((line) => line.startsWith('ready '))
      if (ready !== undefined) resolve({ process: child, ready, stop: () => stopped(child) })
    })
    child.once('exit', (code) => reject(new Error(`${file} ended with ${code}: ${errors}`)))
  })
}

function stopped(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) return resolve()
    child.once('exit', () => resolve())
    child.kill('SIGTERM')
  })
}

/** Moves this process, the load, to its core. */
export function pinSelf(): void {
  execFileSync('taskset', ['-a', '-cp', String(LOAD_CORE), String(process.pid)], {
    stdio: 'ignore',
  })
}

/**
 * CPU time so far of a process, all of its threads, and of all it has started, user and system, in
 * microseconds.
 */
export function cpuUs({ process: { pid } }: Program): number {
  const times = timesOfAll()
  let ticks = 0
  const add = (id: number) => {
    const own = times.get(id)
    assert(own !== undefined, `process ${id} is gone`)
    ticks += own.ticks
    for (const [child, { parent }] of times) if (parent === id) add(child)
  }
  add(pid!)
  return ticks * TICK_MS * 1_000
}

/** CPU time so far of each thread of a process, by its id, in ticks. */
export function threadTicks({ process: { pid } }: Program): Map<number, number> {
  const ticks = new Map<number, number>()
  for (const name of readdirSync(`/proc/${pid}/task`)) {
    const stat = statOf(`${pid}/task/${name}`)
    if (stat === null) continue
    const fields = stat
      .slice(stat.lastIndexOf(')') + 2)
      .split(' ')
      .map(Number)
    ticks.set(Number(name), fields[11]! + fields[12]!)
  }
  return ticks
}

interface Times {
  readonly parent: number
  /** Its own, and of children that have ended. */
  readonly ticks: number
}

function timesOfAll(): Map<number, Times> {
  const times = new Map<number, Times>()
  for (const name of readdirSync('/proc')) {
    const id = Number(name)
    const stat = Number.isInteger(id) ? statOf(id) : null
    if (stat === null) continue
    // After the name, which may hold anything, in brackets: field 3 is the state, 4 the parent,
    // 14 to 17 the times.
    const fields = stat
      .slice(stat.lastIndexOf(')') + 2)
      .split(' ')
      .map(Number)
    const ticks = fields[11]! + fields[12]! + fields[13]! + fields[14]!
    times.set(id, { parent: fields[1]!, ticks })
  }
  return times
}

/** Null: it has ended meanwhile. */
function statOf(pid: number | string): string | null {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8')
  } catch {
    return null
  }
}

/** Resident memory of a process: now, and the most there was. */
export function rssBytes({ process: { pid } }: Program): { now: number; peak: number } {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  const kibOf = (name: string) =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1])
  return { now: kibOf('VmRSS') * 1_024, peak: kibOf('VmHWM') * 1_024 }
}

export function pathOf(file: string): string {
  return fileURLToPath(new URL(`../../${file}`, import.meta.url))
}
