/**
 * Owns: HTTP/1.1 as it is seen from outside, byte for byte: between raw sockets and an origin that says what it
 * is told. RFC 9110, RFC 9112.
 * Never: looks into the process.
 */
import type { Socket } from 'node:net'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { type Origin, startPlain } from './stand/origin.ts'
import { curl, has, startChromium } from './stand/programs.ts'
import { until } from './stand/sluss.ts'
import { buildTown, type Town } from './stand/town.ts'
import { Wire } from './stand/wire.ts'

/** A connection to the origin, and all that came on it. */
interface Taken {
  readonly socket: Socket
  text: string
  ended: boolean
  closed: boolean
}

let town: Town
let origin: Origin
let taken: Taken[] = []
/** What the origin does when more has come on a connection. */
let serve: (connection: Taken) => void = () => {}

beforeAll(async () => {
  origin = await startPlain((socket) => {
    const connection: Taken = { socket, text: '', ended: false, closed: false }
    taken.push(connection)
    socket.on('data', (bytes: Buffer) => {
      connection.text += bytes.toString('latin1')
      serve(connection)
    })
    socket.on('end', () => {
      connection.ended = true
    })
    socket.on('close', () => {
      connection.closed = true
    })
  })
  town = await buildTown({ ports: [origin.port], threads: 1 })
})
afterAll(async () => {
  await town.close()
  await origin.close()
})

let wires: Wire[] = []
afterEach(() => {
  for (const wire of wires) wire.close()
  for (const { socket } of taken) socket.destroy()
  wires = []
  taken = []
  serve = () => {}
})

function open(): Wire {
  const wire = new Wire(town.sluss.port)
  wires.push(wire)
  return wire
}

const at = (host = 'news.test') => `${host}:${origin.port}`

/** A request for `/a` in absolute form. `request` is a method, and a version where it is not 1.1. */
function request(line: string, ...fields: string[]): string {
  const [method, version = 'HTTP/1.1'] = line.split(' ')
  const all = [`${method} http://${at()}/a ${version}`, `Host: ${at()}`, ...fields]
  return `${all.join('\r\n')}\r\n\r\n`
}

/** The origin answers each whole head with `answer`. */
function answering(answer: string): void {
  serve = (connection) => {
    let end = connection.text.indexOf('\r\n\r\n')
    for (; end >= 0; end = connection.text.indexOf('\r\n\r\n', end + 4)) {
      if (end + 4 <= served(connection)) continue
      answered.set(connection, end + 4)
      connection.socket.write(answer, 'latin1')
    }
  }
}
const answered = new WeakMap<Taken, number>()
const served = (connection: Taken) => answered.get(connection) ?? 0

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'

/** What the origin got on its latest connection, as lines. */
async function received(end = '\r\n\r\n'): Promise<string[]> {
  await until('the origin has it', () => taken.at(-1)?.text.includes(end) ?? false)
  return taken.at(-1)!.text.split('\r\n')
}

/** Asks again on the same connection: it is in step. */
async function goesOn(wire: Wire): Promise<void> {
  answering(OK)
  wire.send(request('GET'))
  expect((await wire.reply()).body).toBe('ok')
}

