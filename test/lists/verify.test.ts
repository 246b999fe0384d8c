/**
 * Images that are cut, changed or foreign are refused: cheaply where that is enough, wholly where
 * not.
 */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { HEADER, HEADER_BYTES, type ImageFault, openImage } from '../../src/lists/layout.ts'
import { Lookup } from '../../src/lists/lookup.ts'
import { verifyImage } from '../../src/lists/verify.ts'
import { imageOf, listOf } from './images.ts'

const { buffer } = imageOf(
  listOf(
    ...Array.from({ length: 300 }, (_, i) => `name${i}.example${i % 7}.com`),
    'xxx',
    '192.0.2.1',
  ),
)

/** A copy of `length` bytes, changed by `change`. */
function copy(length: number, change: (bytes: Uint8Array, words: Int32Array) => void) {
  const made = new SharedArrayBuffer(length)
  const bytes = new Uint8Array(made)
  bytes.set(new Uint8Array(buffer).subarray(0, length))
  change(bytes, new Int32Array(made, 0, length >>> 2))
  return made
}

/** What the cheap check says, and that Lookup refuses to be made. */
function refused(image: SharedArrayBuffer, fault: ImageFault) {
  expect(openImage(image)).toBe(fault)
  expect(verifyImage(image)).toBe(fault)
  expect(() => new Lookup(image)).toThrow(`(${fault})`)
}

const nothing = () => {}

test('an image as built is whole', () => {
  expect(verifyImage(buffer)).toBeNull()
  expect(verifyImage(copy(buffer.byteLength, nothing))).toBeNull()
  expect(verifyImage(imageOf().buffer)).toBeNull()
})

test('a foreign buffer is refused', () => {
  refused(new SharedArrayBuffer(0), 'image-foreign')
  refused(new SharedArrayBuffer(4_096), 'image-foreign')
  refused(copy(HEADER_BYTES - 1, nothing), 'image-foreign')
  const random = fc.sample(fc.uint8Array({ minLength: 200, maxLength: 500 }), {
    numRuns: 50,
    seed: 1,
  })
  for (const bytes of random) {
    const foreign = new SharedArrayBuffer(bytes.length)
    new Uint8Array(foreign).set(bytes)
    refused(foreign, 'image-foreign')
  }
})

test('another format version is refused', () => {
  const other = copy(buffer.byteLength, (_, words) => {
    words[HEADER.version]!++
  })
  refused(other, 'image-version')
})

test('a truncated or lengthened image is refused', () => {
  for (const length of [HEADER_BYTES, buffer.byteLength >>> 1, buffer.byteLength - 1]) {
    refused(copy(length, nothing), 'image-truncated')
  }
  const longer = new SharedArrayBuffer(buffer.byteLength + 8)
  new Uint8Array(longer).set(new Uint8Array(buffer))
  refused(longer, 'image-truncated')
})

test('sections that do not follow one another are refused', () => {
  for (const field of [
    HEADER.filterOffset,
    HEADER.bucketsOffset,
    HEADER.arenaOffset,
    HEADER.masksOffset,
    HEADER.listsOffset,
    HEADER.buckets,
    HEADER.masks,
  ]) {
    for (const change of [8, -8, 0x7fff_0000, -0x7fff_0000]) {
      const moved = copy(buffer.byteLength, (_, words) => {
        words[field]! += change
      })
      refused(moved, 'image-sections')
    }
  }
})

test('any flipped bit is found by the full check', () => {
  fc.assert(
    fc.property(fc.nat(buffer.byteLength * 8 - 1), (bit) => {
      const flipped = copy(buffer.byteLength, (bytes) => {
        bytes[bit >>> 3]! ^= 1 << (bit & 7)
      })
      expect(verifyImage(flipped)).not.toBeNull()
    }),
    { numRuns: 1_000 },
  )
})
