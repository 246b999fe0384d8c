/**
 * Owns: the shape of what the service says of itself, to `sluss status`, the portal's /health and tests.
 * Never: a name, a host or an address of anyone's traffic.
 */
import type { Counters, Endpoint } from '../proxy/world.ts'

export interface Status {
  readonly healthy: boolean
  readonly alarms: readonly string[]
  /** Local time with offset. */
  readonly since: string
  readonly run: string
  readonly proxy: readonly Endpoint[]
  readonly portal: readonly Endpoint[]
  readonly threads: number
  /** Number of the policy in force on every thread: counts up with each change. */
  readonly policy: number
  readonly loaded: {
    /** Local time with offset of the last reading of the files. */
    readonly at: string
    readonly outcome: 'in force' | 'refused'
    readonly problems: readonly string[]
    readonly warnings: readonly string[]
  }
  readonly lists: { readonly lists: number; readonly domains: number; readonly bytes: number }
  readonly counters: Counters
}
