/**
 * Owns: what there is to say of the lists that an image is made of: it stands in the image, so that it is
 * known again after a restart.
 * Never: counts; build.ts does.
 */
import type { LabelTarget, ListFormat, Provenance } from '../policy/source.ts'
import type { Rejection } from './rejection.ts'

export interface ListReport {
  readonly name: string
  readonly target: LabelTarget
  /** Null: its entries stand in another file. */
  readonly file: string | null
  readonly provenance: Provenance
  readonly format: ListFormat
  /** Of the file as it lay on disk, in hex: the version of the list. Empty where there is no file. */
  readonly sha256: string
  /** Of the text, unpacked. */
  readonly bytes: number
  /** Lines of the file, or entries given. */
  readonly lines: number
  /** Names read and usable, duplicates among them. */
  readonly used: number
  /** Different hosts that it lists. */
  readonly domains: number
  readonly duplicates: number
  /** Of its domains: those whose work a parent of two labels or more in the same list does already. */
  readonly covered: number
  /** Different hosts and networks that it frees (`@@`). */
  readonly exceptions: number
  /** Networks of addresses that it lists. */
  readonly networks: number
  readonly rejected: number
  readonly rejections: readonly Rejection[]
}

/** A never-block host that a list of a category would catch, were it not never blocked. */
export interface CaughtCanary {
  readonly host: string
  readonly list: string
  /** The listed name: the host or a parent of it. */
  readonly domain: string
  readonly line: number
}

export interface BuildReport {
  readonly lists: readonly ListReport[]
  /** The first `CAUGHT_MAX`. */
  readonly caught: readonly CaughtCanary[]
  /** Different hosts that are listed, in all lists together. */
  readonly domains: number
  /** Those and their parents. */
  readonly nodes: number
  readonly bytes: number
  readonly buildMs: number
}

export const CAUGHT_MAX = 1_000

/** How far a build has come: bytes of all lists while it reads, names while it builds. */
export interface BuildProgress {
  readonly phase: 'read' | 'build'
  /** The list that is being read; empty while building. */
  readonly list: string
  readonly done: number
  readonly total: number
}
