/**
 * Owns: which image of the lists is in force, and the way of a new one there: made, judged, saved.
 * Never: has more than two images in memory, the one in force and the next; gives away one of which a list
 * is broken.
 */
import type { BuildResult } from '../lists/build.ts'
import type { BuildProgress, BuildReport } from '../lists/report.ts'
import type { ListSource } from '../policy/index.ts'
import { freeDropped } from '../proxy/free.ts'
import { formatProblem } from '../settings/problems.ts'
import type { Configuration } from './configuration.ts'
import { build, type ImageResult, keyOf, problemsOfBuild, toldTo } from './image.ts'
import { type BuiltImage, ImageStore } from './image-store.ts'
import { judgeLocal, type LocalRefusal, problemsOf, readAccepted } from './local-lists.ts'
import type { Log } from './log.ts'
import { Turn } from './turn.ts'

export interface ListsOptions {
  /** The state folder. */
  readonly state: string
  readonly log: Log
  /** Ends builds that are under way. */
  readonly signal: AbortSignal
}

export class Lists {
  readonly #options: ListsOptions
  readonly #store: ImageStore
  /** Whoever has it may make an image. */
  readonly #turn = new Turn()
  #inForce: BuiltImage | null = null
  /** Made, and not in force yet. */
  #next: BuiltImage | null = null
  /** Resolves when nobody holds the image that was in force before. */
  #freed: Promise<void> = Promise.resolve()
  #refused: readonly LocalRefusal[] = []
  #broken: ReadonlyMap<string, string> = new Map()
  #stale: readonly string[] = []

  constructor(options: ListsOptions) {
    this.#options = options
    this.#store = new ImageStore(options.state, options.log)
  }

