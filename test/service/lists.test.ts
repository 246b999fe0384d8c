/**
 * Owns: which image is in force: built, loaded, kept, refused, or that of an earlier run.
 * Never: starts a service; e2e/list-updates.test.ts does.
 */
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { acceptLocal } from '../../src/service/local-lists.ts'
import { categoriesOf, Folder, hosts, problemsIn, SETTINGS } from './lists-stand.ts'

let folder: Folder
beforeEach(() => {
  folder = new Folder()
})
afterEach(() => folder.close())

describe('the image of a start', () => {
  it('is built and saved, and loaded at the next start', async () => {
    const first = await folder.start()
    expect(first.result).toMatchObject({ ok: true, built: { origin: 'built' } })
    const second = await folder.start()
    expect(second.result).toMatchObject({ ok: true, built: { origin: 'loaded' } })
    expect(second.lists.inForce.report).toEqual(first.lists.inForce.report)
    expect(categoriesOf(second.lists, 'www.bad.test')).toBe(1)
    expect(folder.said).toEqual([])
  })

  it('is built anew where a list has changed', async () => {
    await folder.start()
    folder.write('porn.txt', 'worse.test\n')
    const { lists, result } = await folder.start()
    expect(result).toMatchObject({ ok: true, built: { origin: 'built' } })
    expect([categoriesOf(lists, 'bad.test'), categoriesOf(lists, 'worse.test')]).toEqual([0, 1])
    expect((await folder.start()).result).toMatchObject({ built: { origin: 'loaded' } })
  })

  it.each([
    [
      'flipped',
      (bytes: Buffer) =>
        bytes.fill(bytes[bytes.length >> 1]! ^ 1, bytes.length >> 1, (bytes.length >> 1) + 1),
    ],
    ['truncated', (bytes: Buffer) => bytes.subarray(0, bytes.length - 8)],
    ['cut to a few bytes', (bytes: Buffer) => bytes.subarray(0, 10)],
    ['foreign', () => Buffer.from('GIF89a, and no image of ours at all'.repeat(20))],
    ['empty', () => Buffer.alloc(0)],
  ])('is refused where it is %s, told, and built anew', async (_, damage) => {
    await folder.start()
    writeFileSync(folder.image, damage(readFileSync(folder.image)))
    const { lists, result } = await folder.start()
    expect(result).toMatchObject({ ok: true, built: { origin: 'built' } })
    expect(folder.said).toEqual([
      expect.stringMatching(/^the saved image of the lists is refused: /),
    ])
    expect(categoriesOf(lists, 'bad.test')).toBe(1)
    expect((await folder.start()).result).toMatchObject({ built: { origin: 'loaded' } })
  })

  it('serves all the same where it cannot be saved, and says so', async () => {
    writeFileSync(join(folder.state, 'lists'), 'a file where the folder should be')
    const { lists, result } = await folder.start()
    expect(result.ok).toBe(true)
    expect(categoriesOf(lists, 'bad.test')).toBe(1)
    expect(folder.said).toEqual([
      expect.stringContaining('the image cannot be read'),
      expect.stringContaining('the image cannot be saved'),
    ])
  })

  it('leaves nothing behind that a save cut short has left', async () => {
    await folder.start()
    const stray = `${folder.image}.99999999.tmp`
    writeFileSync(stray, 'half')
    await folder.start()
    expect(existsSync(stray)).toBe(false)
    expect(readdirSync(join(folder.state, 'lists'))).toEqual(['image'])
  })
})

