/**
 * Owns: where a value stands in a settings file, as a path and as people write it.
 * Never: knows which paths exist.
 */
import { misread, type Reading } from './reading.ts'

/** Names of keys, and positions (0-based) in lists. The empty path is the whole file. */
export type KeyPath = readonly (string | number)[]

/** The deepest path anyone may write: real ones end at four. */
export const KEY_PATH_DEPTH_MAX = 16

const PLAIN_NAME = /^[^\s.=[\]"']+/
const POSITION = /^\[(\d{1,6})\]/
const QUOTED_NAME = /^\[("(?:[^"\\]|\\.)*")\]/

/** `zones[0].networks[1]`; a name that holds dots or brackets is quoted: `dns.hosts["a.test"]`. */
export function formatKeyPath(path: KeyPath): string {
  let text = ''
  for (const part of path) {
    if (typeof part === 'number') text += `[${part}]`
    else if (PLAIN_NAME.exec(part)?.[0] !== part) text += `[${JSON.stringify(part)}]`
    else text += text === '' ? part : `.${part}`
  }
  return text
}

/** The reverse of `formatKeyPath`: what `--set` takes before its equals sign. */
export function parseKeyPath(text: string): Reading<(string | number)[]> {
  const path: (string | number)[] = []
  let rest = text
  while (rest !== '') {
    if (path.length === KEY_PATH_DEPTH_MAX) return misread('the key is too deep')
    const position = POSITION.exec(rest)
    const quoted = QUOTED_NAME.exec(rest)
    if (position !== null) {
      path.push(Number(position[1]))
      rest = rest.slice(position[0].length)
    } else if (quoted !== null) {
      const name = unquote(quoted[1]!)
      if (name === null) return misread(`${quoted[1]} is not a quoted name`)
      path.push(name)
      rest = rest.slice(quoted[0].length)
    } else {
      if (path.length > 0) {
        if (!rest.startsWith('.')) return misread(`it cannot be read from ${rest} on`)
        rest = rest.slice(1)
      }
      const name = PLAIN_NAME.exec(rest)?.[0]
      if (name === undefined) return misread('a name is missing')
      path.push(name)
      rest = rest.slice(name.length)
    }
  }
  if (path.includes('__proto__')) return misread('there is no key __proto__')
  return path.length === 0 ? misread('the key is missing') : { ok: true, value: path }
}

function unquote(text: string): string | null {
  try {
    const name: unknown = JSON.parse(text)
    return typeof name === 'string' ? name : null
  } catch {
    return null
  }
}
