/**
 * Owns: `./sluss lists` as people use it: real commands, a real publisher of lists over HTTPS, and a real
 * service that meanwhile decides requests.
 * Never: asks what each word means (test/cli/lists.test.ts), or how fetching meets a faulty server.
 */
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { libraryIn } from '../../src/service/remote-lists.ts'
import { ALLOWED, answers } from './stand/changing.ts'
import { done, json, run } from './stand/commands.ts'
import { ListServer } from './stand/list-server.ts'
import { LAUNCHER, type Output, until } from './stand/sluss.ts'
import { buildTown, FROM, type Town } from './stand/town.ts'

const REFUSED = ['HTTP/1.1 403 This site is refused: racism']
/** `count` hosts beside those named. */
const many = (count: number, ...hosts: string[]) =>
  `${hosts.join('\n')}\n${Array.from({ length: count }, (_, i) => `host-${i}.test\n`).join('')}`
const versionOf = (text: string) => createHash('sha256').update(text).digest('hex').slice(0, 12)

const FIRST = many(500, 'gram.test', 'no host')
const SHRUNKEN = many(5, 'notbad.test', 'www.news.test')

let server: ListServer
let town: Town
/** A publisher that never answers, and how often it was asked. */
let silent: Server
let asked = 0

const remote = () =>
  `{ name: remote, url: "${server.url('/remote.txt')}", category: racism, licence: MIT }`
const settings = (...lists: string[]) =>
  `lists: [${lists.join(', ')}]\nupdates: { certificates: ca.pem, retries: 0, idle: 60s }`

beforeAll(async () => {
  server = await ListServer.start()
  server.publish('/remote.txt', FIRST)
  const { certificate, key } = server.certificate
  silent = createServer({ key, cert: certificate }, () => {
    asked++
  })
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
  const { port } = silent.address() as AddressInfo
  const mute = `{ name: mute, url: "https://localhost:${port}/mute.txt", category: racism }`
  const more = settings(remote(), mute)
  town = await buildTown({ more, files: { 'ca.pem': certificate }, start: false })
})
afterAll(async () => {
  await town.close()
  await server.close()
  silent.closeAllConnections()
  silent.close()
})

/** What lies in the folder of the list. */
const filesOf = (name: string) => readdirSync(join(town.sluss.state, 'lists', 'sources', name))

describe('where no service runs', () => {
  it('update fetches, builds and judges, and tells how far it is in plain lines', async () => {
    const { code, stdout, stderr } = await run(town, 'lists', 'update', 'remote')
    expect([code, stdout]).toEqual([
      0,
      expect.stringMatching(/^remote +new version +[0-9a-f]{12} +501 entries +1 line rejected\n/),
    ])
    expect(stdout).toContain('no service runs here: in force at the next start')
    expect(stderr).toMatch(/^remote: fetching: [\d.]+ KiB$/m)
    expect(stderr).toMatch(/^building: 100 % \(\d+ of \d+ names\)$/m)
  })

  it('Ctrl-C ends it in one line, and nothing is left behind', async () => {
    const { sluss } = town
    const words = ['--config', sluss.config, '--state', sluss.state, 'lists', 'update', 'mute']
    const child = spawn(LAUNCHER, words, { stdio: ['ignore', 'pipe', 'pipe'] })
    let stderr = ''
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text
    })
    const ended = new Promise<number | null>((resolve) => child.once('close', resolve))
    await until('the publisher is asked', () => asked > 0)
    child.kill('SIGINT')
    expect([await ended, stderr]).toEqual([
      130,
      'sluss: stopped; the lists are in force as they were\n',
    ])
    expect(filesOf('mute')).toEqual([])
  })

  it('of two at once the second is told who works', async () => {
    const lock = libraryIn(town.sluss.state).lock(Date.now())
    if (!('release' in lock)) throw new Error('it is taken')
    const { code, stderr } = await run(town, 'lists', 'update', 'remote')
    lock.release()
    expect([code, stderr]).toEqual([
      1,
      expect.stringContaining(`another update is under way, in process ${process.pid} since`),
    ])
  })

  it('status tells how the lists were left', async () => {
    const { code, stdout } = await run(town, 'lists', 'status')
    expect(code).toBe(1)
    expect(stdout).toMatch(/^remote +racism +in force +501 +1 /m)
    expect(stdout).toMatch(/^mute +racism +never fetched +0 /m)
    expect(stdout).toMatch(/^ +remote +1 .*line 2: no host$/m)
    expect(stdout).toContain('no service runs here')
  })
})

