/**
 * Owns: the image as a file: written whole or not at all, and read back only where every byte is as
 * it was and it was built from the same.
 * Never: builds an image, or repairs one.
 */
import {
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs'
import { dirname } from 'node:path'
import { crcOver, isCrc } from './checksum.ts'
import {
  HEADER,
  IMAGE_BYTES_MAX,
  IMAGE_FAULTS,
  type ImageFault,
  KEY_BYTES,
  openImage,
} from './layout.ts'

/** The file is its owner's alone: which sites an authority refuses is its own affair. */
const FILE_MODE = 0o600
/** Written at a time: between two, whoever serves has the processor. */
const WRITE_BYTES = 1 << 20
/** Read at a time, and checked while it is still near the processor. */
const READ_BYTES = 262_144

export type LoadFault = ImageFault | 'image-absent' | 'image-unreadable' | 'image-other-key'

export interface ImageFileTrouble {
  readonly fault: LoadFault
  /** For people: what was wrong. */
  readonly what: string
  readonly file: string
}

export type LoadResult =
  | { readonly ok: true; readonly buffer: SharedArrayBuffer }
  | ({ readonly ok: false } & ImageFileTrouble)

export interface SaveTrouble {
  /** For people: what was wrong. */
  readonly what: string
  readonly file: string
}

/**
 * Writes the image beside `path`, flushes it, and moves it there: whoever reads finds the old one or
 * the new one. Null, or what went wrong; then the old one stays.
 */
export function saveImage(path: string, buffer: SharedArrayBuffer): SaveTrouble | null {
  const beside = `${path}.${process.pid}.tmp`
  try {
    writeWhole(beside, buffer)
    renameSync(beside, path)
    syncFolder(dirname(path))
    return null
  } catch (error) {
    const code = codeOf(error)
    rmSync(beside, { force: true })
    return { what: `the image cannot be saved (${code})`, file: path }
  }
}

function writeWhole(path: string, buffer: SharedArrayBuffer): void {
  // What a killed process left behind may have any mode.
  rmSync(path, { force: true })
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL
  const file = openSync(path, flags, FILE_MODE)
  try {
    let written = 0
    while (written < buffer.byteLength) {
      const count = Math.min(WRITE_BYTES, buffer.byteLength - written)
      written += writeSync(file, new Uint8Array(buffer, written, count))
    }
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
}

/**
 * Reads the image at `path` into memory that threads can share, and checks all of it but its
 * meaning: form, size, CRC-32, and that it was built with `key`. Whatever the file holds, nothing is
 * thrown.
 */
export function loadImage(path: string, key: string): LoadResult {
  const refuse = (fault: LoadFault, what: string): LoadResult => ({
    ok: false,
    fault,
    what,
    file: path,
  })
  const read = readWhole(path)
  if ('fault' in read) return { ok: false, ...troubleOf(path, read) }
  const { buffer, crc } = read
  const image = openImage(buffer)
  if (typeof image === 'string') return refuse(image, IMAGE_FAULTS[image])
  if (!isCrc(buffer, crc)) return refuse('image-checksum', IMAGE_FAULTS['image-checksum'])
  if (keyOf(buffer) !== key) return refuse('image-other-key', LOAD_FAULTS['image-other-key'](''))
  return { ok: true, buffer }
}

/** The file as it lies, for whoever checks it himself; or why it cannot be read. */
export function readImage(path: string): SharedArrayBuffer | ImageFileTrouble {
  const read = readWhole(path)
  return 'fault' in read ? troubleOf(path, read) : read.buffer
}

/** What the image was built from: 64 hex digits, or empty where its builder was told nothing. */
export function keyOf(buffer: SharedArrayBuffer): string {
  const key = Buffer.from(new Uint8Array(buffer, HEADER.key * 4, KEY_BYTES).slice())
  return key.every((byte) => byte === 0) ? '' : key.toString('hex')
}

type FileFault = 'image-absent' | 'image-unreadable' | 'image-foreign'

interface Unread {
  readonly fault: FileFault
  /** What the system calls it. */
  readonly code: string
}

function troubleOf(file: string, { fault, code }: Unread): ImageFileTrouble {
  return { fault, what: LOAD_FAULTS[fault](code), file }
}

function readWhole(path: string): { buffer: SharedArrayBuffer; crc: number } | Unread {
  let file: number
  try {
    file = openSync(path, 'r')
  } catch (error) {
    const code = codeOf(error)
    return { fault: code === 'ENOENT' ? 'image-absent' : 'image-unreadable', code }
  }
  try {
    const { size } = fstatSync(file)
    if (size > IMAGE_BYTES_MAX) return { fault: 'image-foreign', code: '' }
    const buffer = new SharedArrayBuffer(size)
    let crc = 0
    let read = 0
    while (read < size) {
      const count = Math.min(READ_BYTES, size - read)
      const got = readSync(file, new Uint8Array(buffer, read, count), 0, count, read)
      // Cut while it was read: the checksum finds what is missing.
      if (got === 0) break
      crc = crcOver(buffer, read, read + got, crc)
      read += got
    }
    return { buffer, crc }
  } catch (error) {
    return { fault: 'image-unreadable', code: codeOf(error) }
  } finally {
    closeSync(file)
  }
}

const LOAD_FAULTS: Readonly<Record<FileFault | 'image-other-key', (code: string) => string>> = {
  'image-absent': () => 'there is no image yet',
  'image-unreadable': (code) => `the image cannot be read (${code})`,
  'image-foreign': () => IMAGE_FAULTS['image-foreign'],
  'image-other-key': () => 'the image was built from other lists or settings',
}

/** What the system calls the error. Anything but a system error is a bug of ours. */
function codeOf(error: unknown): string {
  if (!(error instanceof Error && 'code' in error && 'syscall' in error)) throw error
  return String(error.code)
}

/** The new name itself must survive a loss of power. */
function syncFolder(folder: string): void {
  const file = openSync(folder, 'r')
  try {
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
}
