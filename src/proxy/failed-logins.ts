/**
 * Owns: how many wrong passwords came from an address lately, over all proxy threads, and who has signed in.
 * Never: verifies, or keeps a password; a digest leaves four bytes here.
 *
 * Each address has a bucket of `failedLogins` that empties evenly over `failedLoginsWithinMs`: so many may
 * fail at once, and then one more each time that a step of the time has passed. A bucket is one moment, when
 * it will be empty, in each of four rows (see tally.ts); all threads write the same words. A thread that dies
 * leaves nothing to clean up.
 */
import type { LoginGuard } from '../identity/index.ts'
import type { Address } from '../policy/index.ts'
import type { Tally } from './tally.ts'
import { COLUMN_SHIFT, columnOf, ROWS } from './tally-memory.ts'

export interface LoginLimits {
  readonly failedLogins: number
  readonly failedLoginsWithinMs: number
}

export interface FailedLoginsOptions {
  readonly tally: Tally
  readonly limits: LoginLimits
  /** Milliseconds that never jump, the same in all threads; default since the machine started. */
  readonly nowMs?: () => number
}

/** A word that holds no moment; the moment that would be written so is taken a millisecond earlier. */
const NEVER = 0

export class FailedLogins implements LoginGuard {
  readonly #tally: Tally
  readonly #nowMs: () => number
  #withinMs = 0
  /** What one failure fills of a bucket of `#withinMs`. */
  #stepMs = 0

  constructor({ tally, limits, nowMs = machineMs }: FailedLoginsOptions) {
    this.#tally = tally
    this.#nowMs = nowMs
    this.configure(limits)
  }

  /** A shorter time forgets those who would be barred beyond it. */
  configure({ failedLogins, failedLoginsWithinMs }: LoginLimits): void {
    this.#withinMs = failedLoginsWithinMs
    this.#stepMs = Math.max(1, Math.floor(failedLoginsWithinMs / failedLogins))
  }

  get digestKey(): Uint8Array {
    return this.#tally.memory.digestKey
  }

  sourceOf(address: Address): number {
    return this.#tally.keyOfAddress(address)
  }

  isBarred(source: number): boolean {
    const { logins } = this.#tally.memory
    const nowMs = Math.floor(this.#nowMs()) | 0
    const most = this.#withinMs - this.#stepMs
    for (let row = 0; row < ROWS; row++) {
      if (this.#fullMs(Atomics.load(logins, columnOf(source, row)), nowMs) <= most) return false
    }
    return true
  }

  failed(source: number): void {
    const { logins } = this.#tally.memory
    const nowMs = Math.floor(this.#nowMs()) | 0
    for (let row = 0; row < ROWS; row++) {
      const at = columnOf(source, row)
      for (let seen = Atomics.load(logins, at); ; ) {
        const fullMs = Math.min(this.#fullMs(seen, nowMs) + this.#stepMs, this.#withinMs)
        const before = Atomics.compareExchange(logins, at, seen, (nowMs + fullMs) | 0 || -1)
        if (before === seen) break
        seen = before
      }
    }
  }

  /** How full a bucket is that will be empty at `moment`: 0 to `#withinMs`. Moments wrap after 49 days. */
  #fullMs(moment: number, nowMs: number): number {
    const leftMs = (moment - nowMs) | 0
    return moment === NEVER || leftMs < 0 || leftMs > this.#withinMs ? 0 : leftMs
  }

  signedIn(digest: Uint8Array): void {
    Atomics.store(this.#tally.memory.signedIn, placeOf(digest), markOf(digest))
  }

  /** A guess meets the mark of another's credentials once in four thousand million times. */
  hasSignedIn(digest: Uint8Array): boolean {
    return Atomics.load(this.#tally.memory.signedIn, placeOf(digest)) === markOf(digest)
  }
}

function placeOf(digest: Uint8Array): number {
  return wordOf(digest, 0) >>> COLUMN_SHIFT
}

/** Never 0, which is no mark. */
function markOf(digest: Uint8Array): number {
  return wordOf(digest, 4) || 1
}

function wordOf(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)
}

/** `performance.now` begins anew in each thread; this does not. */
function machineMs(): number {
  const [seconds, nanoseconds] = process.hrtime()
  return seconds * 1_000 + nanoseconds / 1_000_000
}
