/**
 * Owns: `npm run bench [NAME] [-- --small]`: runs one bench or all, prints what they found, and
 * keeps it in bench/results/NAME.json and NAME.md, its plots as NAME-PLOT.svg. Small runs check the
 * benches, not the speed;
 * they are not kept.
 * Never: measures; each bench does, by measure.ts.
 */
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { availableParallelism, cpus, loadavg } from 'node:os'
import { parseArgs } from 'node:util'
import type { Bench, BenchResult } from './measure.ts'
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

async function runAndKeep(name: string, small: boolean): Promise<void> {
  const { question, run } = await loadBench(name)
  // Before the bench pins this process to a core.
  const found = machine()
  const loadBefore = loadavg()[0]!
  const date = new Date().toISOString().slice(0, 10)
  const result: BenchResult = await run({ small })
  const report: Report = { name, question, date, machine: found, loadBefore, result }
  const markdown = markdownOf(report)
  process.stdout.write(`${markdown}\n`)
  if (small) return
  mkdirSync(RESULTS, { recursive: true })
  writeFileSync(new URL(`${name}.json`, RESULTS), `${JSON.stringify(report, null, 2)}\n`)
  writeFileSync(new URL(`${name}.md`, RESULTS), markdown)
  for (const plot of result.plots ?? []) {
    writeFileSync(new URL(plotFile(name, plot), RESULTS), svgOf(plot))
  }
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    options: { small: { type: 'boolean', default: false } },
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
  for (const name of positionals.length > 0 ? positionals : known) {
    await runAndKeep(name, values.small)
  }
}

if (import.meta.main) await main()
