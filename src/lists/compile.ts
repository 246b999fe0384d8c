/**
 * Owns: from list sources to an image: reads the files, and refuses the whole where a list cannot be read
 * or has lines but none that can be used.
 * Never: runs on a thread that serves; builder.thread.ts gives it one of its own.
 */
import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs'
import type { ListSource } from '../policy/source.ts'
import { type BuildProblem, type BuildResult, buildImage, type ParsedList } from './build.ts'
import { type ParsedLines, parseEntries, parseLines } from './lines.ts'
import { REJECTIONS } from './rejection.ts'

/** A file is read whole. The largest public list, UT1 adult, is about 90 MiB. */
export const LIST_BYTES_MAX = 512 * 1_024 * 1_024

/** Reads all lists and builds the image; all problems at once. */
export function compileLists(sources: readonly ListSource[]): BuildResult {
  const beganMs = performance.now()
  const lists: ParsedList[] = []
  const problems: BuildProblem[] = []
  for (const source of sources) {
    const parsed = parseSource(source)
    const problem = 'what' in parsed ? parsed : emptiness(source, parsed)
    if (problem !== null) problems.push(problem)
    else if (!('what' in parsed)) lists.push({ source, parsed })
  }
  if (problems.length > 0) return { kind: 'failed', problems }
  return buildImage(lists, () => performance.now() - beganMs)
}

function parseSource(source: ListSource): ParsedLines | BuildProblem {
  if (source.file === null) return parseEntries(source.entries ?? [])
  const problem = (what: string, hint: string): BuildProblem => ({
    list: source.name,
    file: source.file,
    line: null,
    what,
    hint,
  })
  try {
    const file = openSync(source.file, 'r')
    try {
      const { size } = fstatSync(file)
      if (size > LIST_BYTES_MAX) {
        const most = `at most ${LIST_BYTES_MAX} bytes are read`
        return problem(`the list has ${size} bytes, and ${most}`, 'Divide it into several lists.')
      }
      return parseLines(readFileSync(file))
    } finally {
      closeSync(file)
    }
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown'
    const { what, hint } = READ_ERRORS[code] ?? { what: code, hint: 'Look at the file.' }
    return problem(`the list cannot be read: ${what}`, hint)
  }
}

const READ_ERRORS: Readonly<Record<string, { what: string; hint: string }>> = {
  ENOENT: {
    what: 'there is no such file',
    hint: 'Put the file there, or correct its name in the settings.',
  },
  EISDIR: {
    what: 'it is a folder',
    hint: 'Name the file of domains in it.',
  },
  EACCES: {
    what: 'permission denied',
    hint: 'Let the user that Sluss runs as read the file.',
  },
}

/** A list that has lines and gives nothing is broken, not empty: it must not replace a good one. */
function emptiness(source: ListSource, parsed: ParsedLines): BuildProblem | null {
  if (parsed.contentLines === 0 || parsed.nameLines.length > 0) return null
  const [most] = parsed.rejected
  const first = most?.first[0]
  const why = most === undefined ? '' : `, most of them for this: ${REJECTIONS[most.reason].what}`
  return {
    list: source.name,
    file: source.file,
    line: first?.line ?? null,
    what: `none of its ${parsed.contentLines} lines can be used${why}`,
    hint: most === undefined ? 'Look at the list.' : REJECTIONS[most.reason].hint,
  }
}
