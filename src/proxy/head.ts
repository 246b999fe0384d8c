/**
 * Owns: reading a request head: what is asked for, by which framing, and everything wrong with it.
 * Never: does I/O, or forgives: what two parsers could read differently is refused.
 *
 * Source: RFC 9112 sections 2 to 6 and 9, RFC 9110 sections 7 to 10. Each fault is a Reason.
 * Every request comes through here: no exception and no copy where the head is as it should be.
 */
import type { Carriage, Host, Reason } from '../policy/index.ts'
import { type Authority, parseAuthority } from './authority.ts'
import {
  ACCEPT_LANGUAGE,
  AUTHORIZATION,
  CONNECTION,
  CONTENT_LENGTH,
  EXPECT,
  FRAMING_LOOKALIKE,
  HOST,
  MAX_FORWARDS,
  PROXY_AUTHORIZATION,
  PROXY_CONNECTION,
  TRANSFER_ENCODING,
  UPGRADE,
  VIA,
} from './field-names.ts'
import { scan } from './field-scan.ts'
import { type Fields, fieldsOf, keptLines, listOf, NO_NAMES, nominations } from './fields.ts'
import {
  CHUNKED,
  type Framing,
  framingOfLength,
  isChunked,
  isLengthOdd,
  lengthLine,
  lengthOf,
  NONE,
  parseLength,
} from './framing.ts'
import { RequestLine, type TargetForm } from './request-line.ts'
import { isConnectionAuth } from './response.ts'

export type { TargetForm } from './request-line.ts'

export interface RequestHead {
  readonly method: string
  /** How the target was written (RFC 9112 section 3.2). */
  readonly form: TargetForm
  readonly carriage: Carriage
  readonly host: Host
  readonly port: number
  /** `host:port`: one text for one origin, however it was written. */
  readonly origin: string
  /** Origin-form, with its query, to send on, or `*`; empty for CONNECT. */
  readonly target: string
  /** What follows the target in the request we send: ` HTTP/1.1`, CR LF, and its Host line. */
  readonly hostLines: string
  /** What of the fields may go on, without Host: lines ended by CR LF, as we write them. */
  readonly lines: string
  /** HTTP/1.`minor`. */
  readonly minor: 0 | 1
  /** All fields as they came. Read anew at each use: not for every request. */
  readonly fields: Fields
  /** Names that Connection nominates, lower case. */
  readonly nominated: readonly string[]
  readonly framing: Framing
  /** The client means to send more on this connection. */
  readonly keepAlive: boolean
  readonly expectsContinue: boolean
  /** The protocol asked for that may be: `websocket`, where Connection nominates Upgrade. */
  readonly upgrade: string | null
  readonly proxyAuthorization: string | null
  /** Its credentials for the origin sign in a connection (NTLM, Negotiate), not a request. */
  readonly connectionAuth: boolean
  /** Our own answers' language depends on it. */
  readonly acceptLanguage: string
  /** Entries of Via, lower case: a request that has passed us before names us here. */
  readonly via: readonly string[]
  /** Of TRACE and OPTIONS, where it is given: at 0 the answer is ours (RFC 9110 section 7.6.2). */
  readonly maxForwards: number | null
}

/** What is wrong, and as much of the request as could be read before it, for the record. */
export interface HeadFault {
  readonly fault: Reason
  readonly method: string
  readonly host: string
  readonly port: number
}

export const REQUEST_LINE_BYTES_MAX = 16_384
const PLAIN_PORT = 80
const WEBSOCKET = 'websocket'

/**
 * `text` is the head in latin1, from the request line to the last field line's CR LF; `fieldsMax` is how
 * many field lines there may be, `lineBytesMax` how long the request line, without its CR LF.
 */
export function parseRequestHead(
  text: string,
  fieldsMax: number,
  lineBytesMax: number = REQUEST_LINE_BYTES_MAX,
): RequestHead | HeadFault {
  const head = new Request(text)
  const fault = head.read(fieldsMax, lineBytesMax)
  scan.clear()
  if (fault === null) return head
  return { fault, method: head.method, host: head.host, port: head.port }
}

class Request implements RequestHead {
  method = ''
  form: TargetForm = 'absolute'
  carriage: Carriage = 'http'
  host = '' as Host
  port = 0
  origin = ''
  target = ''
  hostLines = ''
  lines = ''
  minor: 0 | 1 = 1
  nominated = NO_NAMES
  framing: Framing = NONE
  keepAlive = false
  expectsContinue = false
  upgrade: string | null = null
  proxyAuthorization: string | null = null
  connectionAuth = false
  acceptLanguage = ''
  via = NO_NAMES
  maxForwards: number | null = null
  readonly #text: string

  constructor(text: string) {
    this.#text = text
  }

  get fields(): Fields {
    return fieldsOf(this.#text)
  }

  read(fieldsMax: number, lineBytesMax: number): Reason | null {
    const text = this.#text
    const lineEnd = text.indexOf('\r\n')
    if (lineEnd < 0) return 'request-line'
    if (lineEnd > lineBytesMax) return 'request-line-too-long'
    const bytes = scan.load(text)
    const line = new RequestLine()
    const fault = line.read(text, bytes, lineEnd)
    this.method = line.method
    if (line.authority !== null) this.#goesTo(line.authority)
    if (fault !== null) {
      // CONNECT without a port: none is meant.
      if (line.authority !== null) this.port = line.authority.port ?? 0
      return fault
    }
    this.form = line.form
    this.carriage = line.form === 'authority' ? 'connect' : 'http'
    this.target = line.target
    this.minor = line.minor
    const wrong = scan.find(lineEnd + 2, fieldsMax)
    if (wrong !== null) return wrong === 'malformed' ? 'header-malformed' : 'head-too-large'
    return this.#fields(line)
  }

  #goesTo({ host, port, origin, lines }: Authority): void {
    this.host = host
    this.port = port ?? PLAIN_PORT
    this.origin = origin
    this.hostLines = lines
  }

