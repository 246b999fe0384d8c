/**
 * Owns: noticing that a file has changed, however it was changed: written, renamed over, replaced by a link.
 * Never: reads the files; the owner does, when told.
 *
 * Polling, not fs.watch: editors and configuration tools rename over files, which ends an inotify watch,
 * and network file systems send no events. A stat of a few dozen files costs well under a millisecond.
 */
import { statSync } from 'node:fs'

export const POLL_MS = 300

export class Watch {
  readonly #onChange: () => void
  #seen = new Map<string, string>()
  readonly #timer: NodeJS.Timeout

  constructor(files: readonly string[], onChange: () => void) {
    this.#onChange = onChange
    this.set(files)
    this.#timer = setInterval(() => this.#poll(), POLL_MS)
  }

  /** Watches these files from now on. What was seen of a file before stays the point of comparison. */
  set(files: readonly string[]): void {
    this.#seen = new Map(files.map((file) => [file, this.#seen.get(file) ?? stampOf(file)]))
  }

  close(): void {
    clearInterval(this.#timer)
  }

  #poll(): void {
    let changed = false
    for (const [file, seen] of this.#seen) {
      const stamp = stampOf(file)
      if (stamp === seen) continue
      this.#seen.set(file, stamp)
      changed = true
    }
    if (changed) this.#onChange()
  }
}

/** Differs whenever the file differs: which file it is, its size and times; empty where it is gone. */
export function stampOf(file: string): string {
  const stat = statSync(file, { bigint: true, throwIfNoEntry: false })
  return stat === undefined ? '' : `${stat.dev} ${stat.ino} ${stat.size} ${stat.mtimeNs} ${stat.ctimeNs}`
}
