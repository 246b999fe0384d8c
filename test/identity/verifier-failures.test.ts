/**
 * Owns: what wrong passwords lead to: who is barred, what is counted once, who waits and for how long.
 * Never: waits for time to pass, or counts as the data plane does (test/proxy/sign-ins.test.ts).
 */
import { describe, expect, it } from 'vitest'
import type { LoginGuard } from '../../src/identity/login-guard.ts'
import { FAILED_MS, QUEUE_WAIT_MS } from '../../src/identity/verifier.ts'
import { ipv4 } from '../../src/policy/address.ts'
import { guardOf, HERE, settle, setUp, THERE, usersOf } from './verifying.ts'

describe('failed logins', () => {
  it('are counted where a new password is wrong, and nowhere else', async () => {
    const guard = guardOf(100)
    const { say, verifier } = setUp({ guard })
    await say('anna', 'right')
    await say('anna', 'wrong')
    await say('nobody', 'wrong', THERE)
    await say('anna', 'wrong')
    verifier.verify('Basic !', HERE)
    expect(guard.failures).toEqual([HERE.words[3], THERE.words[3]])
  })

  it('count a password once, however often and from wherever it is repeated', async () => {
    const guard = guardOf(100)
    const { say, derived } = setUp({ guard })
    await Promise.all(Array.from({ length: 20 }, () => say('anna', 'old')))
    for (let i = 0; i < 1_000; i++) expect(await say('anna', 'old')).toBe('credentials-wrong')
    await say('anna', 'old', THERE)
    expect(guard.failures).toHaveLength(1)
    expect(derived).toEqual(['old'])
  })

  it('bar an address from what is new, not from what is known, and bar no other', async () => {
    const { say, derived, verifier } = setUp({ guard: guardOf(3) })
    await say('anna', 'right')
    for (const guess of ['a', 'b', 'c']) expect(await say('bo', guess)).toBe('credentials-wrong')
    const before = derived.length
    expect(await say('bo', 'd')).toBe('logins-of-address')
    expect(await say('bo', 'also right')).toBe('logins-of-address')
    expect(await say('bo', 'a')).toBe('credentials-wrong')
    expect(await say('anna', 'right')).toBe('anna [it]')
    expect(derived).toHaveLength(before)
    expect(await say('bo', 'also right', THERE)).toBe('bo []')
    expect(verifier.counts.barred).toBe(2)
  })

  it('bar those who were waiting already, without hashing', async () => {
    const { say, derived, state, finish } = setUp({ concurrentMax: 1, guard: guardOf(3) })
    state.held = true
    const guesses = Array.from({ length: 100 }, (_, i) => say('anna', `guess ${i}`))
    await settle()
    finish()
    const said = await Promise.all(guesses)
    expect(said.slice(0, 3)).toEqual(Array(3).fill('credentials-wrong'))
    expect(said.slice(3)).toEqual(Array(97).fill('logins-of-address'))
    expect(derived).toHaveLength(3)
  })

  it('do not bar who has signed in on another thread, nor free a guess', async () => {
    const guard = guardOf(2)
    const one = setUp({ guard })
    const other = setUp({ guard })
    await one.say('anna', 'right')
    for (const guess of ['a', 'b']) await one.say('bo', guess)
    expect(await other.say('bo', 'also right')).toBe('logins-of-address')
    expect(await other.say('anna', 'righ')).toBe('logins-of-address')
    expect(await other.say('anna', 'right')).toBe('anna [it]')
    expect(other.derived).toEqual(['right'])
  })

  it('give each address its own answer where two send the same at once', async () => {
    const guard = guardOf(1)
    const { say, state, finish } = setUp({ concurrentMax: 1, guard })
    state.held = true
    const first = say('anna', 'guess')
    const barred = say('bo', 'also right')
    const honest = say('bo', 'also right', THERE)
    await settle()
    finish()
    expect(await Promise.all([first, barred, honest])).toEqual([
      'credentials-wrong',
      'logins-of-address',
      'bo []',
    ])
  })
})

