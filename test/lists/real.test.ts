/**
 * Lists as they are published, where they lie beside the project: every file of them loads. They
 * are not part of it, so elsewhere these tests are skipped.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { compileLists } from '../../src/lists/compile.ts'
import { parseLines } from '../../src/lists/lines.ts'
import { locate } from '../../src/lists/locate.ts'
import { Lookup } from '../../src/lists/lookup.ts'
import { noLabels } from '../../src/policy/policy.ts'
import { plainSource } from '../../src/policy/source.ts'
import { porn } from './images.ts'

const LISTS = new URL('../../../shared/lists/', import.meta.url)
const present = existsSync(LISTS)
const filesOf = (folder: string, wanted: RegExp) =>
  present
    ? readdirSync(new URL(folder, LISTS), { recursive: true, encoding: 'utf8' })
        .filter((name) => wanted.test(name))
        .map((name) => `${folder}${name}`)
        .sort()
    : []
const DOMAINS = [...filesOf('ut1/', /\/domains$/), ...filesOf('hosts/', /^(?!LICENSE)[^/]+$/)]
const URLS = filesOf('ut1/', /\/urls$/)

describe.skipIf(!present)(`${DOMAINS.length + URLS.length} published lists`, () => {
  test('all lists of domains together: next to no line is lost, and none silently', () => {
    const sources = DOMAINS.map((name) => {
      const file = new URL(name, LISTS).pathname
      return plainSource({ name, target: porn, file, entries: null })
    })
    const result = compileLists(sources)
    if (result.kind === 'failed') throw new Error(JSON.stringify(result.problems))
    expect(result.report.lists).toHaveLength(16)
    expect(result.report.domains).toBeGreaterThan(300_000)
    for (const { name, used, rejected } of result.report.lists) {
      expect(used, name).toBeGreaterThan(300)
      expect(rejected, name).toBeLessThanOrEqual(1)
    }
    const lookup = new Lookup(result.buffer)
    const labels = noLabels()
    for (const name of DOMAINS) {
      const text = readFileSync(new URL(name, LISTS), 'utf8').toLowerCase()
      const lines = text.split('\n').map((line) => line.replace(/^\S+ +(?=\S)/, '').trim())
      for (const [i, host] of lines.entries()) {
        if (i % 400 !== 0 || !/^[a-z0-9_-]+(\.[a-z0-9_-]+)+$/.test(host)) continue
        expect(lookup.match(host, labels), host).toBe(true)
        const here = locate(result.buffer, host).some(
          (found) => found.list === name && found.domain === host && found.line <= i + 1,
        )
        expect(here, `${name}:${i + 1}: ${host}`).toBe(true)
      }
    }
  })

  test.each(URLS)('%s: pages of sites are counted, not taken for the sites', (name) => {
    const parsed = parseLines(readFileSync(new URL(name, LISTS)))
    expect(parsed.lines).toBeGreaterThan(0)
    const pages = parsed.rejected.find(({ reason }) => reason === 'url')?.count ?? 0
    expect(parsed.rejectedCount + parsed.nameLines.length).toBe(parsed.contentLines)
    expect(pages / parsed.contentLines).toBeGreaterThan(0.5)
  })
})
