/**
 * Owns: `./sluss quota`: the minutes of a day, a person's minutes themselves, and giving minutes.
 * Never: counts or keeps anything itself; ledger/commands.ts does, in the service or on its files.
 */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Command } from 'commander'
import {
  GIVE_MINUTES_MAX,
  type QuotaCommands,
  type QuotaGiven,
  type QuotaGiveRequest,
  type QuotaListRequest,
  quotaCommands,
} from '../ledger/commands.ts'
import { dayBar, type QuotaReport, type QuotaRow } from '../ledger/report.ts'
import { LEDGER_FILE, openLedgerStore } from '../ledger/store.ts'
import { compilePolicy } from '../settings/compile.ts'
import { actor, type Context, fail, loadContext, print, printJson, table } from './context.ts'
import { callService } from './control.ts'

interface ListFlags {
  readonly day?: string
  readonly zone?: string
}

interface GiveFlags extends ListFlags {
  readonly why: string
  readonly category?: string
}

const LIST_HELP = `
Minutes are shown with the first and the last of each run: 08:12–08:20 is nine minutes. A sign of the bar is
half an hour. A user is a name, or the address or zone where people are not identified by name.

Exit code 1: there is nothing of USER on that day.

Examples:
  sluss quota
  sluss quota anna.andersson --day 2026-11-20
  sluss quota give anna.andersson 30 --why "Webbsänt fullmäktige"
`

/** Adds `quota` and its subcommand to the program. */
export function register(program: Command): void {
  const quota = program
    .command('quota')
    .description("minutes used and left today; with USER also that user's minutes")
    .argument('[user]', 'a name, an address, or the name of a zone')
    .option('--day <date>', 'another day than today')
    .option('--zone <zone>', 'only this part of the network')
    .addHelpText('after', LIST_HELP)
    .action((user: string | undefined, _flags: unknown, command: Command) => list(user, command))
  quota
    .command('give')
    .description('give a user more minutes today')
    .argument('<user>', 'a name, an address, or the name of a zone')
    .argument('<minutes>', `1 to ${GIVE_MINUTES_MAX}`)
    .requiredOption('--why <text>', 'the reason, for the record')
    .option('--zone <zone>', 'where the user is in several')
    .option('--category <name>', 'the quota category; the first of the settings unless given')
    .action((user: string, minutes: string, _flags: unknown, command: Command) =>
      give(user, minutes, command),
    )
}

async function list(user: string | undefined, command: Command): Promise<void> {
  const context = loadContext(command)
  const { day, zone } = command.opts<ListFlags>()
  const request: QuotaListRequest = {
    command: 'quota.list',
    ...(user === undefined ? {} : { user }),
    ...(day === undefined ? {} : { day }),
    ...(zone === undefined ? {} : { zone }),
  }
  const report =
    (await callService<QuotaReport>(context.settings.state, request)) ??
    offline(context, 'read', (commands) => commands['quota.list'](request))
  if (context.json) printJson(report.rows)
  else print(user === undefined ? overview(report) : portrait(report, user))
  if (report.omitted > 0) {
    process.stderr.write(`sluss: ${report.omitted} more are not shown; name a USER or --zone\n`)
  }
  if (user !== undefined && report.rows.length === 0) process.exitCode = 1
}

async function give(user: string, minutesText: string, command: Command): Promise<void> {
  // The options of `quota` stand before or after `give`: commander gives them to either.
  const { why, zone, category, day } = command.optsWithGlobals<GiveFlags>()
  const minutes = /^\d{1,4}$/.test(minutesText) ? Number(minutesText) : 0
  if (minutes < 1 || minutes > GIVE_MINUTES_MAX) {
    const hint = `expected a whole number from 1 to ${GIVE_MINUTES_MAX}`
    return fail(`MINUTES ${JSON.stringify(minutesText)} cannot be given`, hint)
  }
  if (day !== undefined)
    return fail(`--day ${day}: minutes are given for today only`, 'leave it out')
  const context = loadContext(command)
  const request: QuotaGiveRequest = {
    command: 'quota.give',
    user,
    minutes,
    why,
    givenBy: actor(),
    ...(zone === undefined ? {} : { zone }),
    ...(category === undefined ? {} : { category }),
  }
  const given =
    (await callService<QuotaGiven>(context.settings.state, request)) ??
    offline(context, 'write', (commands) => commands['quota.give'](request))
  if (context.json) printJson(given.row)
  else print(`${given.minutes} minutes given.\n\n${table([HEADER, cellsOf(given.row)])}`)
}

/** No service runs: its files answer, by the same handlers. */
function offline<T>(
  { settings, loaded }: Context,
  purpose: 'read' | 'write',
  ask: (commands: QuotaCommands) => T,
): T {
  if (purpose === 'write') mkdirSync(settings.state, { recursive: true, mode: 0o700 })
  const { platforms } = loaded
  const policy = compilePolicy({ settings, platforms, exemptions: [], version: 0 })
  const clock = Date.now
  const opened = openLedgerStore({ file: join(settings.state, LEDGER_FILE), purpose, clock })
  if (!opened.ok && opened.problem.code !== 'missing') {
    const { file, what, hint } = opened.problem
    return fail(`${file}: ${what}`, hint)
  }
  const store = opened.ok ? opened.store : null
  try {
    return ask(quotaCommands({ ledger: null, store, policy: () => policy, clock }))
  } finally {
    store?.close()
  }
}

const HEADER = ['user', 'zone', 'category', 'used', 'limit', 'given', 'left', 'minutes']

function cellsOf(row: QuotaRow): string[] {
  const { user, zone, category, used, limit, given, left, minutes } = row
  const number = (value: number | null) => (value === null ? '–' : String(value))
  return [user, zone, category, number(used), number(limit), number(given), number(left), minutes]
}

function overview(report: QuotaReport): string {
  const { day, from, until, rows } = report
  const heading = `${day}  ${from} – ${until}`
  if (rows.length === 0) return `${heading}\n\nNo minutes are used or given.`
  return `${heading}\n\n${table([HEADER, ...rows.map(cellsOf)])}`
}

function portrait(report: QuotaReport, user: string): string {
  const { rows, day } = report
  if (rows.length === 0) return `${user}: no minutes are used or given on ${day}.`
  const strips = rows.map((row) => {
    const title = `${row.zone}, ${row.category}`
    const gifts = row.gifts.map(
      ({ time, minutes, why, givenBy }) => `  ${time}  ${minutes} given by ${givenBy}: ${why}`,
    )
    return [`${title}  ${dayBar(report, row)}`, ...gifts].join('\n')
  })
  return [overview(report), '', ...strips].join('\n')
}