describe('beside a running service', () => {
  beforeAll(async () => {
    town.rewrite({ more: settings(remote()) })
    const output = await run(town, 'lists', 'update', '--json')
    expect(json(output)).toMatchObject({ lists: [{ list: 'remote', status: 'unchanged' }] })
    await town.sluss.start()
    expect(await answers(town, 'gram.test')).toEqual(REFUSED)
    expect(await answers(town, 'notbad.test')).toEqual(ALLOWED)
    expect(await answers(town, 'www.news.test')).toEqual(ALLOWED)
  })

  it('the service has loaded what the command had built', async () => {
    expect((await town.sluss.status()).lists.source).toBe('loaded')
  })

  it('a version that has shrunk is refused, and the old one stays', async () => {
    server.publish('/remote.txt', SHRUNKEN)
    const { code, stdout } = await run(town, 'lists', 'update')
    expect(code).toBe(1)
    expect(stdout).toMatch(
      /^remote +REFUSED, the one in force stays +[0-9a-f]{12} +501 → 7 entries$/m,
    )
    expect(stdout).toContain('it falls from 501 entries to 7')
    expect(stdout).toContain('./sluss lists accept remote')
    expect(await answers(town, 'notbad.test')).toEqual(ALLOWED)
  })

  it('status says so, of the lists and of the whole', async () => {
    const lists = await run(town, 'lists', 'status')
    expect(lists.code).toBe(1)
    expect(lists.stdout).toMatch(/^remote +racism +newer waits +501 /m)
    expect(lists.stdout.match(/it falls from/g)).toHaveLength(1)
    const { stdout } = await run(town, 'status')
    expect(stdout).toMatch(/^ +look at +remote \(pending\): \.\/sluss lists status$/m)
    expect(stdout).toMatch(/^lists +\d+ domains in 5 lists and the platforms$/m)
  })

  it('diff tells which hosts of the log it would catch and free, and never who asked', async () => {
    // Each of `answers` is eight requests.
    await until('all are in the log', () => town.sluss.ended('verdict = ?', 'allow').length === 24)
    const { code, stdout } = await run(town, 'lists', 'diff', '--limit', '4')
    expect(code).toBe(0)
    expect(stdout).toMatch(
      new RegExp(`^remote +${versionOf(FIRST)} → ${versionOf(SHRUNKEN)} +501 → 7 entries$`, 'm'),
    )
    expect(stdout).toContain('in the last 30 days, 3 would change')
    expect(stdout).toMatch(
      /^ +\+racism +notbad\.test +16 requests +notbad\.test in remote, line 1 /m,
    )
    expect(stdout).toMatch(/^ +\+racism +www\.news\.test +8 requests +www\.news\.test in remote, /m)
    expect(stdout).toMatch(/^ +-racism +gram\.test +8 requests +gram\.test in remote, line 1 /m)
    expect(stdout).toContain('in all: 2 names newly caught, 496 freed (6 shown; more: --limit)')
    const told = json(await run(town, 'lists', 'diff', '--json')) as { hosts: object[] }
    expect(told.hosts[0]).toEqual({
      ...{ host: 'notbad.test', caught: ['racism'], freed: [], neverBlock: false, requests: 16 },
      by: {
        ...{ domain: 'notbad.test', list: 'remote', line: 1, frees: false },
        version: createHash('sha256').update(SHRUNKEN).digest('hex'),
      },
    })
    for (const asker of [FROM.local, 'local']) {
      expect(`${stdout}${JSON.stringify(told)}`).not.toContain(asker)
    }
  })

  it('accept of another version than the one that waits: the answer is no', async () => {
    const { code, stderr } = await run(town, 'lists', 'accept', 'remote', versionOf(FIRST))
    const told = `is ${versionOf(SHRUNKEN)}, not ${versionOf(FIRST)}`
    expect([code, stderr]).toEqual([
      1,
      expect.stringContaining(`the version of remote that waits ${told}\n  Look at it first`),
    ])
    expect(await answers(town, 'notbad.test')).toEqual(ALLOWED)
  })

  it('accept takes what diff told of, and the service has it without building', async () => {
    const diff = await run(town, 'lists', 'diff', 'remote')
    const take = `to take it: ./sluss lists accept remote ${versionOf(SHRUNKEN)}`
    expect(diff.stdout.trimEnd().split('\n').at(-1)).toBe(take)
    const words = ['lists', 'accept', 'remote', versionOf(SHRUNKEN)]
    const { code, stdout } = await run(town, ...words)
    expect([code, stdout]).toEqual([0, expect.stringMatching(/\nit is in force\n$/)])
    expect(await answers(town, 'notbad.test')).toEqual(REFUSED)
    expect(await answers(town, 'gram.test')).not.toEqual(REFUSED)
    expect((await town.sluss.status()).lists).toMatchObject({ source: 'loaded' })
    expect(town.sluss.errors).not.toContain('building the lists')
    expect((await done(town, 'lists', 'status')).stdout).toMatch(/^remote +racism +in force +7 /m)
    expect((await run(town, 'lists', 'accept', 'remote')).code).toBe(1)
  })

  it('lookup names category, list, version and line, and explain says the same', async () => {
    const place = `notbad.test in remote, line 1 (version ${versionOf(SHRUNKEN)})`
    const { stdout } = await done(town, 'lists', 'lookup', 'a.notbad.test')
    expect(stdout).toContain(`a.notbad.test: racism\n  racism  ${place}`)
    expect(stdout).toContain(server.url('/remote.txt'))
    const explained = await done(town, 'explain', 'a.notbad.test')
    expect(explained.stdout).toMatch(/category +block: .*category:racism$/m)
    expect(explained.stdout).toContain(place)
  })

  it('what is held waits, and what is imported from a file is in force', async () => {
    server.publish('/remote.txt', many(6, 'notbad.test'))
    const held = await jsonOf(run(town, 'lists', 'update', '--hold', '--json'))
    expect(held).toMatchObject({ lists: [{ status: 'held' }], inForce: 'nothing to do' })
    expect(await answers(town, 'www.news.test')).toEqual(REFUSED)
    town.sluss.write('remote.txt', many(7, 'notbad.test', 'gram.test'))
    const imported = await run(town, 'lists', 'import', town.sluss.path('remote.txt'))
    expect([imported.code, imported.stdout]).toEqual([
      0,
      expect.stringMatching(/^remote +new version +[0-9a-f]{12} +7 → 9 entries\n/),
    ])
    expect(await answers(town, 'www.news.test')).toEqual(ALLOWED)
    expect(await answers(town, 'gram.test')).toEqual(REFUSED)
  })

  it('a local list that the service refuses is looked up as it is in force', async () => {
    const before = readFileSync(town.sluss.path('lists/gambling.txt'))
    town.sluss.write('lists/gambling.txt', '')
    await until('it is refused', async () => {
      return (await town.sluss.status()).loaded.outcome === 'refused'
    })
    expect((await done(town, 'lists', 'lookup', 'bets.test')).stdout).toContain(
      'bets.test: gambling',
    )
    expect((await run(town, 'explain', 'bets.test')).stdout).toMatch(/^listed +bets\.test in/m)
    town.sluss.write('lists/gambling.txt', before)
    await until('all is well', async () => {
      return (await town.sluss.status()).loaded.outcome === 'in force'
    })
  })

  it('a local list that cannot be read is failed in the status, and why', async () => {
    const before = readFileSync(town.sluss.path('lists/gambling.txt'))
    town.sluss.write('lists/gambling.txt', '<!doctype html><html>')
    await until('it is refused', async () => {
      return (await town.sluss.status()).loaded.outcome === 'refused'
    })
    const text = await run(town, 'lists', 'status')
    expect([text.code, text.stdout]).toEqual([
      1,
      expect.stringMatching(/^lists\/gambling\.txt +gambling +failed /m),
    ])
    expect(text.stdout).toContain('lists/gambling.txt: a web page, not a list. ')
    expect(text.stdout).toMatch(/^ +remote +\S+ +MIT$/m)
    const { lists, problems } = json(await run(town, 'lists', 'status', '--json')) as {
      lists: { name: string; state: string; entries: number }[]
      problems: string[]
    }
    const failed = lists.find(({ name }) => name === 'lists/gambling.txt')
    expect(failed).toMatchObject({ state: 'failed', entries: expect.any(Number) })
    expect(failed!.entries).toBeGreaterThan(0)
    expect(problems).toEqual([expect.stringContaining('a web page, not a list')])
    expect((await run(town, 'check')).code).toBe(2)
    town.sluss.write('lists/gambling.txt', before)
    await until('all is well', async () => {
      return (await town.sluss.status()).loaded.outcome === 'in force'
    })
  })

  it('verify finds a byte that has changed in a fetched file, and its remedy heals it', async () => {
    expect((await done(town, 'lists', 'verify')).stdout).toMatch(/^remote +whole +SHA-256 of /m)
    const [name] = filesOf('remote').filter((one) => one.endsWith('.list'))
    const file = join(town.sluss.state, 'lists', 'sources', 'remote', name!)
    const bytes = readFileSync(file)
    bytes[3]! ^= 1
    writeFileSync(file, bytes)
    const { code, stdout } = await run(town, 'lists', 'verify')
    expect([code, stdout]).toEqual([
      1,
      expect.stringMatching(/^remote +damaged +.*its SHA-256 is/m),
    ])
    expect(stdout).toContain(`rm ${file} && ./sluss lists update remote`)
    rmSync(file)
    expect((await run(town, 'lists', 'update', 'remote')).code).toBe(0)
    expect((await done(town, 'lists', 'verify')).stdout).toMatch(/^remote +whole /m)
    expect(await answers(town, 'notbad.test')).toEqual(REFUSED)
  })
})

/** The JSON of a command that does what it is asked. */
async function jsonOf(output: Promise<Output>): Promise<unknown> {
  const { code } = await output
  expect(code).toBe(0)
  return json(await output)
}
