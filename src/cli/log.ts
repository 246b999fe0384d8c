/**
 * Owns: `./sluss log`: questions to the traffic log, and their answers as a table, CSV or JSON.
 * Never: reads a file of the log itself; traffic/search.ts does.
 */
import { join } from 'node:path'
import { type Command, Option } from 'commander'
import {
  ACTIONS,
  type Action,
  type Calendar,
  dayNumber,
  dayStartMs,
  formatTime,
  HELLO_OUTCOMES,
  type HelloOutcome,
  parseAddress,
  parseHost,
  parseTime,
  REASONS,
} from '../policy/index.ts'
import type { Settings } from '../settings/schema.ts'
import { describeFailure, type Failure } from '../traffic/failure.ts'
import {
  CSV_HEADER,
  csvLine,
  jsonObject,
  printable,
  TABLE_HEADER,
  tableCells,
} from '../traffic/print.ts'
import { Pseudonyms, readKey } from '../traffic/pseudonym.ts'
import type { TrafficRow } from '../traffic/schema.ts'
import { type SearchQuery, search } from '../traffic/search.ts'
import { fail, loadContext, table } from './context.ts'

const LIMIT_DEFAULT = 1_000
const LIMIT_MAX = 1_000_000_000
/** Rows that a table aligns at a time. */
const PAGE_ROWS = 1_000
/** What is gathered before it is written: a system call a row would take longer than the search. */
const CHUNK_CHARACTERS = 65_536
const FORMATS = ['table', 'csv', 'json'] as const
type Format = (typeof FORMATS)[number]
const HELLOS = HELLO_OUTCOMES.filter((outcome) => outcome !== '')

interface SearchFlags {
  readonly user?: string
  readonly address?: string
  readonly host?: string
  readonly zone?: string
  readonly category?: string
  readonly verdict?: string
  readonly reason?: string
  readonly hello?: string
  readonly serverName?: string
  readonly from?: string
  readonly to?: string
  readonly limit: string
  readonly utc?: boolean
  readonly format?: string
}

const SEARCH_HELP = `
Rows come newest first. A connection that was recorded when it opened and when it closed is one row.

Times: 2026-11-21, "2026-11-21 20:15" (local), or 2026-11-21T20:15:03+01:00. --from is included,
--to is not; a lone date as --to includes that day. Days start at day.starts.

CSV is RFC 4180 with a header line. Cells that start with = + - @ get an apostrophe before them, so
that no spreadsheet runs them; invisible characters are written out (\\x1b). JSON is one array, and
exact.

Examples:
  sluss log search --user anna.andersson --from 2026-11-20
  sluss log search --host facebook.com --verdict spent --format csv > spent.csv
  sluss log search --hello mismatch --from 2026-11-20
`

/** Adds `log` and its subcommands to the program. */
export function register(program: Command): void {
  const log = program.command('log').description('ask the traffic log')
  log
    .command('search')
    .description('find rows of the traffic log')
    .option('--user <name>', 'who: a name, or a pseudonym as the log shows it')
    .option('--address <ip>', 'the address of the computer, or its pseudonym')
    .option('--host <host>', 'the site; its subdomains match too')
    .option('--zone <zone>', 'the part of the network')
    .option('--category <name>', 'the kind of site')
    .option('--verdict <verdict>', ACTIONS.join(', '))
    .option('--reason <code>', 'why; see docs/reasons.md')
    .option('--hello <outcome>', `of tunnels, what their first bytes said: ${HELLOS.join(', ')}`)
    .option('--server-name <host>', 'of tunnels, the TLS server name; its subdomains match too')
    .option('--from <time>', 'not before this')
    .option('--to <time>', 'before this')
    .option('--limit <rows>', 'at most so many, the newest', String(LIMIT_DEFAULT))
    .option('--utc', 'times in UTC')
    .addOption(new Option('--format <format>', FORMATS.join(', ')))
    .addHelpText('after', SEARCH_HELP)
    .action(runSearch)
}

