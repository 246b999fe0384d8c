/**
 * Owns: one download over HTTPS into a file: redirects, limits, tries.
 * Never: puts a list in force; follows a redirect out of https or to an address inside; leaves a
 * part of a file behind.
 *
 * By node:https, not undici or fetch: it is one GET at a time, and the address that is connected to,
 * the tunnel through a proxy and the TLS trust are each ours to give.
 */
import { createHash } from 'node:crypto'
import { type FileHandle, open, rm } from 'node:fs/promises'
import type { IncomingMessage } from 'node:http'
import { setTimeout as wait } from 'node:timers/promises'
import {
  headersFailure,
  isRedirect,
  isWebPage,
  SNIFF_BYTES_MAX,
  statusFailure,
  tooLarge,
  webPage,
} from './fetch-answer.ts'
import {
  connectionFailure,
  cut,
  diskTrouble,
  type FetchFailure,
  fetchFailure,
} from './fetch-failure.ts'
import { ask, type Route } from './fetch-route.ts'
import type { UpdateRules } from './remote.ts'

export const REDIRECTS_MAX = 5
const BACKOFF_FIRST_MS = 1_000
/** Between two tries; who asks for more with Retry-After is asked again at the next update. */
export const BACKOFF_MAX_MS = 60_000
const FILE_MODE = 0o600

/** What tells one version of a file from another (RFC 9110 section 8.8). */
export interface Validators {
  readonly etag: string | null
  readonly lastModified: string | null
}

export interface FetchRequest {
  /** As the administrator wrote it. */
  readonly url: string
  /** What we have: where the server says that it is still so, nothing is downloaded. */
  readonly known: Validators | null
  /** Where the bytes go, mode 0600, on disk when it returns. Must not exist; gone if it fails. */
  readonly file: string
  readonly bytesMax: number
  /** What comes is held against a digest, or is one: a part of it is not taken for the whole. */
  readonly hasDigest: boolean
}

export interface Fetched extends Validators {
  readonly kind: 'fetched'
  /** In hex, of the bytes as they came. */
  readonly sha256: string
  readonly bytes: number
}

export interface FetchContext {
  readonly route: Route
  readonly rules: UpdateRules
  /** Of Sluss: `sluss/<version>` is what we say we are. */
  readonly version: string
  readonly signal?: AbortSignal | undefined
  /** Bytes so far, and in all where the server says. */
  readonly onProgress?: ((bytes: number, total: number | null) => void) | undefined
  /** From 0 up to 1. */
  readonly random: () => number
  readonly nowMs: () => number
  /** Rejects where `signal` says so. */
  readonly sleep?: (ms: number, signal: AbortSignal) => Promise<void>
}

export type FetchResult = Fetched | { readonly kind: 'unchanged' } | FetchFailure

const systemSleep = (ms: number, signal: AbortSignal) => wait(ms, undefined, { signal })

/** Downloads, trying again where that may help. Never rejects but for a bug. */
export async function fetchToFile(
  request: FetchRequest,
  context: FetchContext,
): Promise<FetchResult> {
  const { rules, random, signal, sleep = systemSleep } = context
  const deadline = AbortSignal.timeout(rules.timeoutMs)
  const either = signal === undefined ? deadline : AbortSignal.any([deadline, signal])
  for (let tried = 0; ; tried++) {
    const result = await fetchOnce(request, context, deadline)
    if (result.kind !== 'failed' || !result.mayPass || tried >= rules.retries) return result
    const waitMs = Math.max(backoffMs(tried, random), result.retryAfterMs ?? 0)
    if (waitMs > BACKOFF_MAX_MS) return result
    try {
      if (!either.aborted) await sleep(waitMs, either)
    } catch (error) {
      if (!either.aborted) throw error
    }
    if (either.aborted) return signal?.aborted ? STOPPED : result
  }
}

