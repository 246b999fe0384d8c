/**
 * Owns: a small policy for the tests of ledgers, and parts of it to vary.
 * Never: asserts anything.
 */
import { type Network, type Policy, parseNetwork, type Zone } from '../../src/policy/index.ts'

export function networkOf(text: string): Network {
  const network = parseNetwork(text)
  if (typeof network === 'string') throw new Error(network)
  return network
}

export function zoneWith(name: string, parts: Partial<Zone>): Zone {
  return { name, networks: [], identify: ['basic'], quota: 'minutes', ...parts }
}

/** One office where people sign in, a school, a library known as a whole, and computers by address. */
export function policyWith(parts: Partial<Policy>): Policy {
  const decision = null
  return {
    version: 1,
    calendar: { timezone: 'Europe/Stockholm', startsMinute: 0 },
    zones: [
      zoneWith('schools', { quota: 'none', identify: ['network'] }),
      zoneWith('office', {}),
      zoneWith('library', { identify: ['network'] }),
      zoneWith('local', { identify: ['address'], networks: [networkOf('10.9.0.0/16')] }),
    ],
    categories: [
      { name: 'porn', bit: 0, action: 'block', decision },
      { name: 'social', bit: 1, action: 'quota', minutes: 60, platforms: 0, decision },
      { name: 'video', bit: 2, action: 'quota', minutes: 20, platforms: 0, decision },
    ],
    platforms: [],
    exemptions: [],
    ports: { connect: [443], http: [80] },
    allowedAddresses: [],
    tunnels: {
      addressLiterals: 'refuse',
      mismatch: 'log',
      noServerName: 'log',
      encryptedHello: 'log',
      notTls: 'refuse',
    },
    quota: { thresholdBytes: 16_384, graceMs: 30_000 },
    ...parts,
  }
}
