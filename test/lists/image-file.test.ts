/** The image as a file: what was saved is what is loaded, and nothing else is. */
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, expect, test } from 'vitest'
import { buildImage } from '../../src/lists/build.ts'
import { keyOf, type LoadFault, loadImage, saveImage } from '../../src/lists/image-file.ts'
import { reportOf } from '../../src/lists/image-report.ts'
import { HEADER } from '../../src/lists/layout.ts'
import { Lookup } from '../../src/lists/lookup.ts'
import { noLabels } from '../../src/policy/policy.ts'
import { listOf, parsedList } from './images.ts'

const folder = mkdtempSync(join(tmpdir(), 'sluss-image-'))
const path = join(folder, 'image')
afterAll(() => rmSync(folder, { recursive: true }))

const KEY = 'c0ffee'.padEnd(64, '1')

function built(key: string, ...domains: string[]) {
  const list = { ...listOf(...domains), networks: ['10.0.0.0/8'] }
  const result = buildImage([parsedList(list)], { elapsedMs: () => 7, key })
  if (result.kind === 'failed') throw new Error('not built')
  return result
}

const { buffer, report } = built(KEY, ...Array.from({ length: 200 }, (_, i) => `name${i}.com`))

/** What is said of the file with those bytes. */
function faultOf(bytes: Uint8Array, key = KEY): LoadFault | null {
  writeFileSync(path, bytes)
  const loaded = loadImage(path, key)
  if (loaded.ok) return null
  expect(loaded.file).toBe(path)
  expect(loaded.what).not.toBe('')
  return loaded.fault
}

const whole = () => new Uint8Array(buffer).slice()

test('what was saved is loaded, byte for byte, with its report', () => {
  expect(saveImage(path, buffer)).toBeNull()
  expect(statSync(path).mode & 0o777).toBe(0o600)
  expect(readdirSync(folder)).toEqual(['image'])
  const loaded = loadImage(path, KEY)
  if (!loaded.ok) throw new Error(loaded.fault)
  expect(Buffer.compare(whole(), new Uint8Array(loaded.buffer).slice())).toBe(0)
  expect(reportOf(loaded.buffer)).toEqual(report)
  const lookup = new Lookup(loaded.buffer)
  expect(lookup.match('www.name7.com', noLabels())).toBe(true)
  expect(lookup.match('10.1.2.3', noLabels())).toBe(true)
  expect(lookup.match('name200.com', noLabels())).toBe(false)
})

test('saving replaces the old image whole, whatever a killed process left beside it', () => {
  saveImage(path, buffer)
  writeFileSync(`${path}.${process.pid}.tmp`, 'half')
  const other = built(KEY, 'other.com')
  expect(saveImage(path, other.buffer)).toBeNull()
  expect(readdirSync(folder)).toEqual(['image'])
  expect(readFileSync(path)).toEqual(Buffer.from(new Uint8Array(other.buffer)))
})

test('where it cannot be saved, that is said and the old one stays', () => {
  saveImage(path, buffer)
  expect(saveImage(join(folder, 'none', 'image'), buffer)).toMatchObject({
    what: expect.stringContaining('ENOENT'),
  })
  const taken = join(folder, 'taken')
  mkdirSync(join(taken, 'image'), { recursive: true })
  expect(saveImage(join(taken, 'image'), buffer)).not.toBeNull()
  expect(readdirSync(taken)).toEqual(['image'])
  rmSync(taken, { recursive: true })
  expect(loadImage(path, KEY).ok).toBe(true)
})

test('an image of other inputs, or of none that are known, is refused', () => {
  expect(keyOf(buffer)).toBe(KEY)
  expect(faultOf(whole(), KEY.replace('1', '2'))).toBe('image-other-key')
  expect(faultOf(whole(), '')).toBe('image-other-key')
  const { buffer: keyless } = built('', 'a.com')
  expect(keyOf(keyless)).toBe('')
  expect(faultOf(new Uint8Array(keyless).slice())).toBe('image-other-key')
  expect(faultOf(new Uint8Array(keyless).slice(), '')).toBeNull()
})

test('a file that is not there or cannot be read is told apart from a bad one', () => {
  rmSync(path, { force: true })
  expect(loadImage(path, KEY)).toMatchObject({ ok: false, fault: 'image-absent' })
  mkdirSync(path)
  expect(loadImage(path, KEY)).toMatchObject({ ok: false, fault: 'image-unreadable' })
  rmSync(path, { recursive: true })
})

test('a truncated image is refused, wherever it is cut', () => {
  fc.assert(
    fc.property(fc.nat(buffer.byteLength - 1), (length) => {
      const fault = faultOf(whole().subarray(0, length))
      expect(['image-foreign', 'image-truncated']).toContain(fault)
    }),
    { numRuns: 50 },
  )
  saveImage(path, buffer)
  truncateSync(path, buffer.byteLength + 8)
  expect(loadImage(path, KEY)).toMatchObject({ ok: false, fault: 'image-truncated' })
})

test('an image with any bit flipped is refused', () => {
  fc.assert(
    fc.property(fc.nat(buffer.byteLength * 8 - 1), (bit) => {
      const bytes = whole()
      bytes[bit >>> 3]! ^= 1 << (bit & 7)
      expect(faultOf(bytes)).not.toBeNull()
    }),
    { numRuns: 500 },
  )
})

test('a foreign file, and an image of another format, are refused', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 500 }), (bytes) => {
      expect(faultOf(bytes)).toBe('image-foreign')
    }),
    { numRuns: 50 },
  )
  const older = whole()
  older[HEADER.version * 4] = 1
  expect(faultOf(older)).toBe('image-version')
})
