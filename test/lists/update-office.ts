/** Owns: a municipality whose lists are updated in a test: never-block hosts, lists, a publisher. */
import { createHash } from 'node:crypto'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'vitest'
import type { BuildResult } from '../../src/lists/build.ts'
import { compileLists } from '../../src/lists/compile.ts'
import { Library } from '../../src/lists/library.ts'
import { Lookup } from '../../src/lists/lookup.ts'
import type { RemoteList } from '../../src/lists/remote.ts'
import type { BuildReport } from '../../src/lists/report.ts'
import {
  acceptPending,
  importFiles,
  type ListOutcome,
  type UpdateContext,
  type UpdateDone,
  type UpdateEvent,
  type UpdateResult,
  updateLists,
} from '../../src/lists/update.ts'
import { noLabels } from '../../src/policy/policy.ts'
import { type ListSource, plainSource } from '../../src/policy/source.ts'
import { type Authority, makeAuthority, Publisher } from './https-stand.ts'

export const sha256Of = (text: string | Buffer) => createHash('sha256').update(text).digest('hex')

/** `n` domains; those of another `word` are others. */
export const domains = (n: number, word = 'a') =>
  Array.from({ length: n }, (_, i) => `${word}${i}.example\n`).join('')

export const codes = ({ refusals }: ListOutcome) => refusals.map(({ code }) => code)

/** What the offices of a test file share. Start it before all tests, close it after them. */
export class Ground {
  readonly root = mkdtempSync(join(tmpdir(), 'sluss-update-'))
  readonly authority: Authority = makeAuthority()
  readonly publisher = new Publisher(this.authority)

  start(): Promise<void> {
    return this.publisher.start()
  }

  async close(): Promise<void> {
    await this.publisher.close()
    this.authority.remove()
    rmSync(this.root, { recursive: true })
  }

  /** An office with list `porn` of 1,000 domains in force. */
  async settled(rest: Partial<RemoteList> = {}): Promise<Office> {
    const office = new Office(this)
    office.list('porn', rest)
    office.publish('porn', domains(1_000))
    const { lists } = await office.update()
    expect(lists).toMatchObject([{ list: 'porn', status: 'accepted' }])
    return office
  }
}

/** A municipality with never-block hosts, remote lists, and what a service would keep in mind. */
export class Office {
  readonly folder: string
  readonly #ground: Ground
  readonly library: Library
  readonly remotes: RemoteList[] = []
  readonly local: ListSource[]
  readonly events: UpdateEvent[] = []
  inForce: BuildReport | null = null
  image: SharedArrayBuffer | null = null
  builds = 0
  nowMs = 1_000_000

  constructor(ground: Ground) {
    this.#ground = ground
    this.folder = mkdtempSync(join(ground.root, 'office-'))
    this.library = new Library(join(this.folder, 'lists', 'sources'))
    const entries = [{ text: '1177.se', line: 1 }]
    const target = { kind: 'neverBlock' as const }
    this.local = [plainSource({ name: 'never-block', target, file: null, entries })]
  }

  /** A list of category `porn` at a path of its own. */
  list(name: string, rest: Partial<RemoteList> = {}): RemoteList {
    const remote: RemoteList = {
      ...{ name, url: this.#ground.publisher.url(this.path(name)), checksum: null, sha256: null },
      ...{ everyMs: 86_400_000, target: { kind: 'category', bit: 0 }, format: 'auto' },
      ...{ member: null, rejectedShareMax: 0.05, licence: '', fallShare: 0.3, growthShare: 1 },
      ...rest,
    }
    this.remotes.push(remote)
    return remote
  }

  path(name: string): string {
    return `${this.folder}/${name}`
  }

  publish(name: string, text: string | Buffer): void {
    this.#ground.publisher.publish(this.path(name), text)
  }

  context(rest: Partial<UpdateContext> = {}): UpdateContext {
    return {
      library: this.library,
      rules: {
        ...{
          proxy: null,
          certificates: this.#ground.authority.file,
          timeoutMs: 60_000,
          idleMs: 30_000,
        },
        ...{ bytesMax: 10_000_000, retries: 0, allow: [] },
      },
      version: '1.0.0',
      inForce: this.inForce,
      sources: (versions) => [
        ...this.local,
        ...this.library.sourcesOf(this.remotes, versions).sources,
      ],
      build: (sources, onProgress) => this.#build(sources, onProgress),
      onProgress: (event) => void this.events.push(event),
      resolve: async () => ['127.0.0.1'],
      nowMs: () => this.nowMs++,
      random: () => 0,
      ...rest,
    }
  }

  async update(rest: Partial<UpdateContext> = {}, remotes = this.remotes): Promise<UpdateDone> {
    return this.#done(await updateLists(remotes, this.context(rest)))
  }

  async accept(name: string, seen: string | null = null): Promise<UpdateDone> {
    return this.#done(await acceptPending(name, 'anna', this.context(), seen))
  }

  async import(remote: RemoteList, file: string): Promise<ListOutcome> {
    const { lists } = this.#done(await importFiles([{ remote, file }], this.context()))
    return lists[0]!
  }

  /** True where the image in force catches `host`. */
  catches(host: string): boolean {
    return this.image !== null && new Lookup(this.image).match(host, noLabels())
  }

  files(name: string): string[] {
    return readdirSync(this.library.folderOf(name)).sort()
  }

  async #build(
    sources: readonly ListSource[],
    onProgress: Parameters<UpdateContext['build']>[1],
  ): Promise<BuildResult> {
    this.builds++
    // The builder itself; that a thread of its own changes nothing, builder.test.ts sees to.
    return compileLists(sources, { onProgress })
  }

  /** What the service does with an update: the image, if there is one, is in force. */
  #done(result: UpdateResult): UpdateDone {
    if (result.kind !== 'done') throw new Error(`${result.what} ${result.hint}`)
    if (result.image !== null) {
      this.image = result.image.buffer
      this.inForce = result.image.report
    }
    return result
  }
}
