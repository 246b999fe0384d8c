/**
 * Owns: from the bytes of a list to its hosts and their line numbers, at the speed that millions
 * of lines need: lines that are already in normal form are read here, all others by formats.ts.
 * Never: throws, drops a line without counting it, or differs from formats.ts in what a line means.
 */

import type { Network } from '../policy/address.ts'
import { LABEL_LENGTH_MAX } from '../policy/host.ts'
import type { ListEntry, ListFormat } from '../policy/source.ts'
import { type Reading, readEntry, readLine } from './formats.ts'
import { DOT, isDigit, NAME_BYTES_MAX } from './layout.ts'
import { type Rejection, Rejections } from './rejection.ts'

/** A line longer than this is not decoded: no host, comment aside, comes near. */
export const LINE_BYTES_MAX = 4_096

/** Names in one buffer: a length byte, then the name. */
export interface NameList {
  readonly names: Uint8Array
  /** Line of each name, in the same order; its length is the number of names. */
  readonly nameLines: Uint32Array
  /**
   * The most nodes that the names can make: one for each label but the last, and for each lone
   * label.
   */
  readonly nodesMax: number
}

/** A network of addresses that a list names (CIDR); a lone address is a name. */
export interface ListedNetwork {
  readonly network: Network
  /** 1-based. */
  readonly line: number
  /** The list frees it instead of listing it. */
  readonly exception: boolean
}

/** What a list holds: the names it lists, those it frees (`@@`), and its networks. */
export interface ParsedLines extends NameList {
  readonly exceptions: NameList
  readonly networks: readonly ListedNetwork[]
  readonly format: ListFormat
  /** Of the text, unpacked. */
  readonly bytes: number
  /** Of what was read, as it lay on disk, in hex; empty for entries that stand in another file. */
  readonly sha256: string
  /** Lines of the file, or entries given. */
  readonly lines: number
  /** Lines that are neither blank nor comment. */
  readonly contentLines: number
  readonly rejectedCount: number
  readonly rejected: readonly Rejection[]
}

/** What is reserved before names come; more is made where it does not do. */
const NAMES_EXPECTED_MIN = 16
const BYTES_PER_LINE_EXPECTED = 14

export const LF = 10
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

/** Reads a list piece by piece. */
export class LineParser {
  readonly #names: Names
  readonly #rejections = new Rejections()
  readonly #decoder = new TextDecoder()
  readonly #encoder = new TextEncoder()
  #lines = 0
  #contentLines = 0

  /** `bytesExpected`: the size of the file; more is no error. */
  constructor(bytesExpected: number) {
    this.#names = new Names(bytesExpected)
  }

  /** Reads bytes `start` to `end`: whole lines, only the last of the file may lack its end. */
  read(bytes: Uint8Array, start: number, end: number): void {
    let at = start
    if (this.#lines === 0 && BYTE_ORDER_MARK.every((byte, i) => bytes[start + i] === byte)) {
      at += BYTE_ORDER_MARK.length
    }
    while (at < end) {
      this.#lines++
      const nameStart = afterSink(bytes, at)
      const nameEnd = plainNameEnd(bytes, nameStart, end)
      const next = nameEnd < 0 ? -1 : afterPlainName(bytes, nameEnd, end)
      if (next >= 0) {
        this.#names.add(bytes, nameStart, nameEnd, this.#lines)
        this.#contentLines++
        at = next
      } else {
        const lineEnd = endOfLine(bytes, at, end)
        this.#take(readBytes(bytes, at, lineEnd, this.#decoder), this.#lines)
        at = lineEnd + 1
      }
    }
  }

  /** Reads one entry that stands in another file, such as the domain of a platform. */
  readEntry({ text, line }: ListEntry): void {
    this.#lines++
    this.#take([readEntry(text.trim(), false)], line)
  }

  finish(): ParsedLines {
    return {
      ...this.#names.finish(),
      exceptions: new Names(0).finish(),
      networks: [],
      format: 'domains',
      bytes: 0,
      sha256: '',
      lines: this.#lines,
      contentLines: this.#contentLines,
      rejectedCount: this.#rejections.total,
      rejected: this.#rejections.summary(),
    }
  }

  #take(readings: readonly Reading[], line: number): void {
    if (readings.length > 0) this.#contentLines++
    for (const reading of readings) {
      if ('host' in reading) {
        const bytes = this.#encoder.encode(reading.host)
        this.#names.add(bytes, 0, bytes.length, line)
      } else this.#rejections.add(reading.reason, line, reading.text)
    }
  }
}

/** Reads the whole text of a list. */
export function parseLines(bytes: Uint8Array): ParsedLines {
  const parser = new LineParser(bytes.length)
  parser.read(bytes, 0, bytes.length)
  return parser.finish()
}

/** Reads entries that stand in another file. */
export function parseEntries(entries: readonly ListEntry[]): ParsedLines {
  const parser = new LineParser(0)
  for (const entry of entries) parser.readEntry(entry)
  return parser.finish()
}

/** Grows as names come. What is reserved and never written costs no memory. */
class Names {
  #bytes: Uint8Array
  #used = 0
  #lines: Uint32Array
  #count = 0
  #nodesMax = 0

  constructor(bytesExpected: number) {
    this.#bytes = new Uint8Array(bytesExpected + 2 * NAME_BYTES_MAX)
    this.#lines = new Uint32Array(
      NAMES_EXPECTED_MIN + Math.ceil(bytesExpected / BYTES_PER_LINE_EXPECTED),
    )
  }

  add(source: Uint8Array, start: number, end: number, line: number): void {
    const length = end - start
    if (this.#used + length >= this.#bytes.length) this.#bytes = grown(this.#bytes, Uint8Array)
    if (this.#count === this.#lines.length) this.#lines = grown(this.#lines, Uint32Array)
    const bytes = this.#bytes
    let at = this.#used
    let dots = 0
    bytes[at++] = length
    for (let i = start; i < end; i++) {
      const byte = source[i]!
      bytes[at++] = byte
      if (byte === DOT) dots++
    }
    this.#used = at
    this.#nodesMax += Math.max(1, dots)
    this.#lines[this.#count++] = line
  }

  finish(): NameList {
    return {
      names: this.#bytes.subarray(0, this.#used),
      nameLines: this.#lines.subarray(0, this.#count),
      nodesMax: this.#nodesMax,
    }
  }
}

function grown<T extends Uint8Array | Uint32Array>(old: T, make: new (length: number) => T): T {
  const larger = new make(old.length * 2)
  larger.set(old)
  return larger
}

function readBytes(
  bytes: Uint8Array,
  start: number,
  end: number,
  decoder: { decode: (bytes: Uint8Array) => string },
): readonly Reading[] {
  if (end - start <= LINE_BYTES_MAX) return readLine(decoder.decode(bytes.subarray(start, end)))
  const text = decoder.decode(bytes.subarray(start, start + LINE_BYTES_MAX))
  return /^\s*[#;!]/.test(text) ? [] : [{ reason: 'line-too-long', text }]
}

function endOfLine(bytes: Uint8Array, at: number, end: number): number {
  const found = bytes.indexOf(LF, at)
  return found < 0 || found > end ? end : found
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

function isWhitespace(byte: number | undefined): boolean {
  return byte === SPACE || byte === TAB || byte === CR
}
