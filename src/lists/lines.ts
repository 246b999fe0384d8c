/**
 * Owns: from the bytes of a list to its hosts and their line numbers, at the speed that millions of lines
 * need: lines that are already in normal form are read here, all others by formats.ts.
 * Never: throws, drops a line without counting it, or differs from formats.ts in what a line means.
 */
import { LABEL_LENGTH_MAX } from '../policy/host.ts'
import type { ListEntry } from '../policy/source.ts'
import { type Reading, readEntry, readLine } from './formats.ts'
import { DOT, isDigit, NAME_BYTES_MAX } from './layout.ts'
import { type Rejection, Rejections } from './rejection.ts'

/** A line longer than this is not decoded: no host, comment aside, comes near. */
export const LINE_BYTES_MAX = 4_096

/** What a list holds. The names of all entries lie in one buffer: a length byte, then the name. */
export interface ParsedLines {
  readonly names: Uint8Array
  /** Line of each name, in the same order; its length is the number of names. */
  readonly nameLines: Uint32Array
  /** Lines of the file, or entries given. */
  readonly lines: number
  /** Lines that are neither blank nor comment. */
  readonly contentLines: number
  readonly rejectedCount: number
  readonly rejected: readonly Rejection[]
}

const LF = 10
const CR = 13
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

/** What most hosts files begin their lines with. */
const SINKS = ['0.0.0.0 ', '127.0.0.1 '].map((text) => new TextEncoder().encode(text))
const LOC = new TextEncoder().encode('loc')
const BYTE_ORDER_MARK = [0xef, 0xbb, 0xbf]

/** Grows as names come. What is reserved and never written costs no memory. */
class Names {
  #bytes: Uint8Array
  #used = 0
  #lines: Uint32Array
  #count = 0

  constructor(bytesExpected: number) {
    this.#bytes = new Uint8Array(Math.max(bytesExpected, 2 * NAME_BYTES_MAX))
    this.#lines = new Uint32Array(Math.max(16, bytesExpected >>> 4))
  }

  add(source: Uint8Array, start: number, end: number, line: number): void {
    const length = end - start
    if (this.#used + length >= this.#bytes.length) this.#bytes = grown(this.#bytes, Uint8Array)
    if (this.#count === this.#lines.length) this.#lines = grown(this.#lines, Uint32Array)
    const bytes = this.#bytes
    let at = this.#used
    bytes[at++] = length
    for (let i = start; i < end; i++) bytes[at++] = source[i]!
    this.#used = at
    this.#lines[this.#count++] = line
  }

  get bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#used)
  }

  get lines(): Uint32Array {
    return this.#lines.subarray(0, this.#count)
  }
}

function grown<T extends Uint8Array | Uint32Array>(old: T, make: new (length: number) => T): T {
  const larger = new make(old.length * 2)
  larger.set(old)
  return larger
}

/** Adds what `readings` found to the names or to the rejections. */
class Collector {
  readonly names: Names
  readonly #rejections = new Rejections()
  readonly #encoder = new TextEncoder()
  #contentLines = 0

  constructor(bytesExpected: number) {
    this.names = new Names(bytesExpected)
  }

  take(readings: readonly Reading[], line: number): void {
    if (readings.length > 0) this.#contentLines++
    for (const reading of readings) {
      if ('host' in reading) {
        const bytes = this.#encoder.encode(reading.host)
        this.names.add(bytes, 0, bytes.length, line)
      } else this.#rejections.add(reading.reason, line, reading.text)
    }
  }

  finish(lines: number, plainLines: number): ParsedLines {
    return {
      names: this.names.bytes,
      nameLines: this.names.lines,
      lines,
      contentLines: this.#contentLines + plainLines,
      rejectedCount: this.#rejections.total,
      rejected: this.#rejections.summary(),
    }
  }
}

/** Reads the whole text of a list. */
export function parseLines(bytes: Uint8Array): ParsedLines {
  const collector = new Collector(bytes.length)
  const decoder = new TextDecoder()
  let at = BYTE_ORDER_MARK.every((byte, i) => bytes[i] === byte) ? BYTE_ORDER_MARK.length : 0
  let line = 0
  let plainLines = 0
  while (at < bytes.length) {
    line++
    const start = afterSink(bytes, at)
    const end = plainNameEnd(bytes, start)
    const next = end < 0 ? -1 : afterPlainName(bytes, end)
    if (next >= 0) {
      collector.names.add(bytes, start, end, line)
      plainLines++
      at = next
      continue
    }
    const lineEnd = endOfLine(bytes, at)
    collector.take(readBytes(bytes, at, lineEnd, decoder), line)
    at = lineEnd + 1
  }
  return collector.finish(line, plainLines)
}

/** Reads entries that stand in another file, such as the domains of a platform. */
export function parseEntries(entries: readonly ListEntry[]): ParsedLines {
  const collector = new Collector(0)
  for (const { text, line } of entries) collector.take([readEntry(text.trim(), false)], line)
  return collector.finish(entries.length, 0)
}

function readBytes(
  bytes: Uint8Array,
  start: number,
  end: number,
  decoder: TextDecoder,
): readonly Reading[] {
  if (end - start <= LINE_BYTES_MAX) return readLine(decoder.decode(bytes.subarray(start, end)))
  const text = decoder.decode(bytes.subarray(start, start + LINE_BYTES_MAX))
  return /^\s*[#;!]/.test(text) ? [] : [{ reason: 'line-too-long', text }]
}

function endOfLine(bytes: Uint8Array, at: number): number {
  const end = bytes.indexOf(LF, at)
  return end < 0 ? bytes.length : end
}

/** Where the name begins: after a hosts file's address, if the line begins with a usual one. */
function afterSink(bytes: Uint8Array, at: number): number {
  for (const sink of SINKS) {
    let i = 0
    while (i < sink.length && bytes[at + i] === sink[i]) i++
    if (i === sink.length) return at + i
  }
  return at
}

/**
 * The end of a name in normal form that begins at `start`, or -1 where formats.ts must judge: what passes
 * here, parseHost passes unchanged. A last label that begins with a digit may be an address, and one that
 * begins as `localdomain` does may be no site.
 */
function plainNameEnd(bytes: Uint8Array, start: number): number {
  let at = start
  let labelStart = start
  let kind = OTHER
  while (at < bytes.length) {
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
  return LOC.every((byte, i) => bytes[labelStart + i] === byte)
}

/** The start of the next line, where nothing but blanks or a comment follows the name; else -1. */
function afterPlainName(bytes: Uint8Array, nameEnd: number): number {
  let at = nameEnd
  while (at < bytes.length) {
    const byte = bytes[at]
    if (byte === LF) return at + 1
    if (byte === HASH) return isWhitespace(bytes[at - 1]) ? endOfLine(bytes, at) + 1 : -1
    if (!isWhitespace(byte)) return -1
    at++
  }
  return at
}

function isWhitespace(byte: number | undefined): boolean {
  return byte === SPACE || byte === TAB || byte === CR
}
