/**
 * Owns: the way to a server: its addresses, checked; through a proxy where there is one; over TLS.
 * Never: connects to an address of a redirect that it has not checked, or without a certificate
 * that it trusts.
 */
import { X509Certificate } from 'node:crypto'
import { lookup as systemLookup } from 'node:dns/promises'
import { readFileSync } from 'node:fs'
import { request as httpRequest, type IncomingMessage } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { isIP, type LookupFunction } from 'node:net'
import type { Duplex } from 'node:stream'
import { connect, createSecureContext, getCACertificates, type SecureContext } from 'node:tls'
import { type Address, formatAddress, isIpv4, parseAddress } from '../policy/address.ts'
import { forbiddenWhy } from '../policy/guard.ts'
import type { AllowedAddress } from '../policy/policy.ts'
import {
  connectionFailure,
  cut,
  diskTrouble,
  type FetchFailure,
  fetchFailure,
  notHttp,
} from './fetch-failure.ts'
import type { UpdateRules } from './remote.ts'

/** All addresses of a name, in text. May reject. */
export type Resolve = (host: string) => Promise<readonly string[]>

export const systemResolve: Resolve = async (host) => {
  const found = await systemLookup(host, { all: true, order: 'verbatim' })
  return found.map(({ address }) => address)
}

/** How long our own resolver may take for a name that a proxy will look up anyway. */
const RESOLVE_BESIDE_PROXY_MS = 3_000
const HTTPS_PORT = 443

export interface Route {
  readonly secure: SecureContext
  readonly proxy: URL | null
  readonly allow: readonly AllowedAddress[]
  readonly resolve: Resolve
}

/**
 * Trusted: what Node brings, what this machine trusts, and `rules.certificates`. A failure where that
 * file cannot be read.
 */
export function routeOf(rules: UpdateRules, resolve: Resolve): Route | FetchFailure {
  const own = rules.certificates === null ? [] : readCertificates(rules.certificates)
  if ('kind' in own) return own
  const ca = [...getCACertificates('default'), ...getCACertificates('system'), ...own]
  const proxy = rules.proxy === null ? null : new URL(rules.proxy)
  return { secure: createSecureContext({ ca }), proxy, allow: rules.allow, resolve }
}

function readCertificates(file: string): string[] | FetchFailure {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    const { what, hint } = diskTrouble(error, file)
    return fetchFailure('certificates', { what: `updates.certificates: ${what}`, hint })
  }
  const found = text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []
  try {
    for (const pem of found) new X509Certificate(pem)
    if (found.length > 0) return found
  } catch (error) {
    if (!(error instanceof Error)) throw error
  }
  return fetchFailure('certificates', {
    what: `updates.certificates: ${file} holds no certificates that can be read`,
    hint: 'Name a file in PEM form: it has lines of -----BEGIN CERTIFICATE-----.',
  })
}

export interface Asking {
  readonly url: URL
  readonly headers: Readonly<Record<string, string>>
  /** An address that is not public will do: the administrator wrote this host and port himself. */
  readonly trusted: boolean
  readonly signal: AbortSignal
}

/** Sends a GET and gives the answer, its body unread. Rejects only as `signal` says. */
export async function ask(route: Route, asking: Asking): Promise<IncomingMessage | FetchFailure> {
  const { url, headers, signal } = asking
  const addresses = await checkedAddresses(route, asking)
  if ('kind' in addresses) return addresses
  const under = route.proxy === null ? null : await tunnel(route.proxy, asking)
  if (under !== null && 'kind' in under) return under
  const host = bareHost(url)
  const options = {
    ...(under === null ? { lookup: only(addresses), port: portOf(url) } : { socket: under }),
    ...(isIP(host) === 0 ? { servername: host } : {}),
    host,
    secureContext: route.secure,
    autoSelectFamily: addresses.length > 1,
  }
  return new Promise((resolve, reject) => {
    const createConnection = () => connect(options)
    const request = httpsRequest(url, { createConnection, headers, signal })
    request.once('response', resolve)
    // Without a listener node:http ends the connection, and says nothing to anybody.
    request.once('upgrade', (_response, socket: Duplex) => {
      socket.destroy()
      resolve(notHttp(url.host, 'it switches to another protocol (101)'))
    })
    request.once('close', () => {
      // The TLS within a tunnel ends without ending the tunnel.
      under?.destroy()
      resolve(cut(url.host))
    })
    request.once('error', (error) => {
      if (signal.aborted) reject(error)
      else resolve(connectionFailure(error, url.host))
    })
    request.end()
  })
}

/** Host without the brackets of IPv6. */
function bareHost(url: URL): string {
  return url.hostname.replace(/^\[|\]$/g, '')
}