async function runSearch(flags: SearchFlags, command: Command): Promise<void> {
  const { settings, json } = loadContext(command)
  const format = oneOf('--format', flags.format ?? (json ? 'json' : 'table'), FORMATS)
  const limit = readLimit(flags.limit)
  const query = readQuery(flags, settings)
  const failures: Failure[] = []
  const rows = search(
    join(settings.state, 'traffic'),
    { ...query, limit: limit + 1 },
    {
      calendar: settings.day,
      pseudonyms: readPseudonyms(settings),
      onFailure: (failure) => failures.push(failure),
    },
  )
  const given = new Given(rows, limit, flags.utc === true)
  await writeOut(render(given, format))
  if (given.cut)
    note(`only the newest ${limit} rows are shown; narrow the question, or use --limit`)
  if (given.count === 0) note('no rows match')
  for (const { what, hint } of failures) process.stderr.write(`sluss: ${what}\n  ${hint}\n`)
  // A day is missing from the answer: whoever reads it by program must not take it for whole.
  if (failures.length > 0) process.exitCode = 2
}

/** The rows up to the limit, and whether there were more. */
class Given {
  readonly #rows: Iterable<TrafficRow>
  readonly #limit: number
  readonly #utc: boolean
  count = 0
  cut = false

  constructor(rows: Iterable<TrafficRow>, limit: number, utc: boolean) {
    this.#rows = rows
    this.#limit = limit
    this.#utc = utc
  }

  *[Symbol.iterator](): Generator<TrafficRow> {
    for (const row of this.#rows) {
      if (this.count === this.#limit) {
        this.cut = true
        return
      }
      this.count++
      yield this.#utc ? { ...row, time: formatTime('UTC', row.epoch_ms) } : row
    }
  }
}

function* render(rows: Given, format: Format): Generator<string> {
  if (format === 'csv') {
    yield CSV_HEADER
    for (const row of rows) yield csvLine(row)
  } else if (format === 'json') {
    yield '['
    for (const row of rows) yield `${rows.count === 1 ? '' : ','}\n${jsonObject(row)}`
    yield rows.count === 0 ? ']\n' : '\n]\n'
  } else {
    let page: string[][] = []
    for (const row of rows) {
      if (page.push(tableCells(row)) < PAGE_ROWS) continue
      yield `${table([TABLE_HEADER, ...page])}\n`
      page = []
    }
    if (page.length > 0) yield `${table([TABLE_HEADER, ...page])}\n`
  }
}

/**
 * Writes as fast as the reader takes it; a reader that has seen enough (`head`) ends it quietly.
 */
async function writeOut(chunks: Iterable<string>): Promise<void> {
  const { stdout } = process
  let closed = false
  let wake = () => {}
  const onDrain = () => wake()
  const onError = (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') fail(`the answer cannot be written: ${error.message}`)
    closed = true
    wake()
  }
  stdout.on('error', onError).on('drain', onDrain)
  let text = ''
  const send = async () => {
    const taken = stdout.write(text)
    text = ''
    if (!taken && !closed) await new Promise<void>((resolve) => (wake = resolve))
  }
  for (const chunk of chunks) {
    text += chunk
    if (text.length >= CHUNK_CHARACTERS) await send()
    if (closed) break
  }
  if (text !== '' && !closed) await send()
  // What the last write met is told in the turn after it.
  await new Promise((resolve) => setImmediate(resolve))
  stdout.off('error', onError).off('drain', onDrain)
}

