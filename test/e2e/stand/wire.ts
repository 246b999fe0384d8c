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
  /** The system's word for what went wrong: ECONNRESET; empty where it ended well. */
  fault = ''
  #parts: Buffer[] = []
  #length = 0
  #ended = false
  #wake: () => void = () => {}

  /** `from` is the source address, which is what decides the zone. */
  constructor(port: number, from = '127.0.0.1') {
    this.socket = connect({ port, host: '127.0.0.1', localAddress: from, allowHalfOpen: true })
    this.socket.on('data', (bytes: Buffer) => {
      this.#parts.push(bytes)
      this.#length += bytes.length
      this.#wake()
    })
    this.socket.on('error', (error: NodeJS.ErrnoException) => {
      this.fault = error.code ?? error.message
    })
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
    const end = 4 + (await this.#find('\r\n\r\n'))
    const head = parseReply(this.#held.toString('latin1', 0, end))!
    const { status, fields } = head
    const empty = method === 'HEAD' || status < 200 || status === 204 || status === 304
    this.#drop(end)
    let content: Buffer = Buffer.alloc(0)
    if (!empty && fields.get('transfer-encoding') === 'chunked') content = await this.#chunks()
    else if (!empty) content = await this.#bytes(Number(fields.get('content-length') ?? 0))
    return { ...head, body: content.toString('latin1'), content }
  }

  async #chunks(): Promise<Buffer> {
    const parts: Buffer[] = []
    for (;;) {
      const end = await this.#find('\r\n')
      const size = Number.parseInt((await this.#bytes(end + 2)).toString('latin1'), 16)
      const chunk = await this.#bytes(size + 2)
      if (size === 0) return Buffer.concat(parts)
      parts.push(chunk.subarray(0, size))
    }
  }

  async #find(text: string): Promise<number> {
    for (;;) {
      const at = this.#held.indexOf(text, 0, 'latin1')
      if (at >= 0) return at
      await this.#more()
    }
  }

  async #bytes(length: number): Promise<Buffer> {
    while (this.#length < length) await this.#more()
    const bytes = this.#held.subarray(0, length)
    this.#drop(length)
    return bytes
  }

  #drop(length: number): void {
    this.#parts = [this.#held.subarray(length)]
    this.#length -= length
  }

  get #held(): Buffer {
    if (this.#parts.length !== 1) this.#parts = [Buffer.concat(this.#parts)]
    return this.#parts[0]!
  }

  /** What has come and is no part of a reply that was asked for. */
  get rest(): string {
    return this.#held.toString('latin1')
  }

  /** Resolves when the other side has ended or closed it; `rest` is then all that came. */
  async ended(): Promise<void> {
    while (!this.#ended) await this.#event()
  }

  async #more(): Promise<void> {
    if (this.#ended) throw new Error(`ended after ${JSON.stringify(this.rest.slice(0, 500))}`)
    await this.#event()
  }

  #event(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve
    })
  }

  close(): void {
    this.socket.destroy()
  }
}
