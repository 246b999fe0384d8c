/**
 * Owns: lists that are fetched from a real server over HTTPS while the service runs, by a clock that the test
 * moves: what comes into force, what is refused, and what is said of it.
 * Never: asks how fetching meets a faulty server (lists/fetch.test.ts does).
 */
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { buildInThread } from '../../src/lists/builder.ts'
import { importFiles } from '../../src/lists/update.ts'
import { readConfiguration } from '../../src/service/configuration.ts'
import type { ListStatus } from '../../src/service/list-status.ts'
import { acceptLocal } from '../../src/service/local-lists.ts'
import { libraryIn, updateRules } from '../../src/service/remote-lists.ts'
import { ALLOWED, answers, change, list } from './stand/changing.ts'
import { ListServer } from './stand/list-server.ts'
import { until } from './stand/sluss.ts'
import { buildTown, type Town } from './stand/town.ts'
import { Tunnels } from './stand/tunnels.ts'

const HOUR_MS = 3_600_000
/** The first time a list is fetched within seconds of the start. */
const FIRST_MS = 60_000
/** By a little more than `every: 24h` with what chance adds. */
const NIGHT_MS = 27 * HOUR_MS
const REFUSED = ['HTTP/1.1 403 This site is refused: racism']

let server: ListServer
let town: Town
let nowMs = Date.now()

/** The settings that fetch `path` as a list of racism; `updates` are further keys of updates. */
const fetching = (path: string, updates = '') => `lists:
  - { name: remote, url: "${server.url(path)}", category: racism, licence: MIT }
updates: { certificates: ca.pem, retries: 0, idle: 5s${updates} }`

/** Moves the clock by so much, past an update, and waits until that has ended. */
async function pass(ms: number): Promise<void> {
  nowMs += ms
  await town.sluss.setTime(nowMs)
  await until('the update has ended', async () => (await statusOf('remote')).nextMs! > nowMs)
}

async function statusOf(name: string): Promise<ListStatus> {
  const { lists } = await town.sluss.status()
  const found = lists.each.find((one) => one.name === name)
  if (found === undefined) throw new Error(`there is no list ${name}`)
  return found
}

async function health(): Promise<{ status: number; alarms: string[] }> {
  const response = await fetch(`http://${town.sluss.portal}/health`)
  const { alarms } = (await response.json()) as { alarms: string[] }
  return { status: response.status, alarms }
}

/** `count` hosts beside those named. */
const many = (count: number, ...hosts: string[]) =>
  `${hosts.join('\n')}\n${Array.from({ length: count }, (_, i) => `host-${i}.test\n`).join('')}`

async function openTown(more: string, files: Record<string, string> = {}): Promise<void> {
  nowMs = Date.now()
  const { certificate } = server.certificate
  town = await buildTown({ more, atMs: nowMs, files: { 'ca.pem': certificate, ...files } })
}