describe('HTTP/1.0', () => {
  it('of a client: the origin is asked in 1.1, and the answer has no chunks and an end', async () => {
    answering(
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n4\r\n two\r\n0\r\n\r\n',
    )
    const wire = open()
    wire.send(`GET http://${at()}/a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n`)
    await wire.ended()
    const [head, body] = wire.rest.split('\r\n\r\n')
    expect(head!.split('\r\n').slice(0, 2)).toEqual(['HTTP/1.1 200 OK', 'Connection: close'])
    expect(body).toBe('one two')
    const lines = await received()
    expect(lines.slice(0, 2)).toEqual(['GET /a HTTP/1.1', `Host: ${at()}`])
    expect(lines).toContainEqual(expect.stringMatching(/^Via: 1\.0 sluss-/))
  })

  it('of a client: interim answers are not for it', async () => {
    answering(`HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n${OK}`)
    const wire = open()
    wire.send(request('GET HTTP/1.0'))
    await wire.ended()
    expect(wire.rest).toMatch(/^HTTP\/1\.1 200 OK\r\n/)
  })

  it('of an origin: an answer without a length comes in chunks, and the client goes on', async () => {
    serve = ({ socket }) => socket.end('HTTP/1.0 200 Fine\r\nX-A: b\r\n\r\nto the end')
    const wire = open()
    wire.send(request('GET'))
    const reply = await wire.reply()
    expect([reply.line, reply.body]).toEqual(['HTTP/1.1 200 Fine', 'to the end'])
    expect(reply.fields.get('transfer-encoding')).toBe('chunked')
    expect(reply.fields.get('via')).toMatch(/^1\.0 sluss-/)
    await goesOn(wire)
    expect(taken).toHaveLength(2)
  })

  it('of an origin: its chunks are none', async () => {
    answering('HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n')
    const wire = open()
    wire.send(request('GET'))
    expect((await wire.reply()).status).toBe(502)
  })
})