/** 1 s, 2 s, 4 s …, of which chance takes up to a half. */
function backoffMs(tried: number, random: () => number): number {
  return Math.min(BACKOFF_MAX_MS, BACKOFF_FIRST_MS * 2 ** tried) * (1 - random() / 2)
}

const STOPPED = fetchFailure('stopped', {
  what: 'it was stopped before it was done',
  hint: 'Nothing to do.',
})

async function fetchOnce(
  request: FetchRequest,
  context: FetchContext,
  deadline: AbortSignal,
): Promise<FetchResult> {
  const patience = new Patience(context.rules, deadline, context.signal)
  try {
    const answer = await follow(request, context, patience)
    if ('code' in answer) return answer
    const result = await judge(answer, request, context, patience)
    answer.response.destroy()
    return result
  } catch (error) {
    const failure = patience.failure(new URL(request.url).host)
    if (failure === null) throw error
    return failure
  } finally {
    patience.end()
  }
}

interface Answer {
  readonly response: IncomingMessage
  readonly url: URL
}

async function follow(
  { url: first, known }: FetchRequest,
  { route, version }: FetchContext,
  patience: Patience,
): Promise<Answer | FetchFailure> {
  const headers = {
    Accept: '*/*',
    'Accept-Encoding': 'identity',
    'User-Agent': `sluss/${version}`,
    ...(known?.etag ? { 'If-None-Match': known.etag } : {}),
    ...(known?.lastModified ? { 'If-Modified-Since': known.lastModified } : {}),
  }
  let url = new URL(first)
  for (let redirects = 0; ; redirects++) {
    const trusted = url.host === new URL(first).host
    const response = await ask(route, { url, headers, trusted, signal: patience.signal })
    if ('kind' in response) return response
    patience.hold(response)
    if (!isRedirect(response.statusCode ?? 0)) return { response, url }
    response.destroy()
    if (redirects === REDIRECTS_MAX) return redirectFailure(first, `more than ${redirects} times`)
    const to = URL.parse(response.headers.location ?? '', url.href)
    if (to === null || response.headers.location === undefined) {
      return redirectFailure(first, 'to nowhere')
    }
    if (to.protocol !== 'https:') return redirectFailure(first, `out of https, to ${to.origin}`)
    to.username = ''
    to.password = ''
    url = to
  }
}

function redirectFailure(url: string, why: string): FetchFailure {
  const { host } = new URL(url)
  const hint = 'Open the URL in a browser, and write down the address of the file itself.'
  return fetchFailure('redirect', { what: `${host} redirects ${why}`, hint })
}

/** Takes the body of an answer that is the file. */
async function judge(
  { response, url: { host } }: Answer,
  request: FetchRequest,
  context: FetchContext,
  patience: Patience,
): Promise<FetchResult> {
  const { headers, statusCode = 0 } = response
  if (statusCode === 304 && request.known !== null) return { kind: 'unchanged' }
  const { bytesMax, hasDigest } = request
  const failure =
    statusFailure(statusCode, headers, { host, nowMs: context.nowMs() }) ??
    headersFailure(headers, { host, bytesMax, hasDigest })
  if (failure !== null) return failure
  const length = headers['content-length']
  const total = length === undefined ? null : Number(length)
  let file: FileHandle
  try {
    file = await open(request.file, 'wx', FILE_MODE)
  } catch (error) {
    return fetchFailure('disk', diskTrouble(error, request.file))
  }
  let kept = false
  try {
    const saving = { file, path: request.file, host, total, bytesMax, patience }
    const saved = await save(response, saving, context)
    kept = saved.kind === 'saved'
    if (saved.kind !== 'saved') return saved
    const validators = {
      etag: headers.etag ?? null,
      lastModified: headers['last-modified'] ?? null,
    }
    return { ...saved, ...validators, kind: 'fetched' }
  } finally {
    await file.close()
    if (!kept) await rm(request.file, { force: true })
  }
}