describe('a list that is fetched', () => {
  let tunnels: Tunnels
  beforeAll(async () => {
    server = await ListServer.start()
    await openTown(fetching('/remote.txt'))
    tunnels = await Tunnels.open(town.sluss.port, 8, [`news.test:${town.echo.port}`])
  })
  afterAll(async () => {
    tunnels.close()
    await town.close()
    await server.close()
  })

  it('is missed until it has come, and the rest is in force', async () => {
    await pass(FIRST_MS)
    const remote = await statusOf('remote')
    const nothing = { state: 'never fetched', sha256: null, entries: 0 }
    expect(remote).toMatchObject({ category: 'racism', licence: 'MIT', ...nothing })
    expect(remote.why).toContain('404')
    const { status, alarms } = await health()
    expect([status, alarms]).toEqual([
      503,
      [expect.stringMatching(/^list remote has never been fetched: .* racism; .*404/)],
    ])
    expect(town.sluss.errors).toContain('remote has never been fetched')
    expect(await answers(town, 'hate.test')).toEqual(REFUSED)
    expect(await answers(town, 'news.test')).toEqual(ALLOWED)
  })

  it('comes into force as soon as it can be had', async () => {
    server.publish('/remote.txt', many(500, 'notbad.test'))
    await change(town, () => pass(HOUR_MS))
    const remote = await statusOf('remote')
    expect(remote).toMatchObject({ state: 'in force', why: '', entries: 501, pending: null })
    expect(remote.fetchedMs).toBeGreaterThanOrEqual(nowMs)
    expect(remote.nextMs! - nowMs).toBeGreaterThan(23 * HOUR_MS)
    expect(await health()).toEqual({ status: 200, alarms: [] })
    expect(await answers(town, 'notbad.test')).toEqual(REFUSED)
    expect(town.sluss.errors).toContain('"msg":"list remote: a new version is in force"')
  })

  it('is asked for each night, and changes nothing where it has not changed', async () => {
    const { policy } = await town.sluss.status()
    await pass(NIGHT_MS)
    expect(server.served.at(-1)!.status).toBe(304)
    await until('that is told', () => town.sluss.errors.includes('list remote: no new version'))
    expect((await statusOf('remote')).checkedMs).toBeGreaterThanOrEqual(nowMs)
    expect((await town.sluss.status()).policy).toBe(policy)
  })

  it('is new the night after it was published, with no build but one', async () => {
    const { sha256 } = await statusOf('remote')
    server.publish('/remote.txt', many(520, 'notbad.test', 'www.news.test'))
    await change(town, () => pass(NIGHT_MS))
    const remote = await statusOf('remote')
    expect(remote.sha256).not.toBe(sha256)
    expect(remote.entries).toBe(522)
    expect(await answers(town, 'www.news.test')).toEqual(REFUSED)
    expect(town.sluss.errors).toContain('"entries":522,"change":"+21"')
  })

  it('is refused where it would catch a host that is never blocked, and the old one stays', async () => {
    const before = await statusOf('remote')
    server.publish('/remote.txt', many(520, 'notbad.test', 'help.test'))
    await pass(NIGHT_MS)
    const remote = await statusOf('remote')
    expect(remote).toMatchObject({ state: 'pending', sha256: before.sha256 })
    expect(remote.why).toContain('help.test (by help.test, line 2)')
    expect(remote.why).toContain('./sluss lists accept remote')
    const { status, alarms } = await health()
    expect([status, alarms]).toEqual([503, [expect.stringContaining('help.test')]])
    expect(town.sluss.errors).toContain('list remote: the new version is refused')
    expect(await answers(town, 'www.news.test')).toEqual(REFUSED)
  })

  it('is refused where it has shrunk, and the old one stays', async () => {
    server.publish('/remote.txt', many(5))
    await pass(NIGHT_MS)
    const remote = await statusOf('remote')
    expect(remote).toMatchObject({ state: 'pending', entries: 522 })
    expect(remote.why).toContain('from 522 entries to 5')
    expect(await answers(town, 'www.news.test')).toEqual(REFUSED)
  })

  it('is taken again when it is as it should be, and all is well', async () => {
    server.publish('/remote.txt', many(530, 'notbad.test'))
    await change(town, () => pass(NIGHT_MS))
    expect(await statusOf('remote')).toMatchObject({ state: 'in force', entries: 531 })
    expect(await health()).toEqual({ status: 200, alarms: [] })
    expect(await answers(town, 'www.news.test')).toEqual(ALLOWED)
  })

  it('stays when it cannot be had; that is an alarm when it goes on', async () => {
    server.withdraw('/remote.txt')
    await pass(NIGHT_MS)
    expect(await statusOf('remote')).toMatchObject({ state: 'failed', entries: 531 })
    expect((await health()).status).toBe(200)
    await pass(NIGHT_MS)
    await pass(NIGHT_MS)
    const { status, alarms } = await health()
    expect([status, alarms]).toEqual([503, [expect.stringContaining('3 times in a row')]])
    expect(await answers(town, 'notbad.test')).toEqual(REFUSED)
  })

  it('is put in force at once where another process imports it', async () => {
    const { sluss } = town
    sluss.write('imported.txt', many(500, 'xn--bcher-kva.test'))
    const read = readConfiguration({
      file: sluss.config,
      overrides: [],
      nowMs,
      state: sluss.state,
    })
    if (!read.ok) throw new Error(JSON.stringify(read.problems))
    const [remote] = read.remotes
    await change(town, async () => {
      const result = await importFiles([{ remote: remote!, file: sluss.path('imported.txt') }], {
        library: libraryIn(sluss.state),
        rules: updateRules(read.settings),
        version: '0',
        inForce: null,
        sources: read.sourcesWith,
        build: (sources) => buildInThread(sources),
        nowMs: () => nowMs,
      })
      expect(result).toMatchObject({ kind: 'done', changed: true })
    })
    expect((await statusOf('remote')).source).toContain('imported.txt')
    expect(await answers(town, 'xn--bcher-kva.test')).toEqual(REFUSED)
    expect(await answers(town, 'notbad.test')).toEqual(ALLOWED)
  })

  it('has closed no tunnel on its way', async () => {
    await tunnels.move()
    expect(tunnels.faults).toEqual([])
    tunnels.close()
  })

  it('is loaded, not built, at the next start', async () => {
    await until('the image is saved', async () => {
      // The last change is saved when a start by it needs no build.
      await town.sluss.stop()
      await town.sluss.start({ atMs: nowMs })
      return (await town.sluss.status()).lists.source === 'loaded'
    })
    expect(await answers(town, 'xn--bcher-kva.test')).toEqual(REFUSED)
  })
})

