/**
 * Owns: the proxy threads: starting them on one port, giving them worlds and writers, replacing one
 * that has died, draining.
 * Never: touches a connection.
 */
import { availableParallelism } from 'node:os'
import { MessageChannel, type MessagePort, Worker, type WorkerOptions } from 'node:worker_threads'
import { allocateTally, buryThread } from '../proxy/tally-memory.ts'
import {
  type Counters,
  type Endpoint,
  type FromThread,
  newCounters,
  type ThreadData,
  type ToThread,
  type World,
} from '../proxy/world.ts'
import { ListenError, listenFault } from './listen-fault.ts'
import type { Log } from './log.ts'

const THREAD = new URL('../proxy/proxy.thread.ts', import.meta.url)
/** A thread that dies is replaced after this, so that a fault at start does not spin. */
const RESTART_MS = 500
/** What Node gives a worker that has ended for its number: its `exit` will not come again. */
const EXITED = -1
/** The most that `auto` starts: beyond it the writer is the bound. */
const AUTO_THREADS_MAX = 16

export interface ThreadsOptions {
  readonly count: number | 'auto'
  readonly run: string
  readonly world: World
  readonly ledger: SharedArrayBuffer
  readonly clock: SharedArrayBuffer | null
  readonly log: Log
  /** Takes the writer's end of a new channel, for the source of that number. */
  readonly attach: (source: number, port: MessagePort) => void
  /** Starts a worker; a test may keep hold of it. */
  readonly spawn?: (file: URL, options: WorkerOptions) => Worker
}

interface Thread {
  readonly number: number
  worker: Worker
  /** Whose batches they are: a thread that replaces a dead one counts its batches anew. */
  source: number
  counters: Counters | null
  endpoints: readonly Endpoint[]
  /** The policy version it works by. */
  version: number
  /** The version of the oldest image it may hold. */
  freed: number
}

export class ProxyThreads {
  readonly #options: Omit<ThreadsOptions, 'world'>
  readonly #threads: Thread[] = []
  /** What is counted over all of them; made when it is known how many there are. */
  #tally = allocateTally(1)
  #world: World
  #draining = false
  #sources = 0
  /** Of threads that have died: their counters live on in the sums. */
  #buried: Counters[] = []
  /** Who waits until every thread works by the newest world. */
  #waiting: (() => void)[] = []

  constructor({ world, ...options }: ThreadsOptions) {
    this.#options = options
    this.#world = world
  }