describe('answers without content', () => {
  it.each([
    { what: 'to HEAD', method: 'HEAD', head: '200 OK\r\nContent-Length: 5000', length: '5000' },
    { what: 'to HEAD, in chunks', method: 'HEAD', head: '200 OK\r\nTransfer-Encoding: chunked' },
    { what: '204', head: '204 No Content' },
    { what: '304', head: '304 Not Modified' },
    { what: '304 of a length', head: '304 Not Modified\r\nContent-Length: 77', length: '77' },
  ])('$what end with their head, and the next is asked for', async ({ method, head, length }) => {
    answering(`HTTP/1.1 ${head}\r\nETag: "a"\r\n\r\n`)
    const wire = open()
    wire.send(request(method ?? 'GET'))
    const reply = await wire.reply(method)
    expect(reply.line).toBe(`HTTP/1.1 ${head.split('\r\n')[0]}`)
    expect(reply.fields.get('content-length')).toBe(length)
    expect(reply.fields.get('etag')).toBe('"a"')
    await goesOn(wire)
    // Where a body was announced one might come, and be taken for the next answer.
    const announced = head.includes('Length') || head.includes('chunked')
    expect(taken).toHaveLength(announced ? 2 : 1)
  })

  it('of which one has content all the same harm nobody who asks next', async () => {
    const poison = 'HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nPOISON'
    serve = ({ socket, text }) => {
      if (!text.startsWith('HEAD')) {
        socket.write(OK)
        return
      }
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${poison.length}\r\n\r\n`)
      setImmediate(() => socket.write(poison))
    }
    for (let i = 0; i < 20; i++) {
      const [first, second] = [open(), open()]
      first.send(request('HEAD'))
      await first.reply('HEAD')
      second.send(request('GET'))
      expect((await second.reply()).body).toBe('ok')
    }
  })
})

describe('interim answers', () => {
  it('are all passed on, with their fields, before the answer', async () => {
    const hints = (n: number) =>
      `HTTP/1.1 103 Early Hints\r\nLink: </${n}>\r\nKeep-Alive: 1\r\n\r\n`
    answering(`HTTP/1.1 102 Processing\r\n\r\n${hints(1)}${hints(2)}${OK}`)
    const wire = open()
    wire.send(request('GET'))
    expect((await wire.reply()).status).toBe(102)
    const first = await wire.reply()
    expect([first.status, first.fields.get('link')]).toEqual([103, '</1>'])
    expect(first.fields.has('keep-alive')).toBe(false)
    expect((await wire.reply()).fields.get('link')).toBe('</2>')
    expect((await wire.reply()).body).toBe('ok')
    await goesOn(wire)
  })

  it('without end are no answer', async () => {
    answering('HTTP/1.1 102 Processing\r\n\r\n'.repeat(101))
    const wire = open()
    wire.send(request('GET'))
    for (let i = 0; i < 100; i++) expect((await wire.reply()).status).toBe(102)
    expect((await wire.reply()).status).toBe(502)
  })

  it('101 for who has not asked is none', async () => {
    answering('HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n')
    const other = ['Connection: upgrade', 'Upgrade: x']
    for (const fields of [[], ['Upgrade: x'], ['Connection: upgrade'], other]) {
      const wire = open()
      wire.send(request('GET', ...fields))
      const reply = await wire.reply()
      expect([fields, reply.status]).toEqual([fields, 502])
      expect(reply.fields.get('sluss-reason')).toContain('origin-malformed')
    }
  })
})

describe('101 for who has asked', () => {
  it('is a tunnel, with what comes on its heels', async () => {
    serve = (connection) => {
      const { socket, text } = connection
      if (text.endsWith('\r\n\r\n')) {
        const fields = 'Connection: Upgrade\r\nUpgrade: websocket'
        socket.write(`HTTP/1.1 101 Switching Protocols\r\n${fields}\r\n\r\nfirst`)
      } else if (text.endsWith('bye')) socket.end('bye too')
    }
    const wire = open()
    wire.send(request('GET', 'Connection: keep-alive, Upgrade', 'Upgrade: websocket'))
    const reply = await wire.reply()
    expect([reply.status, reply.fields.get('upgrade')]).toEqual([101, 'websocket'])
    const lines = await received()
    expect(lines).toContain('Connection: Upgrade')
    expect(lines).toContain('Upgrade: websocket')
    wire.send('bye')
    wire.socket.end()
    await wire.ended()
    expect(wire.rest).toBe('firstbye too')
    const line = await town.sluss.line('status = 101 AND port = ?', origin.port)
    expect(line).toMatchObject({ verdict: 'allow', ending: 'complete' })
  })
})

describe('chunks', () => {
  it('of a request: extensions are dropped, trailers that may go on do', async () => {
    answering(OK)
    const wire = open()
    wire.send(request('POST', 'Transfer-Encoding: chunked', 'Trailer: X-Sum'))
    wire.send('5;a=b;c="d e"\r\nhello\r\n2\r\n, \r\n5\r\nthere\r\n000;x\r\n')
    wire.send('X-Sum: 9\r\nContent-Length: 7\r\nCookie: a\r\n\r\n')
    expect((await wire.reply()).body).toBe('ok')
    await until('all of it', () => taken[0]!.text.includes('X-Sum: 9\r\n\r\n'))
    const [head, body] = split(taken[0]!.text)
    expect(head).toContain('Transfer-Encoding: chunked')
    expect(head).not.toContain('Content-Length')
    expect(dechunked(body)).toEqual(['hello, there', 'X-Sum: 9\r\n'])
  })

  it('of an answer: the same', async () => {
    const chunks = '3;x\r\none\r\n1;y="\\""\r\n!\r\n0\r\nX-Sum: 4\r\nSet-Cookie: a=b\r\n\r\n'
    answering(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n${chunks}`)
    const wire = open()
    wire.send(request('GET', 'Connection: close', 'TE: trailers'))
    await wire.ended()
    const [, body] = split(wire.rest)
    expect(dechunked(body)).toEqual(['one!', 'X-Sum: 4\r\n'])
    expect((await received()).some((line) => line.startsWith('TE:'))).toBe(false)
  })

  it.each(['g\r\n', '-1\r\n', '5 \r\nhello\r\n', '3\r\nabcd\r\n0\r\n\r\n', '3\nabc\r\n'])(
    'that are wrong are not passed on: %j',
    async (chunks) => {
      const wire = open()
      wire.send(`${request('POST', 'Transfer-Encoding: chunked')}1\r\nx\r\n${chunks}`)
      const reply = await wire.reply()
      expect([reply.status, reply.fields.get('connection')]).toEqual([400, 'close'])
      await until('the origin is told', () => taken.every(({ closed, ended }) => closed || ended))
    },
  )
})

