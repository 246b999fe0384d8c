/**
 * Owns: who sends a request, by the schemes of its zone, and what a challenge asks for.
 * Never: decides what follows from it, or lets a wrong password count as none.
 */
import type { Address } from '../policy/address.ts'
import type { Identified } from '../policy/decide.ts'
import type { Zone } from '../policy/policy.ts'
import { isBasic } from './basic.ts'
import type { BasicVerifier } from './verifier.ts'
import { UNAVAILABLE } from './verifier.ts'

export interface Identifier {
  /**
   * Who it is that asks from `from`; `proxyAuthorization` is the field's value or null. A promise only
   * where a password has to be hashed first.
   */
  identify(
    zone: Zone | null,
    from: From,
    proxyAuthorization: string | null,
  ): Identified | Promise<Identified>
}

/** The client's address, and its canonical form. */
export interface From {
  readonly address: Address
  readonly addressText: string
}

const MISSING: Identified = { known: false, reason: 'credentials-missing' }

/**
 * An identifier. Schemes are tried in the zone's order: credentials that are given are judged, and that
 * is the answer; where none are given a later scheme may answer. Without a verifier (no users file)
 * credentials cannot be judged: `credentials-unavailable`.
 */
export function createIdentifier(options: { verifier: BasicVerifier | null }): Identifier {
  const { verifier } = options
  return {
    identify(zone, { address, addressText }, proxyAuthorization) {
      // Whatever we say, the zone rule speaks first.
      if (zone === null) return MISSING
      for (const scheme of zone.identify) {
        switch (scheme) {
          case 'address':
            return known('address', addressText)
          case 'network':
            return known('network', zone.name)
          case 'basic':
            if (proxyAuthorization === null || !isBasic(proxyAuthorization)) continue
            return verifier?.verify(proxyAuthorization, address) ?? UNAVAILABLE
        }
      }
      return MISSING
    },
  }
}

/** The values of Proxy-Authenticate in a challenge to `zone`; empty where it never challenges. */
export function challengeHeaders(zone: Zone | null): string[] {
  // A constant realm: browsers keep a password per realm, and ask again where it changes.
  return zone?.identify.includes('basic') ? ['Basic realm="Sluss", charset="UTF-8"'] : []
}

function known(kind: 'address' | 'network', user: string): Identified {
  return { known: true, identity: { kind, user, groups: [] } }
}
