/**
 * Owns: the layout of src: which folder may import what and why, and what every file there has and has not.
 * Never: runs what it reads.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { posix } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const LINES_MAX = 400

interface Row {
  /** Folders of src, or single files; a folder may always import itself. */
  readonly may: readonly string[]
  /** May import node: and packages. */
  readonly outside: boolean
  readonly why: string
}

/** The import table of DESIGN section 7. Nobody imports cli. */
const FOLDERS: Readonly<Record<string, Row>> = {
  policy: { may: [], outside: false, why: 'a decision is pure, and every folder understands it' },
  lists: { may: ['policy'], outside: true, why: 'a list knows labels, not who asks' },
  settings: { may: ['policy'], outside: true, why: 'settings become a policy, and nothing else' },
  ledger: { may: ['policy'], outside: true, why: 'minutes are the same for every carrier' },
  identity: { may: ['policy'], outside: true, why: 'who you are does not depend on what you ask' },
  certs: { may: [], outside: true, why: 'a certificate authority knows names and keys alone' },
  traffic: { may: ['policy'], outside: true, why: 'the log keeps records, whoever made them' },
  portal: { may: ['policy'], outside: true, why: 'users see it: what it cannot reach cannot leak' },
  proxy: {
    may: ['policy', 'lists/lookup.ts', 'ledger', 'identity', 'certs'],
    outside: true,
    why: 'the data plane has no SQL and reads no settings: all it knows is handed to it',
  },
  admin: {
    may: ['policy', 'settings', 'ledger', 'traffic', 'lists'],
    outside: true,
    why: 'administrators and auditors see the records, never the sockets of users',
  },
  service: {
    may: [
      ...['policy', 'lists', 'settings', 'ledger', 'identity', 'certs', 'traffic', 'portal'],
      ...['proxy', 'admin'],
    ],
    outside: true,
    why: 'it puts the parts together, and must run without a command line',
  },
  cli: {
    may: [
      ...['policy', 'lists', 'settings', 'ledger', 'identity', 'certs', 'traffic', 'portal'],
      ...['proxy', 'admin', 'service'],
    ],
    outside: true,
    why: 'a command may ask anything',
  },
}

/** Files that are held to more than their folder is. */
const FILES: Readonly<Record<string, Row>> = {
  'lists/layout.ts': { may: ['policy'], outside: false, why: 'bytes only: no I/O beside an image' },
  'lists/address-bytes.ts': {
    may: ['lists/layout.ts'],
    outside: false,
    why: 'it is read as every request passes',
  },
  'lists/lookup.ts': {
    may: ['policy', 'lists/layout.ts', 'lists/address-bytes.ts'],
    outside: false,
    why: 'every request passes here: no I/O, and nothing of the builder comes with it',
  },
}

interface PackageRow {
  readonly folders: readonly string[]
  /** Folders that may, where a comment above the import says why. */
  readonly withComment?: readonly string[]
  readonly why: string
}

/** Packages that are not for everybody. */
const PACKAGES: Readonly<Record<string, PackageRow>> = {
  'better-sqlite3': { folders: ['traffic', 'ledger'], why: 'each database has one owner' },
  'node:sqlite': { folders: [], why: 'better-sqlite3 is the one way to SQLite' },
  zod: {
    folders: ['settings', 'ledger'],
    withComment: ['cli'],
    why: 'settings in one place; the ledger checks what the control socket asks of it',
  },
  yaml: {
    folders: ['settings'],
    withComment: ['cli'],
    why: 'settings files are read in one place',
  },
  commander: { folders: ['cli'], why: 'only a command has options' },
}

