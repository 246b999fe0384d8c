/**
 * Owns: which code of some files has run, block by block, as V8 counts it.
 * Never: judges what ran; fuzz.ts does.
 */
import { type Profiler, Session } from 'node:inspector'

/** Counts while it is open, of the scripts whose URL `concerns` takes. */
export class Coverage {
  readonly #session = new Session()
  readonly #concerns: (url: string) => boolean
  /** Of each function, a byte for each character of its text: 1 where it has run. */
  readonly #functions = new Map<string, Uint8Array>()

  constructor(concerns: (url: string) => boolean) {
    this.#concerns = concerns
    this.#session.connect()
    this.#session.post('Profiler.enable')
    this.#session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true })
    this.#take()
  }

  close(): void {
    this.#session.disconnect()
  }

  /** What ran since the last call, function by function. */
  #take(): Profiler.ScriptCoverage[] {
    let scripts: Profiler.ScriptCoverage[] = []
    this.#session.post('Profiler.takePreciseCoverage', (error, taken) => {
      if (error) throw new Error(`no coverage: ${error.message}`)
      scripts = taken.result
    })
    return scripts.filter(({ url }) => this.#concerns(url))
  }

  /** Forgets what ran since the last call. */
  skip(): void {
    this.#take()
  }

  /** How many characters ran since the last call that never ran before; with `keep`, they have now. */
  fresh(keep: boolean): number {
    let count = 0
    for (const { url, functions } of this.#take()) {
      for (const { ranges } of functions) count += this.#freshOf(url, ranges, keep)
    }
    return count
  }

  #freshOf(url: string, ranges: readonly Profiler.CoverageRange[], keep: boolean): number {
    const { startOffset: start, endOffset: end } = ranges[0]!
    const ran = new Uint8Array(end - start)
    // From the outside in: what is within says it better.
    for (const { startOffset, endOffset, count } of ranges) {
      ran.fill(count > 0 ? 1 : 0, startOffset - start, endOffset - start)
    }
    const key = `${url}:${start}`
    const before = this.#functions.get(key)
    let fresh = 0
    for (let i = 0; i < ran.length; i++) {
      if (ran[i] === 1 && before?.[i] !== 1) fresh++
      if (before?.[i] === 1) ran[i] = 1
    }
    if (keep && fresh > 0) this.#functions.set(key, ran)
    return fresh
  }

  /** How many characters have run in all. */
  get total(): number {
    let total = 0
    for (const characters of this.#functions.values()) {
      for (const one of characters) total += one
    }
    return total
  }
}
