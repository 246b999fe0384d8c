/**
 * Owns: what a list that is fetched is, and by which rules it is.
 * Never: fetches.
 */
import type { AllowedAddress } from '../policy/policy.ts'
import type { LabelTarget, ListFormat } from '../policy/source.ts'

/** A list that others keep. Plain data. */
export interface RemoteList {
  /** Of no other list; it is also the name of its folder: small letters, digits, hyphens, `_`. */
  readonly name: string
  /** https only. */
  readonly url: string
  /**
   * URL of a file as sha256sum, sha512sum or md5sum write it, or of a lone digest; null: none is
   * published.
   */
  readonly checksum: string | null
  /** In hex, small letters: the only content that is taken; null: any. */
  readonly sha256: string | null
  readonly everyMs: number
  readonly target: LabelTarget
  readonly format: ListFormat | 'auto'
  readonly member: string | null
  readonly rejectedShareMax: number
  readonly licence: string
  /** 0.3: a version with fewer than 70 % of the entries before it is refused. */
  readonly fallShare: number
  /** 1: a version with more than twice the entries before it is refused. */
  readonly growthShare: number
}

/** How lists are fetched. Plain data. */
export interface UpdateRules {
  /** `http:` or `https:` URL, with user and password where it asks for them; null: directly. */
  readonly proxy: string | null
  /** Path of a PEM file of authorities that are trusted beside the usual ones, or null. */
  readonly certificates: string | null
  /** One download in all, with the tries and the waits between them. */
  readonly timeoutMs: number
  /** The longest a server may be silent. */
  readonly idleMs: number
  readonly bytesMax: number
  /** Tries after the first. */
  readonly retries: number
  /** Addresses that a redirect may lead to though they are not public. */
  readonly allow: readonly AllowedAddress[]
}
