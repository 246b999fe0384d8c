/**
 * Owns: what answers "is this host listed" in the matcher's bench: what one would write first, what
 * one can best write in plain JavaScript, published packages, and the image.
 * Never: gives a contender less to do than another: each answers for the host and all parents.
 *
 * Packages are imported where they are used, so that a process that measures another has nothing of
 * them in its memory.
 */
import assert from 'node:assert/strict'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { buildInThread } from '../src/lists/builder.ts'
import { loadImage, saveImage } from '../src/lists/image-file.ts'
import { Lookup } from '../src/lists/lookup.ts'
import { noLabels } from '../src/policy/policy.ts'
import { plainSource } from '../src/policy/source.ts'
import { isListed, listFiles, readLines } from './corpus.ts'
import { median } from './measure.ts'

/** What a contender can do once it is built. */
export interface Asker {
  readonly listed: (host: string) => boolean
  /** The categories of the host and its parents, a bit for each list; null: it cannot tell. */
  readonly categories: ((host: string) => number) | null
  /** The same as `listed`, for a host in bytes; null: it takes strings only. */
  readonly listedBytes: ((bytes: Uint8Array, start: number, end: number) => boolean) | null
  /** Bytes it needs beside the heap. */
  readonly imageBytes: number
  /** Saves it to a file and loads it from there; how long the loading took. Null: it cannot. */
  readonly loadMs: (() => number) | null
}

export interface ContenderKind {
  readonly name: string
  /** Of the hosts, those that a round asks for: less than all where all would take minutes. */
  readonly share: number
  readonly build: (folder: string) => Asker | Promise<Asker>
}

const plain = { categories: null, listedBytes: null, imageBytes: 0, loadMs: null }

export const CONTENDERS = {
  set: { name: 'Set and suffix walk', share: 1, build: buildSet },
  map: { name: 'Map with interior marks', share: 1, build: buildMap },
  trie: { name: 'mnemonist TrieMap', share: 1, build: buildTrie },
  tldts: { name: 'tldts and a Map', share: 1, build: buildRegistrable },
  ghostery: { name: '@ghostery/adblocker', share: 1 / 16, build: buildGhostery },
  image: { name: 'image', share: 1, build: buildImage },
} satisfies Record<string, ContenderKind>

export type Kind = keyof typeof CONTENDERS

function buildSet(folder: string): Asker {
  const set = new Set<string>()
  for (const file of listFiles(folder)) for (const name of readLines(file)) set.add(name)
  return { ...plain, listed: (host) => isListed(set, host) }
}

const HAS_CHILDREN = 1
/** A Map holds small integers as they are, of 31 bits. */
const CATEGORIES_MAX = 29

/** From the right: each parent of two labels or more is marked, so that most misses end at once. */
function buildMap(folder: string): Asker {
  const map = new Map<string, number>()
  let oneLabelNames = false
  const files = listFiles(folder)
  assert(files.length <= CATEGORIES_MAX)
  for (const [list, file] of files.entries()) {
    for (const name of readLines(file)) {
      map.set(name, (map.get(name) ?? 0) | (2 << list))
      let dot = name.indexOf('.')
      if (dot < 0) oneLabelNames = true
      for (; dot >= 0; dot = name.indexOf('.', dot + 1)) {
        const parent = name.slice(dot + 1)
        if (!parent.includes('.')) break
        map.set(parent, (map.get(parent) ?? 0) | HAS_CHILDREN)
      }
    }
  }
  const categories = (host: string) => {
    let found = 0
    let dot = host.lastIndexOf('.')
    if (oneLabelNames || dot < 0) found = map.get(dot < 0 ? host : host.slice(dot + 1)) ?? 0
    while (dot >= 0) {
      dot = dot === 0 ? -1 : host.lastIndexOf('.', dot - 1)
      const value = map.get(dot < 0 ? host : host.slice(dot + 1))
      if (value === undefined) break
      found |= value
      if ((value & HAS_CHILDREN) === 0) break
    }
    return found >>> 1
  }
  return { ...plain, listed: (host) => categories(host) !== 0, categories }
}

/** As the package lays it out; by its own methods alone, each label would be asked for again. */
interface TrieNode {
  readonly [label: string]: TrieNode | undefined
}
const TRIE_END = '\0'

