/**
 * Owns: what the verifier hashes and what it remembers, with a clock and a counted scrypt of the test's own.
 * Never: waits for time to pass.
 */
import { describe, expect, it } from 'vitest'
import { formatBasic } from '../../src/identity/basic.ts'
import { hashPassword } from '../../src/identity/scrypt.ts'
import type { Users } from '../../src/identity/users-file.ts'
import { BasicVerifier, FAILED_MS, VERIFIED_IDLE_MS } from '../../src/identity/verifier.ts'
import { parseUserName } from '../../src/policy/user.ts'
import { COST, digest, guardOf, HERE, settle, setUp, THERE, usersOf } from './verifying.ts'

describe('answers', () => {
  it('knows who is right, wrong and not there', async () => {
    const { say } = setUp()
    expect(await say('anna', 'right')).toBe('anna [it]')
    expect(await say('ANNA', 'right')).toBe('anna [it]')
    expect(await say('bo', 'right')).toBe('credentials-wrong')
    expect(await say('nobody', 'right')).toBe('credentials-wrong')
  })

  it('hashes nothing for what is not well formed', () => {
    const { verifier, derived } = setUp()
    for (const header of ['Basic', 'Basic !', `Basic ${'A'.repeat(5_000)}`, 'Bearer YTpi']) {
      expect(verifier.verify(header, HERE)).toEqual({ known: false, reason: 'credentials-wrong' })
    }
    expect(derived).toEqual([])
  })

  it('does the same work for a user who is not there', async () => {
    const { say, derived, costs } = setUp()
    await say('nobody', 'guess')
    await say('anna', 'guess')
    expect(derived).toEqual(['guess', 'guess'])
    expect(costs).toEqual([COST, COST])
  })

  it('works with a real scrypt', async () => {
    const hash = await hashPassword('rätt häst')
    const users: Users = new Map([[parseUserName('anna')!, { hash, groups: [] }]])
    const verifier = new BasicVerifier({ users })
    expect(await verifier.verify(formatBasic('anna', 'rätt häst'), HERE)).toMatchObject({
      known: true,
    })
    expect(await verifier.verify(formatBasic('anna', 'fel häst'), HERE)).toMatchObject({
      known: false,
    })
    expect(await verifier.verify(formatBasic('eva', 'rätt häst'), HERE)).toMatchObject({
      known: false,
    })
  })
})

describe('memory', () => {
  it('answers at once for what was right, as long as it is used', async () => {
    const { verifier, say, derived, state } = setUp()
    await say('anna', 'right')
    for (let i = 0; i < 5; i++) {
      state.nowMs += VERIFIED_IDLE_MS - 1
      expect(verifier.verify(formatBasic('anna', 'right'), HERE)).toMatchObject({ known: true })
    }
    expect(derived).toHaveLength(1)
    state.nowMs += VERIFIED_IDLE_MS + 1
    expect(await say('anna', 'right')).toBe('anna [it]')
    expect(derived).toHaveLength(2)
    expect(verifier.counts).toMatchObject({ right: 2, cached: 5 })
  })

  it('never answers one password for another', async () => {
    const { say, derived } = setUp()
    await say('anna', 'right')
    expect(await say('anna', 'wrong')).toBe('credentials-wrong')
    expect(await say('bo', 'right')).toBe('credentials-wrong')
    expect(derived).toHaveLength(3)
  })

  it('remembers what was wrong, for minutes', async () => {
    const { verifier, say, derived, state } = setUp()
    await say('anna', 'wrong')
    state.nowMs += FAILED_MS - 1
    expect(verifier.verify(formatBasic('anna', 'wrong'), HERE)).toMatchObject({ known: false })
    expect(derived).toHaveLength(1)
    state.nowMs += 2
    await say('anna', 'wrong')
    expect(derived).toHaveLength(2)
  })

  it('shares one verification among equal credentials at the same time', async () => {
    const { verifier, say, derived, state, finish } = setUp()
    state.held = true
    const answers = Array.from({ length: 20 }, () => say('anna', 'right'))
    const other = say('bo', 'wrong')
    await settle()
    expect(derived).toEqual(['right', 'wrong'])
    finish()
    expect(new Set(await Promise.all(answers))).toEqual(new Set(['anna [it]']))
    expect(await other).toBe('credentials-wrong')
    expect(verifier.counts).toMatchObject({ shared: 19, right: 1, wrong: 1 })
  })
})

