/**
 * Owns: what comes of reading a text that a person wrote.
 * Never: throws for what a person wrote.
 */

export type Reading<T> = { readonly ok: true; readonly value: T } | Misreading

export interface Misreading {
  readonly ok: false
  /** What is wrong with it, in a few plain words; may be empty where what was expected says it all. */
  readonly what: string
  /** What to do; may be empty. */
  readonly hint: string
}

export function read<T>(value: T): Reading<T> {
  return { ok: true, value }
}

export function misread(what: string, hint = ''): Misreading {
  return { ok: false, what, hint }
}
