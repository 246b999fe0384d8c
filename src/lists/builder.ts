/**
 * Owns: a build in a thread of its own, and what becomes of it: an image, or the problems.
 * Never: rejects, or leaves the thread running. A build that fails changes nothing: the caller
 * keeps what it has.
 */
import { Worker } from 'node:worker_threads'
import type { ListSource } from '../policy/source.ts'
import type { BuildFailure, BuildResult } from './build.ts'
import type { BuildProgress } from './report.ts'

/** A build of five million domains takes seconds; one that takes this long has hung. */
export const BUILD_MS_MAX = 10 * 60_000

export interface BuilderOptions {
  /** Ends the build; the result is then a failure. */
  readonly signal?: AbortSignal
  /** Another thread than builder.thread.ts, for tests. */
  readonly thread?: URL
  /** What the image is known again by: it stands in it. */
  readonly key?: string
  readonly onProgress?: (progress: BuildProgress) => void
  /** Nobody is served before it is done: it gives way to nobody. */
  readonly urgent?: boolean
  /** Unless given, BUILD_MS_MAX. */
  readonly timeoutMs?: number
}

/** What the thread is started with. */
export interface BuilderWork {
  readonly sources: readonly ListSource[]
  readonly key: string | undefined
  readonly urgent: boolean
}

/** What the thread says. */
export type BuilderMessage =
  | { readonly kind: 'progress'; readonly progress: BuildProgress }
  | { readonly kind: 'result'; readonly result: BuildResult }

const BUILDER_THREAD = new URL('./builder.thread.ts', import.meta.url)

/**
 * Builds the image of all `sources`. Settles when the thread has ended and its memory is free
 * again.
 */
export function buildInThread(
  sources: readonly ListSource[],
  options: BuilderOptions = {},
): Promise<BuildResult> {
  const { signal, thread = BUILDER_THREAD, key, onProgress } = options
  const { urgent = false, timeoutMs = BUILD_MS_MAX } = options
  if (signal?.aborted) return Promise.resolve(STOPPED)
  return new Promise((resolve) => {
    const work: BuilderWork = { sources, key, urgent }
    const worker = new Worker(thread, { workerData: work })
    let result: BuildResult | null = null
    const end = (why: BuildResult) => {
      result ??= why
      worker.terminate()
    }
    const stop = () => end(STOPPED)
    const timer = setTimeout(() => end(tooSlow(timeoutMs)), timeoutMs)
    signal?.addEventListener('abort', stop, { once: true })
    worker.on('message', (message: BuilderMessage) => {
      if (message.kind === 'result') result ??= message.result
      else if (result === null) onProgress?.(message.progress)
    })
    worker.once('error', (error) => {
      result ??= died(error instanceof Error ? error.message : String(error))
    })
    worker.once('exit', (code) => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', stop)
      resolve(result ?? died(`it ended with code ${code} and no word`))
    })
  })
}

const STOPPED = failure('the build was stopped before it was done', 'Nothing to do.')

function tooSlow(timeoutMs: number): BuildFailure {
  return failure(
    `the build took more than ${timeoutMs / 1_000} s and was ended`,
    'See that the machine is not overloaded and that the disk of the lists answers, then try again.',
  )
}

function died(why: string): BuildFailure {
  return failure(
    `the thread that builds the lists died: ${why}`,
    'See that the machine has memory to spare, then try again. If it comes back, report it.',
  )
}

function failure(what: string, hint: string): BuildFailure {
  return { kind: 'failed', problems: [{ list: '', file: null, line: null, what, hint }] }
}
