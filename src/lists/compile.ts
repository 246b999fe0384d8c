/**
 * Owns: from list sources to an image: reads the files, and refuses the whole where a list cannot
 * be read or has lines but none that can be used.
 * Never: runs on a thread that serves; builder.thread.ts gives it one of its own.
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import type { ListSource } from '../policy/source.ts'
import { type BuildProblem, type BuildResult, buildImage, type ParsedList } from './build.ts'
import { LF, LineParser, type ParsedLines, parseEntries } from './lines.ts'
import { REJECTIONS } from './rejection.ts'

/** The largest public list, UT1 adult, has about 90 MiB. */
export const LIST_BYTES_MAX = 512 * 1_024 * 1_024
/** Read at a time; a longer line makes it grow. */
const CHUNK_BYTES = 1_024 * 1_024

/** Reads all lists and builds the image; all problems at once. */
export function compileLists(sources: readonly ListSource[]): BuildResult {
  const beganMs = performance.now()
  const lists: ParsedList[] = []
  const problems: BuildProblem[] = []
  for (const source of sources) {
    const parsed = parseSource(source)
    const trouble = 'what' in parsed ? parsed : emptiness(parsed)
    if (trouble !== null) {
      problems.push({ list: source.name, file: source.file, line: null, ...trouble })
    } else if (!('what' in parsed)) lists.push({ source, parsed })
  }
  if (problems.length > 0) return { kind: 'failed', problems }
  return buildImage(lists, () => performance.now() - beganMs)
}

/** What is wrong with one list. */
type Trouble = Pick<BuildProblem, 'what' | 'hint'> & { readonly line?: number }

function parseSource(source: ListSource): ParsedLines | Trouble {
  if (source.file === null) return parseEntries(source.entries ?? [])
  let file: number
  try {
    file = openSync(source.file, 'r')
  } catch (error) {
    return readTrouble(error)
  }
  try {
    const stat = fstatSync(file)
    if (!stat.isFile()) {
      return { what: 'the list is not a file', hint: 'Name a file; of a folder, the one in it.' }
    }
    return stat.size > LIST_BYTES_MAX ? TOO_LARGE : parseFile(file, stat.size)
  } catch (error) {
    return readTrouble(error)
  } finally {
    closeSync(file)
  }
}

const TOO_LARGE: Trouble = {
  what: `the list has more than ${LIST_BYTES_MAX / 1_024 / 1_024} MiB`,
  hint: 'Divide it into several lists.',
}

/** Piece by piece: the text of a large list never lies whole in memory. */
function parseFile(file: number, sizeBytes: number): ParsedLines | Trouble {
  const parser = new LineParser(sizeBytes)
  let chunk = new Uint8Array(CHUNK_BYTES)
  let kept = 0
  let total = 0
  for (;;) {
    const count = readSync(file, chunk, kept, chunk.length - kept, null)
    if (count === 0) break
    total += count
    if (total > LIST_BYTES_MAX) return TOO_LARGE
    const filled = kept + count
    const end = chunk.lastIndexOf(LF, filled - 1) + 1
    parser.read(chunk, 0, end)
    chunk.copyWithin(0, end, filled)
    kept = filled - end
    if (kept < chunk.length) continue
    const larger = new Uint8Array(chunk.length * 2)
    larger.set(chunk)
    chunk = larger
  }
  parser.read(chunk, 0, kept)
  return parser.finish()
}

/** What the system says of a file, and the remedy. Anything but a system error is a bug of ours. */
function readTrouble(error: unknown): Trouble {
  if (!(error instanceof Error && 'code' in error && 'syscall' in error)) throw error
  const code = String(error.code)
  const known = READ_ERRORS[code]
  return {
    what: `the list cannot be read: ${known?.what ?? code}`,
    hint: known?.hint ?? 'See what the system says of the file.',
  }
}

const READ_ERRORS: Readonly<Record<string, { what: string; hint: string }>> = {
  ENOENT: {
    what: 'there is no such file',
    hint: 'Put the file there, or correct its name in the settings.',
  },
  EACCES: {
    what: 'permission denied',
    hint: 'Let the user that Sluss runs as read the file.',
  },
}

/** A list that has lines and gives nothing is broken, not empty: it must not replace a good one. */
function emptiness(parsed: ParsedLines): Trouble | null {
  if (parsed.nameLines.length > 0) return null
  const [most] = parsed.rejected
  const first = most?.first[0]
  if (most === undefined || first === undefined) return null
  const { what, hint } = REJECTIONS[most.reason]
  return {
    line: first.line,
    what: `no line can be used, of ${parsed.contentLines}. The most common fault: ${what} (${JSON.stringify(first.text)})`,
    hint,
  }
}
