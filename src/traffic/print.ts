/**
 * Owns: rows of the log as text: CSV, JSON, cells of a table; harmless to who opens them.
 * Never: writes anywhere, or changes what JSON says: it is the exact form.
 *
 * Clients choose hosts, paths and methods, so a row may hold anything. In CSV and tables,
 * characters that move a cursor, end a line, hide or turn text around are written out (`\x1b`,
 * `\u202e`).
 */
import { TRAFFIC_COLUMNS, type TrafficRow } from './schema.ts'

/** Controls (C0, DEL, C1), line separators, and what is invisible or changes direction. */
const INVISIBLE =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: controls are what this looks for
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/g
/** A spreadsheet takes a cell that starts so for a formula (OWASP, "CSV Injection"). */
const FORMULA = /^[=+\-@\t\r]/

/** `text` with everything invisible written out: one line, safe for a terminal. */
export function printable(text: string): string {
  return text.replace(INVISIBLE, (character) => {
    const code = character.charCodeAt(0)
    return code < 256
      ? `\\x${code.toString(16).padStart(2, '0')}`
      : `\\u${code.toString(16).padStart(4, '0')}`
  })
}

/** The header line of `csvLine`. */
export const CSV_HEADER = `${TRAFFIC_COLUMNS.join(',')}\r\n`

/** One line of RFC 4180. What would be a formula gets an apostrophe before it. */
export function csvLine(row: TrafficRow): string {
  return `${TRAFFIC_COLUMNS.map((column) => csvCell(row[column])).join(',')}\r\n`
}

function csvCell(value: string | number): string {
  if (typeof value === 'number') return String(value)
  const text = FORMULA.test(value) ? `'${printable(value)}` : printable(value)
  return /[",]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}

/** One JSON object in ASCII-safe form: exact, and nothing in it acts on a terminal. */
export function jsonObject(row: TrafficRow): string {
  return JSON.stringify(row).replace(
    INVISIBLE,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

/** Longer cells end in an ellipsis; CSV and JSON have them whole. */
export const CELL_LENGTH_MAX = 48

export const TABLE_HEADER: readonly string[] = [
  ...['TIME', 'USER', 'ADDRESS', 'METHOD', 'HOST', 'CATEGORIES', 'VERDICT', 'REASON', 'RULE'],
  ...['UP', 'DOWN', 'MS', 'STATUS', 'ENDING', 'HELLO'],
]

/** The cells of a row under `TABLE_HEADER`: what people look for first, not all there is. */
export function tableCells(row: TrafficRow): string[] {
  const { time, user, address, method, host, port, categories, verdict, reason, rule } = row
  const { bytes_up, bytes_down, duration_ms, status, ending, event, count } = row
  const authority = host === '' ? '' : `${host.includes(':') ? `[${host}]` : host}:${port}`
  const end = event === 'gap' ? `gap: ${count} records missing` : ending
  const cells = [time, user, address, method, authority, categories, verdict, reason, rule]
  cells.push(...[bytes_up, bytes_down, duration_ms, status].map(String), end, helloCell(row))
  return cells.map((cell) => shortened(printable(cell)))
}

/** What is worth a word: a hello that was not simply for the host. */
function helloCell({ hello, server_name, host }: TrafficRow): string {
  const plain = hello === 'matched' && server_name === host
  return plain ? '' : [hello, server_name].filter(Boolean).join(' ')
}

function shortened(text: string): string {
  return text.length <= CELL_LENGTH_MAX ? text : `${text.slice(0, CELL_LENGTH_MAX - 1)}…`
}
