/**
 * Owns: tunnels of our own through a proxy: opened, used for one exchange after another, kept; and
 * the load that many bytes through a few of them are.
 * Never: takes a byte too many or too few for a whole answer.
 */
import type { Socket } from 'node:net'
import { AnswerReader } from './answers.ts'
import { authorityOf, BODY_BYTES, dial, type Load, Run, requestHead, type Target } from './load.ts'

const CHUNK = Buffer.alloc(256 * 1_024, 'x')
/** Of one answer, or one body that is sent. */
const BULK_BYTES = 8_000_000
/** Opened at a time. */
const OPENING = 32

export class Tunnel {
  readonly #socket: Socket
  readonly #authority: string
  readonly #reader = new AnswerReader()
  #opening = true
  #settle: ((fault: Error | null) => void) | null = null

  private constructor(target: Target, client: number) {
    this.#authority = authorityOf(target, client)
    this.#socket = dial(target, client, (bytes) => this.#take(bytes))
    this.#socket.on('error', (error) => this.#settled(error))
    this.#socket.on('close', () => this.#settled(new Error('a tunnel was closed')))
  }

  static async open(target: Target, client: number): Promise<Tunnel> {
    const tunnel = new Tunnel(target, client)
    const { status, told } = await tunnel.#ask(
      requestHead(target, client, `CONNECT ${tunnel.#authority}`),
    )
    tunnel.#opening = false
    if (status === 200) return tunnel
    throw new Error(`to a CONNECT ${told}`)
  }

  /** An exchange is under way. */
  get busy(): boolean {
    return this.#settle !== null
  }

  /** One exchange; resolves when the answer is there, with the length it should have. */
  async get(bytes = BODY_BYTES): Promise<void> {
    await this.#exchange(this.#head('GET', bytes === BODY_BYTES ? '/' : `/bytes/${bytes}`), bytes)
  }

  /** Sends so many bytes, as fast as they are taken. */
  async put(bytes: number): Promise<void> {
    const head = this.#head('PUT', '/', `Content-Length: ${bytes}\r\n`)
    const answered = this.#exchange(head, BODY_BYTES)
    const sent = (async () => {
      for (let left = bytes; left > 0; left -= CHUNK.length) {
        const full = !this.#socket.write(CHUNK.subarray(0, Math.min(left, CHUNK.length)))
        if (full) await new Promise<void>((resolve) => this.#socket.once('drain', resolve))
      }
    })()
    await Promise.race([answered, sent])
    await answered
  }

  close(): void {
    this.#settle = null
    this.#socket.destroy()
  }

  #head(method: string, path: string, fields = ''): string {
    return `${method} ${path} HTTP/1.1\r\nHost: ${this.#authority}\r\n${fields}\r\n`
  }

  async #exchange(head: string, expectedBytes: number): Promise<void> {
    const { status, bodyBytes, told } = await this.#ask(head)
    if (status !== 200 || bodyBytes !== expectedBytes) throw new Error(`in a tunnel ${told}`)
  }

  #ask(head: string | Buffer): Promise<AnswerReader> {
    return new Promise((resolve, reject) => {
      this.#settle = (fault) => (fault === null ? resolve(this.#reader) : reject(fault))
      if (this.#socket.destroyed) this.#settled(new Error('a tunnel was closed'))
      else this.#socket.write(head)
    })
  }

  #take(bytes: Buffer): void {
    try {
      if (this.#settle === null) throw new Error('bytes in a tunnel that nobody asked for')
      if (this.#reader.take(bytes, this.#opening)) this.#settled(null)
    } catch (error) {
      this.#settled(error as Error)
      this.#socket.destroy()
    }
  }

  #settled(fault: Error | null): void {
    const settle = this.#settle
    this.#settle = null
    settle?.(fault)
  }
}

/** So many tunnels, each having carried one GET. */
export async function openTunnels(target: Target, count: number): Promise<Tunnel[]> {
  const tunnels: Tunnel[] = []
  let next = 0
  const worker = async () => {
    while (next < count) {
      const tunnel = await Tunnel.open(target, next++)
      tunnels.push(tunnel)
      await tunnel.get()
    }
  }
  await Promise.all(Array.from({ length: Math.min(count, OPENING) }, worker))
  return tunnels
}

/** Many bytes through a few tunnels, from the origin or to it; what is done is MB (10⁶ bytes). */
export async function openBulk(
  target: Target,
  clients: number,
  direction: 'down' | 'up',
): Promise<Load> {
  const opened = Array.from({ length: clients }, (_, client) => Tunnel.open(target, client))
  const tunnels = await Promise.all(opened)
  const carry = async (tunnel: Tunnel, run: Run) => {
    run.enter()
    try {
      while (!run.ending) {
        if (direction === 'down') await tunnel.get(BULK_BYTES)
        else await tunnel.put(BULK_BYTES)
        run.done += BULK_BYTES / 1e6
      }
      run.leave()
    } catch (error) {
      run.fail(error as Error)
    }
  }
  return {
    run: (durationMs) => {
      const run = new Run()
      const last = run.last(durationMs)
      for (const tunnel of tunnels) void carry(tunnel, run)
      return last
    },
    close: () => {
      for (const tunnel of tunnels) tunnel.close()
    },
  }
}
