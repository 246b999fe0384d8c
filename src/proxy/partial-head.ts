/**
 * Owns: what is wrong with a head for certain before its end has come, so that nobody waits for it.
 * Never: reads what is whole; head.ts does.
 */
import type { Reason } from '../policy/index.ts'

/** What is already certain of a head whose end has not come: too large, or not HTTP at all. */
export function faultOfPart(
  held: Buffer,
  start: number,
  { headBytes, requestLineBytes }: { headBytes: number; requestLineBytes: number },
): Reason | null {
  const waiting = held.length - start
  if (waiting > requestLineBytes) {
    const lineEnd = held.indexOf(13, start)
    if (lineEnd < 0 || lineEnd - start > requestLineBytes) return 'request-line-too-long'
  }
  if (waiting > headBytes) return 'head-too-large'
  // A first byte that no method has: TLS or another protocol on our port.
  const first = held[start]!
  if (first < 33 || first > 126) return 'request-line'
  for (let at = held.indexOf(10, start); at >= 0; at = held.indexOf(10, at + 1)) {
    if (held[at - 1] !== 13) return 'header-malformed'
  }
  return null
}
