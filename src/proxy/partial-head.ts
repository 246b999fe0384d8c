/**
 * Owns: what is wrong with a head for certain before its end has come, so that nobody waits for it.
 * Never: reads what is whole; head.ts does.
 */
import type { Reason } from '../policy/index.ts'

export interface HeadLimits {
  readonly headBytes: number
  readonly headFields: number
  readonly requestLineBytes: number
}

/** How far a part has been looked at, and how many lines had ended there. */
export interface Looked {
  to: number
  lines: number
}

/**
 * What is already certain of a head whose end has not come: too large, or not HTTP at all. `looked` is
 * brought forward: a head that comes byte by byte is looked at once, not at each byte.
 */
export function faultOfPart(
  held: Buffer,
  start: number,
  { headBytes, headFields, requestLineBytes }: HeadLimits,
  looked: Looked,
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
  const from = Math.max(start, looked.to)
  for (let at = held.indexOf(10, from); at >= 0; at = held.indexOf(10, at + 1)) {
    if (held[at - 1] !== 13) return 'header-malformed'
    // The request line is one of them.
    if (++looked.lines > headFields + 1) return 'head-too-large'
  }
  looked.to = held.length
  return null
}

/** True where a line of an unfinished answer, from `from` on, has ended without CR: it will never be one. */
export function hasBareLineFeed(held: Buffer, from: number): boolean {
  for (let at = held.indexOf(10, from); at >= 0; at = held.indexOf(10, at + 1)) {
    if (held[at - 1] !== 13) return true
  }
  return false
}
