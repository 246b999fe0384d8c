/** What updates refuse, and what becomes of it. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { NETWORKS_MAX } from '../../src/lists/networks.ts'
import { plainSource } from '../../src/policy/source.ts'
import { codes, domains, Ground, sha256Of } from './update-office.ts'

const ground = new Ground()
beforeAll(() => ground.start())
afterAll(() => ground.close())

describe('guard rails', () => {
  /** A version that is refused; the old one stays until somebody accepts it. */
  const refused = (
    name: string,
    text: string | Buffer,
    expected: string[],
    then: 'accepted' | 'refused',
  ) =>
    test(name, async () => {
      const office = await ground.settled()
      const before = office.library.read('porn').current
      office.publish('porn', text)
      const { lists, changed, image } = await office.update()
      expect(lists).toMatchObject([{ status: 'refused', entriesBefore: 1_000 }])
      expect(codes(lists[0]!)).toEqual(expected)
      expect({ changed, image }).toEqual({ changed: false, image: null })
      const { current, pending } = office.library.read('porn')
      expect(current).toEqual(before)
      expect(pending).toMatchObject({ verdict: 'refused', sha256: sha256Of(text) })
      expect(pending!.refusals).toEqual(lists[0]!.refusals)
      const accepted = (await office.accept('porn')).lists[0]!
      expect(accepted.status).toBe(then)
      expect(office.catches('a7.example')).toBe(then === 'refused' || expected[0] !== 'empty')
      expect(office.library.read('porn').current!.accepted).toEqual(
        then === 'refused' ? null : { by: 'anna', atMs: expect.any(Number), refusals: expected },
      )
      expect(office.library.read('porn').pending === null).toBe(then === 'accepted')
    })

  refused('a fall', domains(600), ['fall'], 'accepted')
  refused('a growth', domains(2_500), ['growth'], 'accepted')
  refused('a canary', `${domains(1_000)}1177.se\n`, ['canary'], 'accepted')
  refused(
    'a fall with a canary',
    `${domains(20)}se.example\n1177.se\n`,
    ['fall', 'canary'],
    'accepted',
  )
  refused('nothing in it', '# moved\n', ['empty'], 'accepted')
  const junk = 'this is no domain\n'.repeat(500)
  refused('more junk than may be', `${domains(1_000)}${junk}`, ['does-not-build'], 'refused')

  test('the refused one is not downloaded again, and judged again by new limits', async () => {
    const office = await ground.settled()
    office.publish('porn', domains(600))
    await office.update()
    expect(ground.publisher.requests.at(-1)!.headers['if-none-match']).toBeDefined()
    const again = await office.update()
    expect(again.lists).toMatchObject([{ status: 'refused' }])
    expect(codes(again.lists[0]!)).toEqual(['fall'])
    const fetched = office.events.filter(({ kind }) => kind === 'fetch').length
    const [remote] = office.remotes.splice(0)
    office.list('porn', { ...remote, fallShare: 0.5 })
    expect((await office.update()).lists).toMatchObject([{ status: 'accepted', entriesAfter: 600 }])
    expect(office.events.filter(({ kind }) => kind === 'fetch').length).toBe(fetched)
  })

  test('a version that is taken back is forgotten', async () => {
    const office = await ground.settled()
    office.publish('porn', domains(600))
    await office.update()
    office.publish('porn', domains(1_000))
    expect((await office.update()).lists).toMatchObject([{ status: 'unchanged' }])
    expect(office.library.read('porn')).toMatchObject({ pending: null, problems: [] })
    expect(office.files('porn').filter((file) => file.endsWith('.list')).length).toBe(1)
  })

  test('one that is refused does not keep the others back', async () => {
    const office = await ground.settled()
    office.list('broken')
    office.list('fine')
    office.publish('porn', domains(100))
    office.publish('broken', gzipSync(domains(10)).subarray(0, 40))
    office.publish('fine', domains(50, 'f'))
    const { lists, image } = await office.update()
    expect(lists.map(({ list, status }) => [list, status])).toEqual([
      ['porn', 'refused'],
      ['broken', 'refused'],
      ['fine', 'accepted'],
    ])
    expect(office.builds).toBe(4)
    expect(image!.report.lists.map(({ name, domains }) => [name, domains])).toEqual([
      ['never-block', 1],
      ['porn', 1_000],
      ['fine', 50],
    ])
  })

  test('what was caught before is not newly caught', async () => {
    const office = await ground.settled()
    office.publish('porn', `${domains(1_000)}1177.se\n`)
    await office.update()
    await office.accept('porn')
    office.publish('porn', `${domains(1_010)}1177.se\n`)
    expect((await office.update()).lists).toMatchObject([{ status: 'accepted' }])
    // Also where no image says so: it was noted with the version.
    office.inForce = null
    office.publish('porn', `${domains(1_020)}1177.se\n`)
    expect((await office.update()).lists).toMatchObject([{ status: 'accepted' }])
    office.inForce = null
    office.publish('porn', domains(100))
    expect(codes((await office.update()).lists[0]!)).toEqual(['fall'])
  })

  test('an image that is behind is no measure', async () => {
    const office = await ground.settled()
    const { inForce } = office
    office.publish('porn', domains(2_000))
    await office.update()
    // Somebody else put the 2,000 in force, and this image still has the 1,000.
    office.inForce = inForce
    office.publish('porn', domains(1_100))
    const { lists } = await office.update()
    expect(lists).toMatchObject([{ status: 'refused', entriesBefore: 2_000, entriesAfter: 1_100 }])
  })

  test('a web page is no list', async () => {
    const office = await ground.settled()
    office.publish('porn', '<!doctype html><p>Sign in')
    const [outcome] = (await office.update()).lists
    expect(outcome).toMatchObject({ status: 'failed' })
    expect(outcome!.trouble!.what).toContain('a web page, not a list')
    expect(office.library.read('porn')).toMatchObject({
      current: { entries: 1_000 },
      pending: null,
    })
  })

  test('what is held waits for somebody, and nothing is built for nobody', async () => {
    const office = await ground.settled()
    office.publish('porn', domains(1_010))
    const { lists, changed, image } = await office.update({ hold: true })
    expect(lists).toMatchObject([{ status: 'held', entriesBefore: 1_000, entriesAfter: 1_010 }])
    expect({ changed, image }).toEqual({ changed: false, image: null })
    expect(office.library.read('porn').pending).toMatchObject({ verdict: 'held', refusals: [] })
    // That the server still has it takes it for nobody.
    expect((await office.update()).lists).toMatchObject([{ status: 'held' }])
    expect(office.catches('a1009.example')).toBe(false)
    expect((await office.accept('porn')).lists).toMatchObject([{ status: 'accepted' }])
    expect(office.catches('a1009.example')).toBe(true)
    expect((await office.accept('porn')).lists).toMatchObject([
      { status: 'failed', trouble: { what: 'no version of porn is waiting' } },
    ])
  })

  test('a version that came since somebody looked is not taken for the one seen', async () => {
    const office = await ground.settled()
    const [seen, other] = [domains(100), domains(90)].map(sha256Of)
    office.publish('porn', domains(100))
    await office.update()
    office.publish('porn', domains(90))
    await office.update()
    const { pending } = office.library.read('porn')
    await expect(office.accept('porn', seen!.slice(0, 12))).rejects.toThrow(
      `the version of porn that waits is ${other!.slice(0, 12)}, not ${seen!.slice(0, 12)} Look at it`,
    )
    expect(office.library.read('porn').pending).toEqual(pending)
    expect(office.catches('a999.example')).toBe(true)
    // Where more digits were written, the ones that differ are among those shown.
    const wrong = `${other!.slice(0, 63)}${other!.endsWith('0') ? 1 : 0}`
    await expect(office.accept('porn', wrong)).rejects.toThrow(`is ${other}, not ${wrong}`)
    expect((await office.accept('porn', other!.slice(0, 6))).lists).toMatchObject([
      { status: 'accepted' },
    ])
  })

  test('it is compared under the lock of updates', async () => {
    const office = await ground.settled()
    office.publish('porn', domains(100))
    await office.update()
    const lock = office.library.lock(0)
    if (!('release' in lock)) throw new Error('it is taken')
    await expect(office.accept('porn', 'abcdef')).rejects.toThrow('another update is under way')
    lock.release()
  })

  test('more than an image holds is refused, and what came with it is taken', async () => {
    const office = await ground.settled()
    office.list('racism')
    office.publish('porn', domains(1_010))
    const networks = Array.from({ length: NETWORKS_MAX + 1 }, (_, i) => {
      return `${11 + (i >> 16)}.${(i >> 8) & 255}.${i & 255}.0/24\n`
    })
    office.publish('racism', gzipSync(networks.join('')))
    const { lists, changed } = await office.update()
    expect(changed).toBe(true)
    expect(lists).toMatchObject([{ status: 'accepted' }, { status: 'refused' }])
    expect(codes(lists[1]!)).toEqual(['does-not-build'])
    expect(lists[1]!.refusals[0]!.what).toContain('networks of addresses')
  })

  test('a fault elsewhere keeps everything as it was, and nothing is lost', async () => {
    const office = await ground.settled()
    office.publish('porn', domains(1_010))
    const file = join(office.folder, 'missing.txt')
    const target = { kind: 'category' as const, bit: 1 }
    office.local.push(plainSource({ name: 'lists/missing.txt', target, file, entries: null }))
    const { lists, image } = await office.update()
    expect(image).toBeNull()
    expect(lists).toMatchObject([{ status: 'failed' }])
    expect(lists[0]!.trouble!.what).toContain('lists/missing.txt')
    expect(office.library.read('porn').pending).toMatchObject({ verdict: 'unjudged' })
    writeFileSync(file, 'example.org\n')
    expect((await office.update()).lists).toMatchObject([
      { status: 'accepted', entriesAfter: 1_010 },
    ])
  })
})
