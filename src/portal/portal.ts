/**
 * Owns: the portal's own port: who am I and how many minutes are left, health, and the proxy file (PAC).
 * Never: tells anyone about anybody but themselves, or changes anything.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { proxyAutoConfig } from './pac.ts'
import { portalPage, type WhoAmI } from './page.ts'

export interface PortalEndpoint {
  readonly address: string
  readonly port: number
}

/** What the portal asks the service for: each call is answered from memory. */
export interface PortalSource {
  readonly health: () => { readonly healthy: boolean } & object
  /** By the client's address, in canonical text. */
  readonly whoAmI: (address: string) => WhoAmI
  /** Where the proxy listens. */
  readonly proxies: () => readonly PortalEndpoint[]
}

interface Answer {
  readonly status: number
  readonly type: string
  readonly body: string
}

export class Portal {
  readonly #source: PortalSource
  readonly #servers: Server[] = []

  constructor(source: PortalSource) {
    this.#source = source
  }

  get endpoints(): PortalEndpoint[] {
    return this.#servers.map((server) => {
      const { address, port } = server.address() as AddressInfo
      return { address, port }
    })
  }

  /** Rejects with the system's error where an address cannot be listened on. */
  async listen(endpoints: readonly PortalEndpoint[]): Promise<void> {
    for (const { address, port } of endpoints) {
      const server = createServer((request, response) => this.#serve(request, response))
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject)
        server.listen(port, address, resolve)
      })
      this.#servers.push(server)
    }
  }

  close(): void {
    for (const server of this.#servers) {
      server.close()
      server.closeAllConnections()
    }
  }

  #serve(request: IncomingMessage, response: ServerResponse): void {
    const answer = this.#answer(request)
    response.writeHead(answer.status, {
      'Content-Type': answer.type,
      'Content-Length': Buffer.byteLength(answer.body),
      'Cache-Control': 'no-store',
      'Content-Security-Policy': "default-src 'none'; style-src 'unsafe-inline'",
      'X-Content-Type-Options': 'nosniff',
      'Referrer-Policy': 'no-referrer',
    })
    response.end(request.method === 'HEAD' ? '' : answer.body)
  }

  #answer(request: IncomingMessage): Answer {
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      return { status: 405, type: 'text/plain; charset=utf-8', body: 'GET only\n' }
    }
    switch (request.url?.split('?')[0]) {
      case '/health': {
        const health = this.#source.health()
        const body = `${JSON.stringify(health, null, 2)}\n`
        return { status: health.healthy ? 200 : 503, type: 'application/json', body }
      }
      case '/proxy.pac': {
        const reachedAt = request.socket.localAddress ?? ''
        const body = proxyAutoConfig(this.#source.proxies(), reachedAt)
        return { status: 200, type: 'application/x-ns-proxy-autoconfig', body }
      }
      case '/': {
        const address = request.socket.remoteAddress ?? ''
        const language = request.headers['accept-language'] ?? ''
        const body = portalPage(this.#source.whoAmI(address), language)
        return { status: 200, type: 'text/html; charset=utf-8', body }
      }
      default:
        return { status: 404, type: 'text/plain; charset=utf-8', body: 'not found: try /\n' }
    }
  }
}
