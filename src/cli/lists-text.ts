/**
 * Owns: what the commands of `./sluss lists` share: the configuration they work on, and the words for
 * versions, labels and places.
 * Never: does a command's work.
 */
import { accessSync, constants } from 'node:fs'
import type { Command } from 'commander'
import type { Gain } from '../lists/gain.ts'
import type { Location } from '../lists/locate.ts'
import type { BuildProgress } from '../lists/report.ts'
import { categoryNames, formatTime, type Policy, platformNames } from '../policy/index.ts'
import {
  type BrokenConfiguration,
  type Configuration,
  readConfiguration,
} from '../service/configuration.ts'
import { build, type ImageResult, keyOf, problemsOfBuild } from '../service/image.ts'
import { ImageStore } from '../service/image-store.ts'
import type { Status } from '../service/status.ts'
import { formatProblem } from '../settings/problems.ts'
import { endWithProblems, fail, globalOptions, overridesOf } from './context.ts'
import { callService } from './control.ts'
import { Progress, type ProgressStep } from './progress.ts'

/** Hex digits of a version that people are shown. */
export const VERSION_DIGITS = 12

/** Building takes seconds where lists are large; nobody is told of less. */
const PATIENCE_MS = 1_000
const NOBODY = { write: () => true }

/** All that the files say; a list that cannot be read does not stand in the way of the others. */
export function loadLists(command: Command, use: 'read' | 'write' = 'read'): Configuration {
  const options = globalOptions(command)
  const read: Configuration | BrokenConfiguration = readConfiguration({
    file: options.config,
    overrides: overridesOf(options),
    nowMs: Date.now(),
    lists: 'tell',
  })
  if (!read.ok) return endWithProblems(read.problems)
  const { state } = read.settings
  if (!isOpen(state, use)) {
    return fail(
      `${state} is closed to you`,
      'do it as the user that the service runs as, or with sudo',
    )
  }
  return read
}

/** False where the state folder is another user's. One that is not there yet is made. */
function isOpen(state: string, use: 'read' | 'write'): boolean {
  const { R_OK, W_OK, X_OK } = constants
  try {
    accessSync(state, use === 'read' ? R_OK | X_OK : R_OK | W_OK | X_OK)
    return true
  } catch (error) {
    return !(error instanceof Error && 'code' in error && error.code === 'EACCES')
  }
}

/** A list that cannot be read is missing from whatever is said next. */
export function tellUnreadable({ unreadable }: Configuration): void {
  for (const problem of unreadable) process.stderr.write(`${formatProblem(problem)}\n`)
}

/**
 * What is in force: the saved image where it is of the lists as they are; where they cannot be used, or a
 * service refuses them, the saved one all the same, as the service goes on by it; else one that is built and
 * not kept.
 */
export async function imageInForce(configuration: Configuration): Promise<ImageResult> {
  const { sources, settings, unreadable } = configuration
  const store = new ImageStore(settings.state, null)
  const key = keyOf(sources)
  const isBroken = async () => unreadable.length > 0 || (await refusesFiles(settings.state))
  const saved = store.load(key) ?? ((await isBroken()) ? store.load(null) : null)
  if (saved !== null) return { ok: true, built: saved }
  const progress = patientProgress()
  const result = await build(sources, key, { onProgress: (step) => progress.show(buildStep(step)) })
  progress.end()
  if ('ok' in result) return { ok: true, built: result.built }
  const problems = problemsOfBuild(result)
  const last = store.load(null)
  if (last === null) return { ok: false, problems }
  for (const problem of problems) process.stderr.write(`${formatProblem(problem)}\n`)
  return { ok: true, built: last }
}

async function refusesFiles(state: string): Promise<boolean> {
  const status = await callService<Status>(state, { command: 'status' }).catch(() => null)
  return status?.loaded.outcome === 'refused'
}

/** Of work that answers a question: on a terminal, where it takes a while. */
export function patientProgress(): Progress {
  return new Progress(process.stderr.isTTY ? process.stderr : NOBODY, undefined, PATIENCE_MS)
}

export function buildStep({ phase, done, total }: BuildProgress): ProgressStep {
  return phase === 'read'
    ? { label: 'reading the lists', done, total, unit: 'bytes' }
    : { label: 'building', done, total, unit: 'names' }
}

export function isJson(command: Command): boolean {
  return globalOptions(command).json
}

/** `9b1c0e4477aa`; a dash where there is none. */
export function versionText(sha256: string | null): string {
  return sha256 === null || sha256 === '' ? '–' : sha256.slice(0, VERSION_DIGITS)
}

/** Local time to the minute; a dash where there is none. */
export function timeText({ settings }: Configuration, ms: number | null): string {
  return ms === null ? '–' : formatTime(settings.day.timezone, ms).slice(0, 16).replace('T', ' ')
}

/** `porn, gambling`: the names of all labels. */
export function labelNames(policy: Policy, gain: Gain): string[] {
  const labels = { ...gain, background: 0 }
  const names = new Set([...categoryNames(policy, labels), ...platformNames(policy, labels)])
  return [...names, ...(gain.neverBlock ? ['never-block'] : [])]
}

/** The same without the names of platforms. */
export function categoriesOf(policy: Policy, gain: Gain): string[] {
  const names = categoryNames(policy, { ...gain, background: 0 })
  return [...names, ...(gain.neverBlock ? ['never-block'] : [])]
}

/** `example.com in ut1-adult, line 17 (version 9b1c0e4477aa)`. */
export function placeText({
  domain,
  list,
  line,
  version,
  frees,
}: Pick<Location, 'domain' | 'list' | 'line' | 'version' | 'frees'>): string {
  const which = version === '' ? '' : ` (version ${versionText(version)})`
  return `${domain} ${frees ? 'freed by' : 'in'} ${list}, line ${line}${which}`
}

/** `1234567` as `1,234,567`: counts of millions are read by people. */
export function countText(n: number): string {
  return n.toLocaleString('en')
}

/** `1 line`, `2 lines`. */
export function plural(n: number, what: string): string {
  return `${countText(n)} ${what}${n === 1 ? '' : 's'}`
}
