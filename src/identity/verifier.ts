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
import { basicToken, CREDENTIALS_LENGTH_MAX, parseBasic } from './basic.ts'
import { type LoginGuard, openGuard } from './login-guard.ts'
import type { Derive, ScryptHash } from './scrypt.ts'
import { COST, decoyScrypt, deriveScrypt, matchesScrypt, parseScrypt } from './scrypt.ts'
import { type After, Turns } from './turns.ts'
import type { Users } from './users-file.ts'

/** Credentials remembered as right, per thread: more than the people of a large municipality at work. */
export const VERIFIED_MAX = 20_000
/** Forgotten when not used for this long. A changed or removed user is forgotten at once, by `replaceUsers`. */
export const VERIFIED_IDLE_MS = 10 * 60_000
/**
 * Credentials remembered as wrong, per thread, and how long: a program with an old password repeats it all
 * day. What is forgotten here the guard still knows, so that it is not counted again.
 */
export const FAILED_MAX = 10_000
export const FAILED_MS = 10 * 60_000
/** Hashes at a time: they share libuv's four threads with DNS and files of the whole process. */
export const CONCURRENT_MAX = 2
/** Hashes that may wait; who comes after is told to come back. */
export const QUEUE_MAX = 400
/** How long one waits to be hashed: longer than people do, and shorter than browsers. */
export const QUEUE_WAIT_MS = 10_000
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
  /** Not verified: the queue was full or too slow, or hashing failed. */
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
  /** Bounds the wait; default the system's timer. */
  readonly after?: After
  /** Told of a hash that could not be computed; the user is told `credentials-unavailable`. */
  readonly onError?: (error: unknown) => void
}

interface Verified {
  readonly user: UserName
  /** The line's hash when it was verified. */
  readonly hash: string
  readonly identified: Identified
}

/** What was wrong: it may be right once the user's hash is another, or there is one. */
interface Failed {
  readonly user: UserName
  readonly hash: string | undefined
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
  readonly #failed: LRUCache<string, Failed>
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
      waitMaxMs: QUEUE_WAIT_MS,
      ...(options.after && { after: options.after }),
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
    const token = basicToken(headerValue)
    if (token === null) return WRONG
    const key = this.#digest(token)
    const remembered = this.#verified.get(key)?.identified ?? (this.#failed.has(key) ? WRONG : null)
    if (remembered !== null) {
      this.counts.cached++
      return remembered
    }
    const source = this.#guard.sourceOf(address)
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
    const known = this.#knownOf(attempt)
    if (known !== null) return known
    const verification = this.#check(attempt).finally(() => this.#pending.delete(sharedKey))
    this.#pending.set(sharedKey, verification)
    return verification
  }

  /**
   * There may be other users: who is gone or has a new password is forgotten at once, who has other groups
   * has them from the next request. What was wrong is forgotten of those alone whose hash is another now: a
   * program with an old password does not fail anew with each file that is saved.
   */
  replaceUsers(users: Users): void {
    this.#users = users
    this.#decoy = decoyOf(users)
    for (const key of [...this.#failed.keys()]) {
      const { user, hash } = this.#failed.peek(key)!
      if (users.get(user)?.hash !== hash) this.#failed.delete(key)
    }
    // From the least recently used, so that setting them keeps their order.
    for (const key of [...this.#verified.rkeys()]) {
      const { user, hash } = this.#verified.peek(key)!
      if (users.get(user)?.hash === hash) this.#verified.set(key, this.#remember(user, hash))
      else this.#verified.delete(key)
    }
  }

  /**
   * A keyed hash of what follows the scheme, in base64. Each request pays it: a one-shot hash costs half a microsecond, an
   * HMAC by `createHmac` eleven. Nobody sees one, so that none can be made longer, as a MAC's could.
   */
  #digest(token: string): string {
    return hashOnce('sha256', this.#digestKey + token, 'base64')
  }

  /** What the guard knows credentials by: compared with another hash they would be others. */
  #markOf({ key, credentials: { user } }: Attempt): Uint8Array {
    const hash = this.#users.get(user)?.hash ?? ''
    return hashOnce('sha256', this.#digestKey + key + hash, 'buffer')
  }

  /** 0 where they were right before; else by how much of them has failed lately. */
  #rankOf(attempt: Attempt): number {
    const { source, credentials } = attempt
    if (this.#guard.hasSignedIn(this.#markOf(attempt))) return 0
    return 1 + this.#guard.suspicionOf(source, credentials.user)
  }

  async #check(attempt: Attempt): Promise<Identified> {
    if (!(await this.#turns.take(attempt.source, () => this.#rankOf(attempt)))) {
      this.counts.unavailable++
      return UNAVAILABLE
    }
    try {
      // Others may have failed while this one waited, also with the same on another thread.
      return this.#knownOf(attempt) ?? (await this.#hash(attempt))
    } catch (error) {
      this.#onError(error)
      this.counts.unavailable++
      return UNAVAILABLE
    } finally {
      this.#turns.done()
    }
  }

  async #hash(attempt: Attempt): Promise<Identified> {
    const { key, source, credentials } = attempt
    const { user, password } = credentials
    for (;;) {
      const hash = this.#users.get(user)?.hash
      // The same work for a name that is not there: the time tells nobody who works here.
      const kept = hash === undefined ? this.#decoy : parseScrypt(hash)!
      const matches = await matchesScrypt(password, kept, this.#derive)
      // The file was replaced while we hashed: judge by what holds now.
      if (this.#users.get(user)?.hash !== hash) continue
      if (hash === undefined || !matches) {
        this.#failed.set(key, { user, hash })
        // Other threads may have hashed the same at the same time.
        if (this.#guard.foundWrong(this.#markOf(attempt))) this.#guard.failed(source, user)
        this.counts.wrong++
        return WRONG
      }
      const verified = this.#remember(user, hash)
      this.#verified.set(key, verified)
      this.#guard.signedIn(this.#markOf(attempt))
      this.counts.right++
      return verified.identified
    }
  }

  /** What can be said without hashing. Who has signed in on another thread, or long ago, does not guess. */
  #knownOf(attempt: Attempt): Identified | null {
    const { key, source, credentials } = attempt
    const { user } = credentials
    const mark = this.#markOf(attempt)
    if (this.#guard.wasWrong(mark)) {
      this.#failed.set(key, { user, hash: this.#users.get(user)?.hash })
      this.counts.cached++
      return WRONG
    }
    if (!this.#guard.isBarred(source, user) || this.#guard.hasSignedIn(mark)) return null
    this.counts.barred++
    return BARRED
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