describe('bounds', () => {
  it('hashes no more at a time than it may, and all of them in the end', async () => {
    const { say, state, finish } = setUp({ concurrentMax: 2 })
    state.held = true
    const answers = Array.from({ length: 10 }, (_, i) => say('anna', `guess ${i}`))
    await settle()
    expect(state.active).toBe(2)
    finish()
    expect(await Promise.all(answers)).toEqual(Array(10).fill('credentials-wrong'))
    expect(state.activeMax).toBe(2)
    expect(state.active).toBe(0)
  })

  it('serves another address before the rest of one that sends many', async () => {
    const { say, state, finish, derived } = setUp({ concurrentMax: 1, guard: guardOf(1_000) })
    state.held = true
    const guesses = Array.from({ length: 50 }, (_, i) => say('anna', `guess ${i}`))
    const honest = say('bo', 'also right', THERE)
    await settle()
    finish()
    expect(await honest).toBe('bo []')
    expect(derived.indexOf('also right')).toBe(2)
    await Promise.all(guesses)
    expect(derived).toHaveLength(51)
  })

  it('turns away above what one address may have waiting, and takes the others', async () => {
    const options = { concurrentMax: 1, queuePerSourceMax: 2, guard: guardOf(1_000) }
    const { say, state, finish } = setUp(options)
    state.held = true
    const guesses = ['a', 'b', 'c', 'd'].map((password) => say('anna', password))
    expect(await guesses[3]).toBe('credentials-unavailable')
    const honest = say('bo', 'also right', THERE)
    await settle()
    finish()
    expect(await honest).toBe('bo []')
    expect(await Promise.all(guesses.slice(0, 3))).toEqual(Array(3).fill('credentials-wrong'))
  })

  it('turns away above the queue, and remembers nothing of it', async () => {
    const { verifier, say, state, finish } = setUp({ concurrentMax: 1, queueMax: 2 })
    state.held = true
    const answers = ['a', 'b', 'c', 'right'].map((password) => say('anna', password))
    expect(await answers[3]).toBe('credentials-unavailable')
    finish()
    expect(await Promise.all(answers.slice(0, 3))).toEqual(Array(3).fill('credentials-wrong'))
    expect(verifier.counts.unavailable).toBe(1)
    expect(await say('anna', 'right')).toBe('anna [it]')
  })

  it('says unavailable where hashing fails, tells the operator, and goes on', async () => {
    const errors: unknown[] = []
    let broken = true
    const { say } = setUp({
      concurrentMax: 1,
      onError: (error) => errors.push(error),
      derive: async (password, _salt, length) => {
        if (broken) throw new Error('out of memory')
        return digest(password, length)
      },
    })
    expect(await say('anna', 'right')).toBe('credentials-unavailable')
    expect(errors).toEqual([new Error('out of memory')])
    broken = false
    expect(await say('anna', 'right')).toBe('anna [it]')
  })
})

describe('spellings of the same credentials', () => {
  it('are the same', async () => {
    const { verifier, derived } = setUp()
    const token = formatBasic('anna', 'right').slice('Basic '.length)
    for (const field of ['Basic T', 'basic T', 'BASIC   T', 'Basic T  ']) {
      expect(await verifier.verify(field.replace('T', token), HERE)).toMatchObject({ known: true })
    }
    expect(derived).toEqual(['right'])
    for (const field of ['Bearer T', 'Basi T', 'BasicT', `T`]) {
      expect(verifier.verify(field.replace('T', token), HERE)).toMatchObject({ known: false })
    }
  })
})

describe('replaceUsers', () => {
  it('forgets what was wrong of those alone whose hash is another', async () => {
    const guard = guardOf(100)
    const { verifier, say, derived } = setUp({ guard })
    for (const name of ['anna', 'bo', 'nobody']) await say(name, 'old')
    verifier.replaceUsers(usersOf({ anna: ['right', 'press'], bo: ['other'], eva: ['eva1'] }))
    for (const name of ['anna', 'nobody']) await say(name, 'old')
    expect([derived.length, guard.failures.length]).toEqual([3, 3])
    await say('bo', 'old')
    expect([derived.length, guard.failures.length]).toEqual([4, 4])
  })

  it('forgets who is gone or has a new password, keeps the rest, and gives new groups', async () => {
    const { verifier, say, derived } = setUp()
    verifier.replaceUsers(usersOf({ anna: ['right', 'it'], bo: ['bo1'], eva: ['eva1'] }))
    await Promise.all([say('anna', 'right'), say('bo', 'bo1'), say('eva', 'eva1')])
    expect(derived).toHaveLength(3)
    verifier.replaceUsers(usersOf({ anna: ['right', 'press'], bo: ['bo2'] }))
    expect(verifier.verify(formatBasic('anna', 'right'), HERE)).toMatchObject({
      identity: { user: 'anna', groups: ['press'] },
    })
    expect(derived).toHaveLength(3)
    expect(await say('bo', 'bo1')).toBe('credentials-wrong')
    expect(await say('eva', 'eva1')).toBe('credentials-wrong')
    expect(derived).toHaveLength(5)
  })

  it('lets in at once who was wrong until now', async () => {
    const { verifier, say } = setUp()
    expect(await say('eva', 'eva1')).toBe('credentials-wrong')
    verifier.replaceUsers(usersOf({ eva: ['eva1'] }))
    expect(await say('eva', 'eva1')).toBe('eva []')
  })

  it('judges by the new file what was being hashed for the old one', async () => {
    const { verifier, say, state, finish, derived } = setUp()
    state.held = true
    const old = say('anna', 'right')
    const gone = say('bo', 'also right')
    await settle()
    verifier.replaceUsers(usersOf({ anna: ['new'] }))
    finish()
    expect(await old).toBe('credentials-wrong')
    expect(await gone).toBe('credentials-wrong')
    expect(derived).toHaveLength(4)
  })
})
