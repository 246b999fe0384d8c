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
  readonly unit: 'bytes' | 'names' | 'buckets' | 'lists' | 'days'
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
const KIB = 1_024
const MIB = 1_024 * KIB
const ERASE_LINE = '\r\u001b[K'

export class Progress {
  readonly #stream: ProgressStream
  readonly #now: () => number
  #label = ''
  #drawnAtMs = -Infinity
  #quarter = 0
  #isDrawn = false
  /** Before, nothing is shown. */
  readonly #fromMs: number

  /** `patienceMs`: work that has ended by then is shown nothing of. */
  constructor(
    stream: ProgressStream = process.stderr,
    now: () => number = () => performance.now(),
    patienceMs = 0,
  ) {
    this.#stream = stream
    this.#now = now
    this.#fromMs = now() + patienceMs
  }

  show(step: ProgressStep): void {
    if (this.#now() < this.#fromMs) return
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
    // A terminal that does not know its width says 0.
    const width = (this.#stream.columns || COLUMNS_DEFAULT) - 1
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
  if (unit !== 'bytes') return `${numberOf(done, total, String)} ${unit}`
  const [size, name] = (total ?? done) < MIB ? [KIB, 'KiB'] : [MIB, 'MiB']
  return `${numberOf(done, total, (n) => (n / size).toFixed(1))} ${name}`
}

function numberOf(done: number, total: number | null, text: (n: number) => string): string {
  const far = text(Math.floor(done))
  return total === null ? far : `${far} of ${text(total)}`
}