/** What no file of these folders may say: a decision has no clock, no chance and no surroundings. */
const PURE = ['policy']
const IMPURE =
  /\b(?:Date\.now\(|new Date\(\)|performance\.|process\.|Math\.random\(|fetch\(|set(?:Timeout|Interval|Immediate)\(|globalThis\b)/

const { dependencies } = JSON.parse(readFileSync(`${ROOT}/package.json`, 'utf8')) as {
  dependencies: Record<string, string>
}

interface Import {
  readonly line: number
  readonly target: string
  /** A `new URL('….ts', import.meta.url)`: what a thread is started by. */
  readonly started: boolean
}

const STATIC = /^(?:import|export)\s+(?:[\w$*{}\s,]+?\s+from\s+)?(['"])([^'"\n]+)\1/gm
const DYNAMIC = /\bimport\(\s*(['"`])([^'"`\n]+)\1/g
const STARTED = /\bnew URL\(\s*(['"`])([^'"`\n]+\.[cm]?[jt]s)\1,\s*import\.meta\.url/g
/** Ways to a module that this test cannot follow. */
const UNREADABLE =
  /\bimport\((?!\s*['"][^'"\n]+['"]\s*\))|\brequire\(|\bcreateRequire\b|getBuiltinModule/g

const lineAt = (text: string, index: number) => text.slice(0, index).split('\n').length

/** The same text, same lines, with whole-line comments emptied. */
const withoutComments = (text: string) => text.replace(/^[ \t]*(?:\/\/|\/?\*).*$/gm, '')

function importsOf(text: string): Import[] {
  const code = withoutComments(text)
  const found = [STATIC, DYNAMIC, STARTED].flatMap((pattern) =>
    [...code.matchAll(pattern)].map((match) => ({
      line: lineAt(code, match.index),
      target: match[2]!,
      started: pattern === STARTED,
    })),
  )
  return found.sort((a, b) => a.line - b.line)
}

/** What is wrong with one import of `path` (`proxy/dial.ts`), or null. */
function judge(path: string, text: string, { line, target, started }: Import): string | null {
  const folder = path.split('/')[0]!
  const row = FILES[path] ?? FOLDERS[folder]!
  if (!target.startsWith('.')) return judgeOutside(folder, row, target, text.split('\n')[line - 2])
  const to = posix.join(posix.dirname(path), target)
  if (to.startsWith('../')) return `imports ${target}: src imports nothing beside it`
  const isThread = to.endsWith('.thread.ts')
  if (isThread && !started) return `imports ${to}: a thread is started by URL, not imported`
  if (started && !(isThread && text.includes('new Worker('))) {
    return `names ${to} by URL: only a thread (….thread.ts) is started so, with new Worker`
  }
  const own = FILES[path] === undefined ? [folder] : []
  const may = [...own, ...row.may].some((allowed) => to === allowed || to.startsWith(`${allowed}/`))
  return may ? null : `imports ${to}: may import ${row.may.join(', ') || 'nothing'} (${row.why})`
}

function judgeOutside(folder: string, row: Row, target: string, above: string | undefined) {
  if (!row.outside) return `imports ${target}: may import no package and no node: (${row.why})`
  const name = target.split('/', target.startsWith('@') ? 2 : 1).join('/')
  const { folders, withComment = [], why } = PACKAGES[name] ?? { folders: [folder], why: '' }
  const commented = withComment.includes(folder)
  if (commented && !/^\s*\/\/ \S/.test(above ?? '')) {
    return `imports ${name}: with a comment above that says why (${why})`
  }
  if (!commented && !folders.includes(folder)) {
    return `imports ${name}: only ${folders.join(', ') || 'nobody'} may (${why})`
  }
  return name.startsWith('node:') || Object.hasOwn(dependencies, name)
    ? null
    : `imports ${name}: not in the dependencies of package.json`
}

/** Everything wrong with a file of src, as `path:line what`. */
function problemsOf(path: string, text: string): string[] {
  const folder = path.split('/')[0]!
  if (FOLDERS[folder] === undefined) return [`${path}:1 is in no folder of the table`]
  const problems: string[] = []
  const add = (line: number, what: string) => problems.push(`${path}:${line} ${what}`)
  const head = /^(?:#!.*\n)?\/\*\*([\s\S]*?)\*\//.exec(text)?.[1] ?? ''
  if (!head.includes('Owns: ')) add(1, 'does not begin with a comment that has “Owns:”')
  if (!head.includes('Never: ')) add(1, 'does not begin with a comment that has “Never:”')
  const lines = text.split('\n').length - 1
  if (lines > LINES_MAX) add(lines, `has ${lines} lines: at most ${LINES_MAX}`)
  for (const found of importsOf(text)) {
    const wrong = judge(path, text, found)
    if (wrong !== null) add(found.line, wrong)
  }
  const code = withoutComments(text)
  for (const { index } of code.matchAll(UNREADABLE)) {
    add(lineAt(code, index), 'imports what cannot be read here')
  }
  for (const [i, line] of code.split('\n').entries()) {
    if (folder !== 'cli' && /\bconsole\.(?:log|info|debug)\b/.test(line)) {
      add(i + 1, 'prints: only cli does')
    }
    if (PURE.includes(folder) && IMPURE.test(line)) add(i + 1, 'has a clock or surroundings')
  }
  return problems
}

const SOURCES = readdirSync(`${ROOT}/src`, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile())
  .map((entry) => posix.join(entry.parentPath, entry.name).slice(`${ROOT}/src/`.length - 1))
  .sort()
const textOf = (path: string) => readFileSync(`${ROOT}/src/${path}`, 'utf8')

describe('src', () => {
  for (const folder of new Set(SOURCES.map((path) => path.split('/')[0]!))) {
    it(`${folder} is as the table says`, () => {
      const paths = SOURCES.filter((path) => path.startsWith(`${folder}/`) || path === folder)
      expect(paths.flatMap((path) => problemsOf(path, textOf(path)))).toEqual([])
    })
  }

  it('has TypeScript only, and no import that this test overlooks', () => {
    for (const path of SOURCES) {
      expect(path).toMatch(/^[a-z]+\/[a-z0-9-]+(?:\.thread)?\.ts$/)
      const code = withoutComments(textOf(path))
      const seen = code.match(/(?:^import|^export .*from|\bfrom) ['"][^'"]+['"]$/gm) ?? []
      const started = (each: Import) => each.started
      const found = importsOf(code)
      const dynamic = code.match(/\bimport\(/g) ?? []
      expect(found.filter((each) => !started(each)).length).toBe(seen.length + dynamic.length)
    }
  })
})

const HEAD = '/** Owns: this. Never: that. */\n'

/** `expected` is part of each problem in turn; none: the file is as it should be. */
function check(name: string, facts: { path: string; text: string }, ...expected: string[]) {
  it(name, () => {
    const problems = problemsOf(facts.path, facts.text)
    expect(problems).toEqual(expected.map((part) => expect.stringContaining(part)))
  })
}

/** A file of src with the usual head and these lines after it. */
const file = (path: string, ...lines: string[]) => ({
  path,
  text: `${HEAD}${lines.join('\n')}\n`,
})

describe('the table', () => {
  check('nothing at all', file('policy/a.ts'))
  check('its own folder', file('policy/a.ts', "import { b } from './b.ts'"))
  check(
    'no node:',
    file('policy/a.ts', "import { isIP } from 'node:net'"),
    'a.ts:2 imports node:net',
  )
  check('no package', file('policy/a.ts', "import ip from 'ipaddr.js'"), 'imports ipaddr.js')
  check(
    'no type either',
    file('policy/a.ts', "import type { A } from '../lists/a.ts'"),
    'lists/a.ts',
  )
  check('no clock', file('policy/a.ts', 'const now = Date.now()'), 'a.ts:2 has a clock')
  check('a moment given is no clock', file('policy/a.ts', 'const d = new Date(ms)'))
  const several = ['import {', '  a,', '  type B,', "} from '../traffic/a.ts'"]
  check('over several lines', file('proxy/a.ts', ...several), 'a.ts:2 imports traffic/a.ts')
  check('proxy: lookup', file('proxy/a.ts', "import { Lookup } from '../lists/lookup.ts'"))
  check(
    'proxy: build',
    file('proxy/a.ts', "import type { B } from '../lists/build.ts'"),
    'build.ts',
  )
  check('proxy: settings', file('proxy/a.ts', "export * from '../settings/a.ts'"), 'settings/a.ts')
  check('proxy: SQL', file('proxy/a.ts', "import D from 'better-sqlite3'"), 'only traffic, ledger')
  check('lookup: layout', file('lists/lookup.ts', "import { a } from './layout.ts'"))
  check(
    'lookup: nodes',
    file('lists/lookup.ts', "import { a } from './nodes.ts'"),
    'lists/nodes.ts',
  )
  check('lookup: node:fs', file('lists/lookup.ts', "import 'node:fs'"), 'imports node:fs')
  check('layout: a package', file('lists/layout.ts', "import 'lru-cache'"), 'imports lru-cache')
  check('service: all', file('service/a.ts', "import { a } from '../admin/a.ts'"))
  check('service: cli', file('service/a.ts', "import { a } from '../cli/a.ts'"), 'imports cli/a.ts')
  check('cli: all', file('cli/a.ts', "import { a } from '../service/a.ts'"))
  check('a name that begins alike', file('certs/a.ts', "import '../certs-old/a.ts'"), 'certs-old')
  check('an unknown folder', file('utils/a.ts'), 'in no folder of the table')
  check('test', file('service/a.ts', "import { a } from '../../test/a.ts'"), 'nothing beside it')
  check(
    'bench',
    file('cli/a.ts', "const a = await import('../../bench/run.ts')"),
    'nothing beside it',
  )
})

describe('packages', () => {
  const yaml = "import { parse } from 'yaml'"
  check('settings', file('settings/a.ts', "import { z } from 'zod'", yaml))
  check('cli, with a comment', file('cli/a.ts', '// Prints an example.', yaml))
  check('cli, without', file('cli/a.ts', yaml), 'imports yaml: with a comment above')
  check('service', file('service/a.ts', '// Prints an example.', yaml), 'only settings')
  check('node:sqlite', file('traffic/a.ts', "import 'node:sqlite'"), 'only nobody')
  check(
    'development only',
    file('cli/a.ts', "import fc from 'fast-check'"),
    'not in the dependencies',
  )
  check(
    'a path within',
    file('lists/a.ts', "import a from 'commander/esm.mjs'"),
    'commander: only cli',
  )
})

describe('ways to import', () => {
  const start = "const THREAD = new URL('../proxy/proxy.thread.ts', import.meta.url)"
  const worker = 'const worker = new Worker(THREAD)'
  check('a thread is started', file('service/a.ts', start, worker))
  check('and not imported', file('service/a.ts', "import '../proxy/proxy.thread.ts'"), 'by URL')
  check('a URL that no thread has', file('service/a.ts', start), 'with new Worker')
  const other = "new Worker(new URL('../proxy/dial.ts', import.meta.url))"
  check('a URL of what is no thread', file('service/a.ts', other), 'only a thread')
  check('a thread of another folder', file('portal/a.ts', start, worker), 'may import policy')
  check('dynamic', file('identity/a.ts', "  const a = await import('../proxy/a.ts')"), 'proxy/a.ts')
  check('the type of a module', file('policy/a.ts', "type A = import('../cli/a.ts').A"), 'cli/a.ts')
  check('by a variable', file('portal/a.ts', 'await import(name)'), 'cannot be read')
  check('require', file('portal/a.ts', "require('fs')"), 'cannot be read')
  check(
    'only talked about',
    file('policy/a.ts', "// import('node:fs') is for others", ' * require('),
  )
  check(
    'a file beside src, read',
    file('cli/a.ts', "new URL('../../package.json', import.meta.url)"),
  )
})

describe('every file', () => {
  check('no head', { path: 'policy/a.ts', text: 'export {}\n' }, 'Owns:', 'Never:')
  const late = { path: 'policy/a.ts', text: `export {}\n${HEAD}` }
  check('a head that comes late', late, 'Owns:', 'Never:')
  const half = { path: 'policy/a.ts', text: '/** Owns: this. */\n' }
  check('no word on what it never does', half, 'Never:')
  check('400 lines', file('policy/a.ts', ...Array<string>(LINES_MAX - 1).fill('')))
  check('401 lines', file('policy/a.ts', ...Array<string>(LINES_MAX).fill('')), 'has 401 lines')
  check('printing', file('service/a.ts', '  console.log(1)'), 'a.ts:2 prints')
  check('printing by a command', file('cli/a.ts', 'console.log(1)'))
})
