/**
 * Owns: reading a request head: what is asked for, by which framing, and everything wrong with it.
 * Never: does I/O, or forgives: what two parsers could read differently is refused.
 *
 * Source: RFC 9112 sections 2 to 6 and 9, RFC 9110 sections 7 to 10. Each fault is a Reason.
 */
import type { Carriage, Host, Reason } from '../policy/index.ts'
import { parseHost } from '../policy/index.ts'
import { type Fields, isToken, listOf, parseFields, pushAll } from './fields.ts'
import { type Framing, parseLength } from './framing.ts'

export interface RequestHead {
  readonly method: string
  readonly carriage: Carriage
  readonly host: Host
  readonly port: number
  /** Origin-form, with its query, to send on; empty for CONNECT. */
  readonly target: string
  /** HTTP/1.`minor`. */
  readonly minor: 0 | 1
  readonly fields: Fields
  /** Names that Connection nominates, lower case. */
  readonly nominated: readonly string[]
  readonly framing: Framing
  /** The client means to send more on this connection. */
  readonly keepAlive: boolean
  readonly expectsContinue: boolean
  /** The protocols asked for, where Connection nominates Upgrade. */
  readonly upgrade: string | null
  readonly proxyAuthorization: string | null
  /** Our own answers' language depends on it. */
  readonly acceptLanguage: string
  /** Entries of Via, lower case: a request that has passed us before names us here. */
  readonly via: readonly string[]
}

/** What is wrong, and as much of the request as could be read before it, for the record. */
export interface HeadFault {
  readonly fault: Reason
  readonly method: string
  readonly host: string
  readonly port: number
}

export const REQUEST_LINE_BYTES_MAX = 16_384
const METHOD_LENGTH_MAX = 32

class Fault extends Error {
  readonly reason: Reason

  constructor(reason: Reason) {
    super(reason)
    this.reason = reason
  }
}

/** `text` is the head in latin1, from the request line to the last field line's CR LF. */
export function parseRequestHead(text: string, fieldsMax: number): RequestHead | HeadFault {
  const seen = { method: '', host: '', port: 0 }
  try {
    return read(text, fieldsMax, seen)
  } catch (error) {
    if (error instanceof Fault) return { fault: error.reason, ...seen }
    throw error
  }
}

type Seen = { method: string; host: string; port: number }

function read(text: string, fieldsMax: number, seen: Seen): RequestHead {
  const lineEnd = text.indexOf('\r\n')
  if (lineEnd < 0) throw new Fault('request-line')
  if (lineEnd > REQUEST_LINE_BYTES_MAX) throw new Fault('request-line-too-long')
  const { method, target, minor } = requestLine(text.slice(0, lineEnd))
  seen.method = method
  const carriage = method === 'CONNECT' ? 'connect' : 'http'
  const asked = carriage === 'connect' ? authorityForm(target) : absoluteForm(target, method)
  seen.host = asked.host
  seen.port = asked.port
  const fields = parseFields(text, lineEnd + 2, fieldsMax)
  if (fields === 'malformed') throw new Fault('header-malformed')
  if (fields === 'too-many') throw new Fault('head-too-large')
  const found = scan(fields)
  checkHost(found.host, asked, minor)
  const framing = framingOf(found, minor)
  if (carriage === 'connect' && framing.kind !== 'none') throw new Fault('framing-conflict')
  const { connection } = found
  return {
    method,
    carriage,
    host: asked.host,
    port: asked.port,
    target: asked.target,
    minor,
    fields,
    nominated: connection,
    framing,
    // A proxy keeps no HTTP/1.0 client's connection, whatever it asks for (RFC 9112 section 9.3).
    keepAlive: minor === 1 && !connection.includes('close'),
    expectsContinue: expectation(found.expect, minor),
    upgrade: minor === 1 && connection.includes('upgrade') ? protocolsOf(found.upgrade) : null,
    proxyAuthorization: found.proxyAuthorization,
    acceptLanguage: found.acceptLanguage,
    via: found.via,
  }
}

function requestLine(line: string): { method: string; target: string; minor: 0 | 1 } {
  const parts = line.split(' ')
  if (parts.length !== 3) throw new Fault('request-line')
  const [method, target, version] = parts as [string, string, string]
  if (method.length > METHOD_LENGTH_MAX || !isToken(method)) throw new Fault('request-line')
  if (!/^HTTP\/\d\.\d$/.test(version)) throw new Fault('request-line')
  if (version !== 'HTTP/1.1' && version !== 'HTTP/1.0') throw new Fault('version-unsupported')
  // biome-ignore lint/suspicious/noControlCharactersInRegex: what may not stand in a target
  if (target === '' || /[\u0000-\u0020\u007f]/.test(target)) throw new Fault('request-line')
  return { method, target, minor: version === 'HTTP/1.1' ? 1 : 0 }
}

interface Asked {
  readonly host: Host
  readonly port: number
  readonly target: string
}

/** CONNECT's `host:port`; the port must be there (RFC 9112 section 3.2.3). */
function authorityForm(target: string): Asked {
  if (target.includes('@')) throw new Fault('userinfo-forbidden')
  const { host, port } = authority(target)
  if (port === null) throw new Fault('target-form')
  return { host, port, target: '' }
}

