/**
 * Owns: the two checksums of an image: how they are made, and whether they hold.
 * Never: looks at what the bytes mean.
 */
import { createHash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { CRC_END_BYTE, CRC_START_BYTE, HEADER, HEADER_BYTES, SHA256_BYTES } from './layout.ts'

/** Writes both into an image that is otherwise done: the CRC is over the SHA-256 too. */
export function sealImage(buffer: SharedArrayBuffer): void {
  new Uint8Array(buffer, CRC_END_BYTE, SHA256_BYTES).set(sha256Of(buffer))
  new Int32Array(buffer)[HEADER.crc] = crcOver(buffer, 0, buffer.byteLength, 0)
}

/**
 * True where the CRC-32 (zlib's) holds, which finds every change of a few bits and all but one in
 * four thousand million others: enough for a disk that errs, at half a second for a gigabyte.
 */
export function crcHolds(buffer: SharedArrayBuffer): boolean {
  return isCrc(buffer, crcOver(buffer, 0, buffer.byteLength, 0))
}

/** True where that is the CRC which the image says it has. */
export function isCrc(buffer: SharedArrayBuffer, crc: number): boolean {
  return new Int32Array(buffer, 0, HEADER_BYTES / 4)[HEADER.crc] === crc
}

/**
 * The CRC over bytes `start` to `end` of an image, the CRC's own left out, where `before` is the one
 * of all bytes before them.
 */
export function crcOver(
  buffer: SharedArrayBuffer,
  start: number,
  end: number,
  before: number,
): number {
  const part = (from: number, to: number) =>
    new Uint8Array(buffer, Math.min(from, to), Math.max(0, to - from))
  const first = crc32(part(start, Math.min(end, CRC_START_BYTE)), before >>> 0)
  return crc32(part(Math.max(start, CRC_END_BYTE), end), first) | 0
}

/** True where the SHA-256 holds: about a second for a gigabyte. */
export function sha256Holds(buffer: SharedArrayBuffer): boolean {
  const stored = new Uint8Array(buffer, CRC_END_BYTE, SHA256_BYTES)
  return sha256Of(buffer).every((byte, i) => byte === stored[i])
}

/** SHA-256 (FIPS 180-4) over all bytes but both checksums' own. */
function sha256Of(buffer: SharedArrayBuffer): Uint8Array {
  return createHash('sha256')
    .update(new Uint8Array(buffer, 0, CRC_START_BYTE))
    .update(new Uint8Array(buffer, CRC_END_BYTE + SHA256_BYTES))
    .digest()
}
