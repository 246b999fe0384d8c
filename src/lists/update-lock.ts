/**
 * Owns: that one process at a time, and in it one at a time, updates the lists: numbered files, of
 * which the highest says who holds the lock.
 * Never: waits; leaves the lock to a process that is no more.
 *
 * A lock file that its taker may delete cannot be taken over from the dead safely: two may both see
 * the dead one, and the slower delete what the faster has made. So a lock is never deleted and made
 * again: it is taken by making the next number, which only one can; numbers never go back, for the
 * highest file always stays. All who update must see each other's process ids.
 */
import { linkSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { codeOf } from './fetch-failure.ts'

export interface Holder {
  readonly pid: number
  /** Tells a process from a later one of the same id: clock ticks since boot, and the boot. */
  readonly started: string
  readonly sinceMs: number
}

export interface UpdateLock {
  release(): void
}

/**
 * Ours, or who holds it. The folder must be there; `adopt` gives what is made to its owner. Throws
 * what the system says of the disk.
 */
export function takeUpdateLock(
  folder: string,
  nowMs: number,
  adopt: (path: string) => void,
): UpdateLock | Holder {
  const before = numbersIn(folder)
  const highest = Math.max(0, ...before.map(({ number }) => number))
  const last = before.find(({ number, held }) => held && number === highest)
  const holder = last === undefined ? null : holderOf(last.file)
  if (holder !== null && isAlive(holder)) return holder
  const me: Holder = { pid: process.pid, started: startOf(process.pid), sinceMs: nowMs }
  const mine = join(folder, `lock.${highest + 1}`)
  if (!makeWhole(mine, JSON.stringify(me), adopt)) return takeUpdateLock(folder, nowMs, adopt)
  const others = numbersIn(folder).filter(({ file }) => file !== mine)
  if (others.some(({ number }) => number > highest)) {
    // Our number was to be had because it is long past: others have gone on meanwhile.
    rmSync(mine, { force: true })
    return takeUpdateLock(folder, nowMs, adopt)
  }
  for (const { file } of others) rmSync(file, { force: true })
  // A rename needs no room: a full disk does not keep the lock.
  return { release: () => renameSync(mine, join(folder, `free.${highest + 1}`)) }
}

/** False where there is such a file already. Nobody reads it half-written. */
function makeWhole(file: string, text: string, adopt: (path: string) => void): boolean {
  const draft = `${file}.${process.pid}.draft`
  try {
    writeFileSync(draft, text, { mode: 0o600 })
    adopt(draft)
    linkSync(draft, file)
    return true
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false
    throw error
  } finally {
    rmSync(draft, { force: true })
  }
}

interface Numbered {
  readonly number: number
  /** `lock.7`, else `free.7`. */
  readonly held: boolean
  readonly file: string
}

function numbersIn(folder: string): Numbered[] {
  return readdirSync(folder).flatMap((name) => {
    const [, word, digits] = /^(lock|free)\.(\d{1,15})$/.exec(name) ?? []
    if (digits === undefined) return []
    return [{ number: Number(digits), held: word === 'lock', file: join(folder, name) }]
  })
}

/** Null: nobody, or nobody that can be told. */
function holderOf(file: string): Holder | null {
  try {
    const value: unknown = JSON.parse(readFileSync(file, 'utf8'))
    const { pid, started, sinceMs } = value as Partial<Holder>
    if (typeof pid !== 'number' || typeof started !== 'string') return null
    // 0 and less mean groups of processes to the system, and some of these always live.
    if (!Number.isInteger(pid) || pid <= 0) return null
    return { pid, started, sinceMs: typeof sinceMs === 'number' ? sinceMs : 0 }
  } catch (error) {
    if (error instanceof SyntaxError || codeOf(error) === 'ENOENT') return null
    throw error
  }
}

function isAlive({ pid, started }: Holder): boolean {
  try {
    process.kill(pid, 0)
  } catch (error) {
    // EPERM: it lives, and is another user's.
    if (codeOf(error) !== 'EPERM') return false
  }
  const now = startOf(pid)
  // Hidden from us (ProtectProc=): it lives, and nothing says that it is another.
  return now === '' || now === started
}

/** Empty where there is no such process to be seen. proc_pid_stat(5): field 22, behind a name in brackets. */
function startOf(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const ticks = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? ''
    return `${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()} ${ticks}`
  } catch (error) {
    if (codeOf(error) === '') throw error
    return ''
  }
}
