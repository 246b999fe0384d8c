/**
 * Owns: the kinds of value that settings are made of, each from the text a person writes to the form the
 * program uses, with the words for what was expected. Those of the network are in network-fields.ts.
 * Never: knows which setting it is used in; touches a file.
 *
 * The message of every issue is what was expected, as it goes on after that word; validation.ts relies on it.
 */
import { z } from 'zod'
import { dayNumber, isTimezone } from '../policy/index.ts'
import { meantHint } from './problems.ts'
import { misread, type Reading, read } from './reading.ts'
import {
  DURATION_PATTERN,
  formatDuration,
  formatShare,
  formatSize,
  parseDuration,
  parseShare,
  parseSize,
  SHARE_PATTERN,
  SIZE_PATTERN,
} from './units.ts'

/** The most entries of any list in the settings. Lists of domains are files, and have their own limits. */
export const ENTRIES_MAX = 1_000
export const NAME_LENGTH_MAX = 40
export const TEXT_LENGTH_MAX = 200
const PATH_LENGTH_MAX = 1_024

/** What the documentation says of a kind of value. */
export interface Kind {
  readonly kind: string
  readonly sample: string
  readonly pattern?: string
}

/** A text that `read` turns into something else, or says why it cannot. */
export function written<T>(kind: Kind, expected: string, parse: (text: string) => Reading<T>) {
  return z
    .string({ error: expected })
    .transform((text, context): T => {
      const reading = parse(text)
      if (reading.ok) return reading.value
      const { what, hint } = reading
      context.addIssue({ code: 'custom', message: expected, params: { what, hint } })
      return z.NEVER
    })
    .meta({ ...kind })
}

/** What a setting is for, in plain words; `sample` as it would stand in the file. */
export const about = (description: string, sample?: unknown) =>
  sample === undefined ? { description } : { description, sample }

interface Bounds {
  readonly min: number
  readonly max: number
}

function between(
  reading: Reading<number>,
  { min, max }: Bounds,
  format: (n: number) => string,
): Reading<number> {
  if (!reading.ok) return reading
  if (reading.value < min) return misread(`the least is ${format(min)}`)
  return reading.value > max ? misread(`the most is ${format(max)}`) : reading
}

/** Milliseconds, between two durations as they are written: `duration('1s', '1h', '30s')`. */
export function duration(min: string, max: string, sample: string) {
  const bounds = { min: known(parseDuration(min)), max: known(parseDuration(max)) }
  const kind = { kind: `duration, ${min} to ${max}`, sample, pattern: DURATION_PATTERN }
  return written(kind, `a duration from ${min} to ${max}, such as ${sample}`, (text) =>
    between(parseDuration(text), bounds, formatDuration),
  )
}

/** Bytes, between two sizes as they are written. */
export function size(min: string, max: string, sample: string) {
  const bounds = { min: known(parseSize(min)), max: known(parseSize(max)) }
  const kind = { kind: `size, ${min} to ${max}`, sample, pattern: SIZE_PATTERN }
  return written(kind, `a size from ${min} to ${max}, such as ${sample}`, (text) =>
    between(parseSize(text), bounds, formatSize),
  )
}

/** A share, between two percentages as they are written: `5%` becomes 0.05. */
export function percentage(min: string, max: string, sample: string) {
  const bounds = { min: known(parseShare(min)), max: known(parseShare(max)) }
  const kind = { kind: `percentage, ${min} to ${max}`, sample, pattern: SHARE_PATTERN }
  return written(kind, `a percentage from ${min} to ${max}, such as ${sample}`, (text) =>
    between(parseShare(text), bounds, formatShare),
  )
}

export function truth() {
  return z.boolean({ error: 'true or false' }).meta({ kind: 'true or false', sample: true })
}

/** Of a text in this program, which is right or a bug. */
function known<T>(reading: Reading<T>): T {
  if (!reading.ok) throw new Error(reading.what)
  return reading.value
}

export function integer(min: number, max: number, sample: number) {
  const error = `a whole number from ${min} to ${max}`
  return z
    .int({ error })
    .min(min, { error })
    .max(max, { error })
    .meta({ kind: `whole number, ${min} to ${max}`, sample })
}

