/**
 * Owns: the full check of an image: that it is whole and as it was built.
 * Never: repairs one.
 */
import { createHash } from 'node:crypto'
import { CHECKSUM_END_BYTE, CHECKSUM_START_BYTE, type ImageFault, openImage } from './layout.ts'

/** What is wrong with the image, or null. Reads every byte: about a second for a gigabyte. */
export function verifyImage(buffer: SharedArrayBuffer): ImageFault | null {
  const image = openImage(buffer)
  if (typeof image === 'string') return image
  const length = CHECKSUM_END_BYTE - CHECKSUM_START_BYTE
  const stored = new Uint8Array(buffer, CHECKSUM_START_BYTE, length)
  return checksumOf(buffer).every((byte, i) => byte === stored[i]) ? null : 'image-checksum'
}

/** SHA-256 (FIPS 180-4) over all bytes but the checksum's own. */
export function checksumOf(buffer: SharedArrayBuffer): Uint8Array {
  return createHash('sha256')
    .update(new Uint8Array(buffer, 0, CHECKSUM_START_BYTE))
    .update(new Uint8Array(buffer, CHECKSUM_END_BYTE))
    .digest()
}
