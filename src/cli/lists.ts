/**
 * Owns: `./sluss lists` and its subcommands: their words and options.
 * Never: does their work; each has a file of its own here.
 */
import { type Command, InvalidArgumentError } from 'commander'
import { diffLists } from './lists-diff.ts'
import { lookupHost } from './lists-lookup.ts'
import { listsStats } from './lists-stats.ts'
import { listsStatus } from './lists-status.ts'
import { acceptList, importLists, updateNamed } from './lists-update.ts'
import { verifyLists } from './lists-verify.ts'

/** Names and hosts that `diff` shows unless told otherwise. */
const SHOWN_DEFAULT = 20
const SHOWN_MAX = 1_000_000
const DAYS_DEFAULT = 30
const DAYS_MAX = 3_650

const LISTS_HELP = `
Exit code: 0 fine; 1 the answer is no, or something was refused or is not in force; 2 the command or the
settings cannot be used; 130 stopped by Ctrl-C.

With --json, one object on standard output (versions are SHA-256 in hex, times Unix milliseconds):
  status  { running, alarms, problems, lists: [{ name, category, exceptions, source, licence, format, sha256,
            fetchedMs, checkedMs, nextMs, entries, networks, rejected, state, why, pending,
            rejections: [{ reason, class, what, count, first: [{ line, text }] }] }] }
  update, import, accept
          { lists: [{ list, status, version, entriesBefore, entriesAfter, used, rejected, refusals,
            trouble, durationMs }], inForce }; accept of a list that lies here: { list, sha256, accepted,
            inForce }
  diff    { lists: [{ list, before, after, entriesBefore, entriesAfter }], names: { caught, freed, first },
            days, hosts }; each of first and hosts: { host, caught, freed, neverBlock, by: { domain, list,
            line, version, frees } }, and of hosts: requests
  lookup  { asked, host, labels, neverBlock, lists: [{ domain, list, line, version, feeds, frees, target,
            provenance }] }
  verify  { whole, checked: [{ what, state, told, hints }] }
  stats   { domains, nodes, bytes, bytesEach, buildMs, origin, tookMs, labels, caught, lists }
`

const ACCEPT_HELP = `
See first what it would change: sluss lists diff NAME. It ends with the version that it told of: where that
is given, and another has come since, nothing is taken. Of a list that lies here, its file is taken as it is.

Example:
  sluss lists accept ut1-adult 7d0eafc53999
`

const DIFF_HELP = `
Of the traffic log it counts requests for each host; it never says whose they were. A list that lies here
and was edited since, or that a running service refuses, is told like one that waits.
`

const UPDATE_HELP = `
A new version is taken when it can be read, when it has neither lost nor gained too much (fall and
growth in the settings), and when it catches no never-block host that the one before did not. Else the
list in force stays, and the new version waits: ./sluss lists diff shows what it would change, and
./sluss lists accept takes it all the same. A running service has it in force within seconds.
`

const IMPORT_HELP = `
For a network without the internet: FILE takes the place of what would be fetched. It belongs to the list
of the settings that --list names; else to the one whose name or whose url ends as the file's name does.

Example:
  sluss lists import /media/usb/adult.tar.gz --list ut1-adult
`

export function register(program: Command): void {
  const lists = program
    .command('lists')
    .description('the domain lists: how they are, and newer ones')
    .addHelpText('after', LISTS_HELP)
  lists
    .command('status')
    .description('each list: where from, which version, how many entries, whether it is in force')
    .action(listsStatus)
  lists
    .command('update')
    .description('fetch newer versions of the lists that have a url')
    .argument('[names...]', 'only these lists')
    .option('--hold', 'fetch and judge them, and let them wait for `lists accept`')
    .addHelpText('after', UPDATE_HELP)
    .action(updateNamed)
  lists
    .command('import')
    .description('take files in the place of what would be fetched')
    .argument('<files...>', 'lists, as they would have been fetched')
    .option('--list <name>', 'the list that the file belongs to')
    .option('--hold', 'judge them, and let them wait for `lists accept`')
    .addHelpText('after', IMPORT_HELP)
    .action(importLists)
  lists
    .command('accept')
    .description('take a version that was refused, or that waits')
    .argument('<name>', 'the list')
    .argument('[version]', 'only this version: how its SHA-256 begins', version)
    .addHelpText('after', ACCEPT_HELP)
    .action(acceptList)
  lists
    .command('diff')
    .description(
      'what waiting versions would newly catch or free, and which of that the log has seen',
    )
    .argument('[names...]', 'only these lists')
    .option('--limit <count>', 'names and hosts to show of each kind', limit, SHOWN_DEFAULT)
    .option('--days <count>', 'days of the traffic log to look in', days, DAYS_DEFAULT)
    .addHelpText('after', DIFF_HELP)
    .action(diffLists)
  lists
    .command('lookup')
    .description('which lists name a host, on which line, in which version')
    .argument('<host>', 'a host or address in any spelling, or a URL')
    .action(lookupHost)
  lists
    .command('verify')
    .description('check the saved image and every fetched file to the last byte')
    .action(verifyLists)
  lists
    .command('stats')
    .description('what the lists come to: counts, overlaps, sizes')
    .action(listsStats)
}

const limit = wholeNumber(0, SHOWN_MAX)
const days = wholeNumber(1, DAYS_MAX)

function version(text: string): string {
  if (/^[0-9a-f]{6,64}$/i.test(text)) return text.toLowerCase()
  throw new InvalidArgumentError('Write its first 6 hex digits or more, as sluss lists diff does.')
}

function wholeNumber(min: number, max: number): (text: string) => number {
  return (text) => {
    const n = /^\d{1,9}$/.test(text) ? Number(text) : -1
    if (n >= min && n <= max) return n
    throw new InvalidArgumentError(`Write a whole number from ${min} to ${max}.`)
  }
}
