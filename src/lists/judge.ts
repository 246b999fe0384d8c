/**
 * Owns: whether what was read of a list may be used, or so much of it is junk that it is refused.
 * Never: judges a line; the formats do.
 */
import type { ListSource } from '../policy/source.ts'
import { detectFormat } from './detect.ts'
import type { ParsedLines } from './lines.ts'
import { REJECTIONS, type RejectedLine, type Rejection } from './rejection.ts'
import type { ReadTrouble } from './trouble.ts'

/** As many junk lines refuse no list, however short it is: in a list of ten, one is a tenth. */
export const JUNK_LINES_FREE = 10

/**
 * What refuses the list whole: nothing in it that can be used, or more junk than its settings allow.
 * `head`: the first text of it, to tell what it looks like.
 */
export function judge(parsed: ParsedLines, source: ListSource, head: string): ReadTrouble | null {
  const { nameLines, exceptions, networks, contentLines, rejected } = parsed
  const used = nameLines.length + exceptions.nameLines.length + networks.length
  // A list that has lines and gives nothing is broken, not empty: it must not replace a good one.
  if (used === 0) return fault(rejected, `no line can be used, of ${contentLines}`, source, head)
  const junk = rejected.filter(({ reason }) => REJECTIONS[reason].class === 'junk')
  const count = junk.reduce((sum, rejection) => sum + rejection.count, 0)
  if (count <= JUNK_LINES_FREE || count <= source.rejectedShareMax * contentLines) return null
  const limit = `${round(source.rejectedShareMax * 100)} %`
  const trouble = fault(
    junk,
    `${count} of ${contentLines} lines are malformed, more than ${limit}`,
    source,
    head,
  )
  if (trouble === null) return null
  const share = Math.min(100, Math.ceil((count / contentLines) * 100))
  return {
    ...trouble,
    hint: `${trouble.hint} To take the list as it is, give it the setting rejected: ${share}%.`,
  }
}

/** What is wrong, with the most common reason and its first line. Null where no line is rejected. */
function fault(
  rejected: readonly Rejection[],
  what: string,
  source: ListSource,
  head: string,
): ReadTrouble | null {
  const [most] = rejected
  const first = most?.first[0]
  if (most === undefined || first === undefined) return null
  const { what: why, hint } = REJECTIONS[most.reason]
  return {
    line: first.line,
    what: `${what}. The most common fault: ${why} (${quoted(first)})`,
    hint: formatHint(source, head) ?? hint,
  }
}

function quoted({ text, file }: RejectedLine): string {
  return file === undefined ? JSON.stringify(text) : `${JSON.stringify(text)}, in the file ${file}`
}

/** Where the settings name another format than the list seems to have. */
function formatHint({ format }: ListSource, head: string): string | null {
  if (format === 'auto' || format === 'ut1') return null
  const seeming = detectFormat(head)
  if (seeming === format || head === '') return null
  return `It looks like ${seeming}, and the settings say ${format}: correct format, or leave it out.`
}

function round(percent: number): number {
  return Math.round(percent * 100) / 100
}
