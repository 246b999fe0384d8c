/**
 * Owns: what a forwarded request and a tunnel cost, beside a proxy as Node programs are usually written.
 * Never: measures the load: that runs on another core.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type BenchOptions, type BenchResult, type Comparison, compare } from './measure.ts'
import { connects, forwardedGets, type Target } from './stand/load.ts'
import {
  cpuUs,
  LOAD_CORE,
  MEASURED_CORE,
  type Program,
  pathOf,
  pinSelf,
  startProgram,
} from './stand/processes.ts'
import { shippedLists, startSluss } from './stand/sluss.ts'

export const question =
  'What does a forwarded GET (1 KiB, keep-alive) and a CONNECT + GET + close cost through the whole of ' +
  'Sluss (classified, decided, recorded in SQLite), against http-proxy-3, which only forwards?'

interface Peer {
  readonly name: string
  readonly program: Program
  readonly target: Target
}

/** Loads a proxy for so long; gives how many exchanges were done. */
type Load = (target: Target, durationMs: number) => Promise<number>

export async function run({ small }: BenchOptions): Promise<BenchResult> {
  const folder = mkdtempSync(join(tmpdir(), 'sluss-bench-'))
  const programs: Program[] = []
  const start = async (core: number, file: string) => {
    const program = await startProgram(core, pathOf(file), [])
    programs.push(program)
    return program
  }
  try {
    if (!small) pinSelf()
    const origin = await start(LOAD_CORE, 'bench/stand/origin.ts')
    const originPort = Number(origin.ready.split(' ')[1])
    const baseline = await start(MEASURED_CORE, 'bench/stand/http-proxy.ts')
    const lists = shippedLists()
    const sluss = await startSluss({ folder, cores: MEASURED_CORE, originPort, lists })
    programs.push(sluss.program)
    const baselinePort = Number(baseline.ready.split(' ')[1])
    const peers: Peer[] = [
      {
        name: 'http-proxy-3',
        program: baseline,
        target: { proxyPort: baselinePort, originPort },
      },
      {
        name: 'Sluss',
        program: sluss.program,
        target: { proxyPort: sluss.proxyPort, originPort },
      },
    ]
    const comparisons = [
      ...(await measure('forwarded GET', 'GETs', peers, forwardedGets, small)),
      ...(await measure('CONNECT', 'CONNECTs', peers, connects, small)),
    ]
    const notes = [
      `Each proxy on core ${MEASURED_CORE}, one proxy thread; load and origin on core ${LOAD_CORE}.`,
      'CPU is of the whole process, from /proc: proxy thread, main and writer. Not the kernel work that',
      'loopback does in interrupts. http-proxy-3 neither classifies nor records.',
    ]
    return { comparisons, facts: [], notes: [notes.join(' ')] }
  } finally {
    await Promise.all(programs.map((program) => program.stop()))
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Each round gives two figures: the CPU it took, and the rate; they are compared side by side. */
async function measure(
  title: string,
  plural: string,
  peers: readonly Peer[],
  load: Load,
  small: boolean,
): Promise<Comparison[]> {
  const durationMs = small ? 200 : 3_000
  const rates = new Map<string, number[]>(peers.map(({ name }) => [name, []]))
  const options = { rounds: small ? 1 : 5, warmUpRounds: small ? 0 : 1 }
  const cpu = await compare({
    ...options,
    title: `CPU of a ${title}`,
    unit: 'µs of CPU',
    better: 'lower',
    contenders: peers.map(({ name, program, target }) => ({
      name,
      round: async () => {
        const [beganUs, beganMs] = [cpuUs(program), performance.now()]
        const done = await load(target, durationMs)
        rates.get(name)!.push((done * 1_000) / (performance.now() - beganMs))
        // Under the resolution of /proc only in a small run, which is not for measuring.
        return Math.max(1, cpuUs(program) - beganUs) / done
      },
    })),
  })
  const rate = await compare({
    ...options,
    title: `${plural} a second`,
    unit: `${plural}/s`,
    better: 'higher',
    contenders: peers.map(({ name }) => ({ name, round: () => rates.get(name)!.shift()! })),
  })
  return [cpu, rate]
}