  /** Starts them all; resolves when each listens. Rejects with a ListenError where one cannot. */
  async start(): Promise<void> {
    const { count } = this.#options
    const occupied = await this.check(this.#world.listen)
    if (occupied !== null) throw occupied
    const threads = count === 'auto' ? Math.min(AUTO_THREADS_MAX, availableParallelism()) : count
    this.#tally = allocateTally(threads)
    const first = await this.#start(0)
    // Port 0 is the system's choice once: the others must listen where the first does.
    this.#world = { ...this.#world, listen: settled(this.#world.listen, first.endpoints) }
    for (let number = 1; number < threads; number++) await this.#start(number)
  }

  get count(): number {
    return this.#threads.length
  }

  get endpoints(): readonly Endpoint[] {
    return this.#threads[0]?.endpoints ?? []
  }

  /** The oldest policy version that some thread still works by. */
  get version(): number {
    return Math.min(...this.#threads.map(({ version }) => version), this.#world.policy.version)
  }

  get counters(): Counters {
    const all = this.#threads.flatMap(({ counters }) => counters ?? [])
    return sum([...this.#buried, ...all])
  }

  /**
   * What keeps us from listening on one of `wanted`, or null. Our threads share their ports, and another
   * Sluss of the same user would share them too: connections would be dealt out between the two. So a
   * port that is not ours yet is first tried without sharing it.
   */
  async check(wanted: readonly Endpoint[]): Promise<ListenError | null> {
    const ours = new Set(this.endpoints.map(({ port }) => port))
    for (const endpoint of wanted) {
      const why = ours.has(endpoint.port) ? null : await listenFault(endpoint)
      if (why !== null) return new ListenError(endpoint, why, 'listen.proxy')
    }
    return null
  }

  /** Gives every thread a new world. */
  replace(world: World): void {
    const listen = settled(world.listen, this.endpoints)
    const free = world.image !== this.#world.image
    this.#world = { ...world, listen }
    for (const { worker } of this.#threads)
      send(worker, { kind: 'world', world: this.#world, free })
  }

  /**
   * Resolves when every thread works by the newest world, and holds no other image; and at once where they
   * are to end.
   */
  acknowledged(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve)
      this.#tellWaiting()
    })
  }

  #tellWaiting(): void {
    const { version } = this.#world.policy
    if (!this.#draining && this.#threads.some(({ freed }) => freed !== version)) return
    for (const resolve of this.#waiting.splice(0)) resolve()
  }

  /** Gives every thread a channel to a new writer. */
  reattach(): void {
    for (const thread of this.#threads) this.#attach(thread)
  }

  /**
   * Resolves when every thread has ended what it had, or `drainMs` has passed, and its log is kept. Called
   * again with less, they hurry.
   */
  async drain(drainMs: number): Promise<void> {
    this.#draining = true
    this.#tellWaiting()
    await Promise.all(
      this.#threads.map(({ worker }) => {
        const drained = new Promise<void>((resolve) => {
          worker.on('message', (message: FromThread) => message.kind === 'drained' && resolve())
          worker.once('exit', () => resolve())
          if (worker.threadId === EXITED) resolve()
        })
        send(worker, { kind: 'drain', drainMs })
        return drained
      }),
    )
  }

  async terminate(): Promise<void> {
    this.#draining = true
    await Promise.all(this.#threads.map(({ worker }) => worker.terminate()))
  }

  #start(number: number): Promise<Thread> {
    const thread: Thread = {
      number,
      worker: this.#worker(number),
      source: this.#sources++,
      counters: null,
      endpoints: [],
      version: this.#world.policy.version,
      freed: this.#world.policy.version,
    }
    this.#threads[number] = thread
    return this.#listen(thread)
  }

  #worker(number: number): Worker {
    const { run, ledger, clock } = this.#options
    const { spawn = (file, options) => new Worker(file, options) } = this.#options
    const tally = this.#tally
    const workerData: ThreadData = { thread: number, run, world: this.#world, ledger, tally, clock }
    return spawn(THREAD, { workerData, name: `proxy ${number}` })
  }

  #listen(thread: Thread): Promise<Thread> {
    const { worker } = thread
    this.#attach(thread)
    return new Promise((resolve, reject) => {
      worker.on('message', (message: FromThread) => {
        if (message.kind === 'listening') resolve(thread)
        if (message.kind === 'listen-failed') {
          reject(new ListenError(message.endpoint, message.why, 'listen.proxy'))
        }
        this.#hear(thread, message)
      })
      worker.once('error', (error) => {
        reject(error)
        this.#options.log.error(
          { thread: thread.number, error: String(error) },
          'a proxy thread failed',
        )
      })
      worker.once('exit', () => this.#died(thread, worker))
    })
  }

  #attach(thread: Thread): void {
    const { port1, port2 } = new MessageChannel()
    this.#options.attach(thread.source, port2)
    thread.worker.postMessage({ kind: 'writer', port: port1 } satisfies ToThread, [port1])
  }

  #hear(thread: Thread, message: FromThread): void {
    const { log } = this.#options
    switch (message.kind) {
      case 'listening':
        thread.endpoints = message.endpoints
        break
      case 'listen-failed':
        log.error({ ...message.endpoint, why: message.why }, 'cannot listen')
        break
      case 'counters':
        thread.counters = message.counters
        break
      case 'world':
        thread.version = message.version
        break
      case 'freed':
        thread.freed = message.version
        this.#tellWaiting()
        break
      case 'alarm':
        log.error({ thread: thread.number, hint: message.hint }, message.what)
        break
    }
  }

  #died(thread: Thread, worker: Worker): void {
    if (this.#draining || thread.worker !== worker) return
    if (thread.counters !== null) this.#buried.push(closed(thread.counters))
    buryThread(this.#tally, thread.number)
    this.#options.log.error({ thread: thread.number }, 'a proxy thread died; starting another')
    setTimeout(() => {
      if (this.#draining) return
      thread.counters = null
      thread.source = this.#sources++
      thread.version = this.#world.policy.version
      thread.freed = thread.version
      this.#tellWaiting()
      thread.worker = this.#worker(thread.number)
      const { worker } = thread
      this.#listen(thread).catch((error) => {
        this.#options.log.error({ error: String(error) }, 'a proxy thread could not be replaced')
        // One that does not listen is of no use: its end is followed by another try.
        void worker.terminate()
      })
    }, RESTART_MS)
  }
}

function send(worker: Worker, message: ToThread): void {
  worker.postMessage(message)
}

/** `wanted` with port 0 replaced by the port that was bound for it. */
function settled(wanted: readonly Endpoint[], bound: readonly Endpoint[]): readonly Endpoint[] {
  return wanted.map((endpoint, i) =>
    endpoint.port === 0 ? { ...endpoint, port: bound[i]?.port ?? 0 } : endpoint,
  )
}

function closed(counters: Counters): Counters {
  return { ...counters, connectionsOpen: 0, flowsOpen: 0, tunnelsOpen: 0, tlsPagesOpen: 0 }
}

function sum(all: readonly Counters[]): Counters {
  const total = newCounters()
  for (const { reasons, ...numbers } of all) {
    for (const [name, value] of Object.entries(numbers))
      total[name as keyof typeof numbers] += value
    for (const [reason, value] of Object.entries(reasons)) {
      total.reasons[reason] = (total.reasons[reason] ?? 0) + value
    }
  }
  return total
}
