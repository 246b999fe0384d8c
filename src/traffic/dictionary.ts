/**
 * Owns: numbers for texts that repeat: a dictionary table of a day, with what it knows in memory.
 * Never: writes a text as it came: what is stored is well-formed Unicode without NUL.
 */
import type Database from 'better-sqlite3'

export type Entry = string | number

/**
 * A tree of maps: one level a column, numbers at the end. No key has to be glued together to look
 * up.
 */
type Level = Map<Entry, Level | number>

/**
 * How many characters of keys a dictionary holds in memory before it forgets them all and asks the
 * file again: clients choose hosts and methods, so without a bound they choose our memory too.
 */
export const REMEMBERED_CHARACTERS_MAX = 16 * 1_024 * 1_024
/** What a key costs beyond its characters: a map entry, and often a map of its own. */
const KEY_OVERHEAD_CHARACTERS = 64

export interface DictionaryOptions {
  readonly table: string
  /** In the order of `id`'s arguments: those with few values first, which keeps the tree small. */
  readonly columns: readonly string[]
  /** What to store in place of a new entry's texts (pseudonyms). */
  readonly replace?: (values: Entry[]) => Entry[]
}

export class Dictionary {
  readonly #insert: Database.Statement<Entry[]>
  readonly #select: Database.Statement<Entry[], number>
  readonly #replace: (values: Entry[]) => Entry[]
  #known: Level = new Map()
  #characters = 0

  constructor(database: Database.Database, { table, columns, replace }: DictionaryOptions) {
    const marks = columns.map(() => '?').join(', ')
    const where = columns.map((column) => `${column} = ?`).join(' AND ')
    this.#insert = database.prepare<Entry[]>(
      `INSERT INTO ${table} (${columns.join(', ')}) VALUES (${marks}) ON CONFLICT DO NOTHING`,
    )
    this.#select = database
      .prepare<Entry[], number>(`SELECT id FROM ${table} WHERE ${where}`)
      .pluck()
    this.#replace = replace ?? ((values) => values)
  }

  /** The number of a one-column entry. */
  id(a: Entry): number {
    return (this.#known.get(a) as number | undefined) ?? this.#learn([a])
  }

  /** The number of a two-column entry. */
  id2(a: Entry, b: Entry): number {
    const level = this.#known.get(a) as Level | undefined
    return (level?.get(b) as number | undefined) ?? this.#learn([a, b])
  }

  /** The number of a four-column entry. */
  id4(a: Entry, b: Entry, c: Entry, d: Entry): number {
    const level = this.#known.get(a) as Level | undefined
    const next = level?.get(b) as Level | undefined
    const last = next?.get(c) as Level | undefined
    return (last?.get(d) as number | undefined) ?? this.#learn([a, b, c, d])
  }

  #learn(values: Entry[]): number {
    const stored = this.#replace(values).map(storable)
    const { changes, lastInsertRowid } = this.#insert.run(...stored)
    const id = changes === 1 ? Number(lastInsertRowid) : this.#select.get(...stored)
    if (id === undefined) throw new Error('a dictionary entry is neither new nor there')
    this.#remember(values, id)
    return id
  }

  #remember(values: Entry[], id: number): void {
    for (const value of values) this.#characters += typeof value === 'string' ? value.length : 0
    this.#characters += KEY_OVERHEAD_CHARACTERS
    if (this.#characters > REMEMBERED_CHARACTERS_MAX) {
      this.#known = new Map()
      this.#characters = 0
    }
    let level = this.#known
    for (const value of values.slice(0, -1)) {
      let next = level.get(value) as Level | undefined
      if (next === undefined) {
        next = new Map()
        level.set(value, next)
      }
      level = next
    }
    level.set(values.at(-1)!, id)
  }
}

/**
 * `value` as it can be stored and shown: lone surrogates become U+FFFD (SQLite keeps UTF-8), NUL
 * becomes `␀`, because the sqlite3 shell and SQLite's text functions hide what follows one.
 */
export function storable<T extends Entry>(value: T): T | string {
  return typeof value === 'string' ? value.toWellFormed().replaceAll('\u0000', '\u2400') : value
}
