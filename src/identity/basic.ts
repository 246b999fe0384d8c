/**
 * Owns: reading the credentials of the Basic scheme (RFC 7617, in UTF-8).
 * Never: judges them; the verifier does.
 */
import type { UserName } from '../policy/user.ts'
import { parseUserName } from '../policy/user.ts'

export interface Credentials {
  readonly user: UserName
  readonly password: string
}

/** Longest Proxy-Authorization value that is looked at: twice the longest name and password, in base64. */
export const CREDENTIALS_LENGTH_MAX = 2_048
/** In characters. Longer ones are not passwords, and hashing them is not free. */
export const PASSWORD_LENGTH_MAX = 256

const SCHEME = 'basic'
const BLANK = 0x20

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** True where a Proxy-Authorization value is of the Basic scheme, well formed or not. */
export function isBasic(headerValue: string): boolean {
  return /^basic(?: |$)/i.test(headerValue)
}

/**
 * What stands behind the scheme, without the blanks around it, or null where the scheme is another or nothing
 * stands there: two fields with the same token say the same. On the path of every request.
 */
export function basicToken(headerValue: string): string | null {
  for (let i = 0; i < SCHEME.length; i++) {
    if ((headerValue.charCodeAt(i) | 0x20) !== SCHEME.charCodeAt(i)) return null
  }
  let start = SCHEME.length
  while (headerValue.charCodeAt(start) === BLANK) start++
  let end = headerValue.length
  while (end > start && headerValue.charCodeAt(end - 1) === BLANK) end--
  return start === SCHEME.length || start === end ? null : headerValue.slice(start, end)
}

/**
 * The name and password of `Basic <base64 of name:password>`, or null where it is anything else: other
 * schemes, loose base64, bytes that are not UTF-8, controls, an empty or overlong name or password.
 * The password may hold colons (RFC 7617 section 2: the first one ends the name).
 */
export function parseBasic(headerValue: string): Credentials | null {
  if (headerValue.length > CREDENTIALS_LENGTH_MAX) return null
  const token = basicToken(headerValue)
  // One spelling of the same bytes, and nothing that is passed over.
  if (token === null) return null
  const bytes = Buffer.from(token, 'base64')
  if (bytes.toString('base64') !== token) return null
  const text = decode(bytes)
  const colon = text?.indexOf(':') ?? -1
  if (text === null || colon < 0) return null
  const user = parseUserName(text.slice(0, colon))
  const password = text.slice(colon + 1)
  return user !== null && isPassword(password) ? { user, password } : null
}

/** The Proxy-Authorization value for a name and password: `parseBasic` backwards. */
export function formatBasic(user: string, password: string): string {
  return `Basic ${Buffer.from(`${user}:${password}`, 'utf8').toString('base64')}`
}

/** True for what can be sent as a password: not empty, not overlong, no controls. */
export function isPassword(text: string): boolean {
  if (text === '' || text.length > PASSWORD_LENGTH_MAX) return false
  // biome-ignore lint/suspicious/noControlCharactersInRegex: controls are what this looks for
  return !/[\u0000-\u001f\u007f]/.test(text)
}

function decode(bytes: Uint8Array): string | null {
  try {
    return utf8.decode(bytes)
  } catch {
    return null
  }
}