export function choice<const T extends readonly [string, ...string[]]>(values: T) {
  return z.enum(values, { error: orList(values) }).meta({ kind: 'word', sample: values[0] })
}

/** `a, b or c`. */
export function orList(words: readonly string[]): string {
  return words.length < 2
    ? words.join('')
    : `${words.slice(0, -1).join(', ')} or ${words[words.length - 1]}`
}

/** A group of keys, none but these. */
export function group<T extends z.ZodRawShape>(shape: T) {
  return z.strictObject(shape, { error: `a group with the keys ${Object.keys(shape).join(', ')}` })
}

/** One, or a list of them; always a list afterwards. */
export function oneOrMany<T extends z.ZodType>(item: T, plural: string, least: 0 | 1 = 0) {
  const error = `${plural}, one or a list`
  return z
    .union([item, list(item, plural, least)], { error })
    .transform((value) => (Array.isArray(value) ? value : [value]) as z.output<T>[])
}

/** A list of at least `least` and at most `ENTRIES_MAX`. */
export function list<T extends z.ZodType>(item: T, plural: string, least: 0 | 1 = 0) {
  const error = `a list of ${plural}${least === 1 ? ', at least one' : ''}`
  return z
    .array(item, { error })
    .min(least, { error })
    .max(ENTRIES_MAX, { error: `at most ${ENTRIES_MAX} of ${plural}` })
}

const NAME = /^[a-z][a-z0-9-]*$/

/** The name of a zone or category. It starts with a letter, so that the order of keys is that of the file. */
export function name(sample: string) {
  const expected = `a name of at most ${NAME_LENGTH_MAX} small letters a to z, digits and hyphens, such as ${sample}`
  const kind = { kind: 'name', sample, pattern: NAME.source }
  return written(kind, expected, (text) =>
    NAME.test(text) && text.length <= NAME_LENGTH_MAX ? read(text) : misread(nameFault(text)),
  )
}

function nameFault(text: string): string {
  if (text === '') return 'it is empty'
  if (text.length > NAME_LENGTH_MAX) return `it has ${text.length} characters`
  return /^[a-z]/.test(text) ? 'it has other characters' : 'it does not start with a small letter'
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: controls are what this looks for
const CONTROLS = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/

/** A line of text for people; may be empty. */
export function line(sample: string) {
  return written({ kind: 'text', sample }, `text in quotes, such as "${sample}"`, (text) => {
    if (CONTROLS.test(text)) return misread('it has control characters')
    return text.length <= TEXT_LENGTH_MAX
      ? read(text.trim())
      : misread(`it has more than ${TEXT_LENGTH_MAX} characters`)
  })
}

/** A path, as written; it is made absolute by whoever knows the folder. */
export function path(sample: string, urlHint = 'download it, and name the file') {
  return written({ kind: 'path', sample }, `a path, such as ${sample}`, (text) => {
    if (text.trim() === '') return misread('it is empty')
    if (CONTROLS.test(text)) return misread('it has control characters')
    if (/^[a-z][a-z0-9+.-]+:\/\//i.test(text)) {
      return misread('it is a URL', urlHint)
    }
    return text.length <= PATH_LENGTH_MAX ? read(text) : misread('it is too long')
  })
}

export function timezone(sample: string) {
  const kind = { kind: 'IANA time zone', sample }
  return written(kind, `an IANA time zone, such as ${sample}`, (text) =>
    isTimezone(text)
      ? read(text)
      : misread('there is no such zone', meantHint(text, Intl.supportedValuesOf('timeZone'))),
  )
}

/** Minutes after midnight. */
export function clockTime(sample: string) {
  const kind = { kind: 'time of day', sample, pattern: '^([01][0-9]|2[0-3]):[0-5][0-9]$' }
  return written(kind, `a time of day from "00:00" to "23:59"`, (text) => {
    const match = /^([01]\d|2[0-3]):([0-5]\d)$/.exec(text)
    return match === null ? misread('') : read(Number(match[1]) * 60 + Number(match[2]))
  })
}

export function date(sample: string) {
  const kind = { kind: 'date', sample, pattern: '^[0-9]{4}-[0-9]{2}-[0-9]{2}$' }
  return written(kind, `a date such as ${sample}`, (text) =>
    dayNumber(text) === null ? misread('there is no such date') : read(text),
  )
}
