import type { Socket } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Origin, pattern, sha256, startPlain } from './stand/origin.ts'
import { type TrafficLine, until } from './stand/sluss.ts'
import { buildTown, type Town } from './stand/town.ts'
import { digestOf, openTunnel } from './stand/tunnel.ts'
import { Wire } from './stand/wire.ts'

const MANY = pattern(1_000_000)

/** Each does one thing with a connection; a test knows its lines by the port. */
const origins = {
  /** Answers when the client has ended, and only then. */
  afterEnd: (socket: Socket) => socket.resume().once('end', () => socket.end(MANY)),
  /** Ends first, and goes on to read. */
  beforeEnd: (socket: Socket) => {
    socket.end('bye')
    void digestOf(socket).then(({ hash }) => heard.push(hash))
  },
  /** When the client has ended, sends for as long as it is let, and says when it was cut. */
  endless: (socket: Socket) => {
    const more = () => {
      while (socket.writable && socket.write(MANY));
    }
    socket.resume().once('end', more).on('drain', more)
    socket.once('close', () => heard.push('closed'))
  },
  /** Has last words for a client that has ended, and may be gone: TLS does. */
  lastWords: (socket: Socket) => {
    socket.resume().once('end', () => {
      socket.write('good', () => setImmediate(() => socket.end('bye')))
    })
  },
  silent: (socket: Socket) => socket.resume().once('end', () => heard.push('ended')),
  /** Announces ten bytes, sends four, and is gone. */
  cutLength: (socket: Socket) => cut(socket, 'Content-Length: 10\r\n\r\nfour'),
  cutChunk: (socket: Socket) => cut(socket, 'Transfer-Encoding: chunked\r\n\r\n4\r\nfour\r\n'),
  cutChunk10: (socket: Socket) => cut(socket, 'Transfer-Encoding: chunked\r\n\r\n4\r\nfour\r\n'),
  /** The end of the connection is the end of the answer; but this is no end. */
  cutClose: (socket: Socket) => cut(socket, '\r\nfour'),
  cutBefore: (socket: Socket) => socket.once('data', () => socket.resetAndDestroy()),
}
type Name = keyof typeof origins

function cut(socket: Socket, text: string): void {
  socket.once('data', () => socket.write(`HTTP/1.1 200 OK\r\n${text}`))
  // The client has seen the four: now the reset cannot overtake them.
  socket.once('data', () => resets.push(() => socket.resetAndDestroy()))
}

let heard: string[] = []
const resets: (() => void)[] = []
const plain = {} as Record<Name, Origin>
let town: Town
beforeAll(async () => {
  for (const name of Object.keys(origins) as Name[]) plain[name] = await startPlain(origins[name])
  town = await buildTown({ ports: Object.values(plain).map(({ port }) => port) })
})
afterAll(async () => {
  await town.close()
  for (const origin of Object.values(plain)) await origin.close()
})

async function tunnelTo(name: Name): Promise<Socket> {
  heard = []
  const { reply, socket } = await openTunnel(town.sluss.port, `news.test:${plain[name].port}`)
  expect(reply.status).toBe(200)
  return socket
}

/** The line that says how the tunnel or request to `name` ended. */
function ended(name: Name, method = 'CONNECT'): Promise<TrafficLine> {
  const where = "port = ? AND method = ? AND ending <> 'open'"
  return town.sluss.line(where, plain[name].port, method)
}

describe('half of a tunnel', () => {
  it('may be ended by the client, who still gets the rest', async () => {
    const socket = await tunnelTo('afterEnd')
    const answer = digestOf(socket)
    socket.end('ask')
    expect(await answer).toMatchObject({ length: MANY.length, hash: sha256(MANY) })
    expect(await ended('afterEnd')).toMatchObject({
      bytes_up: 3,
      bytes_down: MANY.length,
      ending: 'complete',
    })
  })

  it('may be ended by the origin, who still gets the rest', async () => {
    const socket = await tunnelTo('beforeEnd')
    socket.allowHalfOpen = true
    expect(await digestOf(socket)).toMatchObject({ length: 3 })
    socket.end(MANY)
    await until('the origin has all', () => heard.length > 0)
    expect(heard).toEqual([sha256(MANY)])
    expect(await ended('beforeEnd')).toMatchObject({
      bytes_up: MANY.length,
      bytes_down: 3,
      ending: 'complete',
    })
  })
})

