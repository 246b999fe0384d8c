/**
 * Owns: the schemes of a zone in their order, and what a challenge says.
 * Never: hashes for real.
 */
import { describe, expect, it } from 'vitest'
import { formatBasic } from '../../src/identity/basic.ts'
import { challengeHeaders, createIdentifier } from '../../src/identity/identify.ts'
import { COST, formatScrypt } from '../../src/identity/scrypt.ts'
import { BasicVerifier } from '../../src/identity/verifier.ts'
import { ipv4 } from '../../src/policy/address.ts'
import type { Scheme, Zone } from '../../src/policy/policy.ts'
import { parseUserName } from '../../src/policy/user.ts'

const hash = formatScrypt({
  cost: COST,
  salt: new Uint8Array(16),
  hash: new Uint8Array(32).fill(7),
})
const users = new Map([[parseUserName('anna')!, { hash, groups: [parseUserName('it')!] }]])
/** Only `right` derives to the hash above. */
const derive = async (password: string) => new Uint8Array(32).fill(password === 'right' ? 7 : 0)

const zoneWith = (...identify: Scheme[]): Zone => {
  return { name: 'office', networks: [], identify, quota: 'minutes' }
}
const FROM = { address: ipv4(10, 1, 2, 3), addressText: '10.1.2.3' }
const RIGHT = formatBasic('anna', 'right')
const WRONG = formatBasic('anna', 'wrong')

function check(name: string, zone: Zone | null, header: string | null, expected: string) {
  it(name, async () => {
    const { identify } = createIdentifier({ verifier: new BasicVerifier({ users, derive }) })
    const found = await identify(zone, FROM, header)
    const said = found.known
      ? `${found.identity.kind} ${found.identity.user} [${found.identity.groups}]`
      : found.reason
    expect(said).toBe(expected)
  })
}

describe('identify', () => {
  check('address', zoneWith('address'), null, 'address 10.1.2.3 []')
  check('network', zoneWith('network'), null, 'network office []')
  check('address asks for no password', zoneWith('address', 'basic'), WRONG, 'address 10.1.2.3 []')
  check('basic, given', zoneWith('basic'), RIGHT, 'user anna [it]')
  check('basic, not given', zoneWith('basic'), null, 'credentials-missing')
  check('basic, wrong', zoneWith('basic'), WRONG, 'credentials-wrong')
  check('basic, malformed', zoneWith('basic'), 'Basic !', 'credentials-wrong')
  check('basic, another scheme', zoneWith('basic'), 'Negotiate YII', 'credentials-missing')
  check('basic or address, given', zoneWith('basic', 'address'), RIGHT, 'user anna [it]')
  check('basic or address, not given', zoneWith('basic', 'address'), null, 'address 10.1.2.3 []')
  check('basic or network, not given', zoneWith('basic', 'network'), null, 'network office []')
  check('wrong does not fall through', zoneWith('basic', 'address'), WRONG, 'credentials-wrong')
  check(
    'malformed does not fall through',
    zoneWith('basic', 'address'),
    'Basic',
    'credentials-wrong',
  )
  check('no zone', null, RIGHT, 'credentials-missing')

  it('cannot judge credentials without a users file', async () => {
    const { identify } = createIdentifier({ verifier: null })
    const unavailable = { known: false, reason: 'credentials-unavailable' }
    expect(await identify(zoneWith('basic'), FROM, RIGHT)).toEqual(unavailable)
    expect(await identify(zoneWith('basic', 'address'), FROM, RIGHT)).toEqual(unavailable)
    expect(await identify(zoneWith('basic', 'address'), FROM, null)).toMatchObject({
      known: true,
    })
  })
})

describe('challengeHeaders', () => {
  it('asks where the zone takes passwords, and nowhere else', () => {
    expect(challengeHeaders(zoneWith('basic'))).toEqual(['Basic realm="Sluss", charset="UTF-8"'])
    expect(challengeHeaders(zoneWith('basic', 'address'))).toHaveLength(1)
    expect(challengeHeaders(zoneWith('address', 'network'))).toEqual([])
    expect(challengeHeaders(null)).toEqual([])
  })
})
