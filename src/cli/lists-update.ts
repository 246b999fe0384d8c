/**
 * Owns: `./sluss lists update|import|accept`: newer versions of lists, by hand.
 * Never: judges a version itself, or waits for a service that does not run.
 */
import { readFileSync } from 'node:fs'
import { basename, resolve } from 'node:path'
import type { Command } from 'commander'
import { readList } from '../lists/read.ts'
import type { RemoteList } from '../lists/remote.ts'
import {
  acceptPending,
  type ImportFile,
  importFiles,
  type ListOutcome,
  type UpdateContext,
  type UpdateEvent,
  type UpdateResult,
  updateLists,
} from '../lists/update.ts'
import type { Configuration } from '../service/configuration.ts'
import { build, keyOf } from '../service/image.ts'
import { type BuiltImage, ImageStore } from '../service/image-store.ts'
import { acceptLocal } from '../service/local-lists.ts'
import { libraryIn, updateRules } from '../service/remote-lists.ts'
import type { Status } from '../service/status.ts'
import { formatProblem, meantHint } from '../settings/problems.ts'
import { actor, fail, print, printJson, table } from './context.ts'
import { callService } from './control.ts'
import { countText, isJson, loadLists, versionText } from './lists-text.ts'
import { Progress } from './progress.ts'

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
  const configuration = loadLists(command)
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
  const configuration = loadLists(command)
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

export async function acceptList(name: string, _options: object, command: Command): Promise<void> {
  const configuration = loadLists(command)
  if (configuration.remotes.some((remote) => remote.name === name)) {
    await work(command, configuration, false, (context) => acceptPending(name, actor(), context))
    return
  }
  const source = configuration.sources.find((one) => one.name === name && one.file !== null)
  if (source === undefined) return unknownList(name, configuration)
  const parsed = await readList(source, () => {})
  if ('what' in parsed) return fail(`${name}: ${parsed.what}`, parsed.hint)
  const { state } = configuration.settings
  const { sha256 } = parsed
  const fault = await acceptLocal(state, name, { sha256, by: actor(), atMs: Date.now() })
  if (fault !== null) return fail(fault.what, fault.hint)
  const force = await inForce(state, [{ name, sha256 }])
  if (isJson(command)) printJson({ list: name, sha256, accepted: true, inForce: force })
  else print(`${name}: version ${versionText(sha256)} is accepted; ${forceText(force)}`)
}

/** Does it, shows how far it is, and tells what came of it. */
async function work(
  command: Command,
  configuration: Configuration,
  hold: boolean | undefined,
  act: (context: UpdateContext) => Promise<UpdateResult>,
): Promise<void> {
  // A list that lies here and cannot be read would be missing from the image that is built.
  for (const problem of configuration.unreadable)
    process.stderr.write(`${formatProblem(problem)}\n`)
  const { state } = configuration.settings
  const progress = new Progress()
  const stopping = new AbortController()
  const stop = () => stopping.abort()
  process.once('SIGINT', stop)
  try {
    const result = await act(contextOf(configuration, { hold, progress, signal: stopping.signal }))
    progress.end()
    if (result.kind !== 'done') return fail(result.what, result.hint)
    const taken = result.lists.flatMap(({ list, status, version }) =>
      status === 'accepted' && version !== null ? [{ name: list, sha256: version.sha256 }] : [],
    )
    const force = await inForce(state, taken)
    if (isJson(command)) printJson({ lists: result.lists, inForce: force })
    else print(textOf(result.lists, force))
    const isFine = ({ status }: ListOutcome) => status !== 'refused' && status !== 'failed'
    if (!result.lists.every(isFine)) process.exitCode = 1
  } finally {
    progress.end()
    process.off('SIGINT', stop)
  }
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
    // A running service finds it saved when it sees that a version has changed.
    beforeCommit: async () => {
      if (latest !== null) await store.save(latest)
    },
    hold: hold ?? settings.updates.hold,
    signal,
    onProgress: (event) => progress.show(stepOf(event)),
  }
}

function stepOf(event: UpdateEvent) {
  const { done, total } = event
  if (event.kind === 'fetch') {
    return { label: `${event.list}: fetching`, done, total, unit: 'bytes' as const }
  }
  return event.phase === 'read'
    ? { label: 'reading the lists', done, total, unit: 'bytes' as const }
    : { label: 'building', done, total, unit: 'names' as const }
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

function forceText(force: Force): string {
  switch (force) {
    case 'in force':
      return 'it is in force'
    case 'refused by the service':
      return 'the running service has not taken it: see ./sluss status'
    case 'at the next start':
      return 'no service runs here: it will be in force at the next start'
    case 'nothing to do':
      return ''
  }
}

const STATUS_TEXT: Readonly<Record<ListOutcome['status'], string>> = {
  unchanged: 'no newer version',
  accepted: 'new version',
  held: 'new version, waits',
  refused: 'REFUSED, the one in force stays',
  failed: 'FAILED, the one in force stays',
}

function textOf(lists: readonly ListOutcome[], force: Force): string {
  const rows = lists.map(({ list, status, version, entriesBefore, entriesAfter, rejected }) => {
    const from = entriesBefore === null ? '' : ` (before: ${countText(entriesBefore)})`
    return [
      list,
      STATUS_TEXT[status],
      versionText(version?.sha256 ?? null),
      entriesAfter === null ? '' : `${countText(entriesAfter)} entries${from}`,
      rejected === null || rejected === 0 ? '' : `${countText(rejected)} lines rejected`,
    ]
  })
  const why = lists.flatMap(({ list, status, trouble, refusals }) => [
    ...(trouble === null ? [] : [`${list}: ${trouble.what}\n  ${trouble.hint}`]),
    ...refusals.map(({ what, hint }) => `${list}: ${what}\n  ${hint}`),
    ...(status === 'held'
      ? [`${list}: see ./sluss lists diff ${list}, then ./sluss lists accept ${list}`]
      : []),
  ])
  return [table(rows), ...why, ...(force === 'nothing to do' ? [] : [forceText(force)])].join('\n')
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

function unknownList(
  name: string,
  { remotes, sources }: Pick<Configuration, 'remotes' | 'sources'>,
): never {
  const names = [...remotes, ...sources.filter(({ file }) => file !== null)].map((one) => one.name)
  return fail(
    `there is no list ${name}`,
    meantHint(name, names) || './sluss lists status shows them',
  )
}
