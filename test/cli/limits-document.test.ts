/**
 * Owns: that docs/limits.md leaves out no limit. That it is up to date, check.test.ts says.
 * Never: repeats a figure.
 */
import { describe, expect, it } from 'vitest'
import { limitsDocument } from '../../src/cli/limits-document.ts'
import { REASONS, type ReasonEntry } from '../../src/policy/index.ts'
import { settingEntries } from '../../src/settings/outline.ts'

const text = limitsDocument()
const rows = text.split('\n').filter((line) => line.startsWith('| '))

/** Too slow, too long, too often, too large, or no room: what a limit answers with. */
const STATUSES = [408, 414, 429, 431, 503, 504]

describe('docs/limits.md', () => {
  it('has a row for every limit of the settings, with its default', () => {
    const keys = settingEntries().filter(({ key }) => key.startsWith('limits.'))
    expect(keys.length).toBeGreaterThan(20)
    for (const { key, defaultValue } of keys) {
      const own = rows.filter((row) => row.startsWith(`| \`${key}\` | `))
      expect([key, own.length]).toEqual([key, 1])
      expect(own[0]).toContain(` | ${defaultValue} | `)
    }
  })

  it('names every reason that a limit answers with', () => {
    const reasons = Object.entries<ReasonEntry>(REASONS)
      .filter(([, { status }]) => STATUSES.includes(status))
      .map(([code]) => code)
    expect(reasons.length).toBeGreaterThan(8)
    expect(reasons.filter((code) => !rows.some((row) => row.includes(`\`${code}\``)))).toEqual([])
  })

  it('has a figure in every row of what is no setting', () => {
    const constants = rows.filter((row) => row.includes('` in '))
    expect(constants.length).toBeGreaterThan(15)
    for (const row of constants) expect(row).toMatch(/^\| [^|]+ \| \d[\d,]*(?: [a-z]+)? \|/)
  })
})
