/**
 * Owns: which code of some files has run, block by block, as V8 counts it.
 * Never: judges what ran; fuzz.ts does.
 */
import { type Profiler, Session } from 'node:inspector'

/** By function, where it stands: a byte for each character of its text, 1 where it has run. */
export type Ran = ReadonlyMap<string, Uint8Array>

/** Counts while it is open, of the scripts whose URL `concerns` takes. */
export class Coverage {
  readonly #session = new Session()
  readonly #concerns: (url: string) => boolean
  readonly #functions = new Map<string, Uint8Array>()

  constructor(concerns: (url: string) => boolean) {
    this.#concerns = concerns
    this.#session.connect()
    this.#session.post('Profiler.enable')
    this.#session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true })
    this.take()
  }

  close(): void {
    this.#session.disconnect()
  }

  /** What ran since the last call. */
  take(): Ran {
    const ran = new Map<string, Uint8Array>()
    for (const { url, functions } of this.#scripts()) {
      for (const { ranges } of functions)
        ran.set(`${url}:${ranges[0]!.startOffset}`, painted(ranges))
    }
    return ran
  }

  #scripts(): Profiler.ScriptCoverage[] {
    let scripts: Profiler.ScriptCoverage[] = []
    this.#session.post('Profiler.takePreciseCoverage', (error, taken) => {
      if (error) throw new Error(`no coverage: ${error.message}`)
      scripts = taken.result
    })
    return scripts.filter(({ url }) => this.#concerns(url))
  }

  /** How many characters of `ran` never ran before, as far as was kept. */
  fresh(ran: Ran): number {
    let count = 0
    for (const [key, characters] of ran) {
      const before = this.#functions.get(key)
      for (let i = 0; i < characters.length; i++) {
        if (characters[i] === 1 && before?.[i] !== 1) count++
      }
    }
    return count
  }

  /** From now on `ran` has run before. */
  keep(ran: Ran): void {
    for (const [key, characters] of ran) {
      const before = this.#functions.get(key)
      if (before === undefined) this.#functions.set(key, characters)
      else for (let i = 0; i < before.length; i++) before[i]! |= characters[i]!
    }
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

/** From the outside in: what is said of a block within is more exact. */
function painted(ranges: readonly Profiler.CoverageRange[]): Uint8Array {
  const { startOffset: start, endOffset: end } = ranges[0]!
  const characters = new Uint8Array(end - start)
  for (const { startOffset, endOffset, count } of ranges) {
    characters.fill(count > 0 ? 1 : 0, startOffset - start, endOffset - start)
  }
  return characters
}