describe('a start with a broken list', () => {
  const BROKEN: readonly (readonly [string, () => void, string])[] = [
    ['gone', () => folder.remove('porn.txt'), 'there is no such file'],
    ['of no use', () => folder.write('porn.txt', 'a b c d\n'.repeat(50)), 'line'],
  ]

  it.each(BROKEN)('serves the lists of the last run: %s', async (_, damage, what) => {
    await folder.start()
    folder.write('racism.txt', 'scorn.test\n')
    damage()
    const { lists, result } = await folder.start()
    expect(result).toMatchObject({ ok: true, built: { origin: 'loaded' } })
    expect(lists.stale).toEqual([expect.stringContaining('porn.txt')])
    expect(lists.stale.join()).toContain(what)
    // All lists are those of that run.
    const found = ['bad.test', 'hate.test', 'scorn.test'].map((host) => categoriesOf(lists, host))
    expect(found).toEqual([1, 2, 0])
    expect(folder.said.at(-1)).toContain('as they were at the last run')
  })

  it('takes the lists as they are when they are whole again', async () => {
    await folder.start()
    folder.remove('porn.txt')
    const { lists } = await folder.start()
    expect(lists.stale).toHaveLength(1)
    folder.write('porn.txt', 'worse.test\n')
    expect(await folder.reload(lists)).toEqual([])
    expect(lists.stale).toEqual([])
    expect([categoriesOf(lists, 'bad.test'), categoriesOf(lists, 'worse.test')]).toEqual([0, 1])
  })

  it.each(BROKEN)('does not serve where no image was saved: %s', async (_, damage, what) => {
    damage()
    const { result } = await folder.start()
    expect(problemsIn(result).join()).toContain(what)
  })

  it('does not serve with an image of other lists', async () => {
    await folder.start()
    // Another category before the others: every bit means another.
    folder.write('sluss.yaml', SETTINGS.replace('  porn:', '  web: { action: allow }\n  porn:'))
    folder.remove('porn.txt')
    expect((await folder.start()).result.ok).toBe(false)
  })

  it('does not serve with an image that is damaged too', async () => {
    await folder.start()
    const bytes = readFileSync(folder.image)
    writeFileSync(folder.image, bytes.subarray(0, bytes.length >> 1))
    folder.remove('porn.txt')
    expect((await folder.start()).result.ok).toBe(false)
  })
})

describe('a reload', () => {
  it('keeps the image where no list has changed', async () => {
    const { lists } = await folder.start()
    const { image } = lists.inForce
    expect(await folder.reload(lists)).toEqual([])
    expect(lists.inForce.image).toBe(image)
  })

  it('changes nothing where a list cannot be used', async () => {
    const { lists } = await folder.start()
    const { image } = lists.inForce
    folder.write('porn.txt', 'a b c d\n'.repeat(50))
    expect(await folder.reload(lists)).toHaveLength(1)
    expect(lists.inForce.image).toBe(image)
  })

  it('refuses a list that was cut to nothing; said in words, emptiness is meant', async () => {
    const { lists } = await folder.start()
    folder.write('porn.txt', '')
    expect(await folder.reload(lists)).toEqual(['the list has no lines'])
    folder.write('porn.txt', '# none for now\n')
    expect(await folder.reload(lists)).toEqual([])
    // From nothing to nothing is no loss.
    folder.write('porn.txt', '')
    expect(await folder.reload(lists)).toEqual([])
  })

  it('reads folders and follows what changes in them', async () => {
    folder.write('sluss.yaml', SETTINGS.replace('porn.txt', 'porn.d'))
    folder.write('porn.d/domains', 'first.test\n')
    const { lists } = await folder.start()
    expect(categoriesOf(lists, 'first.test')).toBe(1)
    folder.write('porn.d/domains', 'second.test\n')
    expect(await folder.reload(lists)).toEqual([])
    expect([categoriesOf(lists, 'first.test'), categoriesOf(lists, 'second.test')]).toEqual([0, 1])
  })

  it('takes an image that another process has saved meanwhile', async () => {
    const { lists } = await folder.start()
    folder.write('porn.txt', 'worse.test\n')
    await folder.start()
    expect(await folder.reload(lists)).toEqual([])
    expect(lists.inForce.origin).toBe('loaded')
    expect(categoriesOf(lists, 'worse.test')).toBe(1)
  })
})

