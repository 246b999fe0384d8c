/**
 * Owns: showing how far long work has come: a bar on a terminal, plain lines elsewhere.
 * Never: writes to standard output, which is for results.
 */
import { printable } from '../settings/problems.ts'

/** A piece of work with a name; `total` is null where nobody knows. */
export interface ProgressStep {
  readonly label: string
  readonly done: number
  readonly total: number | null
  readonly unit: 'bytes' | 'names' | 'days'
}

export interface ProgressStream {
  readonly isTTY?: boolean
  readonly columns?: number
  write(text: string): unknown
}

/** How often a bar is drawn anew. */
const DRAW_EVERY_MS = 100
/** Elsewhere than on a terminal, a line is written each time so much more is done. */
const LINE_SHARE = 0.25
const BAR_CELLS = 24
const COLUMNS_DEFAULT = 80
const MIB = 1_024 * 1_024
const ERASE_LINE = '\r\u001b[K'

export class Progress {
  readonly #stream: ProgressStream
  readonly #now: () => number
  #label = ''
  #drawnAtMs = -Infinity
  #quarter = 0
  #isDrawn = false

  constructor(
    stream: ProgressStream = process.stderr,
    now: () => number = () => performance.now(),
  ) {
    this.#stream = stream
    this.#now = now
  }

  show(step: ProgressStep): void {
    const isNew = step.label !== this.#label
    if (this.#stream.isTTY === true) this.#draw(step, isNew)
    else this.#tell(step, isNew)
    this.#label = step.label
  }

  /** A line that stays, above whatever is drawn next. */
  line(text: string): void {
    this.end()
    this.#stream.write(`${printable(text)}\n`)
  }

  /** Takes the bar away. */
  end(): void {
    if (this.#isDrawn) this.#stream.write(ERASE_LINE)
    this.#isDrawn = false
    this.#label = ''
    this.#drawnAtMs = -Infinity
  }

  #draw(step: ProgressStep, isNew: boolean): void {
    const now = this.#now()
    if (!isNew && now - this.#drawnAtMs < DRAW_EVERY_MS) return
    this.#drawnAtMs = now
    this.#isDrawn = true
    const width = (this.#stream.columns ?? COLUMNS_DEFAULT) - 1
    const share = shareOf(step)
    const text =
      share === null
        ? `${step.label}  ${amount(step)}`
        : `${step.label}  [${bar(share)}] ${percent(share)}  ${amount(step)}`
    this.#stream.write(ERASE_LINE + printable(text).slice(0, width))
  }

  #tell(step: ProgressStep, isNew: boolean): void {
    const quarter = Math.floor((shareOf(step) ?? 0) / LINE_SHARE)
    if (!isNew && quarter <= this.#quarter) return
    this.#quarter = quarter
    const share = shareOf(step)
    const far = share === null ? amount(step) : `${percent(share)} (${amount(step)})`
    this.#stream.write(`${printable(`${step.label}: ${far}`)}\n`)
  }
}

function shareOf({ done, total }: ProgressStep): number | null {
  if (total === null) return null
  return total <= 0 ? 1 : Math.min(1, Math.max(0, done / total))
}

function percent(share: number): string {
  return `${Math.floor(share * 100)} %`
}

function bar(share: number): string {
  const full = Math.floor(share * BAR_CELLS)
  return '#'.repeat(full) + '-'.repeat(BAR_CELLS - full)
}

function amount({ done, total, unit }: ProgressStep): string {
  const of = total === null ? '' : ` of ${count(total, unit)}`
  return `${count(done, unit)}${of} ${unit === 'bytes' ? 'MiB' : unit}`
}

function count(n: number, unit: ProgressStep['unit']): string {
  return unit === 'bytes' ? (n / MIB).toFixed(1) : String(Math.floor(n))
}
