/**
 * Owns: from the bytes of the register to plain rows, with the line of everything in them.
 * Never: knows what the keys mean; throws for what stands in the file.
 */
import {
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseDocument,
  visit,
  type YAMLParseError,
} from 'yaml'
import type { Problem } from './problems.ts'

export interface RowSource {
  /** Plain data: texts, lists and groups of keys. A key with nothing after it is not there, but for dnr. */
  readonly value: unknown
  /** The 1-based line of what stands at a path in the row (or of its key), or of the nearest thing around. */
  readonly lineOf: (at: readonly (string | number)[], atKey: boolean) => number
}

/** Some ten times the rows of the largest municipality; above it the file is not a register. */
export const REGISTER_ROWS_MAX = 10_000
export const REGISTER_BYTES_MAX = 8 * 1024 * 1024

/** One slip of syntax can make every line after it wrong. */
const SYNTAX_PROBLEMS_MAX = 20

/** What to do about the slips that people make; the parser's own words for the rest. */
const REMEDIES: Readonly<Record<string, readonly [what: string, hint: string]>> = {
  DUPLICATE_KEY: ['a key is given twice in one row', 'start each row with a hyphen'],
  TAB_AS_INDENT: ['a tab stands in the indentation', 'indent with blanks'],
  BAD_INDENT: ['the indentation is uneven', 'keys of one row start in the same column'],
  BLOCK_AS_IMPLICIT_KEY: ['a text holds a colon and a blank', 'put the text in quotes'],
  RESOURCE_EXHAUSTION: [
    'its levels are too many to read',
    'a row has keys, and a list of platforms',
  ],
  MULTIPLE_DOCS: ['the file holds several documents', 'remove the lines --- but the first'],
}

/** The rows in `bytes`, or why they cannot be told. */
export function readRegisterYaml(
  bytes: Uint8Array,
  file: string,
): { ok: true; rows: RowSource[] } | { ok: false; problems: Problem[] } {
  const refused = (line: number, what: string, expected: string, hint = '') => {
    const problems: Problem[] = [{ file, line, key: '', value: '', what, expected, hint }]
    return { ok: false as const, problems }
  }
  if (bytes.length > REGISTER_BYTES_MAX) {
    const most = `at most ${REGISTER_BYTES_MAX} bytes`
    return refused(0, `the file has ${bytes.length} bytes`, most)
  }
  const text = decode(bytes)
  if (typeof text === 'number') {
    const hint = 'save the file as UTF-8; å, ä and ö are often what is wrong'
    return refused(text, 'a character is not UTF-8', 'text in UTF-8', hint)
  }
  const lines = new LineCounter()
  const lineAt = (offset: number) => Math.max(1, lines.linePos(offset).line)
  const document = parseRegisterText(text, lines)
  const broken = document.errors.map((error) => syntaxFault(text, error))
  const faults = firstOfLines([...broken, ...aliasFaults(document)], lineAt)
  if (faults.length > 0) {
    const problems = faults.slice(0, SYNTAX_PROBLEMS_MAX).map(({ offset, ...words }) => {
      return { file, line: lineAt(offset), key: '', value: '', ...words }
    })
    return { ok: false, problems }
  }
  const { contents } = document
  if (!isSeq(contents) && contents !== null) {
    const hint = 'start each row with "- user:"; an empty register is []'
    return refused(lineAt(contents.range?.[0] ?? 0), '', 'a list of rows', hint)
  }
  const items = (contents?.items ?? []) as (Node | null)[]
  if (items.length > REGISTER_ROWS_MAX) {
    return refused(0, `it has ${items.length} rows`, `at most ${REGISTER_ROWS_MAX} rows`)
  }
  const rows = items.map((item) => ({
    value: plain(item),
    lineOf: (at: readonly (string | number)[], atKey: boolean) => lineAt(offsetOf(item, at, atKey)),
  }))
  return { ok: true, rows }
}

/**
 * The YAML document of a register. The schema is YAML's plainest: every value is the text that stands
 * there, so `2026-01-01` stays a date, the user `007` keeps its zeros, and `no` is a name.
 */
export function parseRegisterText(text: string, lineCounter?: LineCounter) {
  const options = { schema: 'failsafe', prettyErrors: false, merge: false } as const
  return parseDocument(text, lineCounter === undefined ? options : { ...options, lineCounter })
}

interface SyntaxFault {
  readonly offset: number
  readonly what: string
  readonly expected: string
  readonly hint: string
}

function syntaxFault(text: string, error: YAMLParseError): SyntaxFault {
  const [offset] = error.pos
  const lineStart = text.lastIndexOf('\n', offset - 1) + 1
  // The parser finds fault with what comes after a tab more often than with the tab.
  const code = /^ *\t/.test(text.slice(lineStart, offset)) ? 'TAB_AS_INDENT' : error.code
  const [what, hint] = REMEDIES[code] ?? [error.message, 'look at the marks and the indentation']
  return { offset, what, expected: 'YAML', hint }
}

/** One fault a line: the others on it follow from the first. */
function firstOfLines(
  faults: readonly SyntaxFault[],
  lineAt: (offset: number) => number,
): SyntaxFault[] {
  const lines = new Set<number>()
  return faults.filter(({ offset }) => {
    const line = lineAt(offset)
    return !lines.has(line) && lines.add(line)
  })
}

function aliasFaults(document: ReturnType<typeof parseRegisterText>): SyntaxFault[] {
  const faults: SyntaxFault[] = []
  visit(document, {
    Alias: (_key, { source, range }) => {
      const hint = 'write the value out, so that the row can be read alone'
      faults.push({ offset: range?.[0] ?? 0, what: `*${source}`, expected: 'no aliases', hint })
    },
  })
  return faults
}

function plain(node: Node | null): unknown {
  if (isScalar(node)) return node.value === '' ? undefined : node.value
  if (isSeq(node)) return node.items.map((item) => plain(item as Node | null) ?? '')
  if (!isMap(node)) return undefined
  const row = new Map<string, unknown>()
  for (const { key, value } of node.items) {
    const name = isScalar(key) ? String(key.value) : '?'
    const found = plain(value as Node | null)
    if (found !== undefined) row.set(name, found)
    else if (name === 'dnr') row.set(name, '')
  }
  return Object.fromEntries(row)
}

/** Where in the text something of a row stands, or the nearest thing around it. */
function offsetOf(item: Node | null, at: readonly (string | number)[], atKey: boolean): number {
  let node: Node | null = item
  for (const part of at) {
    let next: Node | null = null
    if (isMap(node)) {
      const pair = node.items.find(({ key }) => isScalar(key) && String(key.value) === part)
      if (atKey && pair !== undefined) return (pair.key as Node).range?.[0] ?? 0
      next = (pair?.value ?? null) as Node | null
    } else if (isSeq(node)) next = (node.items[Number(part)] ?? null) as Node | null
    if (next === null) break
    node = next
  }
  return node?.range?.[0] ?? 0
}

/** The text without a byte order mark, or the line of the first byte that is not UTF-8. */
function decode(bytes: Uint8Array): string | number {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    const good = new TextDecoder('utf-8').decode(bytes).split('\ufffd', 1)[0]!
    return good.split('\n').length
  }
}
