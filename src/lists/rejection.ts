/**
 * Owns: why a line of a list is not used, in words, and the count of such lines with the first of
 * each.
 * Never: judges a line; formats.ts does.
 */
import type { HostError } from '../policy/host.ts'

/**
 * What a reason says of the list: `junk` is malformed, and too much of it refuses the list;
 * `unsupported` is well-formed and understood, but names something else than a whole host;
 * `harmless` is what such lists are expected to have.
 */
export type RejectClass = 'junk' | 'unsupported' | 'harmless'

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
  | 'network-host-bits'
  | 'network-too-wide'
  | 'format'
  | 'encoding'
  | 'line-too-long'
  | 'expression'
  | 'pattern'
  | 'options'
  | 'cosmetic'
  | 'directive'
  | 'setting'
  | 'forward'
  | 'trigger'
  | 'action'
  | 'out-of-zone'
  | 'record'
  | 'overruled'

/** Lines of each reason that are kept word for word; the rest are only counted. */
export const REJECTED_LINES_KEPT = 5
/** Characters of a rejected line that are kept. */
export const REJECTED_TEXT_LENGTH_MAX = 120

export interface RejectedLine {
  /** 1-based. */
  readonly line: number
  /** Where it is not the list itself, but another file of its folder: `urls`. */
  readonly file?: string
  /** Cut at REJECTED_TEXT_LENGTH_MAX, controls made visible. */
  readonly text: string
}

export interface Rejection {
  readonly reason: RejectReason
  readonly count: number
  readonly first: readonly RejectedLine[]
}

interface RejectText {
  readonly class: RejectClass
  readonly what: string
  readonly hint: string
}

export const REJECTIONS: Readonly<Record<RejectReason, RejectText>> = {
  overruled: {
    class: 'unsupported',
    what: 'an exception from what another list lists, in a list that is fetched',
    hint: 'A published list frees only what it lists itself. Free the host by a list of your own: exceptions: true.',
  },
  'host-empty': {
    class: 'junk',
    what: 'no host where one belongs',
    hint: 'Write the domain, or take it away.',
  },
  'host-too-long': {
    class: 'junk',
    what: 'longer than a host name can be',
    hint: 'A name has at most 253 characters.',
  },
  'host-character': {
    class: 'junk',
    what: 'a character that no host name has',
    hint: 'Write one domain on each line, such as example.com.',
  },
  'host-label-empty': {
    class: 'junk',
    what: 'two dots in a row, or a dot alone',
    hint: 'Take away the extra dot.',
  },
  'host-label-too-long': {
    class: 'junk',
    what: 'a part between dots longer than 63 characters',
    hint: 'Correct the name, or take it away: no such host can exist.',
  },
  'host-idn': {
    class: 'junk',
    what: 'letters that no international domain name has',
    hint: 'Check the spelling, or write the name as xn--….',
  },
  'host-address': {
    class: 'junk',
    what: 'not a valid IP address',
    hint: 'Write all four numbers, 0 to 255 each.',
  },
  'host-zone': {
    class: 'junk',
    what: 'an IPv6 address with a zone',
    hint: 'Take away the % and what follows.',
  },
  'not-a-site': {
    class: 'harmless',
    what: "a computer's or a local network's own name or address, not a site",
    hint: 'Nothing to do: hosts files begin with such lines.',
  },
  'one-label': {
    class: 'junk',
    what: 'a word without a dot, which would catch a whole top-level domain',
    hint: 'Write *.word where that is meant.',
  },
  'several-words': {
    class: 'junk',
    what: 'more than one word on the line',
    hint: 'Write one domain on each line; a comment begins with #.',
  },
  wildcard: {
    class: 'unsupported',
    what: 'a star elsewhere than as *. at the start',
    hint: 'Write the domain itself: its subdomains are always included.',
  },
  url: {
    class: 'unsupported',
    what: 'a page or an account, not a whole site',
    hint: 'Lists name hosts only. Write the domain where the whole site is meant.',
  },
  port: {
    class: 'unsupported',
    what: 'a single port of a host',
    hint: 'Lists name hosts only. Write it without the port where the whole host is meant.',
  },
  network: {
    class: 'junk',
    what: 'not a valid network of addresses',
    hint: 'Write the first address and the length, such as 192.0.2.0/24.',
  },
  'network-host-bits': {
    class: 'junk',
    what: 'a network that does not begin where it says',
    hint: 'Write the first address of the network, or the address alone.',
  },
  'network-too-wide': {
    class: 'junk',
    what: 'a network so wide that it holds a good part of the internet',
    hint: 'Write networks of /8 or longer, for IPv6 /16.',
  },
  format: {
    class: 'junk',
    what: "a rule in another program's format",
    hint: 'Name the format of the list in the settings, or use the plain version of it.',
  },
  encoding: {
    class: 'junk',
    what: 'bytes that are not UTF-8 text',
    hint: 'Save the file as UTF-8.',
  },
  'line-too-long': {
    class: 'junk',
    what: 'a line far longer than any host name',
    hint: 'Write one domain on each line.',
  },
  expression: {
    class: 'unsupported',
    what: 'a regular expression',
    hint: 'Nothing to do: lists name whole hosts, and nothing is searched in addresses of pages.',
  },
  pattern: {
    class: 'unsupported',
    what: 'a pattern for addresses of pages, not a host',
    hint: 'Nothing to do: only ||host^ names a whole host.',
  },
  options: {
    class: 'unsupported',
    what: 'a rule that holds for some requests only ($…)',
    hint: 'Nothing to do: lists name whole hosts, for every request.',
  },
  cosmetic: {
    class: 'unsupported',
    what: 'a rule that changes what a page shows',
    hint: 'Nothing to do: a proxy sees no pages.',
  },
  directive: {
    class: 'unsupported',
    what: 'an instruction to include or make other lines',
    hint: 'Add the included file as a list of its own where it is needed.',
  },
  setting: {
    class: 'unsupported',
    what: 'a setting of the DNS server that names no blocked host',
    hint: 'Nothing to do.',
  },
  forward: {
    class: 'unsupported',
    what: 'a domain that is asked of another DNS server, not blocked',
    hint: 'Write local=/domain/ where it is meant to be blocked.',
  },
  trigger: {
    class: 'unsupported',
    what: 'a trigger on clients or name servers, not on hosts',
    hint: 'Nothing to do: only names and addresses of hosts can be listed.',
  },
  action: { class: 'unsupported', what: 'an action that does not block', hint: 'Nothing to do.' },
  'out-of-zone': {
    class: 'junk',
    what: 'a full name outside the zone',
    hint: 'Add the $ORIGIN of the zone, or take away the last dot.',
  },
  record: {
    class: 'junk',
    what: 'not a record of a zone file',
    hint: 'Write records such as: example.com CNAME .',
  },
}

/** Collects rejected lines of one list. */
export class Rejections {
  readonly #found = new Map<RejectReason, { count: number; first: RejectedLine[] }>()
  #total = 0

  /** `file`: where it is not the list itself. */
  add(reason: RejectReason, line: number, text: string, file?: string): void {
    this.#total++
    let found = this.#found.get(reason)
    if (found === undefined) {
      found = { count: 0, first: [] }
      this.#found.set(reason, found)
    }
    found.count++
    if (found.first.length >= REJECTED_LINES_KEPT) return
    const kept = { line, text: visible(text) }
    found.first.push(file === undefined ? kept : { ...kept, file })
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
