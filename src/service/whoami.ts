/**
 * Owns: what the portal tells a visitor of themselves, by the address they come from.
 * Never: tells anything of a person who signs in by name: an address does not prove who sits there.
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
  zoneOf,
} from '../policy/index.ts'
import type { WhoAmI } from '../portal/page.ts'

export function whoAmI(text: string, policy: Policy, ledger: Ledger, nowMs: number): WhoAmI {
  const address = parseAddress(text)
  const zone = address === null ? null : zoneOf(policy, address)
  const addressText = address === null ? text : formatAddress(address)
  const identify = zone?.identify ?? []
  const who = { zone: zone?.name ?? null, address: addressText, identify }
  const category = policy.categories.find((one): one is QuotaCategory => one.action === 'quota')
  const byName = identify.includes('basic')
  if (zone === null || zone.quota === 'none' || category === undefined || byName) {
    return { ...who, minutes: null }
  }
  const user = identify[0] === 'network' ? zone.name : addressText
  const slot = ledger.find(ledgerKey({ zone: zone.name, user, category: category.name }))
  const day = localDay(policy.calendar, nowMs)
  const used = slot < 0 ? 0 : ledger.used(slot, day.number)
  const given = slot < 0 ? 0 : ledger.given(slot, day.number)
  const returns = formatTime(policy.calendar.timezone, day.endMs).slice(0, 16).replace('T', ' ')
  const limit = category.minutes + given
  return { ...who, minutes: { category: category.name, used, limit, returns } }
}
