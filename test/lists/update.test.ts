/** Updates from end to end: a real server, real files, the real builder. */
import { createHash } from 'node:crypto'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { buildInThread } from '../../src/lists/builder.ts'
import type { RemoteList } from '../../src/lists/remote.ts'
import type { UpdateContext } from '../../src/lists/update.ts'
import { codes, domains, Ground, Office, sha256Of } from './update-office.ts'

const ground = new Ground()
beforeAll(() => ground.start())
afterAll(() => ground.close())

describe('an update', () => {
  test('fetches, builds once, and puts in force', async () => {
    const office = new Office(ground)
    office.list('porn')
    office.list('more', { licence: 'CC0' })
    office.publish('porn', domains(200))
    office.publish('more', gzipSync(`${domains(300, 'b')}not a domain\n`))
    const { lists, changed, image } = await office.update()
    expect(lists).toMatchObject([
      {
        ...{ list: 'porn', status: 'accepted', trouble: null, refusals: [], entriesBefore: null },
        ...{ entriesAfter: 200, used: 200, rejected: 0 },
        version: { how: 'fetched', sha256: sha256Of(domains(200)), bytes: domains(200).length },
        durationMs: expect.any(Number),
      },
      { list: 'more', status: 'accepted', entriesAfter: 300, rejected: 1 },
    ])
    expect(changed).toBe(true)
    expect(office.builds).toBe(1)
    expect(office.catches('www.a7.example')).toBe(true)
    expect(office.catches('b7.example')).toBe(true)
    expect(image!.report.lists.at(-1)!.provenance).toMatchObject({
      ...{ source: ground.publisher.url(office.path('more')), licence: 'CC0' },
      fetchedMs: expect.any(Number),
    })
    const sha256 = sha256Of(domains(200))
    expect(office.files('porn')).toEqual([`${sha256}.list`, 'attempts.json', 'current.json'])
    expect(office.library.read('porn')).toMatchObject({
      current: { sha256, entries: 200, accepted: null, caught: [] },
      ...{ pending: null, attempts: { failures: 0, problem: null }, problems: [] },
    })
  })

  test('says how far it is: bytes, then lines, then names', async () => {
    const office = await ground.settled()
    const fetches = office.events.filter(({ kind }) => kind === 'fetch')
    const bytes = domains(1_000).length
    expect(fetches.at(-1)).toEqual({ kind: 'fetch', list: 'porn', done: bytes, total: bytes })
    const builds = office.events.filter(({ kind }) => kind === 'build')
    expect(builds.at(-1)).toMatchObject({ kind: 'build', phase: 'build' })
  })

  test('without news builds nothing', async () => {
    const office = await ground.settled()
    const before = office.library.read('porn').current!
    const { lists, changed, image } = await office.update()
    expect(lists).toMatchObject([
      { status: 'unchanged', entriesBefore: 1_000, entriesAfter: 1_000 },
    ])
    expect({ changed, image, builds: office.builds }).toEqual({
      ...{ changed: false, image: null, builds: 1 },
    })
    const after = office.library.read('porn').current!
    expect(after.checkedMs).toBeGreaterThan(before.checkedMs)
    expect({ ...after, checkedMs: 0 }).toEqual({ ...before, checkedMs: 0 })
  })

  test('from a server without ETags: the same bytes are no news either', async () => {
    const office = new Office(ground)
    office.list('porn')
    ground.publisher.answer(office.path('porn'), (_, response) => response.end(domains(10)))
    await office.update()
    expect((await office.update()).lists).toMatchObject([{ status: 'unchanged' }])
    expect(office.builds).toBe(1)
  })

  test('with news puts the new version in force; the old file goes at the next', async () => {
    const office = await ground.settled()
    const [old, fresh] = [`${sha256Of(domains(1_000))}.list`, `${sha256Of(domains(1_100))}.list`]
    office.publish('porn', domains(1_100))
    expect((await office.update()).lists).toMatchObject([
      { status: 'accepted', entriesAfter: 1_100 },
    ])
    expect(office.catches('a1099.example')).toBe(true)
    expect(office.files('porn')).toEqual(expect.arrayContaining([old, fresh]))
    await office.update()
    expect(office.files('porn')).toEqual([fresh, 'attempts.json', 'current.json'])
  })

  test('that fails for one list is made for the others, and is remembered', async () => {
    const office = await ground.settled()
    office.list('gone')
    office.publish('porn', domains(1_050))
    const { lists } = await office.update()
    expect(lists).toMatchObject([
      { list: 'porn', status: 'accepted' },
      { list: 'gone', status: 'failed', trouble: { what: expect.stringContaining('404') } },
    ])
    await office.update()
    expect(office.library.read('gone').attempts).toMatchObject({
      ...{ failures: 2, notBeforeMs: null },
      problem: { what: expect.stringContaining('404'), hint: expect.stringContaining('URL') },
    })
    office.publish('gone', domains(5, 'g'))
    await office.update()
    expect(office.library.read('gone').attempts).toMatchObject({ failures: 0, problem: null })
  })

  test('remembers when the server wants to be asked again', async () => {
    const office = await ground.settled()
    ground.publisher.answer(office.path('porn'), (_, response) => {
      response.writeHead(503, { 'Retry-After': '3600' }).end()
    })
    await office.update()
    const { attempts } = office.library.read('porn')
    expect(attempts!.notBeforeMs! - attempts!.lastAttemptMs).toBe(3_600_000)
    expect(office.catches('a7.example')).toBe(true)
  })

  test('that is stopped leaves everything as it was, and blames nobody', async () => {
    const office = await ground.settled()
    const controller = new AbortController()
    ground.publisher.answer(office.path('porn'), () => controller.abort())
    const { lists } = await office.update({ signal: controller.signal })
    expect(lists).toMatchObject([{ status: 'failed', version: null }])
    expect(lists[0]!.trouble!.what).toContain('stopped')
    expect(office.library.read('porn').attempts!.failures).toBe(0)
  })

  test('that is stopped while the thread builds keeps what it has fetched', async () => {
    const office = await ground.settled()
    const before = office.library.read('porn').current
    office.publish('porn', domains(1_010))
    const controller = new AbortController()
    const { signal } = controller
    const { lists } = await office.update({
      signal,
      build: (sources) => {
        const building = buildInThread(sources, { signal })
        controller.abort()
        return building
      },
    })
    expect(lists).toMatchObject([{ status: 'failed' }])
    expect(lists[0]!.trouble!.what).toContain('the build was stopped before it was done')
    expect(office.library.read('porn')).toMatchObject({
      current: before,
      pending: { verdict: 'unjudged', sha256: sha256Of(domains(1_010)) },
    })
    const build: UpdateContext['build'] = (sources, onProgress) =>
      buildInThread(sources, { onProgress })
    expect((await office.update({ build })).lists).toMatchObject([{ status: 'accepted' }])
    expect(office.catches('a1009.example')).toBe(true)
  })
})

