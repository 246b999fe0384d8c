/**
 * Owns: how a password is kept: scrypt with its cost, salt and hash in one line of text.
 * Never: keeps or logs a password, or compares a hash in a time that tells how much of it was right.
 */
import { randomBytes, scrypt, timingSafeEqual } from 'node:crypto'

/** What one derivation costs: 2^ln rounds over blocks of r, p times. Memory is 128 · 2^ln · r bytes. */
export interface ScryptCost {
  readonly ln: number
  readonly r: number
  readonly p: number
}

export interface ScryptHash {
  readonly cost: ScryptCost
  readonly salt: Uint8Array
  readonly hash: Uint8Array
}

/** Derives `lengthBytes` bytes; the seam that tests count. Rejects where memory is not to be had. */
export type Derive = (
  password: string,
  salt: Uint8Array,
  lengthBytes: number,
  cost: ScryptCost,
) => Promise<Uint8Array>

/** For new passwords: 32 MiB and some 60 ms of one core, which people pay once in a while, not per request. */
export const COST: ScryptCost = { ln: 15, r: 8, p: 1 }

/** What a users file may ask of us for each guess that a stranger makes. */
export const LN_MIN = 10
export const LN_MAX = 17
export const R_MAX = 32
export const P_MAX = 4
export const MEMORY_MAX_BYTES = 256 * 1024 * 1024

const SALT_BYTES = 16
const HASH_BYTES = 32
/** Shorter salts repeat between people, shorter hashes can be met by chance; longer ones are mistakes. */
const PART_BYTES_MIN = 16
const PART_BYTES_MAX = 64

const FORM =
  /^\$scrypt\$ln=(\d{1,2}),r=(\d{1,2}),p=(\d{1,2})\$([A-Za-z0-9+/]{1,88})\$([A-Za-z0-9+/]{1,88})$/

/** Reads `$scrypt$ln=15,r=8,p=1$<salt>$<hash>` (base64 without padding), or null where it is anything else. */
export function parseScrypt(text: string): ScryptHash | null {
  const match = FORM.exec(text)
  if (match === null) return null
  const cost = { ln: Number(match[1]), r: Number(match[2]), p: Number(match[3]) }
  const salt = fromBase64(match[4]!)
  const hash = fromBase64(match[5]!)
  return isAffordable(cost) && salt !== null && hash !== null ? { cost, salt, hash } : null
}

export function formatScrypt({ cost, salt, hash }: ScryptHash): string {
  return `$scrypt$ln=${cost.ln},r=${cost.r},p=${cost.p}$${toBase64(salt)}$${toBase64(hash)}`
}

/** The line of text that `password` is kept as, with a new salt. */
export async function hashPassword(
  password: string,
  derive: Derive = deriveScrypt,
): Promise<string> {
  const salt = randomBytes(SALT_BYTES)
  const hash = await derive(comparable(password), salt, HASH_BYTES, COST)
  return formatScrypt({ cost: COST, salt, hash })
}

/** True where `password` is the one behind `kept`. */
export async function matchesScrypt(
  password: string,
  kept: ScryptHash,
  derive: Derive = deriveScrypt,
): Promise<boolean> {
  const found = await derive(comparable(password), kept.salt, kept.hash.length, kept.cost)
  return found.length === kept.hash.length && timingSafeEqual(found, kept.hash)
}

/** A hash that no password has, as costly as `cost`: the work done for a user who does not exist. */
export function decoyScrypt(cost: ScryptCost): ScryptHash {
  return { cost, salt: randomBytes(SALT_BYTES), hash: randomBytes(HASH_BYTES) }
}

/** node:crypto's scrypt, in the thread pool. */
export const deriveScrypt: Derive = (password, salt, lengthBytes, { ln, r, p }) =>
  new Promise((resolve, reject) => {
    const N = 2 ** ln
    // OpenSSL counts all its buffers against maxmem: the big one, a block for each p, and two more.
    const options = { N, r, p, maxmem: 128 * r * (N + p + 2) + 1024 }
    scrypt(password, salt, lengthBytes, options, (error, derived) =>
      error === null ? resolve(derived) : reject(error),
    )
  })

/** One spelling of the same letters: keyboards write `å` as one code point, or as `a` and a ring (RFC 8265 4.2). */
function comparable(password: string): string {
  return password.normalize('NFC')
}

function isAffordable({ ln, r, p }: ScryptCost): boolean {
  if (ln < LN_MIN || ln > LN_MAX || r < 1 || r > R_MAX || p < 1 || p > P_MAX) return false
  return 128 * 2 ** ln * r <= MEMORY_MAX_BYTES
}

function toBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64').replace(/=+$/, '')
}

function fromBase64(text: string): Uint8Array | null {
  const bytes = Buffer.from(text, 'base64')
  if (bytes.length < PART_BYTES_MIN || bytes.length > PART_BYTES_MAX) return null
  return toBase64(bytes) === text ? bytes : null
}
