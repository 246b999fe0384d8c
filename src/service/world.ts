/**
 * Owns: from a configuration to the world of the proxy threads: the image is built anew only where a list
 * has changed.
 * Never: gives away half a world: where the lists cannot be built, there is none.
 */
import { createHash } from 'node:crypto'
import type { BuildReport } from '../lists/build.ts'
import { buildInThread } from '../lists/builder.ts'
import type { ListSource } from '../policy/index.ts'
import type { World } from '../proxy/world.ts'
import type { Problem } from '../settings/problems.ts'
import type { Configuration } from './configuration.ts'
import { stampOf } from './watch.ts'

/** An image, and what it was built from. */
export interface BuiltImage {
  readonly image: SharedArrayBuffer
  readonly report: BuildReport
  /** The same where the lists are the same. */
  readonly key: string
}

export type ImageResult =
  | { readonly ok: true; readonly built: BuiltImage }
  | { readonly ok: false; readonly problems: readonly Problem[] }

/** The image of `sources`: `last` where nothing has changed, or a new one from a thread of its own. */
export async function imageOf(
  sources: readonly ListSource[],
  last: BuiltImage | null,
): Promise<ImageResult> {
  const key = keyOf(sources)
  if (last?.key === key) return { ok: true, built: last }
  const result = await buildInThread(sources)
  if (result.kind === 'built') {
    const { buffer, report } = result
    const emptied = emptiedOf(report, last?.report ?? null)
    if (emptied.length > 0) return { ok: false, problems: emptied }
    return { ok: true, built: { image: buffer, report, key } }
  }
  const problems = result.problems.map(({ list, file, line, what, hint }): Problem => {
    return { file: file ?? list, line: line ?? 0, key: '', value: '', what, expected: '', hint }
  })
  return { ok: false, problems }
}

/**
 * Lists that held something and are now files of no length: cut short in the midst of being saved, or by a
 * full disk. A list that is meant to be empty can say so in a comment.
 */
function emptiedOf(now: BuildReport, before: BuildReport | null): Problem[] {
  const full = new Set<string | null>()
  for (const { file, domains } of before?.lists ?? []) if (domains > 0) full.add(file)
  const hint = 'Write the list again; if it is to be empty, leave a comment in it: # none'
  return now.lists.flatMap(({ file, lines }): Problem[] => {
    if (file === null || lines > 0 || !full.has(file)) return []
    return [
      { file, line: 0, key: '', value: '', what: 'the list has no lines', expected: '', hint },
    ]
  })
}

/** Taken before the files are read: a file that changes meanwhile gives a new key at the next look. */
function keyOf(sources: readonly ListSource[]): string {
  const hash = createHash('sha256')
  for (const source of sources) {
    hash.update(JSON.stringify(source))
    if (source.file !== null) hash.update(stampOf(source.file))
  }
  return hash.digest('hex')
}

export function worldOf(
  { settings, users, policyOf }: Configuration,
  { image }: BuiltImage,
  version: number,
): World {
  const { listen, limits, dns, log } = settings
  const { paths, onFailure, unacknowledged } = log
  return {
    policy: policyOf(version),
    image,
    users,
    listen: listen.proxy,
    portal: listen.portal,
    limits,
    log: { paths, onFailure, unacknowledged },
    hosts: dns.hosts,
  }
}
