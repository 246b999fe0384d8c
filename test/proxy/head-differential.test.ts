/**
 * Owns: the differential test of request heads: what we take and write anew, node:http must read as we do.
 * Never: judges faults; head.test.ts has them. Nothing here touches the network.
 */
import http, { type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { Duplex } from 'node:stream'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { formatAuthority } from '../../src/policy/index.ts'
import { parseRequestHead, type RequestHead } from '../../src/proxy/head.ts'
import { requestText } from '../../src/proxy/rewrite.ts'

const SEED = 20_260
const HEADS = 6_000
const FIELDS_MAX = 50
/** Bodies are really sent: longer ones are left out. */
const LENGTH_MAX = 10_000
/** A second request straight after the first: it is found only where the first one's end is. */
const SENTINEL = 'GET /sentinel HTTP/1.1\r\nHost: s\r\nConnection: close\r\n\r\n'

/** One request as node:http read it. */
interface Read {
  readonly method: string
  readonly target: string
  readonly host: string
  readonly body: string
}

/** A connection without a network: what is pushed is what the client sends. */
class Wire extends Duplex {
  readonly seen: Read[] = []
  override _read(): void {}
  override _write(_bytes: Buffer, _encoding: string, done: () => void): void {
    done()
  }
}

let server: Server

beforeAll(() => {
  server = http.createServer({ insecureHTTPParser: false }, answer)
  server.on('clientError', (_error, wire) => wire.destroy())
})
afterAll(() => server.close())

function answer(request: IncomingMessage, response: ServerResponse): void {
  let body = ''
  request.setEncoding('latin1')
  request.on('data', (text: string) => (body += text))
  request.on('end', () => {
    const { method = '', url = '', headers } = request
    const wire = request.socket as Duplex as Wire
    wire.seen.push({ method, target: url, host: headers.host ?? '', body })
    response.end()
  })
}

/** What node:http reads of `bytes`, sent on one connection and then ended. */
function readByNode(bytes: string): Promise<Read[]> {
  const wire = new Wire()
  return new Promise((resolve) => {
    wire.once('close', () => resolve(wire.seen))
    server.emit('connection', wire)
    wire.push(Buffer.from(bytes, 'latin1'))
    wire.push(null)
  })
}

/** A body that ends where `head` says, and what it holds. */
function bodyOf({ framing }: RequestHead): { sent: string; body: string } {
  switch (framing.kind) {
    case 'length': {
      const body = 'b'.repeat(framing.length)
      return { sent: body, body }
    }
    case 'chunked':
      return { sent: '4\r\nGET \r\n1;x\r\n/\r\n0\r\nX: 1\r\n\r\n', body: 'GET /' }
    default:
      return { sent: '', body: '' }
  }
}

const NASTY = [
  ...[
    '\r',
    '\n',
    '\r\n',
    '\r\n ',
    '\0',
    ' ',
    '\t',
    ':',
    ',',
    ';',
    '=',
    '"',
    '\\',
    '/',
    '?',
    '#',
    '@',
  ],
  ...[
    '%',
    '%00',
    '\x7f',
    '\x80',
    '\xe5',
    '\xff',
    '0',
    '5',
    '+',
    'chunked',
    'identity',
    'close',
    '*',
  ],
]
const LINES = [
  ...['Content-Length: 3', 'content-length: 0', 'Content-Length: 00007', 'Content-Length:3 '],
  ...['Transfer-Encoding: chunked', 'transfer-encoding:CHUNKED', 'Transfer-Encoding: identity'],
  ...['Connection: close', 'Connection: host, content-length', 'Connection: transfer-encoding, te'],
  ...['Connection: Upgrade', 'Upgrade: websocket', 'Expect: 100-continue', 'TE: trailers'],
  ...['Host: a.se', 'host: a.se:80', 'Via: 1.0 x', 'Keep-Alive: 5', 'Proxy-Connection: keep-alive'],
  ...['Cookie: a=b; c="d"', 'X-Obs: \xe5\xe4\xf6', 'X-Empty:', 'Proxy-Authorization: Basic YTpi'],
]
const METHODS = ['GET', 'POST', 'PUT', 'HEAD', 'DELETE', 'OPTIONS', 'TRACE', 'PATCH', 'M-SEARCH']
const TARGETS = [
  ...['http://a.se/', 'http://a.se', 'http://a.se?q', 'HTTP://A.SE.:80/x?y=z', 'http://a.se/\xe5'],
  ...['http://a.se/"<>^`{|}', 'http://a.se:80/%zz', 'http://a.se/a\\b', 'http://a.se/?://@[]'],
]

/** A head that is well formed but for what its parts bring with them. */
const sound = fc
  .record({
    method: fc.constantFrom(...METHODS),
    target: fc.constantFrom(...TARGETS),
    minor: fc.constantFrom('1.1', '1.1', '1.1', '1.0'),
    lines: fc.array(fc.constantFrom(...LINES), { maxLength: 5 }),
  })
  .map(({ method, target, minor, lines }) =>
    [`${method} ${target} HTTP/${minor}`, 'Host: a.se', ...lines, ''].join('\r\n'),
  )

/** One change at a place, in thousandths of the length: put something in, take some out, or replace. */
const change = fc.record({
  place: fc.nat(1_000),
  taken: fc.integer({ min: 0, max: 3 }),
  put: fc.oneof(fc.constantFrom('', ...NASTY), fc.constantFrom(...LINES)),
})
const mutated = fc.tuple(sound, fc.array(change, { maxLength: 2 })).map(([head, changes]) =>
  changes.reduce((text, { place, taken, put }) => {
    const at = Math.floor((place * text.length) / 1_000)
    return text.slice(0, at) + put + text.slice(at + taken)
  }, head),
)

/** What `text` means to us, where a forwarded request is what it means. */
function taken(text: string): RequestHead | null {
  const parsed = parseRequestHead(text, FIELDS_MAX)
  if ('fault' in parsed || parsed.carriage === 'connect') return null
  return parsed.framing.kind === 'length' && parsed.framing.length > LENGTH_MAX ? null : parsed
}

/** As Forward asks: with a body there is no change of protocol. */
function upgradeOf(head: RequestHead): string | null {
  return head.framing.kind === 'none' ? head.upgrade : null
}

it('what we write is what node:http reads: method, target, host and end', async () => {
  let count = 0
  await fc.assert(
    fc.asyncProperty(mutated, async (text) => {
      const head = taken(text)
      if (head === null) return
      count++
      const { sent, body } = bodyOf(head)
      const upgrade = upgradeOf(head)
      const host = formatAuthority(head.host, head.port, 80)
      const read = await readByNode(requestText(head, upgrade, 'sluss-test') + sent + SENTINEL)
      // node:http knows a list of methods; any other ends its connection at once.
      if (!http.METHODS.includes(head.method)) {
        expect(read).toEqual([])
        return
      }
      const next = { method: 'GET', target: '/sentinel', host: 's', body: '' }
      expect(read).toEqual([
        { method: head.method, target: head.target, host, body },
        // What comes after an Upgrade is of another protocol, and node:http does not read it.
        ...(upgrade === null ? [next] : []),
      ])
    }),
    { seed: SEED, numRuns: HEADS },
  )
  // The mutations must leave enough that is well formed, or nothing has been compared.
  expect(count).toBeGreaterThan(HEADS / 10)
})

it('what we take, node:http reads as we do, unless it refuses it', async () => {
  await fc.assert(
    fc.asyncProperty(mutated, async (text) => {
      const head = taken(text)
      if (head === null) return
      const { sent, body } = bodyOf(head)
      const read = await readByNode(`${text}\r\n${sent}${SENTINEL}`)
      if (read.length === 0) return
      expect(read[0]).toMatchObject({ method: head.method, body })
    }),
    { seed: SEED + 1, numRuns: HEADS },
  )
})
