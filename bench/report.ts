/**
 * Owns: the readable account of a bench: Markdown that prints well on a terminal too.
 * Never: measures or writes.
 */
import type { BenchResult, Comparison, Fact, Table } from './measure.ts'
import type { Plot } from './plot.ts'

export interface Report {
  readonly name: string
  readonly question: string
  /** Of the run, UTC. */
  readonly date: string
  readonly machine: { readonly processor: string; readonly cores: number; readonly node: string }
  /**
   * Load average of the last minute before it began: above a few tenths, others shared the
   * machine.
   */
  readonly loadBefore: number
  readonly result: BenchResult
}

export function markdownOf({ name, question, date, machine, loadBefore, result }: Report): string {
  const { comparisons, facts, notes, tables = [], plots = [] } = result
  return [
    `# ${name}`,
    question,
    `${date} · ${machine.processor} · ${machine.cores} cores · Node ${machine.node} · load before ${loadBefore.toFixed(2)}`,
    ...comparisons.flatMap(comparisonLines),
    ...tables.flatMap(tableLines),
    ...plots.map((plot) => `![${plot.title}](${plotFile(name, plot)})`),
    ...(facts.length > 0 ? ['## Facts', factsTable(facts)] : []),
    ...(notes.length > 0 ? ['## Notes', notes.map((note) => `- ${note}`).join('\n')] : []),
  ]
    .join('\n\n')
    .concat('\n')
}

/** The file that a plot is kept in, beside the account. */
export function plotFile(bench: string, { name }: Plot): string {
  return `${bench}-${name}.svg`
}

function tableLines({ title, header, rows }: Table): string[] {
  const cells = rows.map((row) =>
    row.map((cell) => (typeof cell === 'string' ? cell : figure(cell))),
  )
  return [`## ${title}`, tableOf([header, ...cells])]
}

function comparisonLines({ title, unit, better, rounds, rows }: Comparison): string[] {
  const header = ['', `median ${unit}`, 'min to max', 'spread', 'ratio', 'ratio min to max']
  const cells = rows.map((row) => [
    row.name,
    figure(row.median),
    `${figure(row.min)} to ${figure(row.max)}`,
    `${(row.spread * 100).toFixed(0)} %`,
    `${row.ratio.toFixed(2)} ×`,
    `${row.ratioMin.toFixed(2)} to ${row.ratioMax.toFixed(2)}`,
  ])
  const what = `${better === 'higher' ? 'Higher' : 'Lower'} is better; ${rounds} interleaved rounds; ratio to the first row, round by round.`
  return [`## ${title}`, tableOf([header, ...cells]), what]
}

function factsTable(facts: readonly Fact[]): string {
  const rows = facts.map(({ name, value, unit }) => [name, `${figure(value)} ${unit}`.trim()])
  return tableOf([['fact', 'value'], ...rows])
}

/** Four significant digits where it is small, whole numbers where it is not. */
function figure(value: number): string {
  return Math.abs(value) >= 1_000
    ? Math.round(value).toLocaleString('en')
    : String(Number(value.toPrecision(4)))
}

/** A Markdown table with aligned columns. */
function tableOf(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, i) => Math.max(3, ...rows.map((row) => row[i]!.length)))
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join(' | ')} |`
  const rule = `|${widths.map((width, i) => (i === 0 ? '-'.repeat(width + 2) : `${'-'.repeat(width + 1)}:`)).join('|')}|`
  const [header, ...rest] = rows
  return [line(header!), rule, ...rest.map(line)].join('\n')
}
