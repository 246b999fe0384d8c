/**
 * Owns: `sluss status`: how a running service is, in a few lines or as JSON.
 * Never: starts or changes one.
 */
import { dirname, resolve } from 'node:path'
import type { Command } from 'commander'
import { endpointText } from '../service/listen-fault.ts'
import type { Status } from '../service/status.ts'
import { loadSettings } from '../settings/load.ts'
import { settingsSchema } from '../settings/schema.ts'
import {
  endWithProblems,
  fail,
  type GlobalOptions,
  globalOptions,
  overridesOf,
  print,
  printJson,
  table,
} from './context.ts'
import { callService } from './control.ts'
import { plural } from './lists-text.ts'

export function register(program: Command): void {
  program
    .command('status')
    .description('how the running service is')
    .action((_options: unknown, command: Command) => status(command))
}

async function status(command: Command): Promise<void> {
  const options = globalOptions(command)
  const loaded = loadSettings({ file: options.config, overrides: overridesOf(options) })
  // Settings that do not hold must not keep a service that goes on by the last good ones from telling so.
  const folder = loaded.ok ? loaded.settings.state : likelyState(options)
  const found = await callService<Status>(folder, { command: 'status' })
  if (found === null && !loaded.ok) return endWithProblems(loaded.problems)
  if (found === null) {
    return fail(`no service runs with its state in ${folder}`, 'start one: ./sluss start')
  }
  if (options.json) printJson(found)
  else print(textOf(found))
}

/** The state folder as the command line has it, or as it is where the settings do not name one. */
function likelyState({ state, config }: Pick<GlobalOptions, 'state' | 'config'>): string {
  return resolve(state ?? resolve(dirname(config), STATE_DEFAULT))
}

const STATE_DEFAULT = settingsSchema.shape.state.parse(undefined)

/** What is lost is in no row of the log: only gap records count it. */
export function recordsText(counters: Status['counters']): string {
  const { records, recordsAcknowledged, recordsLost } = counters
  const lost = recordsLost === 0 ? '' : `, ${recordsLost} NOT RECORDED: gaps in the log count them`
  return `${recordsAcknowledged} of ${records} on disk${lost}`
}

function textOf(found: Status): string {
  const { counters, lists, loaded, alarms } = found
  const where = (endpoints: Status['proxy']) => endpoints.map(endpointText).join(', ') || '–'
  return table([
    ['state', found.healthy ? 'well' : 'NOT WELL'],
    ['since', found.since],
    ['proxy', `${where(found.proxy)}, ${found.threads} threads`],
    ['portal', where(found.portal)],
    ...listsRows(lists),
    ['files read', `${loaded.at} (${loaded.outcome})`],
    ...loaded.problems.map((problem) => ['  refused', problem]),
    ...loaded.warnings.map((warning) => ['  warning', warning]),
    ['connections', `${counters.connectionsOpen} open, ${counters.tunnelsOpen} tunnels`],
    ['requests', String(counters.requests)],
    ['records', recordsText(counters)],
    ...alarms.map((alarm) => ['ALARM', alarm]),
    ...Object.entries(counters.reasons).map(([reason, n]) => [`  ${reason}`, String(n)]),
  ])
}

/** The lists, and those that are not simply in force. */
export function listsRows({ domains, lists, each }: Status['lists']): string[][] {
  const platforms = lists > each.length ? ' and the platforms' : ''
  const where = `${plural(each.length, 'list')}${platforms}`
  const waiting = each.filter(({ state }) => state !== 'in force')
  const named = waiting.map(({ name, state }) => `${name} (${state})`).join(', ')
  return [
    ['lists', `${plural(domains, 'domain')} in ${where}`],
    ...(waiting.length === 0 ? [] : [['  look at', `${named}: ./sluss lists status`]]),
  ]
}
