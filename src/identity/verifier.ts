/**
 * Owns: whether Basic credentials are right, at the price of one scrypt a person and thread, not one a request.
 * Never: keeps a password or its plain hash; what is remembered is known by a keyed hash of the whole field.
 */
import { createHmac, randomBytes } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import type { Identified } from '../policy/decide.ts'
import type { UserName } from '../policy/user.ts'
import type { Credentials } from './basic.ts'
import { CREDENTIALS_LENGTH_MAX, parseBasic } from './basic.ts'
import type { Derive, ScryptHash } from './scrypt.ts'
import { COST, decoyScrypt, deriveScrypt, matchesScrypt, parseScrypt } from './scrypt.ts'
import type { Users } from './users-file.ts'

/** Credentials remembered as right, per thread: more than the people of a large municipality at work. */
export const VERIFIED_MAX = 20_000
/** Forgotten when not used for this long. A changed or removed user is forgotten at once, by `replaceUsers`. */
export const VERIFIED_IDLE_MS = 10 * 60_000
/** Credentials remembered as wrong, and how long: a browser's tabs repeat a wrong password all at once. */
export const FAILED_MAX = 10_000
export const FAILED_MS = 5_000
/** Hashes at a time: they share libuv's four threads with DNS and files of the whole process. */
export const CONCURRENT_MAX = 2
/** Hashes that may wait: some ten seconds of work; who comes after is told to come back. */
export const QUEUE_MAX = 200

export const WRONG: Identified = { known: false, reason: 'credentials-wrong' }
export const UNAVAILABLE: Identified = { known: false, reason: 'credentials-unavailable' }

/** What has happened since the start, in credentials presented. */
export interface VerifierCounts {
  /** Answered from memory, right or wrong. */
  cached: number
  /** Joined a verification that was under way. */
  shared: number
  /** Verified by hashing, and right or wrong. */
  right: number
  wrong: number
  /** Not verified: the queue was full, or hashing failed. */
  unavailable: number
}

export interface VerifierOptions {
  readonly users: Users
  /** Milliseconds that only grow; default `performance.now`. */
  readonly nowMs?: () => number
  readonly derive?: Derive
  readonly concurrentMax?: number
  readonly queueMax?: number
  /** Told of a hash that could not be computed; the user is told `credentials-unavailable`. */
  readonly onError?: (error: unknown) => void
}

interface Verified {
  readonly user: UserName
  /** The line's hash when it was verified. */
  readonly hash: string
  readonly identified: Identified
}

export class BasicVerifier {
  readonly counts: VerifierCounts = { cached: 0, shared: 0, right: 0, wrong: 0, unavailable: 0 }

  #users: Users
  #decoy: ScryptHash
  readonly #derive: Derive
  readonly #onError: (error: unknown) => void
  readonly #key = randomBytes(32)
  readonly #verified: LRUCache<string, Verified>
  readonly #failed: LRUCache<string, true>
  readonly #pending = new Map<string, Promise<Identified>>()
  readonly #concurrentMax: number
  readonly #queueMax: number
  readonly #queue: (() => void)[] = []
  #running = 0

  constructor(options: VerifierOptions) {
    this.#users = options.users
    this.#decoy = decoyOf(options.users)
    this.#derive = options.derive ?? deriveScrypt
    this.#onError = options.onError ?? (() => {})
    this.#concurrentMax = options.concurrentMax ?? CONCURRENT_MAX
    this.#queueMax = options.queueMax ?? QUEUE_MAX
    // With a resolution of 0 the cache sets no timers of its own, and the clock is only the one given.
    const clock = {
      ttlResolution: 0,
      perf: { now: options.nowMs ?? (() => performance.now()) },
    }
    this.#verified = new LRUCache({
      ...clock,
      max: VERIFIED_MAX,
      ttl: VERIFIED_IDLE_MS,
      updateAgeOnGet: true,
    })
    this.#failed = new LRUCache({ ...clock, max: FAILED_MAX, ttl: FAILED_MS })
  }

  /** Judges a Proxy-Authorization value of the Basic scheme. At once where the answer is remembered. */
  verify(headerValue: string): Identified | Promise<Identified> {
    if (headerValue.length > CREDENTIALS_LENGTH_MAX) return WRONG
    const key = createHmac('sha256', this.#key).update(headerValue).digest('base64')
    const remembered = this.#verified.get(key)?.identified ?? (this.#failed.has(key) ? WRONG : null)
    if (remembered !== null) {
      this.counts.cached++
      return remembered
    }
    const pending = this.#pending.get(key)
    if (pending !== undefined) {
      this.counts.shared++
      return pending
    }
    const credentials = parseBasic(headerValue)
    if (credentials === null) return WRONG
    if (this.#running >= this.#concurrentMax && this.#queue.length >= this.#queueMax) {
      this.counts.unavailable++
      return UNAVAILABLE
    }
    const verification = this.#check(key, credentials).finally(() => this.#pending.delete(key))
    this.#pending.set(key, verification)
    return verification
  }

  /**
   * The users file has changed: who is gone or has a new password is forgotten at once, who has other
   * groups has them from the next request, and what was wrong may now be right.
   */
  replaceUsers(users: Users): void {
    this.#users = users
    this.#decoy = decoyOf(users)
    this.#failed.clear()
    // From the least recently used, so that setting them keeps their order.
    for (const key of [...this.#verified.rkeys()]) {
      const { user, hash } = this.#verified.peek(key)!
      if (users.get(user)?.hash === hash) this.#verified.set(key, this.#remember(user, hash))
      else this.#verified.delete(key)
    }
  }

  async #check(key: string, { user, password }: Credentials): Promise<Identified> {
    await this.#turn()
    try {
      for (;;) {
        const hash = this.#users.get(user)?.hash
        // The same work for a name that is not there: the time tells nobody who works here.
        const kept = hash === undefined ? this.#decoy : parseScrypt(hash)!
        const matches = await matchesScrypt(password, kept, this.#derive)
        // The file was replaced while we hashed: judge by what holds now.
        if (this.#users.get(user)?.hash !== hash) continue
        if (hash === undefined || !matches) {
          this.#failed.set(key, true)
          this.counts.wrong++
          return WRONG
        }
        const verified = this.#remember(user, hash)
        this.#verified.set(key, verified)
        this.counts.right++
        return verified.identified
      }
    } catch (error) {
      this.#onError(error)
      this.counts.unavailable++
      return UNAVAILABLE
    } finally {
      this.#passTurn()
    }
  }

  /** Resolves when this verification may hash. */
  async #turn(): Promise<void> {
    if (this.#running < this.#concurrentMax) this.#running++
    else await new Promise<void>((resolve) => this.#queue.push(resolve))
  }

  /** The place goes straight to the next in the queue, so that nobody who comes now can take it. */
  #passTurn(): void {
    const next = this.#queue.shift()
    if (next === undefined) this.#running--
    else next()
  }

  #remember(user: UserName, hash: string): Verified {
    const groups = this.#users.get(user)?.groups ?? []
    return { user, hash, identified: { known: true, identity: { kind: 'user', user, groups } } }
  }
}

/** As costly as the first user's hash, which a file that `./sluss user` writes has in every line. */
function decoyOf(users: Users): ScryptHash {
  const first = users.values().next().value
  const kept = first === undefined ? null : parseScrypt(first.hash)
  return decoyScrypt(kept?.cost ?? COST)
}
