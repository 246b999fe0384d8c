import { describe, expect, it } from 'vitest'
import { Ledger } from '../../src/ledger/ledger.ts'
import { type Identity, ledgerKey, localDay, type Visitor } from '../../src/policy/index.ts'
import { whoAmI } from '../../src/service/whoami.ts'
import { compilePolicy } from '../../src/settings/compile.ts'
import { settingsSchema } from '../../src/settings/schema.ts'

const NOW_MS = Date.parse('2026-05-04T10:00:00+02:00')
const settings = settingsSchema.parse({
  version: 1,
  listen: { proxy: '127.0.0.1:0' },
  zones: [
    { name: 'schools', networks: ['10.80.0.0/16'], identify: 'network', quota: 'none' },
    { name: 'hall', networks: ['10.3.0.0/16'], identify: 'network' },
    { name: 'office', networks: ['10.1.0.0/16'], identify: ['basic'] },
    { name: 'mixed', networks: ['10.2.0.0/16'], identify: ['basic', 'address'] },
    { name: 'desks', networks: ['10.4.0.0/16'], identify: ['address'] },
  ],
  categories: { social: { action: 'quota', minutes: 60, platforms: 'all' } },
  identity: { basic: { users: 'users.txt' } },
})
const policy = compilePolicy({ settings, platforms: [], exemptions: [], version: 1 })
const ledger = new Ledger(Ledger.allocate(16))

/** Whose minutes are told, by how many they have used: each has used another number. */
const USED = {
  'office anna': 5,
  'mixed anna': 6,
  'mixed 10.2.0.1': 7,
  'hall hall': 8,
  'desks 10.4.0.1': 9,
}
const day = localDay(policy.calendar, NOW_MS)
for (const [owner, minutes] of Object.entries(USED)) {
  const [zone = '', user = ''] = owner.split(' ')
  const slot = ledger.claim(ledgerKey({ zone, user, category: 'social' }))
  for (let minute = 0; minute < minutes; minute++) {
    ledger.addBytes(slot, day.number, minute, 1_000_000, 1)
  }
}

type Who = Pick<Identity, 'kind' | 'user'> | null

function check(name: string, address: string, identity: Who, expected: readonly unknown[]) {
  it(name, () => {
    const visitor: Visitor = { address, identity, reachedAt: '' }
    const { zone, user, minutes } = whoAmI(visitor, policy, ledger, NOW_MS)
    expect([zone, user, minutes?.used ?? null]).toEqual(expected)
  })
}

describe('by the address alone', () => {
  check('people who sign in are nobody', '10.1.0.1', null, ['office', null, null])
  check('those who may sign in, too', '10.2.0.1', null, ['mixed', null, null])
  check('a part of the network', '10.3.0.1', null, ['hall', null, 8])
  check('a desk', '10.4.0.1', null, ['desks', null, 9])
  check('the same, as a mapped address', '::ffff:10.4.0.1', null, ['desks', null, 9])
  check('where nothing is metered', '10.80.0.1', null, ['schools', null, null])
  check('in no zone', '10.9.0.1', null, [null, null, null])
})

describe('through the gate', () => {
  const anna = { kind: 'user', user: 'anna' } as const
  check('who has signed in', '10.1.0.1', anna, ['office', 'anna', 5])
  check('the same name in another zone is another', '10.2.0.1', anna, ['mixed', 'anna', 6])
  const desk = { kind: 'address', user: '10.2.0.1' } as const
  check('who has not, and is known by the address', '10.2.0.1', desk, ['mixed', null, 7])
  check('who has used none', '10.1.0.1', { kind: 'user', user: 'bo' }, ['office', 'bo', 0])
  check('where nothing is metered', '10.80.0.1', anna, ['schools', 'anna', null])
})
