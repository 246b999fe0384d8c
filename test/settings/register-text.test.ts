/**
 * Owns: that an edit of the register's text moves what it is asked to move and not one character more.
 * Never: touches a disk.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseRegister } from '../../src/settings/register.ts'
import { fieldsOf, type RegisterFields } from '../../src/settings/register-row.ts'
import { withRow, withUntil } from '../../src/settings/register-text.ts'

const FIELDS: RegisterFields = {
  user: 'anna',
  platforms: ['facebook', 'youtube'],
  purpose: 'Sidan',
  department: 'KLK',
  decidedBy: 'Chefen',
  dnr: 'KS 2026/1',
  from: '2026-01-01',
  until: '2026-12-31',
}

const ROW = `- user: anna
  platforms: [facebook, youtube]
  purpose: Sidan
  department: KLK
  decidedBy: Chefen
  dnr: KS 2026/1
  from: 2026-01-01
  until: 2026-12-31
`

function read(text: string): RegisterFields[] {
  const found = parseRegister(Buffer.from(text), {
    file: 'exemptions.yaml',
    platforms: [
      { name: 'facebook', bit: 0 },
      { name: 'youtube', bit: 1 },
    ],
    calendar: { timezone: 'Europe/Stockholm', startsMinute: 0 },
    nowMs: Date.parse('2026-06-15T12:00:00Z'),
  })
  expect(found.ok ? [] : found.problems).toEqual([])
  return found.ok ? found.rows.map(fieldsOf) : []
}

const indented = (text: string, by: string) => text.replace(/^(?=.)/gm, by)

describe('withRow', () => {
  it.each<[name: string, before: string, after: string]>([
    ['in nothing', '', ROW],
    ['after comments', '# who\n', `# who\n${ROW}`],
    ['after a comment that is not ended', '# who', `# who\n${ROW}`],
    ['in the place of []', '# who\n[]\n', `# who\n${ROW}`],
    ['in the place of [] and nothing after', '[]', ROW],
    ['beside a comment', '[] # none yet\n# end\n', `# none yet\n${ROW}# end\n`],
    ['after a document mark', '---\n[]\n', `---\n${ROW}`],
    ['after a row', ROW, ROW + ROW],
    ['after a row that is not ended', ROW.trimEnd(), ROW + ROW],
    [
      'after a row with a comment',
      `${ROW.trimEnd()} # so be it\n`,
      `${ROW.trimEnd()} # so be it\n${ROW}`,
    ],
    ['after a comment of the row', `${ROW}  # see KS 2026/2\n`, `${ROW}  # see KS 2026/2\n${ROW}`],
    ['before a comment of its own', `${ROW}\n# end\n`, `${ROW}${ROW}\n# end\n`],
    ['with the gap of the others', `${ROW}\n${ROW}`, `${ROW}\n${ROW}\n${ROW}`],
    ['as far in as the others', indented(ROW, '  '), indented(ROW + ROW, '  ')],
    [
      'after a text of several lines',
      `${ROW.replace('purpose: Sidan\n', '')}  purpose: |\n    Sidan\n    och mer\n`,
      `${ROW.replace('purpose: Sidan\n', '')}  purpose: |\n    Sidan\n    och mer\n${ROW}`,
    ],
    ['with Windows line ends', ROW.replaceAll('\n', '\r\n'), (ROW + ROW).replaceAll('\n', '\r\n')],
  ])('%s', (_name, before, after) => expect(withRow(before, FIELDS)).toBe(after))

  it('keeps rows and comments of a register in flow style', () => {
    const text = `# who\n[\n  { user: bo, platforms: all, purpose: p, department: d, decidedBy: b, dnr: "1", from: 2026-01-01, until: 2026-12-31 } # bo\n]\n`
    const changed = withRow(text, FIELDS)
    expect(read(changed)).toEqual([...read(text), FIELDS])
    expect(changed).toMatch(/^# who\n/)
    expect(changed).toMatch(/# bo$/m)
  })

  it('quotes what other readers of YAML would take for something else', () => {
    const odd = { ...FIELDS, user: '007', purpose: 'Sidan: #1', department: 'no', dnr: '' }
    const text = withRow('', odd)
    expect(text).toContain('user: "007"')
    expect(text).toContain('dnr: ""')
    expect(read(text)).toEqual([odd])
  })

  const words = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 40 }).map((text) => {
    return text
      .replace(/\s+/g, ' ')
      .replace(/[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu, '')
  })
  const texts = words.map((text) => text.trim()).filter((text) => text !== '')
  const rows: fc.Arbitrary<RegisterFields> = fc
    .record({
      purpose: texts,
      department: texts,
      decidedBy: texts,
      dnr: fc.oneof(fc.constant(''), texts),
      platforms: fc.constantFrom('all' as const, ['facebook'], ['youtube', 'facebook']),
      until: fc.constantFrom('2026-01-01', '2027-05-05'),
      group: fc.boolean(),
    })
    .map(({ group, ...row }) => {
      const { platforms, purpose, department, decidedBy, dnr, until } = row
      const rest = { platforms, purpose, department, decidedBy, dnr, from: '2026-01-01', until }
      return group ? { group: 'press', ...rest } : { user: '0123', ...rest }
    })

  it('puts in any row, and the text before and after it stays', () => {
    fc.assert(
      fc.property(fc.array(rows, { maxLength: 4 }), rows, (before, added) => {
        let text = '# who\n\n'
        for (const row of before) text = withRow(text, row)
        text += '\n# end\n'
        const changed = withRow(text, added)
        expect(read(changed)).toEqual([...before, added])
        let same = 0
        while (changed[same] === text[same] && same < text.length) same++
        expect(changed.endsWith(text.slice(same))).toBe(true)
      }),
    )
  })
})

describe('withUntil', () => {
  const text = `# who\n${ROW}${ROW.replace('2026-12-31', '"2026-12-31"   # not longer')}\n# end\n`

  it('changes one date', () => {
    expect(withUntil(text, 1, '2026-06-14')).toBe(text.replace('2026-12-31', '2026-06-14'))
  })

  it('keeps the quotes around it, and the comment behind', () => {
    const changed = text.replace('"2026-12-31"   # not', '"2026-06-14"   # not')
    expect(withUntil(text, 2, '2026-06-14')).toBe(changed)
    const single = text.replaceAll('"', "'")
    expect(withUntil(single, 2, '2026-06-14')).toBe(changed.replaceAll('"', "'"))
  })

  it('changes a row in flow style', () => {
    const flow = '[{ user: bo, until: 2026-12-31 }, { user: eva, until: 2026-12-31 }] # x\n'
    const changed = '[{ user: bo, until: 2026-12-31 }, { user: eva, until: 2026-06-14 }] # x\n'
    expect(withUntil(flow, 2, '2026-06-14')).toBe(changed)
  })

  it('changes every row of any register, and no other', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 6 }), fc.nat(5), (count, at) => {
        const many = ROW.repeat(count)
        const position = (at % count) + 1
        const before = read(many)
        const after = read(withUntil(many, position, '2026-06-14'))
        expect(after).toEqual(
          before.map((row, i) => (i + 1 === position ? { ...row, until: '2026-06-14' } : row)),
        )
      }),
    )
  })
})
