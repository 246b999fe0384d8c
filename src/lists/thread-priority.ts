/**
 * Owns: making the thread that asks for it give way to all others.
 * Never: touches the process: its other threads keep their priority.
 */
import { readlinkSync } from 'node:fs'
import { setPriority } from 'node:os'
import { isMainThread } from 'node:worker_threads'

/** The lowest: who serves goes first, and the work still comes to its end on a busy machine. */
export const BACKGROUND_NICENESS = 19

/**
 * Lowers the priority of this worker thread, which Linux keeps for each by itself. Elsewhere, where
 * it is forbidden and on the main thread, nothing changes. The thread's number with the system, or
 * null where nothing was changed.
 */
export function giveWay(): number | null {
  if (isMainThread) return null
  try {
    // `1234/task/1240`
    const thread = Number(readlinkSync('/proc/thread-self').split('/').at(-1))
    setPriority(thread, BACKGROUND_NICENESS)
    return thread
  } catch {
    return null
  }
}
