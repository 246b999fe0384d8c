/**
 * Owns: `npm run fuzz`: the targets in turn, a bounded number of runs, and what came of it.
 * Never: changes the corpus unless asked to with --save.
 *
 *   npm run fuzz                                     every target, 20,000 runs each
 *   npm run fuzz request chunks -- --runs 500000     these
 *   npm run fuzz -- --seed 7 --save                  with other chances; keep what was found
 *   npm run fuzz differential -- --heads 1000000     heads, compared with node:http
 */
import { parseArgs } from 'node:util'
import { readCorpus, writeCorpus } from './corpus.ts'
import { CLASSES, compareWithNode } from './differences.ts'
import { fuzz, type Target } from './fuzz.ts'
import { TARGETS } from './targets.ts'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    runs: { type: 'string', default: '20000' },
    seed: { type: 'string', default: '1' },
    save: { type: 'boolean', default: false },
    heads: { type: 'string', default: '20000' },
  },
})

const seed = Number(values.seed)
process.exitCode = (await all()) ? 0 : 1

/** True where every promise was kept. */
async function all(): Promise<boolean> {
  if (positionals.includes('differential')) return differential(Number(values.heads))
  let kept = true
  for (const target of chosen()) kept = go(target) && kept
  return kept
}

/** True where every difference is explained. */
async function differential(heads: number): Promise<boolean> {
  const { connections, same, explained, unexplained } = await compareWithNode(heads, seed)
  console.log(
    `differential: ${connections} heads; ${same} requests read the same by node:http and us`,
  )
  for (const { kind, name } of CLASSES) {
    console.log(`${String(explained.get(name) ?? 0).padStart(9)}  ${kind}: ${name}`)
  }
  for (const difference of unexplained) console.error('unexplained:', difference)
  return unexplained.length === 0
}

function chosen(): readonly Target[] {
  const unknown = positionals.filter((name) => !TARGETS.some((target) => target.name === name))
  if (unknown.length > 0) {
    const names = TARGETS.map(({ name }) => name).join(', ')
    console.error(`fuzz: no target ${unknown.join(', ')}; there are ${names}`)
    process.exit(1)
  }
  return positionals.length === 0
    ? TARGETS
    : TARGETS.filter(({ name }) => positionals.includes(name))
}

/** True where every promise was kept. */
function go(target: Target): boolean {
  const before = performance.now()
  // A new run begins with all that earlier ones found: what is no longer needed is left out.
  const seeds = [...target.seeds, ...readCorpus(target.name)]
  const found = fuzz({ ...target, seeds }, Number(values.runs), seed)
  const seconds = (performance.now() - before) / 1_000
  const { runs, corpus, covered, ends, broken } = found
  console.log(
    `${target.name}: ${runs} runs in ${seconds.toFixed(0)} s, ${corpus.length} texts ` +
      `(${found.found} new), ${covered} characters of code, ${ends.length} ways to end`,
  )
  if (values.save) writeCorpus(target.name, corpus)
  if (broken === null) return true
  console.error(`${target.name}: ${JSON.stringify(broken.text)}\n${broken.error}`)
  return false
}
