/**
 * Owns: the life of one proxy thread: start, new worlds, the tick, draining.
 * Never: lets an error in one connection end the thread unheard.
 */
import { performance } from 'node:perf_hooks'
import { parentPort, workerData } from 'node:worker_threads'
import { sharedClock } from '../ledger/clock.ts'
import { Ledger } from '../ledger/ledger.ts'
import { Engine } from './engine.ts'
import { freeDropped } from './free.ts'
import { Listeners } from './listen.ts'
import { FLUSH_MS } from './record.ts'
import type { FromThread, ThreadData, ToThread, World } from './world.ts'

const SECOND_MS = 1_000
/** How long a stop waits for the writer to take the last records; a disk that is full may take for ever. */
const LAST_RECORDS_MS = 10_000

/** From a new image in force until the one before is given back. */
const FREE_AFTER_MS = 1_000

const parent = parentPort
if (parent === null) throw new Error('this file is started as a thread, by service/threads.ts')
const data = workerData as ThreadData
const say = (message: FromThread) => parent.postMessage(message)
const alarm = (what: string, hint: string) => say({ kind: 'alarm', what, hint })

const engine = new Engine({
  world: taken(),
  run: data.run,
  ledger: new Ledger(data.ledger),
  tally: data.tally,
  thread: data.thread,
  clock: sharedClock(data.clock, Date.now),
  monotonic: () => performance.now(),
  // The local authority's, once there is one.
  tlsPages: null,
  alarm,
})
const listeners = new Listeners(engine)
/** Draining: when what is still open is cut. Who asks again may ask for it to be sooner. */
let cutAtMs = Infinity
let drained: Promise<void> | null = null
/** Until no image is held but the one in force. */
let freeing: Promise<void> = Promise.resolve()

const ticking = setInterval(() => engine.tick(), FLUSH_MS)
const sweeping = setInterval(() => {
  const nowMs = performance.now()
  engine.cutSpent()
  listeners.sweep(nowMs)
  engine.pool.sweep(nowMs)
  say({ kind: 'counters', counters: engine.snapshot() })
}, SECOND_MS)

/** The first world; from now on the engine alone holds it. */
function taken(): World {
  const { world } = data
  if (world === null) throw new Error('a thread is started with a world')
  data.world = null
  return world
}

async function listen(world: World): Promise<void> {
  for (const { endpoint, why } of await listeners.set(world.listen)) {
    say({ kind: 'listen-failed', endpoint, why })
  }
  say({ kind: 'listening', endpoints: listeners.endpoints })
}

/** The world is in force already; where we listen, and what is left of the one before, follow. */
async function adopt({ world, free }: ToThread & { kind: 'world' }): Promise<void> {
  const { version } = world.policy
  if (free) freeing = freeing.then(freeLater)
  await listen(world)
  say({ kind: 'world', version })
  await freeing
  say({ kind: 'freed', version })
}

/** The change itself costs some milliseconds: who waits because of it is served first. */
async function freeLater(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, FREE_AFTER_MS).unref())
  await freeDropped()
}

/** No more connections; what is under way may end until `cutAtMs`, and is then cut; the log is flushed. */
async function drain(): Promise<void> {
  listeners.close()
  engine.draining = true
  while (listeners.clients.size > 0 && performance.now() < cutAtMs) {
    for (const client of listeners.clients) client.closeIfIdle()
    await nextTick()
  }
  engine.cutAll()
  for (const client of listeners.clients) client.wire.destroy()
  clearInterval(sweeping)
  await flush()
  clearInterval(ticking)
  say({ kind: 'counters', counters: engine.snapshot() })
}

/** Until every flow has its last record, and the writer has it. */
async function flush(): Promise<void> {
  const { recorder, counters } = engine
  const untilMs = performance.now() + LAST_RECORDS_MS
  // A flow ends where its sockets close, and they say so only in a later turn.
  while (counters.flowsOpen > 0 || !recorder.settled) {
    if (performance.now() > untilMs) {
      const left = recorder.unacknowledged
      alarm(`the log is not written: ${left} records are lost`, 'see the alarm before this')
      return
    }
    recorder.flush(true)
    await nextTick()
  }
}

function nextTick(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 20))
}

parent.on('message', (message: ToThread) => {
  switch (message.kind) {
    case 'world':
      engine.replace(message.world)
      void adopt(message)
      break
    case 'writer':
      engine.recorder.connect(message.port)
      break
    case 'drain':
      cutAtMs = Math.min(cutAtMs, performance.now() + message.drainMs)
      drained ??= drain()
      void drained.then(() => say({ kind: 'drained' }))
      break
  }
})

// A fault of ours in one connection must not take the others with it; it is told, and counted.
process.on('uncaughtException', (error) => {
  engine.count('internal')
  alarm(`an error in proxy thread ${data.thread}: ${error.stack ?? error}`, 'please report it')
})

await listen(engine.world)
