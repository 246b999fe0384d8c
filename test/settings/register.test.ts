/**
 * Owns: what a register means, and what is said of one that is wrong: every fault, in its place.
 * Never: touches a disk.
 */
import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { exemptionFor, localDay, noLabels } from '../../src/policy/index.ts'
import { formatProblem } from '../../src/settings/problems.ts'
import {
  loadRegister,
  parseRegister,
  type RegisterContext,
  referenceOf,
} from '../../src/settings/register.ts'
import { REGISTER_BYTES_MAX, REGISTER_ROWS_MAX } from '../../src/settings/register-yaml.ts'

const context: RegisterContext = {
  file: '/etc/sluss/exemptions.yaml',
  platforms: [
    { name: 'facebook', bit: 0 },
    { name: 'instagram', bit: 3 },
    { name: 'youtube', bit: 31 },
  ],
  calendar: { timezone: 'Europe/Stockholm', startsMinute: 0 },
  nowMs: Date.parse('2026-06-15T12:00:00Z'),
}

const FIELDS: Record<string, string> = {
  user: 'anna',
  platforms: '[facebook]',
  purpose: 'Sidan',
  department: 'KLK',
  decidedBy: 'Chefen',
  dnr: 'KS 2026/1',
  from: '2026-01-01',
  until: '2026-12-31',
}

/** A row of YAML: the usual one, with some fields changed; null takes a field away. */
function row(changes: Record<string, string | null> = {}): string {
  const fields = Object.entries({ ...FIELDS, ...changes }).filter(([, value]) => value !== null)
  return `- ${fields.map(([name, value]) => `${name}: ${value}`).join('\n  ')}\n`
}

function load(text: string | Uint8Array, changes: Partial<RegisterContext> = {}) {
  const found = parseRegister(Buffer.from(text), { ...context, ...changes })
  const say = (problem: Parameters<typeof formatProblem>[0]) => formatProblem(problem, '/etc/sluss')
  return {
    found,
    rows: found.ok ? found.rows : [],
    exemptions: found.ok ? found.exemptions : [],
    problems: found.ok ? [] : found.problems.map(say),
    warnings: found.ok ? found.warnings.map(({ kind }) => kind) : [],
  }
}

