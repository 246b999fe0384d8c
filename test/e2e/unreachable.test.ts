import type { Socket } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Origin, startPlain } from './stand/origin.ts'
import { until } from './stand/sluss.ts'
import { buildTown, type Town } from './stand/town.ts'
import { openTunnel } from './stand/tunnel.ts'
import { Wire, type WireReply } from './stand/wire.ts'

/** An address of loopback where nothing listens on any port of ours. */
const DEAD = '127.0.0.77'

const answering = (text: string) => (socket: Socket) => {
  socket.once('data', () => socket.end(text))
  socket.resume()
}
const TOO_LARGE =
  'HTTP/1.1 413 Too Large\r\nContent-Length: 9\r\nConnection: close\r\n\r\ntoo large'

let wordless: Origin
let garbled: Origin
let smuggling: Origin
let early: Origin
let town: Town
beforeAll(async () => {
  wordless = await startPlain((socket) => socket.resume())
  garbled = await startPlain(answering('SSH-2.0-OpenSSH_9\r\n\r\n'))
  const both = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'
  smuggling = await startPlain(answering(both))
  early = await startPlain(answering(TOO_LARGE))
  const ports = [wordless, garbled, smuggling, early].map(({ port }) => port)
  town = await buildTown({ ports, more: 'limits: { originTimeout: 1s }' })
})
afterAll(async () => {
  await town.close()
  await Promise.all([wordless, garbled, smuggling, early].map((origin) => origin.close()))
})

async function get(authority: string): Promise<WireReply> {
  const wire = new Wire(town.sluss.port)
  wire.send(`GET http://${authority}/ HTTP/1.1\r\nHost: ${authority}\r\n\r\n`)
  const reply = await wire.reply()
  wire.close()
  return reply
}

async function connect(authority: string): Promise<string> {
  const { reply, socket } = await openTunnel(town.sluss.port, authority)
  socket.destroy()
  return `${reply.line} / ${reply.fields.get('sluss-reason')}`
}

describe('an origin that is not there', () => {
  it('is answered for, and has its row', async () => {
    const { sluss, http } = town
    const authority = `${DEAD}:${http.port}`
    const reply = await get(authority)
    expect(reply.status).toBe(502)
    expect(reply.fields.get('sluss-reason')).toContain('dial-failed')
    expect(await connect(authority)).toBe(
      'HTTP/1.1 502 The site does not answer / dial-failed; rule="default"',
    )
    for (const method of ['GET', 'CONNECT']) {
      expect(await sluss.line('host = ? AND method = ?', DEAD, method)).toMatchObject({
        verdict: 'allow',
        status: 502,
        ending: 'dial-failed',
      })
    }
  })

  it('leaves nothing open, however many ask', async () => {
    const { sluss, http, echo } = town
    const asked = Array.from({ length: 20 }, () => connect(`127.0.0.78:${http.port}`))
    expect(new Set(await Promise.all(asked)).size).toBe(1)
    const tunnels = await Promise.all(
      Array.from({ length: 20 }, () => openTunnel(sluss.port, `news.test:${echo.port}`)),
    )
    const open = async () => (await sluss.status()).counters
    await until('twenty tunnels', async () => (await open()).tunnelsOpen === 20)
    for (const { socket } of tunnels) socket.end()
    await until('none is open', async () => {
      const { flowsOpen, tunnelsOpen, connectionsOpen } = await open()
      return flowsOpen + tunnelsOpen + connectionsOpen === 0
    })
    expect((await open()).reasons['dial-failed']).toBe(22)
    await until('a row of each', () => sluss.ended("host = '127.0.0.78'").length === 20)
  })

  it('is told from a name that is not there', async () => {
    const { sluss, http, https } = town
    const reply = await get(`nowhere.invalid:${http.port}`)
    expect(reply.line).toBe('HTTP/1.1 502 The site cannot be found')
    expect(await connect(`nowhere.invalid:${https.port}`)).toContain('502 The site cannot be found')
    for (const method of ['GET', 'CONNECT']) {
      const line = await sluss.line("host = 'nowhere.invalid' AND method = ?", method)
      expect(line).toMatchObject({ verdict: 'allow', status: 502, ending: 'name-not-found' })
    }
  })
})

describe('an origin that does not speak HTTP', () => {
  it('is not passed on', async () => {
    const { sluss } = town
    for (const { port } of [garbled, smuggling]) {
      const reply = await get(`news.test:${port}`)
      expect(reply.status).toBe(502)
      expect(reply.fields.get('sluss-reason')).toContain('origin-malformed')
      expect(await sluss.line('port = ?', port)).toMatchObject({
        verdict: 'allow',
        status: 502,
        ending: 'origin-malformed',
      })
    }
  })

  it('is waited for so long and no longer, where it says nothing', async () => {
    const { sluss } = town
    const reply = await get(`news.test:${wordless.port}`)
    expect(reply.line).toBe('HTTP/1.1 504 The site answers too slowly')
    const line = await sluss.line("port = ? AND ending <> 'open'", wordless.port)
    expect(line).toMatchObject({ verdict: 'allow', status: 504, ending: 'timeout' })
  })
})

describe('an origin that answers before it has all', () => {
  it('is heard, and the connection ended', async () => {
    const { sluss } = town
    const authority = `news.test:${early.port}`
    const wire = new Wire(sluss.port)
    const length = 10_000_000
    wire.send(
      `POST http://${authority}/ HTTP/1.1\r\nHost: ${authority}\r\nContent-Length: ${length}\r\n\r\n`,
    )
    wire.send(Buffer.alloc(length))
    const reply = await wire.reply()
    expect([reply.status, reply.body]).toEqual([413, 'too large'])
    expect(reply.fields.get('connection')).toBe('close')
    await wire.ended()
    wire.close()
    const line = await sluss.line('port = ?', early.port)
    expect(line).toMatchObject({ verdict: 'allow', status: 413, ending: 'complete' })
    expect(line.bytes_up).toBeLessThan(length)
  })
})
