/**
 * Owns: a problem in a settings file: where it is, what was expected, what to do; and its line of text.
 * Never: finds one.
 */
import { isAbsolute, relative } from 'node:path'
import { distance } from 'fastest-levenshtein'
import type { KeyPath } from './key-path.ts'

export interface Problem {
  /** Absolute path of the file; or `--set quota.grace=5`, as it was given. */
  readonly file: string
  /** 1-based; 0 where the file as a whole is meant, or none. */
  readonly line: number
  /** 1-based. */
  readonly column?: number
  /** Dotted path: `zones[0].networks[1]`; empty for the file as a whole. */
  readonly key: string
  /** As written, made safe to print (see `quoteValue`); empty where there is none. */
  readonly value: string
  /** What is wrong; may be empty where `expected` says it all. */
  readonly what: string
  /** What could stand there, as it goes on after "expected"; may be empty. */
  readonly expected: string
  /** What to do; may be empty. */
  readonly hint: string
}

/** A problem that knows its path but not yet its line. */
export interface Complaint {
  readonly path: KeyPath
  /** Whether the name of the key is at fault, or (the default) what stands at it. */
  readonly at?: 'key' | 'value'
  readonly value: unknown
  readonly what: string
  readonly expected: string
  readonly hint: string
}

/** A complaint about what stands at `path`; what is not said is empty. */
export function complaint(path: KeyPath, words: Partial<Omit<Complaint, 'path'>>): Complaint {
  return { path, value: undefined, what: '', expected: '', hint: '', ...words }
}

/** Longer values are cut: a pasted file or key should not fill the screen, nor be read over a shoulder. */
export const VALUE_LENGTH_MAX = 80

/**
 * The line a person reads, with the file relative to `folder` where it lies in it:
 * `config/sluss.yaml:14: zones[0].networks[1]: "10.0.0.0/33" — expected a CIDR network …; the prefix …`
 */
export function formatProblem(problem: Problem, folder: string = process.cwd()): string {
  const { file, line, key, value, what, expected, hint } = problem
  // From the root, where systemd starts a service, every file would lose no more than its first slash.
  const near = isAbsolute(file) && folder !== '/' ? relative(folder, file) : file
  const shown = near === '' || near.startsWith('..') ? file : near
  const place = printable(line > 0 ? `${shown}:${line}` : shown)
  const subject = [key, value].filter((part) => part !== '').join(': ')
  const wish = expected === '' ? '' : `expected ${expected}`
  const account = [wish, what, hint].filter((part) => part !== '').join('; ')
  return subject === '' ? `${place}: ${account}` : `${place}: ${subject} — ${account}`
}

/** The order of a file, for sorting. */
export function byPlace(a: Problem, b: Problem): number {
  return a.line - b.line || (a.column ?? 0) - (b.column ?? 0)
}

/** A value as it may be printed: text in quotes, controls escaped, cut at `VALUE_LENGTH_MAX` characters. */
export function quoteValue(value: unknown): string {
  if (value === undefined || value === null) return ''
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'object') return 'a group of keys'
  return typeof value === 'string'
    ? printable(JSON.stringify(cut(withoutPasswords(value))))
    : String(value)
}

/** `user:password@`, wherever in a URL it stands, or in what was to be one. */
const PASSWORD = /(\/{0,2}[^/\s:@]*):(?!\/\/)\S*@/g
/** Longer than any URL that is read. */
const URL_LENGTH_MAX = 4_096

/** `text` with the passwords of its URLs left out: settings are printed where others look on. */
export function withoutPasswords(text: string): string {
  return text.slice(0, URL_LENGTH_MAX).replace(PASSWORD, '$1:…@')
}

export function cut(text: string): string {
  return text.length > VALUE_LENGTH_MAX ? `${text.slice(0, VALUE_LENGTH_MAX)}…` : text
}

/** Controls, and the marks that turn the direction of text: a terminal obeys them. */
const OBEYED =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: controls are what this looks for
  /[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g

/** `text` with what a terminal would obey written as `\u001b`. */
export function printable(text: string): string {
  return text.replace(OBEYED, (mark) => `\\u${mark.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

/** A name longer than this is no slip of a key. */
const NAME_LENGTH_MAX = 64

/** The candidate that `name` most likely meant, or null where none is close. */
export function nearestOf(name: string, candidates: Iterable<string>): string | null {
  if (name === '' || name.length > NAME_LENGTH_MAX) return null
  const wanted = name.toLowerCase()
  let best: string | null = null
  let bestDistance = Math.max(1, Math.floor(wanted.length / 3)) + 1
  for (const candidate of candidates) {
    const far = distance(wanted, candidate.toLowerCase())
    if (far >= bestDistance) continue
    best = candidate
    bestDistance = far
  }
  return best
}

/** `did you mean networks?`, or nothing. */
export function meantHint(name: string, candidates: Iterable<string>): string {
  const nearest = nearestOf(name, candidates)
  return nearest === null ? '' : `did you mean ${nearest}?`
}
