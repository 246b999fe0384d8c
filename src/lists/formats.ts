/**
 * Owns: what a line of a list means in each format: the slow and complete reading.
 * Never: reads a file; lines.ts takes the lines from it, and the plain ones by a shorter way.
 */
import type { ListFormat } from '../policy/source.ts'
import type { Reading } from './entry.ts'
import { readAdblock } from './format-adblock.ts'
import { readDnsmasq } from './format-dnsmasq.ts'
import { readPlain } from './format-plain.ts'
import { RpzReader } from './format-rpz.ts'

/** Reads the lines of one file, in their order. */
export interface LineReader {
  /** The entries of one line without its line end; none for a comment or a blank. */
  read(text: string): readonly Reading[]
  /** What is wrong at the end of the file. */
  finish(): readonly Reading[]
}

/** The reader of a format. A folder of squidGuard has plain domains. */
export function lineReader(format: ListFormat): LineReader {
  if (format === 'rpz') {
    const reader = new RpzReader()
    return { read: judged((text) => reader.read(text)), finish: () => reader.finish() }
  }
  const read = LINE_READERS[format]
  return { read: judged((text) => read(text.trim())), finish: () => [] }
}

const LINE_READERS: Readonly<
  Record<Exclude<ListFormat, 'rpz'>, (line: string) => readonly Reading[]>
> = {
  domains: readPlain,
  hosts: readPlain,
  wildcard: readPlain,
  ut1: readPlain,
  adblock: readAdblock,
  dnsmasq: readDnsmasq,
}

const BROKEN = /[\ufffd\0]/
const COMMENT = /(?:^[#;!]|\s#).*/s

/** What is no text has no meaning in any format. */
function judged(read: (text: string) => readonly Reading[]): LineReader['read'] {
  return (text) => {
    const line = text.trim()
    if (line === '') return []
    if (!BROKEN.test(line) || !BROKEN.test(line.replace(COMMENT, ''))) return read(text)
    return [{ reason: 'encoding', text: line }]
  }
}
