/**
 * Owns: what node:http reads of a connection's bytes, without a network.
 * Never: judges what it read; differential.ts does.
 */
import http, { type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { Duplex } from 'node:stream'

/** One request as it was read. */
export interface Message {
  readonly method: string
  /** As it stands in the request line. */
  readonly target: string
  readonly minor: number
  /** Names and values in turn. */
  readonly fields: readonly string[]
  body: string
  /** Its body has come to its end. */
  complete: boolean
}

export interface Reading {
  readonly messages: Message[]
  /** Why no more was read: a code of the reader's own; empty where nothing was wrong. */
  stopped: string
}

/** What is pushed is what the client sends; what is written to it is gone. */
class Wire extends Duplex implements Reading {
  readonly messages: Message[] = []
  stopped = ''

  override _read(): void {}

  override _write(_bytes: Buffer, _encoding: string, done: () => void): void {
    done()
  }
}

const wireOf = ({ socket }: IncomingMessage) => socket as Duplex as Wire

function begun(request: IncomingMessage): Message {
  const { method = '', url: target = '', httpVersionMinor: minor, rawHeaders: fields } = request
  const message = { method, target, minor, fields, body: '', complete: false }
  wireOf(request).messages.push(message)
  return message
}

export class NodeHttp {
  readonly #server: Server

  constructor() {
    const answer = (request: IncomingMessage, response: ServerResponse) => {
      const message = begun(request)
      request.setEncoding('latin1')
      request.on('data', (text: string) => (message.body += text))
      request.on('end', () => {
        message.complete = true
        response.end()
      })
    }
    const leave = (why: string) => (request: IncomingMessage) => {
      begun(request).complete = true
      wireOf(request).stopped = why
      wireOf(request).destroy()
    }
    this.#server = http.createServer({ insecureHTTPParser: false })
    this.#server.on('request', answer)
    this.#server.on('checkContinue', answer)
    this.#server.on('connect', leave('connect'))
    // What comes after an Upgrade is of another protocol.
    this.#server.on('upgrade', leave('upgrade'))
    this.#server.on('checkExpectation', leave('expectation'))
    this.#server.on('clientError', (error: NodeJS.ErrnoException, wire) => {
      ;(wire as Duplex as Wire).stopped = error.code ?? error.message
      // What was read before it is handed out first.
      setImmediate(() => wire.destroy())
    })
  }

  /** `text` in latin1, sent on one connection and then ended. */
  read(text: string): Promise<Reading> {
    const wire = new Wire()
    return new Promise((resolve) => {
      wire.once('close', () => resolve(wire))
      this.#server.emit('connection', wire)
      wire.push(Buffer.from(text, 'latin1'))
      wire.push(null)
    })
  }

  close(): void {
    this.#server.close()
  }
}
