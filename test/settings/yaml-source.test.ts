/**
 * Owns: that a YAML file becomes plain data with its lines, and that no file can make it throw or swell.
 * Never: asks what the keys mean.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formatProblem } from '../../src/settings/problems.ts'
import { readYaml, YAML_LENGTH_MAX } from '../../src/settings/yaml-source.ts'

/** The problems of `text`, as lines that start with the line number. */
function problemsOf(text: string): string[] {
  return readYaml('f', text).problems.map((problem) => formatProblem(problem).slice(2))
}

function check(name: string, text: string, expected: string[]) {
  it(name, () => expect(problemsOf(text)).toEqual(expected))
}

describe('syntax', () => {
  check('a good file has no problems', 'a: 1\nb: [x, { c: d }]\n', [])
  check('a tab', 'a:\n\tb: 1\n', [
    '2: expected YAML; a tab stands in the indentation; indent with blanks',
  ])
  check('two colons', 'a: b: c\n', [
    '1: expected YAML; two keys stand on one line, or a text holds a colon; put the text in quotes',
  ])
  check('a key given twice', 'a: 1\nb:\n  c: 1\n  d: 2\n  c: 3\n', [
    '5: b.c — the key is given twice, first on line 3; keep one of them',
  ])
  check('two documents', 'a: 1\n---\nb: 1\n', [
    '2: expected YAML; the file holds several documents; remove the lines --- but the first',
  ])
  check('an unknown alias', 'a: *b\n', ['1: a — there is no anchor &b above'])
  check('a key that is a list', '? [a]\n: 1\n', ['1: [""] — a key is not a plain word'])
  check('the key of a prototype', 'a:\n  __proto__: { b: 1 }\n', [
    '2: a.__proto__ — there is no such key',
  ])
  check('too many brackets', '['.repeat(30_000), [
    '1: expected YAML; the levels are too many to read',
  ])
  check('too large a file', '#'.repeat(YAML_LENGTH_MAX + 1), [
    ` expected at most ${YAML_LENGTH_MAX} characters; the file has ${YAML_LENGTH_MAX + 1} characters`,
  ])

  it('an alias stands for what it names, each time', () => {
    expect(readYaml('f', 'a: &x [1, 2]\nb: *x\n').value).toEqual({ a: [1, 2], b: [1, 2] })
  })

  it('an alias inside its own anchor ends at the deepest level allowed', () => {
    expect(problemsOf('a: &x [*x, *x]\n')).toEqual([
      expect.stringMatching(/^1: a(\[0\])+ — expected at most 32 levels; the file is too large$/),
    ])
  })

  it('aliases of aliases do not swell', () => {
    const rows = [...'bcdefghij'].map((name, i) => {
      const above = `*${'abcdefghij'[i]}`
      return `${name}: &${name} [${Array(9).fill(above).join(', ')}]`
    })
    const problems = problemsOf(['a: &a [x, x]', ...rows].join('\n'))
    expect(problems).toEqual([expect.stringMatching(/expected at most 50000 keys and values/)])
  })
})

describe('places', () => {
  const source = readYaml('f', 'a:\n  b:\n    - x\n    - y\n  c: 0x10\nd: { e: 1 }\n')

  it('knows the line of each value', () => {
    const lines = [['a'], ['a', 'b'], ['a', 'b', 1], ['a', 'c'], ['d', 'e']].map(source.lineOf)
    expect(lines).toEqual([2, 3, 4, 5, 6])
  })

  it('gives the line of what is around a key that is missing', () => {
    expect(source.lineOf(['d', 'nothing', 'here'])).toBe(6)
  })

  it('shows a number as it was written', () => {
    const complaint = { path: ['a', 'c'], value: 16, what: '', expected: '', hint: '' }
    expect(source.locate(complaint)).toMatchObject({ line: 5, column: 6, value: '0x10' })
    expect(source.locate({ ...complaint, at: 'key' })).toMatchObject({ line: 5, column: 3 })
  })
})

describe('any text', () => {
  it('is read or refused, never thrown over; every problem has a place in it', () => {
    const word = fc.constantFrom('a', 'b:', '- ', '\n', '  ', '\t', '[', ']', '{', '}', '&a ', '*a')
    const more = fc.constantFrom('"', "'", '|', '>', '!', '%', '@', '? ', ': ', '---\n', '#', '\r')
    const text = fc.array(fc.oneof(word, more, fc.string()), { maxLength: 40 })
    fc.assert(
      fc.property(text, (parts) => {
        const lines = parts.join('').split(/\n|\r/).length
        for (const { line } of readYaml('f', parts.join('')).problems) {
          expect(line).toBeGreaterThanOrEqual(1)
          expect(line).toBeLessThanOrEqual(lines + 1)
        }
      }),
      { numRuns: 1_000 },
    )
  })
})
