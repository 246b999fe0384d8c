/**
 * Owns: what the lines of a response policy zone mean, one after the other: owner names under the
 * origin, records over several lines, and which action lists a host or frees it.
 * Never: lists a name outside the zone, or follows $INCLUDE.
 *
 *   example.com CNAME .              listed; so with `*.`, rpz-drop. or another name, and as A, AAAA,
 *                                    TXT …: a rewritten host is a blocked one
 *   *.example.com CNAME .            the same host: a list holds a host with its subdomains
 *   example.com CNAME rpz-passthru.  freed
 *   24.0.2.0.192.rpz-ip CNAME .      the network 192.0.2.0/24
 *   ; text                           a comment
 *
 * Source: draft-vixie-dnsop-dns-rpz-00; RFC 1035 section 5.1 (master files).
 */
import { DOMAIN, exceptionOf, type Reading, readEntry, readNetwork } from './entry.ts'

/** A parenthesis that is open for more lines than this was never meant to be open. */
export const PARENTHESIS_LINES_MAX = 100

/** Records of the zone itself and of its signatures. */
const ZONE_TYPE = /^(?:SOA|NS|RRSIG|NSEC|NSEC3|NSEC3PARAM|DNSKEY|CDS|CDNSKEY|ZONEMD)$/i
const TYPE = /^(?:CNAME|DNAME|A|AAAA|TXT|MX|SRV|PTR|CAA|HTTPS|SVCB|NAPTR|SPF|TYPE\d+)$/i
const CLASS_OR_TTL = /^(?:IN|CH|HS|\d+|(?:\d+[smhdw])+)$/i
/** A quoted text, a parenthesis, a comment to the end, or a word. */
const TOKEN = /"(?:[^"\\]|\\.)*"?|[()]|;.*|[^\s()";]+/gs

/** What nearly every line of a zone is: a relative name, listed. It means here what it means below. */
const USUAL = /^((?:\*\.)?[a-z0-9_.-]*[a-z0-9_-])\s+(?:IN\s+)?CNAME\s+\.\s*$/

interface RecordParts {
  readonly owner: string
  readonly type: string
  readonly target: string
}

export class RpzReader {
  /** With its last dot: what relative names are relative to. Null until it is said. */
  #origin: string | null = null
  /** The apex of the zone, with its last dot. */
  #zone: string | null = null
  #owner: string | null = null
  /** The lines since a parenthesis was opened that is not closed, that one first; none where none is. */
  #open: string[] = []

  /** The entries of one line as it stands: a blank at its beginning means the owner before. */
  read(text: string): readonly Reading[] {
    const [, name] = this.#open.length === 0 ? (USUAL.exec(text) ?? []) : []
    if (name !== undefined && this.#zone === this.#origin) {
      this.#owner = name
      return [readTriggerName(name, text)]
    }
    const tokens = text.match(TOKEN)?.filter((token) => !token.startsWith(';')) ?? []
    if (this.#open.length > 0) return this.#readOpen(tokens, text)
    const words = tokens.filter((token) => token !== '(' && token !== ')')
    if (tokens.lastIndexOf('(') > tokens.lastIndexOf(')')) this.#open = [text.trim()]
    if (words.length === 0) return []
    if (words[0]!.startsWith('$')) return this.#readDirective(words, text.trim())
    return this.#readRecord(words, text)
  }

  /** What is wrong at the end of the file. */
  finish(): readonly Reading[] {
    return this.#open.map((text) => ({ reason: 'record', text }))
  }

  #readOpen(tokens: readonly string[], text: string): readonly Reading[] {
    this.#open.push(text.trim())
    if (tokens.includes(')')) this.#open = []
    if (this.#open.length <= PARENTHESIS_LINES_MAX) return []
    // None of them has been read: each is counted, so that a slip does not free a hundred hosts unseen.
    const lost = this.#open
    this.#open = []
    return lost.map((line) => ({ reason: 'record', text: line }))
  }

  #readDirective(words: readonly string[], text: string): readonly Reading[] {
    const [name = '', value] = words
    if (/^\$TTL$/i.test(name)) return []
    if (/^\$(?:INCLUDE|GENERATE)$/i.test(name)) return [{ reason: 'directive', text }]
    if (!/^\$ORIGIN$/i.test(name) || value === undefined) return [{ reason: 'record', text }]
    this.#origin = this.#absolute(value.toLowerCase())
    this.#zone ??= this.#origin
    return []
  }

