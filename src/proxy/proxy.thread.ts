/**
 * Owns: the life of one proxy thread: start, new worlds, the tick, draining.
 * Never: lets an error in one connection end the thread unheard.
 */
import { performance } from 'node:perf_hooks'
import { parentPort, workerData } from 'node:worker_threads'
import { sharedClock } from '../ledger/clock.ts'
import { Ledger } from '../ledger/ledger.ts'
import { systemResolve } from './dial.ts'
import { Engine } from './engine.ts'
import { Listeners } from './listen.ts'
import { FLUSH_MS } from './record.ts'
import type { FromThread, ThreadData, ToThread, World } from './world.ts'

const SECOND_MS = 1_000

const parent = parentPort
if (parent === null) throw new Error('this file is started as a thread, by service/threads.ts')
const data = workerData as ThreadData
const say = (message: FromThread) => parent.postMessage(message)
const alarm = (what: string, hint: string) => say({ kind: 'alarm', what, hint })

const engine = new Engine({
  world: data.world,
  run: data.run,
  ledger: new Ledger(data.ledger),
  clock: sharedClock(data.clock, Date.now),
  monotonic: () => performance.now(),
  resolve: systemResolve,
  alarm,
})
const listeners = new Listeners(engine)

const ticking = setInterval(() => engine.tick(), FLUSH_MS)
const sweeping = setInterval(() => {
  const nowMs = performance.now()
  engine.reconsider()
  for (const client of listeners.clients) client.sweep(nowMs)
  engine.pool.sweep(nowMs)
  say({ kind: 'counters', counters: engine.snapshot() })
}, SECOND_MS)

async function listen(world: World): Promise<void> {
  for (const { endpoint, why } of await listeners.set(world.listen)) {
    say({ kind: 'listen-failed', endpoint, why })
  }
  say({ kind: 'listening', endpoints: listeners.endpoints })
}

/** No more connections; what is under way may end within `drainMs`; then the log is flushed. */
async function drain(drainMs: number): Promise<void> {
  listeners.close()
  const untilMs = performance.now() + drainMs
  while (engine.counters.flowsOpen > 0 && performance.now() < untilMs) {
    for (const client of listeners.clients) client.closeIfIdle()
    await nextTick()
  }
  engine.cutAll()
  for (const client of listeners.clients) client.socket.destroy()
  clearInterval(sweeping)
  const flushedMs = performance.now() + drainMs
  while (!engine.recorder.settled && performance.now() < flushedMs) {
    engine.recorder.flush(true)
    await nextTick()
  }
  clearInterval(ticking)
  say({ kind: 'counters', counters: engine.snapshot() })
  say({ kind: 'drained' })
}

function nextTick(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 20))
}

parent.on('message', (message: ToThread) => {
  switch (message.kind) {
    case 'world':
      engine.replace(message.world)
      void listen(message.world)
      say({ kind: 'world', version: message.world.policy.version })
      break
    case 'writer':
      engine.recorder.connect(message.port)
      break
    case 'drain':
      void drain(message.drainMs)
      break
  }
})

// A fault of ours in one connection must not take the others with it; it is told, and counted.
process.on('uncaughtException', (error) => {
  engine.count('internal')
  alarm(`an error in proxy thread ${data.thread}: ${error.stack ?? error}`, 'please report it')
})

await listen(data.world)