describe('bytes that come with the head of CONNECT', () => {
  it('are the first of the tunnel', async () => {
    const { sluss, echo } = town
    const wire = new Wire(sluss.port)
    const authority = `www.news.test:${echo.port}`
    wire.send(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n\r\nearly`)
    expect((await wire.reply()).status).toBe(200)
    wire.socket.end(' late')
    await wire.ended()
    expect(wire.rest).toBe('early late')
    expect(await sluss.line("host = 'www.news.test'")).toMatchObject({
      bytes_up: 10,
      bytes_down: 10,
      ending: 'complete',
    })
  })
})

describe('a client that goes away', () => {
  it('by a reset, takes its tunnel with it', async () => {
    const socket = await tunnelTo('silent')
    socket.resetAndDestroy()
    await until('the origin sees it', () => heard.length > 0)
    expect(await ended('silent')).toMatchObject({ ending: 'client-closed' })
  })

  it('after it has ended, without waiting for last words, has had a whole tunnel', async () => {
    for (let i = 0; i < 20; i++) (await tunnelTo('lastWords')).end('ask').destroy()
    const lines = () => town.sluss.lines("port = ? AND ending <> 'open'", plain.lastWords.port)
    await until('twenty lines', () => lines().length === 20)
    expect(new Set(lines().map(({ ending }) => ending))).toEqual(new Set(['complete']))
  })

  it('before it is heard, is no stranger: it has a row with its address, or none', async () => {
    const { sluss, http } = town
    const authority = `hate.test:${http.port}`
    const head = `GET http://${authority}/ HTTP/1.1\r\nHost: ${authority}\r\n\r\n`
    const gone = Array.from({ length: 100 }, () => {
      const wire = new Wire(sluss.port)
      wire.send(head)
      return new Promise((resolve) => {
        wire.socket.once('connect', () => wire.socket.resetAndDestroy()).once('close', resolve)
      })
    })
    await Promise.all(gone)
    const wire = new Wire(sluss.port)
    wire.send(head)
    expect((await wire.reply()).status).toBe(403)
    wire.close()
    await until('a row of the last', () => sluss.lines("host = 'hate.test'").length > 0)
    expect(sluss.lines("address <> '127.0.0.1' OR reason = 'zone-unknown'")).toEqual([])
  })

  it('in the middle of a download, takes its tunnel with it', async () => {
    const { sluss } = town
    const socket = await tunnelTo('endless')
    // It has ended its half, as it may, and goes away while there is more for it than it takes.
    socket.once('data', () => socket.destroy())
    socket.end('ask')
    socket.resume()
    await until('the origin sees it', () => heard.length > 0)
    expect(await ended('endless')).toMatchObject({ ending: 'client-closed' })
    await until('none is open', async () => (await sluss.status()).counters.tunnelsOpen === 0)
  })

  it('in the middle of an answer, is let go by the origin too', async () => {
    const { sluss, http } = town
    const wire = new Wire(sluss.port)
    const authority = `help.test:${http.port}`
    wire.send(`GET http://${authority}/drip HTTP/1.1\r\nHost: ${authority}\r\n\r\n`)
    await until('it drips', () => wire.rest.endsWith('x\r\n'))
    wire.close()
    await until('the origin sees it', () => http.requests.at(-1)!.destroyed)
    const line = await sluss.line("host = 'help.test' AND ending <> 'open'")
    expect(line).toMatchObject({ ending: 'client-closed', status: 200 })
  })
})

describe('an origin that goes away', () => {
  /** The answer to GET, as far as it goes. */
  async function got(name: Name, minor = 1): Promise<Wire> {
    const wire = new Wire(town.sluss.port)
    const authority = `news.test:${plain[name].port}`
    wire.send(`GET http://${authority}/ HTTP/1.${minor}\r\nHost: ${authority}\r\n\r\n`)
    await until('the first four', () => wire.rest.includes('four'))
    for (const reset of resets.splice(0)) reset()
    await wire.ended()
    return wire
  }

  it('in the middle of an answer, leaves the client with a cut one', async () => {
    const chunk = /transfer-encoding: chunked\r\n[\s\S]*\r\n\r\n4\r\nfour\r\n$/i
    expect((await got('cutLength')).rest).toMatch(/content-length: 10\r\n[\s\S]*\r\n\r\nfour$/i)
    expect((await got('cutChunk')).rest).toMatch(chunk)
    expect((await got('cutClose')).rest).toMatch(chunk)
    for (const name of ['cutLength', 'cutChunk', 'cutClose'] as const) {
      expect(await ended(name, 'GET')).toMatchObject({ ending: 'origin-closed', status: 200 })
    }
  })

  it('in the middle of an answer without length, leaves a client of HTTP/1.0 with a reset', async () => {
    const wire = await got('cutChunk10', 0)
    expect(wire.fault).toBe('ECONNRESET')
    expect(await ended('cutChunk10', 'GET')).toMatchObject({ ending: 'origin-closed', status: 200 })
  })

  it('before it has answered, is answered for', async () => {
    const wire = new Wire(town.sluss.port)
    const authority = `news.test:${plain.cutBefore.port}`
    wire.send(`GET http://${authority}/ HTTP/1.1\r\nHost: ${authority}\r\n\r\n`)
    const reply = await wire.reply()
    wire.close()
    expect(reply.status).toBe(502)
    expect(reply.fields.get('proxy-status')).toContain('error=connection_terminated')
    expect(await ended('cutBefore', 'GET')).toMatchObject({
      verdict: 'allow',
      ending: 'origin-closed',
      status: 502,
    })
  })

  it('in the middle of a tunnel, ends it for the client', async () => {
    const socket = await tunnelTo('cutLength')
    const answer = digestOf(socket, 'four')
    socket.write('ask')
    await until('it has begun', () => resets.length > 0)
    for (const reset of resets.splice(0)) reset()
    expect((await answer).head).toMatch(/four$/)
    expect(await ended('cutLength')).toMatchObject({ ending: 'origin-closed', bytes_up: 3 })
  })
})
