/**
 * Owns: the command line: which commands there are, and the options they share.
 * Never: does a command's work; each has a file of its own here.
 */
import { readFileSync } from 'node:fs'
import { Command } from 'commander'
import { printable } from '../settings/problems.ts'
import * as check from './check.ts'
import { DEFAULT_CONFIG, fail } from './context.ts'
import * as exempt from './exempt.ts'
import * as explain from './explain.ts'
import * as lists from './lists.ts'
import * as log from './log.ts'
import * as quota from './quota.ts'
import * as start from './start.ts'
import * as status from './status.ts'
import * as user from './user.ts'

const { version } = JSON.parse(
  readFileSync(new URL('../../package.json', import.meta.url), 'utf8'),
) as { version: string }

const collect = (value: string, all: readonly string[]) => [...all, value]

export function createProgram(): Command {
  const program = new Command('sluss')
    .description('The internet gate of a municipality.')
    .version(version, '-V, --version', 'print the version')
    .option('--config <file>', `settings file (default: ${DEFAULT_CONFIG})`)
    .option('--state <dir>', 'folder of databases, images and keys, instead of `state`')
    .option('--set <key.path=value>', 'override a setting; may be given again', collect, [])
    .option('--json', 'print the result as JSON')
    .helpOption('-h, --help', 'print help')
    .helpCommand('help [command]', 'print help for a command')
    .showSuggestionAfterError()
    .showHelpAfterError('(sluss --help lists the commands)')
    .configureOutput({ outputError: (text, write) => write(text.replace(/[^\n]+/g, printable)) })
    // Bad words on the command line are bad input: 2, like a broken settings file.
    .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2))
  for (const command of [start, check, explain, lists, exempt, quota, log, user, status]) {
    command.register(program)
  }
  return program
}

// A reader that has seen enough (`| head`) is no fault of anyone's.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') fail(`the answer cannot be written: ${error.message}`)
})

try {
  await createProgram().parseAsync()
} catch (error) {
  fail(error instanceof Error ? error.message : String(error))
}
