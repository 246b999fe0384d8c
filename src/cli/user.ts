/**
 * Owns: `./sluss user`: who may sign in with Basic, kept in the users file.
 * Never: takes a password as an argument, or prints one or its hash.
 */
import { readFileSync, statSync } from 'node:fs'
import type { Command } from 'commander'
import {
  hashPassword,
  hasLine,
  isFileGroup,
  isFileName,
  parseUsers,
  withHash,
  withoutUser,
  withUser,
} from '../identity/index.ts'
import { parseUserName, type UserName } from '../policy/index.ts'
import { codeOf } from '../settings/file-lock.ts'
import { loadSettings } from '../settings/load.ts'
import { formatProblem } from '../settings/problems.ts'
import { type FileBefore, type Permissions, replaceFile } from '../settings/replace-file.ts'
import {
  endWithProblems,
  fail,
  globalOptions,
  overridesOf,
  print,
  printJson,
  table,
} from './context.ts'
import { type Asking, askNewPassword } from './password.ts'

interface Flags {
  readonly groups?: string
  readonly passwordStdin?: boolean
}

const HELP = `
A password is asked for twice, or read from one line of standard input with --password-stdin.
It is kept as a hash that cannot be turned back. A running service reads the file again at once.

Exit code 1: there is no such user.

Examples:
  sluss user add anna.andersson --groups kommunikatorer
  sluss user passwd anna.andersson
`

/** The head of a users file that `user add` makes. */
const FIRST_LINES =
  '# Who may sign in: name:hash:group1,group2, a line each. Kept with ./sluss user.\n'

const FILE_MODE = 0o600
/** Of a file that is there, its owner's rights and its group's to read: never others'. */
const FILE_MODE_MAX = 0o640
const OTHERS_READ = 0o004

/** Adds `user` and its subcommands to the program. */
export function register(
  program: Command,
  asking: Asking = { input: process.stdin, output: process.stderr },
): void {
  const user = program
    .command('user')
    .description('the users file of Basic sign-in')
    .addHelpText('after', HELP)
  const fromInput = '--password-stdin'
  user
    .command('add')
    .description('add a user')
    .argument('<name>')
    .option('--groups <list>', 'names of groups with commas between')
    .option(fromInput, 'read the password from standard input')
    .action((name: string, _flags: unknown, command: Command) => add(name, command, asking))
  user
    .command('passwd')
    .description('set a new password')
    .argument('<name>')
    .option(fromInput, 'read the password from standard input')
    .action((name: string, _flags: unknown, command: Command) => passwd(name, command, asking))
  user
    .command('remove')
    .description('remove a user')
    .argument('<name>')
    .action((name: string, _flags: unknown, command: Command) => remove(name, command))
  user
    .command('list')
    .description('the users and their groups')
    .action((_flags: unknown, command: Command) => list(command))
}

interface Opened {
  readonly file: string
  readonly stateFolder: string
  readonly json: boolean
}

function open(command: Command): Opened {
  const options = globalOptions(command)
  // The users file may not be there yet: this is how it is made. Other files do not concern us.
  const loaded = loadSettings({
    file: options.config,
    overrides: overridesOf(options),
    probeFile: () => null,
  })
  if (!loaded.ok) return endWithProblems(loaded.problems)
  const { identity, state } = loaded.settings
  const file = identity.basic.users
  if (file === null) {
    return fail('the settings name no users file', 'add identity: { basic: { users: users.txt } }')
  }
  return { file, stateFolder: state, json: options.json }
}

async function add(text: string, command: Command, asking: Asking): Promise<void> {
  const name = nameOf(text)
  const { groups: listed = '', passwordStdin = false } = command.opts<Flags>()
  const groups = groupsOf(listed)
  const opened = open(command)
  const hint = 'set a new password with sluss user passwd'
  const twice = () => fail(`${name} is in ${opened.file} already`, hint)
  // Before the question, so that nobody thinks up a password in vain; and again when it is written.
  if (hasLine(read(opened) ?? '', name)) twice()
  const hash = await hashPassword(await askNewPassword(asking, passwordStdin))
  const added = await change(opened, (before) => {
    const lines = before ?? FIRST_LINES
    return hasLine(lines, name) ? null : withUser(lines, name, { hash, groups })
  })
  if (!added) twice()
  tell(opened, { user: name, done: 'added' })
}

