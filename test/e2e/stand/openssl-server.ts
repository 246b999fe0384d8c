/**
 * Owns: `openssl s_server` on loopback, for what a server of TLS itself says; and hellos as Node says them.
 * Never: leaves loopback, or a process behind.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect } from 'node:tls'
import { makeCertificate } from './origin.ts'
import { until } from './sluss.ts'

export interface OpensslServer {
  readonly port: number
  close(): Promise<void>
}

/** Serves a page about each connection, with a certificate for `names`; `args` are further ones. */
export async function startOpensslServer(
  names: readonly string[],
  args: readonly string[],
): Promise<OpensslServer> {
  const folder = mkdtempSync(join(tmpdir(), 'sluss-s-server-'))
  const { key, certificate } = makeCertificate(names)
  const pem = join(folder, 'pem')
  writeFileSync(pem, key + certificate)
  const all = ['s_server', '-accept', '127.0.0.1:0', '-cert', pem, '-key', pem, '-www', ...args]
  const child = spawn('openssl', all, { stdio: ['ignore', 'pipe', 'ignore'] })
  let said = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text
  })
  const portIn = () => /^ACCEPT .*:(\d+)$/m.exec(said)?.[1]
  await until('openssl s_server listens', () => portIn() !== undefined)
  return {
    port: Number(portIn()),
    close: async () => {
      const closed = once(child, 'close')
      child.kill()
      await closed
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** The first bytes of a TLS client that is told `servername`; `groups` as for `ecdhCurve`. */
export async function captureHello(servername: string, groups: string): Promise<Buffer> {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const connection = once(server, 'connection')
  const client = connect({ port, host: '127.0.0.1', servername, ecdhCurve: groups })
  client.on('error', () => {})
  const [socket] = (await connection) as [Socket]
  const [hello] = (await once(socket, 'data')) as [Buffer]
  client.destroy()
  socket.destroy()
  server.close()
  return hello
}
