/**
 * Owns: which files of a folder or an archive are the list that is meant: the folder of a category
 * as squidGuard has it, or one file by its name.
 * Never: opens a file; a path in an archive is compared, and written nowhere.
 */
import type { SideFile } from './lines.ts'
import type { ReadTrouble } from './trouble.ts'

/** The file of a category that its hosts stand in. */
export const DOMAINS_FILE = 'domains'

/** The files beside it: what they name is less than a host. */
export const SIDE_FILES: readonly SideFile[] = [
  { name: 'urls', reason: 'url' },
  { name: 'expressions', reason: 'expression' },
]

/** Names that a message shows. */
const NAMES_SHOWN_MAX = 40

export type Role = 'domains' | 'file' | SideFile

/** Decides on file after file, in whatever order an archive has them. */
export class MemberChoice {
  readonly #member: string | null
  /** False where the settings name the format of a file: then only a file will do. */
  readonly #categories: boolean
  readonly #names = new Set<string>()
  /** The folder or file that was chosen; another that fits as well makes the choice unsure. */
  readonly #chosen = new Set<string>()
  readonly #read = new Set<string>()
  readonly #links = new Map<string, string>()
  /** A file of the list that stands in an archive more than once. */
  #twice: string | null = null

  constructor(member: string | null, categories: boolean) {
    this.#member = member
    this.#categories = categories
  }

  /** What the regular file at `path` is to the list; null where it is not its. Once for each file. */
  roleOf(path: string): Role | null {
    const parts = partsOf(path)
    const base = parts.at(-1)
    if (base === undefined) return null
    const whole = parts.join('/')
    if (this.#member !== null && this.#fits(parts)) return this.#choose(whole, whole, 'file')
    const role = base === DOMAINS_FILE ? 'domains' : SIDE_FILES.find(({ name }) => name === base)
    if (role === undefined || !this.#categories) {
      if (!this.#categories) this.#names.add(whole)
      return null
    }
    const folder = parts.slice(0, -1)
    this.#names.add(folder.join('/') || '.')
    if (this.#member !== null && !this.#fits(folder)) return null
    return this.#choose(folder.join('/') || '.', whole, role)
  }

  /** A link in an archive, which is not followed: its target may be behind us. */
  addLink(path: string, target: string): void {
    if (this.#links.size < NAMES_SHOWN_MAX) this.#links.set(partsOf(path).join('/'), target)
  }

  /** What is wrong with the choice, once all files have been seen. */
  verdict(): ReadTrouble | null {
    const names = shown([...this.#names])
    if (this.#chosen.size > 1) return this.#several()
    const [chosen] = this.#chosen
    if (chosen === undefined) return this.#nothing(names)
    if (this.#twice !== null) {
      return { what: `${this.#twice} stands in it twice`, hint: 'Pack the list again.' }
    }
    const domains = chosen === '.' ? DOMAINS_FILE : `${chosen}/${DOMAINS_FILE}`
    if (this.#read.has(domains) || this.#read.has(chosen)) return null
    return { what: `there is no file ${domains} in it`, hint: 'See that the list is whole.' }
  }

  #choose(chosen: string, file: string, role: Role): Role | null {
    this.#chosen.add(chosen)
    if (this.#chosen.size > 1) return null
    if (this.#read.has(file)) this.#twice = file
    this.#read.add(file)
    return role
  }

  /** True where the path is the member, or ends in it. */
  #fits(parts: readonly string[]): boolean {
    const wanted = partsOf(this.#member ?? '')
    if (wanted.length === 0 || wanted.length > parts.length) return false
    return wanted.every((part, i) => part === parts[parts.length - wanted.length + i])
  }

  #several(): ReadTrouble {
    const names = this.#member === null ? [...this.#names] : [...this.#chosen]
    const what =
      this.#member === null
        ? `there are ${names.length} lists in it: ${shown(names)}`
        : `several lists in it are called ${this.#member}: ${shown(names)}`
    return { what, hint: 'Name the one that is meant, as member.' }
  }

  #nothing(names: string): ReadTrouble {
    const target = this.#linkTarget()
    if (target !== null) {
      return {
        what: `${this.#member} is only a link to ${target} in it`,
        hint: `Write member: ${target}.`,
      }
    }
    if (this.#member !== null) {
      return {
        what: `there is no list ${this.#member} in it`,
        hint: names === '' ? 'See what it holds.' : `Name one of these as member: ${names}.`,
      }
    }
    if (!this.#categories && names !== '') {
      return { what: `there are files in it: ${names}`, hint: 'Name the list, as member.' }
    }
    return {
      what: `there is no file ${DOMAINS_FILE} in it, nor in a folder of it`,
      hint: 'Name the file that is the list, as member.',
    }
  }

  #linkTarget(): string | null {
    for (const [path, target] of this.#links) {
      if (this.#member !== null && this.#fits(partsOf(path))) return partsOf(target).join('/')
    }
    return null
  }
}

/** The parts of a path; none where it leads elsewhere than down. */
function partsOf(path: string): string[] {
  const parts = path.split('/').filter((part) => part !== '' && part !== '.')
  return parts.includes('..') ? [] : parts
}

function shown(names: readonly string[]): string {
  const sorted = [...names].sort()
  const more = sorted.length - NAMES_SHOWN_MAX
  const text = sorted.slice(0, NAMES_SHOWN_MAX).map(printable).join(', ')
  return more > 0 ? `${text} and ${more} more` : text
}

function printable(name: string): string {
  return name.slice(0, 100).replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '\ufffd')
}
