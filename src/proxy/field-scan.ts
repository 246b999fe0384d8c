/**
 * Owns: finding the field lines of a head: where each name and value stands, which names concern a proxy,
 * and that nothing else stands between them.
 * Never: does I/O, keeps anything from one head to the next, or knows what a value means.
 *
 * Runs for every request and every answer, so it works on bytes and offsets: no string is made here that
 * nobody asked for. Source: RFC 9110 section 5, RFC 9112 section 5.
 */

/** The names a proxy acts on, by number (less than 31: they are bits, too). */
export const OTHER = 0
export const CONNECTION = 1
export const PROXY_CONNECTION = 2
export const TRANSFER_ENCODING = 3
export const UPGRADE = 4
export const PROXY_AUTHORIZATION = 5
/** Of one hop, and without a meaning to us: Keep-Alive, TE, Proxy-Authenticate … */
export const HOP = 6
export const CONTENT_LENGTH = 7
export const HOST = 8
export const VIA = 9
export const EXPECT = 10
export const ACCEPT_LANGUAGE = 11
export const AUTHORIZATION = 12
export const WWW_AUTHENTICATE = 13
export const MAX_FORWARDS = 14
/** Content_Length and Transfer_Encoding: servers that hand fields to programs as variables read them so. */
export const FRAMING_LOOKALIKE = 15

/** The kinds that never go on, by their bits; HOP_BY_HOP in fields.ts has the names. */
export const HOP_BY_HOP_KINDS =
  (1 << CONNECTION) |
  (1 << PROXY_CONNECTION) |
  (1 << TRANSFER_ENCODING) |
  (1 << UPGRADE) |
  (1 << PROXY_AUTHORIZATION) |
  (1 << HOP)

export type FieldsFault = 'malformed' | 'too-many'

/** The names behind the kinds. */
const NAMES: readonly (readonly [string, number])[] = [
  ['te', HOP],
  ['via', VIA],
  ['host', HOST],
  ['expect', EXPECT],
  ['upgrade', UPGRADE],
  ['connection', CONNECTION],
  ['keep-alive', HOP],
  ['max-forwards', MAX_FORWARDS],
  ['authorization', AUTHORIZATION],
  ['content-length', CONTENT_LENGTH],
  ['accept-language', ACCEPT_LANGUAGE],
  ['proxy-connection', PROXY_CONNECTION],
  ['www-authenticate', WWW_AUTHENTICATE],
  ['transfer-encoding', TRANSFER_ENCODING],
  ['proxy-authenticate', HOP],
  ['proxy-authorization', PROXY_AUTHORIZATION],
  ['proxy-authentication-info', HOP],
  ['content_length', FRAMING_LOOKALIKE],
  ['transfer_encoding', FRAMING_LOOKALIKE],
]
const NAME_LENGTH_MAX = 25
/** By length: the names that long. */
const CANDIDATES = Array.from({ length: NAME_LENGTH_MAX + 1 }, (_, length) =>
  NAMES.filter(([name]) => name.length === length).map(([name, kind]) => ({
    letter: name.charCodeAt(0),
    name,
    kind,
  })),
)

const MALFORMED = -1
const TOO_MANY = -2
const BLANK = 32
const TAB = 9
const COLON = 58

const TOKEN_MARKS = "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
/** 1 for the characters of a token (RFC 9110 section 5.6.2). */
const TOKEN = new Uint8Array(256)
for (const mark of TOKEN_MARKS) TOKEN[mark.charCodeAt(0)] = 1

const KINDS = 16

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
      let nameEnd = at
      while (TOKEN[bytes[nameEnd]!] === 1) nameEnd++
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
      const kind = this.#kindOf(at, nameEnd)
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

  /** True where the bytes from `from` to `to` are `word` (lower case) in any case. */
  is(from: number, to: number, word: string): boolean {
    const { length } = word
    if (to - from !== length) return false
    const bytes = this.#bytes
    for (let i = length - 1; i >= 0; i--) {
      if (LOWER[bytes[from + i]!] !== word.charCodeAt(i)) return false
    }
    return true
  }

  valueIs(field: number, word: string): boolean {
    return this.is(this.from(field), this.to(field), word)
  }

  /** By length and first letter: most names end here without a look at the others. */
  #kindOf(from: number, to: number): number {
    if (to - from > NAME_LENGTH_MAX) return OTHER
    const candidates = CANDIDATES[to - from]!
    const first = LOWER[this.#bytes[from]!]!
    for (let i = 0; i < candidates.length; i++) {
      const { letter, name, kind } = candidates[i]!
      if (letter === first && this.is(from, to, name)) return kind
    }
    return OTHER
  }
}

/** Every byte in lower case. */
const LOWER = Uint8Array.from({ length: 256 }, (_, byte) =>
  byte >= 65 && byte <= 90 ? byte + 32 : byte,
)

/** The one of this thread: parsing is synchronous, so that no two heads meet in it. */
export const scan = new FieldScan()

/** True where `text` is a token (RFC 9110 section 5.6.2). */
export function isToken(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    if (TOKEN[text.charCodeAt(i)] !== 1) return false
  }
  return text !== ''
}

/** The end of the token in `bytes` from `at`; a byte that no token has must come after it. */
export function tokenEnd(bytes: Buffer, at: number): number {
  let end = at
  while (TOKEN[bytes[end]!] === 1) end++
  return end
}
