/**
 * Owns: the two checksums of an image: how they are made, and whether they hold.
 * Never: looks at what the bytes mean.
 */
import { createHash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { CRC_END_BYTE, CRC_START_BYTE, HEADER, SHA256_BYTES } from './layout.ts'

/** Writes both into an image that is otherwise done: the CRC is over the SHA-256 too. */
export function sealImage(buffer: SharedArrayBuffer): void {
  new Uint8Array(buffer, CRC_END_BYTE, SHA256_BYTES).set(sha256Of(buffer))
  new Int32Array(buffer)[HEADER.crc] = crcOf(buffer)
}

/**
 * True where the CRC-32 (zlib's) holds, which finds every change of a few bits and all but one in
 * four thousand million others: enough for a disk that errs, at half a second for a gigabyte.
 */
export function crcHolds(buffer: SharedArrayBuffer): boolean {
  return new Int32Array(buffer)[HEADER.crc] === crcOf(buffer)
}

/** True where the SHA-256 holds: about a second for a gigabyte. */
export function sha256Holds(buffer: SharedArrayBuffer): boolean {
  const stored = new Uint8Array(buffer, CRC_END_BYTE, SHA256_BYTES)
  return sha256Of(buffer).every((byte, i) => byte === stored[i])
}

/** Over all bytes but its own. */
function crcOf(buffer: SharedArrayBuffer): number {
  const before = crc32(new Uint8Array(buffer, 0, CRC_START_BYTE))
  return crc32(new Uint8Array(buffer, CRC_END_BYTE), before) | 0
}

/** SHA-256 (FIPS 180-4) over all bytes but both checksums' own. */
function sha256Of(buffer: SharedArrayBuffer): Uint8Array {
  return createHash('sha256')
    .update(new Uint8Array(buffer, 0, CRC_START_BYTE))
    .update(new Uint8Array(buffer, CRC_END_BYTE + SHA256_BYTES))
    .digest()
}
