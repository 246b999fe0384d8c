/**
 * Owns: the ways in which we and node:http may read a connection differently, each with its reason.
 * Never: lets a difference pass that none of them explains.
 */
import { METHODS } from 'node:http'
import { isIPv6 } from 'node:net'
import { connectionText } from './connections.ts'
import { compare, type Difference, type Kind, readByUs } from './differential.ts'
import { Chance } from './mutate.ts'
import { NodeHttp } from './node-http.ts'

export interface Class {
  readonly name: string
  readonly kind: Kind
  /** Why it is right that we differ. */
  readonly why: string
  /** Bytes of a connection that show it. */
  readonly example: string
  readonly fits: (difference: Difference) => boolean
}

const methodOf = (head: string) => head.slice(0, head.indexOf(' '))
const targetOf = (head: string) => head.split(' ', 2)[1] ?? ''
/** The values of the fields `name` (lower case). */
function valuesOf(head: string, name: string): string[] {
  return head
    .split('\r\n')
    .slice(1)
    .filter((line) => line.toLowerCase().startsWith(`${name}:`))
    .map((line) => line.slice(name.length + 1).replace(/^[\t ]+|[\t ]+$/g, ''))
}
const hostsOf = (head: string) => valuesOf(head, 'host')

/** `host[:port]` of the target, where it has one. */
function authorityOf(head: string): string | null {
  const target = targetOf(head)
  if (methodOf(head) === 'CONNECT') return target
  return /^http:\/\/([^/?#]*)/i.exec(target)?.[1] ?? null
}

/** A name or an address as anybody would write it, with a port that there is. */
function isPlainAuthority(text: string): boolean {
  const match = /^(?:\[([^\]]*)\]|([a-z0-9_]+(?:[.-]+[a-z0-9_]+)*\.?))(?::(\d*))?$/i.exec(text)
  if (match === null) return false
  const [, address, name = '', digits] = match
  if (address !== undefined) {
    if (!isIPv6(address) || address.includes('%')) return false
  }
  // An empty label, one that is too long, or a last one that begins with a digit: an address, or none.
  if (/\.\.|[^.]{64}|(?:^|\.)\d[^.]*\.?$/.test(name) || name.length > 253) return false
  if (digits === undefined) return true
  return digits.length <= 5 && Number(digits) >= 1 && Number(digits) <= 65_535
}

/** Where the target alone says what we send on. */
const isHttp = (head: string) => /^http:\/\//i.test(targetOf(head))

const GET = 'GET http://a.se/ HTTP/1.1\r\nHost: a.se\r\n'
const END = '\r\n'

/** We are the stricter of the two. */
const WE_REFUSE: readonly Omit<Class, 'kind'>[] = [
  {
    name: 'another version',
    why: 'node:http takes HTTP/0.9 and HTTP/2.0 in a request line; no rule says how to read what follows',
    example: `GET / HTTP/2.0\r\nHost: a.se\r\n${END}`,
    fits: ({ reason, head }) =>
      reason === 'version-unsupported' && !/^\S+ \S+ HTTP\/1\.[01]\r\n/.test(head),
  },
  {
    name: 'no version',
    why: 'two words are HTTP/0.9 to node:http, fields and all, and then LF alone ends the line',
    example: `GET /\r\nHost: a.se\r\n${END}`,
    fits: ({ reason, head }) => reason === 'request-line' && /^\S+ +\S* *\r?\n/.test(head),
  },
  {
    name: 'more than one blank',
    why: 'node:http passes over them; where a target begins and ends must be plain to everybody',
    example: `GET  http://a.se/ HTTP/1.1\r\nHost: a.se\r\n${END}`,
    fits: ({ reason, head }) => reason === 'request-line' && /^[^\r\n]* {2}[^\r\n]*\r\n/.test(head),
  },
  {
    name: 'a bare CR before the request line',
    why: 'node:http passes over it; RFC 9112 section 2.2 lets nobody take a bare CR for a line end',
    example: `\r${GET}${END}`,
    fits: ({ reason, head }) => reason === 'request-line' && /^\r[^\n]/.test(head),
  },
  {
    name: 'a bare LF before the request line',
    why: 'node:http passes over it; a line ends with CR LF',
    example: `\n${GET}${END}`,
    fits: ({ reason, head }) => reason === 'request-line' && head.startsWith('\n'),
  },
  {
    name: 'a fragment',
    why: 'it never travels (RFC 9112 section 3.2): whoever sends it means another target than we would',
    example: `GET http://a.se/#@b.se HTTP/1.1\r\nHost: a.se\r\n${END}`,
    fits: ({ reason, head }) => reason === 'request-line' && targetOf(head).includes('#'),
  },
  {
    name: 'a backslash before the query',
    why: 'it is a slash to browsers and a character to others: node:http does not look',
    example: `GET http://a.se/b\\c HTTP/1.1\r\nHost: a.se\r\n${END}`,
    fits: ({ reason, head }) =>
      reason === 'request-line' && targetOf(head).split('?')[0]!.includes('\\'),
  },
  {
    name: 'another scheme',
    why: 'node:http is no proxy: it does not look into the target',
    example: `GET https://a.se/ HTTP/1.1\r\nHost: a.se\r\n${END}`,
    fits: ({ reason, head }) =>
      reason === 'scheme-unsupported' &&
      /^[a-z][a-z0-9+.-]*:\/\//i.test(targetOf(head)) &&
      !isHttp(head),
  },
  {
    name: 'a target of no form',
    why: 'node:http takes * of any method, // and CONNECT without a port: RFC 9112 section 3.2 has four forms',
    example: `GET * HTTP/1.1\r\nHost: a.se\r\n${END}`,
    fits: ({ reason, head }) =>
      reason === 'target-form' && !isHttp(head) && !/^\/(?!\/)/.test(targetOf(head)),
  },
  {
    name: 'nobody says which host',
    why: 'in HTTP/1.0 a path may come without Host: a server knows who it is, a proxy does not',
    example: `GET / HTTP/1.0\r\n${END}`,
    fits: ({ reason, head }) => reason === 'target-form' && hostsOf(head).length === 0,
  },
  {
    name: 'a user name in the target',
    why: 'http://a.se:80@b.se/ is of b.se, and looks as if it were of a.se; node:http does not look',
    example: `GET http://u@a.se/ HTTP/1.1\r\nHost: a.se\r\n${END}`,
    fits: ({ reason, head }) =>
      reason === 'userinfo-forbidden' && (authorityOf(head) ?? '').includes('@'),
  },
  {
    name: 'a host or port that is none',
    why: 'node:http reads neither the host of a target nor Host; we connect to it',
    example: `GET http://a.se:99999/ HTTP/1.1\r\nHost: a.se\r\n${END}`,
    fits: ({ reason, head }) => {
      const said = [authorityOf(head), ...hostsOf(head)]
      return (
        reason === 'host-malformed' && said.some((text) => text !== null && !isPlainAuthority(text))
      )
    },
  },
  {
    name: 'more than one Host, or none',
    why: 'node:http keeps the first, and asks for none of CONNECT; RFC 9112 section 3.2 wants 400',
    example: `GET / HTTP/1.1\r\nHost: a.se\r\nHost: b.se\r\n${END}`,
    fits: ({ reason, head }) => reason === 'host-mismatch' && hostsOf(head).length !== 1,
  },
  {
    name: 'Host says something else than the target',
    why: 'node:http does not compare them; who is asked must be who is meant',
    example: `GET http://a.se/ HTTP/1.1\r\nHost: b.se\r\n${END}`,
    fits: ({ reason, head }) =>
      reason === 'host-mismatch' &&
      hostsOf(head).length === 1 &&
      (hostsOf(head)[0]!.includes('@') || hostsOf(head)[0] !== authorityOf(head)),
  },
  {
    name: 'a coding that is not chunked alone',
    why: 'node:http takes a list that ends with chunked, and another as a body without an end',
    example: `POST http://a.se/ HTTP/1.1\r\nHost: a.se\r\nTransfer-Encoding: gzip, chunked\r\n${END}0\r\n\r\n`,
    fits: ({ reason, head }) => {
      const codings = valuesOf(head, 'transfer-encoding')
      const odd = codings.length > 1 || codings.some((value) => value.toLowerCase() !== 'chunked')
      return reason === 'framing-conflict' && odd
    },
  },
  {
    name: 'a blank after chunked',
    why: 'with a tab it is another coding to node:http, with a blank it is not: we take neither',
    example: `POST http://a.se/ HTTP/1.1\r\nHost: a.se\r\nTransfer-Encoding: chunked \r\n${END}0\r\n\r\n`,
    fits: ({ reason, head }) =>
      reason === 'framing-conflict' && /\ntransfer-encoding:(?:.*[\t ]\r|[^\r]*\t)/i.test(head),
  },
  {
    name: 'a tab beside a length',
    why: 'not every parser knows that a tab is a blank; where a body ends must not hang on it',
    example: `POST http://a.se/ HTTP/1.1\r\nHost: a.se\r\nContent-Length:\t3\r\n${END}abc`,
    fits: ({ reason, head }) =>
      reason === 'framing-conflict' && /\ncontent-length:[^\r]*\t/i.test(head),
  },
  {
    name: 'chunks in HTTP/1.0',
    why: 'HTTP/1.0 has none: RFC 9112 section 6.1 calls such a message faulty, node:http reads them',
    example: `POST http://a.se/ HTTP/1.0\r\nTransfer-Encoding: chunked\r\n${END}0\r\n\r\n`,
    fits: ({ reason, head }) =>
      reason === 'framing-conflict' &&
      / HTTP\/1\.0\r\n/.test(head) &&
      valuesOf(head, 'transfer-encoding').length > 0,
  },
  {
    name: 'a body of CONNECT or TRACE',
    why: 'to node:http what follows CONNECT is the tunnel, whatever a length says; TRACE has no body',
    example: `CONNECT a.se:443 HTTP/1.1\r\nHost: a.se\r\nContent-Length: 3\r\n${END}abc`,
    fits: ({ reason, head }) =>
      reason === 'framing-conflict' && ['CONNECT', 'TRACE'].includes(methodOf(head)),
  },
  {
    name: 'a length with an underscore in its name',
    why: 'another field to node:http, Content-Length to servers that hand fields to programs',
    example: `POST http://a.se/ HTTP/1.1\r\nHost: a.se\r\nContent_Length: 3\r\n${END}`,
    fits: ({ reason, head }) =>
      reason === 'framing-conflict' &&
      valuesOf(head, 'content_length').length + valuesOf(head, 'transfer_encoding').length > 0,
  },
  {
    name: 'a length of more than 15 digits',
    why: 'nobody sends so much: node:http counts up to 2^64, and loses count in its numbers',
    example: `POST http://a.se/ HTTP/1.1\r\nHost: a.se\r\nContent-Length: 0000000000000003\r\n${END}abc`,
    fits: ({ reason, head }) =>
      reason === 'framing-conflict' &&
      valuesOf(head, 'content-length').some((value) => value.length > 15),
  },
  {
    name: 'something else is expected',
    why: 'node:http answers it with 417 as well, but not in HTTP/1.0 and not of CONNECT',
    example: `GET http://a.se/ HTTP/1.0\r\nExpect: x\r\n${END}`,
    fits: ({ reason, head }) =>
      reason === 'expectation-unsupported' && valuesOf(head, 'expect').join() !== '100-continue',
  },
  {
    name: 'Max-Forwards is not a number',
    why: 'we count it down (RFC 9110 section 7.6.2); node:http is no proxy',
    example: `TRACE http://a.se/ HTTP/1.1\r\nHost: a.se\r\nMax-Forwards: x\r\n${END}`,
    fits: ({ reason, head }) =>
      reason === 'header-malformed' &&
      ['TRACE', 'OPTIONS'].includes(methodOf(head)) &&
      !/^\d+$/.test(valuesOf(head, 'max-forwards').join()),
  },
]

/** We take it; what we send on for it node:http takes too, but for methods: another test says so. */
const NODE_REFUSES: readonly Omit<Class, 'kind'>[] = [
  {
    name: 'a method it does not know',
    why: 'methods are any token (RFC 9110 section 9.1): what an origin makes of it is its own affair',
    example: `NEW http://a.se/ HTTP/1.1\r\nHost: a.se\r\n${END}`,
    fits: ({ code, head }) => code === 'HPE_INVALID_METHOD' && !METHODS.includes(methodOf(head)),
  },
  {
    name: 'PRI',
    why: 'node:http keeps it for the preface of HTTP/2; to us it is a method as any other',
    example: `PRI http://a.se/ HTTP/1.1\r\nHost: a.se\r\n${END}`,
    fits: ({ code, head }) => code === 'HPE_INVALID_VERSION' && methodOf(head) === 'PRI',
  },
  {
    name: 'a target beyond ASCII',
    why: 'we percent-encode such bytes before we send them on, as browsers do',
    example: `GET http://a.se/\xe5 HTTP/1.1\r\nHost: a.se\r\n${END}`,
    fits: ({ code, head }) => code === 'HPE_INVALID_URL' && /[\x80-\xff]/.test(targetOf(head)),
  },
  {
    name: 'a request after HTTP/2 was offered',
    why: 'node:http leaves HTTP/1.1 at any Upgrade; we never offer h2c to an origin, and read on',
    example: `${GET}Connection: Upgrade\r\nUpgrade: h2c\r\n${END}${GET}${END}`,
    fits: ({ code }) => code === 'upgrade',
  },
]

const isUpgrade = ({ head }: Difference) =>
  valuesOf(head, 'upgrade').length > 0 && /\bupgrade\b/i.test(valuesOf(head, 'connection').join())

const READ_DIFFERENTLY: readonly Omit<Class, 'kind'>[] = [
  {
    name: 'a body before another protocol',
    why: 'node:http leaves it to whoever takes the upgrade; where a body comes, or in HTTP/1.0, we upgrade nothing',
    example:
      'POST http://a.se/ HTTP/1.1\r\nHost: a.se\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 3\r\n\r\nabc',
    fits: (difference) => ['body', 'complete'].includes(difference.part) && isUpgrade(difference),
  },
]

const of = (kind: Kind, classes: readonly Omit<Class, 'kind'>[]) =>
  classes.map((each) => ({ ...each, kind }))

export const CLASSES: readonly Class[] = [
  ...of('we refuse', WE_REFUSE),
  ...of('node refuses', NODE_REFUSES),
  ...of('read differently', READ_DIFFERENTLY),
]

/** The first class that explains `difference`, or null. */
export function explain(difference: Difference): Class | null {
  return CLASSES.find((each) => each.kind === difference.kind && each.fits(difference)) ?? null
}

export interface Comparison {
  readonly connections: number
  /** Heads that both have taken, and read the same. */
  readonly same: number
  /** Of each class, how many. */
  readonly explained: ReadonlyMap<string, number>
  readonly unexplained: readonly Difference[]
}

const TOGETHER = 50
/** More are not needed to see that something is wrong. */
const UNEXPLAINED_MAX = 20

/** Compares what we and node:http read of so many connections. */
export async function compareWithNode(connections: number, seed: number): Promise<Comparison> {
  const chance = new Chance(seed)
  const node = new NodeHttp()
  const explained = new Map<string, number>()
  const unexplained: Difference[] = []
  let same = 0
  let done = 0
  for (; done < connections && unexplained.length < UNEXPLAINED_MAX; done += TOGETHER) {
    const texts = Array.from({ length: TOGETHER }, () => connectionText(chance))
    const readings = await Promise.all(texts.map((text) => node.read(text)))
    for (const [i, text] of texts.entries()) {
      const ours = readByUs(text)
      const difference = compare(text, ours, readings[i]!)
      if (difference === null) {
        same += Math.min(ours.messages.length, readings[i]!.messages.length)
        continue
      }
      const found = explain(difference)
      if (found === null) unexplained.push(difference)
      else explained.set(found.name, (explained.get(found.name) ?? 0) + 1)
    }
  }
  node.close()
  return { connections: done, same, explained, unexplained }
}
