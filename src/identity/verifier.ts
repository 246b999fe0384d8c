/**
 * Owns: whether Basic credentials are right, at the price of one scrypt a person and thread, not one a request.
 * Never: keeps a password or its plain hash; what is remembered is known by a keyed hash of the whole field.
 * Never hashes what an address guesses that has guessed wrong too often.
 */
import { hash as hashOnce } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import type { Address } from '../policy/address.ts'
import type { Identified } from '../policy/decide.ts'
import type { UserName } from '../policy/user.ts'
import type { Credentials } from './basic.ts'
import { CREDENTIALS_LENGTH_MAX, parseBasic } from './basic.ts'
import { type LoginGuard, openGuard } from './login-guard.ts'
import type { Derive, ScryptHash } from './scrypt.ts'
import { COST, decoyScrypt, deriveScrypt, matchesScrypt, parseScrypt } from './scrypt.ts'
import { Turns } from './turns.ts'
import type { Users } from './users-file.ts'

/** Credentials remembered as right, per thread: more than the people of a large municipality at work. */
export const VERIFIED_MAX = 20_000
/** Forgotten when not used for this long. A changed or removed user is forgotten at once, by `replaceUsers`. */
export const VERIFIED_IDLE_MS = 10 * 60_000
/**
 * Credentials remembered as wrong, and how long: a program with an old password repeats it all day, and is
 * one failed login each time that it is forgotten. `replaceUsers` forgets all.
 */
export const FAILED_MAX = 10_000
export const FAILED_MS = 10 * 60_000
/** Hashes at a time: they share libuv's four threads with DNS and files of the whole process. */
export const CONCURRENT_MAX = 2
/** Hashes that may wait: some ten seconds of work; who comes after is told to come back. */
export const QUEUE_MAX = 400
/** Hashes that may wait for one address: a terminal server in the morning. */
export const QUEUE_PER_SOURCE_MAX = 200

export const WRONG: Identified = { known: false, reason: 'credentials-wrong' }
export const UNAVAILABLE: Identified = { known: false, reason: 'credentials-unavailable' }
export const BARRED: Identified = { known: false, reason: 'logins-of-address' }

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
  /** Not verified: too many wrong ones had come from there. */
  barred: number
}

export interface VerifierOptions {
  readonly users: Users
  /** Counts failed logins; default one that bars nobody. */
  readonly guard?: LoginGuard
  /** Milliseconds that only grow; default `performance.now`. */
  readonly nowMs?: () => number
  readonly derive?: Derive
  readonly concurrentMax?: number
  readonly queueMax?: number
  readonly queuePerSourceMax?: number
  /** Told of a hash that could not be computed; the user is told `credentials-unavailable`. */
  readonly onError?: (error: unknown) => void
}

interface Verified {
  readonly user: UserName
  /** The line's hash when it was verified. */
  readonly hash: string
  readonly identified: Identified
}

interface Attempt {
  /** Digest of the field, in base64. */
  readonly key: string
  readonly source: number
  readonly credentials: Credentials
}

export class BasicVerifier {
  readonly counts: VerifierCounts = {
    cached: 0,
    shared: 0,
    right: 0,
    wrong: 0,
    unavailable: 0,
    barred: 0,
  }

  #users: Users
  #decoy: ScryptHash
  readonly #derive: Derive
  readonly #onError: (error: unknown) => void
  readonly #guard: LoginGuard
  readonly #digestKey: string
  readonly #verified: LRUCache<string, Verified>
  readonly #failed: LRUCache<string, true>
  readonly #pending = new Map<string, Promise<Identified>>()
  readonly #turns: Turns

  constructor(options: VerifierOptions) {
    this.#users = options.users
    this.#decoy = decoyOf(options.users)
    this.#derive = options.derive ?? deriveScrypt
    this.#onError = options.onError ?? (() => {})
    this.#guard = options.guard ?? openGuard()
    this.#digestKey = Buffer.from(this.#guard.digestKey).toString('base64')
    this.#turns = new Turns({
      workingMax: options.concurrentMax ?? CONCURRENT_MAX,
      waitingMax: options.queueMax ?? QUEUE_MAX,
      waitingPerSourceMax: options.queuePerSourceMax ?? QUEUE_PER_SOURCE_MAX,
    })
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

  /**
   * Judges a Proxy-Authorization value of the Basic scheme that comes from `address`. At once where the
   * answer is remembered, or nothing new is tried from there.
   */
  verify(headerValue: string, address: Address): Identified | Promise<Identified> {
    if (headerValue.length > CREDENTIALS_LENGTH_MAX) return WRONG
    const guard = this.#guard
    const key = this.#digest(headerValue)
    const remembered = this.#verified.get(key)?.identified ?? (this.#failed.has(key) ? WRONG : null)
    if (remembered !== null) {
      this.counts.cached++
      return remembered
    }
    const source = guard.sourceOf(address)
    // Of another address the answer may be another: that one may be barred.
    const sharedKey = `${key} ${source}`
    const pending = this.#pending.get(sharedKey)
    if (pending !== undefined) {
      this.counts.shared++
      return pending
    }
    const credentials = parseBasic(headerValue)
    if (credentials === null) return WRONG
    const attempt: Attempt = { key, source, credentials }
    if (this.#isBarred(attempt)) return BARRED
    const verification = this.#check(attempt).finally(() => this.#pending.delete(sharedKey))
    this.#pending.set(sharedKey, verification)
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

  /**
   * A keyed hash of the field, in base64. Each request pays it: a one-shot hash costs half a microsecond, an
   * HMAC by `createHmac` eleven. Nobody sees one, so that none can be made longer, as a MAC's could.
   */
  #digest(headerValue: string): string {
    return hashOnce('sha256', this.#digestKey + headerValue, 'base64')
  }

  async #check(attempt: Attempt): Promise<Identified> {
    if (!(await this.#turns.take(attempt.source))) {
      this.counts.unavailable++
      return UNAVAILABLE
    }
    try {
      // Others from there may have failed while this one waited.
      return this.#isBarred(attempt) ? BARRED : await this.#hash(attempt)
    } catch (error) {
      this.#onError(error)
      this.counts.unavailable++
      return UNAVAILABLE
    } finally {
      this.#turns.done()
    }
  }

  async #hash({ key, source, credentials: { user, password } }: Attempt): Promise<Identified> {
    for (;;) {
      const hash = this.#users.get(user)?.hash
      // The same work for a name that is not there: the time tells nobody who works here.
      const kept = hash === undefined ? this.#decoy : parseScrypt(hash)!
      const matches = await matchesScrypt(password, kept, this.#derive)
      // The file was replaced while we hashed: judge by what holds now.
      if (this.#users.get(user)?.hash !== hash) continue
      if (hash === undefined || !matches) {
        this.#failed.set(key, true)
        this.#guard.failed(source)
        this.counts.wrong++
        return WRONG
      }
      const verified = this.#remember(user, hash)
      this.#verified.set(key, verified)
      this.#guard.signedIn(Buffer.from(key, 'base64'))
      this.counts.right++
      return verified.identified
    }
  }

  /** Who has signed in on another thread, or long ago, does not guess. */
  #isBarred({ key, source }: Attempt): boolean {
    if (!this.#guard.isBarred(source)) return false
    if (this.#guard.hasSignedIn(Buffer.from(key, 'base64'))) return false
    this.counts.barred++
    return true
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
