/**
 * Owns: durations, sizes and shares as people write them: `30s`, `90d`, `16KiB`, `5%`.
 * Never: guesses a unit: a bare number is an error.
 */
import { misread, type Reading, read } from './reading.ts'

const DURATION_UNITS = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1_000],
  ['ms', 1],
] as const

const SIZE_UNITS = [
  ['GiB', 1_073_741_824],
  ['MiB', 1_048_576],
  ['KiB', 1_024],
  ['B', 1],
] as const

type Units = readonly (readonly [name: string, factor: number])[]

/** For editors: what the text looks like. Bounds are checked where a setting is read. */
export const DURATION_PATTERN = '^[0-9]{1,12}(ms|s|m|h|d)$'
export const SIZE_PATTERN = '^[0-9]{1,12}(B|KiB|MiB|GiB)$'

/** Milliseconds. */
export function parseDuration(text: string): Reading<number> {
  return parseQuantity(text, DURATION_UNITS)
}

/** In the largest unit that divides it: `90d`, never `2160h`; nothing at all is `0s`. */
export function formatDuration(ms: number): string {
  return ms === 0 ? '0s' : formatQuantity(ms, DURATION_UNITS)
}

/** Bytes. Units are of 1,024: `KB` is refused, because it means two things. */
export function parseSize(text: string): Reading<number> {
  return parseQuantity(text, SIZE_UNITS)
}

export function formatSize(bytes: number): string {
  return bytes === 0 ? '0B' : formatQuantity(bytes, SIZE_UNITS)
}

export const SHARE_PATTERN = '^[0-9]{1,6}([.][0-9]{1,3})?%$'

/** A share of one: `5%` is 0.05. */
export function parseShare(text: string): Reading<number> {
  if (new RegExp(SHARE_PATTERN).test(text)) return read(Number(text.slice(0, -1)) / 100)
  if (text.startsWith('-')) return misread('it is negative')
  if (/^\d+(?:\.\d+)?$/.test(text)) return misread('the % is missing', `write ${text}%`)
  if (/^\d+,\d+%$/.test(text)) return misread('there is a comma in it', 'write a point')
  return misread('it is not a number with a %')
}

/** `5%`, `0.5%`. */
export function formatShare(share: number): string {
  return `${Number((share * 100).toFixed(3))}%`
}

function parseQuantity(text: string, units: Units): Reading<number> {
  const names = units.map(([name]) => name).toReversed()
  const hint = `the units are ${names.join(', ')}`
  const match = /^(\d+)([A-Za-zµ]*)$/.exec(text)
  if (match === null) {
    if (text.startsWith('-')) return misread('it is negative')
    if (/^\d+[.,]\d/.test(text)) return misread('only whole numbers are read', hint)
    if (/\s/.test(text)) return misread('there is a blank in it')
    return misread('it is not a number with a unit', hint)
  }
  const [, digits, unit] = match
  if (unit === '') return misread('the unit is missing', hint)
  const factor = units.find(([name]) => name === unit)?.[1]
  if (factor === undefined) return misread(`${unit} is not a unit here`, hint)
  const value = Number(digits) * factor
  return Number.isSafeInteger(value) ? read(value) : misread('the number is too large')
}

function formatQuantity(value: number, units: Units): string {
  const [name, factor] = units.find((unit) => value % unit[1] === 0)!
  return `${value / factor}${name}`
}
