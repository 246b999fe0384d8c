/** Owns: what was read of a list, as tests compare it and people read it. */

import type { Reading } from '../../src/lists/entry.ts'
import type { NameList, ParsedLines } from '../../src/lists/lines.ts'
import { REJECTIONS } from '../../src/lists/rejection.ts'
import { formatNetwork } from '../../src/policy/address.ts'

export const bytesOf = (text: string) => new TextEncoder().encode(text)

export interface NamedLine {
  readonly line: number
  readonly host: string
}

/** The names of a list in their order; fails where the buffer holds anything else. */
export function namesOf({ names, nameLines }: NameList): NamedLine[] {
  const found: NamedLine[] = []
  let at = 0
  for (const line of nameLines) {
    const end = at + 1 + names[at]!
    found.push({ line, host: new TextDecoder().decode(names.subarray(at + 1, end)) })
    at = end
  }
  if (at !== names.length) throw new Error(`${names.length - at} bytes belong to no name`)
  return found
}

export const hostsOf = (list: NameList) => namesOf(list).map(({ host }) => host)

/** `host`, `@@ host`, `network`, or the reason why it is none. */
export function readingText(reading: Reading): string {
  if ('reason' in reading) return reading.reason
  const text = 'host' in reading ? reading.host : formatNetwork(reading.network)
  return reading.exception ? `@@ ${text}` : text
}

/** A list as people review it: each name with its line, and each reason with its lines. */
export function dumpOf(parsed: ParsedLines): string {
  const { format, lines, contentLines, nameLines, rejectedCount } = parsed
  const rows = [
    `${format}: ${lines} lines, ${contentLines} with content, ${nameLines.length} names used, ${rejectedCount} rejected`,
    '',
    'listed',
    ...namesOf(parsed).map(({ line, host }) => `  line ${line}: ${host}`),
    '',
    'freed',
    ...namesOf(parsed.exceptions).map(({ line, host }) => `  line ${line}: ${host}`),
    '',
    'networks',
    ...parsed.networks.map(
      ({ line, network, exception }) =>
        `  line ${line}: ${exception ? 'freed ' : ''}${formatNetwork(network)}`,
    ),
    '',
    'not used',
    ...parsed.rejected.flatMap(({ reason, count, first }) => [
      `  ${reason} (${REJECTIONS[reason].class}): ${count}`,
      ...first.map(({ line, text, file }) => `    ${file ?? 'line'} ${line}: ${text}`),
    ]),
  ]
  return `${rows.join('\n')}\n`
}
