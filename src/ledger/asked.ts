/**
 * Owns: from what a person wrote to the user, zone, category and day that are meant.
 * Never: guesses between two: it names them and asks.
 */
import {
  dayNumber,
  dayOfNumber,
  formatAddress,
  type LocalDay,
  type Policy,
  parseAddress,
  parseUserName,
  type QuotaCategory,
  USER_NAME_LENGTH_MAX,
  type Zone,
  zoneOf,
} from '../policy/index.ts'

export const WHY_LENGTH_MAX = 200

/** A request that cannot be met; the message is for the person who asked, and says what to do. */
export class QuotaRequestError extends Error {
  override readonly name = 'QuotaRequestError'
}

/** A name as identify gives it: an address in its canonical text, else the comparable form. */
export function userNamed(text: string): string {
  const address = parseAddress(text.trim())
  const user = address === null ? parseUserName(text) : formatAddress(address)
  if (user !== null) return user
  const expected = `expected 1 to ${USER_NAME_LENGTH_MAX} characters, none of them hidden`
  throw new QuotaRequestError(`user ${quote(text)}: ${expected}`)
}

export function zoneNamed(policy: Policy, name: string): Zone {
  const zone = policy.zones.find((one) => one.name === name)
  if (zone !== undefined) return zone
  const expected = `expected one of the zones ${namesOf(policy.zones)}`
  throw new QuotaRequestError(`zone ${quote(name)} is not in the settings; ${expected}`)
}

/** The zone in which a user is given minutes, by name. */
export function meteredZoneNamed(policy: Policy, name: string): string {
  const zone = zoneNamed(policy, name)
  if (zone.quota === 'minutes') return zone.name
  const why = 'no minutes are counted there, so there are none to give'
  throw new QuotaRequestError(`zone ${quote(name)}: ${why}`)
}

/**
 * The zone of a user where none is named: the one with a ledger of theirs today (`used`); else the only
 * one that counts minutes and can know such a user.
 */
export function zoneOfUser(policy: Policy, user: string, used: readonly string[]): string {
  const address = parseAddress(user)
  const home = address === null ? null : zoneOf(policy, address)
  const knows = (zone: Zone) => {
    if (zone.identify.includes('network') && zone.name === user) return true
    return address === null
      ? zone.identify.includes('basic')
      : zone === home && zone.identify.includes('address')
  }
  const metered = policy.zones.filter((zone) => zone.quota === 'minutes')
  const today = metered.filter(({ name }) => used.includes(name))
  const meant = today.length > 0 ? today : metered.filter(knows)
  if (meant.length === 1) return meant[0]!.name
  if (meant.length === 0) {
    const why = 'no zone that counts minutes knows such a user; see zones in the settings'
    throw new QuotaRequestError(`user ${quote(user)}: ${why}`)
  }
  const hint = `name one with --zone: ${namesOf(meant)}`
  throw new QuotaRequestError(`user ${quote(user)} may be in several zones; ${hint}`)
}

/** The quota category of that name; where none is given, the first in the settings. */
export function categoryNamed(policy: Policy, name: string | undefined): QuotaCategory {
  const quotas = policy.categories.filter((one) => one.action === 'quota')
  const category = name === undefined ? quotas[0] : quotas.find((one) => one.name === name)
  if (category !== undefined) return category
  if (quotas.length === 0) {
    throw new QuotaRequestError('no category in the settings has the action quota')
  }
  const expected = `expected one with the action quota: ${namesOf(quotas)}`
  throw new QuotaRequestError(`category ${quote(name ?? '')}: ${expected}`)
}

export function dayNamed(policy: Policy, text: string): LocalDay {
  const number = dayNumber(text)
  if (number !== null && number > 0) return dayOfNumber(policy.calendar, number)
  throw new QuotaRequestError(`day ${quote(text)}: expected a date such as 2026-11-21`)
}

/** One line of text that people can read. `field` is what the error calls it. */
export function lineOf(text: string, field: string): string {
  const line = text.trim()
  const hidden = /[\p{Cc}\p{Zl}\p{Zp}]/u.test(line)
  if (line !== '' && line.length <= WHY_LENGTH_MAX && !hidden) return line
  const expected = `expected 1 to ${WHY_LENGTH_MAX} characters on one line`
  throw new QuotaRequestError(`${field} ${quote(text)}: ${expected}`)
}

const QUOTED_LENGTH_MAX = 100

function quote(text: string): string {
  return JSON.stringify(text.slice(0, QUOTED_LENGTH_MAX))
}

function namesOf(named: readonly { readonly name: string }[]): string {
  return named.map(({ name }) => name).join(', ')
}
