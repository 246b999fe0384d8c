/**
 * Owns: whether an address can be listened on, tried before it is needed, and the words where it cannot.
 * Never: keeps it.
 */
import { createServer } from 'node:net'
import type { Endpoint } from '../proxy/world.ts'

/** Listens on `endpoint` for a moment, sharing it with nobody: the system's code where it cannot, or null. */
export function listenFault({ address, port }: Endpoint): Promise<string | null> {
  const server = createServer((socket) => socket.destroy())
  return new Promise((resolve) => {
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
    server.listen({ host: address, port, exclusive: true }, () => {
      server.close(() => resolve(null))
    })
  })
}

const HINTS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'another program listens there: stop it, or change',
  EADDRNOTAVAIL: 'this machine has no such address: change',
  EACCES: 'ports below 1024 are for root alone: change',
}

/** An address that could not be listened on, in words for people; `key` is the setting it stands in. */
export class ListenError extends Error {
  override readonly name = 'ListenError'
  readonly key: string
  /** `127.0.0.1:3128` */
  readonly where: string
  readonly what: string
  readonly hint: string

  constructor(endpoint: Endpoint, why: string, key: string) {
    const where = endpointText(endpoint)
    const what = `cannot be listened on (${why})`
    const hint = `${HINTS[why] ?? 'look at'} ${key}`
    super(`${where} ${what}; ${hint}`)
    this.key = key
    this.where = where
    this.what = what
    this.hint = hint
  }
}

export function endpointText({ address, port }: Endpoint): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`
}
