/**
 * Owns: having an image made of all lists, and telling it from one of other lists.
 * Never: judges a list, or says which image is in force; lists.ts does.
 */
import { createHash } from 'node:crypto'
import type { BuildFailure } from '../lists/build.ts'
import { buildInThread } from '../lists/builder.ts'
import type { BuildProgress } from '../lists/report.ts'
import { stampOf } from '../lists/stamp.ts'
import type { ListSource } from '../policy/index.ts'
import type { Problem } from '../settings/problems.ts'
import type { BuiltImage } from './image-store.ts'
import type { Log } from './log.ts'

export type ImageResult =
  | { readonly ok: true; readonly built: BuiltImage }
  | { readonly ok: false; readonly problems: readonly Problem[] }

export interface BuildWork {
  readonly signal?: AbortSignal
  readonly onProgress?: (progress: BuildProgress) => void
  /** Nobody is served before it is done. */
  readonly urgent?: boolean
}

/** Between two lines of progress: a short build has none. */
const PROGRESS_MS = 2_000

/** For people who wait: how far a build has come, now and then. */
export function toldTo(log: Log): (progress: BuildProgress) => void {
  let toldMs = performance.now()
  return ({ phase, done, total }) => {
    const nowMs = performance.now()
    if (nowMs - toldMs < PROGRESS_MS || total === 0) return
    toldMs = nowMs
    // Reading the lists and building from them take about as long.
    const percent = Math.floor((done / total) * 50) + (phase === 'read' ? 0 : 50)
    log.info(`building the lists: ${percent} %`)
  }
}

/**
 * The key of an image of `sources`. Taken before the files are read: a file that changes meanwhile gives
 * another at the next look.
 */
export function keyOf(sources: readonly ListSource[]): string {
  const hash = createHash('sha256')
  for (const source of sources) {
    hash.update(JSON.stringify(source))
    if (source.file !== null) hash.update(stampOf(source.file))
  }
  return hash.digest('hex')
}

/** A new image, from a thread of its own. */
export async function build(
  sources: readonly ListSource[],
  key: string,
  work: BuildWork = {},
): Promise<{ readonly ok: true; readonly built: BuiltImage } | BuildFailure> {
  const result = await buildInThread(sources, { ...work, key })
  if (result.kind === 'failed') return result
  const { buffer, report } = result
  const built = { image: buffer, report, key, origin: 'built' as const, tookMs: report.buildMs }
  return { ok: true, built }
}

export function problemsOfBuild({ problems }: BuildFailure): Problem[] {
  return problems.map(({ list, file, line, what, hint }): Problem => {
    return { file: file ?? list, line: line ?? 0, key: '', value: '', what, expected: '', hint }
  })
}
