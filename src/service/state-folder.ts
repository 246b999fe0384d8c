/**
 * Owns: making the state folder, its owner's alone, and saying what stands in the way of it.
 * Never: closes a folder to others that may not be ours.
 */
import { chmodSync, mkdirSync, readdirSync, statSync } from 'node:fs'
import { controlPath } from './control.ts'

const MODE = 0o700
/** What Linux has room for in the address of a Unix socket (unix(7)), without the byte that ends it. */
const SOCKET_PATH_BYTES_MAX = 107
/** Any of these, and the folder is one of ours. */
const OURS = [
  'control.sock',
  'exemptions.history.jsonl',
  'keys',
  'ledger.sqlite',
  'lists',
  'traffic',
]

const FAULTS: Readonly<Record<string, string>> = {
  EEXIST: 'there is a file of that name',
  ENOTDIR: 'a part of its path is a file',
  EACCES: 'this user may not write there',
  EPERM: 'it belongs to another user',
  EROFS: 'that disk is read-only',
  ENOSPC: 'the disk is full',
  ENAMETOOLONG: 'its name is too long',
}

/** Makes `folder` where it is missing. What stands in the way, in words, or null. */
export function makeStateFolder(folder: string): string | null {
  const bytes = Buffer.byteLength(controlPath(folder))
  if (bytes > SOCKET_PATH_BYTES_MAX)
    return cannot(folder, 'its path is too long for a socket in it')
  try {
    if (mkdirSync(folder, { recursive: true, mode: MODE }) !== undefined) return null
    const open = (statSync(folder).mode & 0o077) !== 0
    const names = open ? readdirSync(folder) : []
    if (names.length > 0 && !names.some((name) => OURS.includes(name))) {
      return cannot(folder, 'it is open to other users and holds what is not ours')
    }
    if (open) chmodSync(folder, MODE)
    return null
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error)
    return cannot(folder, FAULTS[code] ?? code)
  }
}

function cannot(folder: string, why: string): string {
  return `${folder} cannot be the state folder: ${why}; choose another with --state DIR`
}
