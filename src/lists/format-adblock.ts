/**
 * Owns: what a line means in an AdBlock list: the part of its language that names whole hosts, and
 * by which reason each other rule is not used.
 * Never: takes a rule for more than it says: one that holds for some pages or requests lists nothing.
 *
 *   ||example.com^         the host and its subdomains
 *   @@||example.com^       frees them
 *   example.com            a host, as lists for name servers have it; 0.0.0.0 example.com as well
 *   ! text, # text         a comment
 *
 * Source: the filter syntax of Adblock Plus and of AdGuard Home.
 */
import { DOMAIN, exceptionOf, type Reading, readEntry } from './entry.ts'
import { readPlain } from './format-plain.ts'
import type { RejectReason } from './rejection.ts'

/** Element hiding, style, scripts and replaced HTML, after hosts: ##, #@#, #?#, #$#, #%#, $$, $@$. */
const COSMETIC = /^[^\s#$]*(?:#@?[?$%]{0,2}@?#|\$@?\$)/
/** Options that leave it to be the whole host, for every request. */
const WHOLE_HOST_OPTION = /^(?:important|all|doc|document)$/i
/** What stands in a rule for addresses of pages only. */
const PATTERN = /[|^*/?=&$~,]|^[-_.]|[-_.]$/

/** The entries of one line, trimmed and not empty; none for a comment. */
export function readAdblock(line: string): readonly Reading[] {
  if (/^!#(?:include|if)\b/.test(line)) return [{ reason: 'directive', text: line }]
  if (line.startsWith('!') || /^\[adblock[^\]]*\]$/i.test(line)) return []
  const body = line.startsWith('@@') ? line.slice(2) : line
  const reason = partialReason(body)
  if (reason !== null) return [{ reason, text: line }]
  if (/^#/.test(body)) return []
  const readings = readBody(body.replace(/\s#.*/s, '').trim(), line)
  return body === line ? readings : readings.map(exceptionOf)
}

/** Why a rule is about less than hosts; null where it may be about one. */
function partialReason(body: string): RejectReason | null {
  if (/^\/.*\/(?:\$[^/]*)?$/.test(body)) return 'expression'
  return COSMETIC.test(body) ? 'cosmetic' : null
}

function readBody(body: string, line: string): readonly Reading[] {
  const [rule = '', ...options] = body.split('$')
  if (options.length > 0) {
    const all = options.join('$').split(',')
    const whole = options.length === 1 && all.every((option) => WHOLE_HOST_OPTION.test(option))
    if (!whole) return [{ reason: rule === '' ? 'pattern' : 'options', text: line }]
  }
  const [, name = '', tail = ''] = /^\|\|([^^|]*)(.*)$/.exec(rule) ?? []
  if (name !== '') return [readAnchored(name, tail, line)]
  if (/\s/.test(rule)) return readPlain(rule)
  const reading = readEntry(rule.replace(/#.*/s, ''))
  return [isPattern(reading, rule) ? { reason: 'pattern', text: line } : reading]
}

/** True for what is no host, but has a meaning as a piece of an address. */
function isPattern(reading: Reading, rule: string): boolean {
  if (!('reason' in reading) || reading.reason === 'url') return false
  return reading.reason === 'one-label' || PATTERN.test(rule)
}

/** `||name` and what follows the name. */
function readAnchored(name: string, tail: string, line: string): Reading {
  if (!/^(?:\^\|?|\|)?$/.test(tail)) return { reason: 'url', text: line }
  // Without ^ the name may go on: a word alone could be the beginning of any.
  if (tail === '' && (!name.includes('.') || name.endsWith('.'))) {
    return { reason: 'pattern', text: line }
  }
  const reading = readEntry(name, DOMAIN)
  return 'reason' in reading ? { reason: reading.reason, text: line } : reading
}
