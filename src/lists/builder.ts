/**
 * Owns: a build in a thread of its own, and what becomes of it: an image, or the problems.
 * Never: rejects, or leaves the thread running. A build that fails changes nothing: the caller
 * keeps what it has.
 */
import { Worker } from 'node:worker_threads'
import type { ListSource } from '../policy/source.ts'
import type { BuildFailure, BuildResult } from './build.ts'

export interface BuilderOptions {
  /** Ends the build; the result is then a failure. */
  readonly signal?: AbortSignal
  /** Another thread than builder.thread.ts, for tests. */
  readonly thread?: URL
}

const BUILDER_THREAD = new URL('./builder.thread.ts', import.meta.url)

/**
 * Builds the image of all `sources`. Settles when the thread has ended and its memory is free
 * again.
 */
export function buildInThread(
  sources: readonly ListSource[],
  { signal, thread = BUILDER_THREAD }: BuilderOptions = {},
): Promise<BuildResult> {
  if (signal?.aborted) return Promise.resolve(STOPPED)
  return new Promise((resolve) => {
    const worker = new Worker(thread, { workerData: sources })
    let result: BuildResult | null = null
    const stop = () => {
      result = STOPPED
      worker.terminate()
    }
    signal?.addEventListener('abort', stop, { once: true })
    worker.once('message', (message: BuildResult) => {
      result ??= message
    })
    worker.once('error', (error) => {
      result ??= died(error instanceof Error ? error.message : String(error))
    })
    worker.once('exit', (code) => {
      signal?.removeEventListener('abort', stop)
      resolve(result ?? died(`it ended with code ${code} and no word`))
    })
  })
}

const STOPPED = failure('the build was stopped before it was done', 'Nothing to do.')

function died(why: string): BuildFailure {
  return failure(
    `the thread that builds the lists died: ${why}`,
    'See that the machine has memory to spare, then try again. If it comes back, report it.',
  )
}

function failure(what: string, hint: string): BuildFailure {
  return { kind: 'failed', problems: [{ list: '', file: null, line: null, what, hint }] }
}
