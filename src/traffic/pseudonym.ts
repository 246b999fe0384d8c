/**
 * Owns: the names that stand in the log in place of people's: keyed, so that only who holds the key
 * can tell whether a given person is meant.
 * Never: turns a pseudonym back into a name, or gives the key to anyone.
 *
 * A pseudonym is the first 80 bits of HMAC-SHA-256 over the kind and the name, as 16 characters of
 * base32 (RFC 4648 section 6, lower case): that any two of a million names share one has a chance
 * of 10^-12.
 */
import { createHmac, randomBytes } from 'node:crypto'
import { linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { LRUCache } from 'lru-cache'
import type { IdentityKind } from '../policy/index.ts'
import { errorCode } from './failure.ts'

/** What `log.identities` may say: whether names, or pseudonyms for them, are written to the log. */
export type Identities = 'pseudonym' | 'name'

export const KEY_BYTES = 32
const PSEUDONYM_BYTES = 10
const ALPHABET = 'abcdefghijklmnopqrstuvwxyz234567'
/** Pseudonyms remembered: more than the people of one municipality. */
const REMEMBERED_MAX = 50_000

export class Pseudonyms {
  readonly #key: Buffer
  readonly #known = new LRUCache<string, string>({ max: REMEMBERED_MAX })

  constructor(key: Buffer) {
    if (key.length !== KEY_BYTES) throw new RangeError(`a key has ${KEY_BYTES} bytes`)
    this.#key = key
  }

  /** `u-` and 16 characters; empty for an empty name. */
  user(name: string): string {
    return this.#pseudonym('u', name)
  }

  /** `a-` and 16 characters; empty for an empty address. */
  address(text: string): string {
    return this.#pseudonym('a', text)
  }

  /** What stands for `user` in the log; the name of a zone is nobody's and stays. */
  ofIdentity(identity: IdentityKind | '', user: string): string {
    if (identity === 'network') return user
    return identity === 'address' ? this.address(user) : this.user(user)
  }

  #pseudonym(kind: 'u' | 'a', name: string): string {
    if (name === '') return ''
    const id = `${kind}-${name}`
    let found = this.#known.get(id)
    if (found === undefined) {
      const mac = createHmac('sha256', this.#key).update(id).digest()
      found = `${kind}-${base32(mac.subarray(0, PSEUDONYM_BYTES))}`
      this.#known.set(id, found)
    }
    return found
  }
}

/** RFC 4648 section 6 in lower case, for a number of bits that five divides. */
function base32(bytes: Uint8Array): string {
  let text = ''
  let bits = 0
  let held = 0
  for (const byte of bytes) {
    held = (held << 8) | byte
    bits += 8
    for (; bits >= 5; bits -= 5) text += ALPHABET[(held >>> (bits - 5)) & 31]
    held &= (1 << bits) - 1
  }
  return text
}

/**
 * The key in `file`, or null where there is none. Throws where it is not a key or may not be read.
 */
export function readKey(file: string): Buffer | null {
  let key: Buffer
  try {
    key = readFileSync(file)
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return null
    throw error
  }
  if (key.length === KEY_BYTES) return key
  throw new Error(
    `is ${key.length} bytes long, expected ${KEY_BYTES}. Restore it from a backup; or move it away, and ` +
      'a new key is made: people are then no longer found under their old pseudonyms',
  )
}

/**
 * The key in `file` (0600), made at first use. Two who make it at once end up with the same one.
 */
export function openKey(file: string): Buffer {
  const found = readKey(file)
  if (found !== null) return found
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
  const draft = `${file}.${randomBytes(8).toString('hex')}`
  try {
    writeFileSync(draft, randomBytes(KEY_BYTES), { mode: 0o600, flag: 'wx', flush: true })
    // A link, unlike a rename, fails where the name is taken: the first key made is the one that
    // stays.
    linkSync(draft, file)
  } catch (error) {
    if (errorCode(error) !== 'EEXIST') throw error
  } finally {
    rmSync(draft, { force: true })
  }
  return readKey(file) ?? openKey(file)
}