interface Saving {
  readonly file: FileHandle
  readonly path: string
  readonly host: string
  readonly total: number | null
  readonly bytesMax: number
  readonly patience: Patience
}

type Saved = { readonly kind: 'saved'; readonly sha256: string; readonly bytes: number }

/** The body into the file, hashed on its way. */
async function save(
  response: IncomingMessage,
  { file, path, host, total, bytesMax, patience }: Saving,
  { onProgress }: FetchContext,
): Promise<Saved | FetchFailure> {
  const hash = createHash('sha256')
  let head: Uint8Array = new Uint8Array(0)
  let bytes = 0
  const body = response[Symbol.asyncIterator]()
  for (;;) {
    let next: IteratorResult<Buffer>
    try {
      next = await body.next()
    } catch (error) {
      // What is due to our own patience, fetchOnce knows better.
      if (patience.signal.aborted) throw error
      return connectionFailure(error, host)
    }
    if (next.done) break
    const chunk = next.value
    patience.renew()
    bytes += chunk.length
    if (bytes > bytesMax) return tooLarge(host, bytesMax)
    if (head.length < SNIFF_BYTES_MAX) {
      head = Buffer.concat([head, chunk.subarray(0, SNIFF_BYTES_MAX)])
      if (isWebPage(head)) return webPage(host)
    }
    hash.update(chunk)
    try {
      await file.writeFile(chunk)
    } catch (error) {
      return fetchFailure('disk', diskTrouble(error, path))
    }
    onProgress?.(bytes, total)
  }
  if (!response.complete || (total !== null && bytes !== total)) return cut(host)
  try {
    await file.sync()
  } catch (error) {
    return fetchFailure('disk', diskTrouble(error, path))
  }
  return { kind: 'saved', sha256: hash.digest('hex'), bytes }
}

/** The time that one try has: until the deadline, and without a word from the server. */
class Patience {
  readonly #controller = new AbortController()
  readonly #idle: NodeJS.Timeout
  readonly #rules: UpdateRules
  readonly #deadline: AbortSignal
  readonly #outer: AbortSignal | undefined
  #why: 'idle' | 'whole' | 'stopped' | null = null

  constructor(rules: UpdateRules, deadline: AbortSignal, outer: AbortSignal | undefined) {
    this.#rules = rules
    this.#deadline = deadline
    this.#outer = outer
    this.#idle = setTimeout(() => this.#lose('idle'), rules.idleMs)
    deadline.addEventListener('abort', this.#late, { once: true })
    outer?.addEventListener('abort', this.#stop, { once: true })
    if (outer?.aborted) this.#stop()
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  /** The server has said something. */
  renew(): void {
    this.#idle.refresh()
  }

  /** An error of `response` that nobody reads any more must not go unheard. */
  hold(response: IncomingMessage): void {
    this.renew()
    response.on('error', () => {})
  }

  end(): void {
    clearTimeout(this.#idle)
    this.#deadline.removeEventListener('abort', this.#late)
    this.#outer?.removeEventListener('abort', this.#stop)
  }

  /** What to say where the time is up; null where it is not. */
  failure(host: string): FetchFailure | null {
    if (this.#why === null) return null
    if (this.#why === 'stopped') return STOPPED
    const [what, hint] =
      this.#why === 'idle'
        ? [
            `was silent for ${this.#rules.idleMs / 1_000} s`,
            'If it is always slow, raise updates.idle.',
          ]
        : [`took longer than ${this.#rules.timeoutMs / 1_000} s`, 'Raise updates.timeout.']
    return fetchFailure('slow', { what: `${host} ${what}`, hint }, 'may-pass')
  }

  readonly #stop = () => this.#lose('stopped')
  readonly #late = () => this.#lose('whole')

  #lose(why: 'idle' | 'whole' | 'stopped'): void {
    this.#why ??= why
    this.#controller.abort()
  }
}
