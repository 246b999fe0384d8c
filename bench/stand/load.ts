/**
 * Owns: load on a proxy: forwarded GETs by autocannon, and CONNECT, GET, close by our own client.
 * Never: runs without an end: a number of requests, and connections that are bounded.
 */
import assert from 'node:assert/strict'
import { connect } from 'node:net'
import autocannon from 'autocannon'

export interface Target {
  /** Of the proxy, on 127.0.0.1. */
  readonly proxyPort: number
  readonly originPort: number
}

const CONNECTIONS = 32

/** Forwarded GETs for `durationMs` over keep-alive connections; every answer must be right. How many. */
export async function forwardedGets(
  { proxyPort, originPort }: Target,
  durationMs: number,
): Promise<number> {
  const authority = `127.0.0.1:${originPort}`
  const result = await autocannon({
    url: `http://127.0.0.1:${proxyPort}`,
    connections: CONNECTIONS,
    duration: durationMs / 1_000,
    requests: [{ method: 'GET', path: `http://${authority}/`, headers: { host: authority } }],
  })
  assert.equal(result.non2xx + result.errors + result.timeouts, 0, 'a request failed')
  return result['2xx']
}

/** Opens tunnels for `durationMs`, a few at a time; one GET through each; then closes it. How many. */
export async function connects(target: Target, durationMs: number): Promise<number> {
  const endMs = performance.now() + durationMs
  let done = 0
  const worker = async () => {
    while (performance.now() < endMs) {
      await connectOnce(target)
      done++
    }
  }
  await Promise.all(Array.from({ length: CONNECTIONS }, worker))
  return done
}

function connectOnce({ proxyPort, originPort }: Target): Promise<void> {
  const authority = `127.0.0.1:${originPort}`
  return new Promise((resolve, reject) => {
    const socket = connect(proxyPort, '127.0.0.1')
    let asked = false
    let length = 0
    socket.once('connect', () => {
      socket.write(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n\r\n`)
    })
    socket.on('data', (bytes) => {
      if (!asked) {
        asked = true
        assert(bytes.toString('latin1').startsWith('HTTP/1.1 200'), 'CONNECT was refused')
        socket.write(`GET / HTTP/1.1\r\nHost: ${authority}\r\nConnection: close\r\n\r\n`)
        return
      }
      length += bytes.length
    })
    socket.once('error', reject)
    socket.once('close', () => {
      if (length > 1_024) resolve()
      else reject(new Error(`a tunnel gave ${length} bytes`))
    })
    socket.once('end', () => socket.end())
  })
}
