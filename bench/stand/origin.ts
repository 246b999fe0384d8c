/**
 * Owns: the origin of the benches: 1 KiB for every GET, as cheaply as it can.
 * Never: more than that.
 */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

const body = Buffer.alloc(1_024, 'x')
const server = createServer((_request, response) => {
  response.writeHead(200, { 'Content-Length': body.length, 'Content-Type': 'text/plain' })
  response.end(body)
})
server.keepAliveTimeout = 60_000
server.listen(0, '127.0.0.1', () => {
  process.stdout.write(`ready ${(server.address() as AddressInfo).port}\n`)
})
process.once('SIGTERM', () => process.exit(0))