describe('one wrong password on several threads', () => {
  /** Two verifiers with one guard that remembers what was wrong. */
  function setUpTwo() {
    const wrong = new Set<string>()
    const hex = (mark: Uint8Array) => Buffer.from(mark).toString('hex')
    const guard = {
      ...guardOf(100),
      foundWrong: (mark: Uint8Array) => !wrong.has(hex(mark)) && wrong.add(hex(mark)) === wrong,
      wasWrong: (mark: Uint8Array) => wrong.has(hex(mark)),
    }
    return { guard, one: setUp({ guard }), other: setUp({ guard }) }
  }

  it('is hashed and counted on the first', async () => {
    const { guard, one, other } = setUpTwo()
    expect(await one.say('anna', 'old')).toBe('credentials-wrong')
    expect(await other.say('anna', 'old', THERE)).toBe('credentials-wrong')
    expect([guard.failures.length, one.derived, other.derived]).toEqual([1, ['old'], []])
    expect(await other.say('anna', 'right')).toBe('anna [it]')
  })

  it('is counted once where both hash it at the same time', async () => {
    const { guard, one, other } = setUpTwo()
    one.state.held = true
    other.state.held = true
    const answers = [one.say('anna', 'old'), other.say('anna', 'old')]
    await settle()
    one.finish()
    other.finish()
    expect(await Promise.all(answers)).toEqual(['credentials-wrong', 'credentials-wrong'])
    expect(guard.failures).toHaveLength(1)
  })

  it('is not counted again after minutes, nor after a reload', async () => {
    const { guard, one, other } = setUpTwo()
    await one.say('anna', 'old')
    one.state.nowMs += FAILED_MS + 1
    await one.say('anna', 'old')
    other.verifier.replaceUsers(usersOf({ anna: ['right'], bo: ['new'] }))
    await other.say('anna', 'old')
    expect([guard.failures.length, one.derived.length, other.derived.length]).toEqual([1, 1, 0])
  })

  it('may be right once the user has another', async () => {
    const { one, other } = setUpTwo()
    await one.say('anna', 'next')
    for (const { verifier } of [one, other]) verifier.replaceUsers(usersOf({ anna: ['next'] }))
    expect([await other.say('anna', 'next'), await one.say('anna', 'next')]).toEqual([
      'anna []',
      'anna []',
    ])
  })
})

describe('the wait for a turn', () => {
  it('has an end: nothing is hashed, and nothing is held against anybody', async () => {
    const guard = guardOf(100)
    const timers: (() => void)[] = []
    const after = (ms: number, then: () => void) => {
      expect(ms).toBe(QUEUE_WAIT_MS)
      timers.push(then)
      return () => {}
    }
    const { say, state, finish, derived, verifier } = setUp({ concurrentMax: 1, guard, after })
    state.held = true
    const first = say('anna', 'right')
    const late = say('bo', 'also right')
    await settle()
    for (const then of timers) then()
    expect(await late).toBe('credentials-unavailable')
    finish()
    expect(await first).toBe('anna [it]')
    expect([derived, guard.failures, verifier.counts.unavailable]).toEqual([['right'], [], 1])
    expect(await say('bo', 'also right')).toBe('bo []')
  })

  it('is short for a newcomer where the others have failed, one from each address', async () => {
    const failures = new Set<number>()
    const guard: LoginGuard = {
      ...guardOf(100),
      suspicionOf: (source) => (failures.has(source) ? 1 : 0),
      failed: (source) => void failures.add(source),
    }
    const { say, state, finish, derived } = setUp({ concurrentMax: 1, guard })
    const from = (i: number) => ipv4(10, 1, 0, i)
    for (let i = 0; i < 200; i++) await say('anna', `guess ${i}`, from(i))
    state.held = true
    const guesses = Array.from({ length: 200 }, (_, i) => say('anna', `next ${i}`, from(i)))
    const honest = say('bo', 'also right', THERE)
    await settle()
    finish()
    expect(await honest).toBe('bo []')
    // After the one under way.
    expect(derived.indexOf('also right')).toBe(201)
    await Promise.all(guesses)
  })
})
