/**
 * Owns: what a host is, and the one way from any spelling of it to its normal form.
 * Never: resolves a name, or guesses: a spelling that two parsers could read differently is an error.
 *
 * Source: WHATWG URL section 3.5 (host parsing), which is what browsers do with the same text;
 * RFC 1035 section 2.3.4 (lengths); RFC 5891 (A-labels).
 */
import { type Address, formatAddress, parseAddress } from './address.ts'

/** Lower case, A-labels, no trailing dot; or an IP address in canonical text, IPv6 unbracketed. */
export type Host = string & { readonly __brand: 'Host' }

/** One named error per rule; see test/policy/host.test.ts for the table of examples. */
export type HostError =
  | 'host-empty'
  | 'host-too-long'
  | 'host-character'
  | 'host-label-empty'
  | 'host-label-too-long'
  | 'host-idn'
  | 'host-address'
  | 'host-zone'

export interface HostName {
  readonly host: Host
  /** The address, where the host is an IP literal in any spelling. */
  readonly address: Address | null
}

/** The gate's own name, for its portal: `.internal` is nobody's (ICANN resolution 2024.07.29.06). */
export const PORTAL_HOST = 'sluss.internal' as Host
/** No other port of it is ours. */
export const PORTAL_PORT = 80

export const HOST_LENGTH_MAX = 253
export const LABEL_LENGTH_MAX = 63
/** A spelling may be longer than the host it means (percent signs, U-labels), but not without end. */
export const HOST_TEXT_LENGTH_MAX = 1_024

const PLAIN = /^[a-z0-9_.-]+$/
/** What would change the meaning of a URL around it, and controls, blanks and DEL. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: controls are what this looks for
const FORBIDDEN = /[\u0000-\u0020\u007f/?#@\\<>^|"`{}]/

/**
 * The normal form of `text`: a DNS name in any case, with or without one trailing dot, in U-labels or
 * A-labels, percent-encoded or not; or an IP literal in any spelling that browsers take (decimal, hex,
 * octal, short forms; IPv6 with or without brackets). IPv4-mapped IPv6 becomes IPv4.
 */
export function parseHost(text: string): HostName | HostError {
  if (text === '') return 'host-empty'
  if (text.length > HOST_TEXT_LENGTH_MAX) return 'host-too-long'
  if (text.startsWith('[') || text.includes(':')) return parseIpLiteral(text)
  if (PLAIN.test(text)) {
    if (!endsInNumber(text)) return finish(text)
    const address = parseAddress(text)
    if (address !== null) return ofAddress(address)
  }
  if (FORBIDDEN.test(text)) return 'host-character'
  return parseOddSpelling(text)
}

function parseIpLiteral(text: string): HostName | HostError {
  const bracketed = text.startsWith('[')
  if (bracketed !== text.endsWith(']')) return 'host-address'
  const inner = bracketed ? text.slice(1, -1) : text
  if (inner.includes('%')) return 'host-zone'
  const address = inner.includes(':') ? parseAddress(inner) : null
  return address === null ? 'host-address' : ofAddress(address)
}

/** Upper case, U-labels, percent signs, numbers: let the platform's URL parser read the host. */
function parseOddSpelling(text: string): HostName | HostError {
  const url = URL.parse(`http://${text}/`)
  if (url === null) return refusalOf(text)
  // A port or user information would mean that the text was more than a host.
  if (url.port !== '' || url.username !== '' || url.pathname !== '/') return 'host-character'
  const address = parseAddress(url.hostname)
  if (address !== null) return ofAddress(address)
  return PLAIN.test(url.hostname) ? finish(url.hostname) : 'host-character'
}

/** Why the URL parser refused `text`: a number that is no address, a bad U-label, or a bad character. */
function refusalOf(text: string): HostError {
  if (/\.\./.test(text) || text.startsWith('.')) return 'host-label-empty'
  if (endsInNumber(text.toLowerCase())) return 'host-address'
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the ASCII range
  return /[^\u0000-\u007f]|xn--/i.test(text) ? 'host-idn' : 'host-character'
}

/** WHATWG URL section 3.5, "ends in a number": such a host is an IPv4 address or nothing. */
function endsInNumber(text: string): boolean {
  const name = text.endsWith('.') ? text.slice(0, -1) : text
  return /^(?:\d+|0x[0-9a-f]*)$/.test(name.slice(name.lastIndexOf('.') + 1))
}

function finish(text: string): HostName | HostError {
  const name = text.endsWith('.') ? text.slice(0, -1) : text
  if (name === '') return 'host-label-empty'
  if (name.length > HOST_LENGTH_MAX) return 'host-too-long'
  // A hyphen first is no host to glibc (res_hnok) and an option to a command line.
  if (name.startsWith('-') || name.endsWith('-')) return 'host-character'
  let start = 0
  for (let i = 0; i <= name.length; i++) {
    if (i < name.length && name.charCodeAt(i) !== 46) continue
    if (i === start) return 'host-label-empty'
    if (i - start > LABEL_LENGTH_MAX) return 'host-label-too-long'
    start = i + 1
  }
  return { host: name as Host, address: null }
}

function ofAddress(address: Address): HostName {
  return { host: formatAddress(address) as Host, address }
}

/** The address that a host is, or null for a name. What ends in a digit is an address, or holds a colon. */
export function addressOfHost(host: Host): Address | null {
  const last = host.charCodeAt(host.length - 1)
  const maybe = (last >= 48 && last <= 57) || host.includes(':')
  return maybe ? parseAddress(host) : null
}

/** The host of an address, for tables and records. */
export function hostOfAddress(address: Address): Host {
  return formatAddress(address) as Host
}

/** As it stands in a URL or a Host field: IPv6 in brackets, the port left out where it is `plain`. */
export function formatAuthority(host: Host, port: number, plain?: number): string {
  const name = host.includes(':') ? `[${host}]` : host
  return port === plain ? name : `${name}:${port}`
}
