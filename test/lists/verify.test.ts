/**
 * Images that are cut, changed, foreign or wrongly built are refused: cheaply where that is enough,
 * wholly where not.
 */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { sealImage } from '../../src/lists/checksum.ts'
import {
  HEADER,
  HEADER_BYTES,
  type ImageFault,
  type ImageView,
  INTERVAL_WORDS,
  NETWORK_KIND,
  NODE_ENDING_BYTE,
  NODE_MASK_BYTE,
  openImage,
} from '../../src/lists/layout.ts'
import { Lookup } from '../../src/lists/lookup.ts'
import { VERIFY_FAULTS_MAX, verifyImage } from '../../src/lists/verify.ts'
import { imageOf, listOf } from './images.ts'

const { buffer } = imageOf(
  {
    ...listOf(
      ...Array.from({ length: 300 }, (_, i) => `name${i}.example${i % 7}.com`),
      'xxx',
      '192.0.2.1',
    ),
    exceptions: ['free.name1.example1.com', 'a.b'],
    networks: ['10.0.0.0/8', '2001:db8::/32', '192.0.2.7/32'],
    freedNetworks: ['10.1.0.0/16'],
  },
  { name: 'other', target: { kind: 'neverBlock' }, domains: ['name1.example1.com', 'b.example'] },
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
  expect(verifyImage(image)).toMatchObject([{ fault }])
  expect(() => new Lookup(image)).toThrow(`(${fault})`)
}

const nothing = () => {}

test('an image as built is whole', () => {
  expect(verifyImage(buffer)).toEqual([])
  expect(verifyImage(copy(buffer.byteLength, nothing))).toEqual([])
  expect(verifyImage(imageOf().buffer)).toEqual([])
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
  for (const change of [1, -1]) {
    const other = copy(buffer.byteLength, (_, words) => {
      words[HEADER.version]! += change
    })
    refused(other, 'image-version')
  }
})

test('a truncated or lengthened image is refused', () => {
  for (const length of [HEADER_BYTES, buffer.byteLength >>> 1, buffer.byteLength - 1]) {
    refused(copy(length, nothing), 'image-truncated')
  }
  const longer = new SharedArrayBuffer(buffer.byteLength + 8)
  new Uint8Array(longer).set(new Uint8Array(buffer))
  refused(longer, 'image-truncated')
})

test('sections that do not fit are refused', () => {
  for (const field of [
    HEADER.buckets,
    HEADER.arenaBytes,
    HEADER.endings,
    HEADER.masks,
    HEADER.intervals,
    HEADER.networks,
    HEADER.reportBytes,
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
      expect(verifyImage(flipped)).not.toEqual([])
    }),
    { numRuns: 1_000 },
  )
})

describe('an image that was built wrongly, though its checksums hold', () => {
  /** Where the arena has the first node of the first bucket that has one. */
  const firstNode = ({ buckets, arena }: ImageView) => buckets.find((at) => arena[at]! > 0)!
  const check = (what: string, change: (image: ImageView) => void, expected: RegExp) =>
    test(what, () => {
      const wrong = copy(buffer.byteLength, nothing)
      const image = openImage(wrong)
      if (typeof image === 'string') throw new Error(image)
      change(image)
      sealImage(wrong)
      const faults = verifyImage(wrong)
      expect(faults.length).toBeGreaterThan(0)
      expect(faults.length).toBeLessThanOrEqual(VERIFY_FAULTS_MAX)
      expect(faults.map(({ fault }) => fault)).not.toContain('image-checksum')
      expect(faults.map((one) => `${one.place}: ${one.what}`).join('\n')).toMatch(expected)
    })
  check(
    'a filter without its bits',
    ({ filter }) => filter.fill(0),
    /the filter does not let it pass/,
  )
  check(
    'a name that was changed',
    ({ arena, buckets }) => {
      arena[firstNode({ arena, buckets } as ImageView) + 5]! ^= 1
    },
    /it belongs in another bucket/,
  )
  check(
    'buckets that do not follow one another',
    ({ buckets }) => {
      buckets[1]!++
    },
    /bucket 1: it begins at/,
  )
  check(
    'a mask that there is not',
    (image) => {
      image.arena[firstNode(image) + NODE_MASK_BYTE] = 0xff
    },
    /it has mask \d+, which there is not/,
  )
  check(
    'a child bit that was turned',
    (image) => {
      image.arena[firstNode(image) + NODE_MASK_BYTE + 1]! ^= 0x80
    },
    /children/,
  )
  check(
    'an ending that there is not',
    (image) => {
      image.arena[firstNode(image) + NODE_ENDING_BYTE] = 0xff
    },
    /bucket \d+/,
  )
  check('an arena of ones', ({ arena }) => arena.fill(0xff, 1), /bucket 0: its nodes and sources/)
  check(
    'an ending that is not empty where it must be',
    ({ endings }) => {
      endings[0] = 1
    },
    /endings: the first is not empty/,
  )
  check(
    'a first mask that lists something',
    ({ masks }) => {
      masks[0] = 1
    },
    /mask 0: it is not empty/,
  )
  check(
    'intervals out of order',
    ({ intervals }) => {
      intervals[2 * INTERVAL_WORDS + 3]! = 0
      intervals[2 * INTERVAL_WORDS + 2]! = 0
    },
    /intervals: interval 2 does not begin after/,
  )
  check(
    'an interval with a mask that there is not',
    ({ intervals }) => {
      intervals[INTERVAL_WORDS - 1] = 99
    },
    /intervals: interval 0 has mask 99/,
  )
  check(
    'a network of a list that there is not',
    ({ networks }) => {
      networks[NETWORK_KIND] = 99
    },
    /network 0: it is of list kind 99/,
  )
  check('a report that is no JSON', ({ report }) => report.fill(0x20), /report: .* cannot be read/)
  check(
    'a report of fewer kinds of sources',
    ({ header }) => {
      header[HEADER.kinds]!++
    },
    /header: 4 kinds/,
  )
  check(
    'counts that are wrong',
    ({ header }) => {
      header[HEADER.nodes]!++
      header[HEADER.domains]!++
      header[HEADER.oneLabelNames]!++
    },
    /nodes, and there are.*listed hosts.*names of one label/s,
  )
})

test('whatever an image holds, the full check throws nothing', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(buffer.byteLength - HEADER_BYTES - 1), fc.nat(255)), {
        maxLength: 40,
      }),
      (changes) => {
        const wrong = copy(buffer.byteLength, (bytes) => {
          for (const [at, byte] of changes) bytes[HEADER_BYTES + at] = byte
        })
        sealImage(wrong)
        expect(verifyImage(wrong).length).toBeLessThanOrEqual(VERIFY_FAULTS_MAX)
      },
    ),
    { numRuns: 300 },
  )
})
