/**
 * Owns: the host that a person asks about, in any spelling: bare, with a port, or a URL from a browser.
 * Never: looks it up.
 */
import { REJECTIONS } from '../lists/rejection.ts'
import { type Carriage, type HostError, type HostName, parseHost } from '../policy/index.ts'
import { quoteValue } from '../settings/problems.ts'
import { fail } from './context.ts'

export interface Asked {
  readonly name: HostName
  readonly port: number
  readonly carriage: Carriage
}

const PORT_MAX = 65_535

/**
 * A URL, `host:port`, or a host: HTTPS unless it says otherwise. Browsers open a tunnel for `ws:` as well, to
 * port 80 (RFC 6455 sections 3 and 4.1). Ends with 2 where it is none.
 */
export function parseAsked(text: string): Asked {
  const match =
    /^(?:([a-z]+):\/\/)?(?:[^@/?#]*@)?(\[[^\]]*\]|[^/?#:]*|[^/?#]*)(?::(\d+))?(?:[/?#].*)?$/i.exec(
      text,
    )
  if (match === null) return noHost(text, 'host-character')
  const name = parseHost(match[2]!)
  if (typeof name === 'string') return noHost(text, name)
  const scheme = match[1]?.toLowerCase()
  const carriage = scheme === 'http' ? 'http' : 'connect'
  const port = match[3] === undefined ? portOf(scheme) : Number(match[3])
  if (port < 1 || port > PORT_MAX) {
    return fail(`${quoteValue(text)} has no port that there is`, `expected 1 to ${PORT_MAX}`)
  }
  return { name, port, carriage }
}

function portOf(scheme: string | undefined): number {
  return scheme === 'http' || scheme === 'ws' ? 80 : 443
}

function noHost(text: string, error: HostError): never {
  return fail(
    `${quoteValue(text)} is no host: ${REJECTIONS[error].what}`,
    'write it as www.example.se',
  )
}
