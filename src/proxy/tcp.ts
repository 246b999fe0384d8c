/**
 * Owns: the runtime's TCP handles, as the data plane uses them: the one place that knows what they are called.
 * Never: has a policy of its own: wire.ts reads and writes, listen.ts accepts, race.ts connects.
 *
 * node:net puts two stream machines, half a dozen listeners and an allocated buffer for each read between a
 * handle and us; they cost more than all we do (ARCHITECTURE, "What the time goes to"). Node has no public
 * way to its handles. Sluss brings its own runtime, of one exact version (package.json), and
 * test/proxy/tcp.test.ts asserts the shapes below, so that another version cannot come unnoticed.
 */
import { getSystemErrorName } from 'node:util'

/** A request to the kernel that has not ended; the runtime calls `oncomplete` when it has. */
export interface WriteRequest {
  oncomplete: (status: number) => void
}

export interface ConnectRequest {
  oncomplete: (status: number) => void
}

/** Nobody waits for its end. */
export type ShutdownRequest = object

/** All methods give 0, or a negative error number where nothing else is said. */
export interface TcpHandle {
  /** Called with the handle as `this`; what came is in `readResult`. It may return the next buffer. */
  onread: (this: TcpHandle) => Uint8Array | undefined
  /** Of a listening handle. */
  onconnection: (status: number, client: TcpHandle) => void
  bind(address: string, port: number, flags: number): number
  bind6(address: string, port: number, flags: number): number
  listen(backlog: number): number
  connect(request: ConnectRequest, address: string, port: number): number
  connect6(request: ConnectRequest, address: string, port: number): number
  setNoDelay(on: boolean): number
  getsockname(out: SocketName): number
  getpeername(out: SocketName): number
  readonly writeQueueSize: number
  /** The memory that is read into; it must be kept from the collector by whoever gives it. */
  useUserBuffer(memory: Uint8Array): void
  readStart(): number
  readStop(): number
  /** The memory must not change until it is written: at once, or when `oncomplete` says so. */
  writeBuffer(request: WriteRequest, bytes: Uint8Array): number
  writeLatin1String(request: WriteRequest, text: string): number
  shutdown(request: ShutdownRequest): number
  close(): void
  /** Closes with a reset. Not while a shutdown is under way. */
  reset(): number
}

export interface SocketName {
  address?: string
  port?: number
  family?: string
}

interface TcpBinding {
  readonly TCP: new (kind: number) => TcpHandle
  readonly TCPConnectWrap: new () => ConnectRequest
  readonly constants: {
    readonly SOCKET: number
    readonly SERVER: number
    readonly UV_TCP_IPV6ONLY: number
    readonly UV_TCP_REUSEPORT: number
  }
}

interface StreamBinding {
  readonly WriteWrap: new () => WriteRequest
  readonly ShutdownWrap: new () => ShutdownRequest
  readonly kReadBytesOrError: number
  readonly kLastWriteWasAsync: number
  readonly streamBaseState: Int32Array
}

const binding = (process as unknown as { binding(name: string): unknown }).binding
const { TCP, TCPConnectWrap, constants } = binding('tcp_wrap') as TcpBinding
const stream = binding('stream_wrap') as StreamBinding
const { WriteWrap, ShutdownWrap, streamBaseState, kReadBytesOrError, kLastWriteWasAsync } = stream

/** UV_EOF: the other side has ended. */
export const END_OF_FILE = -4095

export function newSocket(): TcpHandle {
  return new TCP(constants.SOCKET)
}

export function newWriteRequest(): WriteRequest {
  return new WriteWrap()
}

export function newShutdownRequest(): ShutdownRequest {
  return new ShutdownWrap()
}

export function newConnectRequest(): ConnectRequest {
  return new TCPConnectWrap()
}

/** In `onread`: how many bytes came, or a negative error number. */
export function readResult(): number {
  return streamBaseState[kReadBytesOrError]!
}

/** Right after a write: whether its bytes are still to be taken by the kernel. */
export function writeIsPending(): boolean {
  return streamBaseState[kLastWriteWasAsync] !== 0
}

/** `EADDRINUSE` and the like. */
export function errorName(status: number): string {
  return getSystemErrorName(status)
}

/** Listens on `address`, sharing the port with other threads that do. Its handle, or what went wrong. */
export function listenOn(address: string, port: number, backlog: number): TcpHandle | string {
  const server = new TCP(constants.SERVER)
  const ipv6 = address.includes(':')
  const flags = constants.UV_TCP_REUSEPORT
  const bound = ipv6 ? server.bind6(address, port, flags) : server.bind(address, port, flags)
  const status = bound === 0 ? server.listen(backlog) : bound
  if (status === 0) return server
  server.close()
  return errorName(status)
}

/** Where a listening handle is bound. */
export function boundTo(server: TcpHandle): { address: string; port: number } {
  const name: SocketName = {}
  server.getsockname(name)
  return { address: name.address ?? '', port: name.port ?? 0 }
}
