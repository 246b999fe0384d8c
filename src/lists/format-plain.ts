/**
 * Owns: what a line means in a list of domains, a hosts file and a wildcard list: one reading, for
 * people mix them and none can be taken for another.
 * Never: guesses what a line that it does not understand may have meant.
 *
 *   example.com            an entry (entry.ts), and so is *.example.com
 *   0.0.0.0 a.com b.com    a hosts file's line: each name but the first word; the address is not read
 *   # text                 a comment, alone or after an entry; so is a line that begins with ; or !
 */
import { parseAddress } from '../policy/address.ts'
import { NEARBY, type Reading, readEntry } from './entry.ts'

/** AdBlock, regular expressions, dnsmasq, settings of a zone. */
const OTHER_FORMAT =
  /^(?:\|\||@@|\/|\^|\$[a-z]+\s|\[adblock|(?:address|server|local|ipset)=|[^\s#]+#[@?]?#)/i

/** The entries of one line, trimmed and not empty; none for a comment. */
export function readPlain(line: string): readonly Reading[] {
  if (/^[#;!]/.test(line)) return []
  if (OTHER_FORMAT.test(line)) return [{ reason: 'format', text: line }]
  const words = line.replace(/#.*/s, '').trim().split(/\s+/)
  const [first = '', ...names] = words
  if (names.length === 0) return [readEntry(first)]
  // macOS has `fe80::1%lo0 localhost`.
  if (parseAddress(first.replace(/%.*/, '')) === null) {
    return [{ reason: 'several-words', text: line }]
  }
  return names.map((name) => readEntry(name, NEARBY))
}