async function buildTrie(folder: string): Promise<Asker> {
  const { TrieMap } = await import('mnemonist')
  const trie = new TrieMap<string[], true>(Array as unknown as new () => string[])
  for (const file of listFiles(folder)) {
    for (const name of readLines(file)) trie.set(name.split('.').reverse(), true)
  }
  const { root } = trie as unknown as { root: TrieNode }
  const listed = (host: string) => {
    let node = root
    for (let end = host.length; ; ) {
      const dot = host.lastIndexOf('.', end - 1)
      const child = node[host.slice(dot + 1, end)]
      if (child === undefined) return false
      if (TRIE_END in child) return true
      if (dot < 0) return false
      node = child
      end = dot
    }
  }
  return { ...plain, listed }
}

const LISTED = 1
const LISTED_BELOW = 2
const IS_HOST = { extractHostname: false, validateHostname: false, detectIp: false }

/** The registrable name first: where nothing at or below it is listed, one question is enough. */
async function buildRegistrable(folder: string): Promise<Asker> {
  const { getDomain } = await import('tldts')
  const map = new Map<string, number>()
  let listedSuffixes = false
  const mark = (name: string, bit: number) => map.set(name, (map.get(name) ?? 0) | bit)
  for (const file of listFiles(folder)) {
    for (const name of readLines(file)) {
      mark(name, LISTED)
      const domain = getDomain(name, IS_HOST)
      if (domain === null) listedSuffixes = true
      else if (domain !== name) mark(domain, LISTED_BELOW)
    }
  }
  const isIn = (name: string) => ((map.get(name) ?? 0) & LISTED) !== 0
  /** From `host` up to its parent `top`, or to the last label. */
  const walk = (host: string, top: string) => {
    for (let at = 0; host.length - at >= top.length; ) {
      if (isIn(host.slice(at))) return true
      const dot = host.indexOf('.', at)
      if (dot < 0) return false
      at = dot + 1
    }
    return false
  }
  const listed = (host: string) => {
    const domain = getDomain(host, IS_HOST)
    if (domain === null) return walk(host, '')
    const value = map.get(domain)
    if (value !== undefined && ((value & LISTED) !== 0 || walk(host, domain))) return true
    return listedSuffixes && walk(domain.slice(domain.indexOf('.') + 1), '')
  }
  return { ...plain, listed }
}

async function buildGhostery(folder: string): Promise<Asker> {
  const { FiltersEngine, Request } = await import('@ghostery/adblocker')
  const rules = listFiles(folder).flatMap((file) => readLines(file).map((name) => `||${name}^`))
  const engine = FiltersEngine.parse(rules.join('\n'), { loadCosmeticFilters: false })
  const listed = (host: string) => {
    const url = `http://${host}/`
    const about = { url, hostname: host, domain: host, sourceHostname: '', sourceDomain: '' }
    return engine.match(Request.fromRawDetails({ ...about, type: 'other' })).match
  }
  return { ...plain, listed }
}

/** As it stands in an image: 64 hex digits. */
const IMAGE_KEY = '5'.repeat(64)
const LOADS = 5

/** As the service loads it at the next start, its checksum included; the median of a few. */
function loadMsOf(folder: string, buffer: SharedArrayBuffer): number {
  const file = join(folder, 'image')
  assert.equal(saveImage(file, buffer), null)
  const took = Array.from({ length: LOADS }, () => {
    const beganMs = performance.now()
    const loaded = loadImage(file, IMAGE_KEY)
    const tookMs = performance.now() - beganMs
    assert(loaded.ok, 'the saved image cannot be loaded')
    return tookMs
  })
  rmSync(file)
  return median(took)
}

/** As the service builds it: in a thread, from files. */
async function buildImage(folder: string): Promise<Asker> {
  const sources = listFiles(folder).map((file, bit) => {
    const name = `list ${bit}`
    return plainSource({ name, target: { kind: 'category', bit }, file, entries: null })
  })
  const built = await buildInThread(sources, { key: IMAGE_KEY })
  assert(built.kind === 'built', JSON.stringify(built))
  const lookup = new Lookup(built.buffer)
  const labels = noLabels()
  return {
    listed: (host) => lookup.match(host, labels),
    categories: (host) => {
      lookup.match(host, labels)
      return labels.categories
    },
    listedBytes: (bytes, start, end) => lookup.matchBytes(bytes, start, end, labels),
    imageBytes: built.buffer.byteLength,
    loadMs: () => loadMsOf(folder, built.buffer),
  }
}