const split = (text: string): [string, string] => {
  const end = text.indexOf('\r\n\r\n')
  return [text.slice(0, end), text.slice(end + 4)]
}

/** Content and trailer lines of a body in chunks, which have no extensions. */
function dechunked(body: string): [string, string] {
  let content = ''
  for (let rest = body; ; ) {
    const [, size] = /^([0-9a-f]+)\r\n/i.exec(rest)!
    const length = Number.parseInt(size!, 16)
    const from = size!.length + 2
    if (length === 0) return [content, rest.slice(from, -2)]
    content += rest.slice(from, from + length)
    rest = rest.slice(from + length + 2)
  }
}

describe('Expect: 100-continue', () => {
  const EXPECT = ['Expect: 100-continue', 'Content-Length: 4'] as const

  it('goes to the origin, and its 417 to the client', async () => {
    answering('HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\n\r\n')
    const wire = open()
    wire.send(request('POST', ...EXPECT))
    const reply = await wire.reply()
    // The body may come still, or not: nobody knows where the next request begins.
    expect([reply.status, reply.fields.get('connection')]).toEqual([417, 'close'])
    expect(await received()).toContain('Expect: 100-continue')
    await until('the origin is closed', () => taken[0]!.closed || taken[0]!.ended)
  })

  it('needs no answer: a client that goes on by itself is served', async () => {
    serve = ({ socket, text }) => {
      if (text.endsWith('\r\n\r\nbody')) socket.write(OK)
    }
    const wire = open()
    wire.send(request('POST', ...EXPECT))
    await received()
    wire.send('body')
    expect((await wire.reply()).body).toBe('ok')
    await goesOn(wire)
  })

  it('of another kind is refused with 417', async () => {
    const wire = open()
    wire.send(request('POST', 'Expect: 200-ok', 'Content-Length: 0'))
    expect((await wire.reply()).status).toBe(417)
    expect(taken).toEqual([])
  })
})

describe('what belongs to one connection', () => {
  it('does not come from the origin either', async () => {
    const fields = [
      'Connection: close, X-Mine',
      'X-Mine: a',
      'Keep-Alive: timeout=5',
      'Proxy-Connection: keep-alive',
      'Proxy-Authenticate: Basic realm="x"',
      'Via: 1.1 elsewhere (comment), 1.0 more',
      'X-Kept: b',
    ]
    serve = ({ socket }) => {
      socket.end(`HTTP/1.1 200 OK\r\nContent-Length: 0\r\n${fields.join('\r\n')}\r\n\r\n`)
    }
    const wire = open()
    wire.send(request('GET', 'Via: 1.0 before, 1.1 it'))
    await until('the answer', () => wire.rest.endsWith('\r\n\r\n'))
    const vias = wire.rest.split('\r\n').filter((line) => line.startsWith('Via: '))
    expect(vias[0]).toBe('Via: 1.1 elsewhere (comment), 1.0 more')
    expect(vias[1]).toMatch(/^Via: 1\.1 sluss-[0-9a-f]+$/)
    const names = [...(await wire.reply()).fields.keys()]
    expect(names.sort()).toEqual(['content-length', 'via', 'x-kept'])
    const via = (await received()).filter((line) => line.startsWith('Via: '))
    expect(via[0]).toBe('Via: 1.0 before, 1.1 it')
    expect(via[1]).toMatch(/^Via: 1\.1 sluss-/)
    // The client's own connection is another.
    await goesOn(wire)
  })
})

