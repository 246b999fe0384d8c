/** Kills, bugs, damage, and two at once: what an update must survive. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { appendFileSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type UpdateContext, type UpdateResult, updateLists } from '../../src/lists/update.ts'
import { codes, domains, Ground, Office, sha256Of } from './update-office.ts'

const ground = new Ground()
beforeAll(() => ground.start())
afterAll(() => ground.close())

describe('what happens beside it', () => {
  test('two updates at once: the second is told of the first', async () => {
    const office = await ground.settled()
    let second: UpdateResult | null = null
    const { lists } = await office.update({
      build: async () => {
        throw new Error('nothing to build')
      },
      sources: () => [],
      onProgress: () => {},
      resolve: async () => {
        second = await updateLists(office.remotes, office.context())
        return ['127.0.0.1']
      },
    })
    expect(lists).toMatchObject([{ status: 'unchanged' }])
    expect(second).toMatchObject({ kind: 'busy', hint: expect.stringContaining('Wait') })
    expect(second!).toHaveProperty(
      'what',
      expect.stringContaining(`process ${process.pid} since 19`),
    )
    expect((await office.update()).lists).toMatchObject([{ status: 'unchanged' }])
  })

  test('an error in the work lets the lock go', async () => {
    const office = await ground.settled()
    office.publish('porn', domains(1_010))
    const bug = new Error('a bug')
    await expect(office.update({ build: () => Promise.reject(bug) })).rejects.toBe(bug)
    expect((await office.update()).lists).toMatchObject([{ status: 'accepted' }])
  })

  test('the image may be saved before anybody sees that a version has changed', async () => {
    const office = await ground.settled()
    office.publish('porn', domains(1_010))
    const seen: (number | undefined)[][] = []
    const beforeCommit: UpdateContext['beforeCommit'] = async ({ report }) => {
      seen.push([report.lists.at(-1)?.domains, office.library.read('porn').current?.entries])
    }
    await office.update({ hold: true, beforeCommit })
    expect(seen).toEqual([])
    office.publish('porn', domains(1_020))
    const full = Object.assign(new Error('no room'), { code: 'ENOSPC', syscall: 'write' })
    const failing = { ...office.context(), beforeCommit: () => Promise.reject(full) }
    expect(await updateLists(office.remotes, failing)).toMatchObject({
      ...{ kind: 'failed', what: expect.stringContaining('the disk is full') },
    })
    expect(office.library.read('porn').current!.entries).toBe(1_000)
    expect((await office.update({ beforeCommit })).lists).toMatchObject([{ status: 'accepted' }])
    expect(seen).toEqual([[1_020, 1_000]])
  })

  test('a kill between download and commit leaves the old version, and loses nothing', async () => {
    const office = await ground.settled()
    office.publish('porn', domains(1_010))
    const before = office.library.read('porn').current
    // A process of its own fetches, and is killed when it is about to build.
    const context = office.context()
    const work = {
      folder: join(office.folder, 'lists', 'sources'),
      remotes: office.remotes,
      rules: context.rules,
    }
    const script = `
      import { Library } from ${source('library')}
      import { updateLists } from ${source('update')}
      const { folder, remotes, rules } = JSON.parse(process.env.WORK)
      await updateLists(remotes, {
        library: new Library(folder), rules, version: '1', inForce: null, sources: () => [],
        resolve: async () => ['127.0.0.1'],
        build: () => { console.log('building'); return new Promise(() => setInterval(() => {}, 1000)) },
      })`
    const child = spawn(process.execPath, ['--input-type=module-typescript', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, WORK: JSON.stringify(work) },
    })
    await once(child.stdout, 'data')
    expect(await updateLists(office.remotes, office.context())).toMatchObject({ kind: 'busy' })
    child.kill('SIGKILL')
    await once(child, 'exit')
    expect(office.library.read('porn').current).toEqual(before)
    office.events.length = 0
    expect((await office.update()).lists).toMatchObject([
      { status: 'accepted', entriesAfter: 1_010 },
    ])
    expect(office.events.filter(({ kind }) => kind === 'fetch')).toEqual([])
  })

  test('a broken current.json is healed, and the list is judged by the image in force', async () => {
    const office = await ground.settled()
    writeFileSync(join(office.library.folderOf('porn'), 'current.json'), '{"how":')
    office.publish('porn', domains(100))
    expect(codes((await office.update()).lists[0]!)).toEqual(['fall'])
    office.publish('porn', domains(1_000))
    expect((await office.update()).lists).toMatchObject([{ status: 'accepted' }])
    expect(office.library.read('porn').problems).toEqual([])
  })

  test('a list file that is gone comes again, though the server has no news', async () => {
    const office = await ground.settled()
    rmSync(office.library.fileOf('porn', { sha256: sha256Of(domains(1_000)) }))
    expect((await office.update()).lists).toMatchObject([{ status: 'accepted' }])
    expect(office.library.read('porn').problems).toEqual([])
  })

  test('a pending file that was changed is never put in force', async () => {
    const office = await ground.settled()
    office.publish('porn', domains(1_010))
    await office.update({ hold: true })
    const { pending } = office.library.read('porn')
    const file = office.library.fileOf('porn', pending!)
    const text = readFileSync(file, 'utf8')
    writeFileSync(file, text.replace('a7.example', 'b7.example'))
    const [outcome] = (await office.accept('porn')).lists
    expect(codes(outcome!)).toEqual(['damaged'])
    expect(office.library.read('porn')).toMatchObject({
      current: { entries: 1_000 },
      pending: null,
    })
    expect(existsSync(file)).toBe(false)
    expect((await office.update()).lists).toMatchObject([
      { status: 'accepted', entriesAfter: 1_010 },
    ])
    appendFileSync(file, 'c.example\n')
    expect(office.library.read('porn').problems[0]!.what).toContain('bytes, not')
  })

  test('a URL that has changed is another file, whatever its ETag', async () => {
    const office = await ground.settled()
    const [remote] = office.remotes.splice(0)
    office.list('porn', { ...remote, url: `${remote!.url}2` })
    office.publish('porn2', domains(1_020))
    await office.update()
    expect(ground.publisher.requests.at(-1)!.headers['if-none-match']).toBeUndefined()
    expect(office.library.read('porn').current!.url).toBe(`${remote!.url}2`)
  })

  test('a folder that may not be written is said, not thrown', async () => {
    const office = new Office(ground)
    office.list('porn')
    writeFileSync(join(office.folder, 'lists'), 'a file in the way')
    expect(await updateLists(office.remotes, office.context())).toMatchObject({
      ...{ kind: 'failed', what: expect.stringContaining('the folder of the lists') },
      hint: expect.stringMatching(/\.$/),
    })
  })

  test('authorities that cannot be read are said once', async () => {
    const office = await ground.settled()
    const context = office.context()
    const rules = { ...context.rules, certificates: join(office.folder, 'none.pem') }
    expect(await updateLists(office.remotes, { ...context, rules })).toMatchObject({
      kind: 'failed',
      what: expect.stringContaining('updates.certificates'),
    })
  })
})

function source(name: string): string {
  return JSON.stringify(join(import.meta.dirname, `../../src/lists/${name}.ts`))
}
