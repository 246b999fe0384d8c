/**
 * Owns: a publisher of lists and a proxy before it, both real and on loopback, and an authority of
 * their own.
 * Never: leaves loopback.
 */
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import { createServer as createHttpsServer, type Server } from 'node:https'
import { type AddressInfo, connect, createServer, type Server as NetServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface Authority {
  /** PEM file of the authority. */
  readonly file: string
  readonly key: string
  readonly certificate: string
  remove(): void
}

/** An authority that nobody trusts yet, and a certificate by it for our names on loopback. */
export function makeAuthority(): Authority {
  const folder = mkdtempSync(join(tmpdir(), 'sluss-authority-'))
  const at = (name: string) => join(folder, name)
  const openssl = (...args: string[]) => execFileSync('openssl', args, { stdio: 'pipe' })
  const fresh = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  const keyed = ['req', ...fresh, '-keyout']
  openssl(...keyed, at('ca.key'), '-x509', '-days', '2', '-subj', '/CN=test', '-out', at('ca.pem'))
  openssl(...keyed, at('key'), '-subj', '/CN=lists.test', '-out', at('request'))
  const names = 'subjectAltName=DNS:lists.test,DNS:other.test,DNS:localhost,IP:127.0.0.1\n'
  writeFileSync(at('names'), names)
  const signed = ['-CA', at('ca.pem'), '-CAkey', at('ca.key'), '-CAcreateserial', '-days', '2']
  const to = ['-extfile', at('names'), '-out', at('certificate')]
  openssl('x509', '-req', '-in', at('request'), ...signed, ...to)
  return {
    file: at('ca.pem'),
    key: readFileSync(at('key'), 'utf8'),
    certificate: readFileSync(at('certificate'), 'utf8'),
    remove: () => rmSync(folder, { recursive: true }),
  }
}

type Answer = (request: IncomingMessage, response: ServerResponse) => void

/** An HTTPS server whose every path does what the test has put there. */
export class Publisher {
  /** As they came. */
  readonly requests: IncomingMessage[] = []
  readonly #answers = new Map<string, Answer>()
  readonly #server: Server

  constructor({ key, certificate: cert }: Authority) {
    const listener: RequestListener = (request, response) => {
      this.requests.push(request)
      const answer = this.#answers.get(request.url ?? '')
      if (answer === undefined) response.writeHead(404).end('no such list')
      else answer(request, response)
    }
    this.#server = createHttpsServer({ key, cert }, listener)
    // Clients that do not trust us, and those that lose patience.
    this.#server.on('tlsClientError', () => {})
  }

  start(): Promise<void> {
    return listen(this.#server)
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  url(path: string, host = 'lists.test'): string {
    return `https://${host}:${this.port}${path}`
  }

  answer(path: string, answer: Answer): void {
    this.#answers.set(path, answer)
  }

  /** A text with an ETag, as a good server has it. */
  publish(path: string, text: string | Buffer, headers: Record<string, string> = {}): void {
    const etag = `"${createHash('sha256').update(text).digest('base64url')}"`
    const length = String(Buffer.byteLength(text))
    const all = { 'Content-Type': 'text/plain', 'Content-Length': length, etag, ...headers }
    this.answer(path, (request, response) => {
      if (request.headers['if-none-match'] === etag) response.writeHead(304, { etag }).end()
      else response.writeHead(200, all).end(text)
    })
  }

  /** A text that ends where the connection ends. `headers`: lines, each with its end. */
  publishOpen(path: string, text: string, headers = ''): void {
    this.answer(path, (_, { socket }) => {
      socket?.end(`HTTP/1.1 200 OK\r\nConnection: close\r\n${headers}\r\n${text}`)
    })
  }

  redirect(path: string, to: string): void {
    this.answer(path, (_, response) => response.writeHead(302, { Location: to }).end())
  }

  asked(path: string): number {
    return this.requests.filter(({ url }) => url === path).length
  }

  close(): Promise<void> {
    return close(this.#server, () => this.#server.closeAllConnections())
  }
}

/** A proxy that knows CONNECT and Basic, and the names of our own tests. */
export class ConnectProxy {
  /** `host:port` of each CONNECT that it let through. */
  readonly connected: string[] = []
  readonly #server: NetServer

  /** `answers`: instead of a connection, this status. */
  private constructor(credentials: string | null, answers: number | null) {
    this.#server = createServer((client) => {
      client.on('error', () => {})
      let head = ''
      client.on('data', function read(chunk) {
        head += chunk.toString('latin1')
        if (head.includes('\r\n\r\n')) {
          client.off('data', read)
          tunnel()
        }
      })
      const tunnel = () => {
        const authority = /^CONNECT (\S+):(\d+) HTTP\/1\.1\r\n/.exec(head)
        const given = /^proxy-authorization: Basic (\S+)/im.exec(head)?.[1] ?? ''
        const known = credentials === null || atob(given) === credentials
        const refusal = authority === null ? 400 : known ? answers : 407
        if (authority === null || refusal !== null) {
          client.end(`HTTP/1.1 ${refusal} No\r\nContent-Length: 0\r\n\r\n`)
          return
        }
        this.connected.push(`${authority[1]}:${authority[2]}`)
        const origin = connect(Number(authority[2]), '127.0.0.1', () => {
          client.write('HTTP/1.1 200 Connection established\r\n\r\n')
          client.pipe(origin).pipe(client)
        })
        origin.on('error', () => {})
        origin.on('close', () => client.destroy())
        client.on('close', () => origin.destroy())
      }
    })
  }

  static async start(
    credentials: string | null,
    answers: number | null = null,
  ): Promise<ConnectProxy> {
    const proxy = new ConnectProxy(credentials, answers)
    await listen(proxy.#server)
    return proxy
  }

  url(credentials = ''): string {
    return `http://${credentials}127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  close(): Promise<void> {
    return close(this.#server, () => {})
  }
}

function listen(server: NetServer): Promise<void> {
  return new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
}

function close(server: NetServer, hurry: () => void): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve())
    hurry()
  })
}
