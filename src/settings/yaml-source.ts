/**
 * Owns: from the text of a YAML file to plain data, with the line of every key and value kept.
 * Never: knows what the keys mean; throws for what stands in the file.
 *
 * Keys given twice, tabs, unknown aliases and the like are problems with a line. Aliases are followed,
 * but only so far: a small file cannot unfold into a large one.
 */
import {
  type Alias,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  type Pair,
  parseDocument,
  type YAMLError,
  type YAMLMap,
} from 'yaml'
import { formatKeyPath, type KeyPath } from './key-path.ts'
import { type Complaint, type Problem, quoteValue } from './problems.ts'

/** A settings file is read and edited by people; a larger one is a slip. Lists have files of their own. */
export const YAML_LENGTH_MAX = 1_048_576
export const YAML_DEPTH_MAX = 32
export const YAML_NODES_MAX = 50_000

export interface YamlSource {
  /** Plain data; a key with nothing after its colon is undefined, as if it were not written. */
  readonly value: unknown
  /** False: the syntax is broken, and `value` is not to be judged. */
  readonly whole: boolean
  /** Of the syntax, and keys given twice. */
  readonly problems: readonly Problem[]
  /** The 1-based line of what stands at `path`, or of the nearest thing around it. */
  readonly lineOf: (path: KeyPath) => number
  readonly locate: (complaint: Complaint) => Problem
}

interface Place {
  /** Offsets in the text. */
  readonly key: number
  readonly value: number
  /** A number or truth value as it was written: `0x10`, `1e3`. */
  readonly written: string | null
}

export function readYaml(file: string, text: string): YamlSource {
  if (text.length > YAML_LENGTH_MAX) {
    const expected = `at most ${YAML_LENGTH_MAX} characters`
    return broken({ file, what: `the file has ${text.length} characters`, expected, hint: '' })
  }
  const lines = new LineCounter()
  const options = { lineCounter: lines, prettyErrors: false, uniqueKeys: false, merge: false }
  try {
    const document = parseDocument(text, options)
    if (document.errors.length > 0) {
      const problems = onePerLine(document.errors.map((error) => syntaxProblem(file, error, lines)))
      return { ...broken({ file, what: '', expected: '', hint: '' }), problems }
    }
    return new Reader(file, lines, document).source()
  } catch (error) {
    // The parser calls itself for each level: thousands of brackets exhaust the stack.
    if (!(error instanceof RangeError)) throw error
    const expected = `at most ${YAML_DEPTH_MAX} levels`
    return broken({ file, what: TOO_DEEP, expected, hint: '' })
  }
}

function broken(words: Pick<Problem, 'file' | 'what' | 'expected' | 'hint'>): YamlSource {
  const locate = (complaint: Complaint): Problem => ({
    file: words.file,
    line: 0,
    key: formatKeyPath(complaint.path),
    value: quoteValue(complaint.value),
    what: complaint.what,
    expected: complaint.expected,
    hint: complaint.hint,
  })
  const problems = [{ ...words, line: 0, key: '', value: '' }]
  return { value: undefined, whole: false, problems, lineOf: () => 0, locate }
}

const TOO_DEEP = 'the levels are too many to read'

/** What to do about the slips that people make; the parser's own words for the rest. */
const REMEDIES: Readonly<Record<string, readonly [what: string, hint: string]>> = {
  TAB_AS_INDENT: ['a tab stands in the indentation', 'indent with blanks'],
  BAD_INDENT: [
    'the indentation is uneven, or a bracket is not closed',
    'keys of one group start in the same column',
  ],
  BLOCK_AS_IMPLICIT_KEY: [
    'two keys stand on one line, or a text holds a colon',
    'put the text in quotes',
  ],
  BAD_SCALAR_START: ['a text starts with a mark that means something else', 'put it in quotes'],
  MULTIPLE_DOCS: ['the file holds several documents', 'remove the lines --- but the first'],
  BAD_DQ_ESCAPE: ['a backslash stands in double quotes', 'use single quotes, or double it'],
}

function syntaxProblem(file: string, error: YAMLError, lines: LineCounter): Problem {
  const { line, col } = lines.linePos(error.pos[0])
  const deep = /call stack|stack overflow/i.test(error.message)
  const own: readonly [string, string] = deep ? [TOO_DEEP, ''] : [error.message, '']
  const [what, hint] = REMEDIES[error.code] ?? own
  return { file, line, column: col, key: '', value: '', what, expected: 'YAML', hint }
}

/** The first error of a line: those after it are mostly its consequences. */
function onePerLine(problems: readonly Problem[]): Problem[] {
  const lines = new Set<number>()
  return problems.filter(({ line }) => !lines.has(line) && lines.add(line))
}

/** Walks a document once, turning it into plain data and noting where everything stands. */
class Reader {
  readonly #file: string
  readonly #lines: LineCounter
  readonly #document: ReturnType<typeof parseDocument>
  readonly #places = new Map<string, Place>()
  readonly #problems: Problem[] = []
  readonly #anchors = new Map<string, Node>()
  #nodes = 0
  #limited = false

