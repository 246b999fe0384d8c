/**
 * Owns: what deserves a look in a register that is valid: rows over or nearly so, rows that say the same, no dnr.
 * Never: keeps a row from counting.
 */
import { dayNumber } from '../policy/index.ts'
import type { Problem } from './problems.ts'
import type { RegisterRow } from './register.ts'

export type WarningKind = 'expired' | 'expires-soon' | 'overlap' | 'dnr-missing'

export interface RegisterWarning extends Problem {
  readonly kind: WarningKind
  /** 1-based. */
  readonly row: number
}

/** Time to ask the department whether the need remains. */
export const EXPIRES_SOON_DAYS = 30

/** The warnings of `rows`, in their order. `today` is the number of the local day. */
export function warningsOf(
  rows: readonly RegisterRow[],
  place: { readonly file: string; readonly today: number },
): RegisterWarning[] {
  const { file, today } = place
  const warnings: RegisterWarning[] = []
  const earlier = new Map<string, RegisterRow[]>()
  for (const row of rows) {
    const warn = (kind: WarningKind, key: string, words: { what: string; hint: string }) => {
      const at = { file, line: row.line, key: `row ${row.row}: ${key}`, value: nameOf(row) }
      warnings.push({ ...at, expected: '', ...words, kind, row: row.row })
    }
    const left = dayNumber(row.until)! - today
    const expired = left < 0
    if (expired) {
      const hint = 'it may stay as a record, or be taken away: the history keeps it'
      warn('expired', 'until', { what: `it ended on ${row.until}`, hint })
    } else if (left <= EXPIRES_SOON_DAYS) {
      const hint = 'add a new row if the need remains'
      warn('expires-soon', 'until', { what: `it ends on ${row.until}`, hint })
    }
    if (row.dnr === '') {
      warn('dnr-missing', 'dnr', { what: 'it has no diary number', hint: 'register the decision' })
    }
    if (expired) continue
    const same = earlier.get(nameOf(row)) ?? []
    earlier.set(nameOf(row), same)
    const twin = same.find((other) => overlap(other, row))
    if (twin !== undefined) {
      const shared = sharedPlatforms(twin, row).join(', ')
      const what = `row ${twin.row} (line ${twin.line}) has the same days for ${shared}`
      warn('overlap', 'platforms', { what, hint: 'keep one of them, or divide the days' })
    }
    same.push(row)
  }
  return warnings
}

function nameOf({ user, group }: RegisterRow): string {
  return user === undefined ? `group ${group}` : `user ${user}`
}

function overlap(a: RegisterRow, b: RegisterRow): boolean {
  return a.from <= b.until && b.from <= a.until && sharedPlatforms(a, b).length > 0
}

function sharedPlatforms(a: RegisterRow, b: RegisterRow): readonly string[] {
  if (a.platforms === 'all') return b.platforms === 'all' ? ['all platforms'] : b.platforms
  if (b.platforms === 'all') return a.platforms
  const named = new Set(b.platforms)
  return a.platforms.filter((name) => named.has(name))
}
