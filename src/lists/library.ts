/**
 * Owns: the folder of the lists that were fetched or imported: `<name>/<sha256>.list` are the files
 * as they came, `current.json` says which is in force, `pending.json` which is not yet,
 * `attempts.json` how fetching goes.
 * Never: fetches, judges, or changes a file that is named; what is written is written whole.
 */
import { randomUUID } from 'node:crypto'
import {
  chmodSync,
  chownSync,
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import type { ListSource } from '../policy/source.ts'
import { codeOf, diskTrouble } from './fetch-failure.ts'
import {
  type Attempts,
  type CurrentVersion,
  type ListVersion,
  type PendingVersion,
  readAttempts,
  readCurrent,
  readPending,
} from './library-json.ts'
import type { RemoteList } from './remote.ts'
import type { Trouble } from './trouble.ts'
import { type Holder, takeUpdateLock, type UpdateLock } from './update-lock.ts'

export type {
  Acceptance,
  Attempts,
  CurrentVersion,
  ListVersion,
  PendingVersion,
} from './library-json.ts'

/** Something in the folder that is not as we left it. The next update heals it. */
export interface LibraryProblem extends Trouble {
  readonly list: string
  /** Absolute. */
  readonly file: string
}

/** What there is of one list. */
export interface Holding {
  /** Null: none, or none that can be used; `problems` says which. */
  readonly current: CurrentVersion | null
  readonly pending: PendingVersion | null
  readonly attempts: Attempts | null
  readonly problems: readonly LibraryProblem[]
}

export interface LibrarySources {
  readonly sources: readonly ListSource[]
  /** Lists that were never fetched: they feed nothing yet. */
  readonly unfetched: readonly string[]
  /**
   * Of lists whose version in force cannot be told or read: an image without them would free what
   * they list.
   */
  readonly problems: readonly LibraryProblem[]
}

export const NO_ATTEMPTS: Attempts = {
  lastAttemptMs: 0,
  failures: 0,
  notBeforeMs: null,
  problem: null,
}

const FILE_MODE = 0o600
const FOLDER_MODE = 0o700
const NAME = /^[a-z0-9][a-z0-9_-]*$/
const LIST_FILE = /^([0-9a-f]{64})\.list$/
const NEXT_UPDATE = 'The next update of the list makes it anew: ./sluss lists update'

export class Library {
  readonly #folder: string

  /** `folder`: absolute, `state/lists/sources`; made when something is put into it. */
  constructor(folder: string) {
    this.#folder = folder
  }

  /** Who holds it where it is not ours. Throws what the system says of the disk. */
  lock(nowMs: number): UpdateLock | Holder {
    this.#makeRoot()
    return takeUpdateLock(this.#folder, nowMs, (path) => this.#adopt(path))
  }

  /** Never throws on what the files hold; a file that the system will not let us read is a problem. */
  read(name: string): Holding {
    const problems: LibraryProblem[] = []
    const current = this.#readJson(name, 'current.json', readCurrent, problems)
    const pending = this.#readJson(name, 'pending.json', readPending, problems)
    return {
      current: this.#withFile(name, current, problems),
      pending: this.#withFile(name, pending, problems),
      attempts: this.#readJson(name, 'attempts.json', readAttempts, problems),
      problems,
    }
  }

  fileOf(name: string, { sha256 }: Pick<ListVersion, 'sha256'>): string {
    return join(this.folderOf(name), `${sha256}.list`)
  }

  folderOf(name: string): string {
    if (!NAME.test(name)) throw new Error(`${JSON.stringify(name)} is no name of a fetched list`)
    return join(this.#folder, name)
  }

  /** What the builder reads for version `version` of the list. */
  sourceOf(remote: RemoteList, version: ListVersion): ListSource {
    const { name, target, format, member, rejectedShareMax, licence } = remote
    const source = version.url ?? version.file ?? remote.url
    const provenance = { source, fetchedMs: version.fetchedMs, licence }
    const file = this.fileOf(name, version)
    return { name, target, file, entries: null, format, member, rejectedShareMax, provenance }
  }

  /** The sources of all `remotes`: in the versions given, else in those in force. */
  sourcesOf(
    remotes: readonly RemoteList[],
    versions: ReadonlyMap<string, ListVersion> = new Map(),
  ): LibrarySources {
    const sources: ListSource[] = []
    const unfetched: string[] = []
    const problems: LibraryProblem[] = []
    for (const remote of remotes) {
      const given = versions.get(remote.name)
      const holding = given === undefined ? this.read(remote.name) : null
      const version = given ?? holding?.current
      if (version) sources.push(this.sourceOf(remote, version))
      else if (holding?.problems.length === 0) unfetched.push(remote.name)
      else problems.push(...(holding?.problems ?? []))
    }
    return { sources, unfetched, problems }
  }

  /** A path in the list's folder where nothing is yet. */
  newPart(name: string): string {
    const folder = this.folderOf(name)
    this.#makeRoot()
    this.#makeFolder(folder)
    return join(folder, `.part-${randomUUID()}`)
  }

  /** Gives a part its lasting name. It is on disk when this returns. */
  keep(name: string, part: string, version: ListVersion): void {
    this.#adopt(part)
    renameSync(part, this.fileOf(name, version))
    syncFolder(this.folderOf(name))
  }

  /** The moment in which a version comes into force. */
  writeCurrent(name: string, current: CurrentVersion): void {
    this.#writeJson(name, 'current.json', current)
  }

  /** Null: none is pending. */
  writePending(name: string, pending: PendingVersion | null): void {
    if (pending !== null) this.#writeJson(name, 'pending.json', pending)
    else rmSync(join(this.folderOf(name), 'pending.json'), { force: true })
  }

  writeAttempts(name: string, attempts: Attempts): void {
    this.#writeJson(name, 'attempts.json', attempts)
  }

  /** Removes the files of versions other than `kept`, and what an interrupted update left. */
  sweep(name: string, kept: readonly ListVersion[]): void {
    const folder = this.folderOf(name)
    for (const entry of readdirSync(folder)) {
      const sha256 = LIST_FILE.exec(entry)?.[1]
      const stray = /^\.(?:part|new)-/.test(entry)
      const old = sha256 !== undefined && !kept.some((version) => version.sha256 === sha256)
      if (stray || old) rmSync(join(folder, entry), { force: true })
    }
  }

  #readJson<T>(
    name: string,
    base: string,
    read: (text: string) => T | null,
    problems: LibraryProblem[],
  ): T | null {
    const file = join(this.folderOf(name), base)
    let text: string
    try {
      text = readFileSync(file, 'utf8')
    } catch (error) {
      if (codeOf(error) !== 'ENOENT')
        problems.push({ list: name, file, ...diskTrouble(error, file) })
      return null
    }
    const value = read(text)
    if (value === null) {
      const what = `${file} is broken, or was not written by Sluss`
      problems.push({ list: name, file, what, hint: `${NEXT_UPDATE} ${name}.` })
    }
    return value
  }

  /** Null, and a problem, where the file of a version is gone or has another size. */
  #withFile<T extends ListVersion>(
    name: string,
    version: T | null,
    problems: LibraryProblem[],
  ): T | null {
    if (version === null) return null
    const file = this.fileOf(name, version)
    const size = statSync(file, { throwIfNoEntry: false })?.size
    if (size === version.bytes) return version
    const why = size === undefined ? 'is missing' : `has ${size} bytes, not ${version.bytes}`
    problems.push({ list: name, file, what: `${file} ${why}`, hint: `${NEXT_UPDATE} ${name}.` })
    return null
  }

  #writeJson(name: string, base: string, value: object): void {
    const folder = this.folderOf(name)
    this.#makeRoot()
    this.#makeFolder(folder)
    const draft = join(folder, `.new-${randomUUID()}`)
    try {
      writeFileSync(draft, `${JSON.stringify(value, null, 2)}\n`, { mode: FILE_MODE, flush: true })
      this.#adopt(draft)
      renameSync(draft, join(folder, base))
    } finally {
      rmSync(draft, { force: true })
    }
    syncFolder(folder)
  }

  #makeRoot(): void {
    this.#makeFolder(dirname(this.#folder))
    this.#makeFolder(this.#folder)
  }

  #makeFolder(folder: string): void {
    if (mkdirSync(folder, { recursive: true, mode: FOLDER_MODE }) === undefined) return
    chmodSync(folder, FOLDER_MODE)
    this.#adopt(folder)
  }

  /** What root makes (`sudo ./sluss lists update`) belongs to whom the service runs as. */
  #adopt(path: string): void {
    if (process.getuid?.() !== 0) return
    const { uid, gid } = statSync(join(this.#folder, '..', '..'))
    chownSync(path, uid, gid)
  }
}

/** A rename is on disk only when its folder is. */
function syncFolder(folder: string): void {
  const handle = openSync(folder, 'r')
  try {
    fsyncSync(handle)
  } finally {
    closeSync(handle)
  }
}
