import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  CELL_LENGTH_MAX,
  CSV_HEADER,
  csvLine,
  jsonObject,
  printable,
  TABLE_HEADER,
  tableCells,
} from '../../src/traffic/print.ts'
import { TRAFFIC_COLUMNS, type TrafficRow } from '../../src/traffic/schema.ts'

const ROW: TrafficRow = {
  time: '2026-11-21T12:00:00+01:00',
  epoch_ms: 1,
  ...{ zone: 'office', user: 'anna', identity: 'user', address: '10.1.2.3', method: 'GET' },
  ...{ host: 'www.example.se', port: 80, path: '', categories: '', platforms: '' },
  ...{ verdict: 'allow', reason: 'default', rule: 'default', decision: '' },
  ...{ bytes_up: 1, bytes_down: 2, duration_ms: 3, status: 200 },
  ...{ event: 'whole', ending: 'complete', hello: '', server_name: '' },
  ...{ flow: 1, run: 'r', thread: 0, count: 1 },
}

const HOSTILE = [
  'two\nlines',
  'two\r\nlines',
  '\u001b[2J\u001b]0;title\u0007',
  '\u009b31m',
  'nul\u0000here',
  '=HYPERLINK("http://evil.example","x")',
  '+1',
  '-1',
  '@SUM(A1)',
  '\t=1',
  '\r=1',
  'a,b',
  'say "hi"',
  '\u202egnp.exe',
  'zero\u200bwidth',
  '\u2028',
  'a'.repeat(65_536),
]

/** What acts on a terminal, or ends a line. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: controls are what this looks for
const ACTS = /[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\ufeff]/

/** A reader of RFC 4180, plain and slow: records of cells. */
function readCsv(text: string): string[][] {
  const records: string[][] = [[]]
  let cell = ''
  let quoted = false
  for (let i = 0; i < text.length; i++) {
    const character = text[i]!
    if (quoted) {
      if (character === '"' && text[i + 1] === '"') {
        cell += '"'
        i++
      } else if (character === '"') quoted = false
      else cell += character
    } else if (character === '"') quoted = true
    else if (character === ',' || character === '\r') {
      records.at(-1)!.push(cell)
      cell = ''
      if (character === '\r') {
        expect(text[i + 1]).toBe('\n')
        i++
        records.push([])
      }
    } else cell += character
  }
  expect(records.pop()).toEqual([])
  return records
}

describe('CSV', () => {
  test('has the columns of the view', () => {
    expect(CSV_HEADER).toBe(`${TRAFFIC_COLUMNS.join(',')}\r\n`)
    const [cells] = readCsv(csvLine(ROW))
    expect(cells).toEqual(TRAFFIC_COLUMNS.map((column) => String(ROW[column])))
  })

  for (const text of HOSTILE) {
    test(`is harmless with ${JSON.stringify(text.slice(0, 40))}`, () => {
      const line = csvLine({ ...ROW, host: text, user: text })
      expect(line.slice(0, -2)).not.toMatch(ACTS)
      const records = readCsv(line)
      expect(records).toHaveLength(1)
      expect(records[0]).toHaveLength(TRAFFIC_COLUMNS.length)
      for (const cell of records[0]!) expect(cell).not.toMatch(/^[=+\-@\t\r]/)
      const host = records[0]![TRAFFIC_COLUMNS.indexOf('host')]!
      expect(host.replace(/^'(?=[=+\-@\\])/, '')).toBe(printable(text))
    })
  }
})

describe('JSON', () => {
  for (const text of HOSTILE) {
    test(`is exact and harmless with ${JSON.stringify(text.slice(0, 40))}`, () => {
      const json = jsonObject({ ...ROW, host: text })
      expect(json).not.toMatch(ACTS)
      expect(JSON.parse(json)).toEqual({ ...ROW, host: text })
    })
  }
})

describe('the table', () => {
  for (const text of HOSTILE) {
    test(`is harmless with ${JSON.stringify(text.slice(0, 40))}`, () => {
      const cells = tableCells({ ...ROW, host: text, user: text, rule: text })
      expect(cells).toHaveLength(TABLE_HEADER.length)
      for (const cell of cells) {
        expect(cell).not.toMatch(ACTS)
        expect(cell.length).toBeLessThanOrEqual(CELL_LENGTH_MAX)
      }
    })
  }

  test('writes an IPv6 host as in a URL, and a gap as what it is', () => {
    expect(tableCells({ ...ROW, host: '2001:db8::1', port: 443 })).toContain('[2001:db8::1]:443')
    const gap = tableCells({ ...ROW, event: 'gap', count: 17, host: '', port: 0 })
    expect(gap[TABLE_HEADER.indexOf('ENDING')]).toBe('gap: 17 records missing')
    expect(gap).toContain('')
  })

  test('says what a hello was, where it was not simply for the host', () => {
    const cell = (row: Partial<TrafficRow>) =>
      tableCells({ ...ROW, host: 'a.se', ...row })[TABLE_HEADER.indexOf('HELLO')]
    expect(cell({})).toBe('')
    expect(cell({ hello: 'matched', server_name: 'a.se' })).toBe('')
    expect(cell({ hello: 'matched', server_name: 'b.se', host: '192.0.2.1' })).toBe('matched b.se')
    expect(cell({ hello: 'mismatch', server_name: 'b.se' })).toBe('mismatch b.se')
    expect(cell({ hello: 'not-tls' })).toBe('not-tls')
  })
})

test('any text is one harmless line in every form', () => {
  const text = fc.string({ unit: 'binary', maxLength: 30 })
  fc.assert(
    fc.property(text, text, text, (user, host, path) => {
      const row = { ...ROW, user, host, path }
      expect(readCsv(csvLine(row))).toHaveLength(1)
      expect(csvLine(row).slice(0, -2)).not.toMatch(ACTS)
      expect(jsonObject(row)).not.toMatch(ACTS)
      expect(JSON.parse(jsonObject(row))).toEqual(row)
      expect(tableCells(row).join('')).not.toMatch(ACTS)
    }),
  )
})
