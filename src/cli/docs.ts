/**
 * Owns: writing what is generated for people and editors: `node src/cli/docs.ts`, `--check` to compare only.
 * Never: makes the texts; settings/document.ts does.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { reasonsDocument, settingsDocument } from '../settings/document.ts'
import { editorSchema } from '../settings/outline.ts'
import { limitsDocument } from './limits-document.ts'

const home = join(import.meta.dirname, '../..')

/** Path in the repository and content of every file that is generated. */
export function generatedFiles(): { path: string; content: string }[] {
  return [
    { path: 'docs/settings.md', content: settingsDocument() },
    { path: 'docs/reasons.md', content: reasonsDocument() },
    { path: 'docs/limits.md', content: limitsDocument() },
    { path: 'config/sluss.schema.json', content: `${JSON.stringify(editorSchema(), null, 2)}\n` },
  ]
}

/** The generated files whose content on disk is another, or that are missing. */
export function staleFiles(): { path: string; content: string }[] {
  return generatedFiles().filter(({ path, content }) => {
    try {
      return readFileSync(join(home, path), 'utf8') !== content
    } catch {
      return true
    }
  })
}

function run(checkOnly: boolean): void {
  const stale = staleFiles()
  for (const { path, content } of stale) {
    if (checkOnly) console.error(`${path} is stale: run npm run docs`)
    else {
      writeFileSync(join(home, path), content)
      console.log(`wrote ${path}`)
    }
  }
  if (checkOnly && stale.length > 0) process.exitCode = 1
}

if (import.meta.main) run(process.argv.includes('--check'))
