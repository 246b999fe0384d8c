/**
 * Owns: requests at a rate, whatever the answers take: each has a moment at which it is to be sent,
 * and its latency counts from there, so that a proxy which stands still is not spared the requests
 * that would have come meanwhile (no coordinated omission).
 * Never: judges an answer; whoever started it does, by what it writes down of each request.
 */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { authorityOf, requestHead } from './load.ts'
import { type Cores, pathOf } from './processes.ts'

export interface OpenLoopOptions {
  readonly proxyPort: number
  readonly originPort: number
  readonly perSecond: number
  /** Asked for in turn. */
  readonly hosts: readonly string[]
  /** Values of Proxy-Authorization, one for each connection, in turn; default: nobody signs in. */
  readonly logins?: readonly string[]
  readonly connections: number
  /** After so many it ends by itself. */
  readonly requestsMax: number
  /** Where it writes what it saw. */
  readonly file: string
}

/** One request as it went. Times by `monotonicMs`. */
export interface Sample {
  /** When it was to be sent. */
  readonly dueMs: number
  /** When the load came to it: later than due, it is the load itself that was held up. */
  readonly madeMs: number
  /** Later than that, no connection was free: their answers had not come. */
  readonly sentMs: number
  readonly doneMs: number
  /** Index of the host. */
  readonly host: number
  /** Of the answer; 0 where there was none, or not a whole one. */
  readonly status: number
}

export interface OpenLoop {
  /** Ends it; resolves with all it saw, in the order of their moments. */
  stop(): Promise<Sample[]>
}

/** Of each request in the file, in the order of `Sample`. */
const FIELD = { due: 0, made: 1, sent: 2, done: 3, host: 4, status: 5 } as const
const FIELDS = Object.keys(FIELD).length
/** After the end, an answer that has not come by then has failed. */
const LAST_ANSWERS_MS = 5_000
const HEAD_END = Buffer.from('\r\n\r\n')
/** A failed connection is tried again so long after. */
const RECONNECT_MS = 20

/** The same clock in every process of this machine. */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint()) / 1e6
}

