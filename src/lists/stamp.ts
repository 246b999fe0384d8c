/**
 * Owns: seeing by looks alone that a list, or any file, is another than it was.
 * Never: reads it.
 */
import { statSync } from 'node:fs'
import { join } from 'node:path'
import { filesOf } from './files.ts'

/**
 * Differs whenever the file differs: which file it is, its size and times; or why it cannot be seen.
 * Of a folder: the same of each file that may be a list in it, down to one step below.
 */
export function stampOf(path: string): string {
  try {
    const stat = statSync(path, { bigint: true })
    if (!stat.isDirectory()) return stampText(stat)
    return [
      stat.ino,
      ...filesOf(path).map((file) => `${file} ${stampOfFile(join(path, file))}`),
    ].join('\n')
  } catch (error) {
    return errorText(error)
  }
}

function stampOfFile(path: string): string {
  try {
    return stampText(statSync(path, { bigint: true }))
  } catch (error) {
    return errorText(error)
  }
}

interface Stamped {
  readonly dev: bigint
  readonly ino: bigint
  readonly size: bigint
  readonly mtimeNs: bigint
  readonly ctimeNs: bigint
}

function stampText({ dev, ino, size, mtimeNs, ctimeNs }: Stamped): string {
  return `${dev} ${ino} ${size} ${mtimeNs} ${ctimeNs}`
}

function errorText(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error)
}
