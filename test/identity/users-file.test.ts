/**
 * Owns: reading and editing the users file: bad lines named, good ones kept, untouched lines untouched.
 * Never: touches a disk.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { UserEntry } from '../../src/identity/users-file.ts'
import {
  formatUser,
  hasLine,
  isFileGroup,
  isFileName,
  parseUsers,
  withHash,
  withoutUser,
  withUser,
} from '../../src/identity/users-file.ts'
import type { UserName } from '../../src/policy/user.ts'
import { parseUserName } from '../../src/policy/user.ts'

const HASH = `$scrypt$ln=15,r=8,p=1$${'A'.repeat(22)}$${'A'.repeat(43)}`
const OTHER = `$scrypt$ln=15,r=8,p=1$${'Q'.repeat(22)}$${'A'.repeat(43)}`
const anna = parseUserName('anna')!
const bo = parseUserName('bo')!

describe('parseUsers', () => {
  it('reads names, hashes and groups, and skips comments', () => {
    const text = `# people\n\nAnna:${HASH}:Kommunikatörer, it ,it\n  # one more\nbo:${HASH}\ncarl:${HASH}:\n`
    const { users, problems } = parseUsers(text)
    expect(problems).toEqual([])
    expect([...users]).toEqual([
      ['anna', { hash: HASH, groups: ['kommunikatörer', 'it'] }],
      ['bo', { hash: HASH, groups: [] }],
      ['carl', { hash: HASH, groups: [] }],
    ])
  })

  it('reads Windows line ends and a byte order mark', () => {
    const { users, problems } = parseUsers(`\ufeffanna:${HASH}\r\nbo:${HASH}:it\r\n`)
    expect(problems).toEqual([])
    expect([...users.keys()]).toEqual(['anna', 'bo'])
  })

  it.each([
    ['no hash', 'eva', 'divided by colons'],
    ['a plain password', 'eva:hemligt1', 'hash of eva'],
    ['too many fields', `eva:${HASH}:it:x`, 'divided by colons'],
    ['no name', `:${HASH}`, 'a name'],
    ['a control in the name', `e\u0007va:${HASH}`, 'a name'],
    ['a control in a group', `eva:${HASH}:i\u0007t`, 'a group of eva'],
    ['a name twice', `ANNA:${OTHER}`, 'anna has a line above'],
    ['an endless line', `eva:${HASH}:${'x'.repeat(5_000)}`, 'more than 4096'],
  ])('names the line with %s, and the others count', (_name, line, what) => {
    const { users, problems } = parseUsers(`anna:${HASH}\n${line}\nbo:${HASH}\n`)
    expect([...users.keys()]).toEqual(['anna', 'bo'])
    expect(users.get(anna)?.hash).toBe(HASH)
    expect(problems).toHaveLength(1)
    expect(problems[0]).toMatchObject({ line: 2, what: expect.stringContaining(what) })
    expect(problems[0]!.hint).not.toBe('')
    expect(JSON.stringify(problems)).not.toContain('hemligt1')
  })

  it('never throws, and every user it gives can be looked up by a name that parses', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 500 }), (text) => {
        for (const name of parseUsers(`${text}\nbo:${HASH}`).users.keys()) {
          expect(parseUserName(name)).toBe(name)
        }
      }),
    )
  })
})

const names = fc
  .string({ unit: 'grapheme', maxLength: 30 })
  .map(parseUserName)
  .filter((name): name is UserName => name !== null && isFileName(name) && isFileGroup(name))

const entries: fc.Arbitrary<UserEntry> = fc.record({
  hash: fc.constantFrom(HASH, OTHER),
  groups: fc.uniqueArray(names, { maxLength: 4 }),
})

describe('editing', () => {
  it('reads back what was written', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.tuple(names, entries), { selector: ([n]) => n }), (people) => {
        let text = '# people\n'
        for (const [name, entry] of people) text = withUser(text, name, entry)
        const { users, problems } = parseUsers(text)
        expect(problems).toEqual([])
        expect([...users]).toEqual(people)
      }),
    )
  })

  it('adds a line at the end, whole even where the last one was not ended', () => {
    const entry = { hash: HASH, groups: [parseUserName('it')!] }
    expect(withUser(`bo:${HASH}`, anna, entry)).toBe(`bo:${HASH}\nanna:${HASH}:it\n`)
    expect(withUser('', anna, entry)).toBe(`anna:${HASH}:it\n`)
    expect(withUser(`# x\r\n`, anna, entry)).toBe(`# x\r\nanna:${HASH}:it\r\n`)
  })

  const text = `# anna:x\r\nbo:${HASH}:it\n Anna :${HASH}: it, x\r\nbroken line\n`

  it('changes one hash and nothing else', () => {
    const changed = withHash(text, anna, OTHER)
    expect(changed).toBe(`# anna:x\r\nbo:${HASH}:it\n Anna :${OTHER}: it, x\r\nbroken line\n`)
    expect(withHash(text, parseUserName('eva')!, OTHER)).toBe(text)
  })

  it('repairs a line whose hash was unreadable', () => {
    const { users, problems } = parseUsers(withHash('anna:oops:it', anna, HASH))
    expect(problems).toEqual([])
    expect(users.get(anna)).toEqual({ hash: HASH, groups: ['it'] })
  })

  it('removes every line of a person, so that no older one comes to life', () => {
    const twice = `${text}anna:${OTHER}`
    expect(hasLine(twice, anna)).toBe(true)
    const left = withoutUser(twice, anna)
    expect(left).toBe(`# anna:x\r\nbo:${HASH}:it\nbroken line\n`)
    expect(hasLine(left, anna)).toBe(false)
    expect(hasLine(left, bo)).toBe(true)
  })

  it('writes a line without groups with two fields', () => {
    expect(formatUser(bo, { hash: HASH, groups: [] })).toBe(`bo:${HASH}`)
  })
})