describe('a large list that lies here', () => {
  beforeEach(() => folder.write('porn.txt', hosts(2_000)))

  it('is not taken when it has shrunk, until somebody accepts that version', async () => {
    const { lists } = await folder.start()
    folder.write('porn.txt', hosts(1_200))
    expect(await folder.reload(lists)).toEqual([
      expect.stringContaining('from 2000 entries to 1200'),
    ])
    expect(lists.inForce.report.domains).toBe(2_002)
    const [refusal] = lists.refused
    expect(refusal).toMatchObject({ name: 'porn.txt', entries: 1_200 })
    expect(refusal!.refusals[0]!.hint).toContain('./sluss lists accept porn.txt')
    const { sha256 } = refusal!
    expect(await acceptLocal(folder.state, 'porn.txt', { sha256, by: 'anna', atMs: 1 })).toBe(null)
    expect(await folder.reload(lists)).toEqual([])
    expect(lists.refused).toEqual([])
    expect(lists.inForce.report.domains).toBe(1_202)
    // Another version is another question.
    folder.write('porn.txt', hosts(500))
    expect(await folder.reload(lists)).toHaveLength(1)
  })

  it('is not taken when it is empty, whatever its comment says', async () => {
    const { lists } = await folder.start()
    folder.write('porn.txt', '# none\n')
    expect(await folder.reload(lists)).toEqual([expect.stringContaining('no entry')])
  })

  it('may grow, and may lose a little', async () => {
    const { lists } = await folder.start()
    folder.write('porn.txt', hosts(9_000))
    expect(await folder.reload(lists)).toEqual([])
    folder.write('porn.txt', hosts(8_000))
    expect(await folder.reload(lists)).toEqual([])
  })

  it('is held to what the settings say of it', async () => {
    const named = 'lists: [{ file: porn.txt, name: big, category: porn, fall: 90% }]\n'
    folder.write('sluss.yaml', SETTINGS.replace('lists: [porn.txt]', 'lists: []') + named)
    const { lists } = await folder.start()
    folder.write('porn.txt', hosts(300))
    expect(await folder.reload(lists)).toEqual([])
    expect(lists.inForce.report.domains).toBe(302)
  })

  it('that shrank while nothing ran is not taken at the next start', async () => {
    await folder.start()
    folder.write('porn.txt', hosts(100))
    const { lists } = await folder.start()
    expect(lists.stale).toEqual([expect.stringContaining('from 2000 entries to 100')])
    expect(lists.inForce.report.domains).toBe(2_002)
    expect(lists.refused.map(({ name }) => name)).toEqual(['porn.txt'])
  })
})

describe('a short list', () => {
  it('is edited by people, who may take away what they like', async () => {
    folder.write('porn.txt', hosts(900))
    const { lists } = await folder.start()
    folder.write('porn.txt', hosts(1))
    expect(await folder.reload(lists)).toEqual([])
  })
})

describe('acceptances', () => {
  it('that cannot be read accept nothing', async () => {
    folder.write('porn.txt', hosts(2_000))
    const { lists } = await folder.start()
    folder.write('porn.txt', hosts(10))
    for (const text of [
      '',
      '[',
      'null',
      '[]',
      '{"porn.txt": null}',
      '{"porn.txt": {"sha256": 1}}',
    ]) {
      folder.write('state/lists/accepted.json', text)
      expect(await folder.reload(lists)).toHaveLength(1)
    }
  })

  it('are kept beside one another', async () => {
    const acceptance = { sha256: 'a', by: 'anna', atMs: 1 }
    expect(await acceptLocal(folder.state, 'a', acceptance)).toBe(null)
    expect(await acceptLocal(folder.state, 'b', acceptance)).toBe(null)
    const file = join(folder.state, 'lists', 'accepted.json')
    expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual({ a: acceptance, b: acceptance })
    rmSync(file)
  })
})

describe('exceptions', () => {
  it('of a list of exceptions free from its category alone', async () => {
    const list = 'lists: [{ file: free.txt, category: porn, exceptions: true }]\n'
    folder.write('sluss.yaml', SETTINGS + list)
    folder.write('free.txt', 'fine.bad.test\n')
    folder.write('racism.txt', 'bad.test\n')
    const { lists } = await folder.start()
    const found = ['bad.test', 'fine.bad.test'].map((host) => categoriesOf(lists, host))
    expect(found).toEqual([3, 2])
  })
})
