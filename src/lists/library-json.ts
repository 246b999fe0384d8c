/**
 * Owns: reading the small JSON files beside a fetched list, whoever wrote them.
 * Never: throws on what stands in them.
 */
import { REFUSAL_CODES, type Refusal, type RefusalCode } from './guard-rails.ts'
import type { Trouble } from './trouble.ts'

/** One version of a list: its file, and where that is from. */
export interface ListVersion {
  readonly how: 'fetched' | 'imported'
  /** In hex: of its file, and the name of it. */
  readonly sha256: string
  readonly bytes: number
  /** Where it was fetched from; of an imported one, null. */
  readonly url: string | null
  /** The file that was imported, as it was named; of a fetched one, null. */
  readonly file: string | null
  readonly etag: string | null
  readonly lastModified: string | null
  /** When it was fetched or imported. */
  readonly fetchedMs: number
}

/** The version that is in force. */
export interface CurrentVersion extends ListVersion {
  /** When the server last said that it is still the newest. */
  readonly checkedMs: number
  readonly entries: number
  /** Never-block hosts that it catches, when it was put in force. */
  readonly caught: readonly string[]
  /** Who put it in force in spite of what; null: nothing spoke against it. */
  readonly accepted: Acceptance | null
}

export interface Acceptance {
  readonly by: string
  readonly atMs: number
  readonly refusals: readonly RefusalCode[]
}

/** A version that is here and not in force. */
export interface PendingVersion extends ListVersion {
  /** `unjudged`: an update was interrupted, or another list stood in its way. */
  readonly verdict: 'unjudged' | 'held' | 'refused'
  readonly refusals: readonly Refusal[]
}

/** How fetching went. */
export interface Attempts {
  readonly lastAttemptMs: number
  /** In a row, 0 after one that succeeded. */
  readonly failures: number
  /** The server asked not to be asked before then (Retry-After), or null. */
  readonly notBeforeMs: number | null
  readonly problem: Trouble | null
}

type Fields = Readonly<Record<string, unknown>>

export function readCurrent(text: string): CurrentVersion | null {
  const value = fieldsOf(text)
  const version = value === null ? null : readVersion(value)
  if (value === null || version === null) return null
  const { checkedMs, entries, caught, accepted } = value
  if (!isCount(checkedMs) || !isCount(entries) || !isTexts(caught)) return null
  const acceptance = accepted === null ? null : readAcceptance(accepted)
  return acceptance === undefined
    ? null
    : { ...version, checkedMs, entries, caught, accepted: acceptance }
}

export function readPending(text: string): PendingVersion | null {
  const value = fieldsOf(text)
  const version = value === null ? null : readVersion(value)
  if (value === null || version === null) return null
  const { verdict, refusals } = value
  if (verdict !== 'unjudged' && verdict !== 'held' && verdict !== 'refused') return null
  if (!Array.isArray(refusals) || !refusals.every(isRefusal)) return null
  return { ...version, verdict, refusals }
}

export function readAttempts(text: string): Attempts | null {
  const value = fieldsOf(text)
  if (value === null) return null
  const { lastAttemptMs, failures, notBeforeMs, problem } = value
  if (!isCount(lastAttemptMs) || !isCount(failures)) return null
  if (notBeforeMs !== null && !isCount(notBeforeMs)) return null
  if (problem !== null && !isTrouble(problem)) return null
  return { lastAttemptMs, failures, notBeforeMs, problem }
}

function readVersion(value: Fields): ListVersion | null {
  const { how, sha256, bytes, url, file, etag, lastModified, fetchedMs } = value
  if (how !== 'fetched' && how !== 'imported') return null
  // It becomes part of a path: nothing but hex may.
  if (typeof sha256 !== 'string' || !/^[0-9a-f]{64}$/.test(sha256)) return null
  if (!isCount(bytes) || !isCount(fetchedMs)) return null
  if (!isTextOrNull(url) || !isTextOrNull(file)) return null
  if (!isTextOrNull(etag) || !isTextOrNull(lastModified)) return null
  return { how, sha256, bytes, url, file, etag, lastModified, fetchedMs }
}

function readAcceptance(value: unknown): Acceptance | undefined {
  if (!isFields(value)) return undefined
  const { by, atMs, refusals } = value
  if (typeof by !== 'string' || !isCount(atMs) || !Array.isArray(refusals)) return undefined
  return refusals.every(isCode) ? { by, atMs, refusals } : undefined
}

function fieldsOf(text: string): Fields | null {
  try {
    const value: unknown = JSON.parse(text)
    return isFields(value) ? value : null
  } catch {
    return null
  }
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0
}

function isTextOrNull(value: unknown): value is string | null {
  return value === null || typeof value === 'string'
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((each) => typeof each === 'string')
}

function isTrouble(value: unknown): value is Trouble {
  return isFields(value) && typeof value.what === 'string' && typeof value.hint === 'string'
}

function isCode(value: unknown): value is RefusalCode {
  return (REFUSAL_CODES as readonly unknown[]).includes(value)
}

function isRefusal(value: unknown): value is Refusal {
  return isTrouble(value) && 'code' in value && isCode(value.code)
}
