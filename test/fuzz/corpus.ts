/**
 * Owns: the corpus of each target on disk: a JSON list of texts, shortest first.
 * Never: keeps what its target does not need to run all that it runs.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'

const fileOf = (name: string) => new URL(`corpus/${name}.json`, import.meta.url)

export function readCorpus(name: string): string[] {
  const file = fileOf(name)
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as string[]) : []
}

export function writeCorpus(name: string, texts: readonly string[]): void {
  const sorted = [...new Set(texts)].sort((a, b) => a.length - b.length || (a < b ? -1 : 1))
  // One text a line, and nothing in it that an editor would show as something else.
  const lines = sorted.map((text) => `  ${escaped(text)}`)
  writeFileSync(fileOf(name), `[\n${lines.join(',\n')}\n]\n`)
}

function escaped(text: string): string {
  return JSON.stringify(text).replace(
    /[\u007f-\uffff]/g,
    (mark) => `\\u${mark.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}