describe('Max-Forwards', () => {
  it.each([
    ['TRACE', '1', '0'],
    ['OPTIONS', '7', '6'],
    ['TRACE', null, null],
    ['OPTIONS', null, null],
    ['GET', '0', '0'],
  ])('of %s: %s goes on as %s', async (method, sent, expected) => {
    answering(OK)
    const wire = open()
    wire.send(request(method, ...(sent === null ? [] : [`Max-Forwards: ${sent}`])))
    expect((await wire.reply()).body).toBe('ok')
    const lines = await received()
    expect(lines[0]).toBe(`${method} /a HTTP/1.1`)
    const found = lines.find((line) => line.startsWith('Max-Forwards: '))
    expect(found).toBe(expected === null ? undefined : `Max-Forwards: ${expected}`)
  })

  it('0 is answered here: TRACE with what came, and no secret in it', async () => {
    const wire = open()
    const secret = ['Cookie: a=b', 'Authorization: Basic eDp5']
    wire.send(request('TRACE', 'Max-Forwards: 0', 'X-A: b', ...secret))
    const reply = await wire.reply()
    expect(reply.fields.get('content-type')).toBe('message/http')
    const first = `TRACE http://${at()}/a HTTP/1.1`
    expect(reply.body.split('\r\n').slice(0, 2)).toEqual([first, `Host: ${at()}`])
    expect(reply.body).toContain('X-A: b')
    expect(reply.body).not.toMatch(/Cookie|Authorization/)
    wire.send(request('OPTIONS', 'Max-Forwards: 0'))
    const options = await wire.reply()
    expect([options.status, options.content.length]).toEqual([200, 0])
    expect(options.fields.get('allow')).toContain('CONNECT')
    expect(taken).toEqual([])
    await goesOn(wire)
  })
})

describe('an upload', () => {
  it('that is answered early ends there: the client gets the answer, and the end', async () => {
    answering('HTTP/1.1 413 Content Too Large\r\nContent-Length: 4\r\n\r\nmuch')
    const wire = open()
    wire.send(request('POST', 'Content-Length: 50000000'))
    wire.send('x'.repeat(1_000))
    const reply = await wire.reply()
    expect([reply.status, reply.body]).toEqual([413, 'much'])
    expect(reply.fields.get('connection')).toBe('close')
    // It is still sending: what it sends is taken, so that no reset eats the answer.
    wire.send('x'.repeat(300_000))
    await wire.ended()
    expect(wire.fault).toBe('')
    await until('the origin is closed', () => taken[0]!.closed || taken[0]!.ended)
  })

  it('that is answered early gets its answer, although the origin closes on what still comes', async () => {
    serve = ({ socket, text }) => {
      if (!text.includes('\r\n\r\n')) return
      socket.end(
        'HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 4\r\n\r\nmuch',
      )
      socket.destroySoon()
    }
    for (let i = 0; i < 10; i++) {
      const wire = open()
      wire.send(request('POST', 'Content-Length: 3000000'))
      for (let part = 0; part < 10; part++) wire.send('x'.repeat(300_000))
      const reply = await wire.reply()
      expect([reply.status, reply.body]).toEqual([413, 'much'])
    }
  })

  it('that the client breaks off is broken off', async () => {
    const wire = open()
    wire.send(`${request('POST', 'Content-Length: 100')}half`)
    await received('half')
    wire.close()
    await until('the origin sees it', () => taken[0]!.closed || taken[0]!.ended)
    const line = await town.sluss.line("method = 'POST' AND ending = 'client-closed'")
    expect(line).toMatchObject({ status: 0, verdict: 'allow' })
  })

  it('whose last part never comes, because the client ended, is broken off', async () => {
    const wire = open()
    wire.send(`${request('PUT', 'Transfer-Encoding: chunked')}4\r\nhalf\r\n`)
    await received('half')
    wire.socket.end()
    await until('the origin sees it', () => taken[0]!.closed || taken[0]!.ended)
    expect(taken[0]!.text).not.toContain('\r\n0\r\n')
    await wire.ended()
  })
})

