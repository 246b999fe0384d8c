/**
 * Owns: what the verifier asks of whoever counts failed logins, and the one who counts none.
 * Never: counts; the data plane does, over all its threads.
 */
import { randomBytes } from 'node:crypto'
import type { Address } from '../policy/address.ts'
import type { UserName } from '../policy/user.ts'

/**
 * Counts over all threads. A `mark` stands for credentials and the hash that they were compared with, in 32
 * bytes that nobody can guess: where the hash is changed the mark is another, so a mark never grows old.
 */
export interface LoginGuard {
  /** 32 bytes: the key of the digests that credentials are known by, the same on all threads. */
  readonly digestKey: Uint8Array
  /** A number for a client's address. Clients with the same one are counted together. */
  sourceOf(address: Address): number
  /** True where so many failed from there lately that `user` may not try anything new. */
  isBarred(source: number, user: UserName): boolean
  /** How many of these have failed lately: the address, the name (wherever it was tried). */
  suspicionOf(source: number, user: UserName): 0 | 1 | 2
  /** A new wrong password for `user` has come from there. */
  failed(source: number, user: UserName): void
  /** The credentials were right. */
  signedIn(mark: Uint8Array): void
  /** True where they were right before, on any thread; never by chance for a guess. */
  hasSignedIn(mark: Uint8Array): boolean
  /** The credentials were wrong; true where no thread has said so before. */
  foundWrong(mark: Uint8Array): boolean
  /** True where they were wrong before, on any thread; never by chance for the right ones. */
  wasWrong(mark: Uint8Array): boolean
}

/** Bars nobody. */
export function openGuard(): LoginGuard {
  return {
    digestKey: randomBytes(32),
    sourceOf: () => 0,
    isBarred: () => false,
    suspicionOf: () => 0,
    failed: () => {},
    signedIn: () => {},
    hasSignedIn: () => false,
    foundWrong: () => true,
    wasWrong: () => false,
  }
}
