/**
 * Owns: telling the format of a list by its first lines: each format reads them, and the one that
 * can use the most of them is it.
 * Never: looks at a file's name, or decides what a line means.
 */
import type { ListFormat } from '../policy/source.ts'
import { type LineReader, lineReader } from './formats.ts'
import { REJECTIONS, type RejectReason } from './rejection.ts'

/** What is looked at: this much text, and in it so many lines that say something. */
export const DETECT_BYTES = 64 * 1_024
const DETECT_LINES = 300

/*
 * Whoever writes a list writes what these read: no text may be matched in two ways, or a line made for it
 * takes a regular expression hours.
 */

/** How a text is written that is no list, and what it is. */
const PAGE = /^\s*<(?:!doctype|html|head|body|\?xml)\b/i
const ADBLOCK_HEADER = /^(?:\s*![^\n\r]*[\n\r])*\s*\[adblock[^\]\n]*\]/i
const HOSTS_LINE = /^\s*(?:[\d.]+|[\da-f]*:[\da-f:.]*(?:%\w+)?)\s+[^\s#]/i

/** In this order: of two that read a list equally well, the first. */
const CANDIDATES = ['domains', 'adblock', 'dnsmasq', 'rpz'] as const

/** The first text of a list, whole lines where there is more; without a byte order mark. */
export function headText(bytes: Uint8Array): string {
  const head = bytes.subarray(0, DETECT_BYTES)
  const text = new TextDecoder().decode(head)
  return head.length < bytes.length ? text.slice(0, text.lastIndexOf('\n') + 1) || text : text
}

/** True for a web page, which servers send where a list once was. */
export function isWebPage(text: string): boolean {
  return PAGE.test(text)
}

/** The format of the list that begins so. A text that fits none is called a list of domains. */
export function detectFormat(text: string): ListFormat {
  if (ADBLOCK_HEADER.test(text)) return 'adblock'
  const lines = text.split(/\r\n?|\n/)
  let best: (typeof CANDIDATES)[number] = 'domains'
  let most = Number.NEGATIVE_INFINITY
  for (const format of CANDIDATES) {
    const score = scoreOf(lineReader(format), lines)
    if (score <= most) continue
    most = score
    best = format
  }
  return best === 'domains' ? plainFormat(lines) : best
}

/**
 * Lines that can be used, less those that mean nothing: each counts once, whatever stands on it, so
 * that one line among many never makes another format of them.
 */
function scoreOf(reader: LineReader, lines: readonly string[]): number {
  let score = 0
  let seen = 0
  for (const line of lines) {
    const readings = reader.read(line)
    if (readings.length === 0) continue
    if (readings.some((reading) => !('reason' in reading))) score++
    else if (readings.some((reading) => 'reason' in reading && isDoubtful(reading.reason))) score--
    if (++seen === DETECT_LINES) break
  }
  return score
}

/** Malformed; or what any junk may be to a reader of AdBlock lists or of dnsmasq's settings. */
function isDoubtful(reason: RejectReason): boolean {
  return reason === 'pattern' || reason === 'setting' || REJECTIONS[reason].class === 'junk'
}

/** Which of the three formats that are read alike most lines are in. */
function plainFormat(lines: readonly string[]): ListFormat {
  const counts = { domains: 0, hosts: 0, wildcard: 0 }
  for (const line of lines.slice(0, DETECT_LINES)) {
    if (/^\s*(?:[#;!]|$)/.test(line)) continue
    if (HOSTS_LINE.test(line)) counts.hosts++
    else if (/^\s*\*\./.test(line)) counts.wildcard++
    else counts.domains++
  }
  if (counts.hosts > counts.domains && counts.hosts >= counts.wildcard) return 'hosts'
  return counts.wildcard > counts.domains ? 'wildcard' : 'domains'
}