describe('a download', () => {
  it.each([
    ['resets', false, (wire: Wire) => wire.socket.resetAndDestroy()],
    // It may still be listening: that it is not shows when there is more for it.
    ['closes', true, (wire: Wire) => wire.close()],
  ])('of a client that %s is broken off', async (_what, goesOnSending, leave) => {
    answering('HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf')
    const wire = open()
    wire.send(request('GET'))
    await until('it has begun', () => wire.rest.endsWith('half'))
    leave(wire)
    await until('the origin sees it', () => {
      if (goesOnSending) taken[0]!.socket.write('x')
      return taken[0]!.closed || taken[0]!.ended
    })
  })

  it.each([
    ['of a length', 'Content-Length: 1000\r\n\r\nhalf'],
    ['in chunks', 'Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n'],
  ])('%s that the origin breaks off is cut, and cannot be taken for whole', async (_what, text) => {
    serve = ({ socket }) => socket.end(`HTTP/1.1 200 OK\r\n${text}`)
    const wire = open()
    wire.send(request('GET'))
    await wire.ended()
    expect(wire.rest).toContain('half')
    expect(wire.rest).not.toContain('\r\n0\r\n')
  })

  it('without a length is whole where the origin ends, and not where it resets', async () => {
    serve = ({ socket }) => {
      socket.write('HTTP/1.1 200 OK\r\n\r\nhalf')
      setImmediate(() => socket.resetAndDestroy())
    }
    const wire = open()
    wire.send(request('GET'))
    await wire.ended()
    expect(wire.rest).not.toContain('\n0\r\n\r\n')
  })
})

describe('an answer that is none', () => {
  it.each([
    ['lines without CR', 'HTTP/1.1 200 OK\nContent-Length: 2\n\nok'],
    [
      'chunks that are none, from the beginning',
      `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nno\r\n`,
    ],
    [
      'chunks that are none, in the packet of their head',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\nzz\r\n',
    ],
  ])('%s: 502, at once', async (_what, text) => {
    answering('')
    serve = ({ socket }) => socket.write(text)
    const wire = open()
    wire.send(request('GET'))
    const reply = await wire.reply()
    expect([reply.status, reply.fields.get('sluss-reason')]).toEqual([
      502,
      'origin-malformed; rule="default"',
    ])
  })
})

describe('a kept connection to the origin that has gone stale', () => {
  /** One exchange, after which the origin closes at the next request without a word. */
  async function stale(): Promise<Wire> {
    const wire = open()
    await goesOn(wire)
    serve = ({ socket }) => {
      if (taken.length === 1) socket.resetAndDestroy()
      else socket.write(OK)
    }
    return wire
  }

  it('is tried once more, where that does no harm', async () => {
    const wire = await stale()
    wire.send(request('GET'))
    expect((await wire.reply()).body).toBe('ok')
    expect(taken).toHaveLength(2)
    await goesOn(wire)
  })

  it.each([
    ['POST', ['Content-Length: 0']],
    ['PUT', ['Content-Length: 4']],
    ['PATCH', []],
  ])('is not what %s is sent on: it could not be tried again', async (method, fields) => {
    const wire = await stale()
    const body = fields[0] === 'Content-Length: 4' ? 'body' : ''
    wire.send(request(method, ...fields) + body)
    expect([(await wire.reply()).status, taken.length]).toEqual([200, 2])
  })

  it('is not tried a third time', async () => {
    const wire = await stale()
    serve = ({ socket }) => socket.destroy()
    wire.send(request('GET'))
    expect([(await wire.reply()).status, taken.length]).toEqual([502, 2])
  })

  it('is left where the origin has closed it while idle', async () => {
    const wire = open()
    await goesOn(wire)
    taken[0]!.socket.end()
    await until('ours is closed too', () => taken[0]!.closed)
    wire.send(request('POST', 'Content-Length: 0'))
    expect([(await wire.reply()).status, taken.length]).toEqual([200, 2])
  })
})