/** Starts it in a process of its own; resolves when all connections stand. */
export async function startOpenLoop(cores: Cores, options: OpenLoopOptions): Promise<OpenLoop> {
  const file = pathOf('bench/stand/open-loop.ts')
  const words = ['-c', String(cores), process.execPath, file, JSON.stringify(options)]
  const child = spawn('taskset', words, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  await heard(child)
  return {
    stop: async () => {
      const written = heard(child)
      child.send('stop')
      await written
      child.disconnect()
      const samples = readSamples(options.file)
      rmSync(options.file)
      return samples
    },
  }
}

async function heard(child: ChildProcess): Promise<void> {
  const ended = once(child, 'exit').then(() => assert.fail('the load ended too early'))
  ended.catch(() => {})
  await Promise.race([once(child, 'message'), ended])
}

function readSamples(file: string): Sample[] {
  const bytes = readFileSync(file)
  const rows = new Float64Array(bytes.buffer, bytes.byteOffset, bytes.length / 8)
  return Array.from({ length: rows.length / FIELDS }, (_, i): Sample => {
    const field = (name: keyof typeof FIELD) => rows[i * FIELDS + FIELD[name]]!
    return {
      dueMs: field('due'),
      madeMs: field('made'),
      sentMs: field('sent'),
      doneMs: field('done'),
      host: field('host'),
      status: field('status'),
    }
  })
}

/** What a connection tells: that it can take a request, that one is answered, that it is gone. */
interface Listener {
  ready(connection: Connection): void
  /** Status 0: it failed. */
  answered(request: number, status: number): void
  lost(connection: Connection): void
}

/** A keep-alive connection with one request under way at most; a lost one is made anew. */
class Connection {
  readonly number: number
  readonly #port: number
  readonly #listener: Listener
  #socket: Socket
  #request = -1
  #status = 0
  /** Of the answer's body; -1 before its head has come. */
  #left = -1
  #held: Buffer = Buffer.alloc(0)

  constructor(port: number, number: number, listener: Listener) {
    this.number = number
    this.#port = port
    this.#listener = listener
    this.#socket = this.#connect()
  }

  send(request: number, bytes: Buffer): void {
    this.#request = request
    this.#socket.write(bytes)
  }

  end(): void {
    this.#socket.removeAllListeners()
    this.#socket.on('error', () => {})
    this.#socket.destroy()
  }

  #connect(): Socket {
    const socket = connect(this.#port, '127.0.0.1').setNoDelay(true)
    socket.once('connect', () => this.#listener.ready(this))
    socket.on('data', (bytes) => this.#read(bytes))
    socket.on('error', () => {})
    socket.once('close', () => {
      if (this.#request >= 0) this.#listener.answered(this.#request, 0)
      this.#listener.lost(this)
      this.#request = -1
      this.#held = Buffer.alloc(0)
      this.#left = -1
      setTimeout(() => {
        this.#socket = this.#connect()
      }, RECONNECT_MS)
    })
    return socket
  }

  #read(bytes: Buffer): void {
    let body = bytes
    if (this.#left < 0) {
      const all = this.#held.length === 0 ? bytes : Buffer.concat([this.#held, bytes])
      const end = all.indexOf(HEAD_END)
      if (end < 0) {
        this.#held = all
        return
      }
      this.#held = Buffer.alloc(0)
      const head = all.toString('latin1', 0, end)
      this.#status = Number(head.slice(9, 12))
      this.#left = Number(/\r\nContent-Length: (\d+)/i.exec(head)?.[1] ?? Number.NaN)
      body = all.subarray(end + HEAD_END.length)
    }
    this.#left -= body.length
    if (this.#left === 0) {
      const request = this.#request
      this.#request = -1
      this.#left = -1
      this.#listener.ready(this)
      this.#listener.answered(request, this.#status)
    } else if (!(this.#left > 0)) this.#socket.destroy()
  }
}

async function generate(options: OpenLoopOptions): Promise<void> {
  const { hosts, logins = [], perSecond, requestsMax } = options
  const users = logins.length === 0 ? [[]] : logins.map((login) => [login])
  const questions = users.map((own) => {
    const target = { ...options, logins: own }
    return hosts.map((_, i) => requestHead(target, i, `GET http://${authorityOf(target, i)}/`))
  })
  const rows = new Float64Array(requestsMax * FIELDS)
  const idle: Connection[] = []
  const stepMs = 1_000 / perSecond
  let [made, sent, done] = [0, 0, 0]
  let ending = false
  const sendDue = () => {
    while (sent < made && idle.length > 0) {
      const connection = idle.pop()!
      const own = questions[connection.number % questions.length]!
      connection.send(sent, own[sent % own.length]!)
      rows[sent * FIELDS + FIELD.sent] = monotonicMs()
      sent++
    }
  }
  const listener: Listener = {
    ready: (connection) => idle.push(connection),
    answered: (request, status) => {
      rows[request * FIELDS + FIELD.done] = monotonicMs()
      rows[request * FIELDS + FIELD.status] = status
      done++
      sendDue()
    },
    lost: (connection) => {
      const at = idle.indexOf(connection)
      if (at >= 0) idle.splice(at, 1)
    },
  }
  const open = Array.from(
    { length: options.connections },
    (_, number) => new Connection(options.proxyPort, number, listener),
  )
  while (idle.length < open.length) await new Promise((resolve) => setTimeout(resolve, 1))
  const beganMs = monotonicMs()
  const pacer = new Worker(new URL(import.meta.url), { workerData: { beganMs, stepMs } })
  pacer.on('message', () => {
    if (ending) return
    const nowMs = monotonicMs()
    const wanted = Math.min(requestsMax, Math.floor((nowMs - beganMs) / stepMs) + 1)
    for (; made < wanted; made++) {
      rows[made * FIELDS + FIELD.due] = beganMs + made * stepMs
      rows[made * FIELDS + FIELD.made] = nowMs
      rows[made * FIELDS + FIELD.host] = made % hosts.length
    }
    sendDue()
  })
  await once(pacer, 'message')
  process.send?.('ready')
  await once(process, 'message')
  ending = true
  await pacer.terminate()
  const untilMs = monotonicMs() + LAST_ANSWERS_MS
  while (done < made && monotonicMs() < untilMs) {
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
  for (const connection of open) connection.end()
  writeFileSync(options.file, new Uint8Array(rows.buffer, 0, made * FIELDS * 8))
  process.send?.('written')
}

/** A timer of the event loop is late by up to a millisecond; a thread that sleeps is not. */
function pace({ beganMs, stepMs }: { beganMs: number; stepMs: number }): void {
  const never = new Int32Array(new SharedArrayBuffer(4))
  for (;;) {
    const next = Math.floor((monotonicMs() - beganMs) / stepMs) + 1
    Atomics.wait(never, 0, 0, beganMs + next * stepMs - monotonicMs())
    parentPort!.postMessage(null)
  }
}

if (!isMainThread && workerData !== null && 'stepMs' in workerData) pace(workerData)
else if (import.meta.main) await generate(JSON.parse(process.argv[2]!))
