/**
 * Owns: verifiers for tests, with a clock and a counted scrypt of their own, and a guard that can be read.
 * Never: waits for time to pass.
 */
import { formatBasic } from '../../src/identity/basic.ts'
import { type LoginGuard, openGuard } from '../../src/identity/login-guard.ts'
import type { Derive } from '../../src/identity/scrypt.ts'
import { formatScrypt } from '../../src/identity/scrypt.ts'
import type { Users } from '../../src/identity/users-file.ts'
import { BasicVerifier, type VerifierOptions } from '../../src/identity/verifier.ts'
import { type Address, ipv4 } from '../../src/policy/address.ts'
import { parseUserName } from '../../src/policy/user.ts'

export const HERE = ipv4(10, 0, 0, 1)
export const THERE = ipv4(10, 0, 0, 2)
export const COST = { ln: 12, r: 8, p: 1 }

/** A stand-in for scrypt that is quick and tells passwords apart. */
export const digest = (password: string, length: number) => {
  const bytes = new Uint8Array(length)
  for (const [i, c] of [...password].entries()) bytes[i % length]! += c.codePointAt(0)!
  return bytes
}
export const kept = (password: string) => {
  return formatScrypt({ cost: COST, salt: new Uint8Array(16), hash: digest(password, 32) })
}
export const usersOf = (people: Record<string, [password: string, ...groups: string[]]>): Users =>
  new Map(
    Object.entries(people).map(([name, [password, ...groups]]) => {
      const entry = { hash: kept(password), groups: groups.map((group) => parseUserName(group)!) }
      return [parseUserName(name)!, entry]
    }),
  )

/** A verifier whose hashing waits until `finish`, and everything that was hashed. */
export function setUp(options: Partial<VerifierOptions> = {}) {
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
export function guardOf(most: number): LoginGuard & { failures: number[] } {
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
export const settle = () => new Promise<void>((resolve) => setImmediate(resolve))
