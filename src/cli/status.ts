/**
 * Owns: `sluss status`: how a running service is, in a few lines or as JSON.
 * Never: starts or changes one.
 */
import type { Command } from 'commander'
import type { Status } from '../service/status.ts'
import { fail, loadContext, print, printJson, table } from './context.ts'
import { callService } from './control.ts'

export function register(program: Command): void {
  program
    .command('status')
    .description('how the running service is')
    .action((_options: unknown, command: Command) => status(command))
}

async function status(command: Command): Promise<void> {
  const { settings, json } = loadContext(command)
  const found = await callService<Status>(settings.state, { command: 'status' })
  if (found === null) {
    return fail(`no service runs with its state in ${settings.state}`, 'start one: ./sluss start')
  }
  if (json) return printJson(found)
  const { counters, lists, loaded, alarms } = found
  const where = (endpoints: Status['proxy']) =>
    endpoints.map(({ address, port }) => `${address}:${port}`).join(', ') || '–'
  print(
    table([
      ['state', found.healthy ? 'well' : 'NOT WELL'],
      ['since', found.since],
      ['proxy', `${where(found.proxy)}, ${found.threads} threads`],
      ['portal', where(found.portal)],
      ['lists', `${lists.domains} domains in ${lists.lists} lists, ${lists.bytes} bytes`],
      ['files read', `${loaded.at} (${loaded.outcome})`],
      ...loaded.problems.map((problem) => ['  refused', problem]),
      ...loaded.warnings.map((warning) => ['  warning', warning]),
      ['connections', `${counters.connectionsOpen} open, ${counters.tunnelsOpen} tunnels`],
      ['requests', String(counters.requests)],
      ['records', `${counters.recordsAcknowledged} of ${counters.records} on disk`],
      ...alarms.map((alarm) => ['ALARM', alarm]),
      ...Object.entries(counters.reasons).map(([reason, n]) => [`  ${reason}`, String(n)]),
    ]),
  )
}
