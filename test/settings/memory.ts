/**
 * Owns: loading settings from texts in memory, for the tests of this folder.
 * Never: touches the disk.
 */
import { type Loaded, type LoadOptions, loadSettings } from '../../src/settings/load.ts'
import { formatProblem } from '../../src/settings/problems.ts'
import type { Settings } from '../../src/settings/schema.ts'

export const FOLDER = '/etc/sluss'

/** The least that holds, but for what `more` adds. */
export const LEAST = `version: 1
zones:
  - { name: local, networks: 127.0.0.0/8, identify: address }
`

export const PLATFORMS = `facebook:
  title: Facebook
  domains: [facebook.com, fbcdn.net]
  background: [connect.facebook.net]
youtube: { title: YouTube, domains: [youtube.com], optional: true }
tiktok: { title: TikTok, domains: [tiktok.com] }
`

interface Files {
  readonly [name: string]: string
}

function absent(file: string): Error {
  return Object.assign(new Error(`${file} is not there`), { code: 'ENOENT' })
}

/** Loads `text` as /etc/sluss/sluss.yaml, with `files` beside it. */
export function load(
  text: string,
  files: Files = { 'platforms.yaml': PLATFORMS },
  overrides: readonly string[] = [],
): Loaded {
  const all = new Map(Object.entries({ ...files, 'sluss.yaml': text }))
  const contentOf = (file: string) => all.get(file.slice(FOLDER.length + 1))
  const options: LoadOptions = {
    file: `${FOLDER}/sluss.yaml`,
    overrides,
    readFile: (file) => {
      const content = contentOf(file)
      if (content === undefined) throw absent(file)
      return Buffer.from(content)
    },
    probeFile: (file) => (contentOf(file) === undefined ? 'there is no such file' : null),
  }
  return loadSettings(options)
}

/** The settings, where they hold; fails where they do not. */
export function good(text: string, files?: Files, overrides?: readonly string[]): Settings {
  const loaded = load(text, files, overrides)
  if (!loaded.ok) throw new Error(lines(loaded).join('\n'))
  return loaded.settings
}

/** Problems, then warnings, as people read them in that folder. */
export function lines(loaded: Loaded): string[] {
  const problems = loaded.ok ? [] : loaded.problems
  return [
    ...problems.map((problem) => formatProblem(problem, FOLDER)),
    ...loaded.warnings.map((warning) => `warning: ${formatProblem(warning, FOLDER)}`),
  ]
}
