/**
 * Owns: from list sources to an image: reads them one after the other, and refuses the whole where
 * one of them cannot be read or used.
 * Never: runs on a thread that serves; builder.thread.ts gives it one of its own.
 */
import type { ListSource } from '../policy/source.ts'
import { type BuildProblem, type BuildResult, buildImage, type ParsedList } from './build.ts'
import { sizeBytesOf } from './files.ts'
import { readList } from './read.ts'
import type { BuildProgress } from './report.ts'

/** Between two words of progress. */
export const PROGRESS_MS = 100

export interface CompileOptions {
  /** What the image is known again by: it stands in it. */
  readonly key?: string
  /** Is told about ten times a second, and when all is read and when all is built. */
  readonly onProgress?: (progress: BuildProgress) => void
}

/** Reads all lists and builds the image; all problems at once. */
export async function compileLists(
  sources: readonly ListSource[],
  { key = '', onProgress = () => {} }: CompileOptions = {},
): Promise<BuildResult> {
  const beganMs = performance.now()
  const tell = sometimes(onProgress)
  const files = sources.flatMap(({ file }) => (file === null ? [] : [file]))
  const total = files.reduce((sum, file) => sum + sizeBytesOf(file), 0)
  let done = 0
  const lists: ParsedList[] = []
  const problems: BuildProblem[] = []
  for (const source of sources) {
    const parsed = await readList(source, (count) => {
      // A file may have grown since it was looked at.
      done = Math.min(done + count, total)
      tell({ phase: 'read', list: source.name, done, total })
    })
    if ('what' in parsed) {
      problems.push({ list: source.name, file: source.file, line: null, ...parsed })
    } else lists.push({ source, parsed })
  }
  if (problems.length > 0) return { kind: 'failed', problems }
  return buildImage(lists, {
    key,
    elapsedMs: () => performance.now() - beganMs,
    onProgress: (names, of) => tell({ phase: 'build', list: '', done: names, total: of }),
  })
}

/** Passes on the first word, the last of each phase, and between them one in a while. */
function sometimes(
  onProgress: (progress: BuildProgress) => void,
): (progress: BuildProgress) => void {
  let toldMs = Number.NEGATIVE_INFINITY
  return (progress) => {
    const nowMs = performance.now()
    if (nowMs - toldMs < PROGRESS_MS && progress.done < progress.total) return
    toldMs = nowMs
    onProgress(progress)
  }
}
