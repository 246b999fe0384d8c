/**
 * Owns: the files of a tar archive, one after the other.
 * Never: writes a file, follows a link, or takes an archive that is cut short for a whole one.
 */
import { pipeline, Readable } from 'node:stream'
import { extract } from 'tar-stream'
import type { Chunks } from './chunks.ts'
import { ListFault } from './trouble.ts'

/** More members than any archive of lists has. */
export const MEMBERS_MAX = 20_000
/** Longer than the path of any list. */
export const MEMBER_PATH_LENGTH_MAX = 1_024

/** How many bytes of a text `isTar` wants to see. */
export const TAR_HEAD_BYTES = 512
const MAGIC_BYTE = 257
/** An archive ends with blocks of zeros. */
const END_BYTES = 512

export interface ArchiveMember {
  readonly path: string
  /** Null for a file; where a link leads to. */
  readonly link: string | null
  readonly sizeBytes: number
  readonly chunks: Chunks
}

/** POSIX and GNU archives have their name in the header of the first member. */
export function isTar(head: Uint8Array): boolean {
  return Buffer.from(head.subarray(MAGIC_BYTE, MAGIC_BYTE + 5)).toString('latin1') === 'ustar'
}

/** Files and links; a file's chunks are read before the next is asked for, or not at all. */
export async function* membersOf(archive: Chunks): AsyncGenerator<ArchiveMember> {
  const ending = { zeros: 0 }
  const unpacker = extract()
  // The iteration below tells the error, and its end destroys both.
  pipeline(Readable.from(watched(archive, ending)), unpacker, () => {})
  let count = 0
  try {
    for await (const entry of unpacker) {
      const { name, type, size = 0, linkname } = entry.header
      if (++count > MEMBERS_MAX) throw fault(`has more than ${MEMBERS_MAX} members`)
      if (name.length > MEMBER_PATH_LENGTH_MAX) throw fault('has a path too long to be one')
      const member = { path: name, sizeBytes: size, chunks: contentOf(entry) }
      if (type === 'symlink' || type === 'link') yield { ...member, link: linkname ?? '' }
      else if (type === 'file' || type === 'contiguous-file') yield { ...member, link: null }
      entry.resume()
    }
  } catch (error) {
    throw faultOf(error)
  }
  if (ending.zeros < END_BYTES) throw fault('is cut short')
}

/** What is wrong with the archive shows where its reader stands: often within a file. */
async function* contentOf(file: AsyncIterable<unknown>): AsyncGenerator<Uint8Array> {
  try {
    yield* file as Chunks
  } catch (error) {
    throw faultOf(error)
  }
}

function faultOf(error: unknown): unknown {
  return error instanceof Error && TAR_ERROR.test(error.message) ? fault('is damaged') : error
}

/** What tar-stream says of bytes that are no archive. */
const TAR_ERROR = /tar header|Invalid header|Header exceeds|end of data|Stream was destroyed|pax/i

/** Counts the zeros at the end of what passes. */
async function* watched(chunks: Chunks, ending: { zeros: number }): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) {
    let at = chunk.length
    while (at > 0 && chunk[at - 1] === 0) at--
    ending.zeros = at === 0 ? ending.zeros + chunk.length : chunk.length - at
    yield chunk
  }
}

function fault(how: string): ListFault {
  return new ListFault(`the archive ${how}`, 'Fetch or pack the list again.')
}
