/**
 * Owns: the memory that a thread's connections read into and write from.
 * Never: is asked for more than its bounds: who gets none reads into the one buffer that all share.
 *
 * A connection at rest costs no buffer: all of them read into `SHARED`, whose bytes are used, or copied,
 * before the next read. One that fills it is given a large buffer of its own, from which bytes are written
 * without a copy. A buffer that the kernel has not taken yet is lent, and not used again before it has.
 */

/** What a read of a connection at rest takes at most. */
export const SHARED_BYTES = 64 * 1024
const LARGE_BYTES = 256 * 1024
/** Large buffers in use at a time, in a thread: 64 MiB. */
const LARGE_MAX = 256
/** Buffers kept for the next who asks. */
const SPARE_MAX = 32

/** A buffer with an owner. `lent` counts the writes that the kernel has not taken yet. */
export interface Lease {
  readonly memory: Buffer
  lent: number
  /** Its owner has no more use for it: it is given back when nothing is lent of it. */
  left: boolean
  /** Of a large one: it has been taken, or read into, since it was last looked at (restIdle). */
  isUsed: boolean
}

/** All connections at rest read into this; what it holds is good until the reader returns. */
export const SHARED: Buffer = Buffer.allocUnsafeSlow(SHARED_BYTES)

const spareSmall: Lease[] = []
const spareLarge: Lease[] = []
let largeInUse = 0

/** How many large buffers are in use, for the counters and the tests. */
export function largeBuffersInUse(): number {
  return largeInUse
}

function newLease(bytes: number): Lease {
  return { memory: Buffer.allocUnsafeSlow(bytes), lent: 0, left: false, isUsed: true }
}

/** A buffer of SHARED_BYTES to write from. */
export function takeSmall(): Lease {
  return spareSmall.pop() ?? newLease(SHARED_BYTES)
}

/** A large buffer to read into; null where LARGE_MAX are in use. */
export function takeLarge(): Lease | null {
  if (largeInUse >= LARGE_MAX) return null
  largeInUse++
  const lease = spareLarge.pop() ?? newLease(LARGE_BYTES)
  lease.isUsed = true
  return lease
}

/** Its owner has no more use for it. */
export function leave(lease: Lease): void {
  if (lease.lent > 0) lease.left = true
  else giveBack(lease)
}

/** One write of it has been taken. */
export function taken(lease: Lease): void {
  lease.lent--
  if (lease.lent === 0 && lease.left) giveBack(lease)
}

function giveBack(lease: Lease): void {
  lease.left = false
  const isLarge = lease.memory.length === LARGE_BYTES
  if (isLarge) largeInUse--
  const spare = isLarge ? spareLarge : spareSmall
  if (spare.length < SPARE_MAX) spare.push(lease)
}
