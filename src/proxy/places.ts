/**
 * Owns: what a host was found to be: its addresses in the order to try them, or why there are none.
 * Never: asks anybody, connects, or judges whether an address may be reached; the guard does that at each dial.
 */
import { type Address, formatAddress, isIpv4, parseAddress } from '../policy/index.ts'

export type Family = 4 | 6

/** One address of a host, in all the forms that a dial wants, made once. */
export interface Place {
  readonly address: Address
  /** Canonical text, IPv6 without brackets: what is connected to. */
  readonly text: string
  readonly family: Family
}

export interface Answer {
  /** `missing`: the host has no address, for certain; `failed`: nobody could say. */
  readonly outcome: 'found' | 'missing' | 'failed'
  /** In the order to try them; empty unless found. */
  readonly places: readonly Place[]
  /** The resolver's code, such as ENOTFOUND or ETIMEOUT; empty where found. */
  readonly why: string
}

const NOWHERE: readonly Place[] = []

export function found(places: readonly Place[]): Answer {
  return { outcome: 'found', places, why: '' }
}

export function missing(why: string): Answer {
  return { outcome: 'missing', places: NOWHERE, why }
}

export function failed(why: string): Answer {
  return { outcome: 'failed', places: NOWHERE, why }
}

/** Null where `text` is no address. */
export function placeOf(text: string): Place | null {
  const address = parseAddress(text)
  if (address === null) return null
  return { address, text: formatAddress(address), family: isIpv4(address) ? 4 : 6 }
}

/** The places of `texts`, each once, without those that are no addresses. */
export function placesOf(texts: readonly string[]): Place[] {
  return distinct(texts.map(placeOf).filter((place) => place !== null))
}

/** Each address once, in the order of `places`. */
export function distinct(places: readonly Place[]): Place[] {
  return places.filter(({ text }, i) => places.findIndex((other) => other.text === text) === i)
}

/**
 * By turns, one of each family, beginning with `first`; the order within a family stays (RFC 8305
 * section 4, First Address Family Count 1).
 */
export function interleaved(places: readonly Place[], first: Family): Place[] {
  const ahead = places.filter(({ family }) => family === first)
  const behind = places.filter(({ family }) => family !== first)
  const order: Place[] = []
  for (let i = 0; i < Math.max(ahead.length, behind.length); i++) {
    const [one, other] = [ahead[i], behind[i]]
    if (one !== undefined) order.push(one)
    if (other !== undefined) order.push(other)
  }
  return order
}

/** The same places, `place` first: it answered when the one that stood first did not. */
export function ledBy(place: Place, places: readonly Place[]): Place[] {
  const others = places.filter((other) => other !== place)
  const [next, last] = place.family === 6 ? ([4, 6] as const) : ([6, 4] as const)
  return [place, ...interleaved(others, others.some(({ family }) => family === next) ? next : last)]
}
