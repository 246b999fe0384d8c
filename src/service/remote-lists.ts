/**
 * Owns: from the settings to what fetching a list needs to know, and where what was fetched lies.
 * Never: fetches.
 */
import { join } from 'node:path'
import { Library } from '../lists/library.ts'
import type { RemoteList, UpdateRules } from '../lists/remote.ts'
import { listTarget } from '../settings/compile.ts'
import type { PlatformDefinition } from '../settings/platforms.ts'
import type { Settings } from '../settings/schema.ts'

/** In the state folder. */
const SOURCES = 'lists/sources'

export function libraryIn(state: string): Library {
  return new Library(join(state, SOURCES))
}

/** What says which version of the list is in force. */
export function currentFileOf(state: string, name: string): string {
  return join(state, SOURCES, name, 'current.json')
}

/** The lists that are fetched, in the order of the settings. */
export function remoteLists(
  settings: Settings,
  platforms: readonly PlatformDefinition[],
): RemoteList[] {
  return settings.lists.flatMap((list): RemoteList[] => {
    const { name, url, checksum, sha256, everyMs, format, member, licence } = list
    const { rejectedShareMax, fallShare, growthShare } = list
    if (url === null) return []
    const target = listTarget(list, settings, platforms)
    const origin = { name, url, checksum, sha256, everyMs }
    const limits = { rejectedShareMax, fallShare, growthShare }
    return [{ ...origin, target, format, member, licence, ...limits }]
  })
}

export function updateRules({ updates, addresses }: Settings): UpdateRules {
  const { proxy, certificates, timeoutMs, idleMs, bytesMax, retries } = updates
  return { proxy, certificates, timeoutMs, idleMs, bytesMax, retries, allow: addresses.allow }
}