describe('a register that holds', () => {
  it('is read whole, with its lines', () => {
    const text = `# register\n\n${row({ user: ' Anna.Andersson ' })}${row({ user: null, group: 'Press', platforms: 'all' })}`
    const { rows } = load(text)
    expect(rows).toEqual([
      {
        row: 1,
        line: 3,
        user: 'anna.andersson',
        platforms: ['facebook'],
        purpose: 'Sidan',
        department: 'KLK',
        decidedBy: 'Chefen',
        dnr: 'KS 2026/1',
        from: '2026-01-01',
        until: '2026-12-31',
      },
      expect.objectContaining({ row: 2, line: 11, group: 'press', platforms: 'all' }),
    ])
  })

  it('is compiled to what the policy compares', () => {
    const { exemptions } = load(
      row({ platforms: '[youtube, instagram, youtube]' }) +
        row({ user: null, group: 'press', platforms: 'all', dnr: '""' }),
    )
    expect(exemptions).toEqual([
      {
        reference: 'KS 2026/1',
        subject: { kind: 'user', name: 'anna' },
        platforms: (1 << 31) | (1 << 3),
        fromMs: Date.parse('2025-12-31T23:00:00Z'),
        untilMs: Date.parse('2026-12-31T23:00:00Z'),
        decision: { by: 'Chefen', dnr: 'KS 2026/1', date: '' },
      },
      expect.objectContaining({
        reference: 'row 2',
        subject: { kind: 'group', name: 'press' },
        platforms: 'all',
      }),
    ])
  })

  it.each([
    ['nothing', ''],
    ['a comment', '# none yet\n'],
    ['an empty list', '[]\n'],
    ['an empty list after a mark', '---\n[] # none yet\n'],
  ])('may be empty: %s', (_name, text) => {
    const { found } = load(text)
    expect(found).toMatchObject({ ok: true, rows: [], exemptions: [], warnings: [] })
  })

  it.each([
    ['a number that is a name', { user: '007' }, { user: '007' }],
    ['a word that YAML might mean something by', { user: 'no' }, { user: 'no' }],
    ['a number that is a diary number', { dnr: '2026' }, { dnr: '2026' }],
    ['a date in quotes', { from: '"2026-01-01"' }, { from: '2026-01-01' }],
    ['folded text', { purpose: '>\n    Sidan\n    och mer' }, { purpose: 'Sidan och mer' }],
    [
      'flow style',
      { platforms: '\n    - facebook\n    - youtube' },
      { platforms: ['facebook', 'youtube'] },
    ],
    ['one day', { from: '2026-12-31' }, { from: '2026-12-31', until: '2026-12-31' }],
  ])('takes %s', (_name, changes, expected) => {
    const { rows, problems } = load(row(changes))
    expect(problems).toEqual([])
    expect(rows[0]).toMatchObject(expected)
  })

  it('reads Windows line ends and a byte order mark', () => {
    const { rows } = load(`\ufeff${row()}${row({ user: 'bo' })}`.replaceAll('\n', '\r\n'))
    expect(rows.map(({ user, line }) => [user, line])).toEqual([
      ['anna', 1],
      ['bo', 9],
    ])
  })

  it('comes with its warnings, and counts all the same', () => {
    const { warnings, exemptions } = load(row({ until: '2026-06-14' }) + row({ dnr: '' }))
    expect(warnings).toEqual(['expired', 'dnr-missing'])
    expect(exemptions).toHaveLength(2)
  })

  it('knows a version by its bytes', () => {
    const sha = (text: string) => {
      const { found } = load(text)
      return found.ok ? found.sha256 : ''
    }
    expect(sha(row())).toMatch(/^[0-9a-f]{64}$/)
    expect(sha(row())).toBe(sha(row()))
    expect(sha(row())).not.toBe(sha(`${row()}# more\n`))
  })

  it('is what ships: empty, and its example holds once the marks are taken away', () => {
    const text = readFileSync(new URL('../../config/exemptions.yaml', import.meta.url), 'utf8')
    expect(load(text).found).toMatchObject({ ok: true, rows: [] })
    const example = text.split('\n').filter((line) => /^# [- ] \w+: /.test(line))
    const { rows, problems } = load(example.map((line) => line.slice(2)).join('\n'))
    expect(problems).toEqual([])
    expect(rows).toHaveLength(1)
  })
})

describe('days', () => {
  const holds = (text: string, at: string, startsMinute = 0) => {
    const { exemptions } = load(text, {
      calendar: { timezone: 'Europe/Stockholm', startsMinute },
    })
    const identity = { kind: 'user', user: 'anna', groups: [] } as const
    const labels = { ...noLabels(), platforms: 1 }
    return exemptionFor(exemptions, identity, labels, Date.parse(at)) !== null
  }

  it('hold from the first local moment to the last, also where the clocks change', () => {
    const text = row({ from: '2026-03-29', until: '2026-10-25' })
    expect(holds(text, '2026-03-28T23:59:59+01:00')).toBe(false)
    expect(holds(text, '2026-03-29T00:00:00+01:00')).toBe(true)
    expect(holds(text, '2026-10-25T23:59:59+01:00')).toBe(true)
    expect(holds(text, '2026-10-26T00:00:00+01:00')).toBe(false)
  })

  it('start when the calendar says that a day starts', () => {
    const text = row({ from: '2026-05-01', until: '2026-05-01' })
    expect(holds(text, '2026-05-01T03:59:59+02:00', 240)).toBe(false)
    expect(holds(text, '2026-05-01T04:00:00+02:00', 240)).toBe(true)
    expect(holds(text, '2026-05-02T03:59:59+02:00', 240)).toBe(true)
    expect(holds(text, '2026-05-02T04:00:00+02:00', 240)).toBe(false)
  })

  it('are one whole local day each, whatever the date', () => {
    const dates = fc.integer({ min: 10_957, max: 40_000 })
    fc.assert(
      fc.property(dates, fc.integer({ min: 0, max: 1_439 }), (number, startsMinute) => {
        const date = new Date(number * 86_400_000).toISOString().slice(0, 10)
        const calendar = { timezone: 'Europe/Stockholm', startsMinute }
        const { exemptions } = load(row({ from: date, until: date }), { calendar })
        const { fromMs, untilMs } = exemptions[0]!
        const day = localDay(calendar, fromMs)
        expect([day.date, day.startMs, day.endMs]).toEqual([date, fromMs, untilMs])
      }),
    )
  })
})

describe('a register that does not hold', () => {
  it.each([
    ['no one', { user: null }, /:1: row 1 — expected exactly one of user and group; .*neither/],
    ['two', { group: 'press' }, /:1: row 1 — expected exactly one of user and group; .*both/],
    ['a name with controls', { user: '"a\\u0007"' }, /:1: row 1: user: "a\\u0007" — .*none hidden/],
    ['a name that turns', { user: '"a\\u202e"' }, /:1: row 1: user: "a\\u202e" — .*none hidden/],
    ['a long name', { user: 'a'.repeat(101) }, /:1: row 1: user: "a+…" — .*1 to 100 characters/],
    [
      'an unknown platform',
      { platforms: '[facebok]' },
      /:2: row 1: platforms\[0\]: "facebok" — .*did you mean facebook\?/,
    ],
    [
      'a platform nobody knows',
      { platforms: '[icq]' },
      /:2: .*known are facebook, instagram, youtube/,
    ],
    [
      'all among others',
      { platforms: '[facebook, all]' },
      /:2: row 1: platforms\[1\]: "all" — .*write platforms: all/,
    ],
    [
      'one without brackets',
      { platforms: 'youtube' },
      /:2: row 1: platforms: "youtube" — .*write \[youtube\]/,
    ],
    ['no platforms', { platforms: '[]' }, /:2: .*the list is empty/],
    [
      'a platform list of lists',
      { platforms: '[[facebook]]' },
      /:2: row 1: platforms: a list — expected a list of platforms/,
    ],
    ['no purpose', { purpose: null }, /:1: row 1: purpose — expected .*; it is missing/],
    ['an empty purpose', { purpose: '' }, /:3: row 1: purpose — expected .*; it is missing/],
    [
      'a blank department',
      { department: '"  "' },
      /:4: row 1: department: " {2}" — expected .*; it is empty/,
    ],
    [
      'a group of keys',
      { decidedBy: '{ a: b }' },
      /:5: row 1: decidedBy: a group of keys — expected who decided/,
    ],
    [
      'an endless text',
      { purpose: 'x'.repeat(501) },
      /:3: row 1: purpose: "x+…" — .*more than 500/,
    ],
    ['no dnr', { dnr: null }, /:1: row 1: dnr — expected the diary number/],
    [
      'a date that is not',
      { from: '2026-02-29' },
      /:7: row 1: from: "2026-02-29" — .*no such date/,
    ],
    ['a date with a time', { from: '2026-02-28T10:00' }, /:7: row 1: from: .*no such date/],
    ['a Swedish date', { until: '31/12 2026' }, /:8: row 1: until: .*no such date/],
    [
      'a date in another age',
      { until: '9999-12-31' },
      /:8: row 1: until: .*from 2000-01-01 to 2999/,
    ],
    [
      'an end before the start',
      { until: '2025-12-31' },
      /:8: row 1: until: "2025-12-31" — expected a day not before from, 2026-01-01/,
    ],
    [
      'a misspelt key',
      { purpse: 'x' },
      /:9: row 1: purpse — there is no such key; did you mean purpose\?/,
    ],
    [
      'an unknown key',
      { comment: 'x' },
      /:9: row 1: comment — there is no such key; the keys are user,/,
    ],
  ])('names %s', (_name, changes, expected) => {
    const { problems, rows } = load(row(changes))
    expect(problems).toHaveLength(1)
    expect(problems[0]).toMatch(expected)
    expect(problems[0]).toMatch(/^exemptions\.yaml:\d+: /)
    expect(rows).toEqual([])
  })

  it.each([
    ['a group', 'user: anna\n', /:1: expected a list of rows; start each row with "- user:"/],
    ['a word', 'anna\n', /:1: expected a list of rows/],
    ['a row that is a word', '- anna\n', /:1: row 1: "anna" — expected a row with the keys/],
    ['an empty row', `${row()}-\n`, /:9: row 2 — expected a row .*; the row is empty/],
    ['a key twice', '- user: a\n  user: b\n', /:2: expected YAML; a key is given twice/],
    [
      'an alias',
      `${row({ user: '&a anna' })}- *a\n`,
      /:9: expected no aliases; \*a; write the value out/,
    ],
    ['a tab', '- user: anna\n\tgroup: x\n', /:2: expected YAML; a tab stands/],
    ['two documents', '[]\n---\n[]\n', /:2: expected YAML; the file holds several documents/],
    ['too many levels', '- '.repeat(5_000), /:1: expected YAML; its levels are too many/],
  ])('names %s', (_name, text, expected) => {
    expect(load(text).problems[0]).toMatch(expected)
  })

  it('names the line of a character that is not UTF-8', () => {
    const { problems } = load(Buffer.from(row({ purpose: 'Förskolan' }), 'latin1'))
    expect(problems).toEqual([
      'exemptions.yaml:3: expected text in UTF-8; a character is not UTF-8; save the file as UTF-8; å, ä and ö are often what is wrong',
    ])
  })

  it('tells everything at once, from the top down', () => {
    const text =
      row({ platforms: '[facebok]', until: '2025-01-01', foo: 'x' }) +
      row() +
      row({ user: null, purpose: '', from: 'yesterday' })
    const places = load(text).problems.map((problem) => /:(\d+): (row \d)/.exec(problem)?.slice(1))
    expect(places).toEqual([
      ['2', 'row 1'],
      ['8', 'row 1'],
      ['9', 'row 1'],
      ['18', 'row 3'],
      ['19', 'row 3'],
      ['23', 'row 3'],
    ])
  })

  it('is bounded in size, rows and words', () => {
    expect(load(Buffer.alloc(REGISTER_BYTES_MAX + 1, 0x20)).problems[0]).toMatch(/at most 8388608/)
    expect(load('- a\n'.repeat(REGISTER_ROWS_MAX + 1)).problems).toEqual([
      'exemptions.yaml: expected at most 10000 rows; it has 10001 rows',
    ])
    expect(load('- a\n'.repeat(1_000)).problems).toHaveLength(200)
  })

  it('never throws for what stands in it', () => {
    const words = fc.constantFrom(
      '- ',
      'user: ',
      'from: ',
      '\n',
      '  ',
      '[',
      ']',
      '{',
      'a',
      '&a ',
      '*a',
      '#',
      '"',
      '2026-01-01',
      '__proto__: ',
    )
    const texts = fc.oneof(
      fc.string(),
      fc.array(words, { maxLength: 30 }).map((all) => all.join('')),
    )
    fc.assert(
      fc.property(texts, (text) => {
        const { found } = load(text)
        if (!found.ok) expect(found.problems.length).toBeGreaterThan(0)
      }),
      { numRuns: 500 },
    )
  })
})

describe('loadRegister', () => {
  const load = (readFile: (file: string) => Uint8Array) => loadRegister({ ...context, readFile })
  const failing = (code: string) => () => {
    throw Object.assign(new Error(code), { code })
  }

  it('reads the file', () => {
    const found = load((file) => Buffer.from(row({ purpose: file })))
    expect(found.ok && found.rows[0]?.purpose).toBe('/etc/sluss/exemptions.yaml')
    expect(found.ok && referenceOf(found.rows[0]!)).toBe('KS 2026/1')
  })

  it.each([
    ['ENOENT', /there is no such file; make it/],
    ['EACCES', /it may not be read/],
    ['EISDIR', /it is a folder/],
    ['EIO', /it cannot be read \(EIO\)/],
  ])('says why it cannot: %s', (code, expected) => {
    const found = load(failing(code))
    expect(found.ok ? '' : formatProblem(found.problems[0]!)).toMatch(expected)
  })
})
