/**
 * Owns: from the bytes of a list to its hosts, its networks and their line numbers, at the speed
 * that millions of lines need: plain lines go a short way (plain-line.ts), all others by formats.ts.
 * Never: throws, drops a line without counting it, or differs from formats.ts in what a line means.
 */
import type { Network } from '../policy/address.ts'
import type { ListEntry, ListFormat } from '../policy/source.ts'
import { detectFormat, headText } from './detect.ts'
import { type Reading, readEntry } from './entry.ts'
import { type LineReader, lineReader } from './formats.ts'
import { type NameList, Names } from './name-list.ts'
import { endOfLine, LF, PlainLine } from './plain-line.ts'
import { type Rejection, Rejections, type RejectReason } from './rejection.ts'

export type { NameList } from './name-list.ts'

/** A line longer than this is not decoded: no host, comment aside, comes near. */
export const LINE_BYTES_MAX = 4_096

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

/** A file beside the list whose lines all say what a list cannot hold. */
export interface SideFile {
  /** For people: `urls`. */
  readonly name: string
  readonly reason: RejectReason
}

const BYTE_ORDER_MARK = [0xef, 0xbb, 0xbf]

/** Reads a list piece by piece. */
export class LineParser {
  readonly #format: ListFormat
  readonly #names: Names
  readonly #exceptions = new Names(0)
  readonly #networks: ListedNetwork[] = []
  readonly #rejections = new Rejections()
  readonly #decoder = new TextDecoder()
  readonly #plain: PlainLine
  readonly #reader: LineReader
  #lines = 0
  /** Lines of the files beside the list. */
  #sideLines = 0
  #contentLines = 0
  #bytes = 0

  /** `bytesExpected`: the size of the text; more is no error. */
  constructor(bytesExpected: number, format: ListFormat) {
    this.#format = format
    this.#names = new Names(bytesExpected)
    this.#plain = new PlainLine(format)
    this.#reader = lineReader(format)
  }

  /** Reads bytes `start` to `end`: whole lines, only the last of the file may lack its end. */
  read(bytes: Uint8Array, start: number, end: number): void {
    this.#bytes += end - start
    const plain = this.#plain
    let at = start
    if (this.#lines === 0) at += markLength(bytes, start, end)
    while (at < end) {
      this.#lines++
      if (bytes[at] === LF) {
        at++
        continue
      }
      const next = plain.find(bytes, at, end)
      if (next >= 0) {
        const names = plain.exception ? this.#exceptions : this.#names
        names.add(bytes, plain.nameStart, plain.nameEnd, this.#lines)
        this.#contentLines++
        at = next
      } else {
        const lineEnd = endOfLine(bytes, at, end)
        this.#take(this.#readSlowly(bytes, at, lineEnd), this.#lines)
        at = lineEnd + 1
      }
    }
  }

  /** Counts the lines of a file beside the list, in pieces as `read`; `before`: its lines so far. */
  readBeside(bytes: Uint8Array, end: number, { name, reason }: SideFile, before: number): number {
    this.#bytes += end
    let line = before
    for (let at = 0; at < end; ) {
      const lineEnd = endOfLine(bytes, at, end)
      const text = this.#decoder.decode(bytes.subarray(at, Math.min(lineEnd, at + LINE_BYTES_MAX)))
      line++
      if (/^\s*[^\s#]/.test(text)) {
        this.#contentLines++
        this.#rejections.add(reason, line, text.trim(), name)
      }
      at = lineEnd + 1
    }
    this.#sideLines += line - before
    return line
  }

  /** Counts bytes of lines too long that were not given whole. */
  skip(bytes: number): void {
    this.#bytes += bytes
  }

  /** Reads one entry that stands in another file, such as the domain of a platform. */
  readEntry({ text, line }: ListEntry): void {
    this.#lines++
    this.#take([readEntry(text.trim())], line)
  }

  /** `sha256`: of the file as it lies, in hex. */
  finish(sha256 = ''): ParsedLines {
    this.#take(this.#reader.finish(), this.#lines)
    return {
      ...this.#names.finish(),
      exceptions: this.#exceptions.finish(),
      networks: this.#networks,
      format: this.#format,
      bytes: this.#bytes,
      sha256,
      lines: this.#lines + this.#sideLines,
      contentLines: this.#contentLines,
      rejectedCount: this.#rejections.total,
      rejected: this.#rejections.summary(),
    }
  }

  #readSlowly(bytes: Uint8Array, start: number, end: number): readonly Reading[] {
    if (end - start <= LINE_BYTES_MAX) {
      return this.#reader.read(this.#decoder.decode(bytes.subarray(start, end)))
    }
    const text = this.#decoder.decode(bytes.subarray(start, start + LINE_BYTES_MAX))
    return /^\s*[#;!]/.test(text) ? [] : [{ reason: 'line-too-long', text }]
  }

  #take(readings: readonly Reading[], line: number): void {
    if (readings.length > 0) this.#contentLines++
    for (const reading of readings) {
      if ('reason' in reading) this.#rejections.add(reading.reason, line, reading.text)
      else if ('host' in reading) {
        const names = reading.exception ? this.#exceptions : this.#names
        names.addHost(reading.host, line)
      } else {
        const { network, exception = false } = reading
        this.#networks.push({ network, line, exception })
      }
    }
  }
}

/** Reads the whole text of a list. */
export function parseLines(bytes: Uint8Array, format: ListFormat | 'auto' = 'auto'): ParsedLines {
  const known = format === 'auto' ? detectFormat(headText(bytes)) : format
  const parser = new LineParser(bytes.length, known)
  parser.read(bytes, 0, bytes.length)
  return parser.finish()
}

/** Reads entries that stand in another file. */
export function parseEntries(entries: readonly ListEntry[]): ParsedLines {
  const parser = new LineParser(0, 'domains')
  for (const entry of entries) parser.readEntry(entry)
  return parser.finish()
}

/** Of the byte order mark that a text may begin with. */
function markLength(bytes: Uint8Array, start: number, end: number): number {
  if (end - start < BYTE_ORDER_MARK.length) return 0
  return BYTE_ORDER_MARK.every((byte, i) => bytes[start + i] === byte) ? BYTE_ORDER_MARK.length : 0
}
