/**
 * Owns: what a server's answer to a download means, before its body is read: statuses in words,
 * Retry-After, the type of the body.
 * Never: reads a socket.
 */
import type { IncomingHttpHeaders } from 'node:http'
import { type FetchFailure, fetchFailure } from './fetch-failure.ts'

/** RFC 9110 section 15.4; 300 and 304 to 306 lead nowhere. */
const REDIRECTS = [301, 302, 303, 307, 308]
/** How much of a body is looked at to tell a web page. */
export const SNIFF_BYTES_MAX = 1_024

export function isRedirect(status: number): boolean {
  return REDIRECTS.includes(status)
}

/** Why a body with this status is not taken, or null for 200. */
export function statusFailure(
  status: number,
  headers: IncomingHttpHeaders,
  { host, nowMs }: { readonly host: string; readonly nowMs: number },
): FetchFailure | null {
  if (status === 200) return null
  const [why, hint] = STATUS_WORDS[status] ?? statusClassWords(status)
  const passing = status === 408 || status === 429 || status >= 500 ? 'may-pass' : 'stays'
  const retryAfterMs = readRetryAfter(headers['retry-after'], nowMs)
  return fetchFailure('status', { what: `${host} ${why} (${status})`, hint }, passing, retryAfterMs)
}

const STATUS_WORDS: Readonly<Record<number, readonly [why: string, hint: string]>> = {
  401: ['wants a sign-in', 'Lists behind a sign-in are downloaded by hand, and imported.'],
  403: ['does not let us have it', 'See whether the list asks for a contract, or blocks robots.'],
  404: ['has no such file', 'Correct the URL, or see where the list has moved.'],
  407: ['wants a sign-in to a proxy', 'Write user and password into updates.proxy.'],
  410: ['says that the list is gone for good', 'Choose another list.'],
  429: ['is asked too often', 'Ask less often (every), or from fewer places.'],
  503: ['is busy or under repair', 'It is tried again at the next update.'],
}

function statusClassWords(status: number): readonly [string, string] {
  if (status >= 500) return ['has trouble of its own', 'It is tried again at the next update.']
  if (status >= 400) return ['refuses the request', 'Correct the URL.']
  return ['answers with what is no file', 'Correct the URL.']
}

/** RFC 9110 section 10.2.3: seconds, or a date. Null where there is none that can be read. */
export function readRetryAfter(value: string | undefined, nowMs: number): number | null {
  if (value === undefined) return null
  if (/^\d{1,10}$/.test(value)) return Number(value) * 1_000
  const atMs = Date.parse(value)
  return Number.isNaN(atMs) ? null : Math.max(0, atMs - nowMs)
}

/** Why a body with these headers is no list, or null. */
export function headersFailure(
  headers: IncomingHttpHeaders,
  {
    host,
    bytesMax,
    hasDigest,
  }: { readonly host: string; readonly bytesMax: number; readonly hasDigest: boolean },
): FetchFailure | null {
  const type = headers['content-type'] ?? ''
  if (/^\s*(?:text\/html|application\/xhtml\+xml)\b/i.test(type)) return webPage(host)
  // gzip and zstd are what the reader of lists unpacks anyhow.
  const encoding = headers['content-encoding'] ?? 'identity'
  if (!/^\s*(?:identity|x-gzip|gzip|zstd)?\s*$/i.test(encoding)) {
    const what = `${host} packs the list in a way that we do not read (${encoding})`
    return fetchFailure('type', { what, hint: 'Use another address of the list, or import it.' })
  }
  if (!hasDigest && endsWithConnection(headers)) {
    const what = `${host} does not say where the list ends: one that is cut off would look whole`
    const hint =
      'Publish it with a length (Content-Length), or set `checksum` or `sha256` of it in the settings.'
    return fetchFailure('open-end', { what, hint })
  }
  const length = Number(headers['content-length'] ?? 0)
  return length > bytesMax ? tooLarge(host, bytesMax) : null
}

/** RFC 9112 section 6.3: a length counts only where no transfer coding is said. */
function endsWithConnection(headers: IncomingHttpHeaders): boolean {
  const coding = headers['transfer-encoding']
  if (coding === undefined) return headers['content-length'] === undefined
  return !/(?:^|,)\s*chunked\s*$/i.test(coding)
}

export function tooLarge(host: string, bytesMax: number): FetchFailure {
  const what = `what ${host} sends has more than ${mebibytes(bytesMax)}`
  return fetchFailure('too-large', { what, hint: 'If it should, raise updates.size.' })
}

function mebibytes(bytes: number): string {
  return bytes < 1_048_576 ? `${bytes} bytes` : `${Math.round(bytes / 1_048_576)} MiB`
}

export function webPage(from: string): FetchFailure {
  return fetchFailure('type', {
    what: `${from} gives a web page, not a list`,
    hint: 'Open it in a browser: it may be a sign-in page, or the list has moved.',
  })
}

/** True where a text that begins so is a web page: no line of a list begins with a tag. */
export function isWebPage(head: Uint8Array): boolean {
  const text = new TextDecoder('latin1').decode(head.subarray(0, SNIFF_BYTES_MAX))
  return /^(?:\u00ef\u00bb\u00bf)?\s*<[!?a-z]/i.test(text)
}