describe('Proxy-Status', () => {
  it('stands on our own answers, and on no other', async () => {
    const wire = open()
    wire.send(request('GET').replaceAll(at(), at('bad.test')))
    expect((await wire.reply()).fields.get('proxy-status')).toBe(
      'sluss; error=http_request_denied; details="category-blocked category:porn"',
    )
    answering(OK)
    wire.send(request('GET'))
    expect((await wire.reply()).fields.has('proxy-status')).toBe(false)
    answering('nonsense\r\n\r\n')
    wire.send(request('GET'))
    expect((await wire.reply()).fields.get('proxy-status')).toBe(
      'sluss; error=http_protocol_error; details="origin-malformed default"',
    )
  })
})

describe('after a refused CONNECT', () => {
  it('the next CONNECT is answered, and what is asked in it', async () => {
    const wire = open()
    const connect = (host: string, port: number) =>
      `CONNECT ${host}:${port} HTTP/1.1\r\nHost: ${host}:${port}\r\n\r\n`
    wire.send(connect('bad.test', origin.port))
    const refused = await wire.reply()
    expect([refused.status, refused.fields.get('connection')]).toEqual([403, 'keep-alive'])
    wire.send(connect('news.test', origin.port))
    expect((await wire.reply()).status).toBe(200)
    answering(OK)
    wire.send('GET /a HTTP/1.1\r\nHost: x\r\n\r\n')
    expect((await wire.reply()).body).toBe('ok')
    expect(await received()).toEqual(['GET /a HTTP/1.1', 'Host: x', '', ''])
  })

  it('the same holds where all three come at once', async () => {
    answering(OK)
    const wire = open()
    const lines = ['bad.test', 'news.test'].map(
      (host) => `CONNECT ${at(host)} HTTP/1.1\r\nHost: ${at(host)}\r\n\r\n`,
    )
    wire.send(`${lines.join('')}GET /a HTTP/1.1\r\nHost: x\r\n\r\n`)
    expect((await wire.reply()).status).toBe(403)
    expect((await wire.reply()).status).toBe(200)
    expect((await wire.reply()).body).toBe('ok')
  })

  it('the connection is closed where that was asked for, or the client speaks 1.0', async () => {
    for (const [version, field] of [
      ['1.0', ''],
      ['1.1', 'Connection: close\r\n'],
      ['1.1', 'Proxy-Connection: close\r\n'],
    ]) {
      const wire = open()
      const host = at('bad.test')
      wire.send(`CONNECT ${host} HTTP/${version}\r\nHost: ${host}\r\n${field}\r\n`)
      const reply = await wire.reply()
      expect([reply.status, reply.fields.get('connection')]).toEqual([403, 'close'])
      await wire.ended()
    }
  })

  it.runIf(has('curl'))('curl says so, and goes on', async () => {
    const good = `https://notbad.test:${town.https.port}/hello`
    const write = ['--write-out', '%{http_connect} %{http_code} ']
    const urls = [`https://bad.test:${town.https.port}/`, good, good]
    const silent = urls.flatMap((url) => ['--output', '/dev/null', url])
    const { stdout } = await curl(town, [...write, ...silent])
    expect(stdout.trim()).toMatch(/^403 000 200 200 (?:200|000) 200$/)
  })

  it.runIf(has('chromium'))('Chromium goes on, and again', async () => {
    const browser = await startChromium(town)
    const page = await browser.newPage()
    for (let round = 0; round < 3; round++) {
      const refused = page.goto(`https://bad.test:${town.https.port}/${round}`)
      await expect(refused).rejects.toThrow('net::ERR_TUNNEL_CONNECTION_FAILED')
      await until('its error page', () => page.url() === 'chrome-error://chromewebdata/')
      await page.goto(`https://notbad.test:${town.https.port}/page?${round}`)
      expect(await page.title()).toBe('page')
    }
    await browser.close()
  })
})
