/**
 * Owns: our own answers: status line, fields and page for every verdict but `allow`, and every failure.
 * Never: decides, or reaches into a socket; it makes bytes.
 */
import type { Language, Reason, Verdict } from '../policy/index.ts'
import { languageOf, reasonEntry } from '../policy/index.ts'
import { type PageFacts, refusalPage } from './page.ts'

export interface Refusal {
  readonly reason: Reason
  /** What gave it; its rule and decision are shown. */
  readonly verdict: Verdict
  readonly method: string
  readonly acceptLanguage: string
  readonly host: string
  readonly user: string
  readonly minutes: PageFacts['minutes']
  /** Proxy-Authenticate values, of a challenge. */
  readonly challenges: readonly string[]
  readonly nowMs: number
  /** Whether the connection stays open after it. */
  readonly keepAlive: boolean
}

/** How a rule names the category that it is about. */
const CATEGORY = 'category:'

/** The status we answer `reason` with. */
export function statusOf(reason: Reason): number {
  return reasonEntry(reason).status
}

/** The whole answer, in bytes. */
export function refusalBytes(refusal: Refusal): Buffer {
  const { reason, verdict, keepAlive } = refusal
  const entry = reasonEntry(reason)
  const language: Language = languageOf(refusal.acceptLanguage)
  // What failed after `allow` failed for another reason than the rule that allowed it.
  const ruled = entry.action !== 'fail'
  const category =
    ruled && verdict.rule.startsWith(CATEGORY) ? verdict.rule.slice(CATEGORY.length) : ''
  const decision = ruled ? verdict.decision : null
  const { host, user, minutes } = refusal
  const page = Buffer.from(
    refusalPage({ language, entry, reason, host, category, decision, user, minutes }),
  )
  const lines = [
    `HTTP/1.1 ${entry.status} ${phrase(entry.en.title, category)}`,
    `Sluss-Reason: ${quotable(reason)}; rule="${quotable(verdict.rule)}"`,
    `Proxy-Status: sluss${proxyError(entry.proxyError, reason, verdict)}`,
    ...refusal.challenges.map((challenge) => `Proxy-Authenticate: ${challenge}`),
    ...(entry.retryAfterS === undefined ? [] : [`Retry-After: ${entry.retryAfterS}`]),
    'Content-Type: text/html; charset=utf-8',
    `Content-Language: ${language}`,
    `Content-Length: ${page.length}`,
    "Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'",
    'Cache-Control: no-store',
    `Date: ${new Date(refusal.nowMs).toUTCString()}`,
    `Connection: ${keepAlive ? 'keep-alive' : 'close'}`,
  ]
  const head = Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1')
  return refusal.method === 'HEAD' ? head : Buffer.concat([head, page])
}

/** The reason in the status line: all that a browser may show of a refused CONNECT. */
function phrase(title: string, category: string): string {
  return quotable(category === '' ? title : `${title}: ${category}`)
}

function proxyError(error: string, reason: Reason, verdict: Verdict): string {
  const details = `details="${quotable(`${reason} ${verdict.rule}`)}"`
  return error === '' ? `; ${details}` : `; error=${error}; ${details}`
}

/** What may stand in a status line and in a quoted string: visible ASCII without quote and backslash. */
function quotable(text: string): string {
  return text.replace(/[^ !#-[\]-~]/g, '?')
}
