import { mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { stampOf } from '../../src/lists/stamp.ts'
import { POLL_MS, Watch } from '../../src/service/watch.ts'

let folder: string
let file: string
let watch: Watch
let told: number
beforeEach(() => {
  vi.useFakeTimers()
  folder = mkdtempSync(join(tmpdir(), 'sluss-watch-'))
  file = join(folder, 'list.txt')
  writeFileSync(file, 'one')
  watch = new Watch([file])
  told = 0
})
afterEach(() => {
  watch.close()
  vi.useRealTimers()
  rmSync(folder, { recursive: true, force: true })
})

function start(): void {
  watch.start(() => told++)
}

/** So many looks later, what has been told in all. */
function looked(looks: number): number {
  vi.advanceTimersByTime(looks * POLL_MS)
  return told
}

describe('a watch', () => {
  it('tells of a change once, when the file has been still for a look', () => {
    start()
    expect(looked(10)).toBe(0)
    writeFileSync(file, 'another one')
    expect(looked(1)).toBe(0)
    expect(looked(1)).toBe(1)
    expect(looked(10)).toBe(1)
  })

  it('does not tell of a file that is still being written, but not for ever', () => {
    start()
    const pieces: number[] = []
    for (let piece = 0; piece < 8; piece++) {
      writeFileSync(file, 'x'.repeat(100 + piece))
      pieces.push(looked(1))
    }
    expect(pieces).toEqual([0, 0, 0, 1, 1, 1, 1, 2])
    expect(looked(2)).toBe(2)
  })

  it('sees a file replaced, removed, made, and turned into what cannot be looked at', () => {
    start()
    const changes = [
      () => writeFileSync(`${file}~`, 'one'),
      () => renameSync(`${file}~`, file),
      () => rmSync(file),
      () => writeFileSync(file, 'one'),
      () => rmSync(file),
      () => symlinkSync('list.txt', file),
    ]
    const seen = changes.map((change) => {
      change()
      return looked(2)
    })
    expect(seen).toEqual([0, 1, 2, 3, 4, 5])
    expect(stampOf(file)).toBe('ELOOP')
    expect(stampOf(join(folder, 'list.txt', 'none'))).toBe('ELOOP')
    expect(stampOf(join(folder, 'none'))).toBe('ENOENT')
  })

  it('tells of what changed between its making and its start', () => {
    writeFileSync(file, 'another one')
    start()
    expect(looked(2)).toBe(1)
  })

  it('says whether it was given a file that it did not watch', () => {
    const other = join(folder, 'other.txt')
    expect(watch.set([file])).toBe(false)
    expect(watch.set([file, other])).toBe(true)
    expect(watch.set([other])).toBe(false)
    start()
    writeFileSync(other, 'made')
    expect(looked(2)).toBe(1)
    writeFileSync(file, 'no longer watched')
    expect(looked(2)).toBe(1)
  })

  it('keeps its point of comparison when it is given its files again', () => {
    start()
    writeFileSync(file, 'another one')
    watch.set([file])
    expect(looked(2)).toBe(1)
  })
})