function portOf(url: URL): number {
  return url.port === '' ? HTTPS_PORT : Number(url.port)
}

/** Looks nothing up: gives the addresses that were checked, and no others. */
function only(addresses: readonly Address[]): LookupFunction {
  const found = addresses.map((address) => ({
    address: formatAddress(address),
    family: isIpv4(address) ? 4 : 6,
  }))
  return (_name, options, callback) => {
    if (options.all) callback(null, found)
    else callback(null, found[0]!.address, found[0]!.family)
  }
}

/**
 * The addresses of the URL's host that may be dialled. Behind a proxy it is the proxy that looks the
 * name up: what our own resolver knows is checked all the same, and what it does not know passes.
 */
async function checkedAddresses(
  { proxy, allow, resolve }: Route,
  { url, trusted, signal }: Asking,
): Promise<readonly Address[] | FetchFailure> {
  const host = bareHost(url)
  const literal = parseAddress(host)
  if (proxy !== null && trusted) return []
  const withinMs = proxy === null ? null : RESOLVE_BESIDE_PROXY_MS
  const found = literal === null ? await resolved(resolve, host, { signal, withinMs }) : [literal]
  if (found.length === 0) return proxy === null ? nameNotFound(host) : []
  if (trusted) return found
  let why = ''
  const checked = found.filter((address) => {
    const forbidden = forbiddenWhy(address, portOf(url), allow, [])
    if (forbidden !== null) why ||= `${formatAddress(address)}, ${forbidden}`
    return forbidden === null
  })
  // Behind a proxy we cannot choose which of the addresses it takes.
  if (checked.length > 0 && (proxy === null || checked.length === found.length)) return checked
  return fetchFailure('address-forbidden', {
    what: `it is redirected to ${url.host}, and that is an address inside (${why})`,
    hint: 'If that is meant, write that URL into the settings, or allow it in addresses.allow.',
  })
}

function nameNotFound(host: string): FetchFailure {
  const what = `there is no address for ${host}`
  const hint = 'Correct the host in the URL, or see that this machine finds names (DNS).'
  return fetchFailure('name-not-found', { what, hint }, 'may-pass')
}

/** Empty where the name has none, or none in time. Rejects where `signal` says so. */
function resolved(
  resolve: Resolve,
  host: string,
  { signal, withinMs }: { readonly signal: AbortSignal; readonly withinMs: number | null },
): Promise<readonly Address[]> {
  return new Promise((settle, reject) => {
    const stop = () => reject(signal.reason)
    if (signal.aborted) return stop()
    signal.addEventListener('abort', stop, { once: true })
    const timer = withinMs === null ? null : setTimeout(() => finish([]), withinMs)
    const finish = (texts: readonly string[]) => {
      if (timer !== null) clearTimeout(timer)
      signal.removeEventListener('abort', stop)
      settle(texts.map(parseAddress).filter((address) => address !== null))
    }
    resolve(host).then(finish, () => finish([]))
  })
}

/** A connection to the URL's host and port through `proxy` (CONNECT, RFC 9110 section 9.3.6). */
function tunnel(proxy: URL, { url, signal }: Asking): Promise<Duplex | FetchFailure> {
  const authority = `${url.hostname}:${portOf(url)}`
  const where = `the proxy ${proxy.host}`
  const credentials = `${decodeURIComponent(proxy.username)}:${decodeURIComponent(proxy.password)}`
  const basic = `Basic ${Buffer.from(credentials).toString('base64')}`
  const headers = {
    Host: authority,
    ...(credentials === ':' ? {} : { 'Proxy-Authorization': basic }),
  }
  return new Promise((resolve, reject) => {
    const options = { method: 'CONNECT', path: authority, headers, signal, agent: false as const }
    const bare = new URL(proxy.origin)
    const request = (bare.protocol === 'https:' ? httpsRequest : httpRequest)(bare, options)
    request.once('connect', ({ statusCode = 0 }: IncomingMessage, socket: Duplex) => {
      if (statusCode >= 200 && statusCode < 300) return resolve(socket)
      socket.destroy()
      resolve(proxyFailure(statusCode, where, url.host))
    })
    request.once('error', (error) => {
      if (signal.aborted) reject(error)
      else resolve(connectionFailure(error, where))
    })
    request.end()
  })
}

function proxyFailure(status: number, where: string, host: string): FetchFailure {
  if (status === 407) {
    const hint = 'Write user and password into updates.proxy: http://user:password@host:port.'
    return fetchFailure('proxy', { what: `${where} does not know us (407)`, hint })
  }
  const what = `${where} makes no connection to ${host} (${status})`
  const hint = `See that the proxy lets this machine reach ${host}.`
  return fetchFailure('proxy', { what, hint }, status >= 500 ? 'may-pass' : 'stays')
}