  get inForce(): BuiltImage {
    if (this.#inForce === null) throw new Error('no image is in force yet')
    return this.#inForce
  }

  /** Lists that lie here and are not taken as they are now. */
  get refused(): readonly LocalRefusal[] {
    return this.#refused
  }

  /** By name, the lists of which no image can be built as they are now, and why. */
  get broken(): ReadonlyMap<string, string> {
    return this.#broken
  }

  /** Why the lists of an earlier run are in force, since the start; empty: they are not. */
  get stale(): readonly string[] {
    return this.#stale
  }

  /**
   * The first image of a run: the saved one where it is of these lists, or a new one. Where a list is
   * broken, the saved one of the same lists serves, and `stale` says why.
   */
  async begin(configuration: Configuration): Promise<ImageResult> {
    const first = await this.#first(configuration)
    if (first.ok) this.put(first.built, () => Promise.resolve())
    return first
  }

  async #first(configuration: Configuration): Promise<ImageResult> {
    const { sources, unreadable } = configuration
    this.#store.sweep()
    const saved = this.#store.load(null)
    const key = keyOf(sources)
    let problems = unreadable
    if (problems.length === 0) {
      if (saved?.key === key) return { ok: true, built: saved }
      const made = await this.#make(sources, key)
      const result = made.ok ? this.#judged(made.built, saved?.report ?? null, configuration) : made
      if (result.ok) return result
      problems = result.problems
    }
    if (saved === null || !isOfSameLists(saved.report, configuration))
      return { ok: false, problems }
    this.#stale = problems.map((problem) => formatProblem(problem))
    const { log } = this.#options
    for (const line of this.#stale) log.error(line)
    log.error('a list cannot be used: all lists are in force as they were at the last run')
    // Of no key: the next look at the files tries again.
    return { ok: true, built: { ...saved, key: '' } }
  }

  /** True where an image of `sources` would be another than the one in force. */
  isOther(sources: readonly ListSource[]): boolean {
    return keyOf(sources) !== this.inForce.key
  }

  /** The image of the lists as they are now; the one in force where nothing has changed. */
  async next(configuration: Configuration): Promise<ImageResult> {
    const { sources } = configuration
    const key = keyOf(sources)
    const { inForce } = this
    this.#refused = []
    this.#broken = new Map()
    if (inForce.key === key) return { ok: true, built: inForce }
    const made = await this.#nextOf(sources, key)
    if (!made.ok) return made
    const result = this.#judged(made.built, inForce.report, configuration)
    if (!result.ok) this.drop()
    return result
  }

  /** From now on in force. `acknowledged` resolves when no thread holds the one before. */
  put(built: BuiltImage, acknowledged: () => Promise<void>): void {
    if (built.key !== '') this.#stale = []
    if (this.#inForce?.image === built.image) return
    this.#inForce = built
    this.#next = null
    this.#freed = this.#freed.then(acknowledged).then(freeDropped)
    if (built.origin === 'built') this.#freed = this.#freed.then(() => this.#store.save(built))
  }

  /** Resolves when at most one image is in memory, and it is saved. */
  async settled(): Promise<void> {
    await this.#freed
  }

  /** What was made and will not be in force is given back. */
  drop(): void {
    if (this.#next === null) return
    this.#next = null
    this.#freed = this.#freed.then(freeDropped)
  }

  /**
   * For updates: builds what may be in force next. Whoever has called it must call `ended` when it is known
   * whether that is so: nobody else makes an image meanwhile.
   */
  updating(): {
    readonly build: (
      sources: readonly ListSource[],
      onProgress: (progress: BuildProgress) => void,
    ) => Promise<BuildResult>
    readonly ended: () => void
  } {
    let release: (() => void) | null = null
    return {
      build: async (sources, onProgress) => {
        release ??= await this.#turn.take()
        const key = keyOf(sources)
        const told = toldTo(this.#options.log)
        const result = await this.#build(sources, key, (progress) => {
          told(progress)
          onProgress(progress)
        })
        if (!('ok' in result)) return result
        const { image, report } = result.built
        return { kind: 'built', buffer: image, report }
      },
      ended: () => release?.(),
    }
  }

  async #nextOf(sources: readonly ListSource[], key: string): Promise<ImageResult> {
    if (this.#next?.key === key) return { ok: true, built: this.#next }
    const release = await this.#turn.take()
    try {
      if (this.#next?.key === key) return { ok: true, built: this.#next }
      this.drop()
      await this.#freed
      // Where `./sluss lists update` has built and saved it already.
      const saved = this.#store.load(key)
      if (saved !== null) {
        this.#next = saved
        return { ok: true, built: saved }
      }
      return await this.#make(sources, key)
    } finally {
      release()
    }
  }

  async #make(sources: readonly ListSource[], key: string): Promise<ImageResult> {
    const result = await this.#build(sources, key, toldTo(this.#options.log))
    if ('ok' in result) return result
    this.#broken = new Map(
      result.problems.map(({ list, what, hint }) => [list, `${what}. ${hint}`]),
    )
    return { ok: false, problems: problemsOfBuild(result) }
  }

  async #build(
    sources: readonly ListSource[],
    key: string,
    onProgress: (progress: BuildProgress) => void,
  ): ReturnType<typeof build> {
    this.drop()
    await this.#freed
    const { signal } = this.#options
    const urgent = this.#inForce === null
    const result = await build(sources, key, { signal, onProgress, urgent })
    if ('ok' in result) this.#next = result.built
    return result
  }

  /** By the guard rails of the lists that lie here. */
  #judged(
    built: BuiltImage,
    before: BuildReport | null,
    configuration: Configuration,
  ): ImageResult {
    const { settings, remotes } = configuration
    this.#refused = judgeLocal({
      now: built.report,
      before,
      fetched: new Set(remotes.map(({ name }) => name)),
      fallShares: new Map(settings.lists.map(({ name, fallShare }) => [name, fallShare])),
      accepted: readAccepted(this.#options.state),
    })
    if (this.#refused.length === 0) return { ok: true, built }
    return { ok: false, problems: this.#refused.flatMap(problemsOf) }
  }
}

/** True where an image was made from the lists that the settings name now, whatever stands in them. */
function isOfSameLists(
  { lists }: BuildReport,
  { sources, remotes, unfetched }: Configuration,
): boolean {
  const nameOf = ({ name, target }: Pick<ListSource, 'name' | 'target'>) =>
    JSON.stringify([name, target])
  const present = new Set(sources.map(({ name }) => name))
  const lost = remotes.filter(({ name }) => !present.has(name) && !unfetched.includes(name))
  const wanted = [...sources, ...lost].map(nameOf).toSorted()
  const had = lists.map(nameOf).toSorted()
  return wanted.length === had.length && wanted.every((name, i) => name === had[i])
}
