/**
 * Owns: the address that the bytes of an IP literal mean, and the bytes of an IPv4 address, without leaving
 * anything behind.
 * Never: judges other spellings than the normal one; policy/host.ts makes it.
 */
import { COLON, DIGIT_0, DOT, isDigit } from './layout.ts'

const LETTER_A = 97
const LETTER_F = 102

/**
 * Reads the address of an IP literal in normal form (policy/address.ts formatAddress) into four
 * words; false for any other text.
 */
export function readAddress(
  bytes: Uint8Array,
  start: number,
  end: number,
  words: Int32Array,
): boolean {
  words.fill(0)
  for (let at = start; at < end; at++) {
    if (bytes[at] === COLON) return readIpv6(bytes, start, end, words)
  }
  return readIpv4(bytes, start, end, words)
}

/** The most bytes that an IPv4 address has as text. */
export const IPV4_BYTES_MAX = 15

/** Writes the text of the IPv4 address of this word at the beginning of `bytes`; gives how long it is. */
export function writeIpv4(word: number, bytes: Uint8Array): number {
  let at = 0
  for (let shift = 24; shift >= 0; shift -= 8) {
    const part = (word >>> shift) & 0xff
    if (part > 99) bytes[at++] = DIGIT_0 + Math.floor(part / 100)
    if (part > 9) bytes[at++] = DIGIT_0 + (Math.floor(part / 10) % 10)
    bytes[at++] = DIGIT_0 + (part % 10)
    if (shift > 0) bytes[at++] = DOT
  }
  return at
}

function readIpv4(bytes: Uint8Array, start: number, end: number, words: Int32Array): boolean {
  let word = 0
  let parts = 0
  for (let at = start; at <= end; at++) {
    let number = 0
    const first = at
    for (; at < end && isDigit(bytes[at]!); at++) number = number * 10 + bytes[at]! - DIGIT_0
    if (at === first || at - first > 3 || number > 255 || ++parts > 4) return false
    if (at < end && bytes[at] !== DOT) return false
    word = (word << 8) | number
  }
  words[2] = 0xffff
  words[3] = word
  return parts === 4
}

function readIpv6(bytes: Uint8Array, start: number, end: number, words: Int32Array): boolean {
  let groups = 0
  /** The group before which `::` stands. */
  let gap = -1
  let at = start
  while (at < end) {
    if (bytes[at] === COLON) {
      if (at + 1 < end && bytes[at + 1] === COLON) {
        if (gap >= 0) return false
        gap = groups
        at += 2
        continue
      }
      if (groups === 0 || gap === groups) return false
      at++
    }
    let group = 0
    const first = at
    for (let digit = 0; at < end && at - first < 4; at++) {
      digit = hexDigit(bytes[at]!)
      if (digit < 0) break
      group = (group << 4) | digit
    }
    if (at === first || groups === 8) return false
    if (at < end && bytes[at] !== COLON) return false
    words[groups >>> 1]! |= group << ((groups & 1) === 0 ? 16 : 0)
    groups++
  }
  if (gap < 0) return groups === 8
  if (groups === 8) return false
  // What stands after `::` belongs at the end.
  for (let i = groups - 1; i >= gap; i--) {
    const group = (words[i >>> 1]! >>> ((i & 1) === 0 ? 16 : 0)) & 0xffff
    const to = i + 8 - groups
    words[i >>> 1]! &= ~(0xffff << ((i & 1) === 0 ? 16 : 0))
    words[to >>> 1]! |= group << ((to & 1) === 0 ? 16 : 0)
  }
  return true
}

function hexDigit(byte: number): number {
  if (isDigit(byte)) return byte - DIGIT_0
  return byte >= LETTER_A && byte <= LETTER_F ? byte - LETTER_A + 10 : -1
}
