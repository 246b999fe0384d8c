/**
 * Owns: what people are told where the log cannot be written or read: what is wrong, and what to
 * do.
 * Never: decides what happens then.
 */
import { basename, dirname } from 'node:path'

export interface Failure {
  /** What was wrong and where, in one line: goes to the sender of a batch and into the alarm. */
  readonly what: string
  readonly hint: string
}

/** The code of a SqliteError or a system error, or empty. */
export function errorCode(error: unknown): string {
  const code = error instanceof Error ? (error as { code?: unknown }).code : undefined
  return typeof code === 'string' ? code : ''
}

const KINDS: readonly {
  readonly code: RegExp
  readonly what: string
  readonly hint: (path: string) => string
}[] = [
  {
    code: /^(SQLITE_FULL|ENOSPC|EDQUOT)/,
    what: 'the disk is full',
    hint: (path) => `Free space for ${dirname(path)}.`,
  },
  {
    code: /^(SQLITE_CORRUPT|SQLITE_NOTADB)/,
    what: 'the file is damaged',
    hint: (path) =>
      `Move ${path} away together with its -wal and -shm, and keep them; a new file is then begun.`,
  },
  {
    code: /^(SQLITE_BUSY|SQLITE_LOCKED)/,
    what: 'another program holds the file',
    hint: (path) => `End what writes to ${path}: a sqlite3 shell with an open transaction?`,
  },
  {
    code: /^(SQLITE_READONLY|SQLITE_CANTOPEN|SQLITE_PERM|EACCES|EPERM|EROFS|EEXIST|ENOTDIR|EISDIR)/,
    what: 'the file cannot be opened',
    hint: (path) =>
      `${dirname(path)} must be a folder that this user may write to (SQLite needs that to read, ` +
      'too); elsewhere, work on a copy of it.',
  },
  {
    code: /^(SQLITE_IOERR|EIO)/,
    what: 'the disk gives errors',
    hint: (path) => `Look for errors of the disk below ${dirname(path)} in the system's log.`,
  },
]

/** Why `path` could not be used. */
export function describeFailure(error: unknown, path: string): Failure {
  const code = errorCode(error)
  const kind = KINDS.find((candidate) => candidate.code.test(code))
  const message = error instanceof Error ? error.message : String(error)
  const name = basename(path)
  if (kind !== undefined) return { what: `${name}: ${kind.what} (${code})`, hint: kind.hint(path) }
  return { what: `${name}: ${message}`, hint: `Look at ${path}; keep a copy before changing it.` }
}