function readQuery(flags: SearchFlags, settings: Settings): SearchQuery {
  const { user, address, zone, category } = flags
  const calendar = settings.day
  const fromMs = readTime('--from', flags.from, calendar)
  const toMs = readTime('--to', flags.to, calendar)
  if (fromMs !== undefined && toMs !== undefined && fromMs >= toMs) {
    fail(
      `--from ${JSON.stringify(flags.from)} is not before --to ${JSON.stringify(flags.to)}`,
      'Exchange them.',
    )
  }
  if (
    address !== undefined &&
    parseAddress(address) === null &&
    !/^a-[a-z2-7]{16}$/.test(address)
  ) {
    fail(
      `--address ${JSON.stringify(address)} is not an IP address`,
      'Write it as 10.1.2.3, 2001:db8::1 or a-….',
    )
  }
  // Rows outlive settings, so a name that has left them is still a question.
  const zones = settings.zones.map(({ name }) => name)
  if (zone !== undefined && !zones.includes(zone)) unknown('zone', zone, zones)
  const categories = Object.keys(settings.categories)
  if (category !== undefined && !categories.includes(category)) {
    unknown('category', category, categories)
  }
  return {
    ...(user === undefined ? {} : { user }),
    ...(address === undefined ? {} : { address }),
    ...(flags.host === undefined ? {} : { host: readHost('--host', flags.host) }),
    ...(zone === undefined ? {} : { zone }),
    ...(category === undefined ? {} : { category }),
    ...(flags.verdict === undefined
      ? {}
      : { verdict: oneOf<Action>('--verdict', flags.verdict, ACTIONS) }),
    ...(flags.reason === undefined
      ? {}
      : { reason: oneOf('--reason', flags.reason, Object.keys(REASONS)) }),
    ...(flags.hello === undefined
      ? {}
      : { hello: oneOf<HelloOutcome>('--hello', flags.hello, HELLOS) }),
    ...(flags.serverName === undefined
      ? {}
      : { serverName: readHost('--server-name', flags.serverName) }),
    ...(fromMs === undefined ? {} : { fromMs }),
    ...(toMs === undefined ? {} : { toMs }),
  }
}

function oneOf<T extends string>(flag: string, text: string, valid: readonly T[]): T {
  const found = valid.find((each) => each === text)
  return (
    found ?? fail(`${flag} ${JSON.stringify(text)} is unknown`, `It is one of ${valid.join(', ')}.`)
  )
}

function unknown(kind: string, name: string, names: readonly string[]): void {
  note(
    `no ${kind} of the settings is called ${JSON.stringify(name)} (there are ${names.join(', ')})`,
  )
}

function readHost(flag: string, text: string): string {
  const parsed = parseHost(text)
  if (typeof parsed !== 'string') return parsed.host
  return fail(
    `${flag} ${JSON.stringify(text)} is not a host (${parsed})`,
    'Write it as example.se.',
  )
}

function readLimit(text: string): number {
  const limit = /^\d{1,10}$/.test(text) ? Number(text) : 0
  if (limit >= 1 && limit <= LIMIT_MAX) return limit
  return fail(`--limit ${JSON.stringify(text)} is not a number of rows`, `From 1 to ${LIMIT_MAX}.`)
}

/** A lone date as the end means the end of that day. */
function readTime(flag: string, text: string | undefined, calendar: Calendar): number | undefined {
  if (text === undefined) return undefined
  const date = dayNumber(text.trim())
  if (flag === '--to' && date !== null) return dayStartMs(calendar, date + 1)
  return (
    parseTime(calendar, text) ??
    fail(
      `${flag} ${JSON.stringify(text)} is not a time`,
      'Write 2026-11-21, "2026-11-21 20:15" or 2026-11-21T20:15:03+01:00.',
    )
  )
}

/** What names were replaced by; null where nothing was replaced yet. */
function readPseudonyms(settings: Settings): Pseudonyms | null {
  const file = join(settings.state, 'keys', 'pseudonym.key')
  try {
    const key = readKey(file)
    return key === null ? null : new Pseudonyms(key)
  } catch (error) {
    const { what, hint } = describeFailure(error, file)
    return fail(what, hint)
  }
}

function note(text: string): void {
  process.stderr.write(`sluss: ${printable(text)}\n`)
}
