/**
 * Owns: one TCP connection: reading, writing, ending it, and telling its owner of each.
 * Never: knows what its bytes mean, throws, or calls its owner after it has said `onClose`.
 *
 * What `onBytes` is given is good only until it returns: who keeps it copies it. Writing it to another wire
 * is fine: what the kernel does not take at once is kept here.
 */
import { closeSoon } from './closing.ts'
import { type Lease, leave, SHARED, SHARED_BYTES, takeLarge, taken, takeSmall } from './memory.ts'
import {
  END_OF_FILE,
  newShutdownRequest,
  newWriteRequest,
  readResult,
  type SocketName,
  type TcpHandle,
  type WriteRequest,
  writeIsPending,
} from './tcp.ts'

/** Whoever has a wire in hand. */
export interface WireOwner {
  onBytes(bytes: Buffer): void
  /** The other side has ended; it may still take bytes. */
  onEnd(): void
  /** All that was written has been taken. */
  onDrain(): void
  /** Once, the last call. */
  onClose(): void
}

/** A large buffer is for one who fills at least this much of it. */
const LARGE_USED_MIN = 32 * 1024
/** How often a wire is given a large buffer anew: the runtime keeps a few bytes for each time one was taken back. */
const RESTS_MAX = 1_000
/** While corked, a larger piece goes out by itself rather than being copied. */
const JOINED_MAX = 16 * 1024

/** Has a wire in hand that nobody else has: one that is being opened, or thrown away. */
export const NOBODY: WireOwner = { onBytes() {}, onEnd() {}, onDrain() {}, onClose() {} }

interface OwnedHandle extends TcpHandle {
  wire: Wire
}

interface PendingWrite extends WriteRequest {
  wire: Wire
  lease: Lease | null
  /** Kept from the collector until it is written. */
  bytes: Uint8Array | null
}

/** A request is used up only by a write that is not taken at once; most are. */
let spareRequest: PendingWrite | null = null
/** The large buffer whose bytes are with an owner now. */
let delivering: Lease | null = null
/** Wires that have a large buffer. */
const enlarged = new Set<Wire>()

export class Wire {
  owner: WireOwner
  readonly #handle: OwnedHandle
  #reading = false
  #pending = 0
  #large: Lease | null = null
  #rests = 0
  /** While corked: what is to be written together. */
  #corked: Lease | null = null
  #corkedBytes = 0
  #corks = 0
  /** The other side has ended. */
  ended = false
  /** We have ended our side, or are about to. */
  ending = false
  #closeWhenWritten = false
  destroyed = false
  /** The error that ended it; 0 where none did. */
  error = 0

  constructor(handle: TcpHandle, owner: WireOwner) {
    this.owner = owner
    const owned = handle as OwnedHandle
    this.#handle = owned
    owned.wire = this
    owned.onread = onRead
    owned.useUserBuffer(SHARED)
    owned.setNoDelay(true)
  }

  /** The other side's address and port; undefined where it has gone already. */
  get peer(): SocketName | undefined {
    const name: SocketName = {}
    return !this.destroyed && this.#handle.getpeername(name) === 0 ? name : undefined
  }

  /** Bytes that were written and that the kernel has not taken. */
  get waitingBytes(): number {
    return this.destroyed ? 0 : this.#handle.writeQueueSize
  }

  /** Written bytes wait for the other side: write no more before `onDrain`. */
  get full(): boolean {
    return this.#pending > 0
  }

  /** True where it may be written to. */
  get writable(): boolean {
    return !(this.destroyed || this.ending)
  }

