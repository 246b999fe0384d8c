/**
 * Owns: the users file: a line a person, `name:$scrypt$…:group1,group2`, and edits that keep the rest as it is.
 * Never: reads or writes a file, or lets one bad line take the good ones with it.
 */
import type { UserName } from '../policy/user.ts'
import { parseUserName, USER_NAME_LENGTH_MAX } from '../policy/user.ts'
import { parseScrypt } from './scrypt.ts'

/** Plain data, cloned to every proxy thread. */
export interface UserEntry {
  /** As in the file: what tells a changed password from an unchanged one. */
  readonly hash: string
  readonly groups: readonly UserName[]
}

export type Users = ReadonlyMap<UserName, UserEntry>

export interface UserLineProblem {
  /** 1-based. */
  readonly line: number
  readonly what: string
  readonly hint: string
}

/** More people than any municipality employs; above it the file is not a users file. */
export const USERS_MAX = 100_000
const LINE_LENGTH_MAX = 4_096

const FORM_HINT = 'write name:$scrypt$…:group1,group2; ./sluss user add NAME writes such a line'
const HASH_HINT = 'set the password anew with ./sluss user passwd NAME'

/**
 * Reads a users file. Empty lines and lines that start with `#` say nothing; a bad line is a problem
 * and the others still count. The first of two lines for one name holds. No problem quotes a hash.
 */
export function parseUsers(text: string): {
  users: Map<UserName, UserEntry>
  problems: UserLineProblem[]
} {
  const users = new Map<UserName, UserEntry>()
  const problems: UserLineProblem[] = []
  for (const [index, content] of linesOf(text).entries()) {
    if (isSilent(content)) continue
    const line = index + 1
    if (users.size >= USERS_MAX) {
      const hint = 'divide the people among several proxies, or use a directory'
      problems.push({ line, what: `more than ${USERS_MAX} users`, hint })
      break
    }
    const found = parseLine(content)
    if ('what' in found) problems.push({ line, ...found })
    else if (users.has(found.name)) {
      problems.push({ line, what: `${found.name} has a line above`, hint: 'take one of them away' })
    } else users.set(found.name, { hash: found.hash, groups: found.groups })
  }
  return { users, problems }
}

export function formatUser(name: UserName, { hash, groups }: UserEntry): string {
  return groups.length === 0 ? `${name}:${hash}` : `${name}:${hash}:${groups.join(',')}`
}

/** True for a name that can stand in the file: the file's own marks are not in it. */
export function isFileName(name: UserName): boolean {
  return !name.includes(':') && !name.startsWith('#')
}

/** True for a group that can stand in the file. */
export function isFileGroup(name: UserName): boolean {
  return !/[:,]/.test(name)
}

/** True where any line, good or bad, is for `name`. */
export function hasLine(text: string, name: UserName): boolean {
  return linesOf(text).some((line) => isLineOf(line, name))
}

/** `text` with a line for a new person at its end. */
export function withUser(text: string, name: UserName, entry: UserEntry): string {
  const newline = newlineOf(text)
  const start = text === '' || text.endsWith('\n') ? text : `${text}${newline}`
  return `${start}${formatUser(name, entry)}${newline}`
}

/** `text` with the hash of `name` replaced: its groups, and all other lines, stay as they are. */
export function withHash(text: string, name: UserName, hash: string): string {
  return mapLines(text, (line) => {
    if (!isLineOf(line, name)) return line
    const [written, , ...rest] = line.split(':')
    return [written, hash, ...rest].join(':')
  })
}

/** `text` without any line for `name`. */
export function withoutUser(text: string, name: UserName): string {
  return mapLines(text, (line) => (isLineOf(line, name) ? null : line))
}

function parseLine(
  content: string,
): { name: UserName; hash: string; groups: UserName[] } | { what: string; hint: string } {
  if (content.length > LINE_LENGTH_MAX) {
    return { what: `a line of more than ${LINE_LENGTH_MAX} characters`, hint: FORM_HINT }
  }
  const [written = '', hash, listed, ...more] = content.split(':')
  const name = parseUserName(written)
  if (hash === undefined || more.length > 0) {
    return { what: 'not a name, a hash and perhaps groups, divided by colons', hint: FORM_HINT }
  }
  if (name === null) {
    const hint = `use 1 to ${USER_NAME_LENGTH_MAX} characters without controls`
    return { what: 'a name that cannot be', hint }
  }
  if (parseScrypt(hash.trim()) === null) {
    return { what: `the password hash of ${name} cannot be read`, hint: HASH_HINT }
  }
  const groups: UserName[] = []
  for (const part of (listed ?? '').split(',')) {
    if (part.trim() === '') continue
    const group = parseUserName(part)
    if (group === null) return { what: `a group of ${name} that cannot be`, hint: FORM_HINT }
    if (!groups.includes(group)) groups.push(group)
  }
  return { name, hash: hash.trim(), groups }
}

function isSilent(line: string): boolean {
  return line.trim() === '' || line.trimStart().startsWith('#')
}

function isLineOf(line: string, name: UserName): boolean {
  return !isSilent(line) && parseUserName(line.split(':', 1)[0] ?? '') === name
}

function newlineOf(text: string): string {
  return text.includes('\r\n') ? '\r\n' : '\n'
}

function linesOf(text: string): string[] {
  return text.split(/\r?\n/)
}

/** Every line through `change`, each with its own line end; null takes it away. */
function mapLines(text: string, change: (line: string) => string | null): string {
  let changed = ''
  for (const whole of text.match(/[^\n]*\n|[^\n]+$/g) ?? []) {
    const end = /\r?\n$/.exec(whole)?.[0] ?? ''
    const line = change(whole.slice(0, whole.length - end.length))
    if (line !== null) changed += line + end
  }
  return changed
}
