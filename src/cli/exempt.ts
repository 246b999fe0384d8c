/**
 * Owns: `./sluss exempt`: the register of exemptions read aloud, added to, ended, and its history.
 * Never: changes a policy: the service sees the file change, whoever changed it.
 */
import type { Command } from 'commander'
import { dayOfNumber, localDay, parseUserName } from '../policy/index.ts'
import { formatProblem, meantHint, type Problem, printable } from '../settings/problems.ts'
import {
  loadRegister,
  type Register,
  type RegisterContext,
  referenceOf,
} from '../settings/register.ts'
import type { Change } from '../settings/register-changes.ts'
import { addRow, type Edited, endRow } from '../settings/register-edit.ts'
import { historyFileIn, readHistory } from '../settings/register-history.ts'
import { FIELD_NAMES, rowReader } from '../settings/register-row.ts'
import {
  actor,
  type Context,
  endWithProblems,
  fail,
  loadContext,
  print,
  printJson,
} from './context.ts'
import { historyTable, rowTable, stateOf, wordsOf } from './exempt-text.ts'

interface Flags {
  readonly all?: boolean
  readonly user?: string
  readonly group?: string
  readonly platform?: string
  readonly platforms?: string
  readonly purpose?: string
  readonly department?: string
  readonly decidedBy?: string
  readonly dnr?: string
  readonly from?: string
  readonly until?: string
  readonly date?: string
  readonly row?: string
}

const HELP = `
Examples:
  sluss exempt list --platform facebook
  sluss exempt add --user anna.andersson --platforms facebook,instagram --purpose "Kommunens Facebook-sida" \\
    --department Kommunledningskontoret --decided-by Förvaltningschef --dnr "KS 2026/123" --until 2026-12-31
  sluss exempt end --user anna.andersson
  sluss exempt history --user anna.andersson
`

/** Adds `exempt` and its subcommands to the program. `clock` gives milliseconds since 1970. */
export function register(program: Command, clock: () => number = Date.now): void {
  const exempt = program
    .command('exempt')
    .description('the register of exemptions from the minutes')
    .addHelpText('after', HELP)
  exempt
    .command('list')
    .description('the rows in force today')
    .option('--all', 'also rows that are over, or not yet begun')
    .option('--user <name>', 'only rows that name this user')
    .option('--platform <name>', 'only rows for this platform')
    .action((_flags: unknown, command: Command) => list(open(command, clock), command.opts()))
  exempt
    .command('add')
    .description('add a row')
    .option('--user <name>', 'whom it is for: the name used to sign in; or')
    .option('--group <name>', 'the name of a group')
    .option('--platforms <list>', 'names from the platforms file with commas between, or all')
    .option('--purpose <text>', 'what the platforms are used for')
    .option('--department <text>', 'the department that answers for it')
    .option('--decided-by <text>', 'who decided it, by office')
    .option('--dnr <text>', 'the diary number of the decision; "" if there is none yet')
    .option('--from <date>', 'the first day (default: today)')
    .option('--until <date>', 'the last day, included')
    .action((_flags: unknown, command: Command) => add(open(command, clock), command.opts()))
  exempt
    .command('end')
    .description('set the last day of a row; the row stays in the register')
    .option('--user <name>', 'whom the row is for; or')
    .option('--group <name>', 'the group')
    .option('--dnr <text>', 'which, where there are several')
    .option(
      '--row <number>',
      'which, where the diary number is the same; as `exempt list` shows it',
    )
    .option('--date <date>', 'the new last day, included (default: yesterday)')
    .action((_flags: unknown, command: Command) => end(open(command, clock), command.opts()))
  exempt
    .command('history')
    .description('who changed what, and when')
    .option('--user <name>', 'only changes of rows that name this user')
    .action((_flags: unknown, command: Command) => history(open(command, clock), command.opts()))
}

interface Opened {
  readonly context: RegisterContext
  readonly historyFile: string
  readonly json: boolean
  readonly today: number
}

function open(command: Command, clock: () => number): Opened {
  const { settings, loaded, json }: Context = loadContext(command)
  const { exemptions: file, day: calendar, state } = settings
  if (file === null) {
    fail('the settings name no register', 'add exemptions: exemptions.yaml to them')
  }
  const nowMs = clock()
  const context = { file, platforms: loaded.platforms, calendar, nowMs }
  const today = localDay(calendar, nowMs).number
  return { context, historyFile: historyFileIn(state), json, today }
}

function read(context: RegisterContext): Register {
  const found = loadRegister(context)
  return found.ok ? found : endWithProblems(found.problems)
}

function list({ context, json, today }: Opened, flags: Flags): void {
  const { all = false, platform } = flags
  const known = context.platforms.map(({ name }) => name)
  if (platform !== undefined && !known.includes(platform)) {
    const hint = meantHint(platform, known) || `the platforms are ${known.join(', ')}`
    fail(`--platform ${JSON.stringify(platform)}: there is no such platform`, hint)
  }
  const user = flags.user === undefined ? null : nameOf('--user', flags.user)
  const day = dayOfNumber(context.calendar, today).date
  const rows = read(context)
    .rows.map((row) => ({ ...row, reference: referenceOf(row), state: stateOf(row, day) }))
    .filter((row) => all || row.state === 'in-force')
    .filter((row) => user === null || row.user === user)
    .filter(({ platforms }) => {
      return platform === undefined || platforms === 'all' || platforms.includes(platform)
    })
  if (json) printJson(rows)
  else if (rows.length === 0)
    print(all ? 'No rows.' : 'No rows are in force; --all shows the others.')
  else print(rowTable(rows, all))
  if (rows.length === 0 && (user !== null || platform !== undefined)) process.exitCode = 1
}

