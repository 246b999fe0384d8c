/**
 * Owns: `npm run bench [NAME]`: runs one bench or all, prints what they found, and keeps it in
 * bench/results/NAME.json and NAME.md, its plots as NAME-PLOT.svg.
 * Never: measures; each bench does, by measure.ts.
 *
 * After `--`: `--only a,b` (rows, where a bench has names for them), `--rounds`, `--seconds`,
 * `--domains`, each where a bench knows it, and `--small`. What these give is printed and not kept:
 * it is a part, or checks the bench and not the speed. `--minutes`: how long a soak lasts.
 */
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { availableParallelism, cpus, loadavg } from 'node:os'
import { parseArgs } from 'node:util'
import type { Bench, BenchOptions, BenchResult } from './measure.ts'
import { svgOf } from './plot.ts'
import { markdownOf, plotFile, type Report } from './report.ts'

const FOLDER = new URL('./', import.meta.url)
const RESULTS = new URL('results/', FOLDER)
const SUFFIX = '.bench.ts'

/** The names of all benches, by their files. */
export function benchNames(): string[] {
  return readdirSync(FOLDER)
    .filter((file) => file.endsWith(SUFFIX))
    .map((file) => file.slice(0, -SUFFIX.length))
    .sort()
}

export async function loadBench(name: string): Promise<Bench> {
  return await import(new URL(`${name}${SUFFIX}`, FOLDER).href)
}

function machine() {
  return {
    processor: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    node: process.version,
  }
}

async function runAndKeep(name: string, options: BenchOptions): Promise<void> {
  const { question, run } = await loadBench(name)
  // Before the bench pins this process to a core.
  const found = machine()
  const loadBefore = loadavg()[0]!
  const date = new Date().toISOString().slice(0, 10)
  const result: BenchResult = await run(options)
  const report: Report = { name, question, date, machine: found, loadBefore, result }
  const markdown = markdownOf(report)
  process.stdout.write(`${markdown}\n`)
  if (isPart(options)) return
  mkdirSync(RESULTS, { recursive: true })
  writeFileSync(new URL(`${name}.json`, RESULTS), `${JSON.stringify(report, null, 2)}\n`)
  writeFileSync(new URL(`${name}.md`, RESULTS), markdown)
  for (const plot of result.plots ?? []) {
    writeFileSync(new URL(plotFile(name, plot), RESULTS), svgOf(plot))
  }
}

/** A whole run is kept; one of parts, or with other numbers, is for whoever started it. */
export function isPart({ small, minutes: _, ...others }: BenchOptions): boolean {
  return small || Object.keys(others).length > 0
}

/** Throws, with a message for people, where a number is none. */
export function optionsOf({ small, only, ...numbers }: Values): BenchOptions {
  const given = Object.entries(numbers).map(([name, text]) => {
    const value = Number(text)
    if (!(value > 0)) throw new RangeError(`--${name} takes a number above 0, not ${text}`)
    return [name, value] as const
  })
  const parts = only === undefined ? {} : { only: only.split(',') }
  return { small, ...parts, ...Object.fromEntries(given) }
}

export interface Values {
  readonly small: boolean
  readonly only?: string
  readonly rounds?: string
  readonly seconds?: string
  readonly domains?: string
  readonly minutes?: string
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    options: {
      small: { type: 'boolean', default: false },
      only: { type: 'string' },
      rounds: { type: 'string' },
      seconds: { type: 'string' },
      domains: { type: 'string' },
      minutes: { type: 'string' },
    },
    allowPositionals: true,
  })
  const known = benchNames()
  const unknown = positionals.filter((name) => !known.includes(name))
  if (unknown.length > 0) {
    process.stderr.write(
      `no bench is called ${unknown.join(', ')}; there are: ${known.join(', ')}\n`,
    )
    process.exitCode = 2
    return
  }
  const options = optionsOf(values)
  for (const name of positionals.length > 0 ? positionals : known) {
    await runAndKeep(name, options)
  }
}

if (import.meta.main) {
  await main().catch((error: unknown) => {
    // What was asked for cannot be: said in a line. All else is a fault of a bench, told whole.
    if (!(error instanceof RangeError)) throw error
    process.stderr.write(`${error.message}\n`)
    process.exitCode = 2
  })
}
