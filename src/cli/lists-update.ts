/**
 * Owns: `./sluss lists update|import|accept`: newer versions of lists, by hand.
 * Never: judges a version itself, or waits for a service that does not run.
 */
import { chownSync, existsSync, readFileSync, statSync } from 'node:fs'
import { basename, resolve } from 'node:path'
import type { Command } from 'commander'
import { readList } from '../lists/read.ts'
import type { RemoteList } from '../lists/remote.ts'
import {
  acceptPending,
  type ImportFile,
  importFiles,
  type ListOutcome,
  otherVersion,
  type UpdateContext,
  type UpdateEvent,
  type UpdateResult,
  updateLists,
} from '../lists/update.ts'
import type { ListSource } from '../policy/index.ts'
import type { Configuration } from '../service/configuration.ts'
import { build, keyOf } from '../service/image.ts'
import { type BuiltImage, ImageStore, imageFileOf } from '../service/image-store.ts'
import { acceptLocal } from '../service/local-lists.ts'
import { libraryIn, updateRules } from '../service/remote-lists.ts'
import type { Status } from '../service/status.ts'
import { meantHint } from '../settings/problems.ts'
import { actor, fail, print, printJson, table } from './context.ts'
import { callService } from './control.ts'
import {
  buildStep,
  countText,
  isJson,
  loadLists,
  plural,
  tellUnreadable,
  versionText,
} from './lists-text.ts'
import { Progress, type ProgressStep } from './progress.ts'

const { version: VERSION } = JSON.parse(
  readFileSync(new URL('../../package.json', import.meta.url), 'utf8'),
) as { version: string }

interface HoldOption {
  readonly hold?: boolean
}

export async function updateNamed(
  names: readonly string[],
  { hold }: HoldOption,
  command: Command,
): Promise<void> {
  const configuration = loadLists(command, 'write')
  const remotes = names.length === 0 ? configuration.remotes : remotesNamed(names, configuration)
  if (remotes.length === 0) {
    fail('no list of the settings has a url', 'add one: lists: [{ url: https://…, category: … }]')
  }
  await work(command, configuration, hold, (context) => updateLists(remotes, context))
}

export async function importLists(
  files: readonly string[],
  { list, hold }: HoldOption & { readonly list?: string },
  command: Command,
): Promise<void> {
  const configuration = loadLists(command, 'write')
  if (list !== undefined && files.length > 1) {
    fail('--list names one list, and there are several files', 'import them one by one')
  }
  const imports = files.map((file): ImportFile => {
    const [remote] =
      list === undefined ? [listOf(file, configuration)] : remotesNamed([list], configuration)
    return { remote: remote!, file: resolve(file) }
  })
  for (const [i, { remote }] of imports.entries()) {
    const other = imports.findIndex((one) => one.remote.name === remote.name)
    if (other < i) fail(`${files[other]} and ${files[i]} are both for list ${remote.name}`)
  }
  await work(command, configuration, hold, (context) => importFiles(imports, context))
}

/** `seen`: how the version begins that was looked at, in hex. */
export async function acceptList(
  name: string,
  seen: string | undefined,
  _options: object,
  command: Command,
): Promise<void> {
  const configuration = loadLists(command, 'write')
  const { remotes, sources, settings } = configuration
  if (remotes.some((remote) => remote.name === name)) {
    if (libraryIn(settings.state).read(name).pending === null) return nothingWaits(name)
    return work(command, configuration, false, (context) =>
      acceptPending(name, actor(), context, seen),
    )
  }
  const source = sources.find((one) => one.name === name && one.file !== null)
  return source === undefined
    ? unknownList(name, configuration)
    : acceptFile(source, seen ?? null, configuration, command)
}

