/**
 * Owns: what the verifier asks of whoever counts failed logins, and the one who counts none.
 * Never: counts; the data plane does, over all its threads.
 */
import { randomBytes } from 'node:crypto'
import type { Address } from '../policy/address.ts'

export interface LoginGuard {
  /** 32 bytes: the key of the digest that credentials are known by, the same on all threads. */
  readonly digestKey: Uint8Array
  /** A number for a client's address. Clients with the same one are counted together. */
  sourceOf(address: Address): number
  /** True where so many failed from there lately that nothing new is tried. */
  isBarred(source: number): boolean
  /** A new wrong password has come from there. */
  failed(source: number): void
  /** The credentials of this digest (32 bytes) were right. */
  signedIn(digest: Uint8Array): void
  /** True where they were right before, on any thread; never by chance for a guess. */
  hasSignedIn(digest: Uint8Array): boolean
}

/** Bars nobody. */
export function openGuard(): LoginGuard {
  return {
    digestKey: randomBytes(32),
    sourceOf: () => 0,
    isBarred: () => false,
    failed: () => {},
    signedIn: () => {},
    hasSignedIn: () => false,
  }
}