describe('checksums', () => {
  const withChecksum = async (text: (list: string) => string) => {
    const office = new Office(ground)
    const path = `${office.folder}/sums`
    office.list('porn', { checksum: ground.publisher.url(path) })
    office.publish('porn', domains(10))
    ground.publisher.publish(path, text(domains(10)))
    return (await office.update()).lists[0]!
  }
  const md5 = (text: string) => createHash('md5').update(text).digest('hex')
  const sha512 = (text: string) => createHash('sha512').update(text).digest('hex')
  for (const [name, text] of [
    ['sha256', (list: string) => `${sha256Of(list)}  porn\n${sha256Of('x')}  other\n`],
    ['sha512', (list: string) => sha512(list)],
    ['md5', (list: string) => `MD5 (porn) = ${md5(list)}\n`],
  ] as const) {
    test(`${name} that is right`, async () => {
      expect(await withChecksum(text)).toMatchObject({ status: 'accepted' })
    })
    test(`${name} that is wrong`, async () => {
      const outcome = await withChecksum((list) => text(`${list}.`))
      expect(outcome).toMatchObject({ status: 'failed', version: null })
      expect(outcome.trouble!.what).toContain(`its ${name} is`)
    })
  }
  test('none for this file', async () => {
    const outcome = await withChecksum(() => `${md5('a')}  a\n${md5('b')}  b\n`)
    expect(outcome.trouble!.what).toContain('holds no checksum of porn')
  })
  test('a file of checksums that is not there', async () => {
    const office = new Office(ground)
    office.list('porn', { checksum: ground.publisher.url('/no/sums') })
    office.publish('porn', domains(10))
    const [outcome] = (await office.update()).lists
    expect(outcome).toMatchObject({ status: 'failed' })
    expect(outcome!.trouble!.what).toMatch(/^its checksum: .*404/)
    expect(office.files('porn')).toEqual(['attempts.json'])
  })

  describe('of a list that ends where the connection ends', () => {
    const updated = async (rest: (text: string) => Partial<RemoteList>, sent = domains(10)) => {
      const office = new Office(ground)
      const sums = `${office.folder}/sums`
      ground.publisher.publishOpen(sums, `${sha256Of(domains(10))}  porn\n`)
      office.list('porn', rest(ground.publisher.url(sums)))
      ground.publisher.publishOpen(office.path('porn'), sent)
      return (await office.update()).lists[0]!
    }
    const pinned = () => ({ sha256: sha256Of(domains(10)) })
    test('none: it is not taken', async () => {
      const { status, trouble } = await updated(() => ({}))
      expect([status, trouble]).toEqual([
        'failed',
        {
          what: expect.stringContaining('does not say where the list ends'),
          hint: expect.stringContaining('`checksum` or `sha256`'),
        },
      ])
    })
    test('published, or in the settings: whole it is taken, cut it is not', async () => {
      for (const rest of [(checksum: string) => ({ checksum }), pinned]) {
        expect(await updated(rest)).toMatchObject({ status: 'accepted' })
        const { status, trouble } = await updated(rest, domains(9))
        expect([status, trouble!.what]).toEqual(['failed', expect.stringContaining('sha256 is')])
      }
    })
  })

  test('what the settings pin is the only content that is taken', async () => {
    const office = await ground.settled({ sha256: sha256Of(domains(1_000)) })
    office.publish('porn', domains(1_001))
    const [outcome] = (await office.update()).lists
    expect(outcome!.trouble!.what).toContain(`its sha256 is ${sha256Of(domains(1_001))}`)
    expect(office.library.read('porn').current!.entries).toBe(1_000)
    const [remote] = office.remotes.splice(0)
    office.list('porn', { ...remote, sha256: sha256Of(domains(1_001)) })
    // Also where the server has no news: what is in force is not what the settings say.
    office.publish('porn', domains(1_000))
    expect((await office.update()).lists).toMatchObject([{ status: 'failed' }])
    office.publish('porn', domains(1_001))
    expect((await office.update()).lists).toMatchObject([{ status: 'accepted' }])
  })
})

