/**
 * Owns: wrong passwords in numbers: who sends them is held off, and nobody else is.
 * Never: measures how fast a hash is.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { formatBasic, formatUser, hashPassword } from '../../src/identity/index.ts'
import type { UserName } from '../../src/policy/index.ts'
import { until } from './stand/sluss.ts'
import { buildTown, type Town, USER } from './stand/town.ts'
import { Wire } from './stand/wire.ts'

const SPRAYER = '127.0.2.2'
const HONEST = '127.0.2.3'
const OTHERS = ['bo.berg', 'eva.ek', 'mia.malm']
const GUESSES = 200
const LIMIT = 40

let town: Town
beforeAll(async () => {
  const people = await Promise.all(
    [USER.name, ...OTHERS].map(async (name) => {
      const hash = await hashPassword(USER.password)
      return formatUser(name as UserName, { hash, groups: [] })
    }),
  )
  town = await buildTown({
    files: { 'users.txt': `${people.join('\n')}\n` },
    // One more each 90 s: beyond what this test lasts.
    more: `limits: { failedLogins: ${LIMIT}, failedLoginsWithin: 1h }`,
  })
})
afterAll(() => town.close())

/** Asks for the news with these credentials; the answer. */
async function signIn(from: string, user: string, password: string) {
  const authority = `news.test:${town.http.port}`
  const wire = new Wire(town.sluss.port, from)
  const credentials = `Proxy-Authorization: ${formatBasic(user, password)}\r\n`
  wire.send(`GET http://${authority}/ HTTP/1.1\r\nHost: ${authority}\r\n${credentials}\r\n`)
  const reply = await wire.reply()
  wire.close()
  return { ...reply, reason: reply.fields.get('sluss-reason') ?? '' }
}

const BARRED = 'logins-of-address; rule="limits.failedLogins"'

describe('an address that sends many wrong passwords', () => {
  it('is held off after some, and whoever sits elsewhere signs in meanwhile', async () => {
    expect((await signIn(SPRAYER, USER.name, USER.password)).status).toBe(200)
    const guesses = Array.from({ length: GUESSES }, (_, i) =>
      signIn(SPRAYER, i % 2 ? USER.name : 'nobody', `guess ${i}`),
    )
    let answered = 0
    for (const guess of guesses) void guess.then(() => answered++)
    const honest = await Promise.all(OTHERS.map((name) => signIn(HONEST, name, USER.password)))
    expect(honest.map(({ status }) => status)).toEqual([200, 200, 200])
    // They were served between the guesses, and not after them all.
    expect(answered).toBeLessThan(GUESSES)
    const replies = await Promise.all(guesses)
    const wrong = replies.filter(({ status }) => status === 407)
    const barred = replies.filter(({ status }) => status === 429)
    expect(wrong.length + barred.length).toBe(GUESSES)
    // Each thread may be hashing one when the last that is allowed fails; one may be forgotten meanwhile.
    expect(wrong.length).toBeGreaterThanOrEqual(LIMIT)
    expect(wrong.length).toBeLessThanOrEqual(LIMIT + 4)
    expect(new Set(barred.map(({ reason }) => reason))).toEqual(new Set([BARRED]))
    expect(barred[0]?.fields.get('retry-after')).toBe('60')
    expect(barred[0]?.fields.has('proxy-authenticate')).toBe(false)
    const { sluss } = town
    await until('every answer is counted', async () => {
      const { counters } = await sluss.status()
      return counters.reasons['logins-of-address'] === barred.length
    })
    await until('every answer has its row', () => {
      return sluss.ended("reason = 'logins-of-address'").length === barred.length
    })
    const [row] = sluss.lines("reason = 'logins-of-address'")
    expect(row).toMatchObject({ address: SPRAYER, user: '', verdict: 'refuse', status: 429 })
  })

  it('lets in who had signed in there, on whichever thread, and of others one try each', async () => {
    for (let i = 0; i < 12; i++) {
      expect((await signIn(SPRAYER, USER.name, USER.password)).status).toBe(200)
    }
    expect((await signIn(SPRAYER, OTHERS[0]!, USER.password)).status).toBe(200)
    // A name that has not failed there may try once.
    const first = await signIn(SPRAYER, OTHERS[1]!, 'another guess')
    expect(first.status).toBe(407)
    const second = await signIn(SPRAYER, OTHERS[1]!, 'a second guess')
    expect([second.status, second.reason]).toEqual([429, BARRED])
  })
})

describe('a program with an old password', () => {
  it('counts once, however often it asks', async () => {
    const from = '127.0.2.4'
    for (let i = 0; i < 100; i++) {
      expect((await signIn(from, USER.name, 'Vinter-2025')).status).toBe(407)
    }
    expect((await signIn(from, OTHERS[2]!, USER.password)).status).toBe(200)
  })
})
