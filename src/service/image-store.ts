/**
 * Owns: the image that lies in the state folder, so that the next start need not build it.
 * Never: gives away one that is not whole, or of other lists than were asked for.
 */
import { chmodSync, closeSync, mkdirSync, openSync, readdirSync, readSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { type ImageFileTrouble, loadImage, type SaveTrouble } from '../lists/image-file.ts'
import { reportOf } from '../lists/image-report.ts'
import { HEADER, KEY_BYTES } from '../lists/layout.ts'
import type { BuildReport } from '../lists/report.ts'
import type { Log } from './log.ts'

/** An image, and what it was made from. */
export interface BuiltImage {
  readonly image: SharedArrayBuffer
  readonly report: BuildReport
  /** 64 hex digits: the same where the lists are the same. */
  readonly key: string
  readonly origin: 'built' | 'loaded'
  /** Of building, or of loading. */
  readonly tookMs: number
}

/** What the thread that saves is started with. */
export interface SaveWork {
  readonly file: string
  readonly image: SharedArrayBuffer
}

const SAVER_THREAD = new URL('./image-saver.thread.ts', import.meta.url)
const FOLDER_MODE = 0o700

export function imageFileOf(state: string): string {
  return join(state, 'lists', 'image')
}

export class ImageStore {
  readonly #file: string
  readonly #log: Log | null

  /** `state`: the state folder. `log`: null where nobody is to be told. */
  constructor(state: string, log: Log | null) {
    this.#file = imageFileOf(state)
    this.#log = log
  }

  /** The one with this key; null: whichever lies there. Null where none does, or none that is whole. */
  load(key: string | null): BuiltImage | null {
    const beganMs = performance.now()
    const saved = savedKey(this.#file)
    if (saved === null || (key !== null && key !== saved)) return null
    const read = this.read()
    if (read === null) return null
    if (!(read instanceof SharedArrayBuffer)) {
      const { fault, what, file } = read
      const hint = 'it is built anew from the lists'
      this.#log?.warn({ fault, file, hint }, `the saved image of the lists is refused: ${what}`)
      return null
    }
    const report = reportOf(read)
    const tookMs = performance.now() - beganMs
    return { image: read, report, key: saved, origin: 'loaded', tookMs }
  }

  /** Whichever lies there; null where none does; what is wrong with it where it is not whole. */
  read(): SharedArrayBuffer | ImageFileTrouble | null {
    const loaded = loadImage(this.#file, savedKey(this.#file) ?? '')
    if (loaded.ok) return loaded.buffer
    return loaded.fault === 'image-absent' ? null : loaded
  }

  /** Resolves when it is on disk. Where it cannot be saved that is told, and the next start builds it. */
  async save({ image }: BuiltImage): Promise<void> {
    const trouble = this.#makeFolder() ?? (await saveInThread({ file: this.#file, image }))
    if (trouble === null) return
    const hint = 'see that the disk of the state folder has room; until then each start builds it'
    this.#log?.error({ file: this.#file, hint }, trouble)
  }

  /** Removes what a save that was cut short has left behind. */
  sweep(): void {
    const folder = dirname(this.#file)
    for (const name of namesIn(folder)) {
      const pid = /^image\.(\d+)\.tmp$/.exec(name)?.[1]
      if (pid !== undefined && !isAlive(Number(pid))) rmSync(join(folder, name), { force: true })
    }
  }

  #makeFolder(): string | null {
    const folder = dirname(this.#file)
    try {
      if (mkdirSync(folder, { recursive: true, mode: FOLDER_MODE }) !== undefined) {
        chmodSync(folder, FOLDER_MODE)
      }
      return null
    } catch (error) {
      return `the image cannot be saved (${codeOf(error)})`
    }
  }
}

function saveInThread(work: SaveWork): Promise<string | null> {
  return new Promise((resolve) => {
    const worker = new Worker(SAVER_THREAD, { workerData: work, name: 'image saver' })
    let outcome: string | null = 'the thread that saves the image died'
    worker.once('message', (trouble: SaveTrouble | null) => {
      outcome = trouble === null ? null : trouble.what
    })
    worker.once('error', (error) => {
      outcome = `the image cannot be saved: ${String(error)}`
    })
    worker.once('exit', () => resolve(outcome))
  })
}

/** Of the image in `file`, as it says itself; null where none can be read. loadImage judges the rest. */
function savedKey(file: string): string | null {
  const key = Buffer.alloc(KEY_BYTES)
  let handle: number
  try {
    handle = openSync(file, 'r')
  } catch (error) {
    return codeOf(error) === 'ENOENT' ? null : ''
  }
  try {
    readSync(handle, key, 0, KEY_BYTES, HEADER.key * Int32Array.BYTES_PER_ELEMENT)
    return key.toString('hex')
  } catch {
    return ''
  } finally {
    closeSync(handle)
  }
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch (error) {
    codeOf(error)
    return []
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return codeOf(error) === 'EPERM'
  }
}

/** Of a system error. Anything else is a bug of ours. */
function codeOf(error: unknown): string {
  if (!(error instanceof Error && 'code' in error)) throw error
  return String(error.code)
}
