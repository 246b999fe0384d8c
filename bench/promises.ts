/**
 * Owns: what was promised of a figure beside Squid's (must, aim), and the table that says what came
 * of it.
 * Never: measures, or takes what was not measured for kept.
 */
import type { Comparison, Table } from './measure.ts'

/** Something promised: of ours to theirs, or of more to less, as `what` says. */
export interface Kept {
  readonly what: string
  /** As people read them. */
  readonly ours: string
  readonly theirs: string
  readonly ratio: number
  readonly ratioMin: number
  readonly ratioMax: number
  readonly must: Bound
  /** Null: nothing beyond the must. */
  readonly aim: Bound | null
}

export interface Bound {
  readonly kind: 'at most' | 'at least'
  readonly value: number
}

export const atMost = (value: number): Bound => ({ kind: 'at most', value })
export const atLeast = (value: number): Bound => ({ kind: 'at least', value })

/** Of a comparison in which lower is better and Squid the first: ours to theirs. */
export function costBeside(
  comparison: Comparison,
  what: string,
  must: number,
  aim: number,
): Kept | null {
  const [theirs] = comparison.rows
  const ours = comparison.rows.find(({ name }) => name === 'Sluss')
  if (theirs?.name !== 'Squid' || ours === undefined) return null
  const text = (value: number) => `${figure(value)} ${comparison.unit}`
  return {
    ...{ what, ours: text(ours.median), theirs: text(theirs.median) },
    // What is kept is how many times better ours is.
    ...{ ratio: 1 / ours.ratio, ratioMin: 1 / ours.ratioMax, ratioMax: 1 / ours.ratioMin },
    ...{ must: atMost(must), aim: atMost(aim) },
  }
}

export function tableOfPromises(kept: readonly Kept[]): Table {
  return {
    title: 'What was promised',
    header: ['', 'Sluss', 'Squid', 'ratio', 'rounds', 'must', 'aim', ''],
    rows: kept.map(({ what, ours, theirs, ratio, ratioMin, ratioMax, must, aim }) => [
      ...[what, ours, theirs, ratio.toFixed(2)],
      `${ratioMin.toFixed(2)} to ${ratioMax.toFixed(2)}`,
      ...[textOf(must), aim === null ? '' : textOf(aim), verdict(ratio, must, aim)],
    ]),
  }
}

function verdict(ratio: number, must: Bound, aim: Bound | null): string {
  if (!holds(ratio, must)) return 'NOT MET'
  if (aim === null) return 'met'
  return holds(ratio, aim) ? 'met, and the aim' : 'met, not the aim'
}

function holds(ratio: number, { kind, value }: Bound): boolean {
  return kind === 'at most' ? ratio <= value : ratio >= value
}

function textOf({ kind, value }: Bound): string {
  return `${kind === 'at most' ? '≤' : '≥'} ${value}`
}

export function figure(value: number): string {
  return Math.abs(value) >= 1_000
    ? Math.round(value).toLocaleString('en')
    : String(Number(value.toPrecision(3)))
}
