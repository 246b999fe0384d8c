/**
 * Owns: reading a file of the configuration whole: what is no file, or is far too large, is an error.
 * Never: waits, as the reading of a pipe would, or fills the memory from a device without an end.
 */
import { readFileSync, statSync } from 'node:fs'

/** Longer than any file that people write by hand. */
export const FILE_BYTES_MAX = 64 * 1_024 * 1_024

/** Throws as node:fs does; ENOTREG and EFBIG are ours. */
export function readRegularFile(file: string): Uint8Array {
  const status = statSync(file)
  // A folder fails by itself, with the code that people know.
  if (!status.isFile() && !status.isDirectory()) throw coded('ENOTREG', file)
  if (status.size > FILE_BYTES_MAX) throw coded('EFBIG', file)
  return readFileSync(file)
}

function coded(code: string, file: string): Error {
  return Object.assign(new Error(`${code}: ${file}`), { code })
}
