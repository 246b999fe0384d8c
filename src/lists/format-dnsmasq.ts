/**
 * Owns: what a line means in a configuration of dnsmasq: the settings by which a domain is blocked
 * or freed.
 * Never: takes a domain that is only asked of another server for a blocked one.
 *
 *   address=/a.com/b.com/0.0.0.0   blocked, and so with `#`, nothing, or any address in its place
 *   server=/a.com/, local=/a.com/  blocked: asked of no server
 *   server=/a.com/#                freed: asked of the usual servers
 *   # text                         a comment
 *
 * Source: the manual of dnsmasq 2.90, options --address and --server.
 */
import { DOMAIN, exceptionOf, isOwnAddress, type Reading, readEntry } from './entry.ts'

const RULE = /^(address|server|local)\s*=\s*\/(.*)\/([^/]*)$/
/** Other settings: a word, with or without a value. */
const SETTING = /^[a-z0-9-]+(?:\s*=.*)?$/

/** The entries of one line, trimmed and not empty; none for a comment. */
export function readDnsmasq(text: string): readonly Reading[] {
  const line = text.replace(/(?:^|\s)#.*/s, '').trim()
  if (line === '') return []
  const [, keyword = '', domains = '', answer = ''] = RULE.exec(line) ?? []
  if (keyword === '') return [{ reason: SETTING.test(line) ? 'setting' : 'format', text: line }]
  const readings = domains.split('/').map((domain) => readDomain(domain, line))
  if (keyword === 'address' || blocks(answer)) return readings
  return answer === '#' ? readings.map(exceptionOf) : [{ reason: 'forward', text: line }]
}

/** True where a domain is asked of nobody, or of a server that is none. */
function blocks(server: string): boolean {
  return server === '' || isOwnAddress(server)
}

function readDomain(domain: string, line: string): Reading {
  // Names without a dot: nothing is blocked by them.
  if (domain === '') return { reason: 'not-a-site', text: line }
  if (domain === '#') return { reason: 'wildcard', text: line }
  const reading = readEntry(domain, DOMAIN)
  return 'reason' in reading ? { reason: reading.reason, text: line } : reading
}
