/**
 * Owns: what time it is for everything that decides: the system's time, which a test may move.
 * Never: used for timeouts; those run on timers, whatever this clock says.
 */

/** Milliseconds since 1970, UTC. */
export type Clock = () => number

/** Memory for an offset that all threads share; 0 at first. */
export function clockBuffer(): SharedArrayBuffer {
  return new SharedArrayBuffer(BigInt64Array.BYTES_PER_ELEMENT)
}

/**
 * `systemNow` plus the offset in `buffer` (clockBuffer), which one call of `moveClock` changes for all
 * threads at once; null is the system's clock itself. The offset is one 64-bit word, so no thread ever
 * reads half of an old one and half of a new one.
 */
export function sharedClock(buffer: SharedArrayBuffer | null, systemNow: () => number): Clock {
  if (buffer === null) return systemNow
  const offset = new BigInt64Array(buffer)
  return () => systemNow() + Number(Atomics.load(offset, 0))
}

/** Makes the clock differ from the system's by `offsetMs` (whole milliseconds, either sign). */
export function moveClock(buffer: SharedArrayBuffer, offsetMs: number): void {
  Atomics.store(new BigInt64Array(buffer), 0, BigInt(Math.round(offsetMs)))
}
