/**
 * Owns: noticing that a file or folder has changed, however it was changed: written, renamed over, replaced by a link.
 * Never: reads the files; the owner does, when told.
 *
 * Polling, not fs.watch: editors and configuration tools rename over files, which ends an inotify watch,
 * and network file systems send no events. A stat of a few dozen files costs well under a millisecond.
 */
import { stampOf } from '../lists/stamp.ts'

export const POLL_MS = 150
/**
 * A change is told once the files have been still for one look, so that a file half written is not read; and
 * after so many looks in any case, so that whoever writes without a pause is heard.
 */
const LOOKS_MAX = 4

export class Watch {
  #seen = new Map<string, string>()
  /** Looks since a change was first seen that is not told yet; 0: there is none. */
  #looks = 0
  #timer: NodeJS.Timeout | undefined

  /** What changes from now on is told once it is started. */
  constructor(files: readonly string[]) {
    this.set(files)
  }

  start(onChange: () => void): void {
    this.#timer = setInterval(() => this.#poll(onChange), POLL_MS)
  }

  /**
   * Watches these files from now on. What was seen of a file before stays the point of comparison. True
   * where one of them is new: what was read of it before now may have changed unseen.
   */
  set(files: readonly string[]): boolean {
    const before = this.#seen
    this.#seen = new Map(files.map((file) => [file, before.get(file) ?? stampOf(file)]))
    return files.some((file) => !before.has(file))
  }

  /** What these files are now is not told: whoever changed them knows. */
  seen(files: readonly string[]): void {
    for (const file of files) if (this.#seen.has(file)) this.#seen.set(file, stampOf(file))
  }

  close(): void {
    clearInterval(this.#timer)
  }

  #poll(onChange: () => void): void {
    let changed = false
    for (const [file, seen] of this.#seen) {
      const stamp = stampOf(file)
      if (stamp === seen) continue
      this.#seen.set(file, stamp)
      changed = true
    }
    if (changed || this.#looks > 0) this.#looks++
    if (this.#looks === 0 || (changed && this.#looks < LOOKS_MAX)) return
    this.#looks = 0
    onChange()
  }
}