  resume(): void {
    if (this.#reading || this.destroyed || this.ended) return
    this.#reading = true
    const status = this.#handle.readStart()
    if (status !== 0) this.#fail(status)
  }

  pause(): void {
    if (!this.#reading) return
    this.#reading = false
    if (!this.destroyed) this.#handle.readStop()
  }

  write(bytes: Buffer): void {
    if (!this.writable || bytes.length === 0) return
    const isShared = bytes.buffer === SHARED.buffer
    if (this.#corks > 0) {
      // What has to be copied in any case is; a large piece of another buffer need not be.
      if ((isShared || bytes.length <= JOINED_MAX) && this.#join(bytes)) return
      this.#flush()
      if (!this.writable) return
    }
    if (isShared) this.#writeCopy(bytes)
    else this.#send(bytes, bytes.buffer === delivering?.memory.buffer ? delivering : null)
  }

  /** Latin-1. */
  writeText(text: string): void {
    if (!this.writable || text.length === 0) return
    if (this.#corks > 0) {
      if (this.#joinText(text)) return
      this.#flush()
      if (!this.writable) return
    }
    const request = requestToWrite()
    const status = this.#handle.writeLatin1String(request, text)
    this.#sent(status, request, null, null)
  }

  /** What is written until `uncork` goes out together. */
  cork(): void {
    this.#corks++
  }

  uncork(): void {
    if (--this.#corks === 0) this.#flush()
  }

  /** Ends our side once all is written; the wire closes when the other side ends too. */
  end(): void {
    if (!this.writable) return
    this.#corks = 0
    this.#flush()
    if (this.destroyed) return
    this.ending = true
    // The runtime shuts our side down when all is written; nobody needs to hear of it.
    if (!this.#closeWhereDone() && this.#handle.shutdown(newShutdownRequest()) !== 0) this.destroy()
  }

  /** Closes once all is written. What the other side still sends makes that a reset. */
  destroySoon(): void {
    this.#closeWhenWritten = true
    if (this.ending) this.#closeWhereDone()
    else this.end()
  }

  /** Where our side has ended, all is written, and nothing more can come: closing says all that is left. */
  #closeWhereDone(): boolean {
    const done = this.ending && this.#pending === 0 && (this.ended || this.#closeWhenWritten)
    if (done) this.destroy()
    return done
  }

  /** Closes at once. */
  destroy(): void {
    if (this.destroyed) return
    this.destroyed = true
    this.#handle.close()
    closeSoon(this)
  }

  /** Closes at once, with a reset, so that the other side does not take it for an end. */
  reset(): void {
    if (this.destroyed) return
    this.destroyed = true
    if (this.ending || this.#handle.reset() !== 0) this.#handle.close()
    closeSoon(this)
  }

  /** Nothing more can be written; what the other side said before is still to be read. */
  #writeFailed(status: number): void {
    this.error = status
    this.ending = true
    if (this.ended || this.#closeWhenWritten) this.destroy()
    else this.resume()
  }

  #fail(status: number): void {
    this.error ||= status
    this.destroy()
  }

  /** For `closeSoon` alone. */
  closed(): void {
    if (this.#large !== null) this.#shrink(this.#large)
    if (this.#corked !== null) leave(this.#corked)
    this.#corked = null
    this.owner.onClose()
  }

  /** Called by the runtime: `count` bytes lie in the buffer that we gave it. Returns the next one. */
  received(count: number): Uint8Array | undefined {
    const large = this.#large
    if (large === null) {
      this.owner.onBytes(SHARED.subarray(0, count))
      return count === SHARED_BYTES && !this.destroyed ? this.#enlarge() : undefined
    }
    large.isUsed = true
    delivering = large
    try {
      this.owner.onBytes(large.memory.subarray(0, count))
    } finally {
      delivering = null
    }
    if (this.destroyed || (large.lent === 0 && count >= LARGE_USED_MIN)) return undefined
    this.#shrink(large)
    return (count >= LARGE_USED_MIN ? this.#enlarge() : undefined) ?? SHARED
  }

  #enlarge(): Uint8Array | undefined {
    const large = this.#rests < RESTS_MAX ? takeLarge() : null
    if (large === null) return undefined
    this.#large = large
    enlarged.add(this)
    return large.memory
  }

  /** What is read next must be given another buffer, or never come. */
  #shrink(large: Lease): void {
    this.#large = null
    enlarged.delete(this)
    leave(large)
  }

  /** For `restIdle` alone. */
  rest(): void {
    const large = this.#large!
    if (large.isUsed) {
      large.isUsed = false
      return
    }
    this.#rests++
    this.#handle.useUserBuffer(SHARED)
    this.#shrink(large)
  }

  /** Called by the runtime: reading is over, by the other side's end or by an error. */
  readEnded(status: number): void {
    if (this.destroyed) return
    this.#reading = false
    // After a write that failed the end is not the other side's: it has reset.
    if (status !== END_OF_FILE || this.error !== 0) {
      this.#fail(status)
      return
    }
    this.ended = true
    this.owner.onEnd()
    this.#closeWhereDone()
  }

  /** The shared buffer is read into again before the kernel may have taken this. */
  #writeCopy(bytes: Buffer): void {
    const lease = takeSmall()
    bytes.copy(lease.memory)
    this.#send(lease.memory.subarray(0, bytes.length), lease)
    leave(lease)
  }

  #send(bytes: Uint8Array, lease: Lease | null): void {
    const request = requestToWrite()
    this.#sent(this.#handle.writeBuffer(request, bytes), request, lease, bytes)
  }

  #sent(
    status: number,
    request: PendingWrite,
    lease: Lease | null,
    bytes: Uint8Array | null,
  ): void {
    if (status !== 0) {
      this.#writeFailed(status)
      return
    }
    if (!writeIsPending()) {
      spareRequest = request
      return
    }
    this.#pending++
    request.wire = this
    request.lease = lease
    request.bytes = bytes
    if (lease !== null) lease.lent++
  }

  /** Called by the runtime: a write has been taken, or has failed. */
  written(status: number, lease: Lease | null): void {
    if (lease !== null) taken(lease)
    this.#pending--
    if (this.destroyed) return
    if (status !== 0) this.#writeFailed(status)
    else if (this.#pending === 0 && !this.#closeWhereDone()) this.owner.onDrain()
  }

  #join(bytes: Buffer): boolean {
    const lease = this.#room(bytes.length)
    if (lease === null) return false
    bytes.copy(lease.memory, this.#corkedBytes)
    this.#corkedBytes += bytes.length
    return true
  }

  #joinText(text: string): boolean {
    const lease = this.#room(text.length)
    if (lease === null) return false
    lease.memory.write(text, this.#corkedBytes, 'latin1')
    this.#corkedBytes += text.length
    return true
  }

  /** The buffer to add `bytes` to, after what there is has been sent; null where it fits in none. */
  #room(bytes: number): Lease | null {
    if (this.#corkedBytes + bytes > SHARED_BYTES) this.#flush()
    if (bytes > SHARED_BYTES || this.destroyed) return null
    this.#corked ??= takeSmall()
    return this.#corked
  }

  #flush(): void {
    const lease = this.#corked
    const bytes = this.#corkedBytes
    if (lease === null) return
    this.#corked = null
    this.#corkedBytes = 0
    if (this.writable) this.#send(lease.memory.subarray(0, bytes), lease)
    leave(lease)
  }
}

/** Call every second: large buffers that nothing has been read into since the last call are given back. */
export function restIdle(): void {
  for (const wire of enlarged) wire.rest()
}

function requestToWrite(): PendingWrite {
  const spare = spareRequest
  if (spare !== null) {
    spareRequest = null
    return spare
  }
  const request = newWriteRequest() as PendingWrite
  request.oncomplete = onWritten
  return request
}

function onWritten(this: WriteRequest, status: number): void {
  const { wire, lease } = this as PendingWrite
  try {
    wire.written(status, lease)
  } catch (error) {
    wire.destroy()
    throw error
  }
}

/** Where an owner fails, bytes are lost: those that follow must not be taken for them. */
function onRead(this: TcpHandle): Uint8Array | undefined {
  const { wire } = this as OwnedHandle
  const count = readResult()
  try {
    if (count > 0) return wire.received(count)
    if (count < 0) wire.readEnded(count)
  } catch (error) {
    wire.destroy()
    throw error
  }
  return undefined
}
