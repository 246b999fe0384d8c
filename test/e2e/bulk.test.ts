import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { pattern, sha256 } from './stand/origin.ts'
import type { TrafficLine } from './stand/sluss.ts'
import { buildTown, type Town } from './stand/town.ts'
import { digestOf, openTunnel } from './stand/tunnel.ts'
import { Wire } from './stand/wire.ts'

const UP = 10 * 1024 * 1024
const DOWN = 100 * 1024 * 1024

let town: Town
let upload: Buffer
beforeAll(async () => {
  town = await buildTown()
  upload = pattern(UP)
})
afterAll(() => town.close())

/** The line that says how the exchange with `host` ended. */
function ended(host: string, method: string): Promise<TrafficLine> {
  return town.sluss.line('host = ? AND method = ? AND ending <> ?', host, method, 'open')
}

describe('a tunnel', () => {
  it('carries 10 MB to the echo and back, byte for byte, and counts each', async () => {
    const { sluss, echo } = town
    const { socket } = await openTunnel(sluss.port, `news.test:${echo.port}`)
    const back = digestOf(socket)
    socket.end(upload)
    expect(await back).toEqual({ head: '', length: UP, hash: sha256(upload) })
    expect(await ended('news.test', 'CONNECT')).toMatchObject({
      bytes_up: UP,
      bytes_down: UP,
      verdict: 'allow',
      status: 200,
      ending: 'complete',
    })
  })

  it('carries 100 MB down, byte for byte, and counts each', async () => {
    const { sluss, http } = town
    const { socket } = await openTunnel(sluss.port, `www.news.test:${http.port}`)
    const request = `GET /bytes/${DOWN} HTTP/1.1\r\nHost: www.news.test\r\nConnection: close\r\n\r\n`
    socket.write(request)
    const { head, length, hash } = await digestOf(socket, '\r\n\r\n')
    expect(head).toMatch(/^HTTP\/1\.1 200 OK\r\n/)
    expect([length, hash]).toEqual([DOWN, sha256(pattern(DOWN))])
    expect(await ended('www.news.test', 'CONNECT')).toMatchObject({
      bytes_up: request.length,
      bytes_down: head.length + DOWN,
      ending: 'complete',
    })
  })
})

/** An upload by `fields` and `body`, and the row of it: it names a host of its own. */
async function uploads(host: string, field: string, body: readonly Buffer[]): Promise<TrafficLine> {
  const { sluss, http } = town
  const authority = `${host}:${http.port}`
  const wire = new Wire(sluss.port)
  wire.send(`POST http://${authority}/upload HTTP/1.1\r\nHost: ${authority}\r\n${field}\r\n\r\n`)
  for (const part of body) wire.send(part)
  const reply = await wire.reply()
  expect(reply.status).toBe(200)
  expect(reply.body).toBe(sha256(upload))
  wire.close()
  const line = await ended(host, 'POST')
  expect(line).toMatchObject({ verdict: 'allow', status: 200, ending: 'complete' })
  return line
}

describe('an upload of 10 MB over plain HTTP', () => {
  it('arrives by length', async () => {
    const line = await uploads('notbad.test', `Content-Length: ${UP}`, [upload])
    expect(line.bytes_up).toBeGreaterThan(UP)
    expect(line.bytes_up).toBeLessThan(UP + 1_000)
  })

  it('arrives by chunks of any size', async () => {
    const line = await uploads('help.test', 'Transfer-Encoding: chunked', [...chunksOf(upload)])
    expect(line.bytes_up).toBeGreaterThan(UP)
  })
})

/** `bytes` in chunks that grow from 1 byte to some hundred thousand, so that no boundary is spared. */
function* chunksOf(bytes: Buffer): Generator<Buffer> {
  let at = 0
  for (let size = 1; at < bytes.length; size = Math.min(300_000, Math.ceil(size * 1.3))) {
    const part = bytes.subarray(at, at + size)
    at += part.length
    yield Buffer.concat([Buffer.from(`${part.length.toString(16)}\r\n`), part, Buffer.from('\r\n')])
  }
  yield Buffer.from('0\r\n\r\n')
}

describe('a download of 10 MB over plain HTTP', () => {
  it('arrives byte for byte', async () => {
    const { sluss, http } = town
    const wire = new Wire(sluss.port)
    const authority = `xn--bcher-kva.test:${http.port}`
    wire.send(`GET http://${authority}/bytes/${UP} HTTP/1.1\r\nHost: ${authority}\r\n\r\n`)
    const reply = await wire.reply()
    wire.close()
    expect(sha256(reply.content)).toBe(sha256(upload))
    const line = await ended('xn--bcher-kva.test', 'GET')
    expect(line.bytes_down).toBeGreaterThan(UP)
    expect(line.bytes_down).toBeLessThan(UP + 1_000)
  })
})
