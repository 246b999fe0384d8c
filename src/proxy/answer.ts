/**
 * Owns: what we answer ourselves to a request: refusals with all that they say, and TRACE and OPTIONS that
 * are meant for us; and how the record says that it ended.
 * Never: writes to a wire; it makes bytes.
 */
import type { Ending, Facts, Reason, Verdict } from '../policy/index.ts'
import { formatTime } from '../policy/index.ts'
import type { Asker, Engine } from './engine.ts'
import type { HeadFault, RequestHead } from './head.ts'
import { refusalBytes } from './refuse.ts'

/** The refusal of a request that was read; `reason` is why it failed, or the verdict's. */
export function refusalOf(
  engine: Engine,
  asker: Asker,
  { head, facts, verdict, reason }: Refused,
): Buffer {
  const identity = facts.identified.known ? facts.identified.identity : null
  return refusalBytes({
    reason,
    verdict,
    method: head.method,
    acceptLanguage: head.acceptLanguage,
    host: head.host,
    user: identity?.kind === 'user' ? identity.user : '',
    minutes: verdict.action === 'spent' ? minutesOf(engine, facts) : null,
    challenges: verdict.action === 'challenge' ? engine.challenges(asker.zone) : [],
    nowMs: facts.nowMs,
    keepAlive: keepsOpen(engine, head),
  })
}

export interface Refused {
  readonly head: RequestHead
  readonly facts: Facts
  readonly verdict: Verdict
  readonly reason: Reason
}

/**
 * With a body of the request still to come, the next head could not be found. Who takes us for a server
 * has taken a wrong turn.
 */
export function keepsOpen(engine: Engine, { keepAlive, framing, form }: RequestHead): boolean {
  const isAsked = form === 'absolute' || form === 'authority'
  return keepAlive && framing.kind === 'none' && isAsked && !engine.draining
}

/** The refusal of what is no request, or of a connection; it is the last word on it. */
export function faultAnswer(head: HeadFault | null, verdict: Verdict, nowMs: number): Buffer {
  return refusalBytes({
    reason: verdict.reason,
    verdict,
    method: head?.method ?? '',
    acceptLanguage: '',
    host: head?.host ?? '',
    user: '',
    minutes: null,
    challenges: [],
    nowMs,
    keepAlive: false,
  })
}

function minutesOf(engine: Engine, facts: Facts): { used: number; returns: string } {
  const { timezone } = engine.policy.calendar
  const returns = formatTime(timezone, engine.meter.dayEndMs(facts.nowMs))
  return { used: facts.minutesUsed, returns: returns.slice(0, 16).replace('T', ' ') }
}

/**
 * The answer to a TRACE or OPTIONS whose Max-Forwards is 0 (RFC 9110 section 7.6.2): we are the last to get
 * it. TRACE gives back what came, without what may be secret (section 9.3.8).
 */
export function finalAnswer(head: RequestHead, nowMs: number): Buffer {
  const isTrace = head.method === 'TRACE'
  const body = isTrace ? Buffer.from(traced(head), 'latin1') : Buffer.alloc(0)
  const lines = [
    'HTTP/1.1 200 OK',
    ...(isTrace ? ['Content-Type: message/http'] : ['Allow: CONNECT, GET, HEAD, POST, PUT']),
    `Content-Length: ${body.length}`,
    'Cache-Control: no-store',
    `Date: ${new Date(nowMs).toUTCString()}`,
    `Connection: ${head.keepAlive ? 'keep-alive' : 'close'}`,
  ]
  return Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), body])
}

const SECRET = new Set(['proxy-authorization', 'authorization', 'cookie'])

function traced({ method, host, port, target, minor, fields }: RequestHead): string {
  let text = `${method} http://${host}:${port}${target} HTTP/1.${minor}\r\n`
  for (let i = 0; i < fields.length; i += 2) {
    if (!SECRET.has(fields[i]!.toLowerCase())) text += `${fields[i]}: ${fields[i + 1]}\r\n`
  }
  return `${text}\r\n`
}

/** How the record says that an exchange ended which we answered with `reason`. */
export function endingOf(reason: Reason): Ending {
  switch (reason) {
    case 'name-not-found':
    case 'dial-failed':
    case 'origin-closed':
    case 'origin-malformed':
      return reason
    case 'resolver-failed':
      return 'name-not-found'
    case 'dial-timeout':
    case 'origin-timeout':
    case 'client-too-slow':
      return 'timeout'
    default:
      return 'refused'
  }
}
