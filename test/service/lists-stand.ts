/**
 * Owns: settings and lists in a folder of their own, and the lists of a service that reads them.
 * Never: starts a service.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { pino } from 'pino'
import { Lookup } from '../../src/lists/lookup.ts'
import { noLabels } from '../../src/policy/index.ts'
import { type Configuration, readConfiguration } from '../../src/service/configuration.ts'
import type { ImageResult } from '../../src/service/image.ts'
import { Lists } from '../../src/service/lists.ts'
import { formatProblem } from '../../src/settings/problems.ts'

export const SETTINGS = `version: 1
state: state
zones: [{ name: local, networks: 127.0.0.0/8, identify: address }]
categories:
  porn: { action: block, lists: [porn.txt] }
  racism: { action: block, lists: [racism.txt] }
neverBlock: never.txt
`

/** `count` hosts, a line each; the same each time. */
export const hosts = (count: number) =>
  Array.from({ length: count }, (_, i) => `host-${i}.test\n`).join('')

export class Folder {
  readonly path = mkdtempSync(join(tmpdir(), 'sluss-lists-'))
  readonly state = join(this.path, 'state')
  readonly image = join(this.state, 'lists', 'image')
  /** What was said, a message each. */
  readonly said: string[] = []
  readonly #ending = new AbortController()
  #open: Lists[] = []

  constructor(settings = SETTINGS) {
    mkdirSync(this.state)
    this.write('sluss.yaml', settings)
    this.write('porn.txt', 'bad.test\n')
    this.write('racism.txt', 'hate.test\n')
    this.write('never.txt', 'help.test\n')
  }

  write(name: string, text: string | Buffer): void {
    const file = join(this.path, name)
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, text)
  }

  read(name: string): Buffer {
    return readFileSync(join(this.path, name))
  }

  remove(name: string): void {
    rmSync(join(this.path, name))
  }

  configuration(): Configuration {
    const file = join(this.path, 'sluss.yaml')
    const read = readConfiguration({ file, overrides: [], nowMs: 0, lists: 'tell' })
    if (!read.ok) throw new Error(read.problems.map((one) => formatProblem(one)).join('\n'))
    return read
  }

  /** The lists as a service that is just starting has them. */
  lists(): Lists {
    const log = pino(
      { base: null },
      { write: (line: string) => this.said.push((JSON.parse(line) as { msg: string }).msg) },
    )
    const lists = new Lists({ state: this.state, log, signal: this.#ending.signal })
    this.#open.push(lists)
    return lists
  }

  /** A start: the lists, and what came of it, when the image is saved. */
  async start(): Promise<{ readonly lists: Lists; readonly result: ImageResult }> {
    const lists = this.lists()
    const result = await lists.begin(this.configuration())
    await lists.settled()
    return { lists, result }
  }

  /** A reload: what is wrong, or nothing, and then it is in force. */
  async reload(lists: Lists): Promise<string[]> {
    const result = await lists.next(this.configuration())
    if (!result.ok) return problemsIn(result)
    lists.put(result.built, () => Promise.resolve())
    await lists.settled()
    return []
  }

  async close(): Promise<void> {
    this.#ending.abort()
    for (const lists of this.#open) await lists.settled()
    rmSync(this.path, { recursive: true, force: true })
  }
}

export function problemsIn(result: ImageResult): string[] {
  return result.ok ? [] : result.problems.map(({ what }) => what)
}

/** The labels of `host` by the image in force, as bits. */
export function categoriesOf(lists: Lists, host: string): number {
  const labels = noLabels()
  new Lookup(lists.inForce.image).match(host, labels)
  return labels.categories
}
