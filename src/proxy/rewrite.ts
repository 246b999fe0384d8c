/**
 * Owns: the heads we send: a request to an origin, an answer to a client, written anew from what was read.
 * Never: does I/O, or writes what the parser did not understand.
 *
 * Source: RFC 9110 section 7.6, RFC 9112 section 6.
 */
import { viaEntry } from './fields.ts'
import type { RequestHead } from './head.ts'
import type { ResponseHead } from './response.ts'

/**
 * The request as we send it: origin-form, HTTP/1.1, our Host, our Via; `upgrade` are the protocols asked
 * for, or null; `via` is our name. A Max-Forwards is one less: the caller answers itself where it is 0.
 */
export function requestText(head: RequestHead, upgrade: string | null, via: string): string {
  const { method, target, hostLines, lines } = head
  let text = `${method} ${target}${hostLines}${lines}`
  if (head.framing.kind === 'chunked') text += 'Transfer-Encoding: chunked\r\n'
  if (head.maxForwards !== null) text += maxForwardsLine(head.maxForwards)
  if (upgrade !== null) text += `Connection: Upgrade\r\nUpgrade: ${upgrade}\r\n`
  return text + viaLines(head.minor, via)
}

/** The response as we send it; `extra` are the field lines of our own connection. */
export function responseText(response: ResponseHead, via: string, extra: string): string {
  return response.lines + extra + viaLines(response.minor, via)
}

/** One hop less (RFC 9110 section 7.6.2), and never below 0. */
function maxForwardsLine(maxForwards: number): string {
  return `Max-Forwards: ${Math.max(0, maxForwards - 1)}\r\n`
}

/** The end of every head we send: one text for all of them, as long as our name stays. */
const ends = { name: '', of: ['', ''] }

function viaLines(minor: 0 | 1, name: string): string {
  if (ends.name !== name) {
    ends.name = name
    ends.of = [`Via: ${viaEntry(0, name)}\r\n\r\n`, `Via: ${viaEntry(1, name)}\r\n\r\n`]
  }
  return ends.of[minor]!
}