async function add({ context, historyFile, json, today }: Opened, flags: Flags): Promise<void> {
  const day = dayOfNumber(context.calendar, today).date
  const { platforms, from = day } = flags
  const listed = platforms === 'all' ? platforms : platforms?.split(',').map((name) => name.trim())
  const given: Record<string, unknown> = { ...flags, platforms: listed, from }
  const fields = Object.fromEntries(
    FIELD_NAMES.flatMap((name) => (given[name] === undefined ? [] : [[name, given[name]]])),
  )
  const { faults } = rowReader(context.platforms.map(({ name }) => name))(fields)
  if (faults.length > 0) {
    return endWithProblems(
      faults.map(({ at, value, what, expected, hint }) => {
        const file = at.length === 0 ? '--user, --group' : optionOf(String(at[0]))
        return { file, line: 0, key: '', value, what, expected, hint }
      }),
    )
  }
  const edited = await addRow({ ...context, historyFile, who: actor(), fields })
  report(edited, json, ({ row }) => {
    return `Added, ${wordsOf(stateOf(row, day))}:\n\n${rowTable([row])}`
  })
}

/** `decidedBy` is `--decided-by`. */
function optionOf(field: string): string {
  return `--${field.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`
}

async function end({ context, historyFile, json, today }: Opened, flags: Flags): Promise<void> {
  const { user, group, dnr, row: number } = flags
  if ((user === undefined) === (group === undefined)) {
    return fail('one of --user and --group is needed', 'say whose row is to end')
  }
  const subject = user === undefined ? nameOf('--group', group) : nameOf('--user', user)
  const until = flags.date ?? dayOfNumber(context.calendar, today - 1).date
  const { rows, sha256 } = read(context)
  const candidates = rows.filter((row) => {
    if ((user === undefined ? row.group : row.user) !== subject || row.until <= until) return false
    if (number !== undefined && String(row.row) !== number) return false
    return dnr === undefined || row.dnr === dnr.trim()
  })
  const [only] = candidates
  if (only === undefined) {
    const which = [dnr, number && `row ${number}`].filter(Boolean).join(', ')
    const whose = `${user === undefined ? 'group ' : ''}${subject}${which && ` (${which})`}`
    process.stderr.write(`${printable(`sluss: no row of ${whose} goes on after ${until}`)}\n`)
    process.exitCode = 1
    return
  }
  if (candidates.length > 1) {
    const sameDnr = new Set(candidates.map((row) => row.dnr)).size < candidates.length
    process.stderr.write(`${rowTable(candidates)}\n\n`)
    return fail('several rows may be meant', `say which with ${sameDnr ? '--row' : '--dnr'}`)
  }
  const edit = { ...context, historyFile, who: actor(), expectedSha256: sha256 }
  const edited = await endRow({ ...edit, row: only.row, until })
  report(edited, json, ({ row, before }) => {
    return `Ended: the last day is ${row.until}, it was ${before?.until}.\n\n${rowTable([row])}`
  })
}

/** What came of an edit: the row, what deserves a look, or why nothing was changed. */
function report(
  edited: Edited,
  json: boolean,
  words: (edited: Edited & { ok: true }) => string,
): void {
  if (!edited.ok) endWithProblems(edited.problems)
  const { row, before, warnings } = edited
  if (json) printJson({ row, before, warnings })
  else print(words(edited))
  // An ended row is over because we were asked: no news.
  const news: readonly Problem[] = warnings.filter(({ kind }) => kind !== 'expired')
  for (const warning of news) process.stderr.write(`warning: ${formatProblem(warning)}\n`)
}

function history({ context, historyFile, json }: Opened, flags: Flags): void {
  const found = readHistory(historyFile)
  if (!found.ok) fail(found.fault.what, found.fault.hint)
  const { entries, notes } = found.history
  for (const note of notes) process.stderr.write(`warning: ${note}\n`)
  const register = loadRegister(context)
  const unentered = entries.length > 0 && register.ok && entries.at(-1)?.sha256 !== register.sha256
  if (unentered) {
    process.stderr.write(
      'warning: the register has changed since; the service enters it when it runs\n',
    )
  }
  const user = flags.user === undefined ? null : nameOf('--user', flags.user)
  const shown = entries
    .map((entry) => ({
      ...entry,
      changes: entry.changes.filter((change) => concerns(change, user)),
    }))
    .filter(({ changes }) => user === null || changes.length > 0)
  if (json) printJson(shown)
  else if (shown.length === 0) print('No changes are entered.')
  else print(historyTable(shown, context.calendar.timezone))
  if (shown.length === 0 && user !== null) process.exitCode = 1
}

function concerns({ before, after }: Change, user: string | null): boolean {
  return user === null || before?.user === user || after?.user === user
}

function nameOf(option: string, text = ''): string {
  return parseUserName(text) ?? fail(`${option} ${JSON.stringify(text)} is no name`)
}
