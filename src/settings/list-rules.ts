/**
 * Owns: what must hold of a list beyond its single keys: one place it comes from, a category that there is, a
 * name of its own.
 * Never: judges a single value; list-schema.ts does. Never touches a file.
 */
import type { KeyPath } from './key-path.ts'
import { defaultListName, NEVER_BLOCK } from './list-fields.ts'
import { listShape } from './list-schema.ts'
import { type Complaint, complaint, meantHint } from './problems.ts'
import { readable, valueAt } from './validation.ts'

/** Keys that only a list that is fetched has. */
const OF_URL = ['every', 'checksum', 'sha256'] as const

export function listErrors(raw: unknown): Complaint[] {
  const lists = listsOf(raw)
  const each = lists.flatMap((list, i) => [
    ...originErrors(list, ['lists', i]),
    ...categoryErrors(raw, list, ['lists', i]),
  ])
  return [...each, ...nameErrors(raw, lists)]
}

/** True where a list of the top level feeds category `name`. */
export function listsFeed(raw: unknown, name: string): boolean {
  return listsOf(raw).some((list) => {
    return valueAt(list, ['category']) === name && valueAt(list, ['exceptions']) !== true
  })
}

function listsOf(raw: unknown): unknown[] {
  const lists = valueAt(raw, ['lists'])
  return Array.isArray(lists) ? lists : []
}

function isGroup(list: unknown): boolean {
  return typeof list === 'object' && list !== null && !Array.isArray(list)
}

function originErrors(list: unknown, path: KeyPath): Complaint[] {
  if (!isGroup(list)) return []
  const has = (key: string) => valueAt(list, [key]) !== undefined
  if (!has('url') && !has('file')) {
    const hint = 'write url: https://… or file: lists/…'
    return [complaint(path, { what: 'it comes from nowhere', expected: 'url or file', hint })]
  }
  if (has('url') && has('file')) {
    const words = { what: 'it has a url already', expected: 'url or file, not both' }
    return [complaint([...path, 'file'], { at: 'key', ...words })]
  }
  if (has('url')) return []
  return OF_URL.filter(has).map((key) => {
    const value = valueAt(list, [key])
    const what = `the list is a file; ${key} belongs to url`
    return complaint([...path, key], { at: 'key', value, what, hint: 'remove it' })
  })
}

function categoryErrors(raw: unknown, list: unknown, path: KeyPath): Complaint[] {
  const category = readable(listShape.category, valueAt(list, ['category']))
  if (category === undefined) return []
  const at = [...path, 'category']
  if (category === NEVER_BLOCK) {
    if (valueAt(list, ['exceptions']) !== true) return []
    const what = `what is in ${NEVER_BLOCK} is never blocked: there is nothing to free`
    return [complaint([...path, 'exceptions'], { value: true, what, hint: 'remove it' })]
  }
  const categories = valueAt(raw, ['categories'])
  const names = typeof categories === 'object' && categories ? Object.keys(categories) : []
  if (names.includes(category)) return []
  const hint = meantHint(category, [...names, NEVER_BLOCK])
  const expected = names.length === 0 ? 'a category' : `one of ${names.join(', ')}, ${NEVER_BLOCK}`
  return [complaint(at, { value: category, expected, what: 'there is no such category', hint })]
}

/** What a list is called, and where that stands; null where it cannot be told. */
function nameOf(list: unknown, path: KeyPath): { name: string; at: KeyPath } | null {
  const text = (key: 'name' | 'url' | 'file' | 'member') =>
    readable(listShape[key], valueAt(list, [key]))
  if (valueAt(list, ['name']) !== undefined) {
    const name = text('name')
    return name === undefined ? null : { name, at: [...path, 'name'] }
  }
  const [url, file] = [text('url'), text('file')]
  if (url === undefined && file === undefined) return null
  const name = defaultListName({ url, file, member: text('member') })
  return { name, at: [...path, url === undefined ? 'file' : 'url'] }
}

function nameErrors(raw: unknown, lists: readonly unknown[]): Complaint[] {
  const seen = plainNames(raw)
  return lists.flatMap((list, i) => {
    const named = nameOf(list, ['lists', i])
    if (named === null) return []
    const { name, at } = named
    if (name === '') {
      return [complaint(at, { what: 'no name can be made of it', hint: 'write name: …' })]
    }
    const first = seen.get(name)
    if (first === undefined) {
      seen.set(name, `lists[${i}]`)
      return []
    }
    const written = at.at(-1) === 'name'
    const what = written ? `${first} has it already` : `its name would be ${name}, as ${first} has`
    const hint = written ? '' : 'write name: … for one of them'
    const expected = 'a name of its own'
    return [complaint(at, { value: written ? name : undefined, expected, what, hint })]
  })
}

/** The names of lists that are paths, with where each stands. */
function plainNames(raw: unknown): Map<string, string> {
  const names = new Map<string, string>()
  const add = (path: KeyPath, key: string) => {
    const value = valueAt(raw, path)
    for (const text of Array.isArray(value) ? value : [value]) {
      if (typeof text === 'string') names.set(text.replace(/^(?:\.\/)+|\/+$/g, ''), key)
    }
  }
  const categories = valueAt(raw, ['categories'])
  for (const name of Object.keys(isGroup(categories) ? (categories as object) : {})) {
    add(['categories', name, 'lists'], `categories.${name}`)
  }
  add([NEVER_BLOCK], NEVER_BLOCK)
  return names
}