describe('an import', () => {
  test('of a file goes the same way, and the file may go', async () => {
    const office = new Office(ground)
    const remote = office.list('porn')
    const file = join(office.folder, 'porn.txt.gz')
    writeFileSync(file, gzipSync(domains(1_000)))
    expect(await office.import(remote, file)).toMatchObject({
      status: 'accepted',
      entriesAfter: 1_000,
    })
    rmSync(file)
    expect(office.catches('a7.example')).toBe(true)
    expect(office.library.read('porn').current).toMatchObject({ how: 'imported', file, url: null })
    expect(office.inForce!.lists.at(-1)!.provenance.source).toBe(file)
    writeFileSync(file, gzipSync(domains(10)))
    expect(codes(await office.import(remote, file))).toEqual(['fall'])
    writeFileSync(file, gzipSync(domains(1_000)))
    expect(await office.import(remote, file)).toMatchObject({ status: 'unchanged' })
  })

  test('the server is asked about what was imported once it has sent the same', async () => {
    const office = new Office(ground)
    const remote = office.list('porn')
    const file = join(office.folder, 'porn.txt')
    writeFileSync(file, domains(20))
    await office.import(remote, file)
    office.publish('porn', domains(20))
    expect((await office.update()).lists).toMatchObject([{ status: 'unchanged' }])
    expect((await office.update()).lists).toMatchObject([{ status: 'unchanged' }])
    expect(ground.publisher.requests.at(-1)!.headers['if-none-match']).toBeDefined()
  })

  test('one that fails says that the version before is in force', async () => {
    const office = new Office(ground)
    const remote = office.list('porn')
    const file = join(office.folder, 'porn.txt')
    writeFileSync(file, domains(20))
    await office.import(remote, file)
    const outcome = await office.import(remote, `${file}.gone`)
    expect(outcome).toMatchObject({ status: 'failed', entriesBefore: 20 })
  })

  const fails = (
    name: string,
    make: (file: string) => void,
    what: string,
    rest: Partial<RemoteList> = {},
  ) =>
    test(name, async () => {
      const office = new Office(ground)
      const file = join(office.folder, 'file')
      make(file)
      const outcome = await office.import(office.list('porn', rest), file)
      expect(outcome).toMatchObject({ status: 'failed', version: null })
      expect(outcome.trouble!.what).toContain(what)
      expect(office.files('porn')).toEqual([])
    })
  fails('a file that is not there', () => {}, 'there is no such file')
  fails('a folder', (file) => mkdirSync(file), 'is no file')
  fails('a web page', (file) => writeFileSync(file, '<html>'), 'is a web page')
  fails(
    'a file without measure',
    (file) => writeFileSync(file, domains(900_000)),
    'more than 10000000',
  )
  fails(
    'another file than the settings pin',
    (file) => writeFileSync(file, 'a.example\n'),
    'sha256',
    {
      sha256: sha256Of('b.example\n'),
    },
  )
})
