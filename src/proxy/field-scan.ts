/**
 * Owns: finding the field lines of a head: where each name and value stands, and that nothing else stands
 * between them.
 * Never: does I/O, keeps anything from one head to the next, or knows what a value means.
 *
 * Runs for every request and every answer, so it works on bytes and offsets: no string is made here that
 * nobody asked for. Source: RFC 9110 section 5, RFC 9112 section 5.
 */
import { KINDS, kindOf, OTHER, spells, tokenEnd } from './field-names.ts'

export type FieldsFault = 'malformed' | 'too-many'

const MALFORMED = -1
const TOO_MANY = -2
const BLANK = 32
const TAB = 9
const COLON = 58

/** Five numbers a field: kind, start of its line and name, end of the name, start and end of the value. */
const WIDTH = 5
/** Room for what the settings allow by default; more is made where more is allowed. */
const BYTES = 65_536
const FIELDS = 128

/**
 * One head at a time: `load` it, read its first line, `find` its fields, and ask for what is wanted. What
 * it says holds until the next `load`: it is used within one call of a parser, and never kept.
 */
class FieldScan {
  text = ''
  /** Fields found. */
  count = 0
  #bytes: Buffer = Buffer.alloc(0)
  /** The same memory, four bytes at a time. */
  #words = new Int32Array(0)
  #offsets = new Int32Array(WIDTH * FIELDS)
  /** Of each kind: how many fields there are, and which is the last. */
  readonly #times = new Int32Array(KINDS)
  readonly #last = new Int32Array(KINDS)

  constructor() {
    this.#room(BYTES)
  }

