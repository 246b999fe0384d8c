/**
 * Owns: what a published checksum says of a file, and whether the file is so.
 * Never: fetches either.
 */
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'

export type DigestAlgorithm = 'md5' | 'sha256' | 'sha512'

export interface Digest {
  readonly algorithm: DigestAlgorithm
  /** Small letters. */
  readonly hex: string
}

/** The file of a large archive of lists has a few hundred lines. */
export const CHECKSUM_BYTES_MAX = 1_048_576

/** By the number of hex digits. */
const ALGORITHMS: Readonly<Record<number, DigestAlgorithm>> = {
  32: 'md5',
  64: 'sha256',
  128: 'sha512',
}

/**
 * As GNU sha256sum writes a line: the digest, a blank, a blank or a star, the name. The dot means any
 * character: with one that it stops at, a line of blanks would be tried in as many ways as it is long.
 */
const GNU = /^\\?([0-9a-f]+)(?:[ \t]+\*?(.+))?$/is
/** As BSD and `sha256sum --tag` write it. */
const TAGGED = /^[A-Z0-9-]+ ?\((.+)\) ?= ?([0-9a-f]+)$/is

/**
 * The digest of `fileName` in the text of a checksum file, the strongest where there are several; a
 * lone digest counts whatever name stands beside it. Null where there is none.
 */
export function readDigest(text: string, fileName: string): Digest | null {
  const found = text.split(/\r?\n/).flatMap((line) => readDigestLine(line.trim()))
  const named = found.filter(({ name }) => name !== null && baseName(name) === fileName)
  const usable = named.length > 0 ? named : found.length === 1 ? found : []
  const [best] = usable.sort((a, b) => b.digest.hex.length - a.digest.hex.length)
  return best?.digest ?? null
}

function readDigestLine(line: string): { name: string | null; digest: Digest }[] {
  const tagged = TAGGED.exec(line)
  const gnu = tagged === null ? GNU.exec(line) : null
  const hex = (tagged?.[2] ?? gnu?.[1] ?? '').toLowerCase()
  const algorithm = ALGORITHMS[hex.length]
  if (algorithm === undefined) return []
  return [{ name: tagged?.[1] ?? gnu?.[2] ?? null, digest: { algorithm, hex } }]
}

function baseName(path: string): string {
  return path.trim().split(/[\\/]/).at(-1) ?? ''
}

/** The last part of a URL's path: what a checksum file calls it. */
export function fileNameOf(url: string): string {
  const last = new URL(url).pathname.split('/').at(-1) ?? ''
  try {
    return decodeURIComponent(last)
  } catch {
    return last
  }
}

/** In hex. Rejects as the system does where the file cannot be read. */
export async function digestOf(file: string, algorithm: DigestAlgorithm): Promise<string> {
  const hash = createHash(algorithm)
  for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer)
  return hash.digest('hex')
}