  constructor(file: string, lines: LineCounter, document: ReturnType<typeof parseDocument>) {
    this.#file = file
    this.#lines = lines
    this.#document = document
  }

  source(): YamlSource {
    const value = this.#read(this.#document.contents, [], { key: 0, value: 0, written: null })
    return {
      value: value ?? undefined,
      whole: true,
      problems: this.#problems,
      lineOf: (path) => this.#lines.linePos(this.#place(path).value).line,
      locate: (complaint) => this.#locate(complaint),
    }
  }

  #read(node: Node | null, path: KeyPath, around: Place): unknown {
    const start = node?.range?.[0] ?? around.value
    this.#nodes += 1
    const limit = this.#limitPassed(path)
    if (limit !== null) {
      if (!this.#limited) this.#complain(path, { what: 'the file is too large', expected: limit })
      this.#limited = true
      return undefined
    }
    const written = isScalar(node) && typeof node.value !== 'string' ? (node.source ?? null) : null
    const place = { key: around.key, value: start, written }
    this.#places.set(formatKeyPath(path), place)
    if ((isScalar(node) || isMap(node) || isSeq(node)) && node.anchor !== undefined) {
      this.#anchors.set(node.anchor, node)
    }
    if (isAlias(node)) return this.#follow(node, path, place)
    if (isScalar(node)) return node.value
    if (isMap(node)) return this.#readMap(node, path, place)
    if (isSeq(node)) {
      return node.items.map((item, i) => {
        const offset = (item as Node | null)?.range?.[0] ?? start
        const here = { key: offset, value: offset, written: null }
        return this.#read(item as Node | null, [...path, i], here) ?? null
      })
    }
    return undefined
  }

  #limitPassed(path: KeyPath): string | null {
    if (path.length > YAML_DEPTH_MAX) return `at most ${YAML_DEPTH_MAX} levels`
    return this.#nodes > YAML_NODES_MAX ? `at most ${YAML_NODES_MAX} keys and values` : null
  }

  /** What an alias stands for, judged where the alias is and placed where the text is. */
  #follow(node: Alias, path: KeyPath, place: Place): unknown {
    const target = this.#anchors.get(node.source)
    if (target !== undefined) return this.#read(target, path, place)
    const what = `there is no anchor &${node.source} above`
    this.#complain(path, { what })
    return undefined
  }

  #readMap(node: YAMLMap, path: KeyPath, place: Place): Record<string, unknown> {
    const group: Record<string, unknown> = {}
    const first = new Map<string, number>()
    for (const pair of node.items as Pair<Node, Node | null>[]) {
      const offset = pair.key?.range?.[0] ?? place.value
      const name = isScalar(pair.key) ? String(pair.key.source ?? pair.key.value) : null
      const here = { key: offset, value: offset, written: null }
      if (name === null) {
        this.#places.set(formatKeyPath([...path, '']), here)
        this.#complain([...path, ''], { what: 'a key is not a plain word' })
        continue
      }
      const earlier = first.get(name)
      if (earlier !== undefined) {
        const { line } = this.#lines.linePos(earlier)
        const what = `the key is given twice, first on line ${line}`
        const at = this.#lines.linePos(offset)
        this.#complain([...path, name], { what, hint: 'keep one of them' }, at)
        continue
      }
      first.set(name, offset)
      if (name === '__proto__') {
        this.#places.set(formatKeyPath([...path, name]), here)
        this.#complain([...path, name], { what: 'there is no such key' })
        continue
      }
      group[name] = this.#read(pair.value, [...path, name], here) ?? undefined
    }
    return group
  }

  #complain(
    path: KeyPath,
    words: { what: string; expected?: string; hint?: string },
    at?: { line: number; col: number },
  ): void {
    const problem = this.#locate({ path, value: undefined, expected: '', hint: '', ...words })
    this.#problems.push(at ? { ...problem, line: at.line, column: at.col } : problem)
  }

  /** The place of `path`, or of the nearest thing around it that is written. */
  #place(path: KeyPath): Place {
    for (let length = path.length; length >= 0; length--) {
      const place = this.#places.get(formatKeyPath(path.slice(0, length)))
      if (place !== undefined) return place
    }
    return { key: 0, value: 0, written: null }
  }

  #locate({ path, at, value, what, expected, hint }: Complaint): Problem {
    const place = this.#place(path)
    const { line, col } = this.#lines.linePos(at === 'key' ? place.key : place.value)
    const own = this.#places.get(formatKeyPath(path))?.written
    const shown = typeof value === 'number' || typeof value === 'boolean' ? own : null
    return {
      file: this.#file,
      line: Math.max(1, line),
      column: Math.max(1, col),
      key: formatKeyPath(path),
      value: shown ?? quoteValue(value),
      what,
      expected,
      hint,
    }
  }
}