  #room(bytes: number): void {
    const memory = new ArrayBuffer(4 * Math.ceil((bytes + 4) / 4))
    this.#bytes = Buffer.from(memory)
    this.#words = new Int32Array(memory)
  }

  /** Takes `text`, in latin1; returns its bytes, with a blank after the last. */
  load(text: string): Buffer {
    const { length } = text
    if (length + 4 > this.#bytes.length) this.#room(length)
    const bytes = this.#bytes
    bytes.write(text, 0, 'latin1')
    // Blanks end every name, and fill the last word.
    bytes[length] = BLANK
    bytes[length + 1] = BLANK
    bytes[length + 2] = BLANK
    this.text = text
    this.count = 0
    return bytes
  }

  /** Forgets the text, which may be long. */
  clear(): void {
    this.text = ''
    this.count = 0
  }

  /**
   * Finds the field lines of the loaded text from `start`, each ended by CR LF. `malformed` where a line
   * is wrong: no colon, a blank before it, a folded line, a bare CR or LF, a control.
   */
  find(start: number, fieldsMax: number): FieldsFault | null {
    this.#times.fill(0)
    const found = this.#lines(start, fieldsMax)
    if (found === MALFORMED) return 'malformed'
    if (found === TOO_MANY) return 'too-many'
    this.count = found
    const ends = start > 0 ? found + 1 : found
    // Each line ended by CR LF has these two controls. Any other is looked for only if there is one.
    if (this.#controls() === 2 * ends || this.#valuesFit()) return null
    this.count = 0
    return 'malformed'
  }

  #lines(start: number, fieldsMax: number): number {
    const { text } = this
    const bytes = this.#bytes
    const { length } = text
    let count = 0
    let at = start
    while (at < length) {
      const nameEnd = tokenEnd(bytes, at)
      if (nameEnd === at || bytes[nameEnd] !== COLON) return MALFORMED
      const lineEnd = text.indexOf('\r\n', nameEnd)
      if (lineEnd < 0) return MALFORMED
      if (count === fieldsMax) return TOO_MANY
      let from = nameEnd + 1
      let to = lineEnd
      while (from < to && (bytes[from] === BLANK || bytes[from] === TAB)) from++
      while (to > from && (bytes[to - 1] === BLANK || bytes[to - 1] === TAB)) to--
      if (WIDTH * (count + 1) > this.#offsets.length) this.#moreFields()
      const offsets = this.#offsets
      const kind = kindOf(bytes, at, nameEnd)
      if (kind !== OTHER) {
        this.#times[kind]!++
        this.#last[kind] = count
      }
      const i = WIDTH * count++
      offsets[i] = kind
      offsets[i + 1] = at
      offsets[i + 2] = nameEnd
      offsets[i + 3] = from
      offsets[i + 4] = to
      at = lineEnd + 2
    }
    return count
  }

  #moreFields(): void {
    const more = new Int32Array(2 * this.#offsets.length)
    more.set(this.#offsets)
    this.#offsets = more
  }

  /** How many bytes are below 32 or are 127 (DEL), four at a time. */
  #controls(): number {
    const words = this.#words
    const wordsUsed = (this.text.length + 3) >> 2
    let count = 0
    for (let i = 0; i < wordsUsed; i++) {
      const word = words[i]!
      const low = word & 0x7f7f7f7f
      // In each byte the high bit: set where adding 96 to the low seven bits does not carry into it
      // (below 32), or adding 1 does (127); and never where the byte had it itself (obs-text).
      const marks = (~(low + 0x60606060) | (low + 0x01010101)) & ~word & 0x80808080
      if (marks !== 0) count += Math.imul(marks >>> 7, 0x01010101) >>> 24
    }
    return count
  }

  /** Values: visible, blanks, tabs and obs-text; no other control (RFC 9110 section 5.5). */
  #valuesFit(): boolean {
    for (let i = 0; i < this.count; i++) {
      const to = this.to(i)
      for (let at = this.from(i); at < to; at++) {
        const byte = this.#bytes[at]!
        if ((byte < 32 && byte !== TAB) || byte === 127) return false
      }
    }
    return true
  }

  /** How many fields of `kind` there are. */
  times(kind: number): number {
    return this.#times[kind]!
  }

  /** The last field of `kind`, where there is one. */
  last(kind: number): number {
    return this.#last[kind]!
  }

  /** The values of all fields of `kind` as one (RFC 9110 section 5.3); null where there is none. */
  combined(kind: number): string | null {
    const times = this.times(kind)
    if (times === 0) return null
    if (times === 1) return this.value(this.last(kind))
    const values: string[] = []
    for (let i = 0; i < this.count; i++) if (this.kind(i) === kind) values.push(this.value(i))
    return values.join(', ')
  }

  kind(field: number): number {
    return this.#offsets[WIDTH * field]!
  }

  /** Where the line of `field` begins. */
  start(field: number): number {
    return this.#offsets[WIDTH * field + 1]!
  }

  /** Where its value begins. */
  from(field: number): number {
    return this.#offsets[WIDTH * field + 3]!
  }

  /** And ends. */
  to(field: number): number {
    return this.#offsets[WIDTH * field + 4]!
  }

  name(field: number): string {
    return this.text.slice(this.start(field), this.#offsets[WIDTH * field + 2]!)
  }

  value(field: number): string {
    return this.text.slice(this.from(field), this.to(field))
  }

  /** The line after that of `field` begins here. */
  next(field: number): number {
    return field + 1 < this.count ? this.start(field + 1) : this.text.length
  }

  /** True where the line is as we would write it: `name: value`, and no other blank around the value. */
  isCanonical(field: number): boolean {
    const from = this.from(field)
    return (
      from === this.#offsets[WIDTH * field + 2]! + 2 &&
      this.#bytes[from - 1] === BLANK &&
      this.to(field) + 2 === this.next(field)
    )
  }

  /** True where a tab stands before or after the value. */
  hasTabAround(field: number): boolean {
    const before = this.#offsets[WIDTH * field + 2]! + 1
    const after = this.next(field) - 2
    for (let at = before; at < this.from(field); at++) if (this.#bytes[at] === TAB) return true
    for (let at = this.to(field); at < after; at++) if (this.#bytes[at] === TAB) return true
    return false
  }

  /** True where a blank or a tab stands after the value. */
  hasBlankAfter(field: number): boolean {
    return this.to(field) + 2 !== this.next(field)
  }

  /** True where the value is `word` (lower case) in any case. */
  valueIs(field: number, word: string): boolean {
    return spells(this.#bytes, this.from(field), this.to(field), word)
  }
}

/** The one of this thread: parsing is synchronous, so that no two heads meet in it. */
export const scan = new FieldScan()
