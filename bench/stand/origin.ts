/**
 * Owns: the origin of the benches: 1 KiB for every GET, any number of bytes for `/bytes/N`, and a
 * body of known length taken in; over bare sockets, as cheaply as it can.
 * Never: more than that; what it does not know it answers with 501 and closes.
 */
import { type AddressInfo, createServer, type Socket } from 'node:net'

const BODY_BYTES = 1_024
const CHUNK = Buffer.alloc(256 * 1_024, 'x')
const HEAD_END = '\r\n\r\n'
const SECOND_MS = 1_000

/** The answer to a plain GET, whole; with the date of this second. */
let whole = Buffer.alloc(0)

function renew(): void {
  whole = Buffer.concat([headOf(BODY_BYTES, true), CHUNK.subarray(0, BODY_BYTES)])
}

function headOf(bytes: number, keepAlive: boolean): Buffer {
  return Buffer.from(
    `HTTP/1.1 200 OK\r\nContent-Length: ${bytes}\r\nContent-Type: text/plain\r\n` +
      `Date: ${new Date().toUTCString()}\r\nConnection: ${keepAlive ? 'keep-alive' : 'close'}\r\n\r\n`,
  )
}

/** What a head asks for. */
interface Asked {
  /** Of the answer's body. */
  readonly bytes: number
  /** Of the request's body. */
  readonly bodyBytes: number
  readonly keepAlive: boolean
}

function readHead(head: string): Asked | null {
  const match = /^(GET|PUT) (?:http:\/\/[^/ ]+)?\/(?:bytes\/(\d+))? HTTP\/1\.1\r\n/.exec(head)
  const length = /\r\nContent-Length: *(\d+)/i.exec(head)?.[1]
  if (match === null || (match[1] === 'PUT' && length === undefined)) return null
  return {
    bytes: Number(match[2] ?? BODY_BYTES),
    bodyBytes: Number(length ?? 0),
    keepAlive: !/\r\nConnection: close/i.test(head),
  }
}

class Connection {
  readonly #socket: Socket
  #held: Buffer = Buffer.alloc(0)
  /** The last plain GET: nearly all are the same, and need no reading. */
  #usual: Buffer = Buffer.alloc(0)
  #asked: Asked | null = null
  /** Of the request's body, still to come. */
  #bodyLeft = 0
  /** Of the answer's body, still to be written. */
  #left = 0

  constructor(socket: Socket) {
    this.#socket = socket
    socket.on('data', (bytes) => this.#data(bytes))
    socket.on('drain', () => this.#write())
    socket.on('error', () => {})
  }

  #data(bytes: Buffer): void {
    if (this.#asked === null && this.#held.length === 0 && this.#usual.equals(bytes)) {
      this.#socket.write(whole)
      return
    }
    if (this.#bodyLeft > 0) this.#body(bytes)
    else {
      this.#held = this.#held.length === 0 ? bytes : Buffer.concat([this.#held, bytes])
      this.#next()
    }
  }

  #next(): void {
    while (this.#asked === null) {
      const end = this.#held.indexOf(HEAD_END)
      if (end < 0) return
      const head = this.#held.subarray(0, end + HEAD_END.length)
      const asked = readHead(head.toString('latin1'))
      if (asked === null) {
        this.#socket.end('HTTP/1.1 501 Not Implemented\r\nContent-Length: 0\r\n\r\n')
        return
      }
      const { bytes, bodyBytes, keepAlive } = asked
      if (keepAlive && bytes === BODY_BYTES && bodyBytes === 0) this.#usual = Buffer.from(head)
      const rest = this.#held.subarray(head.length)
      this.#held = Buffer.alloc(0)
      this.#asked = asked
      this.#bodyLeft = bodyBytes
      this.#body(rest)
    }
  }

  #body(bytes: Buffer): void {
    const used = Math.min(this.#bodyLeft, bytes.length)
    this.#bodyLeft -= used
    if (used < bytes.length) this.#held = Buffer.from(bytes.subarray(used))
    if (this.#bodyLeft > 0) return
    const { bytes: wanted, keepAlive } = this.#asked!
    this.#left = wanted
    this.#socket.write(headOf(wanted, keepAlive))
    this.#write()
  }

  #write(): void {
    if (this.#asked === null || this.#bodyLeft > 0) return
    while (this.#left > 0) {
      const bytes = CHUNK.subarray(0, Math.min(this.#left, CHUNK.length))
      this.#left -= bytes.length
      if (!this.#socket.write(bytes) && this.#left > 0) return
    }
    if (!this.#asked.keepAlive) this.#socket.end()
    this.#asked = null
    this.#next()
  }
}

renew()
setInterval(renew, SECOND_MS)
const server = createServer({ noDelay: true }, (socket) => new Connection(socket))
server.listen({ port: 0, host: '127.0.0.1', backlog: 4_096 }, () => {
  process.stdout.write(`ready ${(server.address() as AddressInfo).port}\n`)
})
process.once('SIGTERM', () => process.exit(0))
