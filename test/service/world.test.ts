import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type ListSource, plainSource } from '../../src/policy/index.ts'
import { type BuiltImage, imageOf } from '../../src/service/world.ts'

let folder: string
let sources: ListSource[]
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sluss-image-'))
  sources = [listed('porn', 0), listed('racism', 1)]
  write('porn', 'bad.test\n')
  write('racism', 'hate.test\n')
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const listed = (name: string, bit: number): ListSource => {
  const file = join(folder, name)
  return plainSource({ name, target: { kind: 'category', bit }, file, entries: null })
}
const write = (name: string, text: string) => writeFileSync(join(folder, name), text)

async function built(last: BuiltImage | null = null): Promise<BuiltImage> {
  const image = await imageOf(sources, last)
  if (!image.ok) throw new Error(JSON.stringify(image.problems))
  return image.built
}

describe('an image', () => {
  it('is built anew only where a list has changed', async () => {
    const first = await built()
    expect(await built(first)).toBe(first)
    write('porn', 'worse.test\n')
    const second = await built(first)
    expect(second).not.toBe(first)
    expect(second.report.domains).toBe(2)
  })

  it('is not built from a list that was cut to nothing', async () => {
    const first = await built()
    write('porn', '')
    const image = await imageOf(sources, first)
    expect(image).toMatchObject({
      ok: false,
      problems: [{ file: join(folder, 'porn'), line: 0, what: 'the list has no lines' }],
    })
    // Said in words, emptiness is meant.
    write('porn', '# none for now\n')
    expect((await built(first)).report.domains).toBe(1)
  })

  it('may have had an empty list all along', async () => {
    write('porn', '')
    const first = await built()
    expect(first.report.domains).toBe(1)
    write('racism', 'hate.test\nscorn.test\n')
    expect((await built(first)).report.domains).toBe(2)
  })

  it('is not built from a list that cannot be read', async () => {
    const first = await built()
    rmSync(join(folder, 'porn'))
    const image = await imageOf(sources, first)
    expect(image).toMatchObject({ ok: false, problems: [{ file: join(folder, 'porn') }] })
  })
})
