/**
 * Owns: from settings, platforms and exemptions to what the other folders take: the policy, the sources of
 * the lists.
 * Never: reads a file; finds fault: what comes in holds already.
 */
import { relative } from 'node:path'
import type {
  Category,
  Exemption,
  LabelTarget,
  ListSource,
  Platform,
  Policy,
} from '../policy/index.ts'
import { plainSource } from '../policy/index.ts'
import { NEVER_BLOCK } from './list-fields.ts'
import type { ListSettings } from './list-schema.ts'
import type { PlatformDefinition } from './platforms.ts'
import type { CategorySettings, Settings } from './schema.ts'

export interface PolicyParts {
  readonly settings: Settings
  readonly platforms: readonly PlatformDefinition[]
  readonly exemptions: readonly Exemption[]
  /** Counts up by one with each replacement in a run. */
  readonly version: number
}

/** Plain data, ready to be cloned to every thread. Bits follow the order of the files. */
export function compilePolicy({ settings, platforms, exemptions, version }: PolicyParts): Policy {
  const { zones, categories, day, ports, addresses, quota, tunnels } = settings
  return {
    version,
    calendar: day,
    zones,
    categories: Object.entries(categories).map(([name, category], bit) =>
      compileCategory({ name, bit }, category, platforms),
    ),
    platforms: platforms.map(({ name, title, bit }): Platform => ({ name, title, bit })),
    exemptions,
    ports,
    allowedAddresses: addresses.allow,
    tunnels,
    quota: { thresholdBytes: quota.thresholdBytes, graceMs: quota.graceMs },
  }
}

function compileCategory(
  { name, bit }: { name: string; bit: number },
  category: CategorySettings,
  platforms: readonly PlatformDefinition[],
): Category {
  const { action, decision } = category
  if (action !== 'quota') return { name, bit, action, decision }
  const { minutes } = category
  return { name, bit, action, decision, minutes, platforms: platformBits(category, platforms) }
}

/** The platforms that belong to a quota category, as bits; `all` leaves out the optional ones. */
function platformBits(
  { platforms: wanted }: CategorySettings & { action: 'quota' },
  platforms: readonly PlatformDefinition[],
): number {
  let bits = 0
  for (const { name, bit, optional } of platforms) {
    const belongs = wanted === 'all' ? !optional : wanted !== 'none' && wanted.includes(name)
    if (belongs) bits |= 1 << bit
  }
  return bits
}

/**
 * Every list that lies in a file of its own or of the platforms, in the order of the files: of the
 * categories, the platforms, never-block and `lists`. Lists that are fetched join when they have come
 * (`namedSource`). Names of plain paths are relative to `folder`, as people wrote them in the settings
 * file of that folder.
 */
export function listSources(
  settings: Settings,
  platforms: readonly PlatformDefinition[],
  folder = '/',
): ListSource[] {
  const ofFile = (file: string, target: ListSource['target']): ListSource =>
    plainSource({ name: nameIn(folder, file), target, file, entries: null })
  const categories = Object.values(settings.categories).flatMap(({ lists }, bit) =>
    lists.map((file) => ofFile(file, { kind: 'category', bit })),
  )
  const file = nameIn(folder, settings.platforms ?? 'platforms.yaml')
  const named = platforms.flatMap(({ name, bit, domains, background }): ListSource[] => {
    // A background host belongs to its platform, so that the record says whose it was.
    const own = plainSource({
      name: `${file}: ${name}`,
      target: { kind: 'platform', bit },
      file: null,
      entries: [...domains, ...background],
    })
    if (background.length === 0) return [own]
    const quiet = plainSource({
      name: `${file}: ${name} (background)`,
      target: { kind: 'background', bit },
      file: null,
      entries: background,
    })
    return [own, quiet]
  })
  const never = settings.neverBlock.map((path) => ofFile(path, { kind: 'neverBlock' }))
  const more = settings.lists.flatMap((list) => {
    if (list.file === null) return []
    const source = nameIn(folder, list.file)
    return [namedSource({ settings, platforms, list, file: list.file, source, fetchedMs: null })]
  })
  return [...categories, ...named, ...never, ...more]
}

export interface NamedList {
  readonly settings: Settings
  readonly platforms: readonly PlatformDefinition[]
  readonly list: ListSettings
  /** Absolute path of where it lies. */
  readonly file: string
  /** Where it comes from, for people. */
  readonly source: string
  /** Null for one that is edited where it lies. */
  readonly fetchedMs: number | null
}

/** The source of one of `lists`. */
export function namedSource(named: NamedList): ListSource {
  const { settings, platforms, list, file, source, fetchedMs } = named
  const { name, format, member, rejectedShareMax, licence } = list
  return {
    name,
    target: listTarget(list, settings, platforms),
    file,
    entries: null,
    format,
    member,
    rejectedShareMax,
    provenance: { source, fetchedMs, licence },
  }
}

/** What one of `lists` feeds, or frees from. */
export function listTarget(
  { category: name, exceptions }: ListSettings,
  { categories }: Settings,
  platforms: readonly PlatformDefinition[],
): LabelTarget {
  if (name === NEVER_BLOCK) return { kind: 'neverBlock' }
  const bit = Object.keys(categories).indexOf(name)
  if (!exceptions) return { kind: 'category', bit }
  const category = categories[name]!
  // Free from a quota is free from its platforms too, or the host would be metered all the same.
  const bits = category.action === 'quota' ? platformBits(category, platforms) : 0
  return { kind: 'exception', bit, platforms: bits }
}

function nameIn(folder: string, file: string): string {
  const near = relative(folder, file)
  return near === '' || near.startsWith('..') ? file : near
}
