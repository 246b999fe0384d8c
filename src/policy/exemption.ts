/**
 * Owns: whether a row of the register covers a person, a host and a moment.
 * Never: reads the register; settings compiles it.
 */
import type { Exemption, Labels } from './policy.ts'
import type { Identity } from './user.ts'

/**
 * The first row in force at `nowMs` that covers `identity` on a host with `labels`, or null. A host of
 * several platforms (a shared CDN) is covered where any of them is. A register is for people: an
 * identity that is only an address or a network is matched by its name, never by a group.
 */
export function exemptionFor(
  exemptions: readonly Exemption[],
  identity: Identity,
  labels: Labels,
  nowMs: number,
): Exemption | null {
  for (const row of exemptions) {
    if (nowMs < row.fromMs || nowMs >= row.untilMs) continue
    if (row.platforms !== 'all' && (row.platforms & labels.platforms) === 0) continue
    if (concerns(row, identity)) return row
  }
  return null
}

/** True where the row names this person, or a group that the person is in. */
export function concerns(row: Exemption, identity: Identity): boolean {
  return row.subject.kind === 'user'
    ? row.subject.name === identity.user
    : identity.groups.includes(row.subject.name)
}