  #readRecord(words: readonly string[], text: string): readonly Reading[] {
    const parts = this.#partsOf(words, /^\s/.test(text))
    if (parts === null) return [{ reason: 'record', text: text.trim() }]
    const { owner, type } = parts
    this.#owner = owner
    if (ZONE_TYPE.test(type)) {
      if (/^SOA$/i.test(type) && owner !== '@') this.#zone = this.#absolute(owner)
      return []
    }
    const name = this.#relative(owner)
    if (name === null) return [{ reason: 'out-of-zone', text: text.trim() }]
    return name === '' ? [] : [readTrigger(name, parts, text.trim())]
  }

  /** `[owner] [TTL] [class] type target …` */
  #partsOf(words: readonly string[], continued: boolean): RecordParts | null {
    const owner = continued ? this.#owner : words[0]!.toLowerCase()
    let at = continued ? 0 : 1
    while (at < words.length && CLASS_OR_TTL.test(words[at]!)) at++
    const [type, target] = words.slice(at)
    if (owner === null || type === undefined || target === undefined) return null
    return TYPE.test(type) || ZONE_TYPE.test(type) ? { owner, type, target } : null
  }

  #absolute(name: string): string {
    if (name === '@') return this.#origin ?? '.'
    if (name.endsWith('.')) return name
    return this.#origin === null || this.#origin === '.' ? `${name}.` : `${name}.${this.#origin}`
  }

  /** The name below the zone, without its last dot; '' for the zone itself; null outside it. */
  #relative(owner: string): string | null {
    if (this.#zone === null) return owner === '@' ? '' : owner.endsWith('.') ? null : owner
    if (this.#origin === null && !owner.endsWith('.')) return owner === '@' ? '' : owner
    const name = this.#absolute(owner)
    if (name === this.#zone) return ''
    if (this.#zone === '.') return name.slice(0, -1)
    return name.endsWith(`.${this.#zone}`) ? name.slice(0, -this.#zone.length - 1) : null
  }
}

/** What one record says of the name below the zone. */
function readTrigger(name: string, { type, target }: RecordParts, text: string): Reading {
  const action = /^CNAME$/i.test(type) ? target.toLowerCase() : ''
  if (action === 'rpz-tcp-only.') return { reason: 'action', text }
  const reading = readTriggerName(name, text)
  const frees = action === 'rpz-passthru.' || action === `${name}.`
  return frees ? exceptionOf(reading) : reading
}

const TRIGGER = /^(.*)\.(rpz-[a-z-]+)$/

function readTriggerName(name: string, text: string): Reading {
  const [, labels = '', kind = ''] = TRIGGER.exec(name) ?? []
  if (kind === '') {
    // A name without a star is that name alone, and no site is a top-level domain.
    const reading = readEntry(name, name.startsWith('*.') ? DOMAIN : undefined)
    return 'reason' in reading ? { reason: reading.reason, text } : reading
  }
  if (kind !== 'rpz-ip') return { reason: 'trigger', text }
  const network = networkOf(labels)
  return network === null ? { reason: 'network', text } : readNetwork(network)
}

/** `24.0.2.0.192` is 192.0.2.0/24, and `48.zz.101.db8.2001` is 2001:db8:101::/48. */
function networkOf(labels: string): string | null {
  const [prefix = '', ...parts] = labels.split('.')
  if (!/^\d{1,3}$/.test(prefix)) return null
  const reversed = parts.reverse()
  if (reversed.length === 4 && reversed.every((part) => /^\d+$/.test(part))) {
    return `${reversed.join('.')}/${prefix}`
  }
  const address = reversed.map((part) => (part === 'zz' ? '' : part)).join(':')
  // A run of zeros at an end has one colon of its own.
  return `${address.replace(/^:/, '::').replace(/:$/, '::')}/${prefix}`
}
