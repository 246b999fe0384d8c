/**
 * Owns: how many wrong passwords came from an address lately, over all proxy threads; which credentials were
 * right, and which wrong.
 * Never: verifies, or keeps a password; a mark leaves eight bytes here.
 *
 * Each address has a bucket of `failedLogins` that empties evenly over `failedLoginsWithinMs`: so many may
 * fail at once, and then one more each time that a step of the time has passed. A bucket is one moment, when
 * it will be empty, in each of four rows (see tally.ts); all threads write the same words. A thread that dies
 * leaves nothing to clean up.
 *
 * Many people may share an address. Where its bucket is full, a name that has not failed there within the time
 * may try all the same, once: what fails of such tries fills a second bucket, as large. So whoever guesses one
 * name's password bars nobody but that name, and whoever goes through the names has twice the failures, no more.
 */
import type { LoginGuard } from '../identity/index.ts'
import type { Address, UserName } from '../policy/index.ts'
import { Marks } from './marks.ts'
import type { Tally } from './tally.ts'
import { columnOf, ROWS } from './tally-memory.ts'

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
  readonly #right: Marks
  readonly #wrong: Marks
  readonly #nowMs: () => number
  #withinMs = 0
  /** What one failure fills of a bucket of `#withinMs`. */
  #stepMs = 0

  constructor({ tally, limits, nowMs = machineMs }: FailedLoginsOptions) {
    this.#tally = tally
    this.#right = new Marks(tally.memory.signedIn)
    this.#wrong = new Marks(tally.memory.wrong)
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

  isBarred(source: number, user: UserName): boolean {
    const { logins, loginNames } = this.#tally.memory
    if (!this.#isFull(logins, source)) return false
    return (
      this.#holds(loginNames, this.#nameAt(source, user)) ||
      this.#isFull(logins, this.#newcomersAt(source))
    )
  }

  suspicionOf(source: number, user: UserName): 0 | 1 | 2 {
    const { logins, loginNames } = this.#tally.memory
    const address = this.#holds(logins, source)
    const name = this.#holds(loginNames, this.#nameAnywhere(user))
    return address && name ? 2 : address || name ? 1 : 0
  }

  failed(source: number, user: UserName): void {
    const { logins, loginNames } = this.#tally.memory
    const bucket = this.#isFull(logins, source) ? this.#newcomersAt(source) : source
    this.#fill(logins, bucket, this.#stepMs)
    this.#fill(loginNames, this.#nameAt(source, user), this.#withinMs)
    this.#fill(loginNames, this.#nameAnywhere(user), this.#withinMs)
  }

  signedIn(mark: Uint8Array): void {
    this.#right.add(mark)
  }

  hasSignedIn(mark: Uint8Array): boolean {
    return this.#right.has(mark)
  }

  foundWrong(mark: Uint8Array): boolean {
    return this.#wrong.add(mark)
  }

  wasWrong(mark: Uint8Array): boolean {
    return this.#wrong.has(mark)
  }

  /** The key of a name at an address. */
  #nameAt(source: number, user: UserName): number {
    return this.#tally.keyOfUser(String(source), user)
  }

  /** The key of a name, wherever it is tried; no address is written so. */
  #nameAnywhere(user: UserName): number {
    return this.#tally.keyOfUser('', user)
  }

  /** The key of the second bucket of an address; no name is empty. */
  #newcomersAt(source: number): number {
    return this.#tally.keyOfUser(String(source), '')
  }

  /** True where not one more fits. */
  #isFull(buckets: Int32Array, key: number): boolean {
    return this.#levelMs(buckets, key) > this.#withinMs - this.#stepMs
  }

  #holds(buckets: Int32Array, key: number): boolean {
    return this.#levelMs(buckets, key) > 0
  }

  /** How full the bucket of `key` is: the least of its four. */
  #levelMs(buckets: Int32Array, key: number): number {
    const nowMs = Math.floor(this.#nowMs()) | 0
    let levelMs = Infinity
    for (let row = 0; row < ROWS; row++) {
      const fullMs = this.#fullMs(Atomics.load(buckets, columnOf(key, row)), nowMs)
      if (fullMs < levelMs) levelMs = fullMs
    }
    return levelMs
  }

  #fill(buckets: Int32Array, key: number, byMs: number): void {
    const nowMs = Math.floor(this.#nowMs()) | 0
    for (let row = 0; row < ROWS; row++) {
      const at = columnOf(key, row)
      for (let seen = Atomics.load(buckets, at); ; ) {
        const fullMs = Math.min(this.#fullMs(seen, nowMs) + byMs, this.#withinMs)
        const before = Atomics.compareExchange(buckets, at, seen, (nowMs + fullMs) | 0 || -1)
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
}

/** `performance.now` begins anew in each thread; this does not. */
function machineMs(): number {
  const [seconds, nanoseconds] = process.hrtime()
  return seconds * 1_000 + nanoseconds / 1_000_000
}
