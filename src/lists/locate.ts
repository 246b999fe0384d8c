/**
 * Owns: where in the lists a host's labels come from: which name or network matched, in which list,
 * on which line.
 * Never: is fast; requests ask Lookup. It reads the same image, so the two cannot disagree.
 */
import {
  contains,
  embeddedIpv4,
  formatAddress,
  formatNetwork,
  ipv4OfWord,
  type Network,
  parseAddress,
} from '../policy/address.ts'
import type { LabelTarget, Provenance } from '../policy/source.ts'
import { openedImage, readReport } from './image-report.ts'
import {
  BUCKET_END,
  bucketOf,
  bucketShift,
  DOT,
  HEADER,
  hashName,
  type ImageView,
  isLiteral,
  maskOf,
  NAME_BYTES_MAX,
  NETWORK_KIND,
  NETWORK_LINE,
  NETWORK_PREFIX,
  NETWORK_WORDS,
  NODE_MASK_BITS,
  nodeEnd,
  VARINT_MORE,
} from './layout.ts'
import { findNode } from './lookup.ts'
import type { SourceKind } from './masks.ts'
import type { ListReport } from './report.ts'

export interface Location {
  /** The listed name: the host itself or a parent of it; or the network that holds it. */
  readonly domain: string
  /** The list as people know it: `lists/porn.txt`. */
  readonly list: string
  /** 1-based. Of a name that a list has several times, the first. */
  readonly line: number
  readonly target: LabelTarget
  /** The list frees what it names here, instead of listing it. */
  readonly frees: boolean
  /** SHA-256 of the list in hex; empty for entries that stand in another file. */
  readonly version: string
  readonly provenance: Provenance
}

/** A source of a node: the kind that names it, and where. */
export interface NodeSource {
  readonly kind: number
  readonly line: number
}

/**
 * Every place that names `host` or a parent of it, or a network that holds it; the most specific
 * first, lists in the order of the settings. After that the same for the IPv4 address inside of a NAT64 or
 * 6to4 address. Throws where the buffer is not an image.
 */
export function locate(buffer: SharedArrayBuffer, host: string): Location[] {
  const image = openedImage(buffer)
  const inner = embeddedIn(host)
  return [...located(image, host), ...(inner === null ? [] : located(image, inner))]
}

/** The IPv4 address that a connection to `host` ends at, where it is a literal that holds one; else null. */
function embeddedIn(host: string): string | null {
  const [w0, w1, w2, w3] = parseAddress(host)?.words ?? [0, 0, 0, 0]
  const word = embeddedIpv4(w0, w1, w2, w3)
  return word < 0 ? null : formatAddress(ipv4OfWord(word))
}

function located(image: ImageView, host: string): Location[] {
  const bytes = new TextEncoder().encode(host)
  if (bytes.length === 0 || bytes.length > NAME_BYTES_MAX) return []
  const { kinds, report } = readReport(image)
  const locations: Location[] = []
  for (const start of suffixes(bytes)) {
    const mixed = hashName(bytes, start, bytes.length)
    const node = findNode(image, bytes, start, bytes.length, mixed)
    if (node === 0) continue
    const domain = new TextDecoder().decode(bytes.subarray(start))
    const found = sourcesOf(image, bucketOf(mixed, bucketShift(image.buckets.length)))
    // What frees was added last; kinds are numbered in the order of the lists.
    const sources = [...(found?.sources.get(node) ?? [])].sort((a, b) => a.kind - b.kind)
    for (const { kind, line } of sources) {
      locations.push({ domain, line, ...ofKind(kinds[kind]!, report.lists) })
    }
  }
  for (const { network, kind, line } of networksAround(image, host)) {
    locations.push({ domain: formatNetwork(network), line, ...ofKind(kinds[kind]!, report.lists) })
  }
  return locations
}

export interface BucketSources {
  /** By the node's offset in the arena, in the order of the lists. */
  readonly sources: ReadonlyMap<number, readonly NodeSource[]>
  /** Where the bucket ends in the arena. */
  readonly end: number
}

/** The nodes of a bucket and their sources. Null where the bucket does not end. */
export function sourcesOf(image: ImageView, bucket: number): BucketSources | null {
  const { arena, header } = image
  const kinds = header[HEADER.kinds]!
  const sources = new Map<number, NodeSource[]>()
  let at = image.buckets[bucket]!
  for (; arena[at]! > BUCKET_END; at = nodeEnd(image, at)) sources.set(at, [])
  if (arena[at] !== BUCKET_END) return null
  at++
  for (const [node, found] of sources) {
    for (let more = (maskOf(image, node) & NODE_MASK_BITS) !== 0; more; ) {
      let value = 0
      for (let factor = 1; ; factor *= VARINT_MORE) {
        const byte = arena[at++]
        if (byte === undefined || factor > Number.MAX_SAFE_INTEGER) return null
        value += (byte % VARINT_MORE) * factor
        if (byte < VARINT_MORE) break
      }
      more = value % 2 === 1
      const number = Math.floor(value / 2)
      // The arena has the latest first.
      found.unshift({ kind: number % kinds, line: Math.floor(number / kinds) })
    }
  }
  return { sources, end: at }
}

function ofKind({ list, frees }: SourceKind, lists: readonly ListReport[]) {
  const { name, target, sha256, provenance } = lists[list]!
  return { list: name, target, frees, version: sha256, provenance }
}

/** Where the host and each of its parents begin; an IP literal has no parents. */
function suffixes(bytes: Uint8Array): number[] {
  const starts = [0]
  if (isLiteral(bytes, 0, bytes.length)) return starts
  for (const [at, byte] of bytes.entries()) if (byte === DOT) starts.push(at + 1)
  return starts
}

interface LocatedNetwork {
  readonly network: Network
  readonly kind: number
  readonly line: number
}

/** The networks that hold the address that `host` is, if it is one; the smallest first. */
function networksAround({ networks }: ImageView, host: string): LocatedNetwork[] {
  const address = parseAddress(host)
  if (address === null) return []
  const around: LocatedNetwork[] = []
  for (let at = 0; at < networks.length; at += NETWORK_WORDS) {
    const word = (i: number) => networks[at + i]! >>> 0
    const network: Network = {
      words: [word(0), word(1), word(2), word(3)],
      prefix: word(NETWORK_PREFIX),
    }
    if (!contains(network, address)) continue
    around.push({ network, kind: word(NETWORK_KIND), line: word(NETWORK_LINE) })
  }
  return around.sort((a, b) => b.network.prefix - a.network.prefix || a.kind - b.kind)
}
