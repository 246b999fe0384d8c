/**
 * Owns: `./sluss lists status`: how each list is, from the running service, or from the state folder where
 * none runs.
 * Never: fetches or builds anything.
 */
import type { Command } from 'commander'
import { REJECTIONS, type RejectedLine, type Rejection } from '../lists/rejection.ts'
import type { BuildReport } from '../lists/report.ts'
import type { Configuration } from '../service/configuration.ts'
import { ImageStore } from '../service/image-store.ts'
import { eachList, type ListStatus, offlineView } from '../service/list-status.ts'
import type { Status } from '../service/status.ts'
import { formatProblem } from '../settings/problems.ts'
import { print, printJson, table } from './context.ts'
import { callService } from './control.ts'
import {
  countText,
  isJson,
  loadLists,
  tellUnreadable,
  timeText,
  versionText,
} from './lists-text.ts'

/** Rejected lines of a reason that are shown; the JSON has some more. */
const LINES_SHOWN = 3

export async function listsStatus(_options: object, command: Command): Promise<void> {
  const configuration = loadLists(command)
  tellUnreadable(configuration)
  const { state } = configuration.settings
  const service = await callService<Status>(state, { command: 'status' })
  const saved = new ImageStore(state, null).load(null)?.report ?? null
  const each = service?.lists.each ?? eachList(offlineView(configuration, saved, state))
  const rejected = each.map((list) => ({ list, rejections: rejectionsOf(list, saved) }))
  const alarms = service?.alarms ?? []
  if (isJson(command)) {
    const lists = rejected.map(({ list, rejections }) => ({
      ...list,
      rejections: rejections.map(({ reason, count, first }) => {
        const { class: kind, what } = REJECTIONS[reason]
        return { reason, class: kind, what, count, first }
      }),
    }))
    const problems =
      service?.loaded.problems ?? configuration.unreadable.map((one) => formatProblem(one))
    printJson({ running: service !== null, alarms, problems, lists })
  } else {
    print(listsText(each, configuration))
    const origins = originRows(each)
    if (origins.length > 0) print(`\nwhere from, licence\n${table(origins)}`)
    const rows = rejected.flatMap(({ list, rejections }) => rejectionRows(list.name, rejections))
    if (rows.length > 0) print(`\nrejected lines\n${table(rows, [2])}`)
    if (service === null) print('\nno service runs here: this is how the lists were left')
    for (const alarm of alarms.filter((one) => !isOf(one, each))) print(`ALARM ${alarm}`)
  }
  const isWell = each.every(({ state: how }) => how === 'in force')
  if (!isWell || configuration.unreadable.length > 0) process.exitCode = 1
}

/** Of the version in force; a service may just have taken another than the image that is saved. */
function rejectionsOf({ name, sha256 }: ListStatus, saved: BuildReport | null): Rejection[] {
  const report = saved?.lists.find((list) => list.name === name && list.sha256 === sha256)
  return [...(report?.rejections ?? [])]
}

/** An alarm on a list says again why it is not in force. */
function isOf(alarm: string, each: readonly ListStatus[]): boolean {
  return each.some(({ name, why }) => {
    return why !== '' && (alarm.startsWith(`list ${name} `) || alarm.startsWith(`list ${name}:`))
  })
}

function listsText(each: readonly ListStatus[], configuration: Configuration): string {
  const head = ['LIST', 'CATEGORY', 'STATE', 'ENTRIES', 'REJECTED', 'VERSION', 'FETCHED', 'NEXT']
  const rows = each.map((list) => [
    list.name,
    list.exceptions ? `${list.category} (exceptions)` : list.category,
    stateText(list),
    countText(list.entries),
    countText(list.rejected),
    versionText(list.sha256),
    timeText(configuration, list.fetchedMs),
    timeText(configuration, list.nextMs),
  ])
  const names = Map.groupBy(each, ({ why }) => why)
  const whys = [...names]
    .filter(([why]) => why !== '')
    .map(([why, lists]) => `${lists.map(({ name }) => name).join(', ')}: ${why}`)
  return [table([head, ...rows], [3, 4]), ...(whys.length > 0 ? ['', ...whys] : [])].join('\n')
}

/** What `pending` is of: a newer version, beside the one in force, or the only one there is. */
function stateText({ state, sha256 }: ListStatus): string {
  if (state !== 'pending') return state
  return sha256 === null ? 'waits' : 'newer waits'
}

/** Of lists that are more than a path in the settings. */
function originRows(each: readonly ListStatus[]): string[][] {
  return each
    .filter(({ name, source, licence }) => source !== name || licence !== '')
    .map(({ name, source, licence }) => ['', name, source, licence])
}

function rejectionRows(name: string, rejections: readonly Rejection[]): string[][] {
  return rejections.flatMap(({ reason, count, first }, i) => {
    const shown = first.slice(0, LINES_SHOWN).map(lineText)
    const [one = '', ...more] = count > shown.length ? [...shown, '…'] : shown
    const head = ['', i === 0 ? name : '', countText(count), REJECTIONS[reason].what, one]
    return [head, ...more.map((text) => ['', '', '', '', text])]
  })
}

function lineText({ line, file, text }: RejectedLine): string {
  return `${file === undefined ? '' : `${file}, `}line ${line}: ${text}`
}
