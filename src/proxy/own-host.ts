/**
 * Owns: requests for the gate itself: which they are, how they go to the portal, and with whose name.
 * Never: sends a site's request to the portal, or passes on what a client says in the portal's field.
 */

import {
  addressOfHost,
  formatVisitor,
  type Identified,
  isOwnListener,
  type Listener,
  PORTAL_HOST,
  PORTAL_PORT,
  type Reason,
  VISITOR_FIELD,
} from '../policy/index.ts'
import type { Asker } from './engine.ts'
import type { RequestHead } from './head.ts'
import { type Place, placesOf } from './places.ts'
import type { Endpoint, World } from './world.ts'

/** The pool's name for the portal: no origin's, which all have a port. */
const PORTAL_ORIGIN = 'portal'
const HOST_LINES = ` HTTP/1.1\r\nHost: ${PORTAL_HOST}\r\n`
/** Lines of the portal's field, among lines as we write them. */
const VISITOR_LINES = new RegExp(`^${VISITOR_FIELD}:.*\\r\\n`, 'gim')

export class OwnHost {
  readonly #listeners: readonly Listener[]
  readonly #ports: readonly number[]
  readonly #key: string
  /** Where the portal listens; empty: there is none. */
  readonly places: readonly Place[]
  readonly port: number

  /** `listeners`: ours, any-addresses also as each of the machine's. */
  constructor({ portal, portalKey }: World, listeners: readonly Listener[]) {
    this.#listeners = listeners
    this.#ports = [...new Set(listeners.map(({ port }) => port))]
    this.#key = portalKey
    const [first] = portal
    this.places = first === undefined ? [] : placesOf([reachable(first)])
    this.port = first?.port ?? 0
  }

  /** True where `head` asks for the gate itself: by its name, or by an address and port it listens on. */
  isMeant({ carriage, host, port }: RequestHead): boolean {
    if (carriage !== 'http') return false
    if (host === PORTAL_HOST) return port === PORTAL_PORT
    if (!this.#ports.includes(port)) return false
    const address = addressOfHost(host)
    return address !== null && isOwnListener(address, port, this.#listeners)
  }

  /** `head` as it goes to the portal: it says who asks. */
  headOf(head: RequestHead, { addressText }: Asker, identified: Identified): RequestHead {
    const identity = identified.known ? identified.identity : null
    const reachedAt = addressOfHost(head.host) === null ? '' : head.host
    const visitor = formatVisitor(this.#key, { address: addressText, identity, reachedAt })
    return {
      ...head,
      fields: head.fields,
      carriage: 'portal',
      origin: PORTAL_ORIGIN,
      hostLines: HOST_LINES,
      lines: `${head.lines.replace(VISITOR_LINES, '')}${VISITOR_FIELD}: ${visitor}\r\n`,
      upgrade: null,
    }
  }

  /** Why nobody is there to whom `head` could go, whoever asks. `via` is our name. */
  faultOf(head: RequestHead, via: string): Reason | null {
    if (head.carriage === 'portal') {
      if (this.places.length === 0 && !asksAboutUs(head)) return 'portal-absent'
    } else if (head.form === 'origin' || head.form === 'asterisk') {
      // What is asked of a server is asked of us, and we are none.
      return 'target-form'
    }
    if (head.via.length === 0) return null
    return head.via.some((entry) => receivedBy(entry) === via) ? 'loop-detected' : null
  }
}

/** Whom an entry of Via names, without port and comment (RFC 9110 section 7.6.3). */
function receivedBy(entry: string): string {
  return /^[^ \t]+[ \t]+([^ \t:(]*)/.exec(entry)?.[1] ?? ''
}

/** True of OPTIONS about the gate as a whole: `*`. */
export function asksAboutUs({ carriage, target }: RequestHead): boolean {
  return carriage === 'portal' && target === '*'
}

/** Who listens on all addresses is found on loopback. */
function reachable({ address }: Endpoint): string {
  if (address === '0.0.0.0') return '127.0.0.1'
  return address === '::' ? '::1' : address
}
