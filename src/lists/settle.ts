/**
 * Owns: the verdict on candidates: one build of all lists with them, the guard rails, and then in
 * force or pending.
 * Never: puts in force what does not build, is not the file that it says, or is refused.
 */
import type { BuildFailure, BuildProblem, BuildResult, Built } from './build.ts'
import { codeOf, diskTrouble } from './fetch-failure.ts'
import { entriesOf, judge, type Refusal, standingOf } from './guard-rails.ts'
import type { CurrentVersion, Holding, PendingVersion } from './library.ts'
import type { BuildReport, ListReport } from './report.ts'
import {
  type Candidate,
  isCandidate,
  type ListOutcome,
  nowOf,
  outcomeOf,
  type Staged,
  type UpdateContext,
} from './update-run.ts'

export interface Settled {
  /** In the order in which they were staged. */
  readonly lists: readonly ListOutcome[]
  /**
   * Of all lists as they now are; null where nothing is new in force, or where the disk failed one
   * of them between build and commit.
   */
  readonly image: Built | null
}

/** Builds until nothing speaks against any candidate that is left, and puts those in force. */
export async function settle(staged: readonly Staged[], context: UpdateContext): Promise<Settled> {
  const outcomes = new Map<string, ListOutcome>()
  for (const each of staged) if (!isCandidate(each)) outcomes.set(each.list, each)
  const candidates = staged.filter(isCandidate)
  for (const each of candidates.filter(isHeld)) {
    outcomes.set(
      each.list,
      onDisk(each, context, () => goOnWaiting(each, context)),
    )
  }
  let left = candidates.filter((each) => !isHeld(each))
  let image: Built | null = null
  while (left.length > 0) {
    const built = await build(left, context)
    const remaining: Candidate[] = []
    for (const each of left) {
      const refusals = refusalsOf(each, built, context)
      if (refusals.length === 0) remaining.push(each)
      else outcomes.set(each.list, refuse(each, refusals, built, context))
    }
    const unanimous = remaining.length === left.length
    left = remaining
    if (!unanimous) continue
    if (built.kind === 'failed' && isTooMuch(built, context)) {
      // One that is more than an image holds must not keep the others from being new.
      const largest = left.reduce((a, b) => (b.version.bytes > a.version.bytes ? b : a))
      outcomes.set(largest.list, refuse(largest, built.problems.map(unbuilt), built, context))
      left = left.filter((each) => each !== largest)
      continue
    }
    if (built.kind === 'built' && !context.hold) await context.beforeCommit?.(built)
    for (const each of left) {
      const conclude = () =>
        built.kind === 'built' ? take(each, built.report, context) : letWait(each, built, context)
      outcomes.set(each.list, onDisk(each, context, conclude))
    }
    const taken = left.every(({ list }) => outcomes.get(list)!.status === 'accepted')
    if (taken && built.kind === 'built') image = built
    break
  }
  return { lists: staged.map(({ list }) => outcomes.get(list)!), image }
}

function build(candidates: readonly Candidate[], context: UpdateContext) {
  const versions = new Map(candidates.map(({ list, version }) => [list, version]))
  return context.build(context.sources(versions), (progress) =>
    context.onProgress?.({ kind: 'build', ...progress }),
  )
}

/** What speaks against a candidate, after a build with it. */
function refusalsOf(
  { list, judged, version, holding }: Candidate,
  built: BuildResult,
  { inForce }: UpdateContext,
): Refusal[] {
  if (built.kind === 'failed') {
    return built.problems.filter((problem) => problem.list === list).map(unbuilt)
  }
  const report = reportOn(list, built.report)
  if (report.sha256 !== version.sha256) {
    const what = `its file is not the one that came: its sha256 is ${report.sha256}`
    return [{ code: 'damaged', what, hint: 'See that the disk is well, then update again.' }]
  }
  if (!('fallShare' in judged)) return []
  const after = standingOf(report, built.report.caught)
  return judge({ name: list, before: beforeOf(list, holding, inForce), after, rules: judged })
}

/** True where no list is at fault by itself; not where the build was stopped. */
function isTooMuch({ problems }: BuildFailure, { signal }: UpdateContext): boolean {
  return !signal?.aborted && problems.every(({ list }) => list === '')
}

function unbuilt(problem: BuildProblem): Refusal {
  return { code: 'does-not-build', what: where(problem), hint: problem.hint }
}

function where({ line, what }: BuildProblem): string {
  return line === null ? what : `line ${line}: ${what}`
}

function reportOn(list: string, { lists }: BuildReport): ListReport {
  const report = lists.find(({ name }) => name === list)
  if (report === undefined) throw new Error(`${list}: a candidate that is not among the sources`)
  return report
}

/**
 * What the version in force does. The image knows best: it was built with the never-block hosts of
 * today. Where it holds another version, what was noted at the commit counts.
 */
