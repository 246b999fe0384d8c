/**
 * Owns: what platforms.yaml may hold, with the lines that the lists are built from.
 * Never: judges the shipped platforms' domains.
 */
import { describe, expect, it } from 'vitest'
import { PLATFORMS_MAX } from '../../src/policy/index.ts'
import { readPlatforms } from '../../src/settings/platforms.ts'
import { formatProblem } from '../../src/settings/problems.ts'
import { PLATFORMS } from './memory.ts'

/** `expected`: a part of each problem, in order. */
function check(name: string, text: string, expected: string[]) {
  it(name, () => {
    const { problems, platforms } = readPlatforms('/f', text)
    const said = problems.map((problem) => formatProblem(problem, '/'))
    expect(said).toEqual(expected.map((part) => expect.stringContaining(part)))
    if (expected.length > 0) expect(platforms).toEqual([])
  })
}

const one = (keys: string) => `a: { title: A, ${keys} }\n`

describe('platforms.yaml', () => {
  it('gives bits in the order of the file, and the line of every domain', () => {
    const { platforms, problems } = readPlatforms('/f', `# first\n${PLATFORMS}`)
    expect(problems).toEqual([])
    expect(platforms.map(({ name, bit, optional }) => [name, bit, optional])).toEqual([
      ['facebook', 0, false],
      ['youtube', 1, true],
      ['tiktok', 2, false],
    ])
    expect(platforms[0]).toMatchObject({
      title: 'Facebook',
      domains: [
        { text: 'facebook.com', line: 4 },
        { text: 'fbcdn.net', line: 4 },
      ],
      background: [{ text: 'connect.facebook.net', line: 5 }],
    })
  })

  check('any spelling of a host', one('domains: [Blogg.SE., räksmörgås.se, 192.0.2.1]'), [])
  check('a wildcard', one('domains: ["*.a.se"]'), ['subdomains are always included'])
  check('a URL', one('domains: [https://a.se/]'), ['write the host alone'])
  check('a port', one('domains: ["a.se:443"]'), ['write the host alone'])
  check('a top-level domain', one('domains: [se]'), ['/f:1: a.domains[0]: "se"'.slice(1)])
  check('no domains', one('domains: []'), [
    'a.domains: a list — expected a list of domains, at least one',
  ])
  check('a domain twice', one('domains: [b.se, B.se]'), [
    'a.domains[1]: "B.se" — it stands in a.domains already',
  ])
  check('a domain for and against', one('domains: [b.se], background: [b.se]'), ['a.background[0]'])
  check('no title', 'a: { domains: [b.se] }\n', ['a.title — expected text in quotes'])
  check('an unknown key', one('domains: [b.se], domain: c.se'), ['did you mean domains?'])
  check('optional in words', one('domains: [b.se], optional: yes'), ['expected true or false'])
  check('a bad name', 'Face Book: { title: F, domains: [b.se] }\n', ['f:1: ["Face Book"]'])
  check('a list', '- a\n', ['expected a group of platforms by name'])
  check('an empty file', '', ['expected a group of platforms by name; the file is empty'])

  const many = (n: number) =>
    Array.from({ length: n }, (_, i) => `p${i}: { title: P, domains: [p${i}.se] }\n`).join('')
  check('as many as there are bits', many(PLATFORMS_MAX), [])
  check('one more', many(PLATFORMS_MAX + 1), [
    `f:${PLATFORMS_MAX + 1}: p${PLATFORMS_MAX} — expected at most`,
  ])
})
