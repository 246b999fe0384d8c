/**
 * Owns: the baseline: a forward proxy as Node programs are usually written, with http-proxy-3 and pipes.
 * Never: classifies, decides or records: it does less than we do.
 */
import { Agent, createServer } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { createProxyServer } from 'http-proxy-3'

const agent = new Agent({ keepAlive: true })
const proxy = createProxyServer({ agent })
proxy.on('error', () => {})
const server = createServer((request, response) => {
  const url = new URL(request.url!)
  request.url = url.pathname + url.search
  proxy.web(request, response, { target: url.origin })
})
server.on('connect', (request, socket, head) => {
  const url = new URL(`http://${request.url}`)
  const origin = connect(Number(url.port), url.hostname, () => {
    socket.write('HTTP/1.1 200 Connection established\r\n\r\n')
    origin.write(head)
    origin.pipe(socket).pipe(origin)
  })
  for (const one of [origin, socket]) one.on('error', () => one.destroy())
})
server.listen(0, '127.0.0.1', () => {
  process.stdout.write(`ready ${(server.address() as AddressInfo).port}\n`)
})
process.once('SIGTERM', () => process.exit(0))