async function passwd(text: string, command: Command, asking: Asking): Promise<void> {
  const name = nameOf(text)
  const { passwordStdin = false } = command.opts<Flags>()
  const opened = open(command)
  if (!hasLine(read(opened) ?? '', name)) return missing(name)
  const hash = await hashPassword(await askNewPassword(asking, passwordStdin))
  const changed = await change(opened, (before) => {
    return hasLine(before ?? '', name) ? withHash(before ?? '', name, hash) : null
  })
  if (!changed) return missing(name)
  tell(opened, { user: name, done: 'changed' })
}

async function remove(text: string, command: Command): Promise<void> {
  const name = nameOf(text)
  const opened = open(command)
  const removed = await change(opened, (before) => {
    return hasLine(before ?? '', name) ? withoutUser(before ?? '', name) : null
  })
  if (!removed) return missing(name)
  tell(opened, { user: name, done: 'removed' })
}

function list(command: Command): void {
  const opened = open(command)
  const { users, problems } = parseUsers(read(opened) ?? '')
  for (const { line, what, hint } of problems) {
    const problem = { file: opened.file, line, key: '', value: '', what, expected: '', hint }
    process.stderr.write(`${formatProblem(problem)}\n`)
  }
  const rows = [...users].map(([user, { groups }]) => ({ user, groups }))
  if (opened.json) printJson(rows)
  else if (rows.length === 0) print('No users.')
  else print(table([['user', 'groups'], ...rows.map((row) => [row.user, row.groups.join(', ')])]))
}

/** The file's text; null where there is no file. */
function read({ file }: Opened): string | null {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return null
    return fail(`${file} cannot be read (${codeOf(error)})`, 'do it as its owner, or with sudo')
  }
}

/** Replaces the file's text by what `make` gives. False: it gave null, and nothing was changed. */
async function change(
  { file, stateFolder }: Opened,
  make: (before: string | null) => string | null,
): Promise<boolean> {
  const replaced = await replaceFile({
    file,
    permit: (before) => permissionsOf(before, stateFolder),
    change: (before) => {
      const text = make(before === null ? null : Buffer.from(before.bytes).toString('utf8'))
      return text === null ? { refused: false } : { text, value: true }
    },
  })
  return replaced.ok ? replaced.value : fail(replaced.fault.what, replaced.fault.hint)
}

/**
 * A new file is its owner's alone; one that is there stays its owner's and its group's. Where root does
 * it, the service, which owns the state folder, has to go on reading what it could read.
 */
function permissionsOf(before: FileBefore | null, stateFolder: string): Permissions {
  const isRoot = process.getuid?.() === 0
  const service = isRoot ? (statSync(stateFolder, { throwIfNoEntry: false }) ?? null) : null
  if (before === null) return { mode: FILE_MODE, owner: service }
  const { mode, uid, gid } = before
  const open = (mode & OTHERS_READ) !== 0
  return {
    mode: open ? FILE_MODE_MAX : mode & FILE_MODE_MAX,
    owner: { uid, gid: open && service !== null ? service.gid : gid },
  }
}

function nameOf(text: string): UserName {
  const name = parseUserName(text)
  if (name === null || !isFileName(name)) {
    const expected = 'expected 1 to 100 characters, without colons and controls'
    return fail(`${JSON.stringify(text)} cannot be a user name`, expected)
  }
  return name
}

function groupsOf(listed: string): UserName[] {
  const parts = listed.split(',').filter((part) => part.trim() !== '')
  return parts.map((part) => {
    const group = parseUserName(part)
    if (group !== null && isFileGroup(group)) return group
    return fail(`--groups: ${JSON.stringify(part)} cannot be a group`, 'expected names and commas')
  })
}

function missing(name: UserName): void {
  process.stderr.write(`sluss: there is no user ${name}\n`)
  process.exitCode = 1
}

function tell({ json }: Opened, result: { user: UserName; done: string }): void {
  if (json) printJson(result)
  else print(`${result.user}: ${result.done}.`)
}