/** A list that lies here, as it is now. */
async function acceptFile(
  source: ListSource,
  seen: string | null,
  { settings: { state } }: Configuration,
  command: Command,
): Promise<void> {
  const { name } = source
  const parsed = await readList(source, () => {})
  if ('what' in parsed) return fail(`${name}: ${parsed.what}`, parsed.hint)
  const { sha256 } = parsed
  const saved = new ImageStore(state, null).load(null)?.report
  if (saved?.lists.some((list) => list.name === name && list.sha256 === sha256)) {
    return nothingWaits(name)
  }
  const other = otherVersion(name, sha256, seen)
  if (other !== null) return notDone(other)
  const fault = await acceptLocal(state, name, { sha256, by: actor(), atMs: Date.now() })
  if (fault !== null) return fail(fault.what, fault.hint)
  const force = await inForce(state, [{ name, sha256 }])
  if (isJson(command)) printJson({ list: name, sha256, accepted: true, inForce: force })
  else print(`${name}: version ${versionText(sha256)} is accepted\n${forceText(force, 1)}`)
  if (force === 'refused by the service') process.exitCode = 1
}

/** The answer is no: 1, where words that mean nothing are 2. */
function nothingWaits(name: string): void {
  const hint = './sluss lists status shows those that do'
  process.stderr.write(`sluss: no version of ${name} is waiting\n  ${hint}\n`)
  process.exitCode = 1
}

/** Does it, shows how far it is, and tells what came of it. */
async function work(
  command: Command,
  configuration: Configuration,
  hold: boolean | undefined,
  act: (context: UpdateContext) => Promise<UpdateResult>,
): Promise<void> {
  // A list that lies here and cannot be read would be missing from the image that is built.
  tellUnreadable(configuration)
  const { state } = configuration.settings
  const progress = new Progress()
  const stopping = new AbortController()
  const stop = () => stopping.abort()
  for (const signal of STOPS) process.once(signal, stop)
  try {
    const result = await act(contextOf(configuration, { hold, progress, signal: stopping.signal }))
    progress.end()
    const lists = result.kind === 'done' ? result.lists : []
    const taken = lists.flatMap(({ list, status, version }) =>
      status === 'accepted' && version !== null ? [{ name: list, sha256: version.sha256 }] : [],
    )
    if (stopping.signal.aborted && taken.length === 0) return stopped()
    if (result.kind !== 'done') return notDone(result)
    const force = await inForce(state, taken)
    if (isJson(command)) printJson({ lists, inForce: force })
    else print(textOf(lists, force))
    const isFine = ({ status }: ListOutcome) => status !== 'refused' && status !== 'failed'
    if (!lists.every(isFine) || force === 'refused by the service') process.exitCode = 1
  } finally {
    progress.end()
    for (const signal of STOPS) process.off(signal, stop)
  }
}

const STOPS = ['SIGINT', 'SIGTERM'] as const
/** As a shell says it of a program that was interrupted. */
const STOPPED_CODE = 130

function stopped(): void {
  process.stderr.write('sluss: stopped; the lists are in force as they were\n')
  process.exitCode = STOPPED_CODE
}

function notDone({ what, hint }: { readonly what: string; readonly hint: string }): void {
  process.stderr.write(`sluss: ${what}\n  ${hint}\n`)
  process.exitCode = 1
}

interface WorkOptions {
  readonly hold: boolean | undefined
  readonly progress: Progress
  readonly signal: AbortSignal
}

function contextOf(
  configuration: Configuration,
  { hold, progress, signal }: WorkOptions,
): UpdateContext {
  const { settings, sourcesWith } = configuration
  const store = new ImageStore(settings.state, null)
  let latest: BuiltImage | null = null
  return {
    library: libraryIn(settings.state),
    rules: updateRules(settings),
    version: VERSION,
    inForce: store.load(null)?.report ?? null,
    sources: sourcesWith,
    build: async (sources, onProgress) => {
      const result = await build(sources, keyOf(sources), { signal, onProgress })
      if (!('ok' in result)) return result
      latest = result.built
      return { kind: 'built', buffer: latest.image, report: latest.report }
    },
    // A running service finds it saved when it sees that a version has changed, and need not build it.
    beforeCommit: async () => {
      if (latest === null) return
      await store.save(latest)
      giveToOwner(settings.state)
    },
    hold: hold ?? settings.updates.hold,
    signal,
    onProgress: (event) => progress.show(stepOf(event)),
  }
}

/** What root saves (`sudo ./sluss lists update`) must be readable to whom the service runs as. */
function giveToOwner(state: string): void {
  if (process.getuid?.() !== 0) return
  const file = imageFileOf(state)
  if (!existsSync(file)) return
  const { uid, gid } = statSync(state)
  chownSync(file, uid, gid)
}

