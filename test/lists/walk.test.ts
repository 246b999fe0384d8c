/** Every name of an image is gone through once. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { openedImage } from '../../src/lists/image-report.ts'
import { maskOf, NODE_MASK_BITS } from '../../src/lists/layout.ts'
import { forEachName } from '../../src/lists/walk.ts'
import { lists, namesIn } from './changes.ts'
import { imageOf, isAddress, listOf, suffixesOf } from './images.ts'

test('the names in the lists, and between them their parents', () => {
  fc.assert(
    fc.property(lists, (made) => {
      const image = openedImage(imageOf(...made).buffer)
      const named: string[] = []
      const between: string[] = []
      forEachName(image, {
        visit: (bytes, length, node) => {
          const name = new TextDecoder().decode(bytes.subarray(0, length))
          const isNamed = (maskOf(image, node) & NODE_MASK_BITS) !== 0
          ;(isNamed ? named : between).push(name)
        },
      })
      const listed = new Set(namesIn(made))
      expect(named.toSorted()).toEqual([...listed].toSorted())
      expect(new Set(between).size).toBe(between.length)
      const parents = [...listed].filter((name) => !isAddress(name)).flatMap(suffixesOf)
      for (const name of between) expect(parents).toContain(name)
    }),
    { numRuns: 200 },
  )
})

test('progress begins at nothing', () => {
  const told: number[] = []
  forEachName(openedImage(imageOf(listOf('a.se')).buffer), {
    visit: () => {},
    onProgress: (done) => told.push(done),
  })
  expect(told[0]).toBe(0)
})
