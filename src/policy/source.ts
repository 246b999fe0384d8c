/**
 * Owns: what connects a list to a label: which file or entries feed which category, platform or flag, and
 * where they come from.
 * Never: reads a list.
 */

export type LabelTarget =
  | { readonly kind: 'category'; readonly bit: number }
  | { readonly kind: 'platform'; readonly bit: number }
  | { readonly kind: 'background'; readonly bit: number }
  | { readonly kind: 'neverBlock' }
  /**
   * Frees from a category what is listed less specifically, or just there: its bit, and the bits of
   * the platforms that belong to it.
   */
  | { readonly kind: 'exception'; readonly bit: number; readonly platforms: number }

/**
 * How a list is written. `ut1` is a folder in the layout of squidGuard (`domains`, `urls`,
 * `expressions`), as it lies or in a tar archive; the others are text files.
 */
export const LIST_FORMATS = [
  'domains',
  'hosts',
  'wildcard',
  'dnsmasq',
  'adblock',
  'rpz',
  'ut1',
] as const
export type ListFormat = (typeof LIST_FORMATS)[number]

/** Where a list comes from, for people. */
export interface Provenance {
  /** A URL, or a path as the settings have it. */
  readonly source: string
  /** When it was fetched or imported; null for files that are edited where they lie. */
  readonly fetchedMs: number | null
  /** As the settings say; empty where they do not. */
  readonly licence: string
}

export interface ListEntry {
  /** As written; the builder normalises and judges it. */
  readonly text: string
  /** 1-based line in the file it stands in. */
  readonly line: number
}

/** One list: a file or folder of domains, or entries that stand in another file (the platforms). */
export interface ListSource {
  /** As people know it, and no other list: `lists/porn.txt`, `platforms.yaml: facebook`, `ut1-adult`. */
  readonly name: string
  readonly target: LabelTarget
  /** Absolute path, or null where `entries` holds it all. */
  readonly file: string | null
  readonly entries: readonly ListEntry[] | null
  /** `auto`: told by what is in it. */
  readonly format: ListFormat | 'auto'
  /** In a folder or archive of several lists: the one that is meant (`adult`). */
  readonly member: string | null
  /** Junk lines, as a share of the lines with content, above which the list is refused whole. */
  readonly rejectedShareMax: number
  readonly provenance: Provenance
}

/** Unless the settings say otherwise. */
export const REJECTED_SHARE_MAX = 0.05

/** A source with nothing said of it but what it is: the form is found out, the file is its own origin. */
export function plainSource(
  source: Pick<ListSource, 'name' | 'target' | 'file' | 'entries'>,
): ListSource {
  return {
    ...source,
    format: 'auto',
    member: null,
    rejectedShareMax: REJECTED_SHARE_MAX,
    provenance: { source: source.name, fetchedMs: null, licence: '' },
  }
}
