/** Owns: who is waited for in a forwarded exchange, and how long. Time is told. */
import { expect, it } from 'vitest'
import { Patience, type Turn } from '../../src/proxy/patience.ts'

const LIMITS = {
  slowestBytesPerSecond: 100,
  slowestOverMs: 60_000,
  originTimeoutMs: 10_000,
  tunnelIdleMs: 300_000,
}
const ORIGINS: Turn = { ofClient: false, clientEnded: false, movedBytes: 0 }
const CLIENTS: Turn = { ...ORIGINS, ofClient: true }

/** When it says something, in seconds, and what; asked each second, with nothing moving. */
function said(turn: Turn, limits = LIMITS): string {
  const patience = new Patience()
  for (let s = 0; s < 1_000; s++) {
    const overdue = patience.overdue(limits, s * 1_000, turn)
    if (overdue !== null) return `${overdue} ${s}`
  }
  return 'nothing'
}

it('an origin is waited for from the last that moved', () => {
  expect(said(ORIGINS)).toBe('origin-timeout 10')
  const patience = new Patience()
  expect(patience.overdue(LIMITS, 0, ORIGINS)).toBeNull()
  expect(patience.overdue(LIMITS, 9_000, ORIGINS)).toBeNull()
  patience.moved()
  expect(patience.overdue(LIMITS, 10_000, ORIGINS)).toBeNull()
  expect(patience.overdue(LIMITS, 19_000, ORIGINS)).toBeNull()
  expect(patience.overdue(LIMITS, 20_000, ORIGINS)).toBe('origin-timeout')
})

it('what the client is slow at is not the origin\u2019s fault', () => {
  expect(said(CLIENTS)).toBe('client-too-slow 60')
  expect(said(CLIENTS, { ...LIMITS, slowestBytesPerSecond: 0 })).toBe('client-too-slow 300')
})

it('a client that has ended and hears nothing is gone', () => {
  expect(said({ ...ORIGINS, clientEnded: true }, { ...LIMITS, originTimeoutMs: 120_000 })).toBe(
    'client-gone 15',
  )
})
