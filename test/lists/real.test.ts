/**
 * Lists as they are published, where they lie beside the project: every file of them loads. They
 * are not part of it, so elsewhere these tests are skipped.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { compileLists } from '../../src/lists/compile.ts'
import type { ParsedLines } from '../../src/lists/lines.ts'
import { locate } from '../../src/lists/locate.ts'
import { Lookup } from '../../src/lists/lookup.ts'
import { readList } from '../../src/lists/read.ts'
import { noLabels } from '../../src/policy/policy.ts'
import { plainSource } from '../../src/policy/source.ts'
import { porn } from './images.ts'

const LISTS = new URL('../../../shared/lists/', import.meta.url)
const present = existsSync(LISTS)
const namesIn = (folder: string) =>
  present ? readdirSync(new URL(folder, LISTS)).map((name) => `${folder}${name}`) : []
/** Categories as folders, hosts files as files. */
const NAMES = [
  ...namesIn('ut1/'),
  ...namesIn('hosts/').filter((name) => !name.includes('LICENSE')),
].sort()

const sourceOf = (name: string) =>
  plainSource({ name, target: porn, file: new URL(name, LISTS).pathname, entries: null })

async function read(name: string): Promise<ParsedLines> {
  const parsed = await readList(sourceOf(name), () => {})
  if ('what' in parsed) throw new Error(`${name}: ${parsed.what}`)
  return parsed
}

/** Lines with content, names used, and what is not used, by reason. */
const EXPECTED: Readonly<Record<string, readonly [number, number, Record<string, number>]>> = {
  'hosts/facebook.txt': [22_362, 22_362, {}],
  'hosts/gambling-hosts': [2_642, 2_642, {}],
  'hosts/pornography-hosts': [61_186, 61_186, { 'not-a-site': 1 }],
  'hosts/social-hosts': [3_245, 3_244, { 'not-a-site': 1 }],
  'hosts/tiktok.txt': [3_725, 3_725, {}],
  'hosts/twitter.txt': [1_193, 1_193, {}],
  'ut1/agressif': [396, 360, { url: 36 }],
  'ut1/blog': [1_500, 1_497, { url: 3 }],
  'ut1/dating': [6_519, 6_504, { url: 15 }],
  'ut1/doh': [3_016, 3_015, { url: 1 }],
  'ut1/gambling': [32_252, 32_247, { url: 5 }],
  'ut1/games': [35_396, 33_741, { url: 1_655 }],
  'ut1/redirector': [132_616, 132_323, { url: 293 }],
  'ut1/shortener': [4_558, 4_558, {}],
  'ut1/social_networks': [716, 715, { url: 1 }],
  'ut1/vpn': [6_039, 6_039, {}],
}

describe.skipIf(!present)(`${NAMES.length} published lists`, () => {
  test.each(NAMES)('%s: what is used, and what is not, by reason', async (name) => {
    const { format, contentLines, nameLines, rejected } = await read(name)
    expect(format).toBe(name.startsWith('ut1/') ? 'ut1' : 'hosts')
    const reasons = Object.fromEntries(rejected.map(({ reason, count }) => [reason, count]))
    expect([contentLines, nameLines.length, reasons]).toEqual(EXPECTED[name])
  })

  test('all together: what a list names is found, in that list and at that line', async () => {
    const result = await compileLists(NAMES.map(sourceOf))
    if (result.kind === 'failed') throw new Error(JSON.stringify(result.problems))
    expect(result.report.lists).toHaveLength(NAMES.length)
    expect(result.report.domains).toBeGreaterThan(300_000)
    const lookup = new Lookup(result.buffer)
    const labels = noLabels()
    for (const name of NAMES) {
      const file = name.startsWith('ut1/') ? `${name}/domains` : name
      const text = readFileSync(new URL(file, LISTS), 'utf8').toLowerCase()
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

  test('the collection whole: of its categories, one is to be named', async () => {
    const source = sourceOf('ut1')
    expect(await readList(source, () => {})).toMatchObject({
      what: expect.stringContaining('10 lists in it: agressif, blog, dating, doh, gambling, games'),
    })
    const parsed = await readList({ ...source, member: 'doh' }, () => {})
    expect('what' in parsed ? parsed : parsed.nameLines.length).toBe(3_015)
  })
})
