/**
 * Owns: what must hold between limits: one that another always reaches first is never met.
 * Never: refuses settings for it; it warns, and only of what was written.
 */
import type { KeyPath } from './key-path.ts'
import { limitShape } from './limit-schema.ts'
import { type Complaint, complaint } from './problems.ts'
import { readable, valueAt } from './validation.ts'

type LimitKey = keyof typeof limitShape

/** The most proxy threads that there may be, where the settings do not say how many there are. */
const THREADS_MAX = 64

/** `key` is in vain above `bound`. */
interface Pair {
  readonly key: LimitKey
  readonly bound: LimitKey
  /** `bound` holds for each thread, `key` for all of them. */
  readonly perThread?: boolean
}

const PAIRS: readonly Pair[] = [
  { key: 'requestLine', bound: 'head' },
  { key: 'tunnelIdle', bound: 'tunnelLifetime' },
  { key: 'poolPerOrigin', bound: 'poolTotal' },
  { key: 'connectionsPerAddress', bound: 'connections', perThread: true },
  { key: 'connectionsPerUser', bound: 'connections', perThread: true },
  { key: 'tunnels', bound: 'connections', perThread: true },
]

/** Warnings on limits that are never met, because of another. */
export function limitWarnings(raw: unknown): Complaint[] {
  const threads = valueAt(raw, ['threads'])
  const count = typeof threads === 'number' ? threads : THREADS_MAX
  return PAIRS.flatMap(({ key, bound, perThread = false }) => {
    const path: KeyPath = ['limits', key]
    const written = valueAt(raw, path)
    // A default that is in vain says nothing that anybody meant.
    if (written === undefined || written === null) return []
    const value = readable(limitShape[key], written)
    const most = readable(limitShape[bound], valueAt(raw, ['limits', bound]) ?? undefined)
    if (value === undefined || most === undefined) return []
    if (value <= most * (perThread ? count : 1)) return []
    const each = perThread ? ' for each proxy thread' : ''
    const what = `it is never reached: limits.${bound} is less${each}`
    return [complaint(path, { value: written, what, hint: `lower it, or raise limits.${bound}` })]
  })
}
