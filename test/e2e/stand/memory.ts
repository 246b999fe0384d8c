/**
 * Owns: what a process of ours holds in memory, as Linux shows it (proc_pid_smaps(5), proc_pid_mem(5)).
 * Never: writes to it.
 */
import { closeSync, openSync, readFileSync, readSync } from 'node:fs'
import { HEADER, MAGIC_FIRST, MAGIC_SECOND } from '../../../src/lists/layout.ts'

/**
 * Given to a process, its allocator maps each image by itself, and gives it back to the system when it is
 * freed (mallopt(3)): what is then found in its memory is in use.
 */
export const MAPPED_APART = {
  MALLOC_MMAP_THRESHOLD_: '1048576',
  MALLOC_TRIM_THRESHOLD_: '1048576',
}

const CHUNK_BYTES = 8 * 1_048_576
const PAGE_BYTES = 4_096
/** What glibc keeps before memory that it maps apart; a header that is only being written lies elsewhere. */
const BEFORE_BYTES = 16

/** In bytes. */
export function residentBytes(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)![1]) * 1_024
}

/** How many images of at least `bytesMin` (a mebibyte or more) lie in its memory. */
export function imagesIn(pid: number, bytesMin: number): number {
  const memory = openSync(`/proc/${pid}/mem`, 'r')
  try {
    let count = 0
    for (const { start, end } of mappings(pid, bytesMin)) {
      for (let at = start; at < end; at += CHUNK_BYTES) {
        count += imagesAt(memory, at, Math.min(CHUNK_BYTES, end - at), bytesMin)
      }
    }
    return count
  } finally {
    closeSync(memory)
  }
}

interface Mapping {
  readonly start: number
  readonly end: number
}

/** Those of the process's own that may hold an image: at least so much of each is in use. */
function mappings(pid: number, residentMin: number): Mapping[] {
  const found: Mapping[] = []
  const smaps = readFileSync(`/proc/${pid}/smaps`, 'utf8')
  for (const text of smaps.split(/\n(?=[0-9a-f]+-[0-9a-f]+ )/)) {
    const range = /^([0-9a-f]+)-([0-9a-f]+) rw\S+ \S+ 00:00 0/.exec(text)
    const resident = Number(/^Rss:\s+(\d+) kB$/m.exec(text)?.[1] ?? 0) * 1_024
    if (range === null || resident < residentMin) continue
    found.push({ start: Number.parseInt(range[1]!, 16), end: Number.parseInt(range[2]!, 16) })
  }
  return found
}

const MAGIC = Buffer.from(Int32Array.of(MAGIC_FIRST, MAGIC_SECOND).buffer)

function imagesAt(memory: number, at: number, length: number, bytesMin: number): number {
  const bytes = Buffer.alloc(length)
  let read: number
  try {
    read = readSync(memory, bytes, 0, length, at)
  } catch {
    // Given back since the mappings were read.
    return 0
  }
  let count = 0
  for (let i = bytes.indexOf(MAGIC); i >= 0 && i + 16 <= read; i = bytes.indexOf(MAGIC, i + 1)) {
    const apart = (at + i) % PAGE_BYTES === BEFORE_BYTES
    if (apart && bytes.readInt32LE(i + HEADER.totalBytes * 4) >= bytesMin) count++
  }
  return count
}
