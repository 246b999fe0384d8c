/**
 * Owns: what the portal tells a visitor of themselves: who they have signed in as through the gate, else by
 * the address they come from.
 * Never: tells by an address of a person who signs in by name: it does not prove who sits there.
 */
import type { Ledger } from '../ledger/ledger.ts'
import {
  formatAddress,
  formatTime,
  ledgerKey,
  localDay,
  type Policy,
  parseAddress,
  type QuotaCategory,
  type Visitor,
  type Zone,
  zoneOf,
} from '../policy/index.ts'
import type { WhoAmI } from '../portal/page.ts'

export function whoAmI(
  { address: text, identity }: Visitor,
  policy: Policy,
  ledger: Ledger,
  nowMs: number,
): WhoAmI {
  const address = parseAddress(text)
  const zone = address === null ? null : zoneOf(policy, address)
  const addressText = address === null ? text : formatAddress(address)
  const identify = zone?.identify ?? []
  const signedIn = identity?.kind === 'user' ? identity.user : null
  const who = { zone: zone?.name ?? null, address: addressText, identify, user: signedIn }
  const category = policy.categories.find((one): one is QuotaCategory => one.action === 'quota')
  const user = identity?.user ?? ownerOf(zone, addressText)
  if (zone === null || zone.quota === 'none' || category === undefined || user === null) {
    return { ...who, minutes: null }
  }
  const slot = ledger.find(ledgerKey({ zone: zone.name, user, category: category.name }))
  const day = localDay(policy.calendar, nowMs)
  const used = slot < 0 ? 0 : ledger.used(slot, day.number)
  const given = slot < 0 ? 0 : ledger.given(slot, day.number)
  const returns = formatTime(policy.calendar.timezone, day.endMs).slice(0, 16).replace('T', ' ')
  const limit = category.minutes + given
  return { ...who, minutes: { category: category.name, used, limit, returns } }
}

/** Whose minutes are counted of an address, where the address alone says it; else null. */
function ownerOf(zone: Zone | null, addressText: string): string | null {
  if (zone === null || zone.identify.includes('basic')) return null
  return zone.identify[0] === 'network' ? zone.name : addressText
}
