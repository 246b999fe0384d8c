/**
 * Owns: `./sluss lists verify`: whether the saved image and the fetched files are what they were.
 * Never: repairs; it says how.
 */
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import type { Command } from 'commander'
import { readImage } from '../lists/image-file.ts'
import type { Library } from '../lists/library.ts'
import { verifyImage } from '../lists/verify.ts'
import { imageFileOf } from '../service/image-store.ts'
import { libraryIn } from '../service/remote-lists.ts'
import { print, printJson, table } from './context.ts'
import { countText, isJson, loadLists, patientProgress, versionText } from './lists-text.ts'

/** Faults of one file that are shown: what is foreign or torn has hundreds. */
const TOLD_SHOWN = 5

interface Checked {
  /** `image`, or the name of a list. */
  readonly what: string
  readonly state: 'whole' | 'damaged' | 'absent'
  /** What was checked, or what is wrong. */
  readonly told: readonly string[]
  /** How to heal it; empty where nothing is to be done. */
  readonly hints: readonly string[]
}

export async function verifyLists(_options: object, command: Command): Promise<void> {
  const { settings, remotes } = loadLists(command)
  const progress = patientProgress()
  const checked = [checkImage(settings.state)]
  for (const [i, { name }] of remotes.entries()) {
    progress.show({ label: name, done: i, total: remotes.length, unit: 'lists' })
    checked.push(await checkList(name, libraryIn(settings.state)))
  }
  progress.end()
  const isWhole = checked.every(({ state }) => state !== 'damaged')
  if (isJson(command)) printJson({ whole: isWhole, checked })
  else print(textOf(checked))
  if (!isWhole) process.exitCode = 1
}

async function checkList(name: string, library: Library): Promise<Checked> {
  const { current, pending, problems } = library.read(name)
  const told = problems.map(({ what }) => what)
  const hints = problems.map(({ hint }) => hint)
  for (const version of [current, pending]) {
    if (version === null) continue
    const file = library.fileOf(name, version)
    const fault = await fileFault(file, version.sha256)
    if (fault === null) continue
    told.push(fault)
    // A server that is asked whether there is a newer one says no: a file that is gone is fetched.
    hints.push(`fetch it anew: rm ${file} && ./sluss lists update ${name}`)
  }
  if (told.length > 0) return { what: name, state: 'damaged', told, hints }
  const fine = [
    ...(current === null ? [] : [`SHA-256 of version ${versionText(current.sha256)}`]),
    ...(pending === null ? [] : [`SHA-256 of version ${versionText(pending.sha256)}, which waits`]),
  ]
  return fine.length === 0
    ? { what: name, state: 'absent', told: ['never fetched'], hints }
    : { what: name, state: 'whole', told: [fine.join('; ')], hints }
}

function textOf(checked: readonly Checked[]): string {
  return table(
    checked.flatMap(({ what, state, told, hints }) => {
      const [first = '', ...more] = told.slice(0, TOLD_SHOWN)
      const rest = told.length > TOLD_SHOWN ? [`and ${told.length - TOLD_SHOWN} more: --json`] : []
      const lines = [...more, ...rest, ...new Set(hints)]
      return [[what, state, first], ...lines.map((line) => ['', '', line])]
    }),
  )
}

function checkImage(state: string): Checked {
  const what = 'image'
  const read = readImage(imageFileOf(state))
  if (!(read instanceof SharedArrayBuffer)) {
    const absent = read.fault === 'image-absent'
    const hints = absent ? [] : [IMAGE_HINT]
    return { what, state: absent ? 'absent' : 'damaged', told: [read.what], hints }
  }
  if (process.stderr.isTTY && read.byteLength > LARGE_BYTES) {
    process.stderr.write(`checking the image of ${countText(read.byteLength)} bytes …\n`)
  }
  const faults = verifyImage(read)
  if (faults.length > 0) {
    const told = faults.map(({ place, what }) => (place === '' ? what : `${place}: ${what}`))
    return { what, state: 'damaged', told, hints: [IMAGE_HINT] }
  }
  const told = `${countText(read.byteLength)} bytes: checksums, and every name found in its place`
  return { what, state: 'whole', told: [told], hints: [] }
}

/** An image whose check takes a second or more. */
const LARGE_BYTES = 8 * 1_024 * 1_024

const IMAGE_HINT =
  'nothing to do: a service that runs has its own in memory; the next start builds another'

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