/** `http://host[:port]/path?query` (RFC 9112 section 3.2.2). */
function absoluteForm(target: string, method: string): Asked {
  if (target === '*' || target.startsWith('/')) throw new Fault('target-form')
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(target)
  if (scheme === null) throw new Fault('target-form')
  if (scheme[1]!.toLowerCase() !== 'http') throw new Fault('scheme-unsupported')
  const start = scheme[0].length
  const rest = target.slice(start)
  const slash = rest.search(/[/?#]/)
  const authorityText = slash < 0 ? rest : rest.slice(0, slash)
  const path = slash < 0 ? '' : rest.slice(slash)
  // A fragment never travels, and a backslash is a slash to some and not to others.
  if (path.includes('#') || authorityText.includes('\\')) throw new Fault('request-line')
  if (authorityText.includes('@')) throw new Fault('userinfo-forbidden')
  const { host, port } = authority(authorityText)
  return { host, port: port ?? 80, target: originForm(path, method) }
}

/** What we ask the origin for. OPTIONS without a path is about the server (RFC 9112 section 3.2.4). */
function originForm(path: string, method: string): string {
  if (path === '' && method === 'OPTIONS') return '*'
  return encodeHighBytes(path[0] === '/' ? path : `/${path}`)
}

/** Bytes beyond ASCII in a path go on as browsers send them. */
function encodeHighBytes(path: string): string {
  return path.replace(
    /[\u0080-\u00ff]/g,
    (byte) => `%${byte.charCodeAt(0).toString(16).toUpperCase()}`,
  )
}

/** `host[:port]`, IPv6 in brackets; bytes beyond ASCII are UTF-8. */
function authority(text: string): { host: Host; port: number | null } {
  const match = /^(\[[^\]]*\]|[^:]*)(?::(\d{0,6}))?$/.exec(text)
  if (match === null) throw new Fault('host-malformed')
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the ASCII range
  const ascii = /^[\u0000-\u007f]*$/.test(match[1]!)
  const name = ascii ? match[1]! : Buffer.from(match[1]!, 'latin1').toString('utf8')
  const parsed = parseHost(name)
  if (typeof parsed === 'string') throw new Fault('host-malformed')
  const digits = match[2]
  if (digits === undefined || digits === '') return { host: parsed.host, port: null }
  const port = Number(digits)
  if (digits.length > 5 || port < 1 || port > 65_535) throw new Fault('host-malformed')
  return { host: parsed.host, port }
}

interface Found {
  host: string[]
  length: string[]
  transferEncoding: string[]
  connection: string[]
  expect: string | null
  upgrade: string | null
  proxyAuthorization: string | null
  acceptLanguage: string
  via: string[]
}

/** Picks out of the fields what concerns us, in one pass. */
function scan(fields: Fields): Found {
  const found: Found = {
    host: [],
    length: [],
    transferEncoding: [],
    connection: [],
    expect: null,
    upgrade: null,
    proxyAuthorization: null,
    acceptLanguage: '',
    via: [],
  }
  for (let i = 0; i < fields.length; i += 2) pick(found, fields[i]!.toLowerCase(), fields[i + 1]!)
  return found
}

function pick(found: Found, name: string, value: string): void {
  switch (name) {
    case 'host':
      found.host.push(value)
      break
    case 'content-length':
      found.length.push(value)
      break
    case 'transfer-encoding':
      found.transferEncoding.push(value)
      break
    case 'connection':
    case 'proxy-connection':
      pushAll(found.connection, listOf(value))
      break
    case 'expect':
      found.expect = found.expect === null ? value : `${found.expect}, ${value}`
      break
    case 'upgrade':
      found.upgrade = found.upgrade === null ? value : `${found.upgrade}, ${value}`
      break
    case 'proxy-authorization':
      // Two credentials are two users: neither is believed.
      found.proxyAuthorization = found.proxyAuthorization === null ? value : ''
      break
    case 'accept-language':
      found.acceptLanguage = value
      break
    case 'via':
      pushAll(found.via, listOf(value))
      break
  }
}

/** One Host in HTTP/1.1, and it says what the target says (RFC 9112 section 3.2). */
function checkHost(hosts: string[], asked: Asked, minor: 0 | 1): void {
  if (hosts.length > 1 || (minor === 1 && hosts.length === 0)) throw new Fault('host-mismatch')
  const text = hosts[0]
  if (text === undefined) return
  if (text.includes('@')) throw new Fault('host-mismatch')
  const { host, port } = authority(text)
  if (host !== asked.host) throw new Fault('host-mismatch')
  // CONNECT clients often leave their port out of Host; of http:// none means 80.
  const meant = port ?? (asked.target === '' ? asked.port : 80)
  if (meant !== asked.port) throw new Fault('host-mismatch')
}

function framingOf(found: Found, minor: 0 | 1): Framing {
  const { length, transferEncoding } = found
  if (transferEncoding.length > 0) {
    const chunked =
      transferEncoding.length === 1 && transferEncoding[0]!.toLowerCase() === 'chunked'
    if (!chunked || length.length > 0 || minor === 0) throw new Fault('framing-conflict')
    return { kind: 'chunked' }
  }
  if (length.length === 0) return { kind: 'none' }
  const bytes = length.length === 1 ? parseLength(length[0]!) : null
  if (bytes === null) throw new Fault('framing-conflict')
  return bytes === 0 ? { kind: 'none' } : { kind: 'length', length: bytes }
}

/** What Upgrade asks for; null where it names nothing. */
function protocolsOf(upgrade: string | null): string | null {
  return upgrade === null || listOf(upgrade).length === 0 ? null : upgrade
}

function expectation(value: string | null, minor: 0 | 1): boolean {
  if (value === null) return false
  if (value.toLowerCase() !== '100-continue') throw new Fault('expectation-unsupported')
  // An HTTP/1.0 client does not know the answer to it (RFC 9110 section 10.1.1).
  return minor === 1
}
