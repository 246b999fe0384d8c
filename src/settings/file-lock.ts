/**
 * Owns: that one process at a time changes a file: a lock file beside it, gone when the change is done.
 * Never: stops an editor, which knows of no locks; replace-file.ts looks for its traces.
 */
import { closeSync, openSync, rmSync, statSync } from 'node:fs'
import { setTimeout as wait } from 'node:timers/promises'

/** Why a file could not be changed, and what to do. */
export interface FileFault {
  readonly what: string
  readonly hint: string
}

/** How long a change waits for another one: they take milliseconds. */
export const LOCK_WAIT_MS = 3_000
/** A lock this old was left by a process that died: it is taken over. */
export const LOCK_STALE_MS = 60_000
const LOCK_POLL_MS = 20

/** Runs `change` while `lockFile` is ours. A fault where others do not let go, or the folder says no. */
export async function withLock<T>(
  lockFile: string,
  change: () => T | Promise<T>,
  times: { readonly waitMs?: number; readonly nowMs?: () => number } = {},
): Promise<{ ok: true; value: T } | { ok: false; fault: FileFault }> {
  const { waitMs = LOCK_WAIT_MS, nowMs = Date.now } = times
  for (let waitedMs = 0; ; waitedMs += LOCK_POLL_MS) {
    const taken = take(lockFile, nowMs())
    if (taken === true) break
    if (taken !== false) return { ok: false, fault: taken }
    if (waitedMs >= waitMs) return { ok: false, fault: busy(lockFile) }
    await wait(LOCK_POLL_MS)
  }
  try {
    return { ok: true, value: await change() }
  } finally {
    rmSync(lockFile, { force: true })
  }
}

/** True: it is ours. False: it is another's. */
function take(lockFile: string, nowMs: number): boolean | FileFault {
  try {
    closeSync(openSync(lockFile, 'wx', 0o600))
    return true
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') return faultOf(error, lockFile)
  }
  const lock = statSync(lockFile, { throwIfNoEntry: false })
  if (lock !== undefined && nowMs - lock.mtimeMs > LOCK_STALE_MS) rmSync(lockFile, { force: true })
  return false
}

function busy(lockFile: string): FileFault {
  const hint = `try again; if nobody is at it, remove ${lockFile}`
  return { what: 'another change of it is under way', hint }
}

/** The `code` of a system error, such as ENOENT; empty for any other. */
export function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : ''
}

/** A system error on `path` in words. Throws what is no system error: that is a bug. */
export function faultOf(error: unknown, path: string): FileFault {
  const code = codeOf(error)
  const words: Record<string, [what: string, hint: string]> = {
    EACCES: [`${path} may not be written`, 'do it as the user that owns it, or with sudo'],
    EPERM: [`${path} would change its owner`, 'do it as the user that owns it, or with sudo'],
    EROFS: [`${path} lies on a disk that may not be written`, 'edit it where it may'],
    ENOENT: [
      `the folder of ${path} is missing`,
      'make the folder, or name another in the settings',
    ],
    ENOTDIR: [`${path} lies in no folder`, 'name another in the settings'],
    EISDIR: [`${path} is a folder`, 'name a file in it'],
    ENOSPC: ['the disk is full', 'make room, then try again'],
  }
  if (code === '') throw error
  const [what, hint] = words[code] ?? [`${path} cannot be written (${code})`, 'look at the disk']
  return { what, hint }
}