describe('updates.hold', () => {
  beforeAll(async () => {
    server = await ListServer.start()
    server.publish('/remote.txt', many(10, 'notbad.test'))
    await openTown(fetching('/remote.txt', ', hold: true'))
  })
  afterAll(async () => {
    await town.close()
    await server.close()
  })

  it('lets what has come wait for somebody to take it', async () => {
    await pass(FIRST_MS)
    const remote = await statusOf('remote')
    expect(remote).toMatchObject({ state: 'pending', sha256: null })
    expect(remote.why).toContain('./sluss lists accept remote')
    expect((await health()).alarms).toEqual([expect.stringContaining('nothing of it is in force')])
    expect(await answers(town, 'notbad.test')).toEqual(ALLOWED)
  })
})

describe('the password of updates.proxy', () => {
  beforeAll(async () => {
    server = await ListServer.start()
    await openTown(fetching('/remote.txt', ', proxy: "http://anna:s3cret@127.0.0.1:9"'))
  })
  afterAll(async () => {
    await town.close()
    await server.close()
  })

  it('is told nowhere', async () => {
    await pass(FIRST_MS)
    await until('it has failed', () => town.sluss.errors.includes('"msg":"list remote: '))
    const said = await Promise.all([
      town.sluss.run('status', '--json'),
      town.sluss.run('check', '--json'),
      town.sluss.run('check'),
    ])
    const all = [town.sluss.errors, JSON.stringify(await health()), JSON.stringify(said)].join()
    expect(all).toContain('never been fetched')
    expect(all).not.toContain('s3cret')
  })
})

describe('a large list that lies here', () => {
  beforeAll(async () => {
    server = await ListServer.start()
    await openTown('', { 'lists/racism.txt': many(2_000, 'hate.test') })
  })
  afterAll(async () => {
    await town.close()
    await server.close()
  })

  it('is not taken when it has shrunk, and is within a second of being accepted', async () => {
    const { sluss } = town
    sluss.write('lists/racism.txt', list('notbad.test'))
    const name = 'lists/racism.txt'
    await until('it waits', async () => (await statusOf(name)).state === 'pending')
    const { pending, why } = await statusOf(name)
    expect(why).toContain('./sluss lists accept lists/racism.txt')
    expect((await sluss.status()).loaded.outcome).toBe('refused')
    expect(await answers(town, 'hate.test')).toEqual(REFUSED)
    const acceptance = { sha256: pending!.sha256, by: 'anna', atMs: nowMs }
    await change(town, async () => {
      expect(await acceptLocal(sluss.state, 'lists/racism.txt', acceptance)).toBe(null)
    })
    expect(await statusOf('lists/racism.txt')).toMatchObject({ state: 'in force', entries: 1 })
    expect(await answers(town, 'hate.test')).toEqual(ALLOWED)
    expect(await answers(town, 'notbad.test')).toEqual(REFUSED)
  })

  it('that is gone at the next start is replaced by what the last run had, with an alarm', async () => {
    const { sluss } = town
    await sluss.stop()
    sluss.write('lists/racism.txt', 'a b c d\n'.repeat(50))
    await sluss.start({ atMs: nowMs })
    expect(await answers(town, 'notbad.test')).toEqual(REFUSED)
    const { status, alarms } = await health()
    expect([status, alarms]).toEqual([
      503,
      [expect.stringContaining(join('config', 'lists', 'racism.txt'))],
    ])
    expect((await sluss.status()).loaded.outcome).toBe('refused')
    await change(town, () => sluss.write('lists/racism.txt', list('hate.test')))
    expect(await health()).toEqual({ status: 200, alarms: [] })
    expect(await answers(town, 'hate.test')).toEqual(REFUSED)
    expect(await answers(town, 'notbad.test')).toEqual(ALLOWED)
  })
})
