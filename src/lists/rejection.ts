/**
 * Owns: why a line of a list is not used, in words, and the count of such lines with the first of
 * each.
 * Never: judges a line; formats.ts does.
 */
import type { HostError } from '../policy/host.ts'

/** One named reason per rule; the host's own errors among them. */
export type RejectReason =
  | HostError
  | 'not-a-site'
  | 'one-label'
  | 'several-words'
  | 'wildcard'
  | 'url'
  | 'port'
  | 'network'
  | 'format'
  | 'encoding'
  | 'line-too-long'

/** Lines of each reason that are kept word for word; the rest are only counted. */
export const REJECTED_LINES_KEPT = 5
/** Characters of a rejected line that are kept. */
export const REJECTED_TEXT_LENGTH_MAX = 120

export interface RejectedLine {
  /** 1-based. */
  readonly line: number
  /** Cut at REJECTED_TEXT_LENGTH_MAX, controls made visible. */
  readonly text: string
}

export interface Rejection {
  readonly reason: RejectReason
  readonly count: number
  readonly first: readonly RejectedLine[]
}

interface RejectText {
  readonly what: string
  readonly hint: string
}

export const REJECTIONS: Readonly<Record<RejectReason, RejectText>> = {
  'host-empty': { what: 'no host where one belongs', hint: 'Write the domain, or take it away.' },
  'host-too-long': {
    what: 'longer than a host name can be',
    hint: 'A name has at most 253 characters.',
  },
  'host-character': {
    what: 'a character that no host name has',
    hint: 'Write one domain on each line, such as example.com.',
  },
  'host-label-empty': {
    what: 'two dots in a row, or a dot alone',
    hint: 'Take away the extra dot.',
  },
  'host-label-too-long': {
    what: 'a part between dots longer than 63 characters',
    hint: 'Correct the name, or take it away: no such host can exist.',
  },
  'host-idn': {
    what: 'letters that no international domain name has',
    hint: 'Check the spelling, or write the name as xn--….',
  },
  'host-address': {
    what: 'not a valid IP address',
    hint: 'Write all four numbers, 0 to 255 each.',
  },
  'host-zone': { what: 'an IPv6 address with a zone', hint: 'Take away the % and what follows.' },
  'not-a-site': {
    what: "a computer's name for itself, not a site",
    hint: 'Nothing to do: hosts files begin with such lines.',
  },
  'one-label': {
    what: 'a word without a dot, which would catch a whole top-level domain',
    hint: 'Write *.word where that is meant.',
  },
  'several-words': {
    what: 'more than one word on the line',
    hint: 'Write one domain on each line; a comment begins with #.',
  },
  wildcard: {
    what: 'a star elsewhere than as *. at the start',
    hint: 'Write the domain itself: its subdomains are always included.',
  },
  url: {
    what: 'a page or an account, not a whole site',
    hint: 'Lists name hosts only. Write the domain where the whole site is meant.',
  },
  port: {
    what: 'a single port of a host',
    hint: 'Lists name hosts only. Write it without the port where the whole host is meant.',
  },
  network: { what: 'a network of addresses', hint: 'Write each address on a line of its own.' },
  format: {
    what: "a rule in another program's format",
    hint: 'Use the plain or the hosts version of the list.',
  },
  encoding: { what: 'bytes that are not UTF-8 text', hint: 'Save the file as UTF-8.' },
  'line-too-long': {
    what: 'a line far longer than any host name',
    hint: 'Write one domain on each line.',
  },
}

/** Collects rejected lines of one list. */
export class Rejections {
  readonly #found = new Map<RejectReason, { count: number; first: RejectedLine[] }>()
  #total = 0

  add(reason: RejectReason, line: number, text: string): void {
    this.#total++
    let found = this.#found.get(reason)
    if (found === undefined) {
      found = { count: 0, first: [] }
      this.#found.set(reason, found)
    }
    found.count++
    if (found.first.length < REJECTED_LINES_KEPT) found.first.push({ line, text: visible(text) })
  }

  get total(): number {
    return this.#total
  }

  /** Most frequent first. */
  summary(): Rejection[] {
    return [...this.#found]
      .map(([reason, { count, first }]) => ({ reason, count, first }))
      .sort((a, b) => b.count - a.count || a.reason.localeCompare(b.reason))
  }
}

/** Fit for a terminal and a page: cut, and no controls or other text that moves the cursor. */
function visible(text: string): string {
  const cut = text.length > REJECTED_TEXT_LENGTH_MAX
  const kept = cut ? `${text.slice(0, REJECTED_TEXT_LENGTH_MAX)}…` : text
  return kept.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '\ufffd')
}
