/**
 * Owns: origins of our own on loopback: plain HTTP, HTTPS with a certificate made for the test, and echoes.
 * Never: leaves loopback.
 */
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo, Server as NetServer, Socket } from 'node:net'
import { createServer as createNetServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { WebSocketServer } from 'ws'

export interface Certificate {
  readonly key: string
  readonly certificate: string
}

/** A self-signed certificate for `names`, made by openssl and kept in memory only. */
export function makeCertificate(names: readonly string[]): Certificate {
  const folder = mkdtempSync(join(tmpdir(), 'sluss-origin-'))
  try {
    const key = join(folder, 'key')
    const certificate = join(folder, 'certificate')
    const subject = names.map((name) => `DNS:${name}`).join(',')
    const args = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1']
    args.push('-nodes', '-days', '2', '-subj', `/CN=${names[0]}`, '-keyout', key)
    args.push('-out', certificate, '-addext', `subjectAltName=${subject}`)
    execFileSync('openssl', args, { stdio: 'pipe' })
    return { key: readFileSync(key, 'utf8'), certificate: readFileSync(certificate, 'utf8') }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

export interface Origin {
  readonly port: number
  /** Requests that arrived, in order. */
  readonly requests: IncomingMessage[]
  /** Connections that were made to it, TCP alone counts. */
  readonly connections: number
  close(): Promise<void>
}

/**
 * `length` bytes that are the same each time. They do not repeat: a piece lost, doubled or moved shows.
 * The factors are those of Numerical Recipes' generator, whose period is 2^32.
 */
export function pattern(length: number): Buffer {
  const words = new Uint32Array(Math.ceil(length / 4))
  let word = 1
  for (let i = 0; i < words.length; i++) {
    word = (Math.imul(word, 1_664_525) + 1_013_904_223) >>> 0
    words[i] = word
  }
  return Buffer.from(words.buffer, 0, length)
}

export function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex')
}

/**
 * `/hello` says hello; `/page` is HTML; `/bytes/N` gives `pattern(N)`; `/upload` gives the SHA-256 of what it
 * got; `/chunked` comes in three chunks; `/drip` sends a byte each 50 ms until it is cut; WebSockets are
 * echoed.
 */
const answer: RequestListener = (request, response) => {
  const path = new URL(request.url!, 'http://origin/').pathname
  const bytes = /^\/bytes\/(\d+)$/.exec(path)
  if (bytes !== null) response.end(pattern(Number(bytes[1])))
  else if (path === '/page') {
    response.setHeader('content-type', 'text/html; charset=utf-8')
    response.end(`<!doctype html><title>page</title><h1>${request.headers.host}</h1>`)
  } else if (path === '/upload') digest(request, (hash) => response.end(hash))
  else if (path === '/chunked') {
    for (const part of ['one ', 'two ', 'three']) response.write(part)
    response.end()
  } else if (path === '/drip') {
    const timer = setInterval(() => response.write('x'), 50)
    response.once('close', () => clearInterval(timer))
  } else {
    const hello = `hello from ${request.headers.host}`
    response.setHeader('content-length', hello.length)
    response.end(hello)
  }
}

function digest(request: IncomingMessage, done: (hash: string) => void): void {
  const hash = createHash('sha256')
  request.on('data', (chunk: Buffer) => hash.update(chunk))
  request.on('end', () => done(hash.digest('hex')))
}

export function startOrigin(
  certificate: Certificate | null = null,
  address = '127.0.0.1',
): Promise<Origin> {
  const { key, certificate: cert } = certificate ?? {}
  const server = cert === undefined ? createServer() : createTlsServer({ key: key!, cert })
  const requests: IncomingMessage[] = []
  server.on('request', (request: IncomingMessage, response) => {
    requests.push(request)
    answer(request, response as Parameters<RequestListener>[1])
  })
  const sockets = new WebSocketServer({ server: server as Server })
  sockets.on('connection', (socket) => {
    socket.on('message', (data, binary) => socket.send(data, { binary }))
  })
  return listening(server, requests, address)
}

/** A server of plain bytes that sends back what it gets. */
export function startEcho(): Promise<Origin> {
  return startPlain((socket) => socket.pipe(socket))
}

/** A server of plain bytes: `serve` gets each connection, whose two directions end on their own. */
export function startPlain(serve: (socket: Socket) => void): Promise<Origin> {
  const server = createNetServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => {})
    serve(socket)
  })
  return listening(server, [])
}

function listening(
  server: NetServer,
  requests: IncomingMessage[],
  address = '127.0.0.1',
): Promise<Origin> {
  let connections = 0
  const open = new Set<{ destroy: () => void }>()
  server.on('connection', (socket) => {
    connections++
    open.add(socket)
    socket.once('close', () => open.delete(socket))
  })
  return new Promise((resolve) => {
    server.listen(0, address, () => {
      resolve({
        port: (server.address() as AddressInfo).port,
        requests,
        get connections() {
          return connections
        },
        close: () =>
          new Promise((done) => {
            server.close(() => done())
            for (const socket of open) socket.destroy()
          }),
      })
    })
  })
}
