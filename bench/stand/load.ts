/**
 * Owns: load on a proxy from bare sockets: forwarded GETs over keep-alive connections, and CONNECT,
 * GET, close.
 * Never: takes an answer that is not 200 with the length it should have, or runs without an end.
 */
import { connect, type Socket } from 'node:net'
import { AnswerReader } from './answers.ts'

/** Where requests go, and as whom. */
export interface Target {
  /** Of the proxy, on 127.0.0.1. */
  readonly proxyPort: number
  readonly originPort: number
  /** The n-th client asks for the n-th, turning. */
  readonly hosts: readonly string[]
  /** Values of Proxy-Authorization, by client, turning; none: nobody signs in. */
  readonly logins: readonly string[]
  /** That clients come from, turning; default: 127.0.0.1. */
  readonly addresses?: readonly string[]
}

/** Connections that stand ready. */
export interface Load {
  /** Loads for so long; resolves with how much was done (exchanges, or MB) when the last is. */
  run(durationMs: number): Promise<number>
  close(): void
}

export const BODY_BYTES = 1_024
/** An answer that has not come so long after the end of a run is never going to. */
const LAST_ANSWERS_MS = 15_000
/** All clients read into it, each its own bytes before any other's. */
const SHARED = Buffer.allocUnsafeSlow(256 * 1_024)

/** A socket to the proxy whose bytes come without a buffer of their own. */
export function dial(target: Target, client: number, onBytes: (bytes: Buffer) => void): Socket {
  const callback = (length: number): boolean => {
    onBytes(SHARED.subarray(0, length))
    return true
  }
  const { proxyPort, addresses } = target
  return connect({
    ...{ port: proxyPort, host: '127.0.0.1', noDelay: true },
    ...(addresses === undefined ? {} : { localAddress: addresses[client % addresses.length] }),
    onread: { buffer: SHARED, callback },
  })
}

/** The fields that curl sends through a proxy. */
export function requestHead(target: Target, client: number, line: string): Buffer {
  const { logins } = target
  const login =
    logins.length === 0 ? '' : `Proxy-Authorization: ${logins[client % logins.length]}\r\n`
  return Buffer.from(
    `${line} HTTP/1.1\r\nHost: ${authorityOf(target, client)}\r\n${login}` +
      'User-Agent: curl/8.5.0\r\nAccept: */*\r\nProxy-Connection: Keep-Alive\r\n\r\n',
  )
}

export function authorityOf({ hosts, originPort }: Target, client: number): string {
  return `${hosts[client % hosts.length]}:${originPort}`
}

/** What a run counts, and when it ends: each client enters, and leaves once it sees that it is ending. */
export class Run {
  done = 0
  ending = false
  fail: (error: Error) => void = () => {}
  #active = 0
  #settle: () => void = () => {}

  enter(): void {
    this.#active++
  }

  leave(): void {
    this.#active--
    if (this.#active === 0) this.#settle()
  }

  async last(durationMs: number): Promise<number> {
    const timers: NodeJS.Timeout[] = []
    try {
      await new Promise<void>((resolve, reject) => {
        this.fail = reject
        this.#settle = resolve
        timers.push(
          setTimeout(() => {
            this.ending = true
          }, durationMs),
          setTimeout(() => {
            reject(new Error(`${this.#active} answers have not come`))
          }, durationMs + LAST_ANSWERS_MS),
        )
      })
    } finally {
      for (const timer of timers) clearTimeout(timer)
    }
    return this.done
  }
}

/** A client that asks again as soon as it is answered. */
class Getter {
  readonly #socket: Socket
  readonly #request: Buffer
  readonly #reader = new AnswerReader()
  readonly ready: Promise<void>
  #run: Run | null = null

  constructor(target: Target, client: number) {
    this.#request = requestHead(target, client, `GET http://${authorityOf(target, client)}/`)
    this.#socket = dial(target, client, (bytes) => this.#take(bytes))
    this.ready = new Promise((resolve, reject) => {
      this.#socket.once('connect', resolve)
      this.#socket.once('error', reject)
    })
    this.#socket.on('error', (error) => this.#run?.fail(error))
    this.#socket.on('close', () => this.#run?.fail(new Error('the proxy closed a connection')))
  }

  start(run: Run): void {
    this.#run = run
    run.enter()
    this.#socket.write(this.#request)
  }

  close(): void {
    this.#socket.destroy()
  }

  #take(bytes: Buffer): void {
    const run = this.#run
    try {
      if (run === null) throw new Error('bytes that nobody asked for')
      if (!this.#reader.take(bytes)) return
      check(this.#reader)
    } catch (error) {
      this.#socket.destroy()
      run?.fail(error as Error)
      return
    }
    run.done++
    if (!run.ending) this.#socket.write(this.#request)
    else {
      this.#run = null
      run.leave()
    }
  }
}

function check(reader: AnswerReader): void {
  if (reader.status !== 200 || reader.bodyBytes !== BODY_BYTES) throw new Error(reader.told)
}

/** Forwarded GETs from so many clients, each over a connection of its own that is kept. */
export async function openGets(target: Target, clients: number): Promise<Load> {
  const getters = Array.from({ length: clients }, (_, client) => new Getter(target, client))
  await Promise.all(getters.map(({ ready }) => ready))
  return {
    run: (durationMs) => {
      const run = new Run()
      const last = run.last(durationMs)
      for (const getter of getters) getter.start(run)
      return last
    },
    close: () => {
      for (const getter of getters) getter.close()
    },
  }
}

/** Tunnels, so many at a time: each is opened, carries one GET, and is closed by the origin. */
export async function openConnects(target: Target, clients: number): Promise<Load> {
  return {
    run: (durationMs) => {
      const run = new Run()
      const last = run.last(durationMs)
      for (let client = 0; client < clients; client++) {
        run.enter()
        const again = () => {
          if (run.ending) run.leave()
          else {
            connectOnce(target, client, (fault) => {
              if (fault !== null) run.fail(fault)
              run.done++
              again()
            })
          }
        }
        again()
      }
      return last
    },
    close: () => {},
  }
}

/** Opens a tunnel, sends a GET through it, and ends it when the origin does. */
export function connectOnce(
  target: Target,
  client: number,
  done: (fault: Error | null) => void,
): void {
  const authority = authorityOf(target, client)
  const get = `GET / HTTP/1.1\r\nHost: ${authority}\r\nConnection: close\r\n\r\n`
  const reader = new AnswerReader()
  let step: 'connect' | 'get' | 'end' = 'connect'
  let fault: Error | null = null
  const socket = dial(target, client, (bytes) => {
    try {
      if (!reader.take(bytes, step === 'connect')) return
      if (step === 'get') check(reader)
      else if (step === 'end' || reader.status !== 200) {
        throw new Error(`to a CONNECT ${reader.told}`)
      }
    } catch (error) {
      fault ??= error as Error
      socket.destroy()
      return
    }
    if (step === 'get') step = 'end'
    else {
      step = 'get'
      socket.write(get)
    }
  })
  socket.write(requestHead(target, client, `CONNECT ${authority}`))
  socket.on('error', (error) => {
    fault ??= error
  })
  socket.once('end', () => socket.end())
  socket.once('close', () => {
    if (step !== 'end') fault ??= new Error(`a tunnel was closed before its ${step} was done`)
    done(fault)
  })
}
