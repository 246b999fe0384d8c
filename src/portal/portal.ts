/**
 * Owns: the portal's own port: who am I and how many minutes are left, health, and the proxy file (PAC).
 * Never: tells anyone about anybody but themselves, or changes anything.
 */
import { randomBytes } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { readVisitor, VISITOR_FIELD, type Visitor } from '../policy/index.ts'
import { proxyAutoConfig } from './pac.ts'
import { portalPage, type WhoAmI } from './page.ts'

export interface PortalEndpoint {
  readonly address: string
  readonly port: number
}

/** What the portal asks the service for: each call is answered from memory. */
export interface PortalSource {
  readonly health: () => { readonly healthy: boolean } & object
  readonly whoAmI: (visitor: Visitor) => WhoAmI
  /** Where the proxy listens. */
  readonly proxies: () => readonly PortalEndpoint[]
}

interface Answer {
  readonly status: number
  readonly type: string
  readonly body: string
  /** Further fields. */
  readonly fields?: Readonly<Record<string, string>>
}

const TEXT = 'text/plain; charset=utf-8'
const METHODS = 'GET, HEAD'
const NO_PAC = 'ask for it at the address of the portal, not by name: the file says that address\n'

export class Portal {
  /** Proves that a request comes through the gate, which then says who asks (policy/visitor.ts). */
  readonly key = randomBytes(24).toString('base64url')
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
      ...answer.fields,
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
      return { status: 405, type: TEXT, body: 'GET only\n', fields: { Allow: METHODS } }
    }
    const told = readVisitor(this.key, request.headers[VISITOR_FIELD]?.toString())
    const visitor = told ?? visitorOf(request)
    switch (request.url?.split('?')[0]) {
      case '/health': {
        const health = this.#source.health()
        const body = `${JSON.stringify(health, null, 2)}\n`
        return { status: health.healthy ? 200 : 503, type: 'application/json', body }
      }
      case '/proxy.pac': {
        const body = proxyAutoConfig(this.#source.proxies(), visitor.reachedAt)
        if (body === null) return { status: 404, type: TEXT, body: NO_PAC }
        return { status: 200, type: 'application/x-ns-proxy-autoconfig', body }
      }
      case '/': {
        const language = request.headers['accept-language'] ?? ''
        const body = portalPage(this.#source.whoAmI(visitor), language, told !== null)
        return { status: 200, type: 'text/html; charset=utf-8', body }
      }
      default:
        return { status: 404, type: TEXT, body: 'not found: try /\n' }
    }
  }
}

/** Who comes to the portal's own port: an address, and nobody says more of them. */
function visitorOf({ socket }: IncomingMessage): Visitor {
  const { remoteAddress = '', localAddress = '' } = socket
  return { address: remoteAddress, identity: null, reachedAt: localAddress }
}