  #fields(line: RequestLine): Reason | null {
    const fault = this.#checkHost(line) ?? this.#framing() ?? this.#maxForwards()
    if (fault !== null) return fault
    this.nominated = nominations(PROXY_CONNECTION, nominations(CONNECTION, NO_NAMES))
    const names = this.nominated
    // A proxy keeps no HTTP/1.0 client's connection, whatever it asks for (RFC 9112 section 9.3).
    this.keepAlive = this.minor === 1 && (names === NO_NAMES || !names.includes('close'))
    if (scan.times(UPGRADE) > 0 && this.minor === 1 && names.includes('upgrade')) {
      this.upgrade = protocolOf(scan.combined(UPGRADE)!)
    }
    if (scan.times(VIA) > 0) this.via = listOf(scan.combined(VIA)!)
    if (scan.times(ACCEPT_LANGUAGE) > 0)
      this.acceptLanguage = scan.value(scan.last(ACCEPT_LANGUAGE))
    this.#credentials()
    this.lines = this.#kept()
    return this.#expectation()
  }

  #credentials(): void {
    const times = scan.times(PROXY_AUTHORIZATION)
    // Two credentials are two users: neither is believed.
    if (times > 0) {
      this.proxyAuthorization = times > 1 ? '' : scan.value(scan.last(PROXY_AUTHORIZATION))
    }
    if (scan.times(AUTHORIZATION) > 0) {
      this.connectionAuth = isConnectionAuth(scan.combined(AUTHORIZATION)!)
    }
  }

  /** One Host in HTTP/1.1, and it says what the target says (RFC 9112 section 3.2). */
  #checkHost(line: RequestLine): Reason | null {
    const hosts = scan.times(HOST)
    if (hosts > 1 || (hosts === 0 && this.minor === 1)) return 'host-mismatch'
    // Of HTTP/1.0, and the target names no host: nobody says where it is to go.
    if (hosts === 0) return line.authority === null ? 'target-form' : null
    const text = scan.value(scan.last(HOST))
    if (line.authority !== null && text === line.written) return null
    const authority = parseAuthority(text)
    if (authority === null) return text.includes('@') ? 'host-mismatch' : 'host-malformed'
    if (line.authority === null) {
      this.#goesTo(authority)
      return null
    }
    // CONNECT clients often leave their port out of Host; of http:// none means 80.
    const port = authority.port ?? (this.carriage === 'connect' ? this.port : PLAIN_PORT)
    return authority.host === this.host && port === this.port ? null : 'host-mismatch'
  }

  #framing(): Reason | null {
    const lengths = scan.times(CONTENT_LENGTH)
    const codings = scan.times(TRANSFER_ENCODING)
    if (scan.times(FRAMING_LOOKALIKE) > 0) return 'framing-conflict'
    if (codings > 0) {
      if (!isChunked() || lengths > 0 || this.minor === 0) return 'framing-conflict'
      this.framing = CHUNKED
    } else if (lengths > 0) {
      const bytes = lengths === 1 ? lengthOf(scan.last(CONTENT_LENGTH)) : null
      if (bytes === null) return 'framing-conflict'
      this.framing = framingOfLength(bytes)
    }
    const bodiless = this.carriage === 'connect' || this.method === 'TRACE'
    // A body where none may be (RFC 9110 sections 9.3.6 and 9.3.8) is the next request to some.
    return bodiless && this.framing !== NONE ? 'framing-conflict' : null
  }

  /** One number at most (RFC 9110 section 7.6.2). */
  #maxForwards(): Reason | null {
    if (scan.times(MAX_FORWARDS) === 0) return null
    if (this.method !== 'TRACE' && this.method !== 'OPTIONS') return null
    if (scan.times(MAX_FORWARDS) > 1) return 'header-malformed'
    this.maxForwards = parseLength(scan.value(scan.last(MAX_FORWARDS)))
    return this.maxForwards === null ? 'header-malformed' : null
  }

  /** What of the fields may go on; a length is written as we read it. */
  #kept(): string {
    let skip = 1 << HOST
    if (this.maxForwards !== null) skip |= 1 << MAX_FORWARDS
    if (!isLengthOdd()) return keptLines(-1, this.nominated, skip)
    return keptLines(-1, this.nominated, skip | (1 << CONTENT_LENGTH)) + lengthLine()
  }

  #expectation(): Reason | null {
    if (scan.times(EXPECT) === 0) return null
    if (scan.times(EXPECT) > 1 || !scan.valueIs(scan.last(EXPECT), '100-continue')) {
      return 'expectation-unsupported'
    }
    // An HTTP/1.0 client does not know the answer to it (RFC 9110 section 10.1.1).
    this.expectsContinue = this.minor === 1
    return null
  }
}

/**
 * What Upgrade asks for, where it is WebSocket and no more (RFC 6455 section 4.1): in any other protocol, such
 * as TLS or HTTP/2, other hosts could be asked for behind our back. What is not offered is not switched to.
 */
function protocolOf(upgrade: string): string | null {
  const names = listOf(upgrade)
  return names.length === 1 && names[0] === WEBSOCKET ? WEBSOCKET : null
}
