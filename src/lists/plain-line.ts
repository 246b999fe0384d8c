/**
 * Owns: the short way through a line in normal form, on bytes: where its name begins and ends, and
 * that nothing else stands on it. Most lines of most lists are such.
 * Never: takes a line that its format reads otherwise; at any doubt formats.ts judges.
 */
import { LABEL_LENGTH_MAX } from '../policy/host.ts'
import type { ListFormat } from '../policy/source.ts'
import { DOT, isDigit, NAME_BYTES_MAX } from './layout.ts'

export const LF = 10
export const CR = 13
const SPACE = 32
const TAB = 9
const HASH = 35
const HYPHEN = 45

const OTHER = 0
const LETTER = 1
/** For each byte: part of a name in normal form, a dot, or something that formats.ts must judge. */
const KINDS = new Uint8Array(256)
for (const char of 'abcdefghijklmnopqrstuvwxyz0123456789-_') KINDS[char.charCodeAt(0)] = LETTER
KINDS[DOT] = DOT

const encode = (text: string) => new TextEncoder().encode(text)
const LOC = encode('loc')

/** What may stand before a name, and what must stand after it. */
interface Frame {
  readonly before: Uint8Array
  readonly after: Uint8Array
  readonly exception: boolean
}

const frame = (before: string, after = '', exception = false): Frame => ({
  before: encode(before),
  after: encode(after),
  exception,
})

/** What most hosts files begin their lines with, and what wildcard lists do. */
const PLAIN = [
  frame('0.0.0.0 '),
  frame('127.0.0.1 '),
  frame('0.0.0.0\t'),
  frame('127.0.0.1\t'),
  frame('*.'),
]
const ADBLOCK = [frame('||', '^'), frame('@@||', '^', true), ...PLAIN]
const DNSMASQ = [
  frame('address=/', '/0.0.0.0'),
  frame('address=/', '/#'),
  frame('address=/', '/'),
  frame('local=/', '/'),
  frame('server=/', '/'),
]

/** A format's frames by the first byte of the line. */
type Frames = readonly (readonly Frame[] | undefined)[]

function byFirstByte(frames: readonly Frame[]): Frames {
  const table: Frame[][] = Array.from({ length: 256 })
  for (const each of frames) {
    const first = each.before[0]!
    table[first] ??= []
    table[first].push(each)
  }
  return table
}

const BARE = frame('')
/** `bare`: a line may hold a name alone. A zone has no line that can be read by itself. */
const WAYS: Readonly<Record<ListFormat, { readonly bare: boolean; readonly frames: Frames }>> = {
  domains: { bare: true, frames: byFirstByte(PLAIN) },
  hosts: { bare: true, frames: byFirstByte(PLAIN) },
  wildcard: { bare: true, frames: byFirstByte(PLAIN) },
  ut1: { bare: true, frames: byFirstByte(PLAIN) },
  adblock: { bare: true, frames: byFirstByte(ADBLOCK) },
  dnsmasq: { bare: false, frames: byFirstByte(DNSMASQ) },
  rpz: { bare: false, frames: byFirstByte([]) },
}

/** Finds the name on lines of one format. One for each list: it holds what it found last. */
export class PlainLine {
  readonly #bare: boolean
  readonly #frames: Frames
  nameStart = 0
  nameEnd = 0
  exception = false

  constructor(format: ListFormat) {
    this.#bare = WAYS[format].bare
    this.#frames = WAYS[format].frames
  }

  /** The start of the next line, or -1 where the line that begins at `at` is not plain. */
  find(bytes: Uint8Array, at: number, end: number): number {
    const frames = this.#frames[bytes[at]!]
    if (frames !== undefined) {
      for (const each of frames) {
        if (!startsWith(bytes, at, end, each.before)) continue
        const next = this.#within(each, bytes, at + each.before.length, end)
        if (next >= 0) return next
      }
    }
    return this.#bare ? this.#within(BARE, bytes, at, end) : -1
  }

  #within(each: Frame, bytes: Uint8Array, nameStart: number, end: number): number {
    const nameEnd = plainNameEnd(bytes, nameStart, end)
    if (nameEnd < 0 || !startsWith(bytes, nameEnd, end, each.after)) return -1
    this.nameStart = nameStart
    this.nameEnd = nameEnd
    this.exception = each.exception
    return afterPlainName(bytes, nameEnd + each.after.length, end)
  }
}

function startsWith(bytes: Uint8Array, at: number, end: number, text: Uint8Array): boolean {
  if (at + text.length > end) return false
  for (let i = 0; i < text.length; i++) if (bytes[at + i] !== text[i]) return false
  return true
}

/**
 * The end of a name in normal form that begins at `start`, or -1 where formats.ts must judge: what
 * passes here, parseHost passes unchanged. A last label that begins with a digit may be an
 * address, and one that begins as `localdomain` does may be no site.
 */
function plainNameEnd(bytes: Uint8Array, start: number, end: number): number {
  let at = start
  let labelStart = start
  let kind = OTHER
  while (at < end) {
    kind = KINDS[bytes[at]!]!
    if (kind === OTHER) break
    if (kind === DOT) {
      if (at === labelStart || at - labelStart > LABEL_LENGTH_MAX) return -1
      labelStart = at + 1
    }
    at++
  }
  const length = at - start
  if (at === labelStart || at - labelStart > LABEL_LENGTH_MAX) return -1
  if (labelStart === start || length > NAME_BYTES_MAX) return -1
  if (isDigit(bytes[labelStart]!) || isLocal(bytes, labelStart)) return -1
  return bytes[start] === HYPHEN || bytes[at - 1] === HYPHEN ? -1 : at
}

function isLocal(bytes: Uint8Array, labelStart: number): boolean {
  const [l, o, c] = LOC
  return bytes[labelStart] === l && bytes[labelStart + 1] === o && bytes[labelStart + 2] === c
}

/** The start of the next line, where nothing but blanks or a comment follows the name; else -1. */
function afterPlainName(bytes: Uint8Array, nameEnd: number, end: number): number {
  let at = nameEnd
  while (at < end) {
    const byte = bytes[at]
    if (byte === LF) return at + 1
    if (byte === HASH) return isWhitespace(bytes[at - 1]) ? endOfLine(bytes, at, end) + 1 : -1
    if (!isWhitespace(byte)) return -1
    at++
  }
  return at
}

/** The next line end, or `end`. */
export function endOfLine(bytes: Uint8Array, at: number, end: number): number {
  const found = bytes.indexOf(LF, at)
  return found < 0 || found > end ? end : found
}

function isWhitespace(byte: number | undefined): boolean {
  return byte === SPACE || byte === TAB || byte === CR
}
