/**
 * Owns: what the verifier hashes and what it remembers, with a clock and a counted scrypt of the test's own.
 * Never: waits for time to pass.
 */
import { describe, expect, it } from 'vitest'
import { formatBasic } from '../../src/identity/basic.ts'
import { type LoginGuard, openGuard } from '../../src/identity/login-guard.ts'
import type { Derive } from '../../src/identity/scrypt.ts'
import { formatScrypt, hashPassword } from '../../src/identity/scrypt.ts'
import type { Users } from '../../src/identity/users-file.ts'
import {
  BasicVerifier,
  FAILED_MS,
  QUEUE_WAIT_MS,
  VERIFIED_IDLE_MS,
  type VerifierOptions,
} from '../../src/identity/verifier.ts'
import { type Address, ipv4 } from '../../src/policy/address.ts'
import { parseUserName } from '../../src/policy/user.ts'

const HERE = ipv4(10, 0, 0, 1)
const THERE = ipv4(10, 0, 0, 2)
const COST = { ln: 12, r: 8, p: 1 }

/** A stand-in for scrypt that is quick and tells passwords apart. */
const digest = (password: string, length: number) => {
  const bytes = new Uint8Array(length)
  for (const [i, c] of [...password].entries()) bytes[i % length]! += c.codePointAt(0)!
  return bytes
}
const kept = (password: string) => {
  return formatScrypt({ cost: COST, salt: new Uint8Array(16), hash: digest(password, 32) })
}
const usersOf = (people: Record<string, [password: string, ...groups: string[]]>): Users =>
  new Map(
    Object.entries(people).map(([name, [password, ...groups]]) => {
      const entry = { hash: kept(password), groups: groups.map((group) => parseUserName(group)!) }
      return [parseUserName(name)!, entry]
    }),
  )

/** A verifier whose hashing waits until `finish`, and everything that was hashed. */
function setUp(options: Partial<VerifierOptions> = {}) {
  const state = { nowMs: 1_000, held: false, active: 0, activeMax: 0 }
  const derived: string[] = []
  const costs: unknown[] = []
  const waiting: (() => void)[] = []
  const derive: Derive = async (password, _salt, length, cost) => {
    derived.push(password)
    costs.push(cost)
    state.active++
    state.activeMax = Math.max(state.activeMax, state.active)
    if (state.held) await new Promise<void>((resolve) => waiting.push(resolve))
    state.active--
    return digest(password, length)
  }
  const users = usersOf({ anna: ['right', 'it'], bo: ['also right'] })
  const verifier = new BasicVerifier({ users, derive, nowMs: () => state.nowMs, ...options })
  const say = async (user: string, password: string, from: Address = HERE) => {
    const found = await verifier.verify(formatBasic(user, password), from)
    return found.known ? `${found.identity.user} [${found.identity.groups}]` : found.reason
  }
  /** Lets all hashing end, also what the queue starts next. */
  const finish = () => {
    state.held = false
    for (const resolve of waiting.splice(0)) resolve()
  }
  return { verifier, state, derived, costs, say, finish }
}

/** Bars an address at so many failures, for good. */
function guardOf(most: number): LoginGuard & { failures: number[] } {
  const failures: number[] = []
  const marks = new Set<string>()
  return {
    ...openGuard(),
    failures,
    sourceOf: ({ words }) => words[3],
    isBarred: (source) => failures.filter((each) => each === source).length >= most,
    failed: (source) => void failures.push(source),
    signedIn: (digest) => void marks.add(Buffer.from(digest).toString('hex')),
    hasSignedIn: (digest) => marks.has(Buffer.from(digest).toString('hex')),
  }
}

/** Lets everything that is ready run. */
const settle = () => new Promise<void>((resolve) => setImmediate(resolve))

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
