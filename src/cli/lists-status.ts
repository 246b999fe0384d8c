/**
 * Owns: `./sluss lists status`: how each list is, from the running service, or from the state folder where
 * none runs.
 * Never: fetches or builds anything.
 */
import type { Command } from 'commander'
import { REJECTIONS } from '../lists/rejection.ts'
import type { Configuration } from '../service/configuration.ts'
import { ImageStore } from '../service/image-store.ts'
import { eachList, type ListStatus, offlineView } from '../service/list-status.ts'
import type { Status } from '../service/status.ts'
import { formatProblem } from '../settings/problems.ts'
import { print, printJson, table } from './context.ts'
import { callService } from './control.ts'
import { countText, isJson, loadLists, timeText, versionText } from './lists-text.ts'

export async function listsStatus(_options: object, command: Command): Promise<void> {
  const configuration = loadLists(command)
  const { state } = configuration.settings
  const service = await callService<Status>(state, { command: 'status' })
  const saved = new ImageStore(state, null).load(null)
  const each =
    service?.lists.each ?? eachList(offlineView(configuration, saved?.report ?? null, state))
  const rejections = new Map(saved?.report.lists.map((list) => [list.name, list.rejections]))
  const rejected = (name: string) => rejections.get(name) ?? []
  const alarms = service?.alarms ?? []
  if (isJson(command)) {
    const lists = each.map((list) => ({ ...list, rejections: rejected(list.name) }))
    printJson({ running: service !== null, alarms, lists })
  } else {
    print(textOf(each, configuration))
    for (const { name } of each) {
      for (const { reason, count, first } of rejected(name)) {
        const [example] = first
        const shown =
          example === undefined ? '' : `, first in line ${example.line}: ${example.text}`
        print(`${name}: ${countText(count)} lines rejected: ${REJECTIONS[reason].what}${shown}`)
      }
    }
    if (service === null) print('no service runs here: this is how the lists were left')
    for (const alarm of alarms) print(`ALARM ${alarm}`)
  }
  for (const problem of configuration.unreadable)
    process.stderr.write(`${formatProblem(problem)}\n`)
  const isWell = each.every(({ state: how }) => how === 'in force')
  if (!isWell || configuration.unreadable.length > 0) process.exitCode = 1
}

function textOf(each: readonly ListStatus[], configuration: Configuration): string {
  const head = ['LIST', 'CATEGORY', 'STATE', 'ENTRIES', 'REJECTED', 'VERSION', 'FETCHED', 'NEXT']
  const rows = each.map((list) => [
    list.name,
    list.exceptions ? `${list.category} (exceptions)` : list.category,
    list.state,
    countText(list.entries),
    countText(list.rejected),
    versionText(list.sha256),
    timeText(configuration, list.fetchedMs),
    timeText(configuration, list.nextMs),
  ])
  const why = each.flatMap(({ name, why }) => (why === '' ? [] : [`${name}: ${why}`]))
  return [table([head, ...rows]), ...why].join('\n')
}
