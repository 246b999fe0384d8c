import { describe, expect, test } from 'vitest'
import { Progress, type ProgressStep } from '../../src/cli/progress.ts'

function shown(isTTY: boolean, steps: readonly ProgressStep[], stepMs: number): string[] {
  const written: string[] = []
  let nowMs = 0
  const stream = { isTTY, columns: 60, write: (text: string) => written.push(text) }
  const progress = new Progress(stream, () => nowMs)
  for (const step of steps) {
    progress.show(step)
    nowMs += stepMs
  }
  progress.line('done')
  return written
}

const reading = (done: number, total: number | null = 100): ProgressStep => {
  return { label: 'reading', done, total, unit: 'names' }
}
const hundred = Array.from({ length: 101 }, (_, done) => reading(done))

describe('progress', () => {
  test('elsewhere than on a terminal: a line a quarter, no escapes', () => {
    expect(shown(false, hundred, 1)).toEqual([
      'reading: 0 % (0 of 100 names)\n',
      'reading: 25 % (25 of 100 names)\n',
      'reading: 50 % (50 of 100 names)\n',
      'reading: 75 % (75 of 100 names)\n',
      'reading: 100 % (100 of 100 names)\n',
      'done\n',
    ])
  })

  test('on a terminal: a bar in one line, drawn ten times a second at most, then taken away', () => {
    const written = shown(true, hundred, 20)
    expect(written).toHaveLength(23)
    expect(written[10]).toBe('\r\u001b[Kreading  [############------------] 50 %  50 of 100 names')
    expect(written.at(-2)).toBe('\r\u001b[K')
    expect(written.at(-1)).toBe('done\n')
  })

  test('it never fills more than the line', () => {
    const [bar] = shown(true, [{ ...reading(1), label: 'x'.repeat(200) }], 1)
    expect(bar!.replace('\r\u001b[K', '')).toHaveLength(59)
  })

  test('bytes of a length that nobody knows', () => {
    const step: ProgressStep = {
      label: 'adult',
      done: 3 * 1_024 * 1_024,
      total: null,
      unit: 'bytes',
    }
    expect(shown(false, [step], 1)[0]).toBe('adult: 3.0 MiB\n')
  })

  test('nothing to do is done; a name with controls moves no cursor', () => {
    const [line] = shown(false, [{ ...reading(0, 0), label: 'a\u001b[2Jb' }], 1)
    expect(line).toMatch(/100 %/)
    expect(line).not.toContain('\u001b')
  })
})
