/**
 * Owns: `./sluss lists verify`: whether the saved image and the fetched files are what they were.
 * Never: repairs: the service builds an image anew at its start, and the next update fetches a file anew.
 */
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import type { Command } from 'commander'
import { readImage } from '../lists/image-file.ts'
import { verifyImage } from '../lists/verify.ts'
import { imageFileOf } from '../service/image-store.ts'
import { libraryIn } from '../service/remote-lists.ts'
import { print, printJson, table } from './context.ts'
import { countText, isJson, loadLists, versionText } from './lists-text.ts'

interface Checked {
  /** `image`, or the name of a list. */
  readonly what: string
  readonly state: 'whole' | 'damaged' | 'absent'
  /** What was checked, or what is wrong. */
  readonly told: readonly string[]
}

export async function verifyLists(_options: object, command: Command): Promise<void> {
  const { settings, remotes } = loadLists(command)
  const checked = [checkImage(settings.state)]
  const library = libraryIn(settings.state)
  for (const { name } of remotes) {
    const { current, pending, problems } = library.read(name)
    const told = problems.map(({ what }) => what)
    for (const version of [current, pending]) {
      if (version === null) continue
      const fault = await fileFault(library.fileOf(name, version), version.sha256)
      if (fault !== null) told.push(fault)
    }
    const state = told.length > 0 ? 'damaged' : current === null ? 'absent' : 'whole'
    const fine = current === null ? 'never fetched' : `version ${versionText(current.sha256)}`
    checked.push({ what: name, state, told: told.length > 0 ? told : [fine] })
  }
  const isWhole = checked.every(({ state }) => state !== 'damaged')
  if (isJson(command)) printJson({ whole: isWhole, checked })
  else print(textOf(checked))
  if (!isWhole) {
    process.exitCode = 1
    process.stderr.write(`${REMEDY}\n`)
  }
}

const REMEDY =
  'sluss: a damaged image is built anew at the next start; a damaged list is fetched anew by ./sluss lists update'

function textOf(checked: readonly Checked[]): string {
  return table(
    checked.flatMap(({ what, state, told: [first = '', ...rest] }) => [
      [what, state, first],
      ...rest.map((line) => ['', '', line]),
    ]),
  )
}

function checkImage(state: string): Checked {
  const what = 'image'
  const read = readImage(imageFileOf(state))
  if (!(read instanceof SharedArrayBuffer)) {
    return { what, state: read.fault === 'image-absent' ? 'absent' : 'damaged', told: [read.what] }
  }
  const faults = verifyImage(read)
  if (faults.length > 0) {
    const told = faults.map(({ place, what }) => (place === '' ? what : `${place}: ${what}`))
    return { what, state: 'damaged', told }
  }
  const told = `${countText(read.byteLength)} bytes: checksums, and every name found in its place`
  return { what, state: 'whole', told: [told] }
}

async function fileFault(file: string, sha256: string): Promise<string | null> {
  const hash = createHash('sha256')
  try {
    for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer)
  } catch (error) {
    return `${file}: ${error instanceof Error ? error.message : String(error)}`
  }
  const found = hash.digest('hex')
  return found === sha256 ? null : `${file}: its SHA-256 is ${found}, and should be ${sha256}`
}