function beforeOf(list: string, { current }: Holding, inForce: BuildReport | null) {
  const report = inForce?.lists.find(({ name }) => name === list)
  if (inForce && report && (current === null || current.sha256 === report.sha256)) {
    const { entries, caught } = standingOf(report, inForce.caught)
    return { entries, caught: caught.map(({ host }) => host) }
  }
  return current
}

function refuse(
  candidate: Candidate,
  refusals: readonly Refusal[],
  built: BuildResult,
  context: UpdateContext,
): ListOutcome {
  return onDisk(candidate, context, () => {
    // A damaged file is worth nothing: without it the next update downloads another.
    const damaged = refusals.some(({ code }) => code === 'damaged')
    const pending = { ...versionOf(candidate), verdict: 'refused' as const, refusals }
    setPending(candidate, damaged ? null : pending, context)
    return { ...outcomeAfter(candidate, 'refused', built, context), refusals }
  })
}

/** Nothing speaks against it, but against something else in the image. */
function letWait(
  candidate: Candidate,
  { problems: [problem] }: BuildFailure,
  context: UpdateContext,
): ListOutcome {
  const because = problem === undefined ? 'no reason' : `${problem.list} ${where(problem)}`.trim()
  const trouble = {
    what: `the lists cannot be built, so nothing new is in force: ${because}`,
    hint: problem?.hint ?? 'Report it.',
  }
  const durationMs = nowOf(context) - candidate.beganMs
  const { version, holding } = candidate
  const entriesBefore = holding.current?.entries ?? null
  return outcomeOf(candidate.list, 'failed', { trouble, version, entriesBefore, durationMs })
}

function take(candidate: Candidate, report: BuildReport, context: UpdateContext): ListOutcome {
  const { list, judged, holding } = candidate
  const { library, hold = false } = context
  const built = { kind: 'built' as const, report }
  if (hold) {
    const pending = { ...versionOf(candidate), verdict: 'held' as const, refusals: [] }
    setPending(candidate, pending, context)
    return outcomeAfter(candidate, 'held', built, context)
  }
  const { entries, caught } = standingOf(reportOn(list, report), report.caught)
  const version = versionOf(candidate)
  const current: CurrentVersion = {
    ...version,
    checkedMs: nowOf(context),
    entries,
    caught: caught.map(({ host }) => host),
    accepted: 'by' in judged ? judged : null,
  }
  library.writeCurrent(list, current)
  library.writePending(list, null)
  // The one that was in force stays until the next update: a build may just be reading it.
  library.sweep(list, holding.current === null ? [version] : [version, holding.current])
  return outcomeAfter(candidate, 'accepted', built, context)
}

/** It waits for somebody to take it: that the server still has it does not. */
function isHeld({ judged, version, holding }: Candidate): boolean {
  const { pending } = holding
  const isKnown = pending?.verdict === 'held' && pending.sha256 === version.sha256
  return isKnown && 'fallShare' in judged
}

function goOnWaiting(candidate: Candidate, context: UpdateContext): ListOutcome {
  const { list, version, holding, beganMs } = candidate
  setPending(candidate, { ...versionOf(candidate), verdict: 'held', refusals: [] }, context)
  const entriesBefore = beforeOf(list, holding, context.inForce)?.entries ?? null
  const durationMs = nowOf(context) - beganMs
  return outcomeOf(list, 'held', { version, entriesBefore, durationMs })
}

function setPending(
  { list, holding }: Candidate,
  pending: PendingVersion | null,
  { library }: UpdateContext,
): void {
  library.writePending(list, pending)
  library.sweep(
    list,
    [holding.current, pending].filter((version) => version !== null),
  )
}

function versionOf({ version }: Candidate) {
  const { how, sha256, bytes, url, file, etag, lastModified, fetchedMs } = version
  return { how, sha256, bytes, url, file, etag, lastModified, fetchedMs }
}

function outcomeAfter(
  candidate: Candidate,
  status: ListOutcome['status'],
  built: { readonly kind: 'built'; readonly report: BuildReport } | BuildFailure,
  context: UpdateContext,
): ListOutcome {
  const { list, version, holding, beganMs } = candidate
  const report = built.kind === 'built' ? reportOn(list, built.report) : null
  return outcomeOf(list, status, {
    version,
    entriesBefore: beforeOf(list, holding, context.inForce)?.entries ?? null,
    entriesAfter: report === null ? null : entriesOf(report),
    used: report?.used ?? null,
    rejected: report?.rejected ?? null,
    durationMs: nowOf(context) - beganMs,
  })
}

/** A disk that says no is the failure of one list, not of all. */
function onDisk(
  { list, version, holding, beganMs }: Candidate,
  context: UpdateContext,
  conclude: () => ListOutcome,
): ListOutcome {
  try {
    return conclude()
  } catch (error) {
    if (codeOf(error) === '') throw error
    const trouble = diskTrouble(error, `the folder of list ${list}`)
    const entriesBefore = holding.current?.entries ?? null
    const durationMs = nowOf(context) - beganMs
    return outcomeOf(list, 'failed', { trouble, version, entriesBefore, durationMs })
  }
}
