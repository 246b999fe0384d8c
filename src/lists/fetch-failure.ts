/**
 * Owns: why a download failed: a code, words, a remedy, and whether another try may help.
 * Never: tries again; fetch.ts does.
 */
import type { Trouble } from './trouble.ts'

export type FetchCode =
  | 'address-forbidden'
  | 'certificates'
  | 'cut'
  | 'disk'
  | 'name-not-found'
  | 'not-the-protocol'
  | 'open-end'
  | 'proxy'
  | 'redirect'
  | 'slow'
  | 'status'
  | 'stopped'
  | 'tls'
  | 'too-large'
  | 'type'
  | 'unreachable'

export interface FetchFailure extends Trouble {
  readonly kind: 'failed'
  readonly code: FetchCode
  /** It may pass by itself: another try is worth it. */
  readonly mayPass: boolean
  /** What the server asked for, or null. */
  readonly retryAfterMs: number | null
}

/** `may-pass` where another try is worth it. */
export function fetchFailure(
  code: FetchCode,
  trouble: Trouble,
  passing: 'stays' | 'may-pass' = 'stays',
  retryAfterMs: number | null = null,
): FetchFailure {
  return { kind: 'failed', code, ...trouble, mayPass: passing === 'may-pass', retryAfterMs }
}

/** The `code` of a system or TLS error, such as ENOENT; empty for any other. */
export function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : ''
}

/** A system error on the disk in words. Throws what is no system error: that is a bug. */
export function diskTrouble(error: unknown, path: string): Trouble {
  const code = codeOf(error)
  if (code === '' || !(error instanceof Error && 'syscall' in error)) throw error
  const [what, hint] = DISK_WORDS[code] ?? [`the system says ${code}`, 'Look at the disk.']
  return { what: `${path}: ${what}`, hint }
}

const DISK_WORDS: Readonly<Record<string, readonly [what: string, hint: string]>> = {
  EACCES: ['permission denied', 'Do it as the user that Sluss runs as, or let that user at it.'],
  EPERM: ['it belongs to another user', 'Do it as the user that Sluss runs as.'],
  ENOENT: ['there is no such file', 'Correct the name.'],
  EISDIR: ['it is a folder', 'Name the file in it.'],
  EDQUOT: ['the disk is full', 'Make room, then try again.'],
  ENOSPC: ['the disk is full', 'Make room, then try again.'],
  EROFS: ['the disk is read-only', 'Mount it for writing.'],
}

/** What node:https says of a connection to `host`, in words. Throws what is a bug of ours. */
export function connectionFailure(error: unknown, host: string): FetchFailure {
  const code = codeOf(error)
  if (code === '') throw error
  const certificate = CERTIFICATE_WORDS[code]
  if (certificate !== undefined) {
    const [why, hint] = certificate
    return fetchFailure('tls', { what: `the certificate of ${host} ${why} (${code})`, hint })
  }
  if (code.startsWith('ERR_SSL_') || code.startsWith('ERR_TLS_') || code === 'EPROTO') {
    const hint = 'See that the URL and its port are those of an https server.'
    return fetchFailure('tls', { what: `${host} and we agree on no TLS (${code})`, hint })
  }
  if (code.startsWith('HPE_')) {
    // A server that promises more than it sends, in the middle of a chunk, ends here too.
    if (code === 'HPE_INVALID_EOF_STATE') return cut(host)
    return notHttp(host, `not as HTTP has it (${code})`)
  }
  if (code === 'ECONNRESET' || code === 'EPIPE') return cut(host)
  const why = CONNECT_WORDS[code] ?? `the system says ${code}`
  const hint = 'See that this machine reaches it: a firewall, or a proxy (updates.proxy)?'
  return fetchFailure(
    'unreachable',
    { what: `${host} cannot be reached: ${why}`, hint },
    'may-pass',
  )
}

/** `how`: what is wrong with the answer of `host`. */
export function notHttp(host: string, how: string): FetchFailure {
  const hint = 'See that the URL and its port are those of an https server.'
  return fetchFailure('not-the-protocol', { what: `${host} answers, but ${how}`, hint })
}

export function cut(host: string): FetchFailure {
  const what = `${host} ended the connection before the whole had come`
  return fetchFailure('cut', { what, hint: 'It is tried again at the next update.' }, 'may-pass')
}

const CONNECT_WORDS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there',
  EHOSTUNREACH: 'no way leads to it',
  ENETUNREACH: 'no way leads to its network',
  ETIMEDOUT: 'it does not answer',
}

const OWN_AUTHORITY =
  'If it is signed by an authority of your own, name its PEM file in updates.certificates.'
const CERTIFICATE_WORDS: Readonly<Record<string, readonly [why: string, hint: string]>> = {
  CERT_HAS_EXPIRED: ['has expired', 'Tell those who keep the list; see that this clock is right.'],
  CERT_NOT_YET_VALID: ['is not yet valid', "See that this machine's clock is right."],
  CERT_SIGNATURE_FAILURE: ['is forged', 'See who stands between this machine and the server.'],
  CERT_UNTRUSTED: ['is signed by nobody we trust', OWN_AUTHORITY],
  DEPTH_ZERO_SELF_SIGNED_CERT: ['is signed by itself', OWN_AUTHORITY],
  ERR_TLS_CERT_ALTNAME_INVALID: ['is for another name', 'Correct the host in the URL.'],
  SELF_SIGNED_CERT_IN_CHAIN: ['is signed by an authority we do not know', OWN_AUTHORITY],
  UNABLE_TO_GET_ISSUER_CERT: ['is signed by nobody we trust', OWN_AUTHORITY],
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: ['is signed by nobody we trust', OWN_AUTHORITY],
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: ['is signed by nobody we trust', OWN_AUTHORITY],
}
