/**
 * Owns: the engine of one proxy thread, for the tests of what carries bytes: no thread, no names, no disk.
 * Never: opens a socket.
 */
import { Ledger } from '../../src/ledger/ledger.ts'
import type { Verdict } from '../../src/policy/index.ts'
import { Engine } from '../../src/proxy/engine.ts'
import type { Flow } from '../../src/proxy/flow.ts'
import type { WriterPort } from '../../src/proxy/record.ts'
import { allocateTally } from '../../src/proxy/tally-memory.ts'
import type { World } from '../../src/proxy/world.ts'
import { FakeWriter } from './recording.ts'

export const DAY_MS = Date.UTC(2026, 4, 4, 10)

const ALLOWED: Verdict = {
  action: 'allow',
  reason: 'default',
  rule: 'default',
  decision: null,
  metered: null,
}

export interface EngineStand {
  readonly engine: Engine
  readonly writer: FakeWriter
}

/** Names that are not fixed are never answered; `monotonic` is the time for the limits. */
export function openEngine(world: World, monotonic: () => number = () => 0): EngineStand {
  const engine = new Engine({
    world,
    run: 'run',
    ledger: new Ledger(Ledger.allocate(16)),
    tally: allocateTally(1),
    thread: 0,
    clock: () => DAY_MS,
    monotonic,
    ask: () => {},
    alarm: () => {},
  })
  const writer = new FakeWriter()
  engine.recorder.connect(writer as unknown as WriterPort)
  return { engine, writer }
}

/** A tunnel's flow, allowed and recorded. */
export function openFlow(engine: Engine): Flow {
  const head = { fault: 'request-line', method: 'CONNECT', host: 'a.test', port: 443 } as const
  return engine.begin(head, engine.askerAt('127.0.0.1'), null, ALLOWED)
}
