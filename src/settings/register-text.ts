/**
 * Owns: the register's text: a row put in, an end moved, and every other character left where it was.
 * Never: judges a row, or trusts itself: register-edit.ts reads back what comes of it.
 */
import { Document, isMap, isScalar, isSeq, type Node, type YAMLSeq } from 'yaml'
import { FIELD_NAMES, type RegisterFields } from './register-row.ts'
import { parseRegisterText } from './register-yaml.ts'

/**
 * `text` with `fields` as its last row. Block rows are put in as text. In a register in flow style,
 * `[{ user: … }]`, the YAML library writes the file: comments are kept, blanks may move.
 */
export function withRow(text: string, fields: RegisterFields): string {
  const document = parseRegisterText(text)
  const { contents } = document
  if (contents === null) return appended(text, newRow(text, fields, 0))
  if (!isSeq(contents)) throw new Error('a register that was read is a list')
  if (contents.items.length === 0) return firstRow(text, contents, fields)
  if (contents.flow === true) {
    const row = parseRegisterText(newRow('', fields, 0)).contents
    contents.flow = false
    if (isSeq(row)) contents.items.push(...row.items)
    return document.toString({ lineWidth: 0 })
  }
  const column = columnOf(text, contents.range?.[0] ?? 0)
  const last = contents.items[contents.items.length - 1] as Node
  const at = endOfRow(text, last, column)
  const gap = contents.items.length > 1 && last.spaceBefore === true ? newlineOf(text) : ''
  return appended(text.slice(0, at), gap + newRow(text, fields, column)) + text.slice(at)
}

/** `text` with another last day for the row at `position` (1-based). */
export function withUntil(text: string, position: number, until: string): string {
  const { contents } = parseRegisterText(text)
  const row = isSeq(contents) ? contents.items[position - 1] : null
  const value = isMap(row) ? row.get('until', true) : null
  if (!isScalar(value) || !value.range) throw new Error('a row that was read has an until')
  const [start, end] = value.range
  const quote = /^["']/.exec(text.slice(start, end))?.[0] ?? ''
  return text.slice(0, start) + quote + until + quote + text.slice(end)
}

/** A row in block style, as people read it, each line ended. */
function newRow(text: string, fields: RegisterFields, column: number): string {
  const pairs = FIELD_NAMES.flatMap((name) => {
    return fields[name] === undefined ? [] : [[name, fields[name]] as const]
  })
  // The usual schema here, not the register's own: what others might take for a number gets quotes.
  const row = new Document([Object.fromEntries(pairs)])
  const platforms = row.getIn([0, 'platforms'])
  if (isSeq(platforms)) platforms.flow = true
  const written = row.toString({ lineWidth: 0, flowCollectionPadding: false })
  const indent = ' '.repeat(column)
  return written
    .trimEnd()
    .split('\n')
    .map((line) => indent + line + newlineOf(text))
    .join('')
}

/** In the place of `[]`; what else stands on its line goes before the row. */
function firstRow(text: string, empty: YAMLSeq, fields: RegisterFields): string {
  const [start, end] = empty.range ?? [0, 0]
  const lineEnd = endOfLine(text, end)
  const beside = text.slice(end, lineEnd).trim()
  const head = text.slice(0, start) + (beside === '' ? '' : beside + newlineOf(text))
  return head + newRow(text, fields, 0) + text.slice(lineEnd)
}

function appended(text: string, rows: string): string {
  return text === '' || text.endsWith('\n') ? text + rows : text + newlineOf(text) + rows
}

/** Where the lines of a row end, with the comments that are indented as part of it. */
function endOfRow(text: string, row: Node, column: number): number {
  const end = row.range?.[1] ?? text.length
  let at = text[end - 1] === '\n' ? end : endOfLine(text, end)
  for (;;) {
    const lineEnd = endOfLine(text, at)
    const comment = /^( *)#/.exec(text.slice(at, lineEnd))
    if (comment === null || comment[1]!.length <= column) return at
    at = lineEnd
  }
}

/** After the line break that ends the line of `at`. */
function endOfLine(text: string, at: number): number {
  const end = text.indexOf('\n', at)
  return end < 0 ? text.length : end + 1
}

function columnOf(text: string, at: number): number {
  return at - (text.lastIndexOf('\n', at - 1) + 1)
}

function newlineOf(text: string): string {
  return text.includes('\r\n') ? '\r\n' : '\n'
}
