/**
 * Owns: who may sign in from an address that many share, with verifiers and the count as threads have them.
 * Never: hashes a password for real, or starts a thread: several over one memory are as good here.
 */
import { describe, expect, it } from 'vitest'
import {
  BasicVerifier,
  type Derive,
  formatBasic,
  formatScrypt,
  type Users,
} from '../../src/identity/index.ts'
import { ipv4, type UserName } from '../../src/policy/index.ts'
import { FailedLogins } from '../../src/proxy/failed-logins.ts'
import { Tally } from '../../src/proxy/tally.ts'
import { allocateTally } from '../../src/proxy/tally-memory.ts'

const THREADS = 8
const LIMIT = 30
const SHARED = ipv4(10, 0, 0, 1)

const derive: Derive = async (password, _salt, length) =>
  new Uint8Array(length).fill(password.length)
const salt = new Uint8Array(16)
const hash = formatScrypt({ cost: { ln: 12, r: 8, p: 1 }, salt, hash: new Uint8Array(32).fill(5) })
const NAMES = Array.from({ length: 200 }, (_, i) => `user${i}` as UserName)
/** All have a password of five letters. */
const usersOf = (): Users => new Map(NAMES.map((name) => [name, { hash, groups: [] }]))
const RIGHT = 'right'

function setUp() {
  const clock = { nowMs: 1_000_000 }
  const buffer = allocateTally(THREADS)
  const limits = { failedLogins: LIMIT, failedLoginsWithinMs: 300_000 }
  const threads = Array.from({ length: THREADS }, (_, thread) => {
    const tally = new Tally(buffer, thread)
    const guard = new FailedLogins({ tally, limits, nowMs: () => clock.nowMs })
    return new BasicVerifier({ users: usersOf(), guard, derive, nowMs: () => clock.nowMs })
  })
  const say = async (thread: number, user: string, password: string) => {
    const found = await threads[thread % THREADS]!.verify(formatBasic(user, password), SHARED)
    return found.known ? 'known' : found.reason
  }
  /** So many wrong passwords of one name. */
  const guess = async (user: string, count: number) => {
    const said: string[] = []
    for (let i = 0; i < count; i++) said.push(await say(i, user, `${user} guess ${i}`))
    return said
  }
  const reload = () => {
    for (const verifier of threads) verifier.replaceUsers(usersOf())
  }
  return { clock, threads, say, guess, reload }
}

const countOf = (said: readonly string[], what: string) => said.filter((one) => one === what).length

describe('a shared address', () => {
  it('is not barred by programs with an old password, on all threads and after each reload', async () => {
    const { threads, say, reload, clock } = setUp()
    for (let round = 0; round < 20; round++) {
      for (let thread = 0; thread < THREADS; thread++) {
        for (const name of NAMES.slice(0, 4)) {
          expect(await say(thread, name, 'old one')).toBe('credentials-wrong')
        }
      }
      reload()
      clock.nowMs += 1_000
    }
    expect(await say(0, NAMES[9]!, RIGHT)).toBe('known')
    expect(threads.reduce((sum, { counts }) => sum + counts.wrong, 0)).toBe(4)
  })

  it('lets newcomers in while one name is guessed there', async () => {
    const { say, guess } = setUp()
    const said = await guess(NAMES[0]!, 100)
    expect(countOf(said, 'credentials-wrong')).toBe(LIMIT)
    for (const [i, name] of NAMES.slice(1).entries())
      expect(await say(i, name, RIGHT)).toBe('known')
    expect(await say(0, NAMES[0]!, RIGHT)).toBe('logins-of-address')
  })

  it('lets a newcomer try once, and no more than the second allowance of them fail', async () => {
    const { say, guess } = setUp()
    await guess(NAMES[0]!, LIMIT)
    expect(await say(0, NAMES[1]!, 'typed wrong')).toBe('credentials-wrong')
    expect(await say(1, NAMES[1]!, RIGHT)).toBe('logins-of-address')
    const sprayed: string[] = []
    for (const [i, name] of NAMES.slice(2, 150).entries())
      sprayed.push(await say(i, name, 'guess1'))
    expect(countOf(sprayed, 'credentials-wrong')).toBe(LIMIT - 1)
    expect(await say(2, NAMES[160]!, RIGHT)).toBe('logins-of-address')
  })

  it('goes on for who has signed in, on another thread as well, whatever is reloaded', async () => {
    const { say, guess, reload } = setUp()
    expect(await say(0, NAMES[0]!, RIGHT)).toBe('known')
    await guess(NAMES[0]!, LIMIT)
    reload()
    for (let i = 0; i < THREADS; i++) expect(await say(i, NAMES[0]!, RIGHT)).toBe('known')
  })
})
