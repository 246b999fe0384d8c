/**
 * Owns: reading an origin's response head, and where its body ends.
 * Never: does I/O, or passes on what does not follow HTTP: such a response is a fault.
 *
 * Source: RFC 9112 sections 4 and 6.3.
 */
import { type Fields, listOf, parseFields, pushAll } from './fields.ts'
import { type Framing, parseLength } from './framing.ts'

export interface ResponseHead {
  readonly status: number
  readonly phrase: string
  readonly minor: 0 | 1
  readonly fields: Fields
  readonly nominated: readonly string[]
  readonly framing: Framing
  /** The origin means to keep the connection open. */
  readonly keepAlive: boolean
  /** It signs in the connection, not the request (NTLM, Negotiate): the connection is this client's. */
  readonly connectionAuth: boolean
}

const STATUS_LINE = /^HTTP\/1\.([01]) ([1-9]\d\d)(?: ([\t\u0020-\u007e\u0080-\u00ff]*))?$/

/**
 * `text` is the head in latin1, from the status line to the last field line's CR LF. `method` is the
 * request's: the answer to HEAD has no body, whatever its fields say. Null where the head is wrong.
 */
export function parseResponseHead(
  text: string,
  method: string,
  fieldsMax: number,
): ResponseHead | null {
  const lineEnd = text.indexOf('\r\n')
  if (lineEnd < 0) return null
  const match = STATUS_LINE.exec(text.slice(0, lineEnd))
  if (match === null) return null
  const fields = parseFields(text, lineEnd + 2, fieldsMax)
  if (typeof fields === 'string') return null
  const minor = match[1] === '1' ? 1 : 0
  const status = Number(match[2])
  const found = scan(fields)
  const framing = framingOf(found, status, method, minor)
  if (framing === null) return null
  const { connection } = found
  const lasting =
    !connection.includes('close') && (minor === 1 || connection.includes('keep-alive'))
  return {
    status,
    phrase: match[3] ?? '',
    minor,
    fields: hasLengthToDrop(found, status) ? oneLength(fields, status) : fields,
    nominated: connection,
    framing,
    keepAlive: lasting && framing.kind !== 'close',
    connectionAuth: found.connectionAuth,
  }
}

interface Found {
  readonly length: string[]
  readonly transferEncoding: string[]
  readonly connection: string[]
  connectionAuth: boolean
}

function scan(fields: Fields): Found {
  const found: Found = { length: [], transferEncoding: [], connection: [], connectionAuth: false }
  for (let i = 0; i < fields.length; i += 2) {
    const value = fields[i + 1]!
    switch (fields[i]!.toLowerCase()) {
      case 'content-length':
        found.length.push(value)
        break
      case 'transfer-encoding':
        found.transferEncoding.push(value)
        break
      case 'connection':
        pushAll(found.connection, listOf(value))
        break
      case 'www-authenticate':
        if (isConnectionAuth(value)) found.connectionAuth = true
        break
    }
  }
  return found
}

/** A status that has no content may not announce a length (RFC 9110 section 8.6). */
function forbidsLength(status: number): boolean {
  return status < 200 || status === 204
}

function hasLengthToDrop({ length }: Found, status: number): boolean {
  return length.length > 1 || (length.length === 1 && forbidsLength(status))
}

/** `fields` with one Content-Length instead of several equal ones, or with none where none may be. */
function oneLength(fields: Fields, status: number): Fields {
  const kept: Fields = []
  let seen = forbidsLength(status)
  for (let i = 0; i < fields.length; i += 2) {
    const isLength = fields[i]!.toLowerCase() === 'content-length'
    if (isLength && seen) continue
    seen ||= isLength
    kept.push(fields[i]!, fields[i + 1]!)
  }
  return kept
}

/**
 * True where credentials, or one of the challenges in a list, are of a scheme that signs in a connection
 * (RFC 4559 and NTLM). The word in a quoted string counts too: that costs a reused connection, no more.
 */
export function isConnectionAuth(text: string): boolean {
  return /(?:^|,)[\t ]*(?:ntlm|negotiate)\b/i.test(text)
}

/** True where a request's `fields` have credentials that sign in its connection. */
export function hasConnectionAuth(fields: Fields): boolean {
  for (let i = 0; i < fields.length; i += 2) {
    if (fields[i]!.toLowerCase() === 'authorization' && isConnectionAuth(fields[i + 1]!))
      return true
  }
  return false
}

function framingOf(found: Found, status: number, method: string, minor: 0 | 1): Framing | null {
  const { length, transferEncoding } = found
  const bytes = length.length === 0 ? null : parseLength(length[0]!)
  const lengthWrong =
    length.length > 0 && (bytes === null || length.some((value) => value !== length[0]))
  // Two codings are two framings, also of an answer that has no body.
  if (lengthWrong || transferEncoding.length > 1) return null
  if (transferEncoding.length > 0 && length.length > 0) return null
  if (method === 'HEAD' || forbidsLength(status) || status === 304) return { kind: 'none' }
  if (transferEncoding.length > 0) {
    const chunked =
      transferEncoding.length === 1 && transferEncoding[0]!.toLowerCase() === 'chunked'
    return chunked && minor === 1 ? { kind: 'chunked' } : null
  }
  if (bytes === null) return { kind: 'close' }
  return bytes === 0 ? { kind: 'none' } : { kind: 'length', length: bytes }
}
