/**
 * Owns: a publisher of lists on loopback: HTTPS, ETags, whatever a test has put there.
 * Never: leaves loopback.
 */
import { createHash } from 'node:crypto'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { type Certificate, makeCertificate } from './origin.ts'

/** What a request was answered with. */
export interface Served {
  readonly path: string
  readonly status: number
}

export class ListServer {
  readonly certificate: Certificate = makeCertificate(['localhost'])
  readonly served: Served[] = []
  readonly #lists = new Map<string, string | Buffer>()
  readonly #server: Server

  private constructor() {
    const { key, certificate: cert } = this.certificate
    this.#server = createServer({ key, cert }, (request, response) => {
      const path = request.url ?? ''
      const body = this.#lists.get(path)
      const etag = body === undefined ? '' : `"${createHash('sha256').update(body).digest('hex')}"`
      const known = etag !== '' && request.headers['if-none-match'] === etag
      const status = body === undefined ? 404 : known ? 304 : 200
      this.served.push({ path, status })
      response.writeHead(status, etag === '' ? {} : { etag, 'content-type': 'text/plain' })
      response.end(status === 200 ? body : undefined)
    })
  }

  static async start(): Promise<ListServer> {
    const lists = new ListServer()
    await new Promise<void>((resolve) => lists.#server.listen(0, '127.0.0.1', resolve))
    return lists
  }

  /** Publishes `body` at `path`, in place of what was there. */
  publish(path: string, body: string | Buffer): void {
    this.#lists.set(path, body)
  }

  withdraw(path: string): void {
    this.#lists.delete(path)
  }

  url(path: string): string {
    return `https://localhost:${(this.#server.address() as AddressInfo).port}${path}`
  }

  /** How often `path` was asked for. */
  asked(path: string): number {
    return this.served.filter((one) => one.path === path).length
  }

  close(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.close(() => resolve())
      this.#server.closeAllConnections()
    })
  }
}
