/**
 * Owns: one raw connection to the proxy: text out as written, replies in one by one, and how it ended.
 * Never: repairs what a test gets wrong on purpose, or opens a second connection.
 */
import { connect, type Socket } from 'node:net'
import { parseReply, type Reply } from './tunnel.ts'

export interface WireReply extends Reply {
  /** The content, with its chunks joined, in bytes. */
  readonly content: Buffer
}

export class Wire {
  readonly socket: Socket
  #held: Buffer = Buffer.alloc(0)
  #ended = false
  #wake: () => void = () => {}

  constructor(port: number) {
    this.socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
    this.socket.on('data', (bytes: Buffer) => {
      this.#held = Buffer.concat([this.#held, bytes])
      this.#wake()
    })
    this.socket.on('error', () => {})
    for (const event of ['end', 'close']) {
      this.socket.once(event, () => {
        this.#ended = true
        this.#wake()
      })
    }
  }

  /** Sends `data`, text as latin1, in one write. */
  send(data: string | Buffer): void {
    this.socket.write(typeof data === 'string' ? Buffer.from(data, 'latin1') : data)
  }

  /** The next reply, whole; `method` is what it answers: the reply to HEAD has no content. */
  async reply(method = 'GET'): Promise<WireReply> {
    for (;;) {
      const reply = parseReply(this.#held.toString('latin1'))
      const found = reply === null ? null : this.#whole(reply, method)
      if (found !== null) return found
      if (this.#ended) throw new Error(`ended after ${JSON.stringify(this.rest)}`)
      await this.#more()
    }
  }

  #whole(reply: Reply, method: string): WireReply | null {
    const start = this.#held.indexOf('\r\n\r\n') + 4
    const { status, fields } = reply
    const empty = method === 'HEAD' || status < 200 || status === 204 || status === 304
    const chunked = fields.get('transfer-encoding') === 'chunked'
    if (empty) return this.#take(reply, start, Buffer.alloc(0))
    if (chunked) return this.#chunks(reply, start)
    const end = start + Number(fields.get('content-length') ?? 0)
    return this.#held.length < end ? null : this.#take(reply, end, this.#held.subarray(start, end))
  }

  #chunks(reply: Reply, start: number): WireReply | null {
    const parts: Buffer[] = []
    let at = start
    for (;;) {
      const lineEnd = this.#held.indexOf('\r\n', at)
      if (lineEnd < 0) return null
      const size = Number.parseInt(this.#held.toString('latin1', at, lineEnd), 16)
      const end = lineEnd + 2 + size + 2
      if (this.#held.length < end) return null
      if (size === 0) return this.#take(reply, end, Buffer.concat(parts))
      parts.push(this.#held.subarray(lineEnd + 2, end - 2))
      at = end
    }
  }

  #take(reply: Reply, end: number, content: Buffer): WireReply {
    this.#held = this.#held.subarray(end)
    return { ...reply, body: content.toString('latin1'), content }
  }

  /** What has come and is no part of a reply that was asked for. */
  get rest(): string {
    return this.#held.toString('latin1')
  }

  /** Resolves when the other side has ended or closed it; `rest` is then all that came. */
  async ended(): Promise<void> {
    while (!this.#ended) await this.#more()
  }

  #more(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve
    })
  }

  close(): void {
    this.socket.destroy()
  }
}
