/**
 * Owns: the bytes of files as they lie, hashed and counted as they are read.
 * Never: waits for a pipe, or reads what is no regular file.
 */
import type { Hash } from 'node:crypto'
import { closeSync, constants, fstatSync, openSync, readdirSync, readSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { type Chunks, LIST_BYTES_MAX, TOO_LARGE } from './chunks.ts'
import { DOMAINS_FILE, SIDE_FILES } from './member.ts'
import { ListFault, type ReadTrouble } from './trouble.ts'

/** Read at a time. */
const READ_BYTES = 256 * 1_024
/** Entries of a folder that are looked at: the largest collection has some seventy categories. */
export const FOLDER_ENTRIES_MAX = 1_000

export interface FileReading {
  /** Is given all that is read. */
  readonly hash: Hash
  /** Is told how many bytes have been read each time. */
  readonly onBytes: (count: number) => void
}

/**
 * Gives the bytes of a regular file of a list's size to `use`. Throws ListFault, or as node:fs does.
 * The file is closed once `use` has settled, however much of it was read.
 */
export async function withBytesOf(
  path: string,
  { hash, onBytes }: FileReading,
  use: (chunks: Chunks) => Promise<void>,
): Promise<void> {
  const file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
  // A stream that was left in its middle may ask for more when the number is another file's.
  let open = true
  async function* bytes(): AsyncGenerator<Uint8Array> {
    while (open) {
      const buffer = new Uint8Array(READ_BYTES)
      const count = readSync(file, buffer)
      if (count === 0) return
      const chunk = buffer.subarray(0, count)
      hash.update(chunk)
      onBytes(count)
      yield chunk
    }
  }
  try {
    const stat = fstatSync(file)
    if (!stat.isFile()) {
      throw new ListFault('the list is neither a file nor a folder', 'Name a file or a folder.')
    }
    if (stat.size > LIST_BYTES_MAX) throw new ListFault(TOO_LARGE.what, TOO_LARGE.hint)
    await use(bytes())
  } finally {
    open = false
    closeSync(file)
  }
}

/**
 * The files that can be lists or parts of one: in the folder itself and one step down. Paths within
 * it, in order. Throws as node:fs does.
 */
export function filesOf(folder: string): string[] {
  const found: string[] = []
  for (const entry of entriesOf(folder)) {
    const kind = kindOf(join(folder, entry))
    if (kind === 'file') found.push(entry)
    if (kind !== 'folder') continue
    for (const name of [DOMAINS_FILE, ...SIDE_FILES.map((side) => side.name)].sort()) {
      const path = join(entry, name)
      if (kindOf(join(folder, path)) === 'file') found.push(path)
    }
  }
  return found
}

function entriesOf(folder: string): string[] {
  return readdirSync(folder).sort().slice(0, FOLDER_ENTRIES_MAX)
}

function kindOf(path: string): 'file' | 'folder' | null {
  const stat = statSync(path, { throwIfNoEntry: false })
  if (stat === undefined) return null
  return stat.isFile() ? 'file' : stat.isDirectory() ? 'folder' : null
}

/** What is read of a list at most, for progress; 0 where it cannot be seen. */
export function sizeBytesOf(path: string): number {
  try {
    const stat = statSync(path)
    if (!stat.isDirectory()) return stat.size
    return filesOf(path).reduce((sum, file) => sum + statSync(join(path, file)).size, 0)
  } catch {
    return 0
  }
}

/** What the system says of a file, and the remedy; null for what is no error of the system. */
export function systemTrouble(error: unknown): ReadTrouble | null {
  if (!(error instanceof Error && 'code' in error && 'syscall' in error)) return null
  const code = String(error.code)
  const known = READ_ERRORS[code]
  return {
    what: `the list cannot be read: ${known?.what ?? code}`,
    hint: known?.hint ?? 'See what the system says of the file.',
  }
}

const READ_ERRORS: Readonly<Record<string, { what: string; hint: string }>> = {
  ENOENT: {
    what: 'there is no such file',
    hint: 'Put the file there, or correct its name in the settings.',
  },
  EACCES: {
    what: 'permission denied',
    hint: 'Let the user that Sluss runs as read the file.',
  },
}
