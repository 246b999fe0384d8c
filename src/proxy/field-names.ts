/**
 * Owns: the field names that concern a proxy, and telling them by their bytes, in any case.
 * Never: does I/O, or knows what a value means.
 *
 * Source: RFC 9110 sections 5.1 and 5.6.2.
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
/** One more than the highest. */
export const KINDS = 16

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

const TOKEN_MARKS = "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
/** 1 for the characters of a token (RFC 9110 section 5.6.2). */
const TOKEN = new Uint8Array(256)
for (const mark of TOKEN_MARKS) TOKEN[mark.charCodeAt(0)] = 1

/** Every byte in lower case. */
const LOWER = Uint8Array.from({ length: 256 }, (_, byte) =>
  byte >= 65 && byte <= 90 ? byte + 32 : byte,
)

/** By length and first letter: most names end here without a look at the others. */
export function kindOf(bytes: Buffer, from: number, to: number): number {
  if (to - from > NAME_LENGTH_MAX) return OTHER
  const candidates = CANDIDATES[to - from]!
  const first = LOWER[bytes[from]!]!
  for (let i = 0; i < candidates.length; i++) {
    const { letter, name, kind } = candidates[i]!
    if (letter === first && spells(bytes, from, to, name)) return kind
  }
  return OTHER
}

/** True where the bytes from `from` to `to` are `word` (lower case) in any case. */
export function spells(bytes: Buffer, from: number, to: number, word: string): boolean {
  const { length } = word
  if (to - from !== length) return false
  for (let i = length - 1; i >= 0; i--) {
    if (LOWER[bytes[from + i]!] !== word.charCodeAt(i)) return false
  }
  return true
}

/** The end of the token in `bytes` from `at`; a byte that no token has must come after it. */
export function tokenEnd(bytes: Buffer, at: number): number {
  let end = at
  while (TOKEN[bytes[end]!] === 1) end++
  return end
}
