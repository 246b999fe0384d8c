import { connect as connectTls } from 'node:tls'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { pattern } from './stand/origin.ts'
import { buildTown, type Town } from './stand/town.ts'
import { openTunnel } from './stand/tunnel.ts'

let town: Town
beforeAll(async () => {
  town = await buildTown()
})
afterAll(() => town.close())

const BINARY = pattern(1_000_000)

/** Sends text and 1 MB of bytes, each of which must come back as it was; then closes. */
async function echoes(socket: WebSocket): Promise<void> {
  const failed = new Promise<never>((_, reject) => socket.once('error', reject))
  const next = () =>
    new Promise<[Buffer, boolean]>((resolve) => {
      socket.once('message', (data, binary) => resolve([data as Buffer, binary]))
    })
  await Promise.race([failed, new Promise((resolve) => socket.once('open', resolve))])
  for (const sent of ['hej på dig', BINARY]) {
    const answer = next()
    socket.send(sent)
    const [data, binary] = await Promise.race([failed, answer])
    expect(binary).toBe(sent === BINARY)
    expect(data.equals(Buffer.from(sent))).toBe(true)
  }
  socket.close(1000)
  await new Promise((resolve) => socket.once('close', resolve))
}

describe('a WebSocket', () => {
  it('goes through a tunnel', async () => {
    const { sluss, http } = town
    const authority = `news.test:${http.port}`
    const { socket } = await openTunnel(sluss.port, authority)
    await echoes(new WebSocket(`ws://${authority}/`, { createConnection: () => socket.resume() }))
    const line = await sluss.line("host = 'news.test' AND ending <> 'open'")
    expect(line).toMatchObject({
      method: 'CONNECT',
      verdict: 'allow',
      status: 200,
      ending: 'complete',
    })
    expect(line.bytes_up).toBeGreaterThan(BINARY.length)
    expect(line.bytes_down).toBeGreaterThan(BINARY.length)
  })

  it('goes through a tunnel under TLS', async () => {
    const { sluss, https, certificate } = town
    const authority = `www.news.test:${https.port}`
    const { socket } = await openTunnel(sluss.port, authority)
    const secure = connectTls({ socket, ca: certificate.certificate, servername: 'www.news.test' })
    await echoes(new WebSocket(`wss://${authority}/`, { createConnection: () => secure }))
    const line = await sluss.line("host = 'www.news.test' AND ending <> 'open'")
    expect(line).toMatchObject({ method: 'CONNECT', verdict: 'allow', status: 200 })
  })

  /** A WebSocket that asks the proxy for `host`, in absolute form. */
  function upgrade(host: string): WebSocket {
    const authority = `${host}:${town.http.port}`
    return new WebSocket(`ws://${town.sluss.proxy}/`, {
      headers: { Host: authority },
      finishRequest: (request) => {
        request.path = `http://${authority}/`
        request.end()
      },
    })
  }

  it('goes through an upgrade', async () => {
    const { sluss, http } = town
    await echoes(upgrade('notbad.test'))
    const line = await sluss.line("host = 'notbad.test' AND ending <> 'open'")
    expect(line).toMatchObject({ method: 'GET', verdict: 'allow', status: 101, ending: 'complete' })
    expect(line.port).toBe(http.port)
    expect(line.bytes_up).toBeGreaterThan(BINARY.length)
    expect(line.bytes_down).toBeGreaterThan(BINARY.length)
  })

  it('to a refused site is refused before it is one', async () => {
    const { sluss } = town
    await expect(echoes(upgrade('hate.test'))).rejects.toThrow('Unexpected server response: 403')
    expect(await sluss.line("host = 'hate.test'")).toMatchObject({ verdict: 'block', status: 403 })
  })
})
