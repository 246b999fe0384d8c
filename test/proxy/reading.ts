/**
 * Owns: all that comes at a socket, and how it ended.
 * Never: answers.
 */
import type { Socket } from 'node:net'

export class Reading {
  readonly parts: Buffer[] = []
  length = 0
  ended = false
  /** The system's word for what went wrong; empty: nothing. */
  fault = ''
  closed = false

  constructor(socket: Socket) {
    socket.on('data', (bytes: Buffer) => {
      this.parts.push(bytes)
      this.length += bytes.length
    })
    socket.once('end', () => {
      this.ended = true
    })
    socket.once('error', (error: NodeJS.ErrnoException) => {
      this.fault = error.code ?? ''
    })
    socket.once('close', () => {
      this.closed = true
    })
  }

  get bytes(): Buffer {
    return Buffer.concat(this.parts)
  }

  get text(): string {
    return this.bytes.toString('latin1')
  }
}
