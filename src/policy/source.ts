/**
 * Owns: what connects a list to a label: which file or entries feed which category, platform or flag.
 * Never: reads a list.
 */

export type LabelTarget =
  | { readonly kind: 'category'; readonly bit: number }
  | { readonly kind: 'platform'; readonly bit: number }
  | { readonly kind: 'background'; readonly bit: number }
  | { readonly kind: 'neverBlock' }

export interface ListEntry {
  /** As written; the builder normalises and judges it. */
  readonly text: string
  /** 1-based line in the file it stands in. */
  readonly line: number
}

/** One list: a file of domains, or entries that stand in another file (the platforms). */
export interface ListSource {
  /** As people know it: `lists/porn.txt`, `platforms.yaml: facebook`. */
  readonly name: string
  readonly target: LabelTarget
  /** Absolute path, or null where `entries` holds it all. */
  readonly file: string | null
  readonly entries: readonly ListEntry[] | null
}