function stepOf(event: UpdateEvent): ProgressStep {
  if (event.kind === 'build') return buildStep(event)
  const { list, done, total } = event
  return { label: `${list}: fetching`, done, total, unit: 'bytes' }
}

/** Where the running service is with what was taken. */
type Force = 'in force' | 'refused by the service' | 'at the next start' | 'nothing to do'

async function inForce(
  state: string,
  taken: readonly { readonly name: string; readonly sha256: string }[],
): Promise<Force> {
  if (taken.length === 0) return 'nothing to do'
  const status = await callService<Status>(state, { command: 'reload' })
  if (status === null) return 'at the next start'
  const isTaken = taken.every(({ name, sha256 }) =>
    status.lists.each.some((list) => list.name === name && list.sha256 === sha256),
  )
  return isTaken ? 'in force' : 'refused by the service'
}

function forceText(force: Force, count: number): string {
  switch (force) {
    case 'in force':
      return count === 1 ? 'it is in force' : 'all new versions are in force'
    case 'refused by the service':
      return 'the running service has not taken it: ./sluss status says why'
    case 'at the next start':
      return 'no service runs here: in force at the next start'
    case 'nothing to do':
      return ''
  }
}

function statusText({ status, entriesBefore }: ListOutcome): string {
  const stays = entriesBefore === null ? 'none is in force' : 'the one in force stays'
  switch (status) {
    case 'unchanged':
      return 'no newer version'
    case 'accepted':
      return 'new version'
    case 'held':
      return 'new version, waits'
    case 'refused':
      return `REFUSED, ${stays}`
    case 'failed':
      return `FAILED, ${stays}`
  }
}

function textOf(lists: readonly ListOutcome[], force: Force): string {
  const rows = lists.map((outcome) => {
    const { list, version, entriesBefore, entriesAfter, rejected } = outcome
    const from =
      entriesBefore === null || entriesBefore === entriesAfter
        ? ''
        : `${countText(entriesBefore)} → `
    return [
      list,
      statusText(outcome),
      versionText(version?.sha256 ?? null),
      entriesAfter === null ? '' : `${from}${countText(entriesAfter)} entries`,
      rejected === null || rejected === 0 ? '' : `${plural(rejected, 'line')} rejected`,
    ]
  })
  const why = lists.flatMap(({ list, status, trouble, refusals }) => [
    ...(trouble === null ? [] : [`${list}: ${trouble.what}\n  ${trouble.hint}`]),
    ...refusals.map(({ what, hint }) => `${list}: ${what}\n  ${hint}`),
    ...(status === 'held'
      ? [`${list}: see ./sluss lists diff ${list}, then ./sluss lists accept ${list}`]
      : []),
  ])
  const taken = lists.filter(({ status }) => status === 'accepted').length
  const told = force === 'nothing to do' ? [] : [forceText(force, taken)]
  return [table(rows), ...why, ...told].join('\n')
}

function remotesNamed(names: readonly string[], { remotes, sources }: Configuration): RemoteList[] {
  return names.map((name) => {
    const remote = remotes.find((one) => one.name === name)
    if (remote !== undefined) return remote
    return sources.some((one) => one.name === name)
      ? fail(`${name} is not fetched: it lies here`, 'edit its file, and it is in force at once')
      : unknownList(name, { remotes, sources })
  })
}

/** The list that the name of a file means: of the list, or the last part of its url. */
function listOf(file: string, configuration: Configuration): RemoteList {
  const name = basename(file)
  const found = configuration.remotes.filter((remote) => {
    const last = basename(new URL(remote.url).pathname)
    return last === name || remote.name === name || remote.name === name.replace(/\..*$/, '')
  })
  const [remote] = found
  if (remote !== undefined && found.length === 1) return remote
  const which = found.length === 0 ? 'no list' : found.map((one) => one.name).join(' and ')
  return fail(`${name} could be ${which}`, 'say which list it is: --list NAME')
}

export function unknownList(
  name: string,
  { remotes, sources }: Pick<Configuration, 'remotes' | 'sources'>,
): never {
  const names = [...remotes, ...sources.filter(({ file }) => file !== null)].map((one) => one.name)
  return fail(
    `there is no list ${name}`,
    meantHint(name, names) || './sluss lists status shows them',
  )
}
