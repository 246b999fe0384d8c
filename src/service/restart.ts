/**
 * Owns: which settings take effect at the next start only.
 * Never: judges a setting.
 */
import type { Settings } from '../settings/schema.ts'

/** Settings that threads and memory were made by: a reload leaves them as they are. */
export function needRestart(before: Settings, after: Settings): string[] {
  const fixed: readonly [string, (settings: Settings) => unknown][] = [
    ['state', ({ state }) => state],
    ['threads', ({ threads }) => threads],
    ['quota.users', ({ quota }) => quota.users],
    ['listen.portal', ({ listen }) => JSON.stringify(listen.portal)],
  ]
  return fixed.filter(([, read]) => read(before) !== read(after)).map(([key]) => key)
}
