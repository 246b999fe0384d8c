/**
 * Owns: what a line of a list means, in the plain and the hosts format: the slow and complete
 * reading.
 * Never: reads a file, or guesses what a line that it does not understand may have meant.
 *
 *   example.com            the host and all its subdomains; so www.example.com covers no more than
 *                          it says
 *   *.example.com          the same, and so is .example.com: a list cannot name subdomains alone
 *   *.example              a whole top-level domain; without the star it is refused as a slip
 *   http://example.com/    the host, where the address names no page; ports 80 and 443 mean
 *                          nothing more
 *   192.0.2.1              that address and no other
 *   0.0.0.0 a.com b.com    a hosts file's line: each name but the first word; the address is not read
 *   # text                 a comment, alone or after an entry; so is a line that begins with ; or !
 */
import { parseAddress } from '../policy/address.ts'
import { parseHost } from '../policy/host.ts'
import type { RejectReason } from './rejection.ts'

/** An entry that can be used, or one that cannot and its own text. */
export type Reading =
  | { readonly host: string }
  | { readonly reason: RejectReason; readonly text: string }

/** Ports that are a site's own, so that naming one narrows nothing. */
const OWN_PORTS = ['', '80', '443']

/** Addresses that mean the reader's own machine, or every machine near it, and are no site. */
const OWN_ADDRESS = /^(?:0\.0\.0\.0|127\..*|255\.255\.255\.255|::1?)$/
/** Names of the same, as the hosts files of Linux, macOS and Windows have them. */
const OWN_NAME = /^(?:ip6-[a-z]+|broadcasthost|local|localhost[46]?(?:\.localdomain[46]?)?)$/

/** AdBlock, regular expressions, dnsmasq. */
const OTHER_FORMAT = /^(?:\|\||@@|\/|\^|\[adblock|(?:address|server|local|ipset)=|[^\s#]+#[@?]?#)/i

/** The entries of one line without its line end; none for a comment or a blank. */
export function readLine(text: string): Reading[] {
  const line = text.trim()
  if (line === '' || /^[#;!]/.test(line)) return []
  if (line.includes('\ufffd') || line.includes('\0')) return [{ reason: 'encoding', text: line }]
  if (OTHER_FORMAT.test(line)) return [{ reason: 'format', text: line }]
  const words = line.replace(/#.*/s, '').trim().split(/\s+/)
  const [first = '', ...names] = words
  if (names.length === 0) return [readEntry(first, false)]
  // macOS has `fe80::1%lo0 localhost`.
  if (parseAddress(first.replace(/%.*/, '')) === null) {
    return [{ reason: 'several-words', text: line }]
  }
  return names.map((name) => readEntry(name, true))
}

/** One name, by itself or from a hosts file's line. */
export function readEntry(text: string, fromHostsFile: boolean): Reading {
  const host = hostOf(text, fromHostsFile)
  return typeof host === 'string' ? { host } : { reason: host.reason, text }
}

function hostOf(text: string, fromHostsFile: boolean): string | { reason: RejectReason } {
  if (/^[\d.:a-f]+\/\d{1,3}$/i.test(text)) return { reason: 'network' }
  const authority = text.replace(/^https?:\/\//i, '').replace(/\/$/, '')
  if (/[/?@]/.test(authority)) return { reason: 'url' }
  const [, name = '', port = ''] = /^(\[.*\]|[^:]*)(?::(\d*))?$/.exec(authority) ?? ['', authority]
  if (!OWN_PORTS.includes(port)) return { reason: 'port' }
  const bare = name.replace(/^(?:\*\.|\.)/, '')
  if (bare.includes('*')) return { reason: 'wildcard' }
  const parsed = parseHost(bare)
  if (typeof parsed === 'string') return { reason: parsed }
  const { host, address } = parsed
  if (address !== null) {
    if (bare !== name) return { reason: 'wildcard' }
    // Browsers read 404 as 0.0.1.148; in a list it is more likely a slip.
    if (parseAddress(bare.replace(/^\[|\]$/g, '')) === null) return { reason: 'host-address' }
    return OWN_ADDRESS.test(host) ? { reason: 'not-a-site' } : host
  }
  if (OWN_NAME.test(host)) return { reason: 'not-a-site' }
  if (host.includes('.') || bare !== name) return host
  // A hosts file cannot name a whole top-level domain: one word there is a computer nearby.
  return { reason: fromHostsFile ? 'not-a-site' : 'one-label' }
}
