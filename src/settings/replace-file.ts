/**
 * Owns: changing a file that people edit: whole or not at all, its mode and owner kept, nobody's words lost.
 * Never: knows what stands in the file.
 */
import { createHash } from 'node:crypto'
import {
  closeSync,
  fchmodSync,
  fchownSync,
  fstatSync,
  fsyncSync,
  openSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { codeOf, type FileFault, faultOf, withLock } from './file-lock.ts'

/** A file as it was when the change began. */
export interface FileBefore {
  readonly bytes: Uint8Array
  readonly sha256: string
  /** Permission bits. */
  readonly mode: number
  readonly uid: number
  readonly gid: number
}

export interface Replacement<T> {
  readonly file: string
  /** Null: there is no such file. Gives the new text and what the caller wants to know, or a refusal. */
  readonly change: (before: FileBefore | null) => { text: string; value: T } | { refused: T }
  /**
   * Called when the new text is safe on disk beside the file: calls `rename`, which puts it in place, and
   * may do something before and after. A fault stops it, its own or `rename`'s. Default: only `rename`.
   */
  readonly commit?: (rename: () => FileFault | null) => Promise<FileFault | null>
  /** Permission bits and owner: of a new file, or given what an old one has. */
  readonly permit?: (before: FileBefore | null) => Permissions
}

export interface Permissions {
  readonly mode: number
  /** Null: whoever runs this. */
  readonly owner: { readonly uid: number; readonly gid: number } | null
}

export type Replaced<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly fault: FileFault }

const FILE_MODE = 0o644

/**
 * Replaces a file's text: written beside it, synced, renamed. Refused where the file has changed since
 * it was read. A link is followed, so that the file itself changes and the link stays.
 */
export async function replaceFile<T>(replacement: Replacement<T>): Promise<Replaced<T>> {
  const file = targetOf(replacement.file)
  const hidden = join(dirname(file), `.${basename(file)}`)
  const locked = await withLock(`${hidden}.lock`, async (): Promise<Replaced<T>> => {
    try {
      return await replaceLocked({ ...replacement, file }, `${hidden}.new`)
    } catch (error) {
      return { ok: false, fault: faultOf(error, file) }
    }
  })
  return locked.ok ? locked.value : locked
}

async function replaceLocked<T>(
  { file, change, commit = async (rename) => rename(), permit = keep }: Replacement<T>,
  newFile: string,
): Promise<Replaced<T>> {
  const before = readBefore(file)
  const changed = change(before)
  if ('refused' in changed) return { ok: true, value: changed.refused }
  try {
    writeNew(newFile, changed.text, permit(before))
    if (!isStill(file, before)) return { ok: false, fault: CHANGED }
    const fault = await commit(() => {
      // What a commit does first takes its time, and an editor may have saved in it.
      if (!isStill(file, before)) return CHANGED
      renameSync(newFile, file)
      syncFolder(dirname(file))
      return null
    })
    return fault === null ? { ok: true, value: changed.value } : { ok: false, fault }
  } finally {
    rmSync(newFile, { force: true })
  }
}

const CHANGED: FileFault = {
  what: 'the file was changed by someone else just now, and nothing was written',
  hint: 'look at it, then try again',
}

export function sha256Of(bytes: Uint8Array | string): string {
  return createHash('sha256').update(bytes).digest('hex')
}

function keep(before: FileBefore | null): Permissions {
  return before === null ? { mode: FILE_MODE, owner: null } : { mode: before.mode, owner: before }
}

function targetOf(file: string): string {
  try {
    return realpathSync(file)
  } catch (error) {
    if (codeOf(error) === '') throw error
    return file
  }
}

function readBefore(file: string): FileBefore | null {
  const status = statSync(file, { throwIfNoEntry: false })
  if (status === undefined) return null
  const bytes = readFileSync(file)
  const { mode, uid, gid } = status
  return { bytes, sha256: sha256Of(bytes), mode: mode & 0o777, uid, gid }
}

function isStill(file: string, before: FileBefore | null): boolean {
  return readBefore(file)?.sha256 === before?.sha256
}

function writeNew(newFile: string, text: string, { mode, owner }: Permissions): void {
  // What a crash left behind may belong to another user.
  rmSync(newFile, { force: true })
  const handle = openSync(newFile, 'wx', 0o600)
  try {
    const { uid, gid } = fstatSync(handle)
    if (owner !== null && (owner.uid !== uid || owner.gid !== gid)) {
      fchownSync(handle, owner.uid, owner.gid)
    }
    fchmodSync(handle, mode)
    writeFileSync(handle, text)
    fsyncSync(handle)
  } finally {
    closeSync(handle)
  }
}

/** The rename itself is on disk only when the folder is. */
function syncFolder(folder: string): void {
  const handle = openSync(folder, 'r')
  try {
    fsyncSync(handle)
  } finally {
    closeSync(handle)
  }
}
